package buffer_test

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/buffer/disktest"
	"github.com/stampd/stampd/pci"
)

// driveEnv tells the test binary to be a terminal: a process that does commands to a queue.
const driveEnv = "STAMPD_TEST_DRIVE"

// runTerminal is the terminal's process. It never returns.
func runTerminal() {
	tests := []testing.InternalTest{{Name: "terminal", F: serveCommands}}
	testing.Main(func(string, string) (bool, error) { return true, nil }, tests, nil, nil)
	panic("unreachable")
}

// serveCommands does commands from standard input until there are no more. Time stands still while a command is at
// work, and jumps when the queue waits for it: see testing/synctest.
func serveCommands(t *testing.T) {
	in, out := gob.NewDecoder(os.Stdin), gob.NewEncoder(os.Stdout)
	os.Stdout = os.Stderr // what package testing says
	if err := disktest.Attach(); err != nil {
		t.Fatal(err)
	}
	tell := func(o outcome) {
		if err := out.Encode(o); err != nil {
			panic(err)
		}
	}
	for {
		var c command
		if err := in.Decode(&c); errors.Is(err, io.EOF) {
			return
		} else if err != nil || c.Do != begin {
			t.Fatalf("got %q, %v; want to begin", c.Do, err)
		}
		synctest.Test(t, func(t *testing.T) {
			d := &driver{guard: pci.NewGuard(nil), log: zerolog.Nop()}
			for tell(outcome{Done: true}); ; {
				var c command
				if err := in.Decode(&c); err != nil {
					t.Fatal(err)
				}
				if c.Do == end {
					break
				}
				d.do(c, tell)
			}
		})
		tell(outcome{Done: true})
	}
}

// terminal is a process with a queue, seen from outside.
type terminal struct {
	cmd     *exec.Cmd
	process *disktest.Process
	in      *gob.Encoder
	out     *gob.Decoder
	said    *said
}

// said is what a process writes to its standard error.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// startTerminal starts a terminal, and skips the test where that can't be.
func startTerminal(tb testing.TB) *terminal {
	tb.Helper()
	x, err := newTerminal()
	switch {
	case errors.Is(err, disktest.ErrUnsupported):
		tb.Skipf("faults can't be injected: %v", err)
	case errors.Is(err, syscall.ENOEXEC):
		tb.Skip("the kernel can't start this program: it runs under an emulator")
	case err != nil:
		tb.Fatal(err)
	}
	return x
}

// newTerminal starts a terminal, which must be killed in the end.
func newTerminal() (*terminal, error) {
	x := &terminal{cmd: exec.Command(os.Args[0], "-test.timeout=10m"), said: &said{}}
	// Without what the test itself may run under: the FIPS module draws its entropy from a clock, which stands still here.
	x.cmd.Env = append(os.Environ(), driveEnv+"=1", "GODEBUG=")
	x.cmd.Stderr = x.said
	in, err := x.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := x.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if x.process, err = disktest.Start(x.cmd); err != nil {
		return nil, fmt.Errorf("cannot start a terminal: %w\n%s", err, x.said)
	}
	x.in, x.out = gob.NewEncoder(in), gob.NewDecoder(out)
	return x, nil
}

// kill ends the process, if it has not ended, and waits for it.
func (x *terminal) kill() {
	_ = x.cmd.Process.Kill()
	_ = x.cmd.Wait()
	<-x.process.Ended()
}

// restart puts a new process in the place of one that has ended, or is to.
func (x *terminal) restart() error {
	x.kill()
	fresh, err := newTerminal()
	if err == nil {
		*x = *fresh
	}
	return err
}

// patience is how long a command may take.
const patience = 30 * time.Second

// do has a command done. It fails when the process ends.
func (x *terminal) do(c command, tell func(outcome)) error {
	hung := time.AfterFunc(patience, func() { _ = x.cmd.Process.Signal(syscall.SIGQUIT) })
	defer hung.Stop()
	if err := x.in.Encode(c); err != nil {
		return x.gone(c, err)
	}
	for {
		var o outcome
		if err := x.out.Decode(&o); err != nil {
			return x.gone(c, err)
		}
		tell(o)
		if o.Done {
			return nil
		}
	}
}

// gone waits for the end of a process that does not answer any more, and returns all that is known of it.
func (x *terminal) gone(c command, err error) error {
	wait := x.cmd.Wait() // and with it all that it said
	return fmt.Errorf("%s is not answered: %w; %v, %v\n%s", c.Do, err, wait, x.process.Err(), x.said)
}
