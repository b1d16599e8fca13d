package eventlog

import (
	"context"
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"
)

// A read copies so many bytes or entries out of the file at a time. No transaction is open while the reader works,
// since one would keep the file from growing, and with it every append.
const (
	readChunkBytes   = 1 << 20
	readChunkEntries = 1024
)

// Read calls fn for the entries with offsets from `from` to `to`, both included, in order. It fails when one of them
// does not exist, and ends early with fn's error. The entry is fn's to keep.
func (l *Log) Read(ctx context.Context, from, to uint64, fn func(offset uint64, e *Entry) error) error {
	if from == 0 {
		return fmt.Errorf("cannot read log: offsets begin at 1")
	}
	for from <= to {
		if err := ctx.Err(); err != nil {
			return err
		}
		chunk, err := l.chunk(from, to)
		if err != nil {
			return err
		}
		for _, e := range chunk {
			if err := fn(from, e); err != nil {
				return err
			}
			from++
		}
	}
	return nil
}

// chunk returns some entries from the one with the offset `from` on, at least one.
func (l *Log) chunk(from, to uint64) ([]*Entry, error) {
	var out []*Entry
	err := l.db.View(func(tx *bolt.Tx) error {
		size, offset := 0, from
		c := tx.Bucket(bucketEntries).Cursor()
		k, v := c.Seek(binary.BigEndian.AppendUint64(nil, from))
		for ; offset <= to && size < readChunkBytes && len(out) < readChunkEntries; k, v = c.Next() {
			if len(k) != 8 || binary.BigEndian.Uint64(k) != offset {
				return fmt.Errorf("offset %d is not there", offset)
			}
			e := new(Entry)
			if err := proto.Unmarshal(v, e); err != nil {
				return fmt.Errorf("offset %d is unreadable", offset)
			}
			out = append(out, e)
			size += len(v)
			offset++
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read log: %w", err)
	}
	return out, nil
}

// Wait returns nil as soon as the log has an entry after the given offset. Otherwise it returns ctx's error when ctx
// ends, or the reason why the log takes no more.
func (l *Log) Wait(ctx context.Context, after uint64) error {
	for {
		l.mu.Lock()
		head, changed, err := l.head, l.changed, l.err
		l.mu.Unlock()
		if head > after {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
