package backend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/backend/eventlog"
)

// start runs a backend; the returned function stops it and returns what Run returned.
func start(t *testing.T, o Options) (*Backend, func() error) {
	t.Helper()
	b, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	stop := sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = stop() })
	return b, stop
}

func TestWhatIsAcknowledgedLands(t *testing.T) {
	o := newOptions(t)
	var out bytes.Buffer
	o.Logger = zerolog.New(zerolog.SyncWriter(&out))
	o.RollEvery = time.Hour // only the stop lands
	b, stop := start(t, o)
	var terminals []*terminal
	var wg sync.WaitGroup
	for _, name := range []string{"t1", "t2", "t3"} {
		m := newTerminal(t, o, name, 100)
		terminals = append(terminals, m)
		wg.Go(func() {
			if err := m.run(t.Context(), b.Addr().String()); err != nil {
				t.Errorf("%s: %v", m.name, err)
			}
		})
	}
	wg.Wait()
	begin := time.Now()
	if err := stop(); err != nil {
		t.Fatalf("Run = %v", err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("stopping took %v, want less than 5 s", took)
	}
	exactlyOnce(t, filepath.Join(o.Dir, "parquet"), terminals...)
	if !strings.Contains(out.String(), `"address":"`+b.Addr().String()+`"`) || !strings.Contains(out.String(), `"ready"`) {
		t.Errorf("no ready line with the address in the log: %s", out.String())
	}

	// After a restart nothing lands again.
	_, stop = start(t, o)
	if err := stop(); err != nil {
		t.Fatalf("second Run = %v", err)
	}
	exactlyOnce(t, filepath.Join(o.Dir, "parquet"), terminals...)
}

func TestStopWithOpenStreams(t *testing.T) {
	o := newOptions(t)
	b, stop := start(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var terminals []*terminal
	for _, name := range []string{"t1", "t2"} {
		m := newTerminal(t, o, name, 1500)
		terminals = append(terminals, m)
		wg.Go(func() { _ = m.run(ctx, b.Addr().String()) })
	}
	for b.log.Head() < 100 {
		if err := b.log.Wait(t.Context(), b.log.Head()); err != nil {
			t.Fatal(err)
		}
	}
	// A peer that says nothing must not delay the stop either.
	silent, err := net.Dial("tcp", b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	begin := time.Now()
	if err := stop(); err != nil {
		t.Errorf("Run = %v", err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("stopping took %v, want less than 5 s", took)
	}
	cancel()
	wg.Wait()

	b, stop = start(t, o)
	for _, m := range terminals {
		wg.Go(func() {
			if err := m.run(t.Context(), b.Addr().String()); err != nil {
				t.Errorf("%s: %v", m.name, err)
			}
		})
	}
	wg.Wait()
	if err := stop(); err != nil {
		t.Errorf("Run = %v", err)
	}
	landRest(t, o)
	exactlyOnce(t, filepath.Join(o.Dir, "parquet"), terminals...)
}

// landRest lands what there was no time for at a stop.
func landRest(t *testing.T, o Options) {
	t.Helper()
	b, stop := start(t, o)
	var state struct{ Offset uint64 }
	for deadline := time.Now().Add(time.Minute); state.Offset < b.log.Head(); time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(filepath.Join(o.Dir, "parquet", "_state", "offset.json"))
		if err == nil {
			err = json.Unmarshal(text, &state)
		}
		if err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("landed through %d of %d after a minute", state.Offset, b.log.Head())
		}
	}
	if err := stop(); err != nil {
		t.Errorf("Run = %v", err)
	}
}

func TestOpenProblems(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	tests := []struct {
		name   string
		change func(t *testing.T, o *Options)
		want   error // nil: any
		hint   string
	}{
		{"address in use", func(_ *testing.T, o *Options) { o.Listen = taken.Addr().String() }, syscall.EADDRINUSE, "--listen"},
		{"no such port", func(_ *testing.T, o *Options) { o.Listen = "127.0.0.1:99999" }, nil, "--listen"},
		{"missing certificate", func(_ *testing.T, o *Options) { o.CertFile += "x" }, fs.ErrNotExist, "ca issue"},
		{"missing key", func(_ *testing.T, o *Options) { o.KeyFile += "x" }, fs.ErrNotExist, "ca issue"},
		{"missing authority", func(_ *testing.T, o *Options) { o.CAFile += "x" }, fs.ErrNotExist, "ca issue"},
		{"authority is no certificate", func(_ *testing.T, o *Options) { o.CAFile = o.KeyFile }, nil, "PEM"},
		{"key of another certificate", func(t *testing.T, o *Options) {
			o.KeyFile = filepath.Join(t.TempDir(), ca.ServerKeyFile)
			if err := ca.IssueServer(filepath.Dir(o.CAFile), []string{"localhost"}, filepath.Dir(o.KeyFile)); err != nil {
				t.Fatal(err)
			}
		}, nil, "belong together"},
		{"data folder is a file", func(t *testing.T, o *Options) {
			o.Dir = filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(o.Dir, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, syscall.ENOTDIR, "--dir"},
		{"land folder is a file", func(t *testing.T, o *Options) {
			o.LandDir = filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(o.LandDir, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, nil, "--land-dir"},
		{"folder that nobody can make", func(_ *testing.T, o *Options) { o.Dir = "/proc/stampd" }, nil, "--dir"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := newOptions(t)
			tt.change(t, &o)
			b, err := Open(o)
			if err == nil {
				b.close()
				t.Fatal("Open succeeded")
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("Open = %v, want %v", err, tt.want)
			}
			if p, ok := errors.AsType[*Problem](err); !ok || !strings.Contains(p.Hint(), tt.hint) {
				t.Errorf("Open = %v, without a hint about %s", err, tt.hint)
			}
			// Nothing is left open: a good call succeeds.
			good := newOptions(t)
			if tt.want != syscall.ENOTDIR && tt.name != "folder that nobody can make" {
				good.Dir = o.Dir
			}
			again, err := Open(good)
			if err != nil {
				t.Fatalf("Open afterwards = %v", err)
			}
			again.listener.Close()
			again.close()
		})
	}
}

func TestOneBackendPerFolder(t *testing.T) {
	o := newOptions(t)
	start(t, o)
	_, err := Open(o)
	if p, ok := errors.AsType[*Problem](err); !ok || !errors.Is(err, eventlog.ErrLocked) || !strings.Contains(p.Hint(), "already runs") {
		t.Errorf("Open = %v, want ErrLocked and a hint", err)
	}
}

// A log that is gone behind the server's back ends it, with an error.
func TestFailureEndsTheBackend(t *testing.T) {
	o := newOptions(t)
	b, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- b.Run(context.Background()) }()
	if err := b.log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("Run = nil, want an error")
	}
}
