package eventlog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	bolt "go.etcd.io/bbolt"
)

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := one(t, l, ledger(t, 1, 3)); err != nil {
		t.Fatal(err)
	}
	id := l.ID()
	if len(id) != 32 {
		t.Errorf("id = %q, want 32 hex digits", id)
	}
	if _, err := Open(path); !errors.Is(err, ErrLocked) {
		t.Errorf("second Open = %v, want ErrLocked", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := one(t, l, ledger(t, 1, 3)); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Close = %v, want ErrClosed", err)
	}
	if l, err = Open(path); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if l.ID() != id || l.Head() != 1 {
		t.Errorf("id %s and head %d, want %s and 1", l.ID(), l.Head(), id)
	}
	if r, err := one(t, l, ledger(t, 2, 5)); err != nil || r.Stored != 2 || r.ChainDiffers || l.Head() != 2 {
		t.Errorf("Append = %+v, %v", r, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log.db")
	t.Run("another format", func(t *testing.T) {
		l, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.db.Update(func(tx *bolt.Tx) error {
			return tx.Bucket(bucketMeta).Put(metaFormat, []byte("stampd-eventlog/9"))
		}); err != nil {
			t.Fatal(err)
		}
		l.Close()
		if _, err := Open(path); err == nil {
			t.Error("opened a file of another format")
		}
	})
	t.Run("not a log", func(t *testing.T) {
		path := filepath.Join(dir, "text")
		if err := os.WriteFile(path, []byte("this is no database, but it is longer than a page header"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil {
			t.Error("opened a text file")
		}
	})
	t.Run("no folder", func(t *testing.T) {
		if _, err := Open(filepath.Join(dir, "none", "log.db")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("Open = %v, want ErrNotExist", err)
		}
	})
}

func TestRead(t *testing.T) {
	l := newLog(t)
	for seq := range uint64(21) {
		if _, err := one(t, l, telemetry(t, seq+1, 1)); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name     string
		from, to uint64
		want     int
		ok       bool
	}{
		{"all", 1, 21, 21, true},
		{"some", 5, 7, 3, true},
		{"one", 21, 21, 1, true},
		{"none", 5, 4, 0, true},
		{"offset 0", 0, 3, 0, false},
		{"past the head", 20, 22, 0, false},
		{"after the head", 22, 22, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			next := tt.from
			err := l.Read(t.Context(), tt.from, tt.to, func(offset uint64, e *Entry) error {
				if offset != next || e.FirstSeq != offset {
					t.Errorf("offset %d holds seq %d, want offset %d", offset, e.FirstSeq, next)
				}
				next++
				return nil
			})
			if (err == nil) != tt.ok || tt.ok && int(next-tt.from) != tt.want {
				t.Errorf("Read = %v after %d entries; want %d, ok %v", err, next-tt.from, tt.want, tt.ok)
			}
		})
	}
	stop := errors.New("stop")
	calls := 0
	err := l.Read(t.Context(), 1, 21, func(uint64, *Entry) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("Read = %v after %d calls, want the callback's error after 1", err, calls)
	}
}

// An append from inside a read would wait for ever if the read held a transaction while its caller works.
func TestReadHoldsNothing(t *testing.T) {
	l := newLog(t)
	if _, err := one(t, l, telemetry(t, 1, 1)); err != nil {
		t.Fatal(err)
	}
	err := l.Read(t.Context(), 1, 1, func(uint64, *Entry) error {
		for seq := uint64(2); seq < 60; seq++ {
			b := telemetry(t, seq, 1)
			b.Records[0] = make([]byte, 200<<10) // makes the file grow, and its mapping move
			if _, err := one(t, l, b); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog(t)
		batch := telemetry(t, 1, 1)
		done := make(chan error, 1)
		go func() { done <- l.Wait(context.Background(), 0) }()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("Wait = %v before there was an entry", err)
		default:
		}
		if _, err := l.Append(context.Background(), batch); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Errorf("Wait = %v", err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		go func() { done <- l.Wait(ctx, 1) }()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Wait = %v, want canceled", err)
		}
	})
}
