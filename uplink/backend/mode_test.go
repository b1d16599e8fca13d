package backend

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/wire"
)

// Whatever the network does, a payment stays what the POS app said of it: in the answer, in the answer to the same call made again
// on the other side of a cut, and in what lands. Another mode under the same key is another payment, and refused.
//
// Another SDK took a payment that was begun online to be one that was stored, in the middle of it and without a word
// (stripe-terminal-ios, issue 294).
func TestPaymentKeepsItsMode(t *testing.T) {
	o, b, _ := shop(t)
	l := newLink(t, b.Addr().String(), 0)
	c := newCounter(t, o, "t1", l)
	kinds := map[wire.AuthMode]wire.PaymentKind{
		wire.AuthMode_AUTH_MODE_UNSPECIFIED:       wire.PaymentKind_PAYMENT_KIND_AUTHORISED,
		wire.AuthMode_AUTH_MODE_ONLINE:            wire.PaymentKind_PAYMENT_KIND_AUTHORISED,
		wire.AuthMode_AUTH_MODE_OFFLINE_EMV:       wire.PaymentKind_PAYMENT_KIND_AUTHORISED,
		wire.AuthMode_AUTH_MODE_STORE_AND_FORWARD: wire.PaymentKind_PAYMENT_KIND_OFFLINE_STORED,
	}
	pay := func(mode wire.AuthMode, key string) (*wire.RecordPaymentResponse, error) {
		return c.RecordPayment(t.Context(), &wire.RecordPaymentRequest{Payment: &wire.Payment{
			IdempotencyKey: key, Kind: kinds[mode], AuthMode: mode, AmountMinor: 1250, Currency: "EUR",
		}})
	}
	said := map[string]wire.AuthMode{}
	each := func(when string, again bool) {
		t.Helper()
		for mode := range kinds {
			for _, made := range []string{"online", "offline"} {
				key := fmt.Sprint(made, "-", mode)
				if made != when && !again {
					continue
				}
				got, err := pay(mode, key)
				if err != nil || got.GetAuthMode() != mode || got.GetDuplicate() != again || len(got.GetAnomalies()) > 0 {
					t.Errorf("%s, %s was answered with %v, %v", when, key, got, err)
				}
				said[key] = mode
			}
		}
	}
	within(t, 10*time.Second, "it is online", c.client.Online)
	each("online", false)
	l.setCut(true)
	within(t, 10*time.Second, "it is offline", func() bool { return !c.client.Online() })
	each("offline", false)
	each("offline", true)
	if _, err := pay(wire.AuthMode_AUTH_MODE_STORE_AND_FORWARD, fmt.Sprint("online-", wire.AuthMode_AUTH_MODE_ONLINE)); !errors.Is(err, ledger.ErrKeyReused) {
		t.Errorf("a payment of another mode under the same key: %v", err)
	}
	l.setCut(false)
	within(t, 10*time.Second, "it is online again", c.client.Online)
	each("online", true)
	c.sent()

	landed := map[string]wire.AuthMode{}
	ledgerOf(t, b, func(_ loyalty.EntryID, e *wire.Event) {
		if p := e.GetPayment(); p != nil {
			if _, twice := landed[p.IdempotencyKey]; twice {
				t.Errorf("%s has landed twice", p.IdempotencyKey)
			}
			landed[p.IdempotencyKey] = p.AuthMode
		}
	})
	for key, mode := range said {
		if got, ok := landed[key]; !ok || got != mode {
			t.Errorf("%s has landed as %v, %v; want %v", key, got, ok, mode)
		}
	}
}

// Who gives a reward is told by what right: the backend's while it can be asked, a lease's when not, the floor's when there is none,
// and why the backend did not confirm it. The same call made again after the network has changed has the same answer, and what lands
// says the same.
func TestRewardKeepsItsRight(t *testing.T) {
	o := newOptions(t)
	o.EchoAfter = time.Millisecond
	putProgramme(t, o, counterProgramme)
	b, _ := start(t, o)
	l := newLink(t, b.Addr().String(), 0)
	c := newCounter(t, o, "t1", l)
	within(t, 10*time.Second, "it is online", c.client.Online)
	for i, n := range []int32{9, 9, 9, 9} {
		if _, err := c.AwardStamps(t.Context(), &wire.AwardStampsRequest{IdempotencyKey: fmt.Sprint("s-", i), Phone: phoneAt(0), Stamps: &n}); err != nil {
			t.Fatal(err)
		}
	}
	c.sent()
	told := map[string]*wire.EntryResponse{}
	give := func(key string, right wire.RedeemRight, failure wire.ConfirmFailure) {
		t.Helper()
		got, err := c.RedeemReward(t.Context(), &wire.RedeemRewardRequest{IdempotencyKey: key, Member: memberAt(0)})
		if err != nil || got.GetRight() != right || got.GetNotConfirmed() != failure {
			t.Fatalf("%s was answered with %v, %v; want %v, %v", key, got, err, right, failure)
		}
		if before := told[key]; (before != nil) != got.GetDuplicate() {
			t.Errorf("%s was answered with %v, before with %v", key, got, before)
		}
		told[key] = got
	}
	const confirmed, offline = wire.ConfirmFailure_CONFIRM_FAILURE_UNSPECIFIED, wire.ConfirmFailure_CONFIRM_FAILURE_OFFLINE
	give("asked", wire.RedeemRight_REDEEM_RIGHT_BACKEND, confirmed)
	c.sent()
	// A right for later comes with the next stamps.
	if _, err := c.AwardStamps(t.Context(), &wire.AwardStampsRequest{IdempotencyKey: "s-4", Phone: phoneAt(0)}); err != nil {
		t.Fatal(err)
	}
	within(t, 5*time.Second, "the terminal has a lease", func() bool {
		have, err := c.Have()
		return err == nil && have.GetLeaseNumber() >= 2
	})
	l.setCut(true)
	within(t, 10*time.Second, "it is offline", func() bool { return !c.client.Online() })
	give("leased", wire.RedeemRight_REDEEM_RIGHT_LEASE, offline)
	give("floor", wire.RedeemRight_REDEEM_RIGHT_FLOOR, offline)
	again := func() {
		t.Helper()
		give("asked", wire.RedeemRight_REDEEM_RIGHT_BACKEND, confirmed)
		give("leased", wire.RedeemRight_REDEEM_RIGHT_LEASE, offline)
		give("floor", wire.RedeemRight_REDEEM_RIGHT_FLOOR, offline)
	}
	again()
	l.setCut(false)
	within(t, 10*time.Second, "it is online again", c.client.Online)
	again()
	c.sent()
	landed := 0
	ledgerOf(t, b, func(id loyalty.EntryID, e *wire.Event) {
		s := e.GetStamp()
		if s.GetKind() != wire.StampKind_STAMP_KIND_REWARD_REDEEM {
			return
		}
		landed++
		if answer := told[s.GetIdempotencyKey()]; answer.GetSeq() != id.Seq || answer.GetRight() != s.GetRight() {
			t.Errorf("what has landed is %v, and the answer was %v", s, answer)
		}
	})
	if landed != len(told) {
		t.Errorf("%d rewards have landed, want %d", landed, len(told))
	}
}

// ledgerOf calls f with each event of the ledger in the log.
func ledgerOf(t *testing.T, b *Backend, f func(loyalty.EntryID, *wire.Event)) {
	t.Helper()
	err := b.log.Read(t.Context(), 1, b.log.Head(), func(_ uint64, e *eventlog.Entry) error {
		if e.Lane != uint32(wire.Lane_LANE_LEDGER) {
			return nil
		}
		for i, record := range e.Records {
			events, wrong := eventlog.Decode(wire.Lane_LANE_LEDGER, record)
			if wrong != 0 {
				t.Fatalf("a record can't be read: %v", wrong)
			}
			f(loyalty.EntryID{Terminal: e.Terminal, Epoch: [16]byte(e.Epoch), Seq: e.FirstSeq + uint64(i)}, events[0])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
