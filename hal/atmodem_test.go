package hal_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
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
	tr, want := transcript(t, "../testdata/at/quectel-ep06.txtar")
	haltest.TestModem(t, haltest.InBubble, func(t *testing.T) haltest.ModemBench {
		virtual := haltest.NewModem(tr)
		l := &line{modem: virtual}
		modem := hal.NewATModem(hal.ATOptions{Name: want.Name, Open: l.open, Timeout: 400 * time.Millisecond})
		t.Cleanup(func() {
			modem.Close()
			l.cut(true)
		})
		return haltest.ModemBench{
			Modem:  modem,
			Want:   want,
			Hang:   func() { virtual.Fault(haltest.Hang) },
			Garble: func() { virtual.Fault(haltest.Garbage) },
			Remove: func() { l.cut(true); synctest.Wait() },
			Restore: func() {
				virtual.Fault(haltest.NoFault)
				l.cut(false)
			},
		}
	})
}

// line is a line to a modem, which can be cut. It lives in a bubble of testing/synctest.
type line struct {
	modem *haltest.Modem

	mu   sync.Mutex
	gone bool
	end  net.Conn
}

func (l *line) open() (at.Stream, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone {
		return nil, os.ErrNotExist
	}
	ours, theirs := net.Pipe()
	l.end = theirs
	go l.modem.Serve(context.Background(), theirs)
	return ours, nil
}

func (l *line) cut(gone bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = gone
	if gone && l.end != nil {
		_ = l.end.Close()
	}
}

// On a line that loses and changes bytes a modem is read or is not, in time and within the ranges of the schema; on a good
// one it is read again as before.
func TestATModemNoise(t *testing.T) {
	tr, want := transcript(t, "../testdata/at/simcom-sim7600.txtar")
	synctest.Test(t, func(t *testing.T) {
		virtual := haltest.NewModem(tr)
		ctx, cancel := context.WithCancel(context.Background())
		modem := hal.NewATModem(hal.ATOptions{Name: want.Name, Open: func() (at.Stream, error) {
			ours, theirs := net.Pipe()
			context.AfterFunc(ctx, func() { theirs.Close() })
			go virtual.Serve(ctx, theirs)
			return ours, nil
		}})
		defer cancel()
		defer modem.Close()
		virtual.Fault(haltest.Noise)
		read := 0
		for range 200 {
			started := time.Now()
			r, err := modem.Read(t.Context())
			if took := time.Since(started); took > 13*time.Second {
				t.Errorf("Read took %v", took)
			}
			if err == nil {
				read++
				expectInRange(t, r)
			}
			time.Sleep(time.Second)
		}
		if read == 0 {
			t.Error("it was never read: the line is too bad to test anything")
		}
		virtual.Fault(haltest.NoFault)
		time.Sleep(time.Hour) // by then all is asked again
		if diff := cmp.Diff(want, readSoon(t, modem), protocmp.Transform()); diff != "" {
			t.Errorf("reading differs (-want +got):\n%s", diff)
		}
	})
}

// A modem that takes as long for each answer as one may for AT is read within a minute.
func TestATModemThinking(t *testing.T) {
	tr, want := transcript(t, "../testdata/at/quectel-ep06.txtar")
	for _, delay := range []time.Duration{300 * time.Millisecond, 450 * time.Millisecond, 700 * time.Millisecond, 900 * time.Millisecond} {
		t.Run(delay.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				virtual := haltest.NewModem(tr)
				virtual.Delay(delay)
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				modem := hal.NewATModem(hal.ATOptions{Name: want.Name, Open: func() (at.Stream, error) {
					ours, theirs := net.Pipe()
					context.AfterFunc(ctx, func() { theirs.Close() })
					go virtual.Serve(ctx, &tty{ReadWriter: theirs, sent: queue(theirs)})
					return ours, nil
				}})
				defer modem.Close()
				for started := time.Now(); ; time.Sleep(time.Second) {
					r, err := modem.Read(t.Context())
					if err == nil && r.Imei == want.Imei && r.GetRegistration() == want.GetRegistration() && r.RsrpDecidbm != nil {
						return
					}
					if time.Since(started) > time.Minute {
						t.Fatalf("after a minute the reading is %v, error %v", r, err)
					}
				}
			})
		})
	}
}

// tty is the modem's end of a line which keeps what is sent to it until the modem reads it, as the kernel does.
type tty struct {
	io.ReadWriter
	sent <-chan byte
}

// Read returns one byte.
func (t *tty) Read(p []byte) (int, error) {
	b, more := <-t.sent
	if !more {
		return 0, io.EOF
	}
	p[0] = b
	return 1, nil
}

// queue returns what comes from a stream.
func queue(from io.Reader) <-chan byte {
	sent := make(chan byte, 4096)
	go func() {
		defer close(sent)
		var b [1]byte
		for {
			if _, err := from.Read(b[:]); err != nil {
				return
			}
			sent <- b[0]
		}
	}()
	return sent
}

// A modem that answers so slowly that not even its name is known in time hangs; when it answers as it should again, it is read.
func TestATModemSlow(t *testing.T) {
	tr, want := transcript(t, "../testdata/at/quectel-ep06.txtar")
	synctest.Test(t, func(t *testing.T) {
		virtual := haltest.NewModem(tr)
		l := &line{modem: virtual}
		modem := hal.NewATModem(hal.ATOptions{Name: want.Name, Open: l.open})
		defer l.cut(true)
		defer modem.Close()
		time.Sleep(time.Second) // it answers AT by then
		virtual.Delay(1900 * time.Millisecond)
		for range 3 {
			if r, err := modem.Read(t.Context()); !errors.Is(err, hal.ErrHung) {
				t.Fatalf("reading is %v, error %v, want %v", r, err, hal.ErrHung)
			}
		}
		virtual.Delay(0)
		if diff := cmp.Diff(want, readSoon(t, modem), protocmp.Transform()); diff != "" {
			t.Errorf("reading differs (-want +got):\n%s", diff)
		}
	})
}

// expectInRange fails the test when a value of a reading is out of the range that the schema gives.
func expectInRange(t *testing.T, r *wire.Modem) {
	t.Helper()
	for _, v := range []struct {
		name        string
		value       *int32
		least, most int32
	}{
		{"rssi_dbm", r.RssiDbm, -140, -20},
		{"rsrp_decidbm", r.RsrpDecidbm, -1560, -310},
		{"rsrq_decidb", r.RsrqDecidb, -430, 200},
		{"sinr_decidb", r.SinrDecidb, -230, 400},
		{"temperature_decicelsius", r.TemperatureDecicelsius, -400, 1250},
		{"network_zone_minutes", r.NetworkZoneMinutes, -840, 840},
	} {
		if v.value != nil && (*v.value < v.least || *v.value > v.most) {
			t.Errorf("%s is %d, out of %d to %d", v.name, *v.value, v.least, v.most)
		}
	}
	for name, v := range map[string]struct{ text, chars string }{
		"iccid": {r.Iccid, "0123456789ABCDEF"}, "imei": {r.Imei, "0123456789"}, "operator_code": {r.OperatorCode, "0123456789"},
	} {
		if strings.Trim(v.text, v.chars) != "" {
			t.Errorf("%s is %q", name, v.text)
		}
	}
	if r.GetRegistration() > 11 || r.GetAccessTechnology() > 13 || r.GetAreaCode() >= 1<<24 || r.GetCellId() >= 1<<36 {
		t.Errorf("out of range: %v", r)
	}
	if err := pci.NewGuard(nil).Inspect(r); err != nil {
		t.Error(err)
	}
}
