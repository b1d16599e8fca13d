package at_test

import (
	"context"
	"errors"
	"flag"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/stampd/stampd/hal/at"
	"github.com/stampd/stampd/hal/haltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cycles is how often the modem is unplugged in TestPortUnplugged: 10,000 take some minutes, since the kernel takes its time
// to end an inotify.
var cycles = flag.Int("cycles", 60, "how often to unplug the modem")

func newModem(t *testing.T) *haltest.Modem {
	t.Helper()
	tr, err := haltest.ParseTranscript("> AT+CSQ\n< +CSQ: 18,99\n< OK\n> AT+CGMM\n< EC25\n< OK\n> AT+QPOWD\n< CONNECT\n> AT+CMGS\n< > \n")
	if err != nil {
		t.Fatal(err)
	}
	return haltest.NewModem(tr)
}

// wire is a line to a modem that is there while it is not cut. It lives in a bubble of testing/synctest.
type wire struct {
	modem *haltest.Modem

	mu    sync.Mutex
	cut   bool
	ends  []net.Conn
	opens int
}

func (w *wire) open() (at.Stream, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opens++
	if w.cut {
		return nil, os.ErrNotExist
	}
	ours, theirs := net.Pipe()
	w.ends = append(w.ends, theirs)
	go w.modem.Serve(context.Background(), theirs)
	return ours, nil
}

// opened returns how often the line was opened.
func (w *wire) opened() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.opens
}

// set cuts the line, or mends it.
func (w *wire) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if cut {
		for _, e := range w.ends {
			_ = e.Close()
		}
		w.ends = nil
	}
}

// bubble runs a test with a port and a modem on a line, in a bubble.
func bubble(t *testing.T, test func(t *testing.T, p *at.Port, w *wire, heard func() []string)) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{modem: newModem(t)}
		var mu sync.Mutex
		var lines []string
		p := at.NewPort(at.Options{
			Open: w.open,
			Unsolicited: func(line string) {
				mu.Lock()
				defer mu.Unlock()
				lines = append(lines, line)
			},
		})
		defer w.set(true)
		defer p.Close()
		synctest.Wait()
		test(t, p, w, func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(lines)
		})
	})
}

var csq = at.Command{Text: "AT+CSQ", Prefix: "+CSQ:"}

func expect(t *testing.T, p *at.Port, c at.Command, want error, lines ...string) {
	t.Helper()
	answer, err := p.Do(t.Context(), c)
	if !errors.Is(err, want) || !slices.Equal(answer.Lines, lines) {
		t.Fatalf("%s: got %q and %v, want %q and %v", c.Text, answer.Lines, err, lines, want)
	}
}

func TestPortAsks(t *testing.T) {
	bubble(t, func(t *testing.T, p *at.Port, w *wire, heard func() []string) {
		expect(t, p, csq, nil, "+CSQ: 18,99")
		w.modem.Interrupt("+CREG: 5")
		expect(t, p, csq, nil, "+CSQ: 18,99")
		w.modem.Say("RING")
		synctest.Wait()
		if got := heard(); !slices.Equal(got, []string{"+CREG: 5", "+CREG: 5", "RING"}) {
			t.Errorf("heard %q", got)
		}
		var refused *at.RefusedError
		if _, err := p.Do(t.Context(), at.Command{Text: "AT+NONE"}); !errors.As(err, &refused) || refused.Final.Kind != at.Error {
			t.Errorf("error is %v", err)
		}
		if asked := w.modem.Asked(); !slices.Equal(asked[:3], []string{"AT", "ATE0", "AT+CMEE=1"}) {
			t.Errorf("the modem was told %q first", asked[:3])
		}
	})
}

// One command at a time, whoever asks.
func TestPortOneAtATime(t *testing.T) {
	bubble(t, func(t *testing.T, p *at.Port, w *wire, _ func() []string) {
		w.modem.Delay(100 * time.Millisecond)
		started := time.Now()
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				c, want := csq, "+CSQ: 18,99"
				if i%2 == 1 {
					c, want = at.Command{Text: "AT+CGMM"}, "EC25"
				}
				if a, err := p.Do(t.Context(), c); err != nil || !slices.Equal(a.Lines, []string{want}) {
					t.Errorf("%s: got %q, %v", c.Text, a.Lines, err)
				}
			})
		}
		all.Wait()
		if took := time.Since(started); took < 2*time.Second {
			t.Errorf("20 commands of 100 ms took %v", took)
		}
	})
}

// An answer that is late is never taken for that of the next command.
func TestPortLate(t *testing.T) {
	bubble(t, func(t *testing.T, p *at.Port, w *wire, _ func() []string) {
		w.modem.Fault(haltest.Late)
		expect(t, p, at.Command{Text: "AT+CGMM"}, at.ErrSilent)
		w.modem.Fault(haltest.NoFault)
		expect(t, p, csq, nil, "+CSQ: 18,99")
		expect(t, p, at.Command{Text: "AT+CGMM"}, nil, "EC25")
		expect(t, p, csq, nil, "+CSQ: 18,99")
	})
}

func TestPortFaults(t *testing.T) {
	for _, test := range []struct {
		fault haltest.Fault
		want  error
	}{
		{haltest.Hang, at.ErrSilent},
		{haltest.Deaf, at.ErrSilent},
		{haltest.Garbage, at.ErrGarbled},
		{haltest.Cut, at.ErrGarbled},
		{haltest.Flood, at.ErrGarbled},
	} {
		t.Run(string(test.fault), func(t *testing.T) {
			bubble(t, func(t *testing.T, p *at.Port, w *wire, _ func() []string) {
				w.modem.Fault(test.fault)
				for range 5 {
					started := time.Now()
					if _, err := p.Do(t.Context(), csq); !errors.Is(err, test.want) && !errors.Is(err, at.ErrSilent) {
						t.Errorf("error is %v, want %v", err, test.want)
					}
					if took := time.Since(started); took > 5*time.Second {
						t.Errorf("Do took %v", took)
					}
				}
				w.modem.Fault(haltest.NoFault)
				time.Sleep(time.Minute)
				expect(t, p, csq, nil, "+CSQ: 18,99")
			})
		})
	}
}

// A modem that hangs is opened anew, again and again, and ever less often.
func TestPortHungForLong(t *testing.T) {
	bubble(t, func(t *testing.T, p *at.Port, w *wire, _ func() []string) {
		w.modem.Fault(haltest.Hang)
		for range 4 {
			_, _ = p.Do(t.Context(), csq)
		}
		time.Sleep(time.Hour)
		if n := w.opened(); n < 60 || n > 200 {
			t.Errorf("opened %d times within an hour", n)
		}
		if _, err := p.State(); !errors.Is(err, at.ErrSilent) {
			t.Errorf("state is %v", err)
		}
	})
}

// A command that makes the modem wait for text, or for data, does not leave it waiting.
func TestPortPrompt(t *testing.T) {
	bubble(t, func(t *testing.T, p *at.Port, _ *wire, _ func() []string) {
		for _, text := range []string{"AT+CMGS", "AT+QPOWD"} {
			var refused *at.RefusedError
			if _, err := p.Do(t.Context(), at.Command{Text: text}); !errors.As(err, &refused) {
				t.Errorf("%s: error is %v", text, err)
			}
			time.Sleep(5 * time.Second)
			expect(t, p, csq, nil, "+CSQ: 18,99")
		}
	})
}

func TestPortGoneAndBack(t *testing.T) {
	bubble(t, func(t *testing.T, p *at.Port, w *wire, _ func() []string) {
		for _, away := range []time.Duration{time.Millisecond, time.Second, time.Minute, 24 * time.Hour} {
			w.set(true)
			synctest.Wait()
			if _, err := p.Do(t.Context(), csq); !errors.Is(err, at.ErrGone) {
				t.Errorf("error is %v, want %v", err, at.ErrGone)
			}
			time.Sleep(away)
			w.set(false)
			time.Sleep(2 * time.Second)
			synctest.Wait()
			expect(t, p, csq, nil, "+CSQ: 18,99")
		}
	})
}

func TestPortContext(t *testing.T) {
	bubble(t, func(t *testing.T, p *at.Port, w *wire, _ func() []string) {
		w.modem.Fault(haltest.Hang)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		started := time.Now()
		if _, err := p.Do(ctx, csq); !errors.Is(err, context.DeadlineExceeded) || time.Since(started) != 10*time.Millisecond {
			t.Errorf("error after %v is %v", time.Since(started), err)
		}
		p.Close()
		if _, err := p.Do(t.Context(), csq); !errors.Is(err, at.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if _, err := p.State(); !errors.Is(err, at.ErrClosed) {
			t.Errorf("state after Close: %v", err)
		}
	})
}

// Opening that hangs holds up neither who asks nor who closes.
func TestPortOpenHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := at.NewPort(at.Options{Open: func() (at.Stream, error) { <-release; return nil, os.ErrNotExist }})
		started := time.Now()
		if _, err := p.Do(t.Context(), csq); !errors.Is(err, at.ErrSilent) || time.Since(started) > 5*time.Second {
			t.Errorf("error after %v is %v", time.Since(started), err)
		}
		p.Close()
		close(release)
	})
}

// descriptors returns how many file descriptors are open.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// serialPort returns a port on the tty of a slot.
func serialPort(slot *haltest.Slot, changed func()) *at.Port {
	return at.NewPort(at.Options{
		Open:    func() (at.Stream, error) { return at.OpenSerial(slot.Path(), 115200) },
		Watch:   func() (<-chan struct{}, func(), error) { return at.WatchPath(slot.Path()) },
		Changed: changed,
	})
}

// However often a modem is unplugged, idle or in the middle of an answer, it is opened again within two seconds of its
// return, and neither a goroutine nor a descriptor stays behind.
func TestPortUnplugged(t *testing.T) {
	n := *cycles
	if testing.Short() {
		n = min(n, 50)
	}
	slot := haltest.NewSlot(filepath.Join(t.TempDir(), "ttyUSB2"))
	modem := newModem(t)
	changed := make(chan struct{}, 1)
	p := serialPort(slot, func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	defer p.Close()
	var worst time.Duration
	goroutines, open := 0, 0
	for i := range n {
		if err := slot.Plug(modem); err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		waitState(t, p, changed, true)
		worst = max(worst, time.Since(started))
		switch i % 3 {
		case 0:
			expect(t, p, csq, nil, "+CSQ: 18,99")
		case 1: // in the middle of a command
			go func() { _, _ = p.Do(context.Background(), csq) }()
		}
		slot.Unplug()
		waitState(t, p, changed, false)
		if i == n/10 {
			goroutines, open = runtime.NumGoroutine(), descriptors(t)
		}
	}
	if worst > 2*time.Second {
		t.Errorf("the port was opened %v after the modem's return, want at most 2s", worst)
	}
	for started := time.Now(); runtime.NumGoroutine() > goroutines+5 && time.Since(started) < 5*time.Second; {
		time.Sleep(time.Millisecond)
	}
	if g, d := runtime.NumGoroutine(), descriptors(t); g > goroutines+5 || d > open+3 {
		t.Errorf("%d goroutines and %d descriptors after %d cycles, %d and %d after a tenth of them", g, d, n, goroutines, open)
	}
}

// waitState waits until the port is open, or not.
func waitState(t *testing.T, p *at.Port, changed <-chan struct{}, open bool) {
	t.Helper()
	limit := time.NewTimer(5 * time.Second)
	defer limit.Stop()
	for {
		if _, err := p.State(); err == nil == open {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			_, err := p.State()
			t.Fatalf("after 5s the state is %v", err)
		}
	}
}

// A tty that comes and goes with its directory, as those in /dev/serial/by-id do, is found again.
func TestPortDirectoryGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "serial", "by-id")
	slot := haltest.NewSlot(filepath.Join(dir, "usb-modem"))
	changed := make(chan struct{}, 1)
	p := serialPort(slot, func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	defer p.Close()
	waitState(t, p, changed, false)
	for range 3 {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := slot.Plug(newModem(t)); err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		waitState(t, p, changed, true)
		if took := time.Since(started); took > 2*time.Second {
			t.Errorf("opened after %v", took)
		}
		slot.Unplug()
		if err := os.RemoveAll(filepath.Dir(dir)); err != nil {
			t.Fatal(err)
		}
		waitState(t, p, changed, false)
	}
}

// What is there and is no tty is told of, and leaves nothing behind.
func TestOpenSerialErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before := descriptors(t)
	for path, want := range map[string]error{filepath.Join(dir, "none"): at.ErrGone, file: at.ErrBusy, "/dev/null": at.ErrBusy} {
		if s, err := at.OpenSerial(path, 115200); !errors.Is(err, want) || s != nil {
			t.Errorf("%s: error is %v, want %v", path, err, want)
		}
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// While nothing is asked and nothing comes, an open port wakes nobody.
func TestPortIdle(t *testing.T) {
	bubble(t, func(t *testing.T, _ *at.Port, w *wire, _ func() []string) {
		var asked atomic.Int32
		asked.Store(int32(len(w.modem.Asked())))
		time.Sleep(24 * time.Hour)
		if n := len(w.modem.Asked()); n != int(asked.Load()) || w.opened() != 1 {
			t.Errorf("asked %d commands by itself, opened %d times", n-int(asked.Load()), w.opened())
		}
	})
}
