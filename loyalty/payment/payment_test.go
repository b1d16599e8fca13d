package payment

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// steps makes steps of "key kind amount [original] [currency]", numbered in their order.
func stepsOf(t *testing.T, lines ...string) []Step {
	t.Helper()
	kinds := map[string]Kind{
		"authorised": Authorised, "declined": Declined, "stored": OfflineStored, "forwarded": Forwarded,
		"declined-after": DeclinedAfterForward, "captured": Captured, "voided": Voided, "refunded": Refunded,
		"reversal": ReversalPending, "reversed": Reversed, "timed-out": TimedOut, "expired": Expired,
	}
	modes := map[string]Mode{"online": Online, "emv": OfflineEMV, "saf": StoreAndForward}
	var out []Step
	for i, line := range lines {
		s := Step{Epoch: 1, Seq: uint64(i + 1), Currency: "EUR"}
		for n, word := range strings.Fields(line) {
			switch {
			case n == 0:
				s.Key = word
			case n == 1:
				s.Kind = kinds[word]
				if s.Kind == 0 {
					t.Fatalf("no kind %s", word)
				}
			case n == 2:
				if _, err := fmt.Sscan(word, &s.Minor); err != nil {
					t.Fatal(err)
				}
			case modes[word] != 0:
				s.Mode = modes[word]
			case strings.ToUpper(word) == word:
				s.Currency = word
			default:
				s.Original = word
			}
		}
		out = append(out, s)
	}
	return out
}

func TestAnomalies(t *testing.T) {
	for _, tt := range []struct {
		name  string
		steps []string
		want  map[string][]Anomaly
	}{
		{"a sale", []string{"a authorised 1250", "c captured 1250 a"}, nil},
		{"three refunds", []string{"a authorised 1250", "c captured 1250 a", "r1 refunded 300 c", "r2 refunded 300 c", "r3 refunded 700 c"},
			map[string][]Anomaly{"r3": {RefundOverCaptured}}},
		{"three refunds of a capture alone", []string{"c captured 1250", "r1 refunded 300 c", "r2 refunded 300 c", "r3 refunded 700 c", "r4 refunded 1 c"},
			map[string][]Anomaly{"c": {IllegalTransition}, "r3": {RefundOverCaptured}, "r4": {RefundOverCaptured}}},
		{"refund of all", []string{"a authorised 1250", "c captured 1250 a", "r refunded 1250 a"}, nil},
		{"less captured than authorised", []string{"a authorised 1250", "c captured 1000 a", "r refunded 1001 a"},
			map[string][]Anomaly{"r": {RefundOverCaptured}}},
		{"refund without capture", []string{"a authorised 1250", "r refunded 1250 a", "s refunded 1 a"},
			map[string][]Anomaly{"r": {IllegalTransition}, "s": {RefundOverCaptured}}},
		{"links go by any step", []string{"a authorised 5", "c captured 5 a", "r refunded 3 c", "s refunded 3 r"},
			map[string][]Anomaly{"s": {RefundOverCaptured}}},
		{"captured twice", []string{"a authorised 5", "c captured 5 a", "d captured 5 a", "r refunded 6 a"},
			map[string][]Anomaly{"d": {Repeated}, "r": {RefundOverCaptured}}},
		{"void", []string{"a authorised 5", "v voided 5 a"}, nil},
		{"void of what is captured", []string{"a authorised 5", "c captured 5 a", "v voided 5 a"}, map[string][]Anomaly{"v": {IllegalTransition}}},
		{"void twice", []string{"a authorised 5", "v voided 5 a", "w voided 5 a"}, map[string][]Anomaly{"w": {Repeated}}},
		{"void of nothing", []string{"v voided 5"}, map[string][]Anomaly{"v": {IllegalTransition}}},
		{"void of what is not known", []string{"v voided 5 elsewhere"}, map[string][]Anomaly{"v": {OriginalUnknown}}},
		{"refunds of what is not known", []string{"r refunded 5 elsewhere", "s refunded 5 elsewhere"},
			map[string][]Anomaly{"r": {OriginalUnknown}, "s": {OriginalUnknown}}},
		{"the original comes after", []string{"r refunded 5 a", "a authorised 5", "c captured 5 a", "s refunded 1 a"},
			map[string][]Anomaly{"r": {OriginalUnknown}, "s": {RefundOverCaptured}}},
		{"another currency", []string{"a authorised 5", "c captured 5 a USD"}, map[string][]Anomaly{"c": {CurrencyDiffers}}},
		{"refund in another currency", []string{"a authorised 5", "c captured 5 a", "r refunded 100 a JPY", "s refunded 5 a"},
			map[string][]Anomaly{"r": {CurrencyDiffers}}},
		{"stored, forwarded, approved", []string{"o stored 5 saf", "f forwarded 5 o saf", "a authorised 5 o saf", "c captured 5 o"}, nil},
		{"stored, forwarded, declined", []string{"o stored 5 saf", "f forwarded 5 o", "d declined-after 5 o"}, nil},
		{"stored and approved, never forwarded", []string{"o stored 5 saf", "a authorised 5 o online"}, map[string][]Anomaly{"a": {IllegalTransition}}},
		{"stored online", []string{"o stored 5 online"}, map[string][]Anomaly{"o": {AuthModeDiffers}}},
		{"stored by the chip", []string{"o stored 5 emv"}, nil},
		{"approved and to be forwarded", []string{"a authorised 5 saf"}, map[string][]Anomaly{"a": {AuthModeDiffers}}},
		{"online, and stored in mid-transaction", []string{"a authorised 5 online", "o stored 5 a saf"}, map[string][]Anomaly{"o": {IllegalTransition}}},
		{"timed out and reversed", []string{"t timed-out 5", "p reversal 5 t", "r reversed 5 t"}, nil},
		{"reversed at once", []string{"t timed-out 5", "r reversed 5 t"}, map[string][]Anomaly{"r": {IllegalTransition}}},
		{"expired and captured", []string{"a authorised 5", "e expired 5 a", "c captured 5 a"}, map[string][]Anomaly{"c": {IllegalTransition}}},
		{"captured after a decline", []string{"d declined 5", "c captured 5 d"}, map[string][]Anomaly{"c": {IllegalTransition}}},
		{"all at once", []string{"a authorised 5", "c captured 5 a", "d captured 5 a USD"}, map[string][]Anomaly{"d": {Repeated, CurrencyDiffers}}},
		{"named after itself", []string{"v voided 5 v"}, map[string][]Anomaly{"v": {OriginalUnknown}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, got := Fold(stepsOf(t, tt.steps...))
			if tt.want == nil {
				tt.want = map[string][]Anomaly{}
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestStored(t *testing.T) {
	for _, tt := range []struct {
		name  string
		steps []string
		want  bool
	}{
		{"stored", []string{"o stored 5"}, true},
		{"forwarded", []string{"o stored 5", "f forwarded 5 o"}, false},
		{"forwarded and declined", []string{"o stored 5", "f forwarded 5 o", "d declined-after 5 o"}, false},
		{"voided before it was sent", []string{"o stored 5", "v voided 5 o"}, false},
		{"stored twice", []string{"o stored 5", "p stored 5 o"}, true},
		{"refunded while it is stored", []string{"o stored 5", "r refunded 5 o"}, true},
		{"approved before", []string{"a authorised 5", "o stored 5 a"}, false},
	} {
		steps := stepsOf(t, tt.steps...)
		got, _ := Fold(steps)
		if got[steps[0].Key].Stored() != tt.want {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

// What steps come to is a function of the set: they may come in any order, and more than once.
func TestFoldKnowsNoOrderAndNoDuplicates(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var steps []Step
		for i := range 1 + rng.IntN(30) {
			s := Step{
				Epoch: 1 + rng.Uint64N(2), Seq: uint64(i), Key: fmt.Sprint("k", i),
				Kind: Kind(1 + rng.IntN(int(Expired))), Mode: Mode(rng.IntN(4)), Minor: rng.Int64N(1000),
				Currency: []string{"EUR", "EUR", "EUR", "USD"}[rng.IntN(4)],
			}
			if rng.IntN(4) > 0 {
				s.Original = fmt.Sprint("k", rng.IntN(30))
			}
			steps = append(steps, s)
		}
		payments, anomalies := Fold(steps)
		shuffled := append(slices.Clone(steps), steps[:rng.IntN(len(steps))]...)
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		again, found := Fold(shuffled)
		if !reflect.DeepEqual(again, payments) || !reflect.DeepEqual(found, anomalies) {
			t.Fatalf("got %v, %v; want %v, %v", again, found, payments, anomalies)
		}
	}
}

func TestAmountsDoNotOverflow(t *testing.T) {
	steps := stepsOf(t, "a authorised 5", "c captured 5 a", "r refunded 0 a", "s refunded 0 a")
	steps[2].Minor, steps[3].Minor = math.MaxInt64, math.MaxInt64
	payments, anomalies := Fold(steps)
	if payments["a"].Refunded != math.MaxInt64 || len(anomalies["s"]) != 1 {
		t.Errorf("got %+v, %v", payments, anomalies)
	}
	state, found := State{}.Next(Step{Kind: 200})
	if len(found) != 1 || state.Stored() {
		t.Errorf("a kind that is not known: %+v, %v", state, found)
	}
	if _, found := state.Next(Step{Kind: 201}); len(found) != 1 {
		t.Errorf("after a kind that is not known: %v", found)
	}
}
