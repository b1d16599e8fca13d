package backend

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// historiesVar is how long random histories go on, beyond the few of every run: STAMPD_HISTORIES=10m. A seed that fails is played
// again with -history.
const historiesVar = "STAMPD_HISTORIES"

var oneHistory = flag.Uint64("history", 0, "play the random history of this seed and no other")

const (
	patrons   = 5 // members that histories are about
	cardsHeld = 2 // payment cards among them
)

// history is a shop of three terminals and its backend, which is a process that can be killed.
type history struct {
	t        *testing.T
	r        *rand.Rand
	opts     Options
	child    *child // nil while it is down
	counters []*counter
	made     []madeEntry
	calls    int
}

// madeEntry is what a call on a terminal has recorded.
type madeEntry struct {
	terminal, key, epoch string
	seq                  uint64
	kind                 wire.StampKind
	who                  int
}

func newHistory(t *testing.T, seed uint64) *history {
	t.Helper()
	h := &history{t: t, r: rand.New(rand.NewPCG(seed, 7)), opts: newOptions(t)}
	h.opts.EchoAfter = time.Millisecond
	putProgramme(t, h.opts, counterProgramme)
	h.raise()
	h.opts.Listen = h.child.addr // the terminals' address stays
	for i := range 3 {
		h.counters = append(h.counters, newCounter(t, h.opts, fmt.Sprint("t", i+1), newLink(t, h.child.addr, 0)))
	}
	t.Cleanup(func() { h.fall() })
	return h
}

// raise starts the backend, unless it runs.
func (h *history) raise() {
	h.t.Helper()
	if h.child == nil {
		h.child = spawn(h.t, h.opts)
	}
}

// fall kills the backend, unless it is down.
func (h *history) fall() {
	if h.child == nil {
		return
	}
	_ = h.child.cmd.Process.Kill()
	_ = h.child.cmd.Wait()
	h.child = nil
}

// step has one thing happen: to the network, to a clock, to a process, or at a counter.
func (h *history) step() {
	h.t.Helper()
	r, c := h.r, h.counters[h.r.IntN(len(h.counters))]
	switch r.IntN(40) {
	case 0, 1:
		c.link.setCut(true)
	case 2, 3, 4:
		c.link.setCut(false)
	case 5:
		h.fall()
	case 6, 7, 8:
		h.raise()
	case 9:
		c.kill()
	case 10:
		c.reboot()
	case 11:
		c.set(-2*time.Hour, r.IntN(2) == 0)
	case 12:
		c.set(time.Until(time.Unix(int64(r.IntN(1000)), 0)), false) // 1970
	case 13, 14:
		c.set(0, true)
	default:
		h.call(c)
	}
}

// call has somebody at a counter ask for something. What the rules refuse is no failure.
func (h *history) call(c *counter) {
	h.t.Helper()
	r, ctx := h.r, h.t.Context()
	h.calls++
	who, key := r.IntN(patrons), fmt.Sprint("k-", h.calls)
	token := fmt.Sprint("tok-", r.IntN(cardsHeld))
	var e interface {
		GetSeq() uint64
		GetEpoch() string
	}
	kind, err := wire.StampKind_STAMP_KIND_UNSPECIFIED, error(nil)
	switch r.IntN(16) {
	case 0, 1:
		e, err = h.undo(c, key)
	case 2, 3, 4:
		kind = wire.StampKind_STAMP_KIND_REWARD_REDEEM
		e, err = c.RedeemReward(ctx, &wire.RedeemRewardRequest{IdempotencyKey: key, Member: memberAt(who)})
	case 5:
		kind = wire.StampKind_STAMP_KIND_REWARD_HOLD
		e, err = c.RedeemReward(ctx, &wire.RedeemRewardRequest{IdempotencyKey: key, Member: memberAt(who), Hold: true})
	case 6:
		e, err = c.EnrolMember(ctx, &wire.EnrolMemberRequest{IdempotencyKey: key, Phone: phoneAt(who), Consents: []*wire.Consent{{Purpose: 1}}})
	case 7:
		e, err = c.SetConsent(ctx, &wire.SetConsentRequest{IdempotencyKey: key, Member: memberAt(who), Consent: &wire.Consent{Purpose: 2}, Granted: new(r.IntN(2) == 0)})
	case 8:
		e, err = c.LinkCard(ctx, &wire.LinkCardRequest{IdempotencyKey: key, Phone: phoneAt(who), Token: token, Confirmed: r.IntN(2) == 0})
	case 9:
		if r.IntN(2) == 0 {
			e, err = c.UnlinkCard(ctx, &wire.UnlinkCardRequest{IdempotencyKey: key, Token: token})
		}
	case 10:
		if r.IntN(5) == 0 {
			e, err = c.MergeMembers(ctx, &wire.MergeMembersRequest{IdempotencyKey: key, Member: memberAt(who), Other: memberAt(r.IntN(patrons))})
		}
	case 11:
		if r.IntN(8) == 0 {
			e, err = c.EraseMember(ctx, &wire.EraseMemberRequest{IdempotencyKey: key, Member: memberAt(who)})
		}
	default:
		kind = wire.StampKind_STAMP_KIND_STAMP
		e, err = c.AwardStamps(ctx, &wire.AwardStampsRequest{IdempotencyKey: key, Phone: phoneAt(who), Stamps: new(1 + r.Int32N(6))})
	}
	refused, invalid := new(ledger.Refused), new(ledger.Invalid)
	if err != nil && !errors.As(err, &refused) && !errors.As(err, &invalid) {
		h.t.Fatalf("call %d on %s: %v", h.calls, c.name, err)
	}
	if err == nil && kind != 0 {
		h.made = append(h.made, madeEntry{c.name, key, e.GetEpoch(), e.GetSeq(), kind, who})
	}
}

// undo takes back what some terminal has recorded, by its number: its own or another's, heard of here or not.
func (h *history) undo(c *counter, key string) (*wire.EntryResponse, error) {
	if len(h.made) == 0 {
		return nil, nil
	}
	m := h.made[h.r.IntN(len(h.made))]
	return c.VoidEntry(h.t.Context(), &wire.VoidEntryRequest{
		IdempotencyKey: key, TerminalId: m.terminal, Epoch: m.epoch, Seq: m.seq, Kind: m.kind, Member: memberAt(m.who),
	})
}

// settle connects all, and waits until the backend has everything that was recorded.
func (h *history) settle() *Backend {
	h.t.Helper()
	h.fall()
	b, _ := start(h.t, h.opts)
	for _, c := range h.counters {
		c.link.setCut(false)
		c.set(0, true) // the certificates of a test are minutes old, and not valid two hours ago
	}
	for _, c := range h.counters {
		c.sent()
	}
	return b
}

// agree fails the test unless every terminal's cards are, within a moment, what all that has landed comes to.
func (h *history) agree(b *Backend) {
	h.t.Helper()
	state := truth(h.t, b)
	var differs string
	for begin := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if differs = h.differs(state); differs == "" {
			return
		}
		if time.Since(begin) > 10*time.Second {
			h.t.Fatal(differs)
		}
	}
}

// differs says which card is another than the fold's.
func (h *history) differs(state *loyalty.State) string {
	h.t.Helper()
	for _, c := range h.counters {
		for who := range patrons {
			ref := accountAt(h.t, who)
			a, _ := state.Account(ref)
			_, erased := state.Erased[loyalty.TombstoneOf(ref)]
			if wrong := h.compare(c, &wire.GetCardRequest{Phone: phoneAt(who)}, a, erased); wrong != "" {
				return fmt.Sprintf("%s, member %d: %s", c.name, who, wrong)
			}
		}
		for i := range cardsHeld {
			token := fmt.Sprint("tok-", i)
			ref, err := pci.NewRefKey([32]byte{2}).Card("", token)
			if err != nil {
				h.t.Fatal(err)
			}
			a, _ := state.Account(state.Cards[loyalty.Ref(ref)].Account)
			if wrong := h.compare(c, &wire.GetCardRequest{Token: token}, a, false); wrong != "" {
				return fmt.Sprintf("%s, payment card %d: %s", c.name, i, wrong)
			}
		}
	}
	return ""
}

// compare says in what a terminal's card is another than that of an account.
func (h *history) compare(c *counter, of *wire.GetCardRequest, a loyalty.Account, erased bool) string {
	h.t.Helper()
	got, err := c.GetCard(h.t.Context(), of)
	if err != nil {
		h.t.Fatal(err)
	}
	if is := got.GetState() == wire.MemberState_MEMBER_STATE_ERASED; is || erased {
		if is != erased {
			return fmt.Sprintf("%v, want erased: %v", got, erased)
		}
		return ""
	}
	want, card := loyalty.View(counterProgramme, a), got.GetCard()
	same := card.GetStamps() == want.Stamps && card.GetProgress() == want.Progress && card.GetEarned() == want.Earned &&
		card.GetAvailable() == want.Available && card.GetHeld() == want.Held && card.GetPending() == a.Pending && got.GetEnrolled() == a.Enrolled
	said := map[loyalty.Purpose]loyalty.ConsentState{}
	for _, p := range got.GetConsents() {
		said[loyalty.Purpose(p.GetPurpose())] = loyalty.ConsentRevoked
		if p.GetGranted() {
			said[loyalty.Purpose(p.GetPurpose())] = loyalty.ConsentGranted
		}
	}
	for _, p := range []loyalty.Purpose{loyalty.PurposeLoyalty, loyalty.PurposeSMSMarketing} {
		same = same && said[p] == a.Consent(p)
	}
	if !same {
		return fmt.Sprintf("%v, want %+v of %+v", got, want, a)
	}
	return ""
}

// seeEachOther has each terminal give a stamp, and the others show it within two seconds.
func (h *history) seeEachOther() {
	h.t.Helper()
	for i, from := range h.counters {
		within(h.t, 10*time.Second, "all are online", func() bool {
			for _, c := range h.counters {
				if !c.client.Online() {
					return false
				}
			}
			return true
		})
		who := patrons + i // whom nobody has forgotten
		if _, err := from.AwardStamps(h.t.Context(), &wire.AwardStampsRequest{IdempotencyKey: "seen", Phone: phoneAt(who)}); err != nil {
			h.t.Fatal(err)
		}
		within(h.t, 2*time.Second, "the others see the stamp", func() bool {
			for _, c := range h.counters {
				got, err := c.GetCard(h.t.Context(), &wire.GetCardRequest{Phone: phoneAt(who)})
				if err != nil || got.GetCard().GetStamps() != 1 {
					return false
				}
			}
			return true
		})
	}
}

// stampAtOnce has all terminals give stamps to one member at the same time. No terminal's card ever goes back: neither its own stamps
// that the backend does not have yet are forgotten over what the backend sends, nor what it has seen of the others'.
func (h *history) stampAtOnce() {
	const each, who = 15, patrons + 9
	var wg sync.WaitGroup
	for _, c := range h.counters {
		wg.Go(func() {
			var seen int32
			for i := range each {
				answer, err := c.AwardStamps(h.t.Context(), &wire.AwardStampsRequest{IdempotencyKey: fmt.Sprint("at-once-", i), Phone: phoneAt(who)})
				if err != nil {
					h.t.Errorf("%s: %v", c.name, err)
					return
				}
				if got := answer.GetCard().GetStamps(); got <= seen {
					h.t.Errorf("%s: stamp %d was answered with a card of %d, after one of %d", c.name, i+1, got, seen)
				}
				seen = max(seen, answer.GetCard().GetStamps())
				for range 5 {
					got, err := c.GetCard(h.t.Context(), &wire.GetCardRequest{Phone: phoneAt(who)})
					if n := got.GetCard().GetStamps(); err != nil || n < seen {
						h.t.Errorf("%s: a card of %d after one of %d, %v", c.name, n, seen, err)
					}
					seen = max(seen, got.GetCard().GetStamps())
				}
			}
		})
	}
	wg.Wait()
	within(h.t, 2*time.Second, "all have all stamps", func() bool {
		for _, c := range h.counters {
			got, err := c.GetCard(h.t.Context(), &wire.GetCardRequest{Phone: phoneAt(who)})
			if err != nil || got.GetCard().GetStamps() != int32(each*len(h.counters)) {
				return false
			}
		}
		return true
	})
}

// play plays the history of a seed.
func play(t *testing.T, seed uint64, steps int) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("again: go test ./uplink/backend -run 'TestRandomHistories' -history %d", seed)
		}
	}()
	h := newHistory(t, seed)
	for range steps {
		h.step()
	}
	b := h.settle()
	h.agree(b)
	h.seeEachOther()
	h.stampAtOnce()
	h.agree(b)
	for _, c := range h.counters {
		c.verify()
		if len(c.alarms) > 0 {
			t.Errorf("%s raised alarms: %v", c.name, c.alarms)
		}
	}
}

// Three terminals of a shop are cut off, killed and started again, their clocks are set to 1970 and two hours back, the backend is
// killed with SIGKILL, and meanwhile each awards, redeems, voids what the others did, merges, links and forgets. Once all are
// connected, each shows of every member what the fold over all that has landed says, and sees within two seconds what the others do.
func TestRandomHistories(t *testing.T) {
	const steps = 150
	if *oneHistory > 0 {
		play(t, *oneHistory, steps)
		return
	}
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed+1), func(t *testing.T) { t.Parallel(); play(t, seed+1, steps) })
	}
	long := os.Getenv(historiesVar)
	if long == "" {
		return
	}
	span, err := time.ParseDuration(long)
	if err != nil {
		t.Fatalf("%s: %v", historiesVar, err)
	}
	first := uint64(time.Now().UnixNano())
	for begin, seed := time.Now(), first; time.Since(begin) < span; seed++ {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) { play(t, seed, steps) })
	}
}
