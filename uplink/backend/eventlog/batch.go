package eventlog

import (
	"fmt"
	"math"
	"time"

	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

// Limits of a batch.
const (
	// MaxRecords is the most records that a batch, and the most events that a telemetry block may have.
	MaxRecords = 1000
	// MaxLost is the most lost ranges that a batch may have.
	MaxLost = 1000
	// MaxRecordBytes is the size of the largest record that is read. A larger one is kept, and rejected by name.
	MaxRecordBytes = 256 << 10
)

// chainLength is how many bytes of a chain's head a batch carries.
const chainLength = 8

// Range is the numbers from From to To, both included.
type Range struct {
	From, To uint64
}

// Batch is consecutive records of one lane, as a terminal sent them. The log doesn't change it, and doesn't keep its
// memory once [Log.Append] has returned nil or a *[GapError] or *[InvalidError].
type Batch struct {
	ID       identity.ID // from the verified certificate
	Epoch    [16]byte
	Lane     wire.Lane
	FirstSeq uint64   // the seq of the first record; ignored without records
	Records  [][]byte // the others follow without a gap, but for the numbers in Lost
	Chain    []byte   // the first 8 bytes of the terminal's chain after the last record; ledger lane only
	Lost     []Range  // in the ledger lane only after damage at the terminal; its chain then differs, which is an alarm

	Boot *BootClock // of the boot that the terminal is in, as it told in its Hello; nil when it didn't

	Received     time.Time
	Gateway      string
	AgentVersion string
}

// Result is what became of a batch.
type Result struct {
	Through      uint64   // everything of the lane up to here is stored
	Chain        [32]byte // the log's own chain there; zero in the telemetry lane
	Stored       int      // records that were new
	Rejects      []Reject // records of the batch that could not be read, new or not
	ChainDiffers bool     // the terminal's chain is not the log's: an alarm, stored with the records
}

// Reject names a record that was stored and could not be read.
type Reject struct {
	Seq    uint64
	Reason wire.RejectReason
}

// GapError says that a batch begins after the number that comes next. Nothing of it was stored.
type GapError struct {
	Want uint64 // the number that comes next
	Got  uint64 // the number that came
}

// Error names both numbers.
func (e *GapError) Error() string {
	return fmt.Sprintf("gap in seq: want %d, got %d", e.Want, e.Got)
}

// InvalidError says that a batch makes no sense. Nothing of it was stored.
type InvalidError struct {
	Reason string // what is wrong with it, without any of its contents
}

// Error returns the reason.
func (e *InvalidError) Error() string { return "invalid batch: " + e.Reason }

func invalid(format string, args ...any) error {
	return &InvalidError{Reason: fmt.Sprintf(format, args...)}
}

// check returns an *InvalidError unless the batch makes sense by itself.
func (b *Batch) check() error {
	if err := b.ID.Validate(); err != nil {
		return invalid("%v", err)
	}
	if err := b.Boot.check(); err != nil {
		return err
	}
	if len(b.Records) == 0 && len(b.Lost) == 0 {
		return invalid("no records")
	}
	if n := len(b.Records); n > MaxRecords {
		return invalid("%d records, at most %d are taken", n, MaxRecords)
	}
	if n := len(b.Lost); n > MaxLost {
		return invalid("%d lost ranges, at most %d are taken", n, MaxLost)
	}
	if len(b.Records) > 0 && b.FirstSeq == 0 {
		return invalid("first seq is 0")
	}
	switch b.Lane {
	case wire.Lane_LANE_LEDGER:
		if len(b.Chain) != chainLength {
			return invalid("chain has %d bytes, want %d", len(b.Chain), chainLength)
		}
	case wire.Lane_LANE_TELEMETRY:
		if len(b.Chain) != 0 {
			return invalid("the telemetry lane has no chain")
		}
	default:
		return invalid("no such lane")
	}
	return b.checkNumbers()
}

// checkNumbers returns an *InvalidError unless the lost ranges are in order, overlap neither each other nor the records,
// and leave every number below 2^64-1.
func (b *Batch) checkNumbers() error {
	var last uint64
	for _, r := range b.Lost {
		if r.From <= last || r.To < r.From || r.To == math.MaxUint64 {
			return invalid("lost ranges are not in order")
		}
		last = r.To
	}
	seq, lost := b.FirstSeq, b.Lost
	for i := range b.Records {
		for len(lost) > 0 && lost[0].From <= seq {
			r := lost[0]
			lost = lost[1:]
			switch {
			case r.To < b.FirstSeq:
			case r.From == seq && i > 0:
				seq = r.To + 1
			default:
				return invalid("a lost range overlaps the records")
			}
		}
		if seq == math.MaxUint64 {
			return invalid("seq is too large")
		}
		seq++
	}
	return nil
}
