package backend

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/entry"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/block"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

// till is a terminal with a real queue and a real uplink, and with its cards in memory.
type till struct {
	t      *testing.T
	name   string
	queue  *buffer.Queue
	guard  *pci.Guard
	clock  *hal.Clock
	client *uplink.Client
	hang   chan struct{} // while it is not nil and open, rows are not stored

	mu         sync.Mutex // guards everything below
	rows       map[rowKey][]byte
	have       *wire.LoyaltyState
	leases     []*wire.Lease
	used       map[loyalty.LeaseID]bool
	programmes *wire.Programmes
	messages   int
	bytes      int
	restarts   int
	alarms     []wire.AuditKind
}

type rowKey struct {
	programme string
	ref       loyalty.Ref
}

// newTill makes a terminal of the merchant m1. It is offline until connect.
func newTill(t *testing.T, name string) *till {
	t.Helper()
	keys, err := pci.NewSealer([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	m := &till{t: t, name: name, guard: pci.NewGuard(block.Encode), clock: hal.NewClock("/proc"), rows: map[rowKey][]byte{}, used: map[loyalty.LeaseID]bool{}, have: &wire.LoyaltyState{}}
	m.queue, err = buffer.Open(buffer.Options{
		Path: filepath.Join(t.TempDir(), "queue.db"), Terminal: name, Keys: keys, MaxSize: 64 << 20, LedgerReserve: 16 << 20,
		TelemetryMemory: 1 << 20, SpillAfter: time.Hour, Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.queue.Close() })
	return m
}

// connect keeps the stream to the backend open until the returned function is called.
func (m *till) connect(o Options, addr string) (cut func()) {
	m.t.Helper()
	out, id := m.t.TempDir(), identity.ID{Merchant: "m1", Terminal: m.name}
	if err := ca.IssueTerminal(filepath.Dir(o.CAFile), id, out); err != nil {
		m.t.Fatal(err)
	}
	m.client = uplink.New(uplink.Options{
		Queue: m.queue, Backend: addr, Identity: id, AgentVersion: "1", Clock: m.clock,
		TLS: uplink.Files{
			Cert: filepath.Join(out, ca.TerminalCertFile), Key: filepath.Join(out, ca.TerminalKeyFile), CA: o.CAFile, ServerName: "127.0.0.1",
		},
		Window: 8, BatchBytes: 256 << 10, BackoffMin: time.Millisecond, BackoffMax: 10 * time.Millisecond,
		StallAfter: time.Minute, Keepalive: time.Minute, Cards: m,
		Alarm: func(a *wire.Audit) { m.mu.Lock(); defer m.mu.Unlock(); m.alarms = append(m.alarms, a.Kind) },
		Log:   zerolog.Nop(),
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(m.t.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = m.client.Run(ctx) })
	cut = sync.OnceFunc(func() { cancel(); running.Wait() })
	m.t.Cleanup(cut)
	return cut
}

// do records an entry and changes the terminal's own rows, as the ledger does.
func (m *till) do(account loyalty.Ref, body loyalty.Body) loyalty.EntryID {
	m.t.Helper()
	e := loyalty.Entry{Account: account, Programme: "coffee", Version: 1, Body: body}
	event := &wire.Event{Clock: m.clock.Now(), Body: &wire.Event_Stamp{Stamp: entry.ToWire(e)}}
	clean, err := m.guard.Check(event)
	if err != nil {
		m.t.Fatal(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	err = m.queue.Update(m.t.Context(), func(tx *buffer.Tx) error {
		e.ID = loyalty.EntryID{Terminal: m.name, Epoch: tx.Epoch(), Seq: tx.Append(clean)}
		return nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
	for _, ref := range e.Rows() {
		row := m.row(ref)
		row.Apply(e)
		m.rows[rowKey{"coffee", ref}] = row.Append(nil, ref)
	}
	return e.ID
}

func (m *till) stamps(account loyalty.Ref, n int) {
	for range n {
		m.do(account, loyalty.Stamp{Stamps: 1})
	}
}

// row returns what there is of an account: the programme's row, or the one that is of none. m.mu is held.
func (m *till) row(ref loyalty.Ref) loyalty.Row {
	for _, programme := range []string{"coffee", ""} {
		if b, ok := m.rows[rowKey{programme, ref}]; ok {
			row, err := loyalty.DecodeRow(b, ref)
			if err != nil {
				m.t.Error(err)
			}
			return row
		}
	}
	return loyalty.Row{}
}

// card returns what an account comes to.
func (m *till) card(ref loyalty.Ref) loyalty.Account {
	m.mu.Lock()
	defer m.mu.Unlock()
	reading, err := loyalty.Gather(ref, func(r loyalty.Ref) (loyalty.Row, error) { return m.row(r), nil })
	if err != nil {
		m.t.Error(err)
	}
	return reading.Account
}

func (m *till) Have() (*wire.LoyaltyState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return proto.CloneOf(m.have), nil
}

func (m *till) TakeRows(ctx context.Context, c *wire.CardRows) error {
	if hang := m.hang; hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.messages++
	m.bytes += proto.Size(c)
	if !bytes.Equal(c.LogId, m.have.LogId) {
		m.restart()
	}
	var marks []loyalty.Mark
	for _, k := range c.Marks {
		marks = append(marks, loyalty.Mark{Terminal: m.name, Epoch: [16]byte(k.Epoch), Seq: k.Seq})
	}
	for _, r := range c.Rows {
		ref := loyalty.Ref(r.Ref)
		fresh, err := loyalty.DecodeRow(r.Row, ref)
		if err != nil {
			return err
		}
		fresh.AsOf, fresh.Through = c.AsOf, marks
		renewed := loyalty.Renew(m.row(ref), fresh, m.name)
		key := rowKey{r.ProgrammeId, ref}
		if _, there := m.rows[rowKey{"coffee", ref}]; there {
			key.programme = "coffee"
		}
		m.rows[key] = renewed.Append(nil, ref)
	}
	m.have.LogId, m.have.Through = c.LogId, c.Through
	return nil
}

// restart drops all that came from the backend, and keeps the terminal's own entries that are still in the queue.
func (m *till) restart() {
	m.restarts++
	for key, b := range m.rows {
		old, err := loyalty.DecodeRow(b, key.ref)
		if err != nil {
			m.t.Error(err)
		}
		var row loyalty.Row
		for _, e := range old.Open {
			if e.ID.Terminal == m.name {
				row.Apply(e)
			}
		}
		m.rows[key] = row.Append(nil, key.ref)
	}
}

func (m *till) TakeProgrammes(_ context.Context, p *wire.Programmes) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.programmes, m.have.ProgrammesTag = p, p.Tag
	return nil
}

func (m *till) TakeLease(_ context.Context, l *wire.Lease) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leases = append(m.leases, l)
	m.have.LeaseNumber = l.Number
	return nil
}

// RecallLease gives back what is left of a lease, as the ledger does.
func (m *till) RecallLease(_ context.Context, r *wire.LeaseRecall) error {
	if rights := m.use(loyalty.LeaseID(r.Id)); rights > 0 {
		m.do(loyalty.Ref(r.AccountRef), loyalty.LeaseReturn{Lease: loyalty.LeaseID(r.Id), Rights: rights})
	}
	return nil
}

// use uses up what is left of a lease, and returns it.
func (m *till) use(id loyalty.LeaseID) int32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.leases {
		if loyalty.LeaseID(l.Id) == id && !m.used[id] {
			m.used[id] = true
			return l.Rights
		}
	}
	return 0
}

// see calls f with what the terminal has.
func (m *till) see(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// sent waits until the backend has everything.
func (m *till) sent() {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), 20*time.Second)
	defer cancel()
	if waiting, complete := m.client.Flush(ctx); !complete {
		m.t.Fatalf("%s: %d records are waiting: %v", m.name, waiting, m.client.Status())
	}
}

// within waits until something is so, and returns how long it took.
func within(t *testing.T, limit time.Duration, what string, done func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	for !done() {
		if time.Since(begin) > limit {
			t.Fatalf("not so after %v: %s", limit, what)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(begin)
}

func refOf(name string) (r loyalty.Ref) {
	copy(r[:], name)
	return r
}

// coffee is "buy nine, get one free".
func coffee(version uint32) loyalty.Programme {
	return loyalty.Programme{ID: "coffee", Version: version, StampsPerReward: 9, MaxStampsPerPurchase: 9}
}

// truth is what the backend's log comes to by [loyalty.Fold], read without the index.
func truth(t *testing.T, b *Backend) *loyalty.State {
	t.Helper()
	return loyalty.Fold("coffee", entriesOf(t, b))
}

// agree fails the test unless the terminals have of every account what the log says, within a moment.
func agree(t *testing.T, b *Backend, refs []loyalty.Ref, tills ...*till) {
	t.Helper()
	var got, want loyalty.Account
	var at string
	begin := time.Now()
	for {
		s := truth(t, b)
		differs := slices.ContainsFunc(tills, func(m *till) bool {
			return slices.ContainsFunc(refs, func(ref loyalty.Ref) bool {
				got, want, at = m.card(ref), wantedOf(s, ref), m.name
				return !equalAccounts(got, want)
			})
		})
		if !differs {
			return
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("%s has %+v, want %+v", at, got, want)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func wantedOf(s *loyalty.State, r loyalty.Ref) loyalty.Account {
	if _, erased := s.Erased[loyalty.TombstoneOf(r)]; erased {
		return loyalty.Account{Erased: true}
	}
	if a, ok := s.Account(r); ok {
		return a
	}
	return loyalty.Account{Ref: r}
}

func equalAccounts(a, b loyalty.Account) bool {
	sameMembers := slices.Equal(a.Members, b.Members)
	a.Members, b.Members = nil, nil
	return sameMembers && a.Ref == b.Ref && a.Sums == b.Sums && a.Held == b.Held && a.Erased == b.Erased && a.Enrolled == b.Enrolled &&
		a.Since == b.Since && a.Consents == b.Consents && a.Pending == b.Pending
}
