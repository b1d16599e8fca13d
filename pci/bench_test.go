package pci_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

func BenchmarkCheck(b *testing.B) {
	for _, bench := range []struct {
		name string
		m    proto.Message
	}{
		{"payment", examplePayment()},
		{"stamp", exampleStamp()},
		{"battery", exampleBattery()},
	} {
		b.Run(bench.name, func(b *testing.B) {
			guard := pci.NewGuard(nil)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := guard.Check(bench.m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkInspect(b *testing.B) {
	for _, bench := range []struct{ name, text string }{
		{"words", strings.Repeat("the quick brown fox jumps over the lazy dog, ", 1<<10)},
		{"digits", strings.Repeat("rx 1048576 tx 734003 at 2026-07-13T10:22:33.123456 seq 998877; ", 1<<10)},
		{"digits only", strings.Repeat("1234567890123456789 ", 1<<11)},
		{"hexadecimal", strings.Repeat("9f86d081884c7d659a2feaa0c55ad015", 1<<10)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			guard := pci.NewGuard(nil)
			m := &wire.Lifecycle{Detail: bench.text}
			b.SetBytes(int64(len(bench.text)))
			b.ReportAllocs()
			for b.Loop() {
				if err := guard.Inspect(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func ExampleGuard_Check() {
	guard := pci.NewGuard(nil)
	_, err := guard.Check(&wire.Event{Body: &wire.Event_Payment{Payment: &wire.Payment{
		IdempotencyKey: "sale 4242 4242 4242 4242",
	}}})
	fmt.Println(err)
	fmt.Println(guard.Refused())
	// Output:
	// cannot accept payment.idempotency_key: it holds cardholder data (pan)
	// 1
}

// examplePayment is a payment by card with every field that a POS app sets.
func examplePayment() *wire.Event {
	return &wire.Event{Clock: exampleClock(), Body: &wire.Event_Payment{Payment: &wire.Payment{
		IdempotencyKey:         "0f8fad5b-d9cb-469f-a165-70867728950e",
		Kind:                   wire.PaymentKind_PAYMENT_KIND_AUTHORISED,
		AuthMode:               wire.AuthMode_AUTH_MODE_ONLINE,
		AmountMinor:            1250,
		TipMinor:               proto.Int64(150),
		Currency:               "USD",
		Stan:                   "000123",
		Rrn:                    "619512000123",
		AuthCode:               "A1B2C3",
		ResponseCode:           "00",
		EntryMode:              wire.EntryMode_ENTRY_MODE_CONTACTLESS_EMV,
		CardholderVerification: wire.CardholderVerification_CARDHOLDER_VERIFICATION_NONE,
		Card: &wire.PaymentCard{
			Brand: "visa",
			Last4: "4242",
			Par:   "V001ABCDEFGHIJKLMNOPQRSTUVWXY",
			Token: "tok_9fK2mQ7LxT4vB1nR8sYd",
		},
		OrderRef: "order-2026-07-13-0042",
	}}}
}

func exampleStamp() *wire.Event {
	return &wire.Event{Clock: exampleClock(), Body: &wire.Event_Stamp{Stamp: &wire.Stamp{
		IdempotencyKey:   "0f8fad5b-d9cb-469f-a165-70867728950e",
		Kind:             wire.StampKind_STAMP_KIND_STAMP,
		ProgrammeId:      "coffee",
		ProgrammeVersion: 1,
		AccountRef:       []byte("\x42\x6a\xf1\x0c\x54\x71\x49\x16\x48\x12\x6e\xbd\xca\xfa\xaa\xf5\x63\xac\x8c\xcc\x2a\xd1\x76\x1e\x48\x9e\x3d\x22\x50\x04\xc3\x34"),
		AccountKeyId:     []byte{1, 2, 3, 4},
		Stamps:           1,
	}}}
}

func exampleBattery() *wire.Event {
	return &wire.Event{Clock: exampleClock(), Body: &wire.Event_Battery{Battery: &wire.Battery{
		Name:                "BAT0",
		Status:              wire.ChargeStatus_CHARGE_STATUS_DISCHARGING,
		CapacityPercent:     proto.Uint32(81),
		VoltageUv:           proto.Int64(3_912_000),
		CurrentUa:           proto.Int64(-412_000),
		ChargeFullUah:       proto.Int64(2_600_000),
		ChargeFullDesignUah: proto.Int64(3_000_000),
		Health:              "Good",
	}}}
}

func exampleClock() *wire.Clock {
	return &wire.Clock{
		WallUnixMs: proto.Int64(1767225600123),
		BootMs:     proto.Int64(86_400_000),
		BootId:     []byte("\x0f\x8f\xad\x5b\xd9\xcb\x46\x9f\xa1\x65\x70\x86\x77\x28\x95\x0e"),
		Confidence: wire.ClockConfidence_CLOCK_CONFIDENCE_NTP,
	}
}
