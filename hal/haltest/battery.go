package haltest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/uplink/wire"
)

// hangLimit is how long a hanging Battery lets a reader wait.
const hangLimit = time.Second

// Battery is a battery that does as it is told. It is safe for concurrent use.
type Battery struct {
	name string

	mu      sync.Mutex // guards all below
	reading *wire.Battery
	err     error
	reads   int
	changed chan struct{} // closed at the next change
}

var _ hal.Battery = (*Battery)(nil)

// NewBattery returns a battery that reads as given, and has the reading's name.
func NewBattery(reading *wire.Battery) *Battery {
	return &Battery{name: reading.GetName(), reading: proto.CloneOf(reading), changed: make(chan struct{})}
}

// Name returns the name of the reading that the battery was made with.
func (b *Battery) Name() string { return b.name }

// Read returns the reading or the error that the battery was told.
func (b *Battery) Read(ctx context.Context) (*wire.Battery, error) {
	b.mu.Lock()
	reading, err, changed := b.reading, b.err, b.changed
	b.reads++
	b.mu.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if errors.Is(err, hal.ErrHung) {
		limit := time.NewTimer(hangLimit)
		defer limit.Stop()
		select {
		case <-changed:
			return b.Read(ctx)
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-limit.C:
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read battery %s: %w", b.name, err)
	}
	reading = proto.CloneOf(reading)
	reading.Name = b.name
	return reading, nil
}

// Set makes the battery read as given from now on.
func (b *Battery) Set(reading *wire.Battery) { b.change(proto.CloneOf(reading), nil) }

// Fail makes the battery fail from now on, with hal.ErrGone, hal.ErrUnusable, or hal.ErrHung after a second.
func (b *Battery) Fail(err error) { b.change(nil, err) }

// Reads returns how often the battery was read.
func (b *Battery) Reads() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reads
}

func (b *Battery) change(reading *wire.Battery, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading, b.err = reading, err
	close(b.changed)
	b.changed = make(chan struct{})
}
