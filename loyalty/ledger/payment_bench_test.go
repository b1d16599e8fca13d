package ledger_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// BenchmarkRecordPayment is what a payment costs beside a bare append of the same event: the same queue, disk and run.
func BenchmarkRecordPayment(b *testing.B) {
	b.Run("append", func(b *testing.B) {
		tm := newTerminal(b, b.TempDir())
		guard := pci.NewGuard(nil)
		for i := 0; b.Loop(); i++ {
			record, err := guard.Check(&wire.Event{Clock: tm.Clock.Now(), Body: &wire.Event_Payment{Payment: benchPayment(i)}})
			if err != nil {
				b.Fatal(err)
			}
			if err := tm.queue.Update(b.Context(), func(tx *buffer.Tx) error { tx.Append(record); return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sale", func(b *testing.B) {
		tm := newTerminal(b, b.TempDir())
		for i := 0; b.Loop(); i++ {
			record(b, tm, benchPayment(i))
		}
	})
	b.Run("stored", func(b *testing.B) {
		tm := newTerminal(b, b.TempDir())
		for i := 0; b.Loop(); i++ {
			p := benchPayment(i)
			p.Kind, p.AuthMode = wire.PaymentKind_PAYMENT_KIND_OFFLINE_STORED, wire.AuthMode_AUTH_MODE_STORE_AND_FORWARD
			record(b, tm, p)
		}
	})
	b.Run("capture", func(b *testing.B) {
		tm := newTerminal(b, b.TempDir())
		for i := 0; b.Loop(); i++ {
			p := benchPayment(i / 2)
			if i%2 == 1 {
				p.OriginalKey = p.IdempotencyKey
				p.IdempotencyKey, p.Kind = p.IdempotencyKey+"/capture", wire.PaymentKind_PAYMENT_KIND_CAPTURED
			}
			record(b, tm, p)
		}
	})
}

func benchPayment(i int) *wire.Payment {
	return &wire.Payment{
		IdempotencyKey: fmt.Sprintf("order-%d/payment", i),
		Kind:           wire.PaymentKind_PAYMENT_KIND_AUTHORISED,
		AuthMode:       wire.AuthMode_AUTH_MODE_ONLINE,
		AmountMinor:    1250,
		TipMinor:       proto.Int64(150),
		Currency:       "EUR",
		Stan:           "000123",
		Rrn:            "619512000123",
		AuthCode:       "A1B2C3",
		ResponseCode:   "00",
		EntryMode:      wire.EntryMode_ENTRY_MODE_CONTACTLESS_EMV,
		Card:           &wire.PaymentCard{Brand: "visa", Last4: "4242", Token: "tok_9fK2mQ7LxT4vB1nR8sYd"},
		OrderRef:       "order-2026-07-13-0042",
	}
}

// record records a payment that there is nothing wrong with.
func record(tb testing.TB, tm terminal, p *wire.Payment) *wire.RecordPaymentResponse {
	tb.Helper()
	answer, err := tm.RecordPayment(tb.Context(), &wire.RecordPaymentRequest{Payment: p})
	if err != nil {
		tb.Fatal(err)
	}
	return answer
}
