package loyalty_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stampd/stampd/loyalty"
)

var nine = loyalty.Programme{ID: "coffee", Version: 1, StampsPerReward: 9, MaxStampsPerPurchase: 4}

func stamps(counts ...int32) []loyalty.Entry {
	entries := make([]loyalty.Entry, len(counts))
	for i, n := range counts {
		entries[i] = loyalty.Entry{ID: loyalty.EntryID{Terminal: "t-1", Seq: uint64(i + 1)}, Stamps: n}
	}
	return entries
}

func TestFold(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries []loyalty.Entry
		want    loyalty.Card
	}{
		{"empty", nil, loyalty.Card{}},
		{"L1: nine stamps", stamps(1, 1, 1, 1, 1, 1, 1, 1, 1), loyalty.Card{Stamps: 9, Earned: 1, Available: 1}},
		{"L2: carry over", stamps(3, 3, 3, 3, 3, 3, 3, 4), loyalty.Card{Stamps: 25, Progress: 7, Earned: 2, Available: 2}},
		{"one short", stamps(4, 4), loyalty.Card{Stamps: 8, Progress: 8}},
		{"twice the same entry", append(stamps(3), stamps(3)...), loyalty.Card{Stamps: 3, Progress: 3}},
		{"L11: below zero", stamps(-3), loyalty.Card{Stamps: -3, Progress: -3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := loyalty.Fold(nine, c.entries); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// The state is a function of the set: entries may come in any order, and more than once.
func TestFoldKnowsNoOrderAndNoDuplicates(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		counts := make([]int32, rng.IntN(40))
		for i := range counts {
			counts[i] = rng.Int32N(7) - 2
		}
		entries := stamps(counts...)
		want := loyalty.Fold(nine, entries)
		for range len(entries) {
			entries = append(entries, entries[rng.IntN(len(entries))])
		}
		rng.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
		if got := loyalty.Fold(nine, entries); got != want {
			t.Fatalf("got %+v, want %+v from %v", got, want, entries)
		}
	}
}

func TestProgrammeCheck(t *testing.T) {
	if err := nine.Check(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*loyalty.Programme){
		"no id":          func(p *loyalty.Programme) { p.ID = "" },
		"version 0":      func(p *loyalty.Programme) { p.Version = 0 },
		"reward for 0":   func(p *loyalty.Programme) { p.StampsPerReward = 0 },
		"0 per purchase": func(p *loyalty.Programme) { p.MaxStampsPerPurchase = 0 },
	} {
		p := nine
		spoil(&p)
		if p.Check() == nil {
			t.Errorf("%s passes", name)
		}
	}
}
