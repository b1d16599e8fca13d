package parquet

import (
	"errors"
	"strings"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/stampd/stampd/uplink/backend/land/row"
)

// So much of a file is held in memory before it is written: rows until they are split into columns, and columns until
// they are a row group. Sizes are those of the values, uncompressed; a single larger row is held whole.
const (
	bufferRows  = 128
	bufferBytes = 1 << 20
	groupBytes  = 16 << 20
)

// part is a file that is being written.
type part struct {
	name, temp string
	rows       int

	file   File
	writer *pq.GenericWriter[any]
	shape  *shape

	pending []pq.Row
	text    []byte // what the pending rows' texts are kept in
	group   int    // bytes of the row group so far
}

func newPart(disk Disk, name string, s *shape, codec compress.Codec) (*part, error) {
	p := &part{name: name, temp: tempName(name), shape: s, pending: make([]pq.Row, 0, bufferRows)}
	var err error
	if p.file, err = disk.Create(p.temp); err != nil {
		return nil, err
	}
	p.writer = pq.NewGenericWriter[any](p.file, s.schema, pq.Compression(codec), pq.DictionaryMaxBytes(256<<10), pq.CreatedBy("stampd", "", ""))
	return p, nil
}

// add adds a row, whose values it copies.
func (p *part) add(values []row.Value) error {
	n := len(p.pending)
	p.pending = p.pending[:n+1]
	r := p.pending[n][:0]
	for i, v := range values {
		start := len(p.text)
		p.text = append(p.text, v.Text...)
		r = append(r, p.shape.value(i, v, p.text[start:len(p.text):len(p.text)]))
	}
	p.pending[n] = r
	p.group += 8 * len(values)
	p.rows++
	if len(p.pending) == bufferRows || len(p.text) >= bufferBytes {
		return p.split()
	}
	return nil
}

// split hands the pending rows to the columns, and ends the row group when it is large.
func (p *part) split() error {
	if _, err := p.writer.WriteRows(p.pending); err != nil {
		return err
	}
	p.group += len(p.text)
	p.pending, p.text = p.pending[:0], p.text[:0]
	if p.group < groupBytes {
		return nil
	}
	p.group = 0
	return p.writer.Flush()
}

// finish ends the file. When it returns nil all of it is on disk.
func (p *part) finish() error {
	err := p.split()
	if err == nil {
		err = p.writer.Close()
	}
	if err == nil {
		err = p.file.Sync()
	}
	return errors.Join(err, p.file.Close())
}

// abandon lets go of a file that will not be finished.
func (p *part) abandon() { _ = p.file.Close() }

func cmpName(a, b *part) int { return strings.Compare(a.name, b.name) }
