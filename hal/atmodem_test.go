package hal_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/at"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

var update = flag.Bool("update", false, "write the readings into testdata/at")

// transcript returns one of the shared transcripts and what is to be read of it.
func transcript(t *testing.T, archive string) (*haltest.Transcript, *wire.Modem) {
	t.Helper()
	tr, err := haltest.ReadTranscript(archive)
	if err != nil {
		t.Fatal(err)
	}
	want := new(wire.Modem)
	if err := prototext.Unmarshal([]byte(tr.Reading), want); err != nil && !*update {
		t.Fatalf("%s: %v", archive, err)
	}
	return tr, want
}

// plug returns an AT modem on the tty of a slot with that modem in it.
func plug(t *testing.T, m *haltest.Modem) (*hal.ATModem, *haltest.Slot) {
	t.Helper()
	slot := haltest.NewSlot(filepath.Join(t.TempDir(), "ttyUSB2"))
	if err := slot.Plug(m); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(slot.Unplug)
	modem := hal.NewATModem(hal.ATOptions{
		Name:    "ttyUSB2",
		Open:    func() (at.Stream, error) { return at.OpenSerial(slot.Path(), 115200) },
		Watch:   func() (<-chan struct{}, func(), error) { return at.WatchPath(slot.Path()) },
		Timeout: 400 * time.Millisecond,
	})
	t.Cleanup(modem.Close)
	return modem, slot
}

// readSoon reads a modem, as soon as it can be.
func readSoon(t *testing.T, m hal.Modem) *wire.Modem {
	t.Helper()
	for started := time.Now(); ; {
		r, err := m.Read(t.Context())
		if err == nil {
			return r
		}
		if time.Since(started) > 5*time.Second {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // a real tty, real time
	}
}

// What is read of each modem whose answers are known, with echo and without, with unsolicited lines before and inside each
// answer. Nothing of it is refused by the guard.
func TestATModemTranscripts(t *testing.T) {
	archives, err := filepath.Glob("../testdata/at/*.txtar")
	if err != nil || len(archives) < 6 {
		t.Fatalf("%d transcripts (%v), want at least six", len(archives), err)
	}
	for _, archive := range archives {
		tr, want := transcript(t, archive)
		for _, how := range []struct {
			name  string
			spoil func(*haltest.Modem)
		}{
			{"plain", func(*haltest.Modem) {}},
			{"interrupted", func(m *haltest.Modem) { m.Interrupt("+CREG: 5", "RING", `+CMTI: "ME",1`, "+QIND: PB DONE") }},
		} {
			t.Run(strings.TrimSuffix(filepath.Base(archive), ".txtar")+"/"+how.name, func(t *testing.T) {
				t.Parallel()
				virtual := haltest.NewModem(tr)
				how.spoil(virtual)
				modem, _ := plug(t, virtual)
				got := readSoon(t, modem)
				if *update && how.name == "plain" {
					updateReading(t, archive, got)
					return
				}
				if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
					t.Errorf("reading differs (-want +got):\n%s", diff)
				}
				if err := pci.NewGuard(nil).Inspect(&wire.Event{Body: &wire.Event_Modem{Modem: got}}); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// updateReading writes a reading into an archive.
func updateReading(t *testing.T, archive string, r *wire.Modem) {
	t.Helper()
	content, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(content), "-- reading --\n")
	text := prototext.MarshalOptions{Multiline: true}.Format(r)
	text = strings.ReplaceAll(text, ":  ", ": ") // its spaces vary from build to build
	if err := os.WriteFile(archive, fmt.Appendf(nil, "%s-- reading --\n%s", head, text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestATModemConformance(t *testing.T) {
	t.Parallel()
	tr, want := transcript(t, "../testdata/at/quectel-ep06.txtar")
	want.Name = "ttyUSB2"
	haltest.TestModem(t, func(t *testing.T) haltest.ModemBench {
		virtual := haltest.NewModem(tr)
		modem, slot := plug(t, virtual)
		return haltest.ModemBench{
			Modem:  modem,
			Want:   want,
			Hang:   func() { virtual.Fault(haltest.Hang) },
			Garble: func() { virtual.Fault(haltest.Garbage) },
			Remove: func() { slot.Unplug(); waitGone(t, modem) },
			Restore: func() {
				virtual.Fault(haltest.NoFault)
				if _, err := os.Lstat(slot.Path()); err != nil {
					if err := slot.Plug(virtual); err != nil {
						t.Error(err)
					}
				}
			},
		}
	})
}

// waitGone waits until the modem has noticed that its port is gone.
func waitGone(t *testing.T, m *hal.ATModem) {
	t.Helper()
	for started := time.Now(); m.State() == nil; time.Sleep(time.Millisecond) {
		if time.Since(started) > time.Second {
			t.Fatal("it takes longer than a second to notice that the port is gone")
		}
	}
}
