package blocktest

import (
	"math"
	"math/rand/v2"

	"github.com/stampd/stampd/uplink/wire"
)

const (
	cores     = 4
	tick      = 0.01 // seconds of processor time
	page      = 4096 // bytes
	memory    = 1002 << 20
	partition = 5_801_181_184 // bytes
)

// host is a quad-core board with 1 GiB. Its logs grow by a block now and then and are rotated every few hours; packets go
// to and fro for heartbeats, payments and syncs.
type host struct {
	idle      float64 // share of one core, 0 to 1
	busy      float64 // share of all cores, in ticks
	load      float64
	available float64 // pages
	usual     float64 // pages
	free      int64   // blocks of 4 KiB
	logs      int64   // blocks that the next rotation frees
	received  uint64
	sent      uint64
	celsius   float64
	processes float64
	ticks     float64
}

func newHost(rng *rand.Rand) host {
	usual := between(rng, 300<<20, 480<<20) / page
	return host{
		idle:      between(rng, 0.08, 0.22),
		load:      0.2,
		available: usual,
		usual:     usual,
		free:      int64(between(rng, 1e9, 4.5e9) / page),
		logs:      int64(between(rng, 0, 400)),
		received:  uint64(between(rng, 1e6, 3e9)),
		sent:      uint64(between(rng, 1e6, 8e8)),
		celsius:   between(rng, 41, 52),
		processes: math.Round(between(rng, 96, 140)),
	}
}

// pass lets time pass.
func (h *host) pass(rng *rand.Rand, seconds float64, w work) {
	used := seconds*max(0.01, normal(rng, h.idle, 0.002)) + 3*float64(w.payments)*between(rng, 0.5, 1.5)
	if w.sync {
		used += between(rng, 4, 15)
	}
	if chance(rng, seconds/600) { // a job of cron
		used += between(rng, 1, 6)
	}
	h.busy = math.Round(used / tick)
	h.ticks = math.Round(seconds * cores / tick)
	running := float64(poisson(rng, min(4, 0.6*used/seconds)))
	h.load += (running - h.load) * (1 - math.Exp(-seconds/60))

	h.available += 0.15*(h.usual-h.available) + normal(rng, 0, 6) - float64(w.payments)*between(rng, 100, 700)
	h.usual -= between(rng, 0, 0.4) // something leaks

	var written int64
	if chance(rng, 0.25) {
		written = 1 + int64(poisson(rng, 0.3))
	}
	written += int64(w.payments) * int64(1+rng.IntN(3))
	if h.logs += written; h.logs > 512 {
		written -= h.logs
		h.logs = 0
	}
	h.free -= written

	for range poisson(rng, seconds/120) { // a heartbeat over TLS, and its acknowledgement
		h.received += uint64(52 + 91 + rng.IntN(12))
		h.sent += uint64(52 + 52 + 104 + rng.IntN(12))
	}
	for range w.payments {
		h.received += uint64(normal(rng, 5200, 300))
		h.sent += uint64(normal(rng, 2900, 250))
	}
	if w.sync {
		fetched := between(rng, 2e4, 3e5)
		h.received += uint64(fetched)
		h.sent += uint64(fetched / 28)
	}

	target := 44 + 40*used/(seconds*cores)
	h.celsius += (target-h.celsius)*0.1 + normal(rng, 0, 0.25)
	if chance(rng, 0.15) {
		h.processes = max(90, min(150, h.processes+math.Round(normal(rng, 0, 1))))
	}
}

func (h *host) read(uptime uint64) *wire.Host {
	return &wire.Host{
		CpuCentipercent:        new(uint32(math.Round(10000 * min(1, h.busy/h.ticks)))),
		Load1Centi:             new(uint32(math.Round(100 * h.load))),
		MemoryTotalBytes:       new(uint64(memory)),
		MemoryAvailableBytes:   new(uint64(max(1, h.available)) * page),
		DiskTotalBytes:         new(uint64(partition)),
		DiskFreeBytes:          new(uint64(h.free) * page),
		NetworkReceivedBytes:   new(h.received),
		NetworkSentBytes:       new(h.sent),
		TemperatureDecicelsius: new(int32(quantum(10*h.celsius, 5))), // a sensor of 0.5 °C
		UptimeSeconds:          new(uptime),
		Processes:              new(uint32(h.processes)),
	}
}
