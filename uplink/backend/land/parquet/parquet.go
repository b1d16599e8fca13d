// Package parquet is the lander that keeps the log's rows in Parquet files, for DuckDB, Spark and whatever reads them.
//
//	<dir>/kind=payment/date=2026-05-01/part-00000000000000000001-00000000000000000812.parquet
//	<dir>/_state/offset.json, intent.json
//
// The date is the day on which the backend received the rows, in UTC; the numbers are the first and the last offset of
// the log whose rows are in the file. A range of offsets lands in six steps, each on disk before the next begins: the
// intent to land it, the files under names that readers pass over, their names, their folders, and the offset through
// which all has landed. After a crash the range of an open intent is landed once more into files of the same names, so
// that no row is there twice and none is missing.
//
// Package land drives it. It never writes to a file that has its name, never removes rows of a range that has landed,
// and never goes on after a failed write: what the disk kept of it is only known after a restart.
package parquet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/backend/land/row"
)

// Options is what a [Lander] is made of.
type Options struct {
	Log  *eventlog.Log
	Dir  string // made when it isn't there
	Disk Disk   // nil means the folder Dir of the file system
}

// Lander lands ranges of a log. It is not safe for concurrent use, and one folder has one lander.
type Lander struct {
	log    *eventlog.Log
	disk   Disk
	tables *row.Tables
	shapes map[*row.Table]*shape
	codec  compress.Codec
	synced map[string]bool // folders whose names are on disk
	offset uint64
	intent intent
	err    error // what failed; nothing works after it
}

// Open opens the lander's folder, and removes the temporary files that an earlier process left. It fails when the folder
// holds rows of another log, or rows of this log that the log doesn't have.
func Open(o Options) (*Lander, error) {
	l := &Lander{
		log:    o.Log,
		disk:   o.Disk,
		tables: row.New(),
		shapes: map[*row.Table]*shape{},
		codec:  &pq.Zstd,
		synced: map[string]bool{".": true},
	}
	var err error
	if l.disk == nil {
		l.disk, err = OpenFolder(o.Dir)
	}
	if err == nil {
		err = l.load()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open Parquet folder %s: %w", o.Dir, err)
	}
	return l, nil
}

// Offset returns the offset of the log through which all has landed.
func (l *Lander) Offset() uint64 { return l.offset }

// Resume finishes the range that an earlier process began to land, and returns how many rows it has.
func (l *Lander) Resume(ctx context.Context) (rows int, err error) {
	if l.err != nil || l.intent.To <= l.offset {
		return 0, l.err
	}
	return l.finish(ctx, true)
}

// Land lands the entries of the log after Offset, up to the given one, which must exist, and returns how many rows they
// have. When it returns nil they are on disk, and Offset is the given one. After an error the lander does nothing more;
// an opened anew one does the rest. Call Resume first.
func (l *Lander) Land(ctx context.Context, to uint64) (rows int, err error) {
	if l.err != nil || to <= l.offset {
		return 0, l.err
	}
	switch head := l.log.Head(); {
	case l.intent.To > l.offset:
		return 0, errors.New("cannot land: an earlier range is open")
	case to > head:
		return 0, fmt.Errorf("cannot land offset %d: the log ends at %d", to, head)
	}
	if err := l.saveIntent(intent{From: l.offset + 1, To: to}); err != nil {
		l.err = fmt.Errorf("cannot land offsets %d to %d: %w", l.offset+1, to, err)
		return 0, l.err
	}
	return l.finish(ctx, false)
}

// finish lands the range of the open intent. Again says that some of its files may be there already.
func (l *Lander) finish(ctx context.Context, again bool) (rows int, err error) {
	parts, err := l.write(ctx)
	if err == nil {
		err = l.publish(parts, again)
	}
	if err == nil {
		err = l.saveOffset(l.intent.To)
	}
	if err != nil {
		l.err = fmt.Errorf("cannot land offsets %d to %d: %w", l.intent.From, l.intent.To, err)
		return 0, l.err
	}
	for _, p := range parts {
		rows += p.rows
	}
	return rows, nil
}

// write writes the rows of the open intent to temporary files, and returns them in the order of their names.
func (l *Lander) write(ctx context.Context) ([]*part, error) {
	parts := map[string]*part{}
	err := l.log.Read(ctx, l.intent.From, l.intent.To, func(offset uint64, e *eventlog.Entry) error {
		date := time.UnixMilli(e.ReceivedUnixMs).UTC().Format(time.DateOnly)
		return l.tables.Each(offset, e, func(t *row.Table, values []row.Value) error {
			name := path.Join("kind="+t.Kind, "date="+date, l.intent.name())
			p := parts[name]
			if p == nil {
				var err error
				if p, err = l.create(name, t); err != nil {
					return err
				}
				parts[name] = p
			}
			return p.add(values)
		})
	})
	out := slices.SortedFunc(maps.Values(parts), func(a, b *part) int { return cmpName(a, b) })
	for _, p := range out {
		if err != nil {
			p.abandon()
			continue
		}
		err = p.finish()
	}
	return out, err
}

// create begins a file, in a folder whose own name is on disk.
func (l *Lander) create(name string, t *row.Table) (*part, error) {
	if err := l.makeFolder(path.Dir(name)); err != nil {
		return nil, err
	}
	if l.shapes[t] == nil {
		l.shapes[t] = newShape(t)
	}
	return newPart(l.disk, name, l.shapes[t], l.codec)
}

// makeFolder makes a folder and those above it, once per process.
func (l *Lander) makeFolder(name string) error {
	if l.synced[name] {
		return nil
	}
	if err := l.makeFolder(path.Dir(name)); err != nil {
		return err
	}
	if err := l.disk.Mkdir(name); err != nil {
		return err
	}
	if err := l.disk.SyncFolder(path.Dir(name)); err != nil {
		return err
	}
	l.synced[name] = true
	return nil
}

// publish gives the files their names. Files that an earlier attempt left in other folders, because it knew other
// kinds of events, are removed.
func (l *Lander) publish(parts []*part, again bool) error {
	var stray []string
	if again {
		var err error
		if stray, err = l.disk.Glob("kind=*/date=*/" + l.intent.name()); err != nil {
			return err
		}
	}
	for _, p := range parts {
		if err := l.disk.Rename(p.temp, p.name); err != nil {
			return err
		}
		if err := l.disk.SyncFolder(path.Dir(p.name)); err != nil {
			return err
		}
		stray = slices.DeleteFunc(stray, func(name string) bool { return name == p.name })
	}
	for _, name := range stray {
		if err := l.disk.Remove(name); err != nil {
			return err
		}
		if err := l.disk.SyncFolder(path.Dir(name)); err != nil {
			return err
		}
	}
	return nil
}
