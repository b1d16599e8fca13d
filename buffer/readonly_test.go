package buffer_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stampd/stampd/buffer"
)

// A queue with records on a read-only disk says so in the right words, states nothing about what it has not read, and
// works when the disk is writable again.
func TestStartOnAReadOnlyDisk(t *testing.T) {
	opts := small(t)
	dir := strings.TrimSuffix(opts.Path, "/queue.db")
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=32m"); err != nil {
		t.Skipf("no disk can be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	remount := func(flags uintptr) {
		if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT|flags, "size=32m"); err != nil {
			t.Fatal(err)
		}
	}
	q, err := buffer.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	addKeyed(t, q, "0")
	id := lane(t, q, buffer.Ledger).LaneID
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	remount(syscall.MS_RDONLY)
	if q, err = buffer.Open(opts); err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	s := q.Stats()
	if !errors.Is(s.Fault, buffer.ErrReadOnly) || strings.Contains(s.Fault.Error(), ".new") {
		t.Errorf("fault: %v", s.Fault)
	}
	for _, l := range s.Lanes {
		if l.Lane == buffer.Ledger {
			t.Errorf("the ledger is unknown, and has lane %+v", l)
		}
	}
	remount(0)
	for deadline := time.Now().Add(10 * time.Second); q.Stats().Fault != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("queue did not come back")
		}
		_ = q.Update(t.Context(), func(*buffer.Tx) error { return nil })
	}
	wantKeyed(t, q, id, 1)
}
