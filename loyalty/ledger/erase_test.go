package ledger_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// A member who is forgotten is gone from every row at once and does not come back; the others stay. After the next start the file
// holds nothing of the card, not even in pages that are free.
func TestErasedMembersAreGone(t *testing.T) {
	tl := newTill(t, "t-1", testProgramme)
	ctx := t.Context()
	for who := range 300 { // so that some share a drawer
		must(t)(tl.award(fmt.Sprint("s-", who), who, 3))
	}
	must(t)(tl.LinkCard(ctx, &wire.LinkCardRequest{IdempotencyKey: "l", Phone: number(0), Token: "tok-1"}))
	must(t)(tl.MergeMembers(ctx, &wire.MergeMembersRequest{IdempotencyKey: "m", Member: memberAt(0), Other: memberAt(1)}))
	if err := tl.TakeLease(ctx, lease(1, 1, 0, 1, tl.now)); err != nil {
		t.Fatal(err)
	}
	ref := refOf(number(0))
	erase := &wire.EraseMemberRequest{IdempotencyKey: "x", Member: memberAt(0)}
	must(t)(tl.EraseMember(ctx, erase))
	if again := must(t)(tl.EraseMember(ctx, erase)); !again.GetDuplicate() {
		t.Errorf("again: %v", again)
	}
	for _, who := range []int{0, 1} {
		if got := tl.card(who); got.GetState() != wire.MemberState_MEMBER_STATE_ERASED || got.GetCard() != nil {
			t.Errorf("member %d: %v", who, got)
		}
		_, err := tl.award(fmt.Sprint("later-", who), who, 1)
		if r := refusal(t, err); r.Reason != ledger.RefusedErased || r.Seq != 0 {
			t.Errorf("a stamp for member %d: %+v", who, r)
		}
	}
	if got, err := tl.GetCard(ctx, &wire.GetCardRequest{Token: "tok-1"}); err != nil || got.GetState() != wire.MemberState_MEMBER_STATE_UNKNOWN {
		t.Errorf("by the payment card: %v, %v", got, err)
	}
	if got := tl.card(9999 % 1000); got.GetState() != wire.MemberState_MEMBER_STATE_UNKNOWN {
		t.Errorf("one who was never there: %v", got)
	}
	row := loyalty.Row{Closed: loyalty.Sums{Stamps: 5}} // an old row of the backend's
	if err := tl.TakeRows(ctx, rowsOf(1, 5, 5, &wire.CardRow{ProgrammeId: "coffee", Ref: ref[:], Row: row.Append(nil, ref)})); err != nil {
		t.Fatal(err)
	}
	if got := tl.card(0); got.GetState() != wire.MemberState_MEMBER_STATE_ERASED {
		t.Errorf("after an old row: %v", got)
	}
	for who := 2; who < 300; who++ {
		if c := tl.card(who).GetCard(); c.GetStamps() != 3 {
			t.Fatalf("member %d has %v", who, c)
		}
	}
	for _, lane := range tl.queue.Lanes() { // what is sent is not held any more
		if err := tl.queue.Ack(ctx, lane.LaneID, lane.Next-1, nil); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the first start takes the journal into the file, the second writes it anew
		if err := tl.queue.Close(); err != nil {
			t.Fatal(err)
		}
		tl.open(testProgramme)
		must(t)(tl.award(fmt.Sprint("day-", len(tl.queue.Lanes()), tl.now.UnixNano()), 5, 1))
		tl.pass(1)
	}
	if err := tl.queue.Close(); err != nil {
		t.Fatal(err)
	}
	tl.open(testProgramme)
	raw, err := os.ReadFile(filepath.Join(tl.dir, "queue.db"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(raw, ref[:16]) {
		t.Error("the file still has the card's name")
	}
	if c := tl.card(2).GetCard(); c.GetStamps() != 3 {
		t.Errorf("after the file was written anew: %v", c)
	}
	tl.verify()
}

// When the backend's log begins anew, its rows are dropped, and the terminal's own entries count.
func TestAnotherLog(t *testing.T) {
	tl := newTill(t, "t-1", testProgramme)
	ref, other := refOf(number(0)), refOf(number(1))
	row := loyalty.Row{Closed: loyalty.Sums{Stamps: 5}}
	message := func(log byte, asOf uint64) *wire.CardRows {
		return rowsOf(log, asOf, asOf, &wire.CardRow{ProgrammeId: "coffee", Ref: ref[:], Row: row.Append(nil, ref)},
			&wire.CardRow{ProgrammeId: "coffee", Ref: other[:], Row: row.Append(nil, other)})
	}
	if err := tl.TakeRows(t.Context(), message(1, 100)); err != nil {
		t.Fatal(err)
	}
	must(t)(tl.award("a", 0, 2))
	if got := tl.card(0).GetCard().GetStamps(); got != 7 {
		t.Fatalf("%d stamps", got)
	}
	if err := tl.TakeRows(t.Context(), rowsOf(2, 0, 0)); err != nil {
		t.Fatal(err)
	}
	if a, b := tl.card(0).GetCard().GetStamps(), tl.card(1).GetCard().GetStamps(); a != 2 || b != 0 {
		t.Errorf("%d and %d stamps, want 2 and 0", a, b)
	}
	if err := tl.TakeRows(t.Context(), message(2, 3)); err != nil {
		t.Fatal(err)
	}
	if a, b := tl.card(0).GetCard().GetStamps(), tl.card(1).GetCard().GetStamps(); a != 7 || b != 5 {
		t.Errorf("%d and %d stamps, want 7 and 5", a, b)
	}
	tl.verify()
}

// A member with more entries than a row has room for loses none, and rows that the backend made before count nothing twice.
func TestLongRowsAreShortened(t *testing.T) {
	tl := newTill(t, "t-1", testProgramme)
	ref := refOf(number(0))
	for i := range 200 {
		must(t)(tl.award(fmt.Sprint("s-", i), 0, 1))
	}
	row := loyalty.Row{Closed: loyalty.Sums{Stamps: 20}}
	m := rowsOf(1, 20, 20, &wire.CardRow{ProgrammeId: "coffee", Ref: ref[:], Row: row.Append(nil, ref)})
	epoch := tl.queue.Lanes()[0].Epoch
	m.Marks = []*wire.RowMark{{Epoch: epoch[:], Seq: 20}}
	if err := tl.TakeRows(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if c := tl.card(0).GetCard(); c.GetStamps() != 200 {
		t.Errorf("after a row with 20 of them: %v", c)
	}
	row.Closed.Stamps = 200
	m = rowsOf(1, 200, 200, &wire.CardRow{ProgrammeId: "coffee", Ref: ref[:], Row: row.Append(nil, ref)})
	m.Marks = []*wire.RowMark{{Epoch: epoch[:], Seq: 200}}
	if err := tl.TakeRows(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	must(t)(tl.award("one more", 0, 1))
	if c := tl.card(0).GetCard(); c.GetStamps() != 201 {
		t.Errorf("after a row with all of them: %v", c)
	}
	tl.verify()
}

func TestPaymentCardsStandForMembers(t *testing.T) {
	tl := newTill(t, "t-1", testProgramme)
	ctx := t.Context()
	byCard := func(key string) error {
		_, err := tl.AwardStamps(ctx, &wire.AwardStampsRequest{IdempotencyKey: key, Token: "tok-1"})
		return err
	}
	if r := refusal(t, byCard("a")); r.Reason != ledger.RefusedNotLinked || r.Field != "token" {
		t.Errorf("before it is linked: %+v", r)
	}
	must(t)(tl.LinkCard(ctx, &wire.LinkCardRequest{IdempotencyKey: "l-1", Phone: number(0), Token: "tok-1"}))
	if err := byCard("a"); err != nil {
		t.Fatal(err)
	}
	if pending := must(t)(tl.LinkCard(ctx, &wire.LinkCardRequest{IdempotencyKey: "l-2", Phone: number(1), Token: "tok-1"})); !pending.GetPending() {
		t.Errorf("another member's: %v", pending)
	}
	if err := byCard("b"); err != nil {
		t.Fatal(err)
	}
	if moved := must(t)(tl.LinkCard(ctx, &wire.LinkCardRequest{IdempotencyKey: "l-3", Phone: number(1), Token: "tok-1", Confirmed: true})); moved.GetPending() {
		t.Errorf("confirmed: %v", moved)
	}
	if err := byCard("c"); err != nil {
		t.Fatal(err)
	}
	if a, b := tl.card(0).GetCard().GetStamps(), tl.card(1).GetCard().GetStamps(); a != 2 || b != 1 {
		t.Errorf("%d and %d stamps, want 2 and 1", a, b)
	}
	must(t)(tl.UnlinkCard(ctx, &wire.UnlinkCardRequest{IdempotencyKey: "u", Token: "tok-1"}))
	if r := refusal(t, byCard("d")); r.Reason != ledger.RefusedNotLinked {
		t.Errorf("after it was unlinked: %+v", r)
	}
	for _, bad := range []*wire.LinkCardRequest{{Token: "4242424242424242"}, {Par: "V0010013822631000524242424242X"}} {
		bad.IdempotencyKey, bad.Phone = "bad", number(0)
		_, err := tl.LinkCard(ctx, bad)
		violation, invalid := new(pci.Violation), new(ledger.Invalid)
		if !errors.As(err, &violation) && !errors.As(err, &invalid) {
			t.Errorf("%v was taken: %v", bad, err)
		}
	}
	tl.verify()
}

// Files of earlier formats keep their cards and their keys, and go on.
func TestEarlierFormatsKeepTheirCards(t *testing.T) {
	for _, format := range []string{"format-1", "format-2"} {
		t.Run(format, func(t *testing.T) {
			tl := &till{t: t, name: "t-0001", dir: t.TempDir(), boot: 1, trusted: true}
			tl.sealer = fixtureKeys(t, format, tl.dir)
			tl.open(testProgramme)
			t.Cleanup(func() { _ = tl.queue.Close() })
			sums := sumsOf(t, format)
			members := 0
			for who := range 4 {
				phone := fmt.Sprintf("+1415555010%d", who)
				ref := refOf(phone)
				want, there := sums[ref]
				if !there {
					continue
				}
				members++
				for i := range int32(2) {
					got, err := tl.GetCard(t.Context(), &wire.GetCardRequest{Phone: phone})
					if err != nil || got.GetCard().GetStamps() != want+i || got.GetState() != wire.MemberState_MEMBER_STATE_KNOWN {
						t.Errorf("%s: %v, %v, want %d stamps", phone, got, err, want+i)
					}
					if i == 0 {
						must(t)(tl.AwardStamps(t.Context(), &wire.AwardStampsRequest{IdempotencyKey: "new-" + phone, Phone: phone}))
					}
				}
			}
			err := tl.queue.View(func(tx *buffer.ReadTx) error {
				return tx.Scan(buffer.Cards, nil, func(key, row []byte) error {
					if len(row) == 4 {
						t.Errorf("a sum is still there: %x", key)
					}
					return nil
				})
			})
			if err != nil {
				t.Fatal(err)
			}
			if members == 0 {
				t.Fatal("no member of the fixture was found")
			}
			n := int32(1)
			again, err := tl.AwardStamps(t.Context(), &wire.AwardStampsRequest{IdempotencyKey: "order-0/stamp", Phone: "+14155550100", Stamps: &n})
			if err != nil || !again.GetDuplicate() {
				t.Errorf("a call that was made before: %v, %v", again, err)
			}
			n = 2
			if _, err := tl.AwardStamps(t.Context(), &wire.AwardStampsRequest{IdempotencyKey: "order-0/stamp", Phone: "+14155550100", Stamps: &n}); !errors.Is(err, ledger.ErrKeyReused) {
				t.Errorf("another under its key: %v", err)
			}
			tl.verify()
		})
	}
}

// fixtureKeys copies a fixture to a folder, and returns what opens it.
func fixtureKeys(t *testing.T, format, dir string) *pci.Sealer {
	t.Helper()
	from := filepath.Join("../../testdata/queue", format)
	for _, name := range []string{"queue.db", "queue.db.journal", "queue.key"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, os.ErrNotExist) && name == "queue.db.journal" {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key, err := pci.LoadKey(filepath.Join(dir, "queue.key"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := pci.NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sumsOf returns the cards of a fixture.
func sumsOf(t *testing.T, format string) map[loyalty.Ref]int32 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../testdata/queue", format, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct{ Cards map[string]string }
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	sums := map[loyalty.Ref]int32{}
	for key, row := range want.Cards {
		k, err := hex.DecodeString(key)
		if err != nil {
			t.Fatal(err)
		}
		var n int32
		if _, err := fmt.Sscanf(row, "%x", &n); err != nil {
			t.Fatal(err)
		}
		sums[loyalty.Ref(k[len(k)-32:])] = n
	}
	return sums
}
