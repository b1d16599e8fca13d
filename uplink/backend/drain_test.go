package backend

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/wire"
)

// storedPayment is a payment that was taken offline, under a key of the POS app's.
func storedPayment(key string) *wire.RecordPaymentRequest {
	return &wire.RecordPaymentRequest{Payment: &wire.Payment{
		IdempotencyKey: key, Kind: wire.PaymentKind_PAYMENT_KIND_OFFLINE_STORED, AuthMode: wire.AuthMode_AUTH_MODE_STORE_AND_FORWARD,
		AmountMinor: 1250, Currency: "EUR",
	}}
}

// paymentsOf reads the payments of a terminal in the log: how often each key is there, and whether they came in the order of their numbers.
func paymentsOf(t *testing.T, b *Backend, terminal string) map[string]int {
	t.Helper()
	found, last := map[string]int{}, map[[16]byte]uint64{}
	ledgerOf(t, b, func(id loyalty.EntryID, e *wire.Event) {
		if id.Terminal != terminal {
			return
		}
		if id.Seq != last[id.Epoch]+1 {
			t.Errorf("number %d comes after %d", id.Seq, last[id.Epoch])
		}
		last[id.Epoch] = id.Seq
		if p := e.GetPayment(); p != nil {
			found[p.IdempotencyKey]++
		}
	})
	return found
}

// A terminal comes back with 10,000 stored payments. While they drain, over a link that breaks again and again, 50 more a second are
// taken, each by a POS app that hears no answer and asks again with the same key, from several threads at once; and it asks again for
// old ones, before and after they have arrived. The backend has one record for each key, and there is one answer for each key.
//
// In another SDK a reconnect of this kind charged two to four times for one tap (stripe-terminal-android, issue 747): it made the
// keys itself.
func TestDrainWhilePaymentsAreTakenAgain(t *testing.T) {
	const stored, callers, perSecond = 10_000, 64, 50
	o := newOptions(t)
	b, _ := start(t, o)
	l := newLink(t, b.Addr().String(), 200<<10)
	l.setCut(true)
	c := newCounter(t, o, "t1", l)
	numbers := &answers{given: map[string]string{}}
	pay := func(key string) {
		got, err := c.RecordPayment(t.Context(), storedPayment(key))
		if err != nil {
			t.Errorf("%s: %v", key, err)
			return
		}
		if got.GetAuthMode() != wire.AuthMode_AUTH_MODE_STORE_AND_FORWARD {
			t.Errorf("%s was answered with %v", key, got.GetAuthMode())
		}
		numbers.note(t, key, got)
	}
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for n := i; n < stored; n += callers {
				pay(fmt.Sprint("stored-", n))
			}
		})
	}
	wg.Wait()

	ctx, done := context.WithCancel(t.Context())
	var added, again atomic.Int64
	wg.Go(func() {
		tick := time.NewTicker(time.Second / perSecond)
		defer tick.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			key := fmt.Sprint("new-", n)
			added.Add(1)
			for range 3 {
				wg.Go(func() { pay(key) })
			}
			wg.Go(func() { pay(fmt.Sprint("stored-", n*997%stored)); again.Add(1) })
			switch n % 20 {
			case 10:
				l.setCut(true)
			case 13:
				l.setCut(false)
			}
			<-tick.C
		}
		l.setCut(false)
	})
	l.setCut(false)
	begin := time.Now()
	within(t, time.Minute, "the 10,000 have drained", func() bool { return through(c) >= stored })
	took := time.Since(begin)
	done()
	wg.Wait()
	c.sent()

	// Killed and started again, with nothing to send, it still knows the keys.
	c.kill()
	for n := range 200 {
		pay(fmt.Sprint("stored-", n*37))
		pay(fmt.Sprint("new-", int64(n)%added.Load()))
	}
	c.sent()

	found, want := paymentsOf(t, b, "t1"), stored+int(added.Load())
	for key, n := range found {
		if n != 1 {
			t.Errorf("%s was recorded %d times", key, n)
		}
	}
	if len(found) != want || len(numbers.given) != want {
		t.Errorf("%d keys have arrived and %d were answered, want %d", len(found), len(numbers.given), want)
	}
	if added.Load() < perSecond/2 || l.cuts < 3 {
		t.Errorf("only %d payments were taken meanwhile, over a link that broke %d times", added.Load(), l.cuts)
	}
	t.Logf("%d drained in %v, %d more meanwhile, %d of the old were asked for again, the link broke %d times", stored, took, added.Load(), again.Load(), l.cuts)
}

// through returns how many records of the ledger the backend has acknowledged.
func through(c *counter) (n uint64) {
	for _, lane := range c.queue.Lanes() {
		n += lane.Acked
	}
	return n
}

// answers are what a POS app was told.
type answers struct {
	mu    sync.Mutex // guards given
	given map[string]string
}

// note fails the test when a key is answered in two ways.
func (a *answers) note(t *testing.T, key string, got *wire.RecordPaymentResponse) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name := fmt.Sprint(got.GetEpoch(), "/", got.GetSeq())
	if before, ok := a.given[key]; ok && before != name {
		t.Errorf("%s was recorded as %s, then as %s", key, before, name)
	}
	a.given[key] = name
}
