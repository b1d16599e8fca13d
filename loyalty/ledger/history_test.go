package ledger_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/uplink/wire"
)

// players are the members that histories are about.
const players = 4

// happen has a random call made on a terminal. What the rules refuse is no failure.
func happen(t *testing.T, r *rand.Rand, tl *till, n int) {
	t.Helper()
	key := fmt.Sprintf("k-%d", n)
	ctx := t.Context()
	who, other := r.IntN(players), r.IntN(players)
	before := fmt.Sprintf("k-%d", r.IntN(n+3)) // a call made before, or one that is still to come
	var err error
	switch r.IntN(20) {
	case 0, 1:
		_, err = tl.VoidEntry(ctx, &wire.VoidEntryRequest{IdempotencyKey: key, AwardKey: before, Member: memberAt(who)})
	case 2:
		_, err = tl.VoidEntry(ctx, &wire.VoidEntryRequest{IdempotencyKey: key, RedeemKey: before, Member: memberAt(who), Kind: wire.StampKind_STAMP_KIND_REWARD_REDEEM})
	case 3:
		_, err = tl.RedeemReward(ctx, &wire.RedeemRewardRequest{IdempotencyKey: key, Member: memberAt(who), Hold: true})
	case 4, 5:
		_, err = tl.RedeemReward(ctx, &wire.RedeemRewardRequest{IdempotencyKey: key, Member: memberAt(who)})
	case 6:
		_, err = tl.RedeemReward(ctx, &wire.RedeemRewardRequest{IdempotencyKey: key, Member: memberAt(who), HoldKey: before})
	case 7:
		_, err = tl.EnrolMember(ctx, &wire.EnrolMemberRequest{IdempotencyKey: key, Phone: number(who), Consents: []*wire.Consent{{Purpose: 1}}})
	case 8:
		_, err = tl.SetConsent(ctx, &wire.SetConsentRequest{IdempotencyKey: key, Member: memberAt(who), Consent: &wire.Consent{Purpose: 2}, Granted: new(r.IntN(2) == 0)})
	case 9:
		_, err = tl.LinkCard(ctx, &wire.LinkCardRequest{IdempotencyKey: key, Phone: number(who), Token: "tok-1", Confirmed: r.IntN(2) == 0})
	case 10:
		_, err = tl.UnlinkCard(ctx, &wire.UnlinkCardRequest{IdempotencyKey: key, Token: "tok-1"})
	case 11:
		if r.IntN(4) == 0 {
			_, err = tl.MergeMembers(ctx, &wire.MergeMembersRequest{IdempotencyKey: key, Member: memberAt(who), Other: memberAt(other)})
		}
	case 12:
		if r.IntN(6) == 0 {
			_, err = tl.EraseMember(ctx, &wire.EraseMemberRequest{IdempotencyKey: key, Member: memberAt(who)})
		}
	case 13:
		tl.trusted = r.IntN(3) > 0
	case 14:
		tl.now = tl.now.Add(time.Duration(r.IntN(7)-3) * time.Hour)
	case 15:
		if r.IntN(4) == 0 {
			tl.reboot()
		}
	default:
		_, err = tl.award(key, who, 1+r.Int32N(6))
	}
	tl.pass(time.Duration(r.IntN(90)) * time.Second)
	refused, invalid := new(ledger.Refused), new(ledger.Invalid)
	if err != nil && !errors.As(err, &refused) && !errors.As(err, &invalid) {
		t.Fatalf("step %d: %v", n, err)
	}
}

// A terminal's card is what loyalty.Fold makes of all of its entries, after every step of any history: calls of all kinds in any
// order, clocks that are set and not trusted, and restarts from what is on the disk.
func TestCardIsTheFoldOfItsEntries(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			tl := newTill(t, "t-1", testProgramme)
			for n := range 60 {
				happen(t, r, tl, n)
				tl.news()
				state := loyalty.Fold("coffee", tl.made)
				for who := range players {
					same(t, fmt.Sprintf("step %d, member %d", n, who), tl.card(who), state, number(who), testProgramme)
				}
			}
			tl.verify()
		})
	}
}

// shop is terminals and a backend, cut off from each other at times.
type shop struct {
	t     *testing.T
	tills []*till
	log   []loyalty.Entry
	rows  map[loyalty.Ref]loyalty.Row
	logID []byte
}

// upload has the backend take up to n of a terminal's records.
func (s *shop) upload(tl *till, n uint64) {
	s.t.Helper()
	tl.news()
	for _, lane := range tl.queue.Lanes() {
		if lane.Lane != buffer.Ledger || lane.Next-1 <= tl.sent[lane.Epoch] {
			continue
		}
		from, to := tl.sent[lane.Epoch], min(tl.sent[lane.Epoch]+n, lane.Next-1)
		for _, e := range tl.made {
			if e.ID.Epoch == lane.Epoch && e.ID.Seq > from && e.ID.Seq <= to {
				s.log = append(s.log, e)
				for _, ref := range e.Rows() {
					row := s.rows[ref]
					row.Apply(e)
					s.rows[ref] = row
				}
			}
		}
		tl.sent[lane.Epoch] = to
		if err := tl.queue.Ack(s.t.Context(), lane.LaneID, to, nil); err != nil {
			s.t.Fatal(err)
		}
		return
	}
}

// download sends a terminal all rows, perhaps twice, with few entries open.
func (s *shop) download(r *rand.Rand, tl *till, times int) {
	s.t.Helper()
	var marks []loyalty.Mark
	m := &wire.CardRows{LogId: s.logID, AsOf: uint64(len(s.log)), Through: uint64(len(s.log))}
	for epoch, seq := range tl.sent {
		marks = append(marks, loyalty.Mark{Terminal: tl.name, Epoch: epoch, Seq: seq})
		m.Marks = append(m.Marks, &wire.RowMark{Epoch: epoch[:], Seq: seq})
	}
	for _, ref := range s.refs() {
		rows, err := loyalty.Close(ref, func(r loyalty.Ref) (loyalty.Row, error) { return s.rows[r], nil }, loyalty.Keep{
			Terminal: tl.name, Stamps: r.IntN(3), Redemptions: r.IntN(3), Through: marks,
		})
		if err != nil {
			s.t.Fatal(err)
		}
		for of, row := range rows {
			row.AsOf, row.Through = 0, nil
			m.Rows = append(m.Rows, &wire.CardRow{ProgrammeId: "coffee", Ref: of[:], Row: row.Append(nil, of)})
		}
	}
	for range times {
		if err := tl.TakeRows(s.t.Context(), m); err != nil {
			s.t.Fatal(err)
		}
	}
}

// refs returns the refs of all rows in order.
func (s *shop) refs() []loyalty.Ref {
	var refs []loyalty.Ref
	for ref := range s.rows {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, loyalty.Ref.Compare)
	return refs
}

// Terminals that are cut off in turn, crash and have their clocks set know in the end what the backend knows, and their files are
// in order.
func TestTerminalsAndBackendAgree(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 5))
			s := &shop{t: t, rows: map[loyalty.Ref]loyalty.Row{}, logID: make([]byte, 16)}
			s.logID[0] = 1
			for i := range 3 {
				s.tills = append(s.tills, newTill(t, fmt.Sprintf("t-%d", i+1), testProgramme))
			}
			for n := range 120 {
				tl := s.tills[r.IntN(3)]
				switch r.IntN(6) {
				case 0:
					s.upload(tl, 1+r.Uint64N(5))
				case 1:
					s.download(r, tl, 1+r.IntN(2))
				default:
					happen(t, r, tl, n)
				}
			}
			var all []loyalty.Entry
			for _, tl := range s.tills {
				for range 20 {
					s.upload(tl, 1000)
				}
				all = append(all, tl.made...)
			}
			if len(s.log) != len(all) {
				t.Fatalf("the backend has %d entries of %d", len(s.log), len(all))
			}
			state := loyalty.Fold("coffee", all)
			for _, tl := range s.tills {
				s.download(r, tl, 1)
				for who := range players {
					same(t, fmt.Sprintf("%s, member %d", tl.name, who), tl.card(who), state, number(who), testProgramme)
				}
				tl.verify()
			}
		})
	}
}

// The vectors of the rules, through the calls.
func TestVectors(t *testing.T) {
	ctx := t.Context()
	nine := func(t *testing.T, tl *till) {
		for i := range 9 {
			must(t)(tl.award(fmt.Sprint("s-", i), 0, 1))
		}
	}
	void := func(tl *till, key, award string) (*wire.EntryResponse, error) {
		return tl.VoidEntry(ctx, &wire.VoidEntryRequest{IdempotencyKey: key, AwardKey: award, Member: memberAt(0)})
	}
	for name, tt := range map[string]struct {
		do                            func(t *testing.T, tl *till)
		stamps, progress, earned, has int32
	}{
		"L1": {nine, 9, 0, 1, 1},
		"L2": {func(t *testing.T, tl *till) {
			for i, n := range []int32{3, 3, 3, 3, 3, 3, 3, 4} {
				must(t)(tl.award(fmt.Sprint("s-", i), 0, n))
			}
		}, 25, 7, 2, 2},
		"L3": {func(t *testing.T, tl *till) { nine(t, tl); must(t)(void(tl, "v", "s-3")) }, 8, 8, 0, 0},
		"L4": {func(t *testing.T, tl *till) {
			nine(t, tl)
			must(t)(tl.RedeemReward(ctx, &wire.RedeemRewardRequest{IdempotencyKey: "r", Member: memberAt(0)}))
			must(t)(void(tl, "v", "s-3"))
		}, 8, 8, 0, -1},
		"L5": {func(t *testing.T, tl *till) {
			nine(t, tl)
			must(t)(tl.RedeemReward(ctx, &wire.RedeemRewardRequest{IdempotencyKey: "r", Member: memberAt(0)}))
			must(t)(void(tl, "v", "s-3"))
			must(t)(tl.award("again", 0, 1))
		}, 9, 0, 1, 0},
		"L8": {func(t *testing.T, tl *till) {
			must(t)(tl.award("a", 0, 7))
			must(t)(tl.award("b", 1, 4))
			for _, key := range []string{"m-1", "m-2"} {
				got := must(t)(tl.MergeMembers(ctx, &wire.MergeMembersRequest{IdempotencyKey: key, Member: memberAt(0), Other: memberAt(1)}))
				if got.GetAlready() != (key == "m-2") {
					t.Errorf("%s: %v", key, got)
				}
			}
		}, 11, 2, 1, 1},
		"L9": {func(t *testing.T, tl *till) {
			if got := must(t)(void(tl, "v", "s")); !got.GetPending() {
				t.Errorf("a void that comes first: %v", got)
			}
			must(t)(tl.award("s", 0, 1))
		}, 0, 0, 0, 0},
		"L10": {func(t *testing.T, tl *till) {
			must(t)(tl.award("s", 0, 1))
			for _, key := range []string{"v-1", "v-2"} {
				if got := must(t)(void(tl, key, "s")); got.GetAlready() != (key == "v-2") || got.GetPending() {
					t.Errorf("%s: %v", key, got)
				}
			}
		}, 0, 0, 0, 0},
		"L12": {func(t *testing.T, tl *till) {
			nine(t, tl)
			must(t)(tl.RedeemReward(ctx, &wire.RedeemRewardRequest{IdempotencyKey: "h", Member: memberAt(0), Hold: true}))
			if c := tl.card(0).GetCard(); c.GetAvailable() != 0 || c.GetHeld() != 1 {
				t.Errorf("while it is held: %v", c)
			}
			must(t)(tl.VoidEntry(ctx, &wire.VoidEntryRequest{IdempotencyKey: "v", RedeemKey: "h"}))
		}, 9, 0, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			tl := newTill(t, "t-1", testProgramme)
			tt.do(t, tl)
			c := tl.card(0).GetCard()
			// L4 has a reward that was earned, given, and then not covered any more: what was earned is what is left and what was given.
			if c.GetStamps() != tt.stamps || c.GetProgress() != tt.progress || c.GetAvailable() != tt.has || c.GetEarned() != tt.earned {
				t.Errorf("card %v, want stamps %d, progress %d, earned %d, available %d", c, tt.stamps, tt.progress, tt.earned, tt.has)
			}
			tl.verify()
		})
	}
}

// L11: what the backend adjusts comes with its rows.
func TestVectorOfAdjustment(t *testing.T) {
	tl := newTill(t, "t-1", testProgramme)
	row := loyalty.Row{Closed: loyalty.Sums{Stamps: -3}}
	ref := refOf(number(0))
	if err := tl.TakeRows(t.Context(), rowsOf(1, 5, 5, &wire.CardRow{ProgrammeId: "coffee", Ref: ref[:], Row: row.Append(nil, ref)})); err != nil {
		t.Fatal(err)
	}
	if c := tl.card(0).GetCard(); c.GetStamps() != -3 || c.GetProgress() != -3 || c.GetEarned() != 0 || c.GetAvailable() != 0 {
		t.Errorf("card %v", c)
	}
}

// must fails the test when a call did.
func must(t *testing.T) func(answer any, err error) *wire.EntryResponse {
	return func(answer any, err error) *wire.EntryResponse {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		e, _ := answer.(*wire.EntryResponse)
		return e
	}
}

func rowsOf(log byte, asOf, through uint64, rows ...*wire.CardRow) *wire.CardRows {
	id := make([]byte, 16)
	id[0] = log
	return &wire.CardRows{LogId: id, AsOf: asOf, Through: through, Rows: rows}
}
