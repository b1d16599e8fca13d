package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/block"
	"github.com/stampd/stampd/uplink/wire"
)

// newPayment draws the payment with that number, with what is random in real ones: the key is a UUID, and the amount, the
// card and the issuer's code are as good as random. Every shop sends something like it, and no compressor gets below
// [randomBytes] of it.
func newPayment(number uint64) *wire.Payment {
	rng := rand.New(rand.NewPCG(7, number))
	brand := []string{"visa", "visa", "mastercard", "mastercard", "maestro", "amex"}[rng.IntN(6)]
	return &wire.Payment{
		IdempotencyKey: fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", rng.Uint32(), rng.Uint32N(1<<16), rng.Uint32N(1<<12), 1<<15|rng.Uint32N(1<<14), rng.Uint64N(1<<48)),
		Kind:           wire.PaymentKind_PAYMENT_KIND_AUTHORISED,
		AuthMode:       wire.AuthMode_AUTH_MODE_ONLINE,
		AmountMinor:    int64(math.Exp(6.3+0.8*rng.NormFloat64())) + 50,
		Currency:       "EUR",
		Stan:           fmt.Sprintf("%06d", number%1_000_000),
		AuthCode:       fmt.Sprintf("%06d", rng.Uint32N(1_000_000)),
		ResponseCode:   "00",
		EntryMode:      wire.EntryMode_ENTRY_MODE_CONTACTLESS_EMV,
		Card:           &wire.PaymentCard{Brand: brand, Last4: fmt.Sprintf("%04d", rng.Uint32N(10_000))},
	}
}

// randomBytes is the entropy of what newPayment draws, in bytes: 122 bits of the UUID, some 9 of the amount, 20 of the code,
// 13 of the card's digits and 2 of its brand.
const randomBytes = (122 + 9 + 20 + 13 + 2) / 8.0

// onePayment returns a payment as the ledger has it checked.
func onePayment() (pci.Clean, error) {
	return pci.NewGuard(block.Encode).Check(&wire.Event{
		Clock: &wire.Clock{WallUnixMs: new(int64(1_790_000_000_000)), BootMs: new(int64(123_456)), BootId: make([]byte, 16)},
		Body:  &wire.Event_Payment{Payment: newPayment(1)},
	})
}
