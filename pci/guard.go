package pci

import (
	"errors"
	"fmt"
	"sync/atomic"

	"google.golang.org/protobuf/proto"
)

// Packer makes one telemetry block of encoded events, in their order. It must be a pure encoding: everything in its
// result comes from the events.
type Packer func(events [][]byte) ([]byte, error)

// Guard decides what may be recorded (PCI DSS 3.3.1, 3.5.1). It is safe for concurrent use.
type Guard struct {
	pack    Packer
	refused atomic.Uint64
}

// NewGuard returns a guard that makes blocks with pack. A nil pack is allowed where [Guard.Pack] isn't used.
func NewGuard(pack Packer) *Guard { return &Guard{pack: pack} }

// Check walks all of m and returns its deterministic encoding. The error is a *[Violation]. m must not change
// meanwhile.
func (g *Guard) Check(m proto.Message) (Clean, error) {
	if err := g.Inspect(m); err != nil {
		return Clean{}, err
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		// A string that is not UTF-8, or a required field that is missing. The error may quote the message.
		return Clean{}, g.refuse(&Violation{Kind: KindUncheckable})
	}
	if b == nil {
		b = []byte{}
	}
	return Clean{bytes: b, checked: true}, nil
}

// Inspect walks all of m as [Guard.Check] does, for messages that are acted upon and not recorded. The error is a
// *[Violation]. m must not change meanwhile.
func (g *Guard) Inspect(m proto.Message) error {
	if m == nil || !m.ProtoReflect().IsValid() {
		return g.refuse(&Violation{Kind: KindUncheckable})
	}
	if v := walk(m.ProtoReflect(), 0); v != nil {
		return g.refuse(v)
	}
	return nil
}

// Pack makes one block of events that were checked. The events are not looked at again: what was checked is what is
// packed. It fails when an event is the zero [Clean], and when the packer fails.
func (g *Guard) Pack(events []Clean) (Clean, error) {
	if g.pack == nil {
		return Clean{}, errors.New("cannot pack events: the guard has no packer")
	}
	encoded := make([][]byte, len(events))
	for i, e := range events {
		if !e.checked {
			return Clean{}, fmt.Errorf("cannot pack events: event %d was not checked", i)
		}
		encoded[i] = e.bytes
	}
	b, err := g.pack(encoded)
	if err != nil {
		return Clean{}, fmt.Errorf("cannot pack %d events: %w", len(events), err)
	}
	if b == nil {
		b = []byte{}
	}
	return Clean{bytes: b, checked: true}, nil
}

// Refused returns how many messages were refused since the guard was made.
func (g *Guard) Refused() uint64 { return g.refused.Load() }

func (g *Guard) refuse(v *Violation) error {
	g.refused.Add(1)
	return v
}
