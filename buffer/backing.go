package buffer

import (
	"errors"
	"math"
	"os"
	"syscall"
)

// backedReserve is how much room on the disk is kept for the ledger, in bytes, unless its reserve is smaller: some 7,000
// payments.
const backedReserve = 4 << 20

// backing is the room on the disk that is the queue file's own, beyond what it uses: a disk that others have filled then
// takes payments all the same. bbolt would let the file grow by a hole, whose blocks are found when it is written to.
// Commits alone use it.
type backing struct {
	path    string
	limit   int64 // how large the file may get
	reserve int64 // the part of the backed room that telemetry may not use
	spare   int64 // how much more is asked for, so that the journal can always be emptied
	bytes   int64 // how far the file's blocks are its own
}

func newBacking(o Options) backing {
	journal := journalSize(o.MaxSize)
	return backing{path: o.Path, limit: o.MaxSize - journal, reserve: min(o.LedgerReserve, backedReserve), spare: 2 * journal}
}

// extend asks the disk for room beyond what the file uses, and need bytes more.
func (b *backing) extend(used, need int64) {
	target := min(used+need+b.reserve+b.spare, b.limit)
	if b.bytes >= target {
		return
	}
	f, err := os.OpenFile(b.path, os.O_RDWR, 0)
	if err != nil {
		b.bytes = math.MaxInt64
		return
	}
	defer f.Close()
	for b.bytes < target {
		step := min(target-b.bytes, growStep)
		err := syscall.Fallocate(int(f.Fd()), 0, b.bytes, step)
		switch {
		case err == nil:
			b.bytes += step
		case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
			b.bytes = max(b.bytes, used)
			return
		default: // not to be had here: the disk has room, or says otherwise when it is written to
			b.bytes = math.MaxInt64
			return
		}
	}
}

// room returns how much the file may use: all of it, or without what only the ledger may.
func (b *backing) room(reserve int64, ledger bool) int64 {
	if ledger {
		return min(b.limit, b.bytes)
	}
	return min(b.limit-reserve, b.bytes-b.reserve)
}
