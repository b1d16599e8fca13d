package loyalty_test

import (
	"slices"
	"testing"

	"github.com/stampd/stampd/loyalty"
)

func TestSignals(t *testing.T) {
	paid := func(key string) loyalty.Body { return loyalty.Stamp{Stamps: 1, PaymentKey: key} }
	set := entries(paid("a"), paid("b"), paid("a"), paid(""), paid("b"), loyalty.StampVoid{Target: of("t-1", 2)})
	p := nine
	p.RequirePayment = true
	want := []loyalty.Signal{
		{Entry: id("t-1", 3), What: loyalty.SignalSharedPayment},
		{Entry: id("t-1", 4), What: loyalty.SignalNoPayment},
		{Entry: id("t-1", 5), What: loyalty.SignalRefundedPayment},
	}
	refunded := func(terminal, key string) bool { return terminal == "t-1" && key == "b" }
	for range 2 {
		if got := loyalty.Signals(p, append(set, set...), refunded); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		slices.Reverse(set)
	}
}
