package blocktest

import (
	"math"
	"math/rand/v2"

	"github.com/stampd/stampd/uplink/wire"
)

// modem is an LTE modem that stays in one place: its signal wanders by some decibels over a quarter of an hour, fades a
// little from reading to reading, and once in a while it takes another cell. One in ten sits between two cells and
// changes every few minutes. RSSI, RSRP and RSRQ hang together as they must (3GPP TS 36.214 clause 5.1.3).
type modem struct {
	operator string
	roaming  bool
	cells    []cell
	at       int     // index into cells
	restless float64 // chance of another cell in a round
	shadow   float64 // dB off the cell's mean
	load     float64 // dB of interference
	celsius  float64
}

// cell is one cell as the modem hears it.
type cell struct {
	id   uint64
	area uint32
	rsrp float64 // dBm
	sinr float64 // dB
}

// resourceBlocks is 10·log10 of the 50 resource blocks of a 10 MHz cell.
var resourceBlocks = 10 * math.Log10(50)

func newModem(rng *rand.Rand) modem {
	m := modem{
		operator: []string{"Telekom.de", "vodafone", "o2 - de", "Orange F"}[rng.IntN(4)],
		roaming:  chance(rng, 0.1),
		restless: 0.003,
		load:     between(rng, 0, 4),
		celsius:  between(rng, 34, 44),
	}
	if chance(rng, 0.1) {
		m.restless = 0.08
	}
	area := uint32(rng.IntN(1 << 16))
	station := uint64(rng.IntN(1 << 20))
	for range 2 + rng.IntN(3) {
		m.cells = append(m.cells, cell{
			id: station<<8 | uint64(rng.IntN(12)), area: area,
			rsrp: between(rng, -112, -78), sinr: between(rng, 2, 22),
		})
		if chance(rng, 0.5) {
			station = uint64(rng.IntN(1 << 20))
		}
		if chance(rng, 0.2) {
			area++
		}
	}
	return m
}

// pass lets a round pass.
func (m *modem) pass(rng *rand.Rand, w work) {
	if chance(rng, m.restless) {
		m.at = rng.IntN(len(m.cells))
	}
	m.shadow = 0.97*m.shadow + normal(rng, 0, 0.6)
	m.load = max(0, 0.95*m.load+0.05*2+normal(rng, 0, 0.35))
	heat := 0.02 * (40 - m.celsius)
	if w.sync {
		heat += 1.5
	}
	m.celsius += heat + 0.15*float64(w.payments) + normal(rng, 0, 0.12)
}

func (m *modem) read(rng *rand.Rand) *wire.Modem {
	c := m.cells[m.at]
	rsrp := c.rsrp + m.shadow + normal(rng, 0, 0.7)
	rsrq := -7.5 - m.load + normal(rng, 0, 0.5)
	rssi := rsrp + resourceBlocks - rsrq
	sinr := c.sinr + 0.8*m.shadow - 0.7*m.load + normal(rng, 0, 1)
	registration := uint32(1)
	if m.roaming {
		registration = 5
	}
	return &wire.Modem{
		Name:                   "ttyUSB2",
		Registration:           new(registration),
		AccessTechnology:       new(uint32(7)),
		Operator:               m.operator,
		RssiDbm:                new(int32(math.Round(rssi))),
		RsrpDecidbm:            new(int32(quantum(10*rsrp, 10))),
		RsrqDecidb:             new(int32(quantum(10*rsrq, 10))),
		SinrDecidb:             new(int32(quantum(10*min(30, sinr), 10))),
		AreaCode:               new(c.area),
		CellId:                 new(c.id),
		TemperatureDecicelsius: new(int32(quantum(10*m.celsius, 10))),
	}
}
