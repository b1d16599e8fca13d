package ledger_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// population has n members of a shop with three terminals, as the backend sends them: of each, what came last can be undone, and
// the rest is closed. Each has enrolled and given a consent. A third are regulars, of whom five stamps and a redemption are
// open; the others have one or two stamps.
func population(n int) (messages []*wire.CardRows) {
	r := rand.New(rand.NewPCG(1, 2))
	refs := pci.NewRefKey([32]byte{2})
	epochs := [3][30][16]byte{}
	for i := range epochs {
		for j := range epochs[i] {
			binary.BigEndian.PutUint64(epochs[i][j][:], r.Uint64())
			binary.BigEndian.PutUint64(epochs[i][j][8:], r.Uint64())
		}
	}
	id := func(day int) loyalty.EntryID {
		tm := r.IntN(3)
		return loyalty.EntryID{Terminal: fmt.Sprintf("till-%04d", tm+1), Epoch: epochs[tm][day%30], Seq: 1 + r.Uint64N(5000)}
	}
	for i := range n {
		if i%500 == 0 {
			messages = append(messages, rowsOf(1, uint64(2_000_000+i), uint64(i+500)))
		}
		b, err := refs.Account(fmt.Sprintf("+14152%06d", i))
		if err != nil {
			panic(err)
		}
		ref := loyalty.Ref(b)
		var row loyalty.Row
		day := r.IntN(365)
		add := func(body loyalty.Body) {
			at := loyalty.At(1_770_000_000_000 + int64(day)*86_400_000 + r.Int64N(40_000_000))
			row.Apply(loyalty.Entry{ID: id(day / 12), At: at, Account: ref, Body: body})
			day += 1 + r.IntN(9)
		}
		add(loyalty.Enrol{})
		add(loyalty.Consent{Purpose: loyalty.PurposeLoyalty, Granted: true})
		stamps := 1 + r.IntN(2)
		if i%3 == 0 {
			stamps = 5
			add(loyalty.Redeem{Stamps: 9})
			row.Closed = loyalty.Sums{Stamps: r.Int64N(80), Spent: 9, Redeemed: 1}
		}
		for range stamps {
			add(loyalty.Stamp{Stamps: 1})
		}
		m := messages[len(messages)-1]
		m.Rows = append(m.Rows, &wire.CardRow{ProgrammeId: "coffee", Ref: ref[:], Row: row.Append(nil, ref)})
	}
	return messages
}

// fill gives a terminal 50,000 members.
func fill(t testing.TB, tl *till) {
	t.Helper()
	for _, m := range population(members) {
		if err := tl.TakeRows(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

const members = 50_000

// 50,000 members take no more than 200 bytes of the file each.
func TestMembersAreSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a queue file with 50,000 members")
	}
	tl := newTill(t, "till-0001", testProgramme)
	fill(t, tl)
	card, err := tl.GetCard(t.Context(), &wire.GetCardRequest{Phone: "+14152000002"})
	if err != nil || card.GetState() != wire.MemberState_MEMBER_STATE_KNOWN || len(card.GetConsents()) != 1 {
		t.Fatalf("%v, %v", card, err)
	}
	if each := tl.used() / members; each > 200 {
		t.Errorf("a member takes %d bytes", each)
	}
}

// used closes the terminal and returns what of its file holds something, in bytes.
func (tl *till) used() int64 {
	tl.t.Helper()
	if err := tl.queue.Close(); err != nil {
		tl.t.Fatal(err)
	}
	keys, err := pci.NewSealer([32]byte{1})
	if err != nil {
		tl.t.Fatal(err)
	}
	f, err := buffer.OpenReadOnly(filepath.Join(tl.dir, "queue.db"), keys)
	if err != nil {
		tl.t.Fatal(err)
	}
	defer f.Close()
	return f.State().Used
}

// BenchmarkGetCard50k looks up one of 50,000 members.
func BenchmarkGetCard50k(b *testing.B) {
	tl := newTill(b, "till-0001", testProgramme)
	fill(b, tl)
	r := rand.New(rand.NewPCG(3, 4))
	for b.Loop() {
		phone := fmt.Sprintf("+14152%06d", r.IntN(members))
		card, err := tl.GetCard(b.Context(), &wire.GetCardRequest{Phone: phone})
		if err != nil || card.GetState() != wire.MemberState_MEMBER_STATE_KNOWN {
			b.Fatalf("%v, %v", card, err)
		}
	}
	b.ReportMetric(float64(tl.used())/members, "B/member")
}

// BenchmarkAwardStamps is what an award costs beside a bare append of a record of its size: the same disk and run.
func BenchmarkAwardStamps(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("append-%d", callers), func(b *testing.B) {
			tl := newTill(b, "t-1", testProgramme)
			guard := pci.NewGuard(nil)
			each(b, callers, func(i int) error {
				record, err := guard.Check(&wire.Event{Clock: tl.Clock.Now(), Body: &wire.Event_Stamp{Stamp: &wire.Stamp{
					IdempotencyKey: fmt.Sprintf("order-%d/stamp", i), Kind: wire.StampKind_STAMP_KIND_STAMP, ProgrammeId: "coffee", ProgrammeVersion: 1,
					AccountRef: make([]byte, 32), AccountKeyId: make([]byte, 4), Stamps: 1,
				}}})
				if err != nil {
					return err
				}
				return tl.queue.Update(b.Context(), func(tx *buffer.Tx) error { tx.Append(record); return nil })
			})
		})
		b.Run(fmt.Sprintf("award-%d", callers), func(b *testing.B) {
			tl := newTill(b, "t-1", testProgramme)
			each(b, callers, func(i int) error {
				_, err := tl.AwardStamps(b.Context(), &wire.AwardStampsRequest{
					IdempotencyKey: fmt.Sprintf("order-%d/stamp", i), Phone: fmt.Sprintf("+14152%06d", i%20_000),
				})
				return err
			})
		})
	}
}

// each has callers make b.N calls among them.
func each(b *testing.B, callers int, call func(i int) error) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for {
				i := int(next.Add(1))
				if i > b.N {
					return
				}
				if err := call(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
