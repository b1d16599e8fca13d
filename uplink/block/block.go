// Package block packs telemetry events into blocks of few bytes, and opens blocks again.
//
// It is what the agent gives to its pci.Guard as packer, and what the backend opens records of the telemetry lane with.
// A block is a pure encoding of its events: they come out byte for byte as they went in, in the same order, and the same
// events always make the same block. FORMAT.md describes it.
//
// Events are encoded messages of wire.Event. What Encode needs to know of their schema it takes from the descriptor, and
// writes what it found into the block: new fields and kinds of events need no code here, and a reader needs no schema
// at all. Bytes that are no such message are kept as they are.
//
// The package reads no clock, writes no file and keeps nothing between calls, all of which are safe for concurrent use.
package block

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/stampd/stampd/uplink/wire"
)

const (
	// MaxEvents is how many events a block holds at most.
	MaxEvents = 1000
	// MaxBytes is how many bytes the events of a block have at most, together.
	MaxBytes = 1 << 20
)

// ErrVersion is the error of [Decode] for a block in a form that it does not know: of a newer version, or no block.
var ErrVersion = errors.New("unknown version")

// Encode returns a block of encoded events, which it neither changes nor keeps. The block is never longer than the
// wire.TelemetryBlock of these events. It fails only when there is no event, more than [MaxEvents], or more than
// [MaxBytes] of them.
func Encode(events [][]byte) ([]byte, error) {
	size := 0
	for _, e := range events {
		size += len(e)
	}
	switch {
	case len(events) == 0:
		return nil, errors.New("cannot encode a block of no events")
	case len(events) > MaxEvents:
		return nil, fmt.Errorf("cannot encode a block of %d events: the most is %d", len(events), MaxEvents)
	case size > MaxBytes:
		return nil, fmt.Errorf("cannot encode a block of %d bytes: the most is %d", size, MaxBytes)
	}
	packed, err := pack(events, (*wire.Event)(nil).ProtoReflect().Descriptor())
	if err != nil || len(packed) > plainSize(events) {
		return plain(events), nil
	}
	return packed, nil
}

// Decode returns the events of a block, which share no memory with it: at least one, at most [MaxEvents] and [MaxBytes].
//
// Blocks may come from anywhere: what Decode allocates is bounded by 256 KiB and 8,192 times the length of the block, and
// by 16 MiB, and what it decides by 65,536 and 512 times the length. It takes what [Encode] makes, and the encoding of a
// wire.TelemetryBlock. The error wraps [ErrVersion] when the block is in another form.
func Decode(block []byte) (events [][]byte, err error) {
	switch {
	case len(block) == 0:
		err = errors.New("it is empty")
	case block[0] == plainTag:
		events, err = splitPlain(block)
	case block[0] == version:
		events, err = unpack(block)
	default:
		err = fmt.Errorf("%w %d: this program knows %d", ErrVersion, block[0], version)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot decode block: %w", err)
	}
	return events, nil
}

// version is the first byte of a block. As the first byte of a protobuf message it would be a field with the number 0,
// which there is not.
const version = 1

const (
	countBits = 10
	checkBits = 32
)

var (
	errCount = errors.New("it has too many events")
	errCheck = errors.New("it is damaged")
)

// pack returns a block of columns. It fails when a reader would have to refuse the block.
func pack(events [][]byte, schema protoreflect.MessageDescriptor) ([]byte, error) {
	parts := newParser(events)
	starts := make([]int, len(events))
	for i, e := range events {
		starts[i] = len(parts.tokens)
		parts.event(e, schema)
	}
	t := newTable(parts, starts)
	planner := newPlanner(t)
	for _, f := range t.fields {
		planner.column(f)
	}

	p := newPass(newWriter([]byte{version}))
	p.strings = parts.strings
	p.raw(uint64(len(events)-1), countBits)
	p.shape(t.root, &usualEvent, 1)
	var out []byte
	var check uint32
	for _, e := range events {
		if out = p.event(out[:0]); p.err == nil && !bytes.Equal(out, e) {
			p.fail(errCheck)
		}
		check = crc32.Update(check, crc32.IEEETable, out)
	}
	p.raw(uint64(check), checkBits)
	if p.err != nil {
		return nil, p.err
	}
	block := p.finish()
	for !p.within(len(block)) {
		block = append(block, 0)
	}
	return block, nil
}

// unpack opens a block of columns.
func unpack(block []byte) ([][]byte, error) {
	p := newPass(newReader(block[1:]))
	p.allowed = limitsFor(len(block))
	count := int(p.raw(0, countBits)) + 1
	if count > MaxEvents {
		return nil, errCount
	}
	p.shape(&field{kind: kindMessage}, &usualEvent, 1)
	events := make([][]byte, count)
	var out []byte
	var check uint32
	size := 0
	for i := range events {
		out = p.event(out[:0])
		if size += len(out); size > MaxBytes {
			p.fail(errMemory)
		}
		if p.err != nil {
			return nil, p.err
		}
		events[i] = append(make([]byte, 0, len(out)), out...)
		check = crc32.Update(check, crc32.IEEETable, out)
	}
	if p.raw(0, checkBits) != uint64(check) || !p.ended() {
		return nil, errCheck
	}
	return events, nil
}
