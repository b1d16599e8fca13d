package backend

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/entry"
	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/backend/programme"
	"github.com/stampd/stampd/uplink/wire"
)

// shop starts a backend whose merchant m1 has the coffee programme.
func shop(t *testing.T) (Options, *Backend, func() error) {
	t.Helper()
	o := newOptions(t)
	o.EchoAfter = 10 * time.Millisecond
	putCoffee(t, o, 1)
	b, stop := start(t, o)
	return o, b, stop
}

func putCoffee(t *testing.T, o Options, version uint32) {
	t.Helper()
	putProgramme(t, o, coffee(version))
}

// putProgramme gives the merchant m1 a programme.
func putProgramme(t *testing.T, o Options, p loyalty.Programme) {
	t.Helper()
	store, err := programme.Open(ProgrammesDir(o.Dir))
	if err == nil {
		err = store.Put("m1", p)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// entriesOf reads all entries of the ledger in the log.
func entriesOf(t *testing.T, b *Backend) (all []loyalty.Entry) {
	t.Helper()
	if b.log.Head() == 0 {
		return nil
	}
	err := b.log.Read(t.Context(), 1, b.log.Head(), func(_ uint64, e *eventlog.Entry) error {
		if e.Lane != uint32(wire.Lane_LANE_LEDGER) {
			return nil
		}
		times := eventlog.NewTimes(e)
		for i, record := range e.Records {
			events, _ := eventlog.Decode(wire.Lane_LANE_LEDGER, record)
			at := times.Of(events[0].Clock)
			if events[0].GetStamp() == nil {
				continue
			}
			id := loyalty.EntryID{Terminal: e.Terminal, Epoch: [16]byte(e.Epoch), Seq: e.FirstSeq + uint64(i)}
			one, err := entry.FromWire(id, events[0].Clock, events[0].GetStamp())
			if err != nil {
				return err
			}
			one.At = loyalty.At(at.UnixMS)
			all = append(all, one)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Two terminals of a shop see each other's stamps within two seconds while both are online.
func TestTerminalsSeeEachOther(t *testing.T) {
	o, b, _ := shop(t)
	one, two := newTill(t, "t1"), newTill(t, "t2")
	one.connect(o, b.Addr().String())
	two.connect(o, b.Addr().String())
	within(t, 10*time.Second, "both are online", func() bool { return one.client.Online() && two.client.Online() })
	anna := refOf("anna")
	var worst time.Duration
	for i := range 20 {
		from, to := one, two
		if i%2 == 1 {
			from, to = two, one
		}
		from.do(anna, loyalty.Stamp{Stamps: 1})
		worst = max(worst, within(t, 2*time.Second, "the stamp is at the other", func() bool { return to.card(anna).Stamps == int64(i+1) }))
	}
	t.Logf("the slowest of 20 took %v", worst)
	agree(t, b, []loyalty.Ref{anna}, one, two)
}

// randomEntry has a terminal do something to somebody.
func (m *till) random(r *rand.Rand, people []loyalty.Ref, known *[]loyalty.EntryID) {
	who := people[r.IntN(len(people))]
	pick := func() loyalty.Target {
		if len(*known) == 0 {
			return loyalty.Target{ID: loyalty.EntryID{Terminal: m.name, Seq: 1}}
		}
		return loyalty.Target{ID: (*known)[r.IntN(len(*known))]}
	}
	var body loyalty.Body = loyalty.Stamp{Stamps: 1 + r.Int32N(4)}
	switch r.IntN(12) {
	case 0:
		body = loyalty.StampVoid{Target: pick()}
	case 1:
		body = loyalty.Hold{Stamps: 9}
	case 2:
		body = loyalty.Redeem{Stamps: 9, Right: loyalty.ByFloor}
	case 3:
		body = loyalty.Redeem{Stamps: 9, Hold: pick()}
	case 4:
		body = loyalty.Reverse{Target: pick()}
	case 5:
		body = loyalty.Enrol{}
	case 6:
		body = loyalty.Consent{Purpose: loyalty.PurposeLoyalty, Granted: r.IntN(2) == 0}
	case 7:
		if other := people[r.IntN(len(people))]; other != who && r.IntN(3) == 0 {
			body = loyalty.Merge{Other: other}
		}
	}
	*known = append(*known, m.do(who, body))
}

// What two terminals do while they are cut off, they agree on afterwards, with each other and with the fold over everything;
// also when the backend was stopped, when its index was deleted, and when it has to begin anew.
func TestTerminalsAgreeAfterTheOutage(t *testing.T) {
	o, b, stop := shop(t)
	one, two := newTill(t, "t1"), newTill(t, "t2")
	var people []loyalty.Ref
	for i := range 12 {
		people = append(people, refOf(fmt.Sprint("member-", i)))
	}
	r := rand.New(rand.NewPCG(4, 2))
	var known []loyalty.EntryID
	live := func(n int) {
		for range n {
			one.random(r, people, &known)
			two.random(r, people, &known)
		}
	}
	for round := range 4 {
		live(40)
		cutOne, cutTwo := one.connect(o, b.Addr().String()), two.connect(o, b.Addr().String())
		live(20)
		one.sent()
		two.sent()
		agree(t, b, people, one, two)
		cutOne()
		cutTwo()
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if round == 1 {
			if err := os.Remove(filepath.Join(o.Dir, "cards", "cards.db")); err != nil {
				t.Fatal(err)
			}
		}
		b, stop = start(t, o)
	}
	if one.restarts != 2 {
		t.Errorf("the terminal began anew %d times, want twice: at first, and when the index was deleted", one.restarts)
	}
}

// A log that was restored from an older copy makes terminals begin anew: positions mean something else.
func TestLogRestoredFromACopy(t *testing.T) {
	o, b, stop := shop(t)
	one, two := newTill(t, "t1"), newTill(t, "t2")
	anna, ben := refOf("anna"), refOf("ben")
	phase := func(f func()) {
		cutOne, cutTwo := one.connect(o, b.Addr().String()), two.connect(o, b.Addr().String())
		f()
		one.sent()
		two.sent()
		agree(t, b, []loyalty.Ref{anna, ben}, one, two)
		cutOne()
		cutTwo()
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	phase(func() { one.stamps(anna, 3) })
	saved := t.TempDir()
	for _, name := range []string{"log.db", "cards/cards.db"} {
		copyFile(t, filepath.Join(o.Dir, name), filepath.Join(saved, filepath.Base(name)))
	}
	b, stop = start(t, o)
	phase(func() { two.stamps(ben, 4) })
	// The whole folder is as it was; what the terminals had acknowledged since is gone from the backend.
	for _, name := range []string{"log.db", "cards/cards.db"} {
		copyFile(t, filepath.Join(saved, filepath.Base(name)), filepath.Join(o.Dir, name))
	}
	if err := os.RemoveAll(filepath.Join(o.Dir, "parquet")); err != nil {
		t.Fatal(err)
	}
	before := one.restarts
	b, stop = start(t, o)
	phase(func() { one.stamps(ben, 2) })
	if one.restarts != before+1 {
		t.Errorf("the terminal began anew %d times, want once more than %d", one.restarts, before)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
}

// A terminal that is slow to store rows delays neither its own acks nor anybody else.
func TestSlowTerminal(t *testing.T) {
	o, b, _ := shop(t)
	slow, other := newTill(t, "t1"), newTill(t, "t2")
	slow.hang = make(chan struct{})
	slow.connect(o, b.Addr().String())
	other.connect(o, b.Addr().String())
	var people []loyalty.Ref
	for i := range 500 {
		ref := refOf(fmt.Sprint("member-", i))
		people = append(people, ref)
		other.do(ref, loyalty.Stamp{Stamps: 1})
	}
	other.sent()
	slow.stamps(people[0], 5)
	took := within(t, 5*time.Second, "the slow one's stamps are at the other", func() bool { return other.card(people[0]).Stamps == 6 })
	t.Logf("took %v", took)
	slow.sent()
	close(slow.hang)
	agree(t, b, people, slow, other)
}

// Of two terminals that ask at once for the last reward, one gets it.
func TestLastRewardIsLeasedOnce(t *testing.T) {
	o := newOptions(t)
	o.LeasesOff = true
	putCoffee(t, o, 1)
	b, stop := start(t, o)
	one, two := newTill(t, "t1"), newTill(t, "t2")
	cuts := []func(){one.connect(o, b.Addr().String()), two.connect(o, b.Addr().String())}
	for i := range 20 {
		who := refOf(fmt.Sprint("member-", i))
		one.stamps(who, 9)
		one.sent()
		var answers [2]*wire.LeaseAnswer
		var wg sync.WaitGroup
		for j, m := range []*till{one, two} {
			wg.Go(func() { answers[j] = m.ask(who) })
		}
		wg.Wait()
		granted := 0
		for j, a := range answers {
			switch {
			case a.GetLease() != nil:
				granted++
			case a.GetRefusal() != wire.LeaseRefusal_LEASE_REFUSAL_LEASED:
				t.Errorf("terminal %d was refused with %v", j+1, a.GetRefusal())
			}
		}
		if granted != 1 {
			t.Fatalf("%d of two were granted the last reward", granted)
		}
	}
	// Who asks again gets the same lease; a right that was used is none any more, also after a restart.
	who := refOf("dora")
	one.stamps(who, 9)
	first := one.ask(who).GetLease()
	if again := one.ask(who).GetLease(); again == nil || string(again.Id) != string(first.Id) {
		t.Errorf("asked again, got %v, want %v", again, first)
	}
	for _, cut := range cuts {
		cut()
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	b, _ = start(t, o)
	two.connect(o, b.Addr().String())
	if got := two.ask(who).GetRefusal(); got != wire.LeaseRefusal_LEASE_REFUSAL_LEASED {
		t.Errorf("after a restart the other terminal was told %v", got)
	}
	one.connect(o, b.Addr().String())
	one.do(who, loyalty.Redeem{Stamps: 9, Right: loyalty.ByLease, Lease: loyalty.LeaseID(first.Id)})
	one.sent()
	if got := one.ask(who).GetRefusal(); got != wire.LeaseRefusal_LEASE_REFUSAL_NOTHING_AVAILABLE {
		t.Errorf("after the reward was given the terminal was told %v", got)
	}
	one.stamps(who, 9)
	one.sent()
	if got := two.ask(who); got.GetLease() == nil {
		t.Errorf("the next reward was refused with %v", got.GetRefusal())
	}
}

// ask asks the backend for a reward of an account, once the terminal is online.
func (m *till) ask(who loyalty.Ref) *wire.LeaseAnswer {
	within(m.t, 10*time.Second, "the terminal is online", m.client.Online)
	a, err := m.client.RequestLease(m.t.Context(), &wire.LeaseRequest{AccountRef: who[:], ProgrammeId: "coffee"})
	if err != nil {
		m.t.Errorf("%s asked in vain: %v", m.name, err)
	}
	return a
}

// The terminal where a card was filled gets the right to give the reward, and still has it after it was cut off.
func TestLeaseComesAhead(t *testing.T) {
	o, b, _ := shop(t)
	one := newTill(t, "t1")
	cut := one.connect(o, b.Addr().String())
	within(t, 10*time.Second, "it is online", one.client.Online)
	anna := refOf("anna")
	one.stamps(anna, 8)
	one.sent()
	one.stamps(anna, 1)
	within(t, 2*time.Second, "the lease is there", func() (there bool) { one.see(func() { there = len(one.leases) == 1 }); return there })
	cut()
	if _, err := one.client.RequestLease(t.Context(), &wire.LeaseRequest{AccountRef: anna[:], ProgrammeId: "coffee"}); !errors.Is(err, uplink.ErrNoAnswer) {
		t.Errorf("asked while cut off: %v", err)
	}
	// A terminal that lost what it had is sent the lease again.
	one.have = &wire.LoyaltyState{}
	first := one.leases[0]
	one.leases = nil
	one.connect(o, b.Addr().String())
	within(t, 5*time.Second, "the lease came again", func() (there bool) {
		one.see(func() { there = len(one.leases) == 1 && string(one.leases[0].Id) == string(first.Id) })
		return there
	})
}

// Rules come with the first Hello, and a new version within two seconds to who is there.
func TestProgrammesComeDown(t *testing.T) {
	o, b, _ := shop(t)
	one := newTill(t, "t1")
	cut := one.connect(o, b.Addr().String())
	version := func() (v uint32) {
		one.see(func() {
			if p := one.programmes.GetProgrammes(); len(p) == 1 {
				v = p[0].Version
			}
		})
		return v
	}
	within(t, 10*time.Second, "version 1 is there", func() bool { return version() == 1 })
	putCoffee(t, o, 2)
	t.Logf("version 2 took %v", within(t, 2*time.Second, "version 2 is there", func() bool { return version() == 2 }))
	cut()
	one.programmes = nil
	one.connect(o, b.Addr().String())
	one.do(refOf("anna"), loyalty.Stamp{Stamps: 1})
	one.sent()
	agree(t, b, []loyalty.Ref{refOf("anna")}, one)
	if version() != 0 {
		t.Error("rules that the terminal has were sent again")
	}
}

// Who is erased on one terminal is gone from the other and from the backend's index.
func TestEraseGoesEverywhere(t *testing.T) {
	o, b, _ := shop(t)
	one, two := newTill(t, "t1"), newTill(t, "t2")
	one.connect(o, b.Addr().String())
	two.connect(o, b.Addr().String())
	anna, other, visa := refOf("anna"), refOf("anna-2"), refOf("visa")
	one.do(anna, loyalty.Enrol{})
	one.stamps(anna, 4)
	one.do(anna, loyalty.Link{Card: visa})
	one.do(anna, loyalty.Merge{Other: other})
	within(t, 5*time.Second, "both know her", func() bool { return two.card(other).Stamps == 4 })
	two.do(other, loyalty.Erase{})
	within(t, 2*time.Second, "both have forgotten her", func() bool { return one.card(anna).Erased && two.card(anna).Erased })
	one.see(func() {
		row := one.row(visa)
		if link := row.CardLink(visa); link.Account == anna {
			t.Error("the payment card still says whose it is")
		}
	})
	one.stamps(anna, 1) // comes late
	one.sent()
	agree(t, b, []loyalty.Ref{anna, other}, one, two)
}

// A new terminal of a shop with many members gets them all, while its own records go on.
func TestFirstTransfer(t *testing.T) {
	o, b, _ := shop(t)
	const members = 2000
	one := newTill(t, "t1")
	one.connect(o, b.Addr().String())
	var people []loyalty.Ref
	for i := range members {
		ref := refOf(fmt.Sprintf("%032d", i))
		people = append(people, ref)
		one.do(ref, loyalty.Stamp{Stamps: 3})
	}
	one.sent()
	within(t, 20*time.Second, "all is folded", func() bool { return one.client.Online() && len(b.log.ID()) > 0 })
	two := newTill(t, "t2")
	begin := time.Now()
	cut := two.connect(o, b.Addr().String())
	within(t, 20*time.Second, "some have come", func() (some bool) { two.see(func() { some = two.messages >= 2 }); return some })
	cut() // and is taken up where it ended
	two.connect(o, b.Addr().String())
	within(t, 30*time.Second, "all have come", func() (all bool) { two.see(func() { all = len(two.rows) == members }); return all })
	t.Logf("%d members: %d bytes, %d messages, %v", members, two.bytes, two.messages, time.Since(begin))
	agree(t, b, people[:50], two)
}
