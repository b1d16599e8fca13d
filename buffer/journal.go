package buffer

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"syscall"
)

// journalSuffix is what the journal's name has after the queue file's.
const journalSuffix = ".journal"

// The journal's size is a sixteenth of the queue's limit, within these bounds, in bytes.
const (
	journalMin = 256 << 10
	journalMax = 4 << 20
)

// journal is a file of fixed size in front of the queue file. A commit writes one frame to it, which takes one write and
// one fdatasync: the file's blocks are there already, so no metadata follows. When it is full, the queue file takes over
// what it holds, and it begins anew in the next generation.
type journal struct {
	file       *os.File
	owner      [8]byte
	size       int64
	generation uint64
	index      uint64 // of the next frame
	end        int64  // where the next frame goes
	body, buf  []byte // of the last frame, to be used again
}

// journalSize returns how large the journal of a queue is that may use limit bytes in all.
func journalSize(limit int64) int64 {
	return min(max(limit/16, journalMin), journalMax) / framePage * framePage
}

// ownerOf returns what tells a terminal's journal from another's.
func ownerOf(terminal string) [8]byte {
	sum := sha256.Sum256([]byte("stampd/journal/v1\x00" + terminal))
	return [8]byte(sum[:8])
}

// openJournal opens or creates the journal at path and makes sure that all of its blocks are on disk.
func openJournal(path string, owner [8]byte, size int64) (*journal, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{file: f, owner: owner, size: size}
	if err := j.allocate(); err != nil {
		return nil, errors.Join(err, j.close())
	}
	return j, nil
}

// allocate writes zeros where the file has no blocks yet: in those that are only reserved, a first write costs metadata.
// It writes page by page, so that the kernel keeps pages, not larger folios, which it would count as written whole.
func (j *journal) allocate() error {
	info, err := j.file.Stat()
	if err != nil {
		return err
	}
	have := info.Size() / framePage * framePage
	if have >= j.size {
		j.size = have
		return nil
	}
	zeros := make([]byte, framePage)
	for at := have; at < j.size; at += framePage {
		if _, err := j.file.WriteAt(zeros, at); err != nil {
			err = errors.Join(err, j.file.Truncate(info.Size())) // the queue file needs the room
			if have == 0 || !errors.Is(classify("make the journal larger", err), ErrFull) {
				return err
			}
			j.size = have // what it holds counts, whatever its size
			return nil
		}
	}
	if err := j.file.Sync(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(j.file.Name()))
}

// there reports whether the journal's name still leads to it.
func (j *journal) there() bool {
	file, err := j.file.Stat()
	return err == nil && named(j.file.Name(), file)
}

// write stores what one commit wrote. It reports whether there was room; if so and without error, it is on disk. After
// [ErrIO] it may be.
func (j *journal) write(o *overlay) (bool, error) {
	j.body = o.appendBody(j.body[:0])
	f := frame{owner: j.owner, generation: j.generation, index: j.index, body: j.body}
	if j.end+f.size() > j.size {
		return false, nil
	}
	j.buf = f.append(j.buf[:0])
	if n, err := pwrite(j.file, j.buf, j.end); err != nil {
		if n > 0 {
			err = unknownOutcome(err)
		}
		return true, err
	}
	if err := datasync(j.file); err != nil {
		return true, unknownOutcome(err)
	}
	j.index++
	j.end += f.size()
	return true, nil
}

// restart begins a generation: the queue file has everything that was in the one before.
func (j *journal) restart(generation uint64) { j.generation, j.index, j.end = generation, 0, 0 }

func (j *journal) close() error { return j.file.Close() }

// pwrite is pwrite(2) until all is written. Beside an error it says how much was: [os.File] does not.
func pwrite(f *os.File, b []byte, at int64) (n int, err error) {
	for n < len(b) {
		m, err := syscall.Pwrite(int(f.Fd()), b[n:], at+int64(n))
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err == nil && m == 0 {
			err = io.ErrShortWrite
		}
		if err != nil {
			return n, &os.PathError{Op: "write", Path: f.Name(), Err: err}
		}
		n += m
	}
	return n, nil
}

// datasync is fdatasync(2).
func datasync(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
		}
	}
}

// resume goes on after the frames that were read.
func (j *journal) resume(got *replay) {
	j.generation, j.index, j.end = got.generation, got.next, got.end
}

// refresh writes the frames that were read once more: what was read may have come from a page cache that a failed
// fdatasync, or a killed process, has left behind.
func (j *journal) refresh() error {
	b := make([]byte, framePage)
	for at := int64(0); at < j.end; at += framePage {
		if _, err := j.file.ReadAt(b, at); err != nil {
			return err
		}
		if _, err := j.file.WriteAt(b, at); err != nil {
			return err
		}
	}
	if j.end == 0 {
		return nil
	}
	return datasync(j.file)
}

// replay is what a journal holds that the queue file does not have.
type replay struct {
	held       *overlay
	generation uint64 // of the newest frame, or the one asked for
	next       uint64 // the index that the generation's next frame gets
	end        int64  // where the generation's last frame ends
	damaged    bool   // a frame is missing among those that are there
	torn       bool   // a frame follows the last that says it is the next, and can't be read
}

// readJournal reads the frames of the given generation and of later ones. A torn frame at the end was never acknowledged
// and does not count. A journal of another owner is [ErrForeign].
func readJournal(r io.ReaderAt, size int64, owner [8]byte, generation uint64) (*replay, error) {
	type placed struct {
		frame
		end int64
	}
	var frames []placed
	for at := int64(0); at < size; {
		f, err := readFrame(r, at, size, generation)
		if errors.Is(err, errFrame) {
			at += framePage
			continue
		}
		if err != nil {
			return nil, err
		}
		if f.owner != owner {
			return nil, fmt.Errorf("%w: its journal belongs to another terminal", ErrForeign)
		}
		at += f.size()
		frames = append(frames, placed{f, at})
	}
	sort.SliceStable(frames, func(i, j int) bool {
		a, b := frames[i], frames[j]
		return cmp.Or(cmp.Compare(a.generation, b.generation), cmp.Compare(a.index, b.index)) < 0
	})
	got := &replay{held: newOverlay(), generation: generation}
	for _, f := range frames {
		if f.generation != got.generation {
			got.generation, got.damaged, got.next = f.generation, false, 0 // only the newest has to be whole
		}
		got.damaged = got.damaged || f.index != got.next
		got.next, got.end = f.index+1, f.end
		o, err := parseBody(f.body)
		if err != nil {
			got.damaged = true
			continue
		}
		got.held.merge(o)
	}
	got.torn = tornAt(r, got, size, owner)
	return got, nil
}

// tornAt reports whether what follows the last frame has the header of the next.
func tornAt(r io.ReaderAt, got *replay, size int64, owner [8]byte) bool {
	header := make([]byte, frameHeader)
	if _, err := r.ReadAt(header, got.end); err != nil {
		return false
	}
	length, err := frameLength(header)
	f := frameNamed(header)
	return err == nil && length <= size-got.end && f.owner == owner && f.generation == got.generation && f.index == got.next
}

// readFrame reads the frame at a place in a journal of the given size, unless it is of an earlier generation.
func readFrame(r io.ReaderAt, at, size int64, generation uint64) (frame, error) {
	header := make([]byte, frameHeader)
	if _, err := r.ReadAt(header, at); err != nil {
		return frame{}, err
	}
	length, err := frameLength(header)
	if err != nil || length > size-at || frameGeneration(header) < generation {
		return frame{}, errFrame
	}
	b := make([]byte, length)
	if _, err := r.ReadAt(b, at); err != nil {
		return frame{}, err
	}
	return parseFrame(b)
}

// journalSizeOf reads how large the file's journal is at least, in bytes, from its meta bucket.
func journalSizeOf(v []byte) int64 {
	if len(v) != 8 {
		return journalMin // what the first files with a journal have told is only that there is one
	}
	return int64(min(binary.BigEndian.Uint64(v), journalMax))
}

// generationOf reads the first generation that the queue file does not have from its meta bucket.
func generationOf(v []byte) uint64 {
	if len(v) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(v)
}
