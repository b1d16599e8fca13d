package uplink_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink"
)

// Nobody knows what waits in a queue whose file could not be opened yet, so it is not complete; once it is open, what is in it
// counts.
func TestFlushOfAQueueThatWasNeverOpened(t *testing.T) {
	keys, err := pci.NewSealer([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "queue.db")
	if err := os.Symlink("queue.db", path); err != nil { // ELOOP
		t.Fatal(err)
	}
	q, err := buffer.Open(buffer.Options{
		Path: path, Terminal: "t-1", Keys: keys, MaxSize: 16 << 20, LedgerReserve: 1 << 20, TelemetryMemory: 1 << 20, SpillAfter: time.Hour,
		Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if q.Stats().Fault == nil {
		t.Fatal("the queue works: the test tests nothing")
	}
	up := uplink.New(uplink.Options{Queue: q, Backend: "localhost:1", Clock: hal.NewClock("/proc"), Log: zerolog.Nop()})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if waiting, complete := up.Flush(ctx); complete || waiting != 0 {
		t.Errorf("flush says %d waiting, complete %v", waiting, complete)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the queue works again", func() bool {
		return q.Update(t.Context(), func(*buffer.Tx) error { return nil }) == nil
	})
	if waiting, complete := up.Flush(t.Context()); !complete || waiting != 0 {
		t.Errorf("flush of an empty queue says %d waiting, complete %v", waiting, complete)
	}
}
