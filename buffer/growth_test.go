package buffer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stampd/stampd/buffer"
)

// A journal that has no room to grow, after the queue was given more, is used as it is: what it holds is acknowledged.
func TestJournalWithoutRoomToGrowIsUsed(t *testing.T) {
	const n = 10
	opts := small(t)
	q := open(t, opts)
	for i := range n {
		addKeyed(t, q, fmt.Sprint(i))
	}
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("no disk can be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	cut := image(t, opts)
	for _, suffix := range []string{"", ".journal"} {
		b, err := os.ReadFile(cut.Path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "queue.db"+suffix), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fill(t, filepath.Join(dir, "others"))
	cut.Path, cut.MaxSize = filepath.Join(dir, "queue.db"), 64<<20
	again, err := buffer.Open(cut)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	wantKeyed(t, again, lane(t, q, buffer.Ledger).LaneID, n)
	if len(again.SetAside()) > 0 {
		t.Errorf("set aside %+v", again.SetAside())
	}
}

// fill takes all the room that a disk has left.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for b := make([]byte, journalPage); ; {
		if _, err := f.Write(b); err != nil {
			return
		}
	}
}
