package haltest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
)

// BusFault is a way in which a bus can be out of order.
type BusFault int

// The faults of a bus.
const (
	BusWorks    BusFault = 0
	BusHangs    BusFault = 1 // a transfer does not end until the fault is another
	BusNACKs    BusFault = 2 // nobody answers
	BusTimesOut BusFault = 3 // nobody answers, and the adapter takes that for a hang, as a CP2112 does
	BusIsHigh   BusFault = 4 // every answer is ones: the chip has no power
	BusIsLow    BusFault = 5 // every answer is zeros
	BusFlips    BusFault = 6 // each answer has one wrong bit
	BusIsGone   BusFault = 7 // the adapter is unplugged: it can't be opened either
)

// Bus is an I²C bus in memory, with chips that have registers, and with faults. It refuses whatever writes to a chip. It is
// safe for concurrent use.
type Bus struct {
	mu     sync.Mutex // guards all below
	chips  map[uint16]map[byte][]byte
	fault  BusFault
	healed chan struct{} // closed when the fault changes
	opened int           // how often it is open now
	wrote  int           // transfers that wrote more than the number of a register
}

// NewBus returns a bus without chips.
func NewBus() *Bus {
	return &Bus{chips: make(map[uint16]map[byte][]byte), healed: make(chan struct{})}
}

// Open returns a handle of the bus, as opening its device does.
func (b *Bus) Open() (i2c.BusCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fault == BusIsGone {
		return nil, fmt.Errorf("cannot open bus: %w", syscall.ENOENT)
	}
	b.opened++
	return &busHandle{bus: b}, nil
}

// Opened returns how many handles are open.
func (b *Bus) Opened() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.opened
}

// Wrote returns how many transfers wrote more than the number of a register, all of which were refused.
func (b *Bus) Wrote() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wrote
}

// Set puts a register into the chip at an address, which is there from then on: the bytes that it answers with. What is read
// beyond them is ones.
func (b *Bus) Set(address uint16, register byte, answer ...byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.chips[address] == nil {
		b.chips[address] = make(map[byte][]byte)
	}
	b.chips[address][register] = bytes.Clone(answer)
}

// Remove takes the chip at an address away.
func (b *Bus) Remove(address uint16) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.chips, address)
}

// Fail puts the bus out of order, or with BusWorks back in.
func (b *Bus) Fail(fault BusFault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault = fault
	close(b.healed)
	b.healed = make(chan struct{})
}

// tx is a transfer.
func (b *Bus) tx(address uint16, w, r []byte) error {
	for {
		b.mu.Lock()
		healed := b.healed
		if b.fault != BusHangs {
			defer b.mu.Unlock()
			return b.answer(address, w, r)
		}
		b.mu.Unlock()
		<-healed
	}
}

// answer answers a transfer on a bus that does not hang. b.mu must be held.
func (b *Bus) answer(address uint16, w, r []byte) error {
	if len(w) != 1 {
		b.wrote++
		return fmt.Errorf("bus: refused to write %d bytes to %#02x", len(w), address)
	}
	switch b.fault {
	case BusNACKs:
		return busErrno(syscall.ENXIO)
	case BusTimesOut:
		return busErrno(syscall.ETIMEDOUT)
	case BusIsGone:
		return busErrno(syscall.ENODEV)
	case BusIsHigh, BusIsLow:
		for i := range r {
			r[i] = map[BusFault]byte{BusIsHigh: 0xFF, BusIsLow: 0}[b.fault]
		}
		return nil
	}
	answer, there := b.chips[address][w[0]]
	if !there {
		return busErrno(syscall.EREMOTEIO)
	}
	for i := range r {
		r[i] = 0xFF
	}
	copy(r, answer)
	if b.fault == BusFlips {
		r[rand.N(len(r))] ^= 1 << rand.N(8)
	}
	return nil
}

// busErrno returns an error as periph's bus does: an errno, as its text alone.
func busErrno(errno syscall.Errno) error { return errors.New("sysfs-i2c: " + errno.Error()) }

// busHandle is one open handle of a bus.
type busHandle struct {
	bus    *Bus
	closed sync.Once
}

// Tx makes a transfer.
func (h *busHandle) Tx(address uint16, w, r []byte) error { return h.bus.tx(address, w, r) }

// Close closes the handle.
func (h *busHandle) Close() error {
	h.closed.Do(func() {
		h.bus.mu.Lock()
		defer h.bus.mu.Unlock()
		h.bus.opened--
	})
	return nil
}

// String returns a name for the bus.
func (h *busHandle) String() string { return "haltest" }

// SetSpeed does nothing.
func (h *busHandle) SetSpeed(physic.Frequency) error { return nil }
