package buffer

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// frameMagic begins each frame of the journal: "stj1".
const frameMagic = 0x73746a31

// frameHeader is magic(4) ‖ CRC-32C of what follows(4) ‖ owner(8) ‖ generation(8) ‖ index(8) ‖ length of the body(4).
const frameHeader = 4 + 4 + 8 + 8 + 8 + 4

// framePage is what a frame's place and length are multiples of. A page that holds something acknowledged is not written
// again before the file has it, so a torn write can't harm it.
const framePage = 4096

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frame is one commit in the journal.
type frame struct {
	owner      [8]byte // of the terminal: see [ownerOf]
	generation uint64  // how often the journal was emptied before
	index      uint64  // its place in the generation, from 0
	body       []byte
}

// errFrame says that a page does not begin a frame, or that the frame is torn.
var errFrame = errors.New("not a frame")

// append appends the frame, filled up to whole pages, to b, which holds whole pages.
func (f frame) append(b []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, frameMagic)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = append(b, f.owner[:]...)
	b = binary.BigEndian.AppendUint64(b, f.generation)
	b = binary.BigEndian.AppendUint64(b, f.index)
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.body)))
	b = append(b, f.body...)
	binary.BigEndian.PutUint32(b[start+4:], crc32.Checksum(b[start+8:], castagnoli))
	return append(b, make([]byte, f.size()-int64(len(b)-start))...)
}

// size returns how many bytes of the journal the frame takes up.
func (f frame) size() int64 {
	return (frameHeader + int64(len(f.body)) + framePage - 1) / framePage * framePage
}

// frameLength returns the length of a frame's header and body, by its header.
func frameLength(header []byte) (int64, error) {
	if len(header) < frameHeader || binary.BigEndian.Uint32(header) != frameMagic {
		return 0, errFrame
	}
	return frameHeader + int64(binary.BigEndian.Uint32(header[32:])), nil
}

func frameGeneration(header []byte) uint64 { return binary.BigEndian.Uint64(header[16:]) }

// parseFrame reads the frame that b begins with. Its body is part of b.
func parseFrame(b []byte) (frame, error) {
	end, err := frameLength(b)
	if err != nil || end > int64(len(b)) || crc32.Checksum(b[8:end], castagnoli) != binary.BigEndian.Uint32(b[4:]) {
		return frame{}, errFrame
	}
	f := frameNamed(b)
	f.body = b[frameHeader:end]
	return f, nil
}

// frameNamed returns the frame that a header announces, without its body.
func frameNamed(header []byte) frame {
	f := frame{generation: frameGeneration(header), index: binary.BigEndian.Uint64(header[24:])}
	copy(f.owner[:], header[8:])
	return f
}

// appendBody appends what one commit wrote, as FORMAT.md tells: the lanes, the rows, the notes.
func (o *overlay) appendBody(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(o.lanes)))
	for _, t := range o.lanes {
		b = append(b, t.row.key()...)
		b = append(b, t.row.value()...)
		b = binary.AppendUvarint(b, uint64(len(t.records)))
		for _, r := range t.records {
			b = binary.BigEndian.AppendUint64(b, r.seq)
			b = appendBytes(b, r.value)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(o.rows)))
	for name, value := range o.rows {
		b = appendBytes(b, []byte(name))
		if value == nil {
			b = append(b, 0)
			continue
		}
		b = append(b, 1)
		b = appendBytes(b, value)
	}
	b = binary.AppendUvarint(b, uint64(len(o.notes)))
	for _, n := range o.notes {
		b = appendBytes(b, n)
	}
	return b
}

func appendBytes(b, value []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(value))), value...)
}

// parseBody reads what [overlay.appendBody] wrote: of each lane, the records right before the row's next one. The result
// shares b's memory.
func parseBody(b []byte) (*overlay, error) {
	r := bodyReader{rest: b}
	o := newOverlay()
	for range r.count() {
		row, err := parseLaneRecord(r.take(laneKeySize), r.take(laneRecordSize))
		if err != nil {
			return nil, errFrame
		}
		records := r.count()
		for i := range records {
			seq, value := r.take(8), r.bytes()
			if r.short || binary.BigEndian.Uint64(seq) != row.next-uint64(records-i) {
				return nil, errFrame
			}
			o.append(row, binary.BigEndian.Uint64(seq), value)
		}
		if records == 0 {
			return nil, errFrame
		}
	}
	for range r.count() {
		name, there := rowName(r.bytes()), r.take(1)
		if r.short || len(name) < 2 || name.bucket() < Keys || name.bucket() > Entries || there[0] > 1 {
			return nil, errFrame
		}
		var value []byte
		if there[0] == 1 {
			value = r.bytes()
		}
		o.put(name, value)
	}
	for range r.count() {
		n := r.bytes()
		if len(n) < noteHead {
			return nil, errFrame
		}
		o.notes = append(o.notes, n)
	}
	if r.short || len(r.rest) > 0 {
		return nil, errFrame
	}
	return o, nil
}

// bodyReader takes a frame's body apart. Once something is missing, short is set and everything after is empty.
type bodyReader struct {
	rest  []byte
	short bool
}

func (r *bodyReader) take(n int) []byte {
	if r.short || n > len(r.rest) {
		r.short = true
		return nil
	}
	v := r.rest[:n:n]
	r.rest = r.rest[n:]
	return v
}

// count reads how many of something follow: never more than there are bytes left.
func (r *bodyReader) count() int {
	v, n := binary.Uvarint(r.rest)
	if r.short || n <= 0 || v > uint64(len(r.rest)-n) {
		r.short = true
		return 0
	}
	r.rest = r.rest[n:]
	return int(v)
}

func (r *bodyReader) bytes() []byte { return r.take(r.count()) }
