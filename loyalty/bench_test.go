package loyalty_test

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stampd/stampd/loyalty"
)

// million is a shop's years: 50,000 members, three terminals, a void in fifty and a redemption in ten.
func million() []loyalty.Entry {
	rng := rand.New(rand.NewPCG(1, 2))
	terminals := []string{"t-0001", "t-0002", "t-0003"}
	set := make([]loyalty.Entry, 1_000_000)
	for i := range set {
		e := &set[i]
		e.ID = loyalty.EntryID{Terminal: terminals[i%3], Epoch: [16]byte{byte(i % 3)}, Seq: uint64(i/3 + 1)}
		e.At, e.Programme, e.Version = loyalty.At(int64(i)*1000), "coffee", 1
		binary.BigEndian.PutUint32(e.Account[:], uint32(rng.IntN(50_000))*2_654_435_761)
		switch n := rng.IntN(100); {
		case n < 2 && i > 0:
			stamp := set[rng.IntN(i)]
			e.Account, e.Body = stamp.Account, loyalty.StampVoid{Target: loyalty.Target{ID: stamp.ID}}
		case n < 12:
			e.Body = loyalty.Redeem{Stamps: 9}
		default:
			e.Body = loyalty.Stamp{Stamps: 1}
		}
	}
	rng.Shuffle(len(set), func(i, j int) { set[i], set[j] = set[j], set[i] })
	return set
}

func BenchmarkFoldMillion(b *testing.B) {
	set := million()
	b.ReportAllocs()
	for b.Loop() {
		if s := loyalty.Fold("coffee", set); len(s.Accounts) < 49_000 {
			b.Fatalf("%d accounts", len(s.Accounts))
		}
	}
}

// BenchmarkLookup is what a terminal does for a card: read the row, and fold what is open.
func BenchmarkLookup(b *testing.B) {
	_, row := regular(b)
	b.ReportAllocs()
	for b.Loop() {
		_, err := loyalty.Gather(ref("anna"), func(r loyalty.Ref) (loyalty.Row, error) { return loyalty.DecodeRow(row, r) })
		if err != nil {
			b.Fatal(err)
		}
	}
}
