package packing

import (
	"bufio"
	"encoding/binary"
	"io"
)

// appendRecord appends a record's plain form.
func appendRecord(b, record []byte) []byte {
	parts := partsOf(record)
	b = binary.AppendUvarint(b, uint64(len(record)))
	b = binary.AppendUvarint(b, uint64(len(parts)))
	end := 0
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(p.at-end))
		b = binary.AppendUvarint(b, uint64(p.size))
		end = p.at + p.size
	}
	for _, p := range parts {
		b = appendNumber(b, record[p.at:p.at+p.size])
	}
	end = 0
	for _, p := range parts {
		b = append(b, record[end:p.at]...)
		end = p.at + p.size
	}
	return append(b, record[end:]...)
}

// readRecord reads a record's plain form, of a record that has at most maxBytes.
func readRecord(r *bufio.Reader, maxBytes int) ([]byte, error) {
	size, err := binary.ReadUvarint(r)
	if err != nil || size > uint64(maxBytes) {
		return nil, ErrMalformed
	}
	parts, err := readParts(r, int(size))
	if err != nil {
		return nil, err
	}
	record := make([]byte, size)
	for _, p := range parts {
		var number [uuidBytes]byte
		if _, err := io.ReadFull(r, number[:p.width()]); err != nil || !putText(record[p.at:p.at+p.size], number[:p.width()]) {
			return nil, ErrMalformed
		}
	}
	end := 0
	for _, p := range append(parts, part{at: int(size)}) {
		if _, err := io.ReadFull(r, record[end:p.at]); err != nil {
			return nil, ErrMalformed
		}
		end = p.at + p.size
	}
	return record, nil
}

// readParts reads where the parts of a record of that size are.
func readParts(r *bufio.Reader, size int) ([]part, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil || n > uint64(size/minDigits) {
		return nil, ErrMalformed
	}
	var parts []part
	end := 0
	for range n {
		gap, err := binary.ReadUvarint(r)
		if err != nil || gap > uint64(size-end) {
			return nil, ErrMalformed
		}
		length, err := binary.ReadUvarint(r)
		if err != nil || length > uuidText || !known(int(length)) || end+int(gap)+int(length) > size {
			return nil, ErrMalformed
		}
		p := part{at: end + int(gap), size: int(length)}
		parts = append(parts, p)
		end = p.at + p.size
	}
	return parts, nil
}
