package block

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// plainTag is the tag of TelemetryBlock.events, with which the plain form of a block begins: it is the encoding of a
// wire.TelemetryBlock.
const plainTag = 1<<3 | byte(protowire.BytesType)

var errPlain = errors.New("it is not a TelemetryBlock")

// plain returns the plain form of a block.
func plain(events [][]byte) []byte {
	block := make([]byte, 0, plainSize(events))
	for _, e := range events {
		block = append(block, plainTag)
		block = protowire.AppendBytes(block, e)
	}
	return block
}

// plainSize returns how long the plain form of a block is.
func plainSize(events [][]byte) int {
	size := 0
	for _, e := range events {
		size += 1 + protowire.SizeBytes(len(e))
	}
	return size
}

// splitPlain opens a block in the plain form.
func splitPlain(block []byte) ([][]byte, error) {
	var events [][]byte
	size := 0
	for len(block) > 0 {
		if block[0] != plainTag {
			return nil, errPlain
		}
		event, n := protowire.ConsumeBytes(block[1:])
		if n < 0 {
			return nil, errPlain
		}
		if size += len(event); size > MaxBytes {
			return nil, errMemory
		}
		if len(events) == MaxEvents {
			return nil, errCount
		}
		events = append(events, append(make([]byte, 0, len(event)), event...))
		block = block[1+n:]
	}
	return events, nil
}
