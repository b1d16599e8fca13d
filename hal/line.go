package hal

import (
	"context"
	"time"
)

// Line is one input of a chip with general-purpose lines, held open. haltest.TestLine is what every implementation must pass.
//
// A Line is read by one goroutine. Close may be called by any, and ends what waits.
type Line interface {
	// Read returns whether the line is active now. It drives nothing and turns no output into an input. The error wraps
	// ErrGone when the chip is no longer there.
	Read() (active bool, err error)

	// Wait returns true when the line changed, or changed since the last call, and false after the timeout or when ctx
	// ends. All changes until then count as one. With a timeout of 0 it does not wait. The error wraps ErrGone when the
	// chip is no longer there, as far as its driver tells: a chip that goes may leave a wait without an answer.
	Wait(ctx context.Context, timeout time.Duration) (changed bool, err error)

	// Close lets go of the line. Nothing of it is open after that.
	Close() error
}

// Pull is what holds a line while its switch is open.
type Pull int

// What can hold a line.
const (
	PullAsIs Pull = 0 // what the board has: nothing is changed
	PullUp   Pull = 1
	PullDown Pull = 2
	PullOff  Pull = 3
)

// Pin says where a switch is connected.
type Pin struct {
	// Chip is the chip's name ("gpiochip0"), its label ("pinctrl-bcm2835") or its device ("/dev/gpiochip0"). Empty means any
	// chip that has a line of that name.
	Chip string
	// Line is the line's name, or its number on the chip.
	Line string
	// ActiveLow means that the switch pulls the line down when it is active.
	ActiveLow bool
	// Pull is what holds the line. A line that a board holds by itself needs nothing.
	Pull Pull
	// Debounce is how long the line must be at rest to count. Zero means 50 ms.
	Debounce time.Duration
}
