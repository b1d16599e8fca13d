package haltest

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/uplink/wire"
)

const (
	// backIn is how long a modem may take to be readable after it came back.
	backIn = 2 * time.Second
	// curedIn is how long it may take after it hung, or spoke nonsense.
	curedIn = 10 * time.Second
)

// ModemBench is a modem that can be reached from both sides.
type ModemBench struct {
	// Modem is what is tested.
	Modem hal.Modem
	// Want is what it reads, with every field that the driver knows.
	Want *wire.Modem
	// Hang makes the hardware hang, Garble makes it answer nonsense, Remove takes it out.
	Hang, Garble, Remove func()
	// Restore brings it back as it was at first.
	Restore func()
}

// InBubble runs a promise in a bubble of testing/synctest, for a bench that can live in one.
func InBubble(t *testing.T, test func(t *testing.T)) { synctest.Test(t, test) }

// InRealTime runs a promise beside others, for a bench of real parts, which take real time.
func InRealTime(t *testing.T, test func(t *testing.T)) {
	t.Parallel()
	test(t)
}

// TestModem checks that an implementation of hal.Modem keeps the promises of the interface. run is InBubble or InRealTime,
// and open is called once for each of them.
func TestModem(t *testing.T, run func(t *testing.T, test func(t *testing.T)), open func(t *testing.T) ModemBench) {
	for _, promise := range []struct {
		name string
		test func(t *testing.T, b ModemBench)
	}{
		{"reads", testModemReads},
		{"owned by the caller", testModemOwned},
		{"concurrent", testModemConcurrent},
		{"cancelled", testModemCancelled},
		{"gone and back", testModemGone},
		{"garbled", func(t *testing.T, b ModemBench) { testModemFault(t, b, b.Garble, hal.ErrUnusable) }},
		{"hung", func(t *testing.T, b ModemBench) { testModemFault(t, b, b.Hang, hal.ErrHung) }},
		{"cancelled while hung", testModemCancelledWhileHung},
		{"asked often while hung", testModemHungForLong},
	} {
		t.Run(promise.name, func(t *testing.T) {
			run(t, func(t *testing.T) { promise.test(t, open(t)) })
		})
	}
}

func testModemReads(t *testing.T, b ModemBench) {
	if name := b.Modem.Name(); name == "" || len(name) > 57 || name != b.Modem.Name() || name != b.Want.Name {
		t.Errorf("name is %q, want %q: 1 to 57 characters, the same at each call", name, b.Want.Name)
	}
	expectModem(t, b, curedIn)
}

func testModemOwned(t *testing.T, b ModemBench) {
	expectModem(t, b, curedIn)
	r, err := b.Modem.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	proto.Reset(r)
	expectModem(t, b, 0)
}

func testModemConcurrent(t *testing.T, b ModemBench) {
	expectModem(t, b, curedIn)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 3 {
				if r, err := b.Modem.Read(t.Context()); err != nil {
					t.Error(err)
				} else {
					r.Name = "" // a race if it is not ours
				}
			}
		})
	}
	wg.Wait()
}

func testModemCancelled(t *testing.T, b ModemBench) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Modem.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error after cancel is %v, want %v", err, context.Canceled)
	}
}

func testModemGone(t *testing.T, b ModemBench) {
	expectModem(t, b, curedIn)
	for range 3 {
		b.Remove()
		expectModemError(t, b, hal.ErrGone)
		b.Restore()
		expectModem(t, b, backIn)
	}
}

func testModemFault(t *testing.T, b ModemBench, fault func(), want error) {
	expectModem(t, b, curedIn)
	fault()
	expectModemError(t, b, want)
	expectModemError(t, b, want)
	b.Restore()
	expectModem(t, b, curedIn)
}

func testModemCancelledWhileHung(t *testing.T, b ModemBench) {
	expectModem(t, b, curedIn)
	b.Hang()
	defer b.Restore()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	started := time.Now()
	if _, err := b.Modem.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v, want %v", err, context.DeadlineExceeded)
	}
	if took := time.Since(started); took > time.Second {
		t.Errorf("Read returned after %v, want at once when ctx ends", took)
	}
}

func testModemHungForLong(t *testing.T, b ModemBench) {
	expectModem(t, b, curedIn)
	b.Hang()
	defer b.Restore()
	read := func() {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := b.Modem.Read(ctx); err == nil {
			t.Error("a modem that hangs was read")
		}
	}
	read()
	early := driverGoroutines()
	for range 60 {
		read()
	}
	if late := driverGoroutines(); late > early+40 { // other promises are tested at the same time
		t.Errorf("%d goroutines after 1 hung read, %d after 61", early, late)
	}
}

// driverGoroutines returns how many goroutines there are in drivers, without those of the parts that stand in.
func driverGoroutines() int {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	n := 0
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, "stampd/hal.") || strings.Contains(stack, "stampd/hal/at.") {
			n++
		}
	}
	return n
}

// expectModem fails the test unless the modem reads as it should within the time.
func expectModem(t *testing.T, b ModemBench, within time.Duration) {
	t.Helper()
	started := time.Now()
	for {
		r, err := b.Modem.Read(t.Context())
		if err == nil {
			if diff := cmp.Diff(b.Want, r, protocmp.Transform()); diff != "" {
				t.Errorf("reading differs (-want +got):\n%s", diff)
			}
			return
		}
		if time.Since(started) > within {
			t.Fatalf("after %v: %v", time.Since(started), err)
		}
		time.Sleep(10 * time.Millisecond) // real hardware, real time
	}
}

// expectModemError fails the test unless reading fails with want, in time and without a reading.
func expectModemError(t *testing.T, b ModemBench, want error) {
	t.Helper()
	started := time.Now()
	r, err := b.Modem.Read(t.Context())
	if !errors.Is(err, want) || r != nil {
		t.Fatalf("got %v and error %v, want %v", r, err, want)
	}
	if took := time.Since(started); took > patience {
		t.Errorf("Read took %v, want at most %v", took, patience)
	}
}
