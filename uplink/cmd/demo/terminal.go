package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/stampd/stampd/uplink/wire"
	"github.com/stampd/stampd/uplink/wire/wireconnect"
)

// terminal is the POS app: it talks to the agent's socket, and repeats a call with the same key until it is answered.
type terminal struct {
	client wireconnect.LocalServiceClient

	mu         sync.Mutex        // guards everything below
	asked, yes map[string]bool   // keys of calls that were made, and that were answered with yes
	forgotten  map[string]uint64 // keys whose first answer was lost on purpose, and the record that it named
	duplicates int
	retries    int
}

func newTerminal(socket string) *terminal {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	client := wireconnect.NewLocalServiceClient(&http.Client{Transport: transport, Timeout: 5 * time.Second}, "http://stampd")
	return &terminal{client: client, asked: map[string]bool{}, yes: map[string]bool{}, forgotten: map[string]uint64{}}
}

// ready waits until the agent answers.
func (t *terminal) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return until(ctx, 20*time.Millisecond, func() error {
		_, err := t.client.Status(ctx, connect.NewRequest(&wire.StatusRequest{}))
		return err
	})
}

// pay records a payment, and returns when it was answered with yes.
func (t *terminal) pay(ctx context.Context, key string, minor int64) error {
	return t.insist(ctx, key, func() (uint64, bool, error) {
		answer, err := t.client.RecordPayment(ctx, connect.NewRequest(&wire.RecordPaymentRequest{Payment: &wire.Payment{
			IdempotencyKey: key,
			Kind:           wire.PaymentKind_PAYMENT_KIND_AUTHORISED,
			AuthMode:       wire.AuthMode_AUTH_MODE_ONLINE,
			AmountMinor:    minor,
			Currency:       "EUR",
			EntryMode:      wire.EntryMode_ENTRY_MODE_CONTACTLESS_EMV,
			Card:           &wire.PaymentCard{Brand: "visa", Last4: "4242"},
		}}))
		if err != nil {
			return 0, false, err
		}
		return answer.Msg.GetSeq(), answer.Msg.GetDuplicate(), nil
	})
}

// stamp gives a stamp, and returns when it was answered with yes.
func (t *terminal) stamp(ctx context.Context, key, phone string) error {
	return t.insist(ctx, key, func() (uint64, bool, error) {
		answer, err := t.client.AwardStamps(ctx, connect.NewRequest(&wire.AwardStampsRequest{IdempotencyKey: key, Phone: phone}))
		if err != nil {
			return 0, false, err
		}
		return answer.Msg.GetSeq(), answer.Msg.GetDuplicate(), nil
	})
}

// forgetEvery is how often the POS app loses an answer: it asks again with the same key, and must get the same answer.
const forgetEvery = 20

// insist repeats a call with its key until it is answered with yes.
func (t *terminal) insist(ctx context.Context, key string, call func() (seq uint64, duplicate bool, err error)) error {
	t.mu.Lock()
	t.asked[key] = true
	forget := len(t.asked)%forgetEvery == 0
	t.mu.Unlock()
	return until(ctx, 50*time.Millisecond, func() error {
		seq, duplicate, err := call()
		switch connect.CodeOf(err) {
		case connect.CodeInvalidArgument, connect.CodeAlreadyExists, connect.CodePermissionDenied, connect.CodeUnimplemented:
			return permanent{err} // it was understood, and refused
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		if err != nil {
			t.retries++
			return err
		}
		if first, before := t.forgotten[key]; before && (!duplicate || first != seq) {
			return permanent{fmt.Errorf("key %s was answered with record %d and then with record %d", key, first, seq)}
		} else if forget && !before {
			t.forgotten[key] = seq
			return errForgotten
		}
		t.yes[key] = true
		if duplicate {
			t.duplicates++
		}
		return nil
	})
}

// errForgotten makes the POS app ask again.
var errForgotten = errors.New("the answer was lost")

// drained waits until everything queued now is stored by the backend.
func (t *terminal) drained(ctx context.Context) error {
	return until(ctx, 100*time.Millisecond, func() error {
		answer, err := t.client.Flush(ctx, connect.NewRequest(&wire.FlushRequest{WaitMs: 1000}))
		if err == nil && !answer.Msg.GetComplete() {
			err = errors.New("records are waiting")
		}
		return err
	})
}

// answered returns how many calls were answered with yes.
func (t *terminal) answered() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.yes)
}

// count returns how many of the keys begin with prefix.
func count(keys map[string]bool, prefix string) int {
	n := 0
	for key := range keys {
		if strings.HasPrefix(key, prefix) {
			n++
		}
	}
	return n
}

// permanent is an error that trying again does not mend.
type permanent struct{ error }

// until calls fn until it succeeds, fails for good, or ctx ends.
func until(ctx context.Context, pause time.Duration, fn func() error) error {
	for {
		err := fn()
		var p permanent
		if err == nil || errors.As(err, &p) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}
