package ledger

import (
	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
)

// opTombstone is the rows of accounts that were erased. The value reaches the disk.
const opTombstone operation = 'T'

func tombstoneKey(ref loyalty.Ref) []byte {
	t := loyalty.TombstoneOf(ref)
	return append([]byte{byte(opTombstone)}, t[:]...)
}

// erased reports whether an account was erased.
func (b *book) erased(ref loyalty.Ref) bool {
	return b.rows.Get(buffer.Keys, tombstoneKey(ref)) != nil
}
