// Package collect reads the terminal on schedule: readings become events, and events become blocks of telemetry.
//
// It is for the agent's run loop alone. Everything it records goes through the guard into the telemetry lane; it never
// touches the ledger, never waits for the network, and never fails: what can't be read is left out, and what may not be
// recorded or can't be stored is dropped and counted.
package collect

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// Sink is where blocks go: the queue's telemetry lane.
type Sink interface {
	// AppendTelemetry takes a block and returns its number. An error means that the block was not taken.
	AppendTelemetry(block pci.Clean) (seq uint64, err error)
	// Spill writes what is in memory of the blocks to the disk. When it returns nil, a power cut takes none of it.
	Spill(ctx context.Context) error
}

// Options is what a [Collector] is made of.
type Options struct {
	Board *hal.Board
	Clock *hal.Clock
	Guard *pci.Guard // with a packer
	Sink  Sink

	// Version is the agent's, for events that tell it: up to 64 characters.
	Version string

	// BatteryEvery, HostEvery and AppEvery are the pauses between readings of each kind. Zero means 5 minutes. What is due
	// at the same time is read in one round, and has one time: pauses that are multiples of each other cost the fewest
	// bytes.
	BatteryEvery, HostEvery, AppEvery time.Duration
	// AppReportEvery is the pause between what is told of applications' reports. Zero means 15 minutes.
	AppReportEvery time.Duration
	// ModemEvery is the same for modems. Zero means a minute.
	ModemEvery time.Duration
	// NetworkEvery is the same for network interfaces. Zero means 15 minutes.
	NetworkEvery time.Duration
	// ConnectionEvery is the same for the connection to the backend. Zero means 30 minutes.
	ConnectionEvery time.Duration
	// Jitter is how late a round may be, as a part of the time until the next one: 0 to 0.5. Each is late by a random time.
	Jitter float64
	// BlockEvery is the pause between blocks: one is handed over with the last round that begins within it. Zero means 60
	// seconds.
	BlockEvery time.Duration
	// UnawaitedEvery is the same while nobody waits for readings, and no less than BlockEvery, which zero means.
	UnawaitedEvery time.Duration
	// Awaited reports whether somebody waits for readings, and must return soon. Nil means always.
	Awaited func() bool
	// SpillBelowPercent is the charge at which a battery that is in use is nearly empty: from then on readings are not
	// left in memory. Percent, 0 to 100; 0 means never.
	SpillBelowPercent uint32
	// SlowBelowPercent is the charge at which a battery that is in use runs down: from then on the terminal is read less
	// often, by up to four times and at least once an hour. What is told at once still is. Percent, 0 to 100; 0 means never.
	SlowBelowPercent uint32
	// FastFor is how long what something is wrong with is read more often, by up to four times and at most every five
	// seconds. It is begun anew when something else goes wrong, six times in a row and then once in four hours. Zero means
	// never.
	FastFor time.Duration
	// Online reports whether the backend can be reached, and must return soon. That it can't be for long is something wrong.
	// Nil means always.
	Online func() bool

	// Uplink tells how the uplink is, and must return soon. Nil means that there is none: the connection is not read.
	Uplink func() *wire.UplinkStatus

	// Audit records a security event: what the tamper switch does. It may take as long as the disk does. Nil means that
	// nobody wants to know.
	Audit func(*wire.Audit)
	// Violated is told that the guard refused readings, once in ten minutes for each field and kind, and must return soon. Nil
	// means that nobody wants to know.
	Violated func(*pci.Violation)
	Log      zerolog.Logger
}

// Collector reads the terminal. Make one with [New], and let it [Collector.Run].
type Collector struct {
	opts Options

	// These belong to the goroutine that reads.
	power  powerWatch
	parts  partWatch
	urgent allowance
	low    lowWatch
	pace   paceWatch
	looked time.Time // when the batteries were looked at last
	modems modemWatch
	way    wayWatch

	modem       modemReader
	modemDue    bool // what is read of the modems next is due
	modemUrgent bool // what was read of them is to be told at once

	reports *reports

	mu       sync.Mutex // guards what follows
	block    block
	handed   time.Time // when the first block was handed to the sink since the last spill out of turn; zero when none was
	stats    Stats
	violated map[pci.Violation]time.Time // when it was told of; fields and kinds are few
}

// Stats counts what became of events since the collector was made.
type Stats struct {
	Events  uint64 // taken by the sink, in blocks
	Blocks  uint64 // taken by the sink
	Refused uint64 // events that the guard refused
	Dropped uint64 // events in blocks that the sink did not take
}

// New returns a collector that reads nothing yet.
func New(opts Options) *Collector {
	opts.BatteryEvery = cmp.Or(opts.BatteryEvery, 5*time.Minute)
	opts.HostEvery = cmp.Or(opts.HostEvery, 5*time.Minute)
	opts.AppEvery = cmp.Or(opts.AppEvery, 5*time.Minute)
	opts.AppReportEvery = cmp.Or(opts.AppReportEvery, 15*time.Minute)
	opts.ModemEvery = cmp.Or(opts.ModemEvery, time.Minute)
	opts.NetworkEvery = cmp.Or(opts.NetworkEvery, 15*time.Minute)
	opts.ConnectionEvery = cmp.Or(opts.ConnectionEvery, 30*time.Minute)
	opts.BlockEvery = cmp.Or(opts.BlockEvery, 60*time.Second)
	opts.UnawaitedEvery = max(opts.UnawaitedEvery, opts.BlockEvery)
	if opts.Awaited == nil {
		opts.Awaited = func() bool { return true }
	}
	if opts.Online == nil {
		opts.Online = func() bool { return true }
	}
	if opts.Audit == nil {
		opts.Audit = func(*wire.Audit) {}
	}
	if opts.Violated == nil {
		opts.Violated = func(*pci.Violation) {}
	}
	return &Collector{
		opts:    opts,
		power:   make(powerWatch),
		parts:   newPartWatch(),
		pace:    newPaceWatch(opts.SlowBelowPercent, opts.FastFor),
		urgent:  allowance{every: opts.BlockEvery},
		modems:  make(modemWatch),
		modem:   newModemReader(),
		reports: newReports(opts.BlockEvery),

		violated: make(map[pci.Violation]time.Time),
	}
}

// Run records that the agent started, reads the terminal until ctx ends, and records what applications reported and that the
// agent stops. When it returns, the last block is with the sink. It may be called once.
func (c *Collector) Run(ctx context.Context) {
	c.record(time.Now(), c.lifecycle(&wire.Lifecycle{Kind: wire.LifecycleKind_LIFECYCLE_KIND_STARTED}))
	c.Flush()
	var beside sync.WaitGroup
	if c.opts.Board.HasModem() {
		beside.Go(func() { c.readModems(ctx) })
	}
	beside.Go(func() { c.watchContacts(ctx) })
	c.watch(ctx)
	beside.Wait()
	c.record(time.Now(), c.reports.tell(time.Now())...)
	c.record(time.Now(), c.lifecycle(&wire.Lifecycle{Kind: wire.LifecycleKind_LIFECYCLE_KIND_STOPPING}))
	c.Flush()
}

// Stats returns the counters. It is safe for concurrent use.
func (c *Collector) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// lifecycle returns an event of the agent or of one of its parts.
func (c *Collector) lifecycle(l *wire.Lifecycle) *wire.Event {
	l.Version = c.opts.Version
	return &wire.Event{Body: &wire.Event_Lifecycle{Lifecycle: l}}
}
