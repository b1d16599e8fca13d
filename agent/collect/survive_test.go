package collect_test

import (
	"context"
	"testing"
	"time"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/uplink/wire"
)

// faulty is a battery that can be read once, and whose driver panics from then on.
type faulty struct{ read bool }

func (*faulty) Name() string { return "faulty" }

func (f *faulty) Read(context.Context) (*wire.Battery, error) {
	if f.read {
		panic("a driver's fault")
	}
	f.read = true
	return &wire.Battery{Name: f.Name()}, nil
}

// A fault in what reads a battery costs the batteries, and nothing else of the terminal.
func TestCollectorSurvivesFaults(t *testing.T) {
	t.Parallel()
	board := hal.Open(hal.Profile{SysRoot: t.TempDir(), SystemBus: hal.NoBus, Batteries: []hal.Battery{new(faulty)}})
	t.Cleanup(board.Close)
	opts := quiet()
	opts.Board, opts.HostEvery, opts.BatteryEvery, opts.BlockEvery = board, 50*time.Millisecond, 50*time.Millisecond, time.Millisecond
	b := run(t, opts)
	defer b.stop()
	await(t, "host", b, 4, isHost)
}
