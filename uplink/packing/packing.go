// Package packing writes the records of a batch in fewer bytes than they have: what a record has in common with those
// before it, in its batch or in the batches before it on the stream, is not sent again. For a lone payment that is half
// of its bytes.
//
// Both ends of the uplink use it, one [Packer] and one [Unpacker] for each lane of a stream. It knows nothing of what the
// records hold, and bounds what hostile bytes can make of it.
//
// The form is raw DEFLATE (RFC 1951) of the records' plain form, one after the other. Its last block is an empty stored one,
// whose last four bytes, 00 00 FF FF, are left out as in RFC 7692, section 7.2.1. Its preset dictionary is the history: the
// last 2,048 bytes of the plain form of what went before on the lane, packed or not. The plain form of a record without a
// UUID is a varint, twice its length, and its bytes. With one, as text in lower case, it is a varint, twice its length and
// one; a varint, where the text begins; the UUID's 16 bytes; and the record without the text.
//
// Who can choose a part of a record, and see the length of what is sent, can learn whether other parts are like it. The
// records have nothing that this would give away: what is secret in them is random, and no cardholder data gets in.
package packing

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
)

// historySize is how many bytes of what went before are remembered. It is part of the form.
const historySize = 2048

// tail is the end of every packed batch, and is not sent.
const tail = "\x00\x00\xff\xff"

// history is the end of what both ends have seen of a lane.
type history []byte

// add appends records.
func (h *history) add(records [][]byte) {
	// What is older than the last bytes need not be looked at.
	first, size := len(records), 0
	for first > 0 && size < historySize {
		first--
		size += len(records[first])
	}
	all := *h
	for _, r := range records[first:] {
		all = appendRecord(all, r)
	}
	all = all[max(len(all)-historySize, 0):]
	if cap(all) > 4*historySize {
		all = bytes.Clone(all) // let go of a large record
	}
	*h = all
}

// appendRecord appends a record's plain form.
func appendRecord(b, record []byte) []byte {
	at, id, ok := findUUID(record)
	if !ok {
		return append(binary.AppendUvarint(b, uint64(len(record))<<1), record...)
	}
	b = binary.AppendUvarint(b, uint64(len(record))<<1|1)
	b = binary.AppendUvarint(b, uint64(at))
	b = append(b, id[:]...)
	return append(append(b, record[:at]...), record[at+uuidText:]...)
}

// readRecord reads a record's plain form, of a record that has at most maxBytes.
func readRecord(r *bufio.Reader, maxBytes int) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil || n>>1 > uint64(maxBytes) {
		return nil, ErrMalformed
	}
	size := int(n >> 1)
	if n&1 == 0 {
		record := make([]byte, size)
		_, err := io.ReadFull(r, record)
		return record, err
	}
	at, err := binary.ReadUvarint(r)
	if err != nil || size < uuidText || at > uint64(size-uuidText) {
		return nil, ErrMalformed
	}
	var id [uuidBytes]byte
	if _, err := io.ReadFull(r, id[:]); err != nil {
		return nil, err
	}
	record := make([]byte, size)
	if _, err := io.ReadFull(r, record[:at]); err != nil {
		return nil, err
	}
	formatUUID(record[:at], id)
	_, err = io.ReadFull(r, record[int(at)+uuidText:])
	return record, err
}
