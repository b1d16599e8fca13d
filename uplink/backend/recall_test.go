package backend

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/wire"
)

// fill has a terminal fill somebody's card, and returns the lease that it gets for that.
func (m *till) fill(who loyalty.Ref) (id loyalty.LeaseID) {
	m.t.Helper()
	within(m.t, 10*time.Second, "the terminal is online", m.client.Online)
	m.stamps(who, 9)
	within(m.t, 5*time.Second, "the lease is there", func() (there bool) {
		m.see(func() {
			for _, l := range m.leases {
				if loyalty.Ref(l.AccountRef) == who {
					id, there = loyalty.LeaseID(l.Id), true
				}
			}
		})
		return there
	})
	return id
}

// Whose card was filled on one terminal has the reward on another one, while both are online.
func TestRewardOnTheOtherTerminal(t *testing.T) {
	o, b, _ := shop(t)
	one, two := newTill(t, "t1"), newTill(t, "t2")
	one.connect(o, b.Addr().String())
	two.connect(o, b.Addr().String())
	var worst time.Duration
	for i := range 10 {
		who := refOf(fmt.Sprint("member-", i))
		two.fill(who)
		begin := time.Now()
		got := one.ask(who)
		if worst = max(worst, time.Since(begin)); got.GetLease() == nil || worst > 2*time.Second {
			t.Fatalf("member %d: after %v, the terminal has %v", i, worst, got)
		}
		one.do(who, loyalty.Redeem{Stamps: 9, Right: loyalty.ByBackend, Lease: loyalty.LeaseID(got.Lease.Id)})
		one.sent()
		if got := two.ask(who).GetRefusal(); got != wire.LeaseRefusal_LEASE_REFUSAL_NOTHING_AVAILABLE {
			t.Errorf("once it was given, the terminal that filled the card is told %v", got)
		}
	}
	t.Logf("the slowest of 10 took %v", worst)
}

// A right is not taken from a terminal that is about to use it, nor waited for from one that is gone.
func TestRewardThatStaysWhereItIs(t *testing.T) {
	o, b, _ := shop(t)
	one, two := newTill(t, "t1"), newTill(t, "t2")
	one.connect(o, b.Addr().String())
	cut := two.connect(o, b.Addr().String())
	anna, ben := refOf("anna"), refOf("ben")
	two.fill(anna)
	two.fill(ben)
	if two.ask(anna).GetLease() == nil {
		t.Fatal("a terminal was refused the right that it has")
	}
	leased := func(who loyalty.Ref, why string) {
		t.Helper()
		begin := time.Now()
		if got := one.ask(who).GetRefusal(); got != wire.LeaseRefusal_LEASE_REFUSAL_LEASED {
			t.Errorf("%s: the other terminal is told %v", why, got)
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("%s: refused after %v", why, took)
		}
	}
	leased(anna, "asked for just now")
	cut()
	within(t, 5*time.Second, "the backend knows that it is gone", func() bool { return b.gateway.Streams() == 1 })
	leased(ben, "offline")
}

// A terminal that is there and says nothing is waited for no longer than the other terminal waits.
func TestRecallInVain(t *testing.T) {
	o, b, _ := shop(t)
	one, two := newTill(t, "t1"), newTill(t, "t2")
	one.connect(o, b.Addr().String())
	two.connect(o, b.Addr().String())
	anna := refOf("anna")
	two.use(two.fill(anna)) // and nothing of it is recorded
	if got := one.ask(anna).GetRefusal(); got != wire.LeaseRefusal_LEASE_REFUSAL_LEASED {
		t.Errorf("the other terminal is told %v", got)
	}
}

// A terminal that gives the reward by its lease, while another one asks for it: one is given.
func TestRedemptionRacesWithRecall(t *testing.T) {
	o, b, _ := shop(t)
	one, two := newTill(t, "t1"), newTill(t, "t2")
	one.connect(o, b.Addr().String())
	two.connect(o, b.Addr().String())
	const rounds = 40
	var people []loyalty.Ref
	atOne := 0
	for i := range rounds {
		who := refOf(fmt.Sprint("member-", i))
		people = append(people, who)
		lease := two.fill(who)
		var race sync.WaitGroup
		given := [2]bool{}
		race.Go(func() {
			if l := one.ask(who).GetLease(); l != nil {
				one.do(who, loyalty.Redeem{Stamps: 9, Right: loyalty.ByBackend, Lease: loyalty.LeaseID(l.Id)})
				given[0] = true
			}
		})
		race.Go(func() {
			time.Sleep(time.Duration(i%10) * 500 * time.Microsecond) // so that either may be first
			if two.use(lease) > 0 {
				two.do(who, loyalty.Redeem{Stamps: 9, Right: loyalty.ByLease, Lease: lease})
				given[1] = true
			}
		})
		race.Wait()
		if given[0] == given[1] {
			t.Fatalf("round %d: given at one %v, at two %v", i, given[0], given[1])
		}
		if given[0] {
			atOne++
		}
	}
	one.sent()
	two.sent()
	for i, who := range people {
		if a := wantedOf(truth(t, b), who); a.Stamps != 9 || a.Spent != 9 {
			t.Errorf("member %d: %d stamps, %d spent", i, a.Stamps, a.Spent)
		}
	}
	t.Logf("of %d rewards, %d were given where they were asked for", rounds, atOne)
}
