package parquet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// The files of the state, and the temporary files, which readers pass over: their names begin with _ and do not end in
// .parquet.
const (
	stateFolder = "_state"
	offsetFile  = "offset.json"
	intentFile  = "intent.json"
	tempPrefix  = "_"
	tempSuffix  = ".tmp"
)

// format is the version of the folder's layout.
const format = "stampd-parquet/1"

// landed is the contents of the offset's file.
type landed struct {
	Format string `json:"format"`
	Log    string `json:"log"`    // the log that the rows are from
	Offset uint64 `json:"offset"` // all has landed through here
}

// intent is the range of offsets that is being landed, unless it lies below the offset. It is the contents of its file.
type intent struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

// name returns the name of each file of the range.
func (i intent) name() string { return fmt.Sprintf("part-%020d-%020d.parquet", i.From, i.To) }

// tempName returns the name that a file has while it is written.
func tempName(name string) string {
	return path.Join(path.Dir(name), tempPrefix+path.Base(name)+tempSuffix)
}

// load removes what an earlier process left half written, and reads the state, or begins it in a new folder.
func (l *Lander) load() error {
	for _, pattern := range []string{stateFolder + "/", "kind=*/date=*/"} {
		left, err := l.disk.Glob(pattern + tempPrefix + "*" + tempSuffix)
		if err != nil {
			return err
		}
		for _, name := range left {
			if err := l.disk.Remove(name); err != nil {
				return err
			}
		}
	}
	if err := l.makeFolder(stateFolder); err != nil {
		return err
	}
	var at landed
	err := l.readState(offsetFile, &at)
	if errors.Is(err, fs.ErrNotExist) {
		return l.begin()
	}
	if err != nil {
		return err
	}
	if err := l.readState(intentFile, &l.intent); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch head := l.log.Head(); {
	case at.Format != format:
		return fmt.Errorf("its format is %q, want %q", at.Format, format)
	case at.Log != l.log.ID():
		return fmt.Errorf("it holds rows of log %s, and this log is %s", at.Log, l.log.ID())
	case max(at.Offset, l.intent.To) > head:
		return fmt.Errorf("it holds rows up to offset %d, and the log ends at %d", max(at.Offset, l.intent.To), head)
	case l.intent.To > at.Offset && l.intent.From != at.Offset+1:
		return fmt.Errorf("its intent begins at offset %d, and all has landed through %d", l.intent.From, at.Offset)
	}
	l.offset = at.Offset
	return nil
}

// begin writes the first state. Rows without a state could not be told from rows that are still to land.
func (l *Lander) begin() error {
	parts, err := l.disk.Glob("kind=*/date=*/*.parquet")
	if err != nil {
		return err
	}
	if len(parts) > 0 {
		return fmt.Errorf("it holds rows, and not the file %s/%s that says how far the log has landed", stateFolder, offsetFile)
	}
	return l.saveOffset(0)
}

func (l *Lander) readState(name string, into any) error {
	b, err := l.disk.ReadFile(path.Join(stateFolder, name))
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("cannot read %s: %w", path.Join(stateFolder, name), err)
	}
	return nil
}

// saveOffset puts on disk that all has landed through the offset.
func (l *Lander) saveOffset(offset uint64) error {
	err := l.saveState(offsetFile, landed{Format: format, Log: l.log.ID(), Offset: offset})
	if err == nil {
		l.offset = offset
	}
	return err
}

// saveIntent puts on disk which range is landed next.
func (l *Lander) saveIntent(i intent) error {
	err := l.saveState(intentFile, i)
	if err == nil {
		l.intent = i
	}
	return err
}

// saveState replaces a file of the state. It is the old or the new one at every instant.
func (l *Lander) saveState(name string, contents any) error {
	b, err := json.Marshal(contents)
	if err != nil {
		return err
	}
	name = path.Join(stateFolder, name)
	f, err := l.disk.Create(tempName(name))
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := l.disk.Rename(tempName(name), name); err != nil {
		return err
	}
	return l.disk.SyncFolder(stateFolder)
}
