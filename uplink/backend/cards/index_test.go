package cards

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/entry"
	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/backend/programme"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is a log and an index that follows it.
type stage struct {
	t     testing.TB
	dir   string
	log   *eventlog.Log
	rules *programme.Store
	index *Index
	next  map[identity.ID]uint64
	stop  func()
	late  atomic.Int64 // nanoseconds that the index's clock is ahead
}

func newStage(t testing.TB) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir(), next: map[identity.ID]uint64{}}
	var err error
	if s.log, err = eventlog.Open(filepath.Join(s.dir, "log.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.log.Close() })
	if s.rules, err = programme.Open(filepath.Join(s.dir, "programmes")); err == nil {
		err = s.rules.Put("m1", loyalty.Programme{ID: "coffee", Version: 1, StampsPerReward: 9, MaxStampsPerPurchase: 9})
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// start opens the index and follows the log until halt.
func (s *stage) start() {
	s.t.Helper()
	index, err := Open(Options{Log: s.log, Dir: filepath.Join(s.dir, "cards"), Programmes: s.rules, Now: func() time.Time { return time.Now().Add(time.Duration(s.late.Load())) }})
	if err != nil {
		s.t.Fatal(err)
	}
	s.index = index
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := index.Run(ctx); err != nil {
			s.t.Error(err)
		}
	})
	s.stop = sync.OnceFunc(func() { cancel(); wg.Wait(); _ = index.Close() })
	s.t.Cleanup(s.stop)
}

// folded waits until the index has all of the log.
func (s *stage) folded() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.index.await(ctx, s.log.Head()); err != nil {
		s.t.Fatal(err)
	}
}

var epoch = [16]byte{1, 2, 3}

// add appends entries of one terminal to the log, as one batch.
func (s *stage) add(id identity.ID, entries ...loyalty.Entry) {
	s.t.Helper()
	var records [][]byte
	for _, e := range entries {
		raw, err := proto.Marshal(&wire.Event{
			Clock: &wire.Clock{WallUnixMs: new(time.Now().UnixMilli()), Confidence: wire.ClockConfidence_CLOCK_CONFIDENCE_NTP},
			Body:  &wire.Event_Stamp{Stamp: entry.ToWire(e)},
		})
		if err != nil {
			s.t.Fatal(err)
		}
		records = append(records, raw)
	}
	s.raw(id, records...)
}

func (s *stage) raw(id identity.ID, records ...[]byte) {
	s.t.Helper()
	first := s.next[id] + 1
	_, err := s.log.Append(context.Background(), eventlog.Batch{
		ID: id, Epoch: epoch, Lane: wire.Lane_LANE_LEDGER, FirstSeq: first, Records: records, Chain: make([]byte, 8), Received: time.Now(),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.next[id] += uint64(len(records))
}

// drain takes everything that a feed has, and returns the rows by account, and how many messages and bytes they took.
func drain(t testing.TB, f *Feed) (rows map[loyalty.Ref]loyalty.Row, last *wire.CardRows, messages, bytes int) {
	t.Helper()
	rows = map[loyalty.Ref]loyalty.Row{}
	for {
		m, err := f.Next()
		if err != nil {
			t.Fatal(err)
		}
		if m == nil {
			return rows, last, messages, bytes
		}
		last = m
		messages++
		bytes += proto.Size(m)
		if size := proto.Size(m); size > 256<<10 {
			t.Errorf("a message has %d bytes", size)
		}
		for _, r := range m.Rows {
			row, err := loyalty.DecodeRow(r.Row, loyalty.Ref(r.Ref))
			if err != nil {
				t.Fatal(err)
			}
			rows[loyalty.Ref(r.Ref)] = row
		}
	}
}

func (s *stage) feed(id identity.ID, have *wire.LoyaltyState) *Feed {
	s.t.Helper()
	f, err := s.index.Feed(id, have)
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

var (
	till1 = identity.ID{Merchant: "m1", Terminal: "t1"}
	till2 = identity.ID{Merchant: "m1", Terminal: "t2"}
)

func member(n int) (r loyalty.Ref) {
	binary.BigEndian.PutUint64(r[:], uint64(n)*0x9E3779B97F4A7C15+1) // as spread out as an HMAC
	return r
}

func stampFor(r loyalty.Ref, n int32) loyalty.Entry {
	return loyalty.Entry{Account: r, Programme: "coffee", Version: 1, Body: loyalty.Stamp{Stamps: n}}
}

// A feed is taken up where it ended, and sends no merchant what is another's.
func TestFeedIsTakenUpWhereItEnded(t *testing.T) {
	s := newStage(t)
	s.start()
	var batch []loyalty.Entry
	for i := range 1000 {
		batch = append(batch, stampFor(member(i), 1))
	}
	s.add(till1, batch...)
	s.add(identity.ID{Merchant: "m2", Terminal: "t1"}, stampFor(member(7), 5))
	s.folded()
	f := s.feed(till2, &wire.LoyaltyState{})
	got := map[loyalty.Ref]bool{}
	have := &wire.LoyaltyState{}
	for range 2 { // two messages, of which the second is lost
		m, err := f.Next()
		if err != nil {
			t.Fatal(err)
		}
		if len(m.LogId) > 0 {
			have.LogId, have.Through = m.LogId, m.Through
			for _, r := range m.Rows {
				got[loyalty.Ref(r.Ref)] = true
			}
		}
	}
	rows, last, _, _ := drain(t, s.feed(till2, have))
	for ref := range rows {
		got[ref] = true
	}
	if len(got) != 1000 {
		t.Errorf("%d accounts came, want 1000", len(got))
	}
	have.Through = last.Through
	if m, err := s.feed(till2, have).Next(); err != nil || m != nil {
		t.Errorf("who has everything is sent %v, %v", m, err)
	}
	s.add(till1, stampFor(member(3), 1))
	s.folded()
	rows, _, _, _ = drain(t, s.feed(till2, have))
	if len(rows) != 1 || len(rows[member(3)].Open) != 2 {
		t.Errorf("after one stamp %d rows came", len(rows))
	}
}

// What a terminal sends that makes no sense harms nobody.
func TestHostileEntries(t *testing.T) {
	s := newStage(t)
	s.start()
	anna := member(1)
	bad := []loyalty.Entry{
		{Account: anna, Body: loyalty.Stamp{Stamps: 1}}, // of no programme
		{Account: anna, Programme: "coffee", Body: loyalty.Merge{Other: anna}},
		{Programme: "coffee", Body: loyalty.Stamp{Stamps: 1}},
		{Account: anna, Programme: "coffee", Body: loyalty.Stamp{Stamps: -5}},
		{Account: anna, Programme: "coffee", Body: loyalty.Redeem{Stamps: 9, Lease: loyalty.LeaseID{9}}},
		{Account: anna, Programme: "coffee", Body: loyalty.LeaseTransfer{Lease: loyalty.LeaseID{9}, To: "../x", Rights: 1 << 30}},
	}
	for i := range 100 {
		bad = append(bad, loyalty.Entry{Account: anna, Programme: fmt.Sprint("p-", i), Body: loyalty.Stamp{Stamps: 1}})
	}
	s.add(till1, bad...)
	s.raw(till1, []byte{0xff}, nil)
	// Merged with so many that no message has room for them.
	var merges []loyalty.Entry
	for i := range 900 {
		merges = append(merges, loyalty.Entry{Account: member(1000), Body: loyalty.Merge{Other: member(1001 + i)}})
	}
	for i := range 4 {
		for j := range merges {
			merges[j].Body = loyalty.Merge{Other: member(2000 + 900*i + j)}
		}
		s.add(till1, merges...)
	}
	s.add(till2, stampFor(member(2), 3))
	s.folded()
	rows, _, _, _ := drain(t, s.feed(till2, &wire.LoyaltyState{}))
	if row := rows[member(2)]; len(row.Open) != 1 {
		t.Errorf("an honest member has %+v", row)
	}
}

// A row that would grow without end is closed from its old end on, and comes to the same card.
func TestLongRowsAreClosed(t *testing.T) {
	s := newStage(t)
	s.start()
	anna := member(1)
	const n = 3 * maxOpen
	for i := 0; i < n; i += 1000 {
		var batch []loyalty.Entry
		for range min(1000, n-i) {
			batch = append(batch, stampFor(anna, 1))
		}
		s.add(till1, batch...)
		s.folded()
	}
	a, err := s.index.account("m1", anna, "coffee")
	if err != nil || a.Stamps != n {
		t.Errorf("%d stamps, %v; want %d", a.Stamps, err, n)
	}
	rows, _, _, bytes := drain(t, s.feed(till1, &wire.LoyaltyState{}))
	if got := len(rows[anna].Open); got > openStamps || bytes > 1000 {
		t.Errorf("%d entries are open in %d bytes", got, bytes)
	}
}

// An index that is deleted is made again, entry by entry the same.
func TestIndexIsMadeAgain(t *testing.T) {
	s := newStage(t)
	s.start()
	r := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		var batch []loyalty.Entry
		for range 20 {
			batch = append(batch, stampFor(member(r.IntN(30)), 1+r.Int32N(3)))
		}
		s.add(till1, batch...)
		s.folded()
	}
	read := func() (all []loyalty.Account) {
		for i := range 30 {
			a, err := s.index.account("m1", member(i), "coffee")
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, a)
		}
		return all
	}
	before := read()
	s.stop()
	if err := os.Remove(filepath.Join(s.dir, "cards", "cards.db")); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.folded()
	if after := read(); !reflect.DeepEqual(after, before) {
		t.Errorf("made again as %+v, want %+v", after, before)
	}
}

// Rights that were handed on are the other terminal's, once, and no more than there were.
func TestLeaseIsHandedOn(t *testing.T) {
	s := newStage(t)
	s.start()
	anna := member(1)
	s.add(till1, stampFor(anna, 9))
	request := &wire.LeaseRequest{AccountRef: anna[:], ProgrammeId: "coffee", Ahead: true}
	l := s.index.Lease(t.Context(), till1, request).GetLease()
	if l == nil {
		t.Fatal("no lease was granted")
	}
	hand := loyalty.Entry{Account: anna, Programme: "coffee", Body: loyalty.LeaseTransfer{Lease: loyalty.LeaseID(l.Id), To: "t2", Rights: 5}}
	s.add(till1, hand)
	s.add(till1, hand) // the rights are gone
	s.folded()
	leases, _, err := s.index.Leases(till2, 0, 100)
	if err != nil || len(leases) != 1 || leases[0].Rights != 1 {
		t.Errorf("the other terminal has %v, %v", leases, err)
	}
	if got := s.index.Lease(t.Context(), till1, request).GetRefusal(); got != wire.LeaseRefusal_LEASE_REFUSAL_LEASED {
		t.Errorf("the first terminal is told %v", got)
	}
}

// A lease that is over is its terminal's no more at once, and the others' loss for a little longer: the terminal counts from
// when it came.
func TestLeaseIsOver(t *testing.T) {
	s := newStage(t)
	s.start()
	anna := member(1)
	s.add(till1, stampFor(anna, 9))
	request := &wire.LeaseRequest{AccountRef: anna[:], ProgrammeId: "coffee"}
	ask := func(id identity.ID) *wire.LeaseAnswer { return s.index.Lease(t.Context(), id, request) }
	first := ask(till1).GetLease()
	s.late.Store(int64(presentTTL / 2))
	if again := ask(till1).GetLease(); again == nil || again.Number != first.Number || again.TtlS > first.TtlS/2+1 {
		t.Errorf("half-way, the terminal has %v, first %v", again, first)
	}
	s.late.Store(int64(presentTTL + time.Second))
	if got := ask(till2).GetRefusal(); got != wire.LeaseRefusal_LEASE_REFUSAL_LEASED {
		t.Errorf("right after it was over, the other terminal is told %v", got)
	}
	if got := ask(till1).GetLease(); got == nil || got.Number == first.Number {
		t.Errorf("right after it was over, its terminal has %v", got)
	}
	s.late.Add(int64(presentTTL + grace + time.Second))
	if got := ask(till2); got.GetLease() == nil {
		t.Errorf("in the end, the other terminal is told %v", got.GetRefusal())
	}
}

func TestLeaseRefusals(t *testing.T) {
	s := newStage(t)
	s.start()
	anna, ben := member(1), member(2)
	s.add(till1, stampFor(anna, 9), stampFor(ben, 9), loyalty.Entry{Account: ben, Body: loyalty.Erase{}})
	for name, c := range map[string]struct {
		r    *wire.LeaseRequest
		want wire.LeaseRefusal
	}{
		"no account":   {&wire.LeaseRequest{ProgrammeId: "coffee"}, wire.LeaseRefusal_LEASE_REFUSAL_MALFORMED},
		"no programme": {&wire.LeaseRequest{AccountRef: anna[:]}, wire.LeaseRefusal_LEASE_REFUSAL_UNKNOWN_PROGRAMME},
		"no reward":    {&wire.LeaseRequest{AccountRef: anna[:], ProgrammeId: "coffee", RewardId: "cake"}, wire.LeaseRefusal_LEASE_REFUSAL_UNKNOWN_REWARD},
		"no member":    {&wire.LeaseRequest{AccountRef: make([]byte, 32), ProgrammeId: "coffee"}, wire.LeaseRefusal_LEASE_REFUSAL_NOTHING_AVAILABLE},
		"erased":       {&wire.LeaseRequest{AccountRef: ben[:], ProgrammeId: "coffee"}, wire.LeaseRefusal_LEASE_REFUSAL_ACCOUNT_ERASED},
	} {
		if got := s.index.Lease(t.Context(), till1, c.r); got.GetLease() != nil || got.GetRefusal() != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// BenchmarkFold folds a log of 500 entries a batch, of 20,000 members, with the disk's flushes.
func BenchmarkFold(b *testing.B) {
	const n = 200_000
	s := newStage(b)
	r := rand.New(rand.NewPCG(1, 1))
	for range n / 500 {
		var batch []loyalty.Entry
		for range 500 {
			batch = append(batch, stampFor(member(r.IntN(20_000)), 1))
		}
		s.add(till1, batch...)
	}
	for b.Loop() {
		s.start()
		s.folded()
		s.stop()
		if err := os.Remove(filepath.Join(s.dir, "cards", "cards.db")); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

// BenchmarkFeed sends 50,000 members to a new terminal.
func BenchmarkFeed(b *testing.B) {
	const n = 50_000
	s := newStage(b)
	for i := range n / 1000 {
		for range 3 {
			var batch []loyalty.Entry
			for j := range 1000 {
				batch = append(batch, stampFor(member(1000*i+j), 1))
			}
			s.add(till1, batch...)
		}
	}
	s.start()
	s.folded()
	var total, count int
	for b.Loop() {
		rows, _, messages, bytes := drain(b, s.feed(till2, &wire.LoyaltyState{}))
		if len(rows) != n {
			b.Fatalf("%d rows", len(rows))
		}
		total, count = bytes, messages
	}
	b.ReportMetric(float64(total)/n, "bytes/member")
	b.ReportMetric(float64(count), "messages")
}
