package packing

import (
	"bufio"
	"compress/flate"
	"errors"
	"io"
	"strings"
	"sync"
)

// ErrMalformed means that bytes are not packed records, or more than were to be expected.
var ErrMalformed = errors.New("not packed records")

// readers are decompressors of about 40 KB each, of which a gateway needs as many as batches arrive at a time.
var readers = sync.Pool{New: func() any { return flate.NewReader(strings.NewReader("")) }}

// Unpacker is the other end of a [Packer]. The zero Unpacker is ready. It is not safe for concurrent use.
type Unpacker struct{ history history }

// Unpack returns the records of a packed batch: at most maxRecords, of at most maxBytes in all. The only error is
// [ErrMalformed], after which the stream is of no use.
func (u *Unpacker) Unpack(packed []byte, maxRecords, maxBytes int) ([][]byte, error) {
	inflate := readers.Get().(io.Reader)
	defer readers.Put(inflate)
	if err := inflate.(flate.Resetter).Reset(strings.NewReader(string(packed)+tail), u.history); err != nil {
		return nil, ErrMalformed
	}
	r := bufio.NewReader(inflate)
	var records [][]byte
	for {
		if _, err := r.Peek(1); errors.Is(err, io.EOF) {
			break // where a record could begin
		}
		if len(records) == maxRecords {
			return nil, ErrMalformed
		}
		record, err := readRecord(r, maxBytes)
		if err != nil {
			return nil, ErrMalformed
		}
		maxBytes -= len(record)
		records = append(records, record)
	}
	u.history.add(records)
	return records, nil
}

// Skip notes records that came as they are.
func (u *Unpacker) Skip(records [][]byte) { u.history.add(records) }
