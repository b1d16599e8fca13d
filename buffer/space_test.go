package buffer_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/stampd/stampd/buffer"
)

// What the queue says that still fits does fit, and not much more; what the backend has makes room again, also after a start.
func TestSpace(t *testing.T) {
	opts := small(t)
	q, err := buffer.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	payload := clean(t, string(make([]byte, 400)))
	const each = 400 + 88 // payload, chain, seal, key and what bbolt adds
	appendTen := func() error {
		return q.Update(t.Context(), func(tx *buffer.Tx) error {
			for range 10 {
				tx.Append(payload)
			}
			return nil
		})
	}
	if err := appendTen(); err != nil {
		t.Fatal(err)
	}
	promised, more := space(t, q), int64(0)
	if promised < 3<<20 || promised > 4<<20 {
		t.Errorf("an empty queue of 4 MiB has space for %d bytes", promised)
	}
	for err = appendTen(); err == nil && more < 8<<20; err = appendTen() {
		more += 10 * each
	}
	if !errors.Is(err, buffer.ErrFull) {
		t.Fatalf("the queue took %d bytes: %v", more, err)
	}
	if more < promised*9/10 || more > promised*13/10 {
		t.Errorf("%d bytes were promised, and %d did fit", promised, more)
	}
	if left := space(t, q); left > 128<<10 {
		t.Errorf("a full queue has space for %d bytes", left)
	}
	id := lane(t, q, buffer.Ledger)
	if err := q.Ack(t.Context(), id.LaneID, id.Next-1, nil); err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, opts)
	if left := space(t, again); left < promised*9/10 {
		t.Errorf("the queue was emptied and started again, and has space for %d bytes, before %d", left, promised)
	}
}

// A disk that others have filled leaves what the queue has set aside; one that is read-only is told of.
func TestSpaceOnADisk(t *testing.T) {
	opts := options(t, t.TempDir())
	dir := strings.TrimSuffix(opts.Path, "/queue.db")
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=32m"); err != nil {
		t.Skipf("no disk can be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	q := open(t, opts)
	add(t, q, "one")
	before := space(t, q)
	if before > 32<<20 {
		t.Errorf("a disk of 32 MiB has space for %d bytes", before)
	}
	fill(t, dir+"/others")
	if after := space(t, q); after < 1<<20 || after > 16<<20 {
		t.Errorf("the full disk has space for %d bytes of the queue's own, before %d", after, before)
	}
	if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, "size=32m"); err == nil {
		if s, err := q.Space(); err != nil || !s.ReadOnly {
			t.Errorf("a read-only disk: %+v, %v", s, err)
		}
		if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT, "size=32m"); err != nil {
			t.Fatal(err)
		}
	}
}

func space(t *testing.T, q *buffer.Queue) int64 {
	t.Helper()
	s, err := q.Space()
	if err != nil || s.ReadOnly {
		t.Fatalf("space: %+v, %v", s, err)
	}
	return s.Bytes
}
