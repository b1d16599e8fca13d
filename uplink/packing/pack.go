package packing

import (
	"bytes"
	"compress/flate"
)

// level is how hard the packer looks, from 1 to 9. It is not part of the form.
const level = 2

// Packer packs the batches of one lane of one stream. The zero Packer is ready. It is not safe for concurrent use.
type Packer struct {
	history history
	plain   []byte
	packed  bytes.Buffer
	flate   *flate.Writer
}

// Pack returns the records in fewer bytes, or nil when they would not be fewer. The other end must see every batch once
// and in this order: by [Unpacker.Unpack], or by [Unpacker.Skip] when this returned nil.
func (p *Packer) Pack(records [][]byte) []byte {
	defer p.history.add(records)
	p.plain = p.plain[:0]
	for _, r := range records {
		p.plain = appendRecord(p.plain, r)
	}
	p.packed.Reset()
	if p.flate == nil {
		p.flate, _ = flate.NewWriter(&p.packed, level) // the level is one
	} else {
		p.flate.Reset(&p.packed)
	}
	// A flush leaves the compressor with the history as its window, as a dictionary would; nothing here can fail, since
	// it is written to memory.
	_, _ = p.flate.Write(p.history)
	_ = p.flate.Flush()
	p.packed.Reset()
	_, _ = p.flate.Write(p.plain)
	_ = p.flate.Close()
	packed, _ := bytes.CutSuffix(p.packed.Bytes(), []byte(tail))
	if len(packed) >= len(p.plain) {
		return nil
	}
	return bytes.Clone(packed)
}

// Skip notes records that are sent as they are.
func (p *Packer) Skip(records [][]byte) { p.history.add(records) }
