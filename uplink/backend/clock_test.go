package backend

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"github.com/rs/zerolog"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

// mistimed is a terminal of real parts whose wall clock shows what a test sets.
type mistimed struct {
	t       *testing.T
	backend *Backend
	ca      string
	certs   string
	queue   *buffer.Queue
	path    string
	clock   *hal.Clock

	mu     sync.Mutex // guards what follows
	booted time.Time
	wrong  time.Duration // how far the wall clock is ahead
	paid   []paid

	within time.Duration // the largest error that the backend may give
}

// paid is one payment, and what really was when it was recorded.
type paid struct {
	before, after time.Time
	wall          time.Time
	source        string
}

func newMistimed(t *testing.T, o Options, b *Backend) *mistimed {
	t.Helper()
	m := &mistimed{t: t, backend: b, within: 30 * time.Second, ca: o.CAFile, certs: t.TempDir(), path: filepath.Join(t.TempDir(), "queue.db")}
	if err := ca.IssueTerminal(filepath.Dir(o.CAFile), identity.ID{Merchant: "m1", Terminal: "t1"}, m.certs); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.queue.Close() })
	return m
}

// boot starts the machine, with its real-time clock at the given time.
func (m *mistimed) boot(wall time.Time) {
	m.t.Helper()
	if m.queue != nil {
		if err := m.queue.Close(); err != nil {
			m.t.Fatal(err)
		}
	}
	keys, err := pci.NewSealer([32]byte{1})
	if err != nil {
		m.t.Fatal(err)
	}
	m.queue, err = buffer.Open(buffer.Options{
		Path: m.path, Terminal: "t1", Keys: keys, MaxSize: 8 << 20, LedgerReserve: 1 << 20, TelemetryMemory: 1 << 20,
		SpillAfter: time.Hour, Log: zerolog.Nop(),
	})
	if err != nil {
		m.t.Fatal(err)
	}
	id := make([]byte, 16)
	rand.Read(id)
	m.mu.Lock()
	m.booted = time.Now().Add(-3 * time.Second)
	m.mu.Unlock()
	m.set(wall)
	m.clock = hal.NewClockOf(hal.ClockSources{
		BootID:       id,
		Wall:         func() time.Time { m.mu.Lock(); defer m.mu.Unlock(); return time.Now().Round(0).Add(m.wrong) },
		SinceBoot:    func() (time.Duration, bool) { m.mu.Lock(); defer m.mu.Unlock(); return time.Since(m.booted), true },
		Synchronised: func() bool { return false },
	})
}

// set sets the wall clock.
func (m *mistimed) set(wall time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wrong = time.Until(wall)
}

// pay records a payment, whose time the backend is to take from source.
func (m *mistimed) pay(source string) {
	m.t.Helper()
	p := paid{before: time.Now(), source: source}
	event := &wire.Event{Clock: m.clock.Now(), Body: &wire.Event_Payment{Payment: &wire.Payment{
		IdempotencyKey: fmt.Sprint("sale/", len(m.paid)), Kind: wire.PaymentKind_PAYMENT_KIND_AUTHORISED, AmountMinor: 1, Currency: "EUR",
	}}}
	p.after, p.wall = time.Now(), time.UnixMilli(event.Clock.GetWallUnixMs())
	c, err := pci.NewGuard(nil).Check(event)
	if err != nil {
		m.t.Fatal(err)
	}
	if err := m.queue.Update(m.t.Context(), func(tx *buffer.Tx) error { tx.Append(c); return nil }); err != nil {
		m.t.Fatal(err)
	}
	m.paid = append(m.paid, p)
	time.Sleep(2 * time.Millisecond) // two events of one millisecond have no order to be mixed up
}

// connect sends everything to the backend, and breaks the connection.
func (m *mistimed) connect() {
	m.t.Helper()
	client := uplink.New(uplink.Options{
		Queue: m.queue, Backend: m.backend.Addr().String(), Identity: identity.ID{Merchant: "m1", Terminal: "t1"}, AgentVersion: "1", Clock: m.clock,
		TLS: uplink.Files{
			Cert: filepath.Join(m.certs, ca.TerminalCertFile), Key: filepath.Join(m.certs, ca.TerminalKeyFile), CA: m.ca, ServerName: "127.0.0.1",
		},
		Window: 8, BatchBytes: 256 << 10, BackoffMin: time.Millisecond, BackoffMax: 10 * time.Millisecond,
		StallAfter: time.Minute, Keepalive: time.Minute, Alarm: func(a *wire.Audit) { m.t.Errorf("alarm: %v", a) }, Log: zerolog.Nop(),
	})
	ctx, cancel := context.WithTimeout(m.t.Context(), 30*time.Second)
	defer cancel()
	var running sync.WaitGroup
	running.Go(func() { _ = client.Run(ctx) })
	m.until("the welcome", client.Online)
	if waiting, complete := client.Flush(ctx); !complete {
		m.t.Errorf("%d records are waiting: %v", waiting, client.Status())
	}
	cancel()
	running.Wait()
	m.until("the end of the stream", func() bool { return m.backend.gateway.Streams() == 0 })
}

// until waits for something that happens on other goroutines.
func (m *mistimed) until(what string, done func() bool) {
	m.t.Helper()
	for start := time.Now(); !done(); time.Sleep(time.Millisecond) {
		if time.Since(start) > 15*time.Second {
			m.t.Fatalf("waited in vain: %s", what)
		}
	}
}

// sale is a payment as it landed.
type sale struct {
	Key          string `parquet:"idempotency_key,optional"`
	EventTime    int64  `parquet:"event_time,optional,timestamp(millisecond)"`
	TimeSource   string `parquet:"time_source,optional"`
	TimeError    *int64 `parquet:"time_error_ms,optional"`
	TerminalTime int64  `parquet:"terminal_time,optional,timestamp(millisecond)"`
}

// A terminal whose wall clock is wrong, or is set while it runs, sends through the real parts; what lands has the right
// time, as exactly as it says.
func TestLandedTimes(t *testing.T) {
	wrap := time.Unix(1<<31, 0) // 2038-01-19T03:14:08Z, where 32 bits end
	tests := []struct {
		name  string
		story func(m *mistimed)
	}{
		{"1970", func(m *mistimed) {
			m.boot(time.Unix(0, 0))
			m.pay("backend")
			m.connect()
			m.pay("backend")
			m.connect()
		}},
		{"over the end of 32 bits", func(m *mistimed) {
			m.boot(wrap.Add(-5 * time.Millisecond))
			for range 6 {
				m.pay("backend")
			}
			m.connect()
		}},
		{"two hours back between two payments", func(m *mistimed) {
			m.boot(time.Now())
			m.pay("backend")
			m.set(time.Now().Add(-2 * time.Hour))
			m.pay("backend")
			m.connect()
			m.pay("backend")
			m.set(time.Now())
			m.pay("backend")
			m.connect()
		}},
		{"a year ahead between two payments", func(m *mistimed) {
			m.boot(time.Now())
			m.pay("backend")
			m.set(time.Now().AddDate(1, 0, 0))
			m.pay("backend")
			m.connect()
		}},
		{"1970, and set right in mid-run", func(m *mistimed) {
			m.boot(time.Unix(0, 0))
			m.pay("backend")
			m.connect()
			m.set(time.Now())
			m.pay("backend")
			m.connect()
			if c := m.clock.Now().GetConfidence(); c != wire.ClockConfidence_CLOCK_CONFIDENCE_NETWORK {
				m.t.Errorf("the clock is of confidence %v", c)
			}
		}},
		{"connected, offline, and started again in 2025", func(m *mistimed) {
			m.boot(time.Unix(0, 0))
			m.pay("backend")
			m.connect()
			m.pay("backend")
			m.boot(time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC))
			m.pay("backend")
			m.connect()
		}},
		{"connected, and brought nothing but its clock", func(m *mistimed) {
			m.boot(time.Unix(0, 0))
			m.connect()
			m.within = time.Minute + time.Second // without a batch, nobody says how long the Hello took
			m.pay("backend")
			m.boot(time.Unix(0, 0))
			m.connect()
		}},
		{"never connected in its boot, in 1970", func(m *mistimed) {
			m.boot(time.Unix(0, 0))
			m.pay("bounds")
			m.pay("bounds")
			m.boot(time.Unix(0, 0))
			m.pay("backend")
			m.connect()
		}},
		{"never connected in its boot, its clock right", func(m *mistimed) {
			m.boot(time.Now().Add(-4 * time.Second))
			m.pay("rtc")
			m.boot(time.Unix(0, 0))
			m.connect()
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := newOptions(t)
			o.RollEvery = time.Hour // only the stop lands
			b, stop := start(t, o)
			m := newMistimed(t, o, b)
			tt.story(m)
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			m.check(filepath.Join(o.Dir, "parquet"))
		})
	}
}

// check compares what landed with what really was.
func (m *mistimed) check(dir string) {
	m.t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "kind=payment", "date="+time.Now().UTC().Format(time.DateOnly), "*.parquet"))
	if err != nil || len(files) == 0 {
		m.t.Fatalf("landed today: %q, %v", files, err)
	}
	landed := map[string]sale{}
	for _, name := range files {
		rows, err := pq.ReadFile[sale](name)
		if err != nil {
			m.t.Fatal(err)
		}
		for _, r := range rows {
			landed[r.Key] = r
		}
	}
	var last int64
	for i, p := range m.paid {
		s, ok := landed[fmt.Sprint("sale/", i)]
		if !ok || s.TimeSource != p.source {
			m.t.Errorf("payment %d: landed %v, by %q, want %q", i, ok, s.TimeSource, p.source)
			continue
		}
		if got := time.UnixMilli(s.TerminalTime); !got.Equal(p.wall) {
			m.t.Errorf("payment %d: the terminal's time is %v, want %v", i, got, p.wall)
		}
		if s.EventTime < last {
			m.t.Errorf("payment %d is before the one ahead of it", i)
		}
		last = s.EventTime
		allowed := 10 * time.Second // of what nobody could know better
		if s.TimeError != nil {
			allowed = time.Duration(*s.TimeError) * time.Millisecond
		}
		if allowed > m.within || (s.TimeError == nil) != (p.source != "backend") {
			m.t.Errorf("payment %d: its error is %v by %s", i, s.TimeError, p.source)
		}
		if early, late := p.before.Add(-allowed).UnixMilli(), p.after.Add(allowed).UnixMilli(); s.EventTime < early || s.EventTime > late {
			m.t.Errorf("payment %d: landed at %d, ± %v, and was at %d", i, s.EventTime, allowed, p.before.UnixMilli())
		}
	}
}
