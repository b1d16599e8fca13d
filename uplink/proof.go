package uplink

import (
	"bytes"

	"github.com/stampd/stampd/buffer"
)

// proven reports whether a backend that says it has a ledger lane through a seq has shown so: by the head of its own chain
// there. Nothing leaves the queue for a word alone. A record that is gone from the queue needs no proof, since there is
// nothing to lose.
func (s *session) proven(id buffer.LaneID, through uint64, chain []byte) (bool, error) {
	records, err := s.Queue.Read(id, through, 1, 1)
	if err != nil || len(records) == 0 || records[0].Seq != through {
		return err == nil, err
	}
	return bytes.Equal(records[0].Chain[:], chain), nil
}
