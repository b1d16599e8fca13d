package hal

import (
	"context"
	"errors"

	"github.com/stampd/stampd/uplink/wire"
)

// Why a part can't be read. The texts go into [Part] and from there into events: they hold nothing from outside.
var (
	// ErrGone means that the part is not there now.
	ErrGone = errors.New("not there")
	// ErrHung means that the part is there and did not answer in time.
	ErrHung = errors.New("does not answer in time")
	// ErrTaken means that another program, or the kernel, has the part.
	ErrTaken = errors.New("in use by another program")
	// ErrUnsteady means that a switch does not come to rest.
	ErrUnsteady = errors.New("does not come to rest")
	// ErrDenied means that the agent may not open the part.
	ErrDenied = errors.New("may not be opened")
	// ErrUnusable means that the part answered, and nothing in its answer makes sense.
	ErrUnusable = errors.New("answers with nothing usable")
)

// Battery is one battery, by one driver. haltest.TestBattery is what every implementation must pass.
//
// A Battery is safe for concurrent use, is never written to, and outlives the hardware: it may be read before the
// battery is there and after it was taken out.
type Battery interface {
	// Name returns the kernel's or the driver's name for it, the same at every call: 1 to 64 characters.
	Name() string

	// Read returns what the battery says now. What it does not say, or says out of range, is unset. The caller owns
	// the reading.
	//
	// Read returns within a few seconds, whatever the hardware does, and at once when ctx ends. The error wraps
	// ErrGone, ErrHung, ErrTaken, ErrDenied or ErrUnusable, or is ctx's own.
	Read(ctx context.Context) (*wire.Battery, error)
}

// noter is a Battery that has something to say to a technician beside its readings.
type noter interface {
	// Note returns it in a few words of the driver's own, or nothing.
	Note() string
}

// rawer is a Battery that can show what its last reading was made from.
type rawer interface {
	// Raw returns it as the hardware, or the kernel's driver, said it.
	Raw() string
}

// batteryDriver finds batteries in one way. What it lists may differ from call to call, as batteries come and go; the
// same battery is the same value each time.
type batteryDriver struct {
	name string
	list func(ctx context.Context) ([]Battery, error)
}
