package blocktest

import (
	"math"
	"math/rand/v2"

	"github.com/stampd/stampd/uplink/wire"
)

// app is the POS app. It takes memory for a payment, gives most of it back, and collects its garbage every few minutes.
type app struct {
	age      uint64 // seconds of uptime at its start
	resident float64
	usual    float64 // pages
	ticks    uint64
	idle     float64 // share of one core
	threads  int
	files    int
	burst    int // threads and files that a payment has open
}

func newApp(rng *rand.Rand) app {
	usual := between(rng, 120<<20, 260<<20) / page
	return app{
		age:      uint64(between(rng, 20, 600)),
		resident: usual,
		usual:    usual,
		ticks:    uint64(between(rng, 1e3, 1e6)),
		idle:     between(rng, 0.004, 0.012),
		threads:  28 + rng.IntN(16),
		files:    70 + rng.IntN(60),
	}
}

// pass lets time pass.
func (a *app) pass(rng *rand.Rand, seconds float64, w work) {
	used := seconds*max(0, normal(rng, a.idle, 0.0008)) + float64(w.payments)*between(rng, 0.9, 2.2)
	if w.sync {
		used += between(rng, 2, 6)
	}
	a.ticks += uint64(math.Round(used / tick))
	a.resident += float64(w.payments)*between(rng, 40, 400) + float64(poisson(rng, 0.6))
	if chance(rng, seconds/400) {
		a.resident += 0.8 * (a.usual - a.resident)
	}
	a.burst = 0
	if w.payments > 0 && chance(rng, 0.4) { // one is under way
		a.burst = 2 + rng.IntN(3)
	}
	if chance(rng, 0.02) {
		a.files += rng.IntN(3) - 1
	}
}

func (a *app) read(uptime uint64) *wire.AppPerformance {
	return &wire.AppPerformance{
		App:           "pos",
		Version:       "7.14.2",
		RssBytes:      new(uint64(a.resident) * page),
		CpuMs:         new(a.ticks * 10),
		Threads:       new(uint32(a.threads + a.burst/2)),
		OpenFiles:     new(uint32(a.files + a.burst)),
		UptimeSeconds: new(uptime - min(uptime, a.age)),
	}
}
