package ledger_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

func TestOnePhoneInManySpellingsIsOneMember(t *testing.T) {
	tm := newTerminal(t, t.TempDir())
	tm.Region = "US"
	for i, typed := range []string{"+14155551234", "(415) 555-1234", "415.555.1234", "1-415-555-1234", "４１５５５５１２３４"} {
		req := award(fmt.Sprint("k", i), 1)
		req.Phone = typed
		answer, err := tm.AwardStamps(t.Context(), req)
		if err != nil || answer.GetCard().GetStamps() != int32(i+1) {
			t.Errorf("%s: %v, %v", typed, answer, err)
		}
	}
	same := award("k1", 1)
	if answer, err := tm.AwardStamps(t.Context(), same); err != nil || !answer.GetDuplicate() {
		t.Errorf("the same award in another spelling: %v, %v", answer, err)
	}
	for typed, reason := range map[string]string{
		"": "MISSING", "555-1234": "TOO_SHORT", "001 1 415 555 1234": "AMBIGUOUS", "415-CAFE": "LETTERS", "+14155551234567890": "TOO_LONG", "+999 1234567": "NO_COUNTRY",
	} {
		var invalid *ledger.Invalid
		if _, err := tm.GetCard(t.Context(), &wire.GetCardRequest{Phone: typed}); !errors.As(err, &invalid) || invalid.Reason != reason || invalid.Field != "phone" {
			t.Errorf("%q: %v, want %s", typed, err, reason)
		}
	}
}

// After the merchant's key was changed, members are found, their calls may be repeated, and new stamps go under the new key.
func TestMembersAreFoundUnderFormerKeys(t *testing.T) {
	dir := t.TempDir()
	first, second, third := pci.NewRefKey([32]byte{2}), pci.NewRefKey([32]byte{3}), pci.NewRefKey([32]byte{4})
	tm := newTerminal(t, dir)
	if _, err := tm.AwardStamps(t.Context(), award("one", 3)); err != nil {
		t.Fatal(err)
	}
	tm.Refs, tm.FormerRefs = second, []*pci.RefKey{first}
	if _, err := tm.AwardStamps(t.Context(), award("two", 2)); err != nil {
		t.Fatal(err)
	}
	tm.Refs, tm.FormerRefs = third, []*pci.RefKey{second, first}
	card, err := tm.GetCard(t.Context(), &wire.GetCardRequest{Phone: phone})
	if err != nil || card.GetCard().GetStamps() != 5 {
		t.Errorf("card is %v, %v; want 5 stamps", card, err)
	}
	for _, key := range []string{"one", "two"} {
		n := map[string]int32{"one": 3, "two": 2}[key]
		if again, err := tm.AwardStamps(t.Context(), award(key, n)); err != nil || !again.GetDuplicate() {
			t.Errorf("%s again: %v, %v", key, again, err)
		}
		if _, err := tm.AwardStamps(t.Context(), award(key, n+1)); !errors.Is(err, ledger.ErrKeyReused) {
			t.Errorf("%s with another number: %v", key, err)
		}
	}
	answer, err := tm.AwardStamps(t.Context(), award("three", 1))
	if err != nil || answer.GetCard().GetStamps() != 6 {
		t.Errorf("answer %v, %v; want 6 stamps", answer, err)
	}
	events := tm.records(t)
	if got := events[len(events)-1].GetStamp().GetAccountKeyId(); string(got) != string(third.KeyID()) {
		t.Errorf("the newest entry is under key %x", got)
	}
	tm.verify(t, dir)
}
