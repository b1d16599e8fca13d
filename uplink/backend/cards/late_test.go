package cards

import (
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/identity"
)

// A payment card is linked on a terminal that does not know yet that the member was erased on another one. When the link comes, the
// card is nobody's, and nothing names who was erased.
func TestLateLinkToWhomWasErased(t *testing.T) {
	s := newStage(t)
	s.start()
	var anna, visa loyalty.Ref
	copy(anna[:], "anna")
	copy(visa[:], "visa")
	s.add(identity.ID{Merchant: "m1", Terminal: "t1"}, loyalty.Entry{Account: anna, Body: loyalty.Enrol{}}, loyalty.Entry{Account: anna, Body: loyalty.Erase{}})
	s.folded()
	s.add(identity.ID{Merchant: "m1", Terminal: "t2"}, loyalty.Entry{Account: anna, Body: loyalty.Link{Card: visa}})
	s.folded()
	err := s.index.db.View(func(tx *bolt.Tx) error {
		all := newAccounts(tx, "m1")
		row := all.row(all.get(visa), "")
		if row == nil || row.CardLink(visa).Account == anna {
			t.Errorf("the payment card's row is %+v", row)
		}
		if cards := all.cardsOf(anna); len(cards) > 0 {
			t.Errorf("who was erased has the payment cards %x", cards)
		}
		return all.err
	})
	if err != nil {
		t.Fatal(err)
	}
}
