package loyalty_test

import (
	"testing"

	"github.com/stampd/stampd/loyalty"
)

var nine = loyalty.Programme{ID: "coffee", Version: 1, StampsPerReward: 9, MaxStampsPerPurchase: 4}

// history makes entries of one terminal, numbered and a second apart.
type history struct {
	terminal string
	entries  []loyalty.Entry
}

func ref(name string) (r loyalty.Ref) {
	copy(r[:], name)
	return r
}

func id(terminal string, seq int) loyalty.EntryID {
	return loyalty.EntryID{Terminal: terminal, Epoch: [16]byte{1}, Seq: uint64(seq)}
}

func of(terminal string, seq int) loyalty.Target { return loyalty.Target{ID: id(terminal, seq)} }

// add appends an entry of the account and returns its id.
func (h *history) add(account string, b loyalty.Body) loyalty.EntryID {
	seq := len(h.entries) + 1
	h.entries = append(h.entries, loyalty.Entry{
		ID: id(h.terminal, seq), At: loyalty.At(int64(seq) * 1000), Account: ref(account),
		Programme: "coffee", Version: 1, Body: b,
	})
	return id(h.terminal, seq)
}

func entries(bodies ...loyalty.Body) []loyalty.Entry {
	h := history{terminal: "t-1"}
	for _, b := range bodies {
		h.add("anna", b)
	}
	return h.entries
}

func stamps(counts ...int32) []loyalty.Body {
	bodies := make([]loyalty.Body, len(counts))
	for i, n := range counts {
		bodies[i] = loyalty.Stamp{Stamps: n}
	}
	return bodies
}

func and(bodies []loyalty.Body, more ...loyalty.Body) []loyalty.Body {
	return append(append([]loyalty.Body(nil), bodies...), more...)
}

// TestVectors is the table of facts about card arithmetic, for N = 9.
func TestVectors(t *testing.T) {
	ones := stamps(1, 1, 1, 1, 1, 1, 1, 1, 1)
	l4 := and(ones, loyalty.Redeem{Stamps: 9}, loyalty.StampVoid{Target: of("t-1", 4)})
	merged := history{terminal: "t-1"}
	merged.add("anna", loyalty.Stamp{Stamps: 7})
	merged.add("card", loyalty.Stamp{Stamps: 4})
	merged.add("card", loyalty.Merge{Other: ref("anna")})
	merged.add("card", loyalty.Merge{Other: ref("anna")})
	other := loyalty.Entry{ID: id("t-2", 1), At: loyalty.At(90_000), Account: ref("anna"), Programme: "coffee", Body: loyalty.Redeem{Stamps: 9}}
	for _, c := range []struct {
		name         string
		entries      []loyalty.Entry
		s, p, earned int32
		available    int32
		flagged      loyalty.EntryID
		flags        loyalty.Flags
	}{
		{"L1: nine stamps", entries(ones...), 9, 0, 1, 1, loyalty.EntryID{}, 0},
		{"L2: carry over", entries(stamps(3, 3, 3, 3, 3, 3, 3, 4)...), 25, 7, 2, 2, loyalty.EntryID{}, 0},
		{"L3: one voided", entries(and(ones, loyalty.StampVoid{Target: of("t-1", 4)})...), 8, 8, 0, 0, loyalty.EntryID{}, 0},
		{"L4: voided after the reward", entries(l4...), 8, 8, 0, -1, id("t-1", 10), loyalty.FlagOverdraft},
		{"L5: and repaid", entries(and(l4, loyalty.Stamp{Stamps: 1})...), 9, 0, 1, 0, loyalty.EntryID{}, 0},
		{"L6: two redeem offline", append(entries(and(ones, loyalty.Redeem{Stamps: 9})...), other), 9, 0, 1, -1, id("t-2", 1), loyalty.FlagOverdraft},
		{"L7: only the lease redeems", entries(and(ones, loyalty.Redeem{Stamps: 9, Right: loyalty.ByLease})...), 9, 0, 1, 0, loyalty.EntryID{}, 0},
		{"L8: merged, twice", merged.entries, 11, 2, 1, 1, loyalty.EntryID{}, 0},
		{"L9: void before the stamp", entries(loyalty.StampVoid{Target: of("t-1", 2)}, loyalty.Stamp{Stamps: 1}), 0, 0, 0, 0, loyalty.EntryID{}, 0},
		{"L9: void alone", entries(loyalty.StampVoid{Target: of("t-1", 2)}), 0, 0, 0, 0, id("t-1", 1), loyalty.FlagPending},
		{"L10: voided twice", entries(loyalty.Stamp{Stamps: 1}, loyalty.StampVoid{Target: of("t-1", 1)}, loyalty.StampVoid{Target: of("t-1", 1)}), 0, 0, 0, 0, id("t-1", 3), loyalty.FlagAlreadyVoided},
		{"L11: below zero", entries(loyalty.Adjust{Stamps: -3}), -3, -3, 0, 0, loyalty.EntryID{}, 0},
		{"L12: held and released", entries(and(ones, loyalty.Hold{Stamps: 9}, loyalty.Release{Target: of("t-1", 10)})...), 9, 0, 1, 1, loyalty.EntryID{}, 0},
		{"one short", entries(stamps(4, 4)...), 8, 8, 0, 0, loyalty.EntryID{}, 0},
		{"nothing", nil, 0, 0, 0, 0, loyalty.EntryID{}, 0},

		{"held", entries(and(ones, loyalty.Hold{Stamps: 9})...), 9, 0, 1, 0, loyalty.EntryID{}, 0},
		{"held and redeemed", entries(and(ones, loyalty.Hold{Stamps: 9}, loyalty.Redeem{Stamps: 9, Hold: of("t-1", 10)})...), 9, 0, 1, 0, loyalty.EntryID{}, 0},
		{"a hold redeemed twice", entries(and(ones, loyalty.Hold{Stamps: 9}, loyalty.Redeem{Stamps: 9, Hold: of("t-1", 10)}, loyalty.Redeem{Stamps: 9, Hold: of("t-1", 10)})...), 9, 0, 1, 0, id("t-1", 12), loyalty.FlagAlreadyUsed},
		{"released too late", entries(and(ones, loyalty.Hold{Stamps: 9}, loyalty.Release{Target: of("t-1", 10)}, loyalty.Redeem{Stamps: 9, Hold: of("t-1", 10)})...), 9, 0, 1, 0, id("t-1", 11), loyalty.FlagTooLate},
		{"reversed", entries(and(ones, loyalty.Redeem{Stamps: 9}, loyalty.Reverse{Target: of("t-1", 10)})...), 9, 0, 1, 1, loyalty.EntryID{}, 0},
		{"held, redeemed, reversed", entries(and(ones, loyalty.Hold{Stamps: 9}, loyalty.Redeem{Stamps: 9, Hold: of("t-1", 10)}, loyalty.Reverse{Target: of("t-1", 11)})...), 9, 0, 1, 1, loyalty.EntryID{}, 0},
		{"reversed twice", entries(and(ones, loyalty.Redeem{Stamps: 9}, loyalty.Reverse{Target: of("t-1", 10)}, loyalty.Reverse{Target: of("t-1", 10)})...), 9, 0, 1, 1, id("t-1", 12), loyalty.FlagAlreadyUndone},
		{"forgiven", append(entries(and(ones, loyalty.Redeem{Stamps: 9}, loyalty.Adjust{Stamps: 9, Forgives: of("t-2", 1)})...), other), 18, 0, 2, 0, loyalty.EntryID{}, 0},
		{"forgiven twice", append(entries(and(ones, loyalty.Redeem{Stamps: 9}, loyalty.Adjust{Stamps: 9, Forgives: of("t-2", 1)}, loyalty.Adjust{Stamps: 9, Forgives: of("t-2", 1)})...), other), 18, 0, 2, 0, id("t-1", 12), loyalty.FlagAlreadyUndone},
		{"expired", entries(and(ones, loyalty.Expire{Stamps: 2})...), 7, 7, 0, 0, loyalty.EntryID{}, 0},
		{"makes no sense", entries(loyalty.Stamp{Stamps: -4}), 0, 0, 0, 0, id("t-1", 1), loyalty.FlagInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			state := loyalty.Fold("coffee", c.entries)
			a, _ := state.Account(ref("anna"))
			card := loyalty.View(nine, a)
			if card.Stamps != c.s || card.Progress != c.p || card.Earned != c.earned || card.Available != c.available {
				t.Errorf("got %+v, want S %d, P %d, E %d, A %d", card, c.s, c.p, c.earned, c.available)
			}
			if c.flags == 0 && len(state.Flags) > 0 || c.flags != 0 && (len(state.Flags) != 1 || state.Flags[c.flagged] != c.flags) {
				t.Errorf("flags %v, want %v alone with %d", state.Flags, c.flagged, c.flags)
			}
		})
	}
}

// L7: the terminal without a lease may not redeem what the other one can.
func TestOnlyTheLeaseRedeems(t *testing.T) {
	a, _ := loyalty.Fold("", entries(stamps(4, 4, 1)...)).Account(ref("anna"))
	lease := &loyalty.Lease{Account: ref("anna"), Rights: 1, Until: loyalty.At(1000)}
	now := loyalty.Now{Wall: loyalty.At(999)}
	if d := loyalty.Decide(nine, a, loyalty.Redemption{Lease: lease}, now); d.Right != loyalty.ByLease {
		t.Errorf("with the lease: %+v", d)
	}
	if d := loyalty.Decide(nine, a, loyalty.Redemption{}, now); d.Refusal != loyalty.RefusedNoRight {
		t.Errorf("without: %+v", d)
	}
}

func TestTheOlderEnrolmentSurvives(t *testing.T) {
	for _, c := range []struct {
		name       string
		anna, bert loyalty.Moment
		want       string
	}{
		{"older", loyalty.At(2), loyalty.At(1), "bert"},
		{"equal: the smaller id", loyalty.At(1), loyalty.At(1), "anna"},
		{"known before unknown", loyalty.Moment{}, loyalty.At(1), "bert"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := history{terminal: "t-1"}
			h.add("anna", loyalty.Enrol{})
			h.add("bert", loyalty.Enrol{})
			h.entries[0].At, h.entries[1].At = c.anna, c.bert
			h.add("anna", loyalty.Merge{Other: ref("bert")})
			h.add("bert", loyalty.Merge{Other: ref("carl")})
			h.add("carl", loyalty.Merge{Other: ref("anna")}) // a ring
			for _, name := range []string{"anna", "bert", "carl"} {
				a, ok := loyalty.Fold("", h.entries).Account(ref(name))
				if !ok || a.Ref != ref(c.want) || len(a.Members) != 2 {
					t.Errorf("%s is %+v, want %s with two others", name, a, c.want)
				}
			}
		})
	}
}

func TestPaymentCardOfAnotherIsPending(t *testing.T) {
	card := ref("visa")
	link := func(confirmed bool) loyalty.Link { return loyalty.Link{Card: card, Confirmed: confirmed} }
	h := history{terminal: "t-1"}
	h.add("anna", link(false))
	second := h.add("bert", link(false))
	state := loyalty.Fold("", h.entries)
	if c := state.Cards[card]; c.Account != ref("anna") || len(c.Pending) != 1 || c.Tried != 2 || !state.Flags[second].Has(loyalty.FlagLinkPending) {
		t.Errorf("linked twice: %+v, %v", c, state.Flags)
	}
	h.add("bert", link(true))
	if c := loyalty.Fold("", h.entries).Cards[card]; c.Account != ref("bert") || c.Pending != nil {
		t.Errorf("confirmed: %+v", c)
	}
	h.add("bert", loyalty.Unlink{Card: card})
	if c := loyalty.Fold("", h.entries).Cards[card]; c.Account != (loyalty.Ref{}) {
		t.Errorf("unlinked: %+v", c)
	}
	h.add("anna", link(false))
	h.add("anna", loyalty.Erase{})
	if c := loyalty.Fold("", h.entries).Cards[card]; c.Account != (loyalty.Ref{}) {
		t.Errorf("erased: %+v", c)
	}
}

func TestConsentIsTheLastWord(t *testing.T) {
	h := history{terminal: "t-1"}
	h.add("anna", loyalty.Consent{Purpose: loyalty.PurposeSMSMarketing, Granted: true})
	h.add("anna", loyalty.Consent{Purpose: loyalty.PurposeSMSMarketing})
	h.entries[0], h.entries[1] = h.entries[1], h.entries[0]
	a, _ := loyalty.Fold("", h.entries).Account(ref("anna"))
	if a.Consent(loyalty.PurposeSMSMarketing) != loyalty.ConsentRevoked || a.Consent(loyalty.PurposeLoyalty) != loyalty.ConsentUnknown {
		t.Errorf("consents are %v", a.Consents)
	}
}

// After an erasure no ref of the member is anywhere in the state, and what was given is still in the totals.
func TestErasedMembersAreNowhere(t *testing.T) {
	h := history{terminal: "t-1"}
	h.add("anna", loyalty.Stamp{Stamps: 3})
	h.add("berta", loyalty.Merge{Other: ref("anna")})
	h.add("anna", loyalty.Link{Card: ref("visa")})
	h.add("berta", loyalty.Erase{})
	late := h.add("carl", loyalty.Merge{Other: ref("anna")})
	h.add("carl", loyalty.Stamp{Stamps: 2})
	h.add("anna", loyalty.Stamp{Stamps: 1}) // imported again
	s := loyalty.Fold("", h.entries)
	for _, name := range []string{"anna", "berta"} {
		if _, ok := s.Account(ref(name)); ok {
			t.Errorf("%s is still there", name)
		}
		if _, ok := s.Erased[loyalty.TombstoneOf(ref(name))]; !ok {
			t.Errorf("%s has no tombstone", name)
		}
	}
	if len(s.Accounts) != 1 || len(s.Moved) != 0 || s.Cards[ref("visa")].Account != (loyalty.Ref{}) {
		t.Errorf("a ref is left in %+v", s)
	}
	if a, _ := s.Account(ref("carl")); a.Stamps != 2 || !s.Flags[late].Has(loyalty.FlagErased) {
		t.Errorf("carl was drawn in: %+v, %v", a, s.Flags)
	}
	if s.Anonymous.Stamps != 4 {
		t.Errorf("anonymous stamps %d, want 4", s.Anonymous.Stamps)
	}
}

// An entry reaches entries of its own member only.
func TestVoidOfAnothersStampWaits(t *testing.T) {
	h := history{terminal: "t-1"}
	stamp := h.add("anna", loyalty.Stamp{Stamps: 3})
	h.add("berta", loyalty.StampVoid{Target: loyalty.Target{ID: stamp}})
	s := loyalty.Fold("", h.entries)
	if a, _ := s.Account(ref("anna")); a.Stamps != 3 {
		t.Errorf("anna has %d stamps, want 3", a.Stamps)
	}
	if b, _ := s.Account(ref("berta")); b.Pending != 1 {
		t.Errorf("berta has %d pending, want 1", b.Pending)
	}
}

func TestEntriesAreFoundByKey(t *testing.T) {
	h := history{terminal: "t-1"}
	h.add("anna", loyalty.StampVoid{Target: loyalty.Target{ID: loyalty.EntryID{Terminal: "t-1"}, Key: "order-7"}})
	h.add("anna", loyalty.Redeem{Stamps: 9})
	h.entries[1].Key = "order-7" // of another kind of call
	h.add("anna", loyalty.Stamp{Stamps: 3})
	h.entries[2].Key = "order-7"
	if a, _ := loyalty.Fold("", h.entries).Account(ref("anna")); a.Stamps != 0 || a.Pending != 0 || a.Redeemed != 1 {
		t.Errorf("got %+v", a)
	}
}

func TestOtherProgrammesDoNotCount(t *testing.T) {
	h := history{terminal: "t-1"}
	h.add("anna", loyalty.Stamp{Stamps: 3})
	h.add("anna", loyalty.Stamp{Stamps: 4})
	h.add("anna", loyalty.Consent{Purpose: loyalty.PurposeLoyalty, Granted: true})
	h.entries[1].Programme, h.entries[2].Programme = "tea", "tea"
	a, _ := loyalty.Fold("coffee", h.entries).Account(ref("anna"))
	if a.Stamps != 3 || a.Consent(loyalty.PurposeLoyalty) != loyalty.ConsentGranted {
		t.Errorf("got %+v", a)
	}
}
