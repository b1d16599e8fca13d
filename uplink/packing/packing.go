// Package packing writes the records of a batch in fewer bytes than they have: what a record has in common with those
// before it, in its batch or in the batches before it on the stream, is not sent again. For a lone payment that is half
// of its bytes.
//
// Both ends of the uplink use it, one [Packer] and one [Unpacker] for each lane of a stream. It knows nothing of what the
// records hold, and bounds what hostile bytes can make of it.
//
// The form is raw DEFLATE (RFC 1951) of the records' plain form, one after the other. Its last block is an empty stored one,
// whose last four bytes, 00 00 FF FF, are left out as in RFC 7692, section 7.2.1. Its preset dictionary is the history: the
// last 2,048 bytes of the plain form of what went before on the lane, packed or not.
//
// The plain form takes parts of a record out that are shorter as numbers, and that would tear the rest apart: UUIDs as text
// in lower case, and runs of decimal digits, of 4 to 18 each. It is, with every number but those of the parts as a varint:
// the record's length; how many parts there are; for each, how many bytes are between the part before and it, and its
// length, which is 36 for a UUID; then the numbers of the parts, big-endian, each as long as the largest of its length; then
// the record without them.
//
// Who can choose a part of a record, and see the length of what is sent, can learn whether other parts are like it. The
// records have nothing that this would give away: what is secret in them is random, and no cardholder data gets in.
package packing

import "bytes"

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
