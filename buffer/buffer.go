// Package buffer is the terminal's queue: what was acknowledged to the POS app is in it, on disk, until the backend has
// said that it stored it.
//
// A queue has two lanes. The ledger lane holds payments, stamps and audit events; an append is durable before it
// returns, and nothing in it is ever dropped. The telemetry lane holds blocks of readings; they stay in memory while the
// uplink is quick and are written only when it is not, and the oldest make room when space runs out.
//
// The queue takes nothing but [pci.Clean], so what no guard has checked can't be stored. FORMAT.md describes the file
// byte by byte. The package neither sends anything nor looks into a record.
package buffer

import (
	"encoding/hex"
	"fmt"
)

// Lane is an ordered stream of records with its own numbering. The values reach disk and wire.
type Lane uint8

// The lanes.
const (
	Ledger    Lane = 1 // payments, stamps, audit: never dropped, hash-chained
	Telemetry Lane = 2 // blocks of readings: the oldest make room
)

// String returns the lane's name.
func (l Lane) String() string {
	switch l {
	case Ledger:
		return "ledger"
	case Telemetry:
		return "telemetry"
	}
	return fmt.Sprintf("lane %d", uint8(l))
}

// Epoch is a random id within which a lane's numbers are unique: for the ledger one opening of the queue file, for
// telemetry one run of the process.
type Epoch [16]byte

// String returns the epoch in hexadecimal.
func (e Epoch) String() string { return hex.EncodeToString(e[:]) }

// LaneID names one lane in one epoch.
type LaneID struct {
	Lane  Lane
	Epoch Epoch
}

// String returns a short name for logs.
func (id LaneID) String() string { return id.Lane.String() + "/" + hex.EncodeToString(id.Epoch[:4]) }

// LaneState is what the queue holds of one lane in one epoch.
type LaneState struct {
	LaneID
	Oldest   uint64 // the oldest seq still held; equal to Next when nothing is
	Next     uint64 // the seq that the next record gets; 1 in a new epoch
	Acked    uint64 // everything up to here was stored by the backend; 0 is nothing
	InMemory uint64 // records of the lane that are not on disk
}

// Depth returns how many records wait for the backend.
func (s LaneState) Depth() uint64 {
	oldest := max(s.Oldest, s.Acked+1)
	if oldest >= s.Next {
		return 0
	}
	return s.Next - oldest
}

// ChainLength is how many bytes of a ledger record's chain head are compared with the backend.
const ChainLength = 8

// Record is one numbered payload, as the uplink sends it.
type Record struct {
	Seq     uint64
	Payload []byte            // nil when the stored bytes can't be opened: they are damaged, or their key is gone
	Chain   [ChainLength]byte // the start of the hash chain's head after this record; ledger lane only
}
