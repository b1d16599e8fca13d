// Package blocktest makes the readings of terminals that do not exist, for the tests and benchmarks of telemetry.
//
// A [Terminal] stands in a shop that is open: it takes payments, hangs on a charger or is carried about, and has cells
// around it. What it reads follows from that: a payment draws current, heats the processor, moves counters and takes
// memory in the same round. Every value has the resolution that the drivers of the hal package have: battery gauges of
// the BQ27 family (1 mV, 1 mA, 0.1 K), modems that report whole decibels and degrees, MemAvailable in pages of 4 KiB,
// processor time in ticks of 10 ms. It is deterministic: the same seed and number give the same readings.
//
// It is for tests and for load; it reads no hardware and no clock.
package blocktest

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// Jitter is the random part of the pause between readings that the agent has by default.
const Jitter = 0.1

// Options says which terminal it is, and when it is read.
type Options struct {
	// Seed and Number choose the terminal: another number is another terminal of the same fleet.
	Seed, Number uint64
	// Start is when the first round is due. Zero means 2026-03-02T08:00:00Z.
	Start time.Time
	// Every is the pause between rounds. Zero means 30 seconds.
	Every time.Duration
	// Jitter is how late a round may be, as a part of the pause: each is late by a random time of its own, evenly
	// distributed from 0. Range: 0 to 0.5.
	Jitter float64
	// Times is which readings have a time of their own.
	Times Times
	// Payments is how many payments are taken in an hour on average. Zero means 4: some 40 on a day.
	Payments float64
}

// Times says which readings have a time of their own.
type Times int

const (
	// TimesByRound gives all readings of a round the same time.
	TimesByRound Times = 0
	// TimesByReading has the readings of a round follow each other within milliseconds.
	TimesByReading Times = 1
	// TimesByKind has each kind of reading late by a random time of its own.
	TimesByKind Times = 2
)

// Terminal is one terminal. It is not safe for concurrent use.
type Terminal struct {
	opts Options
	rng  *rand.Rand

	round   int
	clock   clock
	battery battery
	modem   modem
	host    host
	app     app
}

// New returns a terminal before its first round.
func New(opts Options) *Terminal {
	if opts.Start.IsZero() {
		opts.Start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	}
	if opts.Every == 0 {
		opts.Every = 30 * time.Second
	}
	if opts.Payments == 0 {
		opts.Payments = 4
	}
	t := &Terminal{opts: opts, rng: rand.New(rand.NewPCG(opts.Seed, opts.Number))}
	t.clock = newClock(t.rng)
	t.battery = newBattery(t.rng)
	t.modem = newModem(t.rng)
	t.host = newHost(t.rng)
	t.app = newApp(t.rng)
	return t
}

// Round returns the next readings: a [wire.Battery], a [wire.Modem], a [wire.Host] and a [wire.AppPerformance], in the
// order of their times. Together they carry 27 measured values, and the names, states and sizes that come with them. The
// caller owns them.
func (t *Terminal) Round() []*wire.Event {
	seconds := t.opts.Every.Seconds()
	work := t.work(seconds)
	t.battery.pass(t.rng, seconds, work)
	t.modem.pass(t.rng, work)
	t.host.pass(t.rng, seconds, work)
	t.app.pass(t.rng, seconds, work)

	readings := []reading{
		{4, 12, func(uint64) *wire.Event { // sysfs, over I²C
			return &wire.Event{Body: &wire.Event_Battery{Battery: t.battery.read(t.rng)}}
		}},
		{88, 104, func(uint64) *wire.Event { // five AT commands
			return &wire.Event{Body: &wire.Event_Modem{Modem: t.modem.read(t.rng)}}
		}},
		{2, 5, func(uptime uint64) *wire.Event { // procfs
			return &wire.Event{Body: &wire.Event_Host{Host: t.host.read(uptime)}}
		}},
		{1, 3, func(uptime uint64) *wire.Event { // procfs
			return &wire.Event{Body: &wire.Event_AppPerformance{AppPerformance: t.app.read(uptime)}}
		}},
	}
	due := make([]time.Time, len(readings))
	for i := range due {
		if due[i] = t.due(); t.opts.Times != TimesByKind {
			due[i] = due[0]
		}
	}
	t.round++
	order := []int{0, 1, 2, 3}
	slices.SortStableFunc(order, func(a, b int) int { return due[a].Compare(due[b]) })

	var events []*wire.Event
	for _, i := range order {
		t.clock.reach(due[i])
		uptime := t.clock.uptime()
		if i == 0 || t.opts.Times != TimesByRound {
			t.clock.advance(t.rng, readings[i].least, readings[i].most)
		}
		event := readings[i].read(uptime)
		event.Clock = t.clock.now()
		events = append(events, event)
	}
	return events
}

// reading is one thing that is read each round, and how many milliseconds that takes.
type reading struct {
	least, most float64
	read        func(uptime uint64) *wire.Event
}

// due draws when something is due in this round.
func (t *Terminal) due() time.Time {
	due := t.opts.Start.Add(time.Duration(t.round) * t.opts.Every)
	return due.Add(time.Duration(t.rng.Float64() * t.opts.Jitter * float64(t.opts.Every)))
}

// work is what the terminal had to do since the last round, beside waiting.
type work struct {
	payments int
	sync     bool // the POS app fetched its catalogue
}

// work draws what happens in that many seconds: payments, and a sync every four hours.
func (t *Terminal) work(seconds float64) work {
	return work{payments: poisson(t.rng, seconds/3600*t.opts.Payments), sync: chance(t.rng, seconds/14400)}
}

// chance is true with probability p.
func chance(rng *rand.Rand, p float64) bool { return rng.Float64() < p }

// normal draws from a normal distribution.
func normal(rng *rand.Rand, mean, deviation float64) float64 {
	return mean + deviation*rng.NormFloat64()
}

// between draws evenly.
func between(rng *rand.Rand, low, high float64) float64 { return low + (high-low)*rng.Float64() }

// poisson draws how often something happens that happens so often on average (Knuth, TAOCP 3.4.1).
func poisson(rng *rand.Rand, mean float64) int {
	n, p, limit := -1, 1.0, math.Exp(-mean)
	for p > limit {
		p *= rng.Float64()
		n++
	}
	return n
}

// quantum rounds to a multiple of step.
func quantum(v, step float64) int64 { return int64(math.Round(v/step)) * int64(step) }
