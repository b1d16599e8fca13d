// Package loyalty is the rules of stamp cards: "buy nine, get one free". It is shared by the terminal and the backend,
// so that both come to the same card from the same entries. It does no I/O, reads no clock and knows no storage.
//
// A card is a pure function of the set of its entries: their order and how often each is seen make no difference.
package loyalty

import (
	"errors"
	"fmt"
	"math"
)

// Programme is one version of a merchant's rules.
type Programme struct {
	ID                   string
	Version              uint32 // counts from 1
	StampsPerReward      int32  // stamps that earn one reward: the nine in "buy nine, get one free"; >= 1
	MaxStampsPerPurchase int32  // >= 1
}

// Check returns what is wrong with the programme, or nil.
func (p Programme) Check() error {
	switch {
	case p.ID == "":
		return errors.New("programme has no id")
	case p.Version < 1:
		return errors.New("programme version must be at least 1")
	case p.StampsPerReward < 1:
		return fmt.Errorf("programme takes %d stamps for a reward, want at least 1", p.StampsPerReward)
	case p.MaxStampsPerPurchase < 1:
		return fmt.Errorf("programme allows %d stamps per purchase, want at least 1", p.MaxStampsPerPurchase)
	}
	return nil
}

// EntryID names an entry for all time: the terminal that made it, and its number there.
type EntryID struct {
	Terminal string
	Epoch    [16]byte
	Seq      uint64
}

// Entry is one immutable line of a card's ledger.
type Entry struct {
	ID     EntryID
	Stamps int32 // stamps given
}

// Card is what a set of entries comes to.
type Card struct {
	Stamps    int32 // stamps given, less those taken back
	Progress  int32 // stamps towards the next reward; below 0 when more were taken back than given
	Earned    int32 // rewards earned
	Available int32 // rewards that can be redeemed
}

// Fold returns the card that the entries come to under the programme. An entry that occurs twice counts once.
func Fold(p Programme, entries []Entry) Card {
	seen := make(map[EntryID]struct{}, len(entries))
	var stamps int64
	for _, e := range entries {
		if _, again := seen[e.ID]; again {
			continue
		}
		seen[e.ID] = struct{}{}
		stamps += int64(e.Stamps)
	}
	return CardOf(p, int32(min(max(stamps, math.MinInt32), math.MaxInt32)))
}

// CardOf returns the card with this many stamps: earned = floor(max(stamps, 0) / N), and the rest is progress.
// Stamps carry over from one reward to the next; only so does the order of entries not matter.
func CardOf(p Programme, stamps int32) Card {
	if stamps < 0 {
		return Card{Stamps: stamps, Progress: stamps}
	}
	earned := stamps / p.StampsPerReward
	return Card{Stamps: stamps, Progress: stamps % p.StampsPerReward, Earned: earned, Available: earned}
}
