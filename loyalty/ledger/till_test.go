package ledger_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/entry"
	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// till is a terminal whose clock and network a test sets.
type till struct {
	*ledger.Ledger
	t     testing.TB
	name  string
	dir   string
	queue *buffer.Queue

	now     time.Time     // the wall clock
	since   time.Duration // since boot
	boot    byte
	trusted bool // the wall clock was checked
	online  bool

	sealer *pci.Sealer // of the queue; nil: the tests' own

	made []loyalty.Entry // all that it has recorded
	read map[buffer.Epoch]uint64
	sent map[buffer.Epoch]uint64 // what the backend has
}

var testProgramme = loyalty.Programme{
	ID: "coffee", Version: 1, StampsPerReward: 9, MaxStampsPerPurchase: 9, MinGap: new(time.Duration), FloorPerAccountDay: 100, FloorTotal: 1000,
}

func newTill(t testing.TB, name string, programme loyalty.Programme) *till {
	t.Helper()
	tl := &till{
		t: t, name: name, dir: t.TempDir(), now: time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC), since: time.Hour, boot: 1, trusted: true,
		read: map[buffer.Epoch]uint64{}, sent: map[buffer.Epoch]uint64{},
	}
	tl.open(programme)
	t.Cleanup(func() { _ = tl.queue.Close() })
	return tl
}

func (tl *till) open(programme loyalty.Programme) {
	tl.t.Helper()
	keys := tl.keys()
	var err error
	tl.queue, err = buffer.Open(buffer.Options{
		Path: filepath.Join(tl.dir, "queue.db"), Terminal: tl.name, Keys: keys, MaxSize: 64 << 20, LedgerReserve: 16 << 20,
		TelemetryMemory: 1 << 20, SpillAfter: time.Hour, Log: zerolog.Nop(),
	})
	if err != nil {
		tl.t.Fatal(err)
	}
	boot := make([]byte, 16)
	boot[0] = tl.boot
	tl.Ledger, err = ledger.New(ledger.Options{
		Queue: tl.queue, Guard: pci.NewGuard(nil), Terminal: tl.name, Programme: programme, Refs: pci.NewRefKey([32]byte{2}),
		Clock: hal.NewClockOf(hal.ClockSources{
			BootID: boot, Wall: func() time.Time { return tl.now },
			SinceBoot:    func() (time.Duration, bool) { return tl.since, true },
			Synchronised: func() bool { return tl.trusted },
		}),
		Online: func() bool { return tl.online },
	})
	if err != nil {
		tl.t.Fatal(err)
	}
}

func (tl *till) keys() *pci.Sealer {
	tl.t.Helper()
	if tl.sealer != nil {
		return tl.sealer
	}
	keys, err := pci.NewSealer([32]byte{1})
	if err != nil {
		tl.t.Fatal(err)
	}
	return keys
}

// pass lets time go by.
func (tl *till) pass(d time.Duration) { tl.now, tl.since = tl.now.Add(d), tl.since+d }

// crash starts the terminal again from what is on its disk, without closing anything.
func (tl *till) crash() {
	tl.t.Helper()
	fresh := tl.t.TempDir()
	for _, name := range []string{"queue.db", "queue.db.journal"} {
		b, err := os.ReadFile(filepath.Join(tl.dir, name))
		if err != nil {
			tl.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(fresh, name), b, 0o600); err != nil {
			tl.t.Fatal(err)
		}
	}
	programme := tl.Programme
	_ = tl.queue.Close()
	tl.dir = fresh
	tl.open(programme)
}

// reboot is a crash after which the time since boot begins anew.
func (tl *till) reboot() {
	tl.boot++
	tl.since = time.Minute
	tl.crash()
}

// news reads what was recorded since it was called last.
func (tl *till) news() []loyalty.Entry {
	tl.t.Helper()
	var fresh []loyalty.Entry
	for _, lane := range tl.queue.Lanes() {
		if lane.Lane != buffer.Ledger {
			continue
		}
		for {
			records, err := tl.queue.Read(lane.LaneID, tl.read[lane.Epoch]+1, 1000, 1<<20)
			if err != nil {
				tl.t.Fatal(err)
			}
			if len(records) == 0 {
				break
			}
			for _, r := range records {
				tl.read[lane.Epoch] = r.Seq
				event := new(wire.Event)
				if err := proto.Unmarshal(r.Payload, event); err != nil {
					tl.t.Fatal(err)
				}
				if event.GetStamp() == nil {
					continue
				}
				e, err := entry.FromWire(loyalty.EntryID{Terminal: tl.name, Epoch: lane.Epoch, Seq: r.Seq}, event.GetClock(), event.GetStamp())
				if err != nil {
					tl.t.Fatalf("%s recorded an entry that makes no sense: %v", tl.name, err)
				}
				fresh = append(fresh, e)
			}
		}
	}
	tl.made = append(tl.made, fresh...)
	return fresh
}

// verify closes the terminal and looks at its file.
func (tl *till) verify() {
	tl.t.Helper()
	if err := tl.queue.Close(); err != nil {
		tl.t.Fatal(err)
	}
	f, err := buffer.OpenReadOnly(filepath.Join(tl.dir, "queue.db"), tl.keys())
	if err != nil {
		tl.t.Fatal(err)
	}
	defer f.Close()
	ledger.Verify(f, func(found buffer.Finding) { tl.t.Errorf("%s: %v", tl.name, found) })
}

func number(i int) string { return fmt.Sprintf("+1415555%04d", 100+i) }

func refOf(phone string) loyalty.Ref {
	b, err := pci.NewRefKey([32]byte{2}).Account(phone)
	if err != nil {
		panic(err)
	}
	return loyalty.Ref(b)
}

func memberAt(i int) *wire.Member { return &wire.Member{Phone: number(i)} }

// award gives stamps and returns the answer.
func (tl *till) award(key string, who int, n int32) (*wire.AwardStampsResponse, error) {
	return tl.AwardStamps(tl.t.Context(), &wire.AwardStampsRequest{IdempotencyKey: key, Phone: number(who), Stamps: &n})
}

// card returns a member's card.
func (tl *till) card(who int) *wire.GetCardResponse {
	tl.t.Helper()
	got, err := tl.GetCard(tl.t.Context(), &wire.GetCardRequest{Phone: number(who)})
	if err != nil {
		tl.t.Fatal(err)
	}
	return got
}

// same compares a card with what entries come to.
func same(t testing.TB, what string, got *wire.GetCardResponse, state *loyalty.State, phone string, p loyalty.Programme) {
	t.Helper()
	ref := refOf(phone)
	if _, erased := state.Erased[loyalty.TombstoneOf(ref)]; erased {
		if got.GetState() != wire.MemberState_MEMBER_STATE_ERASED {
			t.Fatalf("%s: %v of one who was forgotten", what, got)
		}
		return
	}
	a, _ := state.Account(ref)
	want, card := loyalty.View(p, a), got.GetCard()
	if card.GetStamps() != want.Stamps || card.GetProgress() != want.Progress || card.GetEarned() != want.Earned ||
		card.GetAvailable() != want.Available || card.GetHeld() != want.Held || card.GetPending() != a.Pending || got.GetEnrolled() != a.Enrolled {
		t.Fatalf("%s: card %v, want %+v, pending %d, enrolled %v", what, got, want, a.Pending, a.Enrolled)
	}
}
