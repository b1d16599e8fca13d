package hal_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/uplink/wire"
)

// startBus starts a message bus of the test's own and returns its address. Where CI is set a machine without one fails.
func startBus(t *testing.T) string {
	t.Helper()
	daemon, err := exec.LookPath("dbus-daemon")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("there is no dbus-daemon here: .ci/setup installs it")
	}
	dir, err := os.MkdirTemp("", "bus") // the path of t.TempDir is too long for a unix socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	config := filepath.Join(dir, "bus.conf")
	content := fmt.Sprintf(`<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=%s/socket</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>`, dir)
	if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	bus := exec.CommandContext(t.Context(), daemon, "--config-file="+config, "--nofork", "--nopidfile", "--print-address")
	out, err := bus.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := bus.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = bus.Process.Kill()
		_ = bus.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(address)
}

// startManager starts a ModemManager of the test's own on the bus.
func startManager(t *testing.T, bus string) *haltest.ModemManager {
	t.Helper()
	service, err := haltest.NewModemManager(bus)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { service.Close() })
	return service
}

const managedICCID = "8944200053671052499"

// managed returns the properties of a modem on LTE, and what is to be read of it.
func managed() (map[string]map[string]any, *wire.Modem) {
	return map[string]map[string]any{
			"Modem": {
				"Manufacturer": "QUALCOMM INCORPORATED", "Model": "QUECTEL Mobile Broadband Module", "Revision": "EC25EFAR06A08M4G",
				"EquipmentIdentifier": "352099001761481", "PrimaryPort": "cdc-wdm0", "State": int32(8), "PowerState": uint32(3),
				"UnlockRequired": uint32(3), "AccessTechnologies": uint32(1 << 14),
				"SignalQuality": struct {
					Percent uint32
					Recent  bool
				}{64, true},
			},
			"Modem.Modem3gpp": {
				"Imei": "352099001761481", "RegistrationState": uint32(5), "OperatorCode": "26201", "OperatorName": "Telekom.de",
			},
			"Modem.Signal": {
				"Rate": uint32(0),
				"Lte": map[string]dbus.Variant{
					"rssi": dbus.MakeVariant(-64.0), "rsrq": dbus.MakeVariant(-12.5), "rsrp": dbus.MakeVariant(-95.0), "snr": dbus.MakeVariant(9.2),
				},
				"Nr5g": map[string]dbus.Variant{"rsrp": dbus.MakeVariant(-32768.0), "snr": dbus.MakeVariant(99.0)},
			},
		}, &wire.Modem{
			Name: "cdc-wdm0", Registration: new(uint32(5)), RegistrationWith: "3gpp", AccessTechnology: new(uint32(7)),
			Operator: "Telekom.de", OperatorCode: "26201", RssiDbm: new(int32(-64)), RsrpDecidbm: new(int32(-950)),
			RsrqDecidb: new(int32(-125)), SinrDecidb: new(int32(92)), SignalSource: "ModemManager", SignalPercent: new(uint32(64)),
			Sim: wire.SimState_SIM_STATE_READY, Iccid: managedICCID, Imei: "352099001761481",
			Model: "QUALCOMM INCORPORATED QUECTEL Mobile Broadband Module", Firmware: "EC25EFAR06A08M4G", RadioOn: new(true),
			Nonsense: "ModemManager nr_sinr=99", Raw: managedRaw(5),
		}
}

// managedRaw returns what that modem's reading was made from.
func managedRaw(state int) string {
	return fmt.Sprintf("RegistrationState: @u %d\n", state) + `OperatorCode: "26201"
OperatorName: "Telekom.de"
AccessTechnologies: @u 16384
SignalQuality: @av [64, true]
Lte: {"rsrp": <@d -95>, "rsrq": <@d -12.5>, "rssi": <@d -64>, "snr": <@d 9.2>}
Nr5g: {"rsrp": <@d -32768>, "snr": <@d 99>}`
}

// namedModem is the modem with a name that a ModemManager has, whenever it has it.
type namedModem struct {
	manager *hal.ModemManager
	name    string
}

func (m namedModem) Name() string { return m.name }

func (m namedModem) Read(ctx context.Context) (*wire.Modem, error) {
	list, err := m.manager.Modems(ctx)
	if err != nil {
		return nil, err
	}
	for _, modem := range list {
		if modem.Name() == m.name {
			return modem.Read(ctx)
		}
	}
	return nil, hal.ErrGone
}

func TestModemManagerConformance(t *testing.T) {
	t.Parallel()
	haltest.TestModem(t, haltest.InRealTime, func(t *testing.T) haltest.ModemBench {
		bus := startBus(t)
		service := startManager(t, bus)
		properties, want := managed()
		service.Plug(properties, managedICCID)
		manager := hal.NewModemManager(bus, nil)
		manager.SetLimit(500 * time.Millisecond)
		t.Cleanup(manager.Close)
		return haltest.ModemBench{
			Modem:  namedModem{manager, "cdc-wdm0"},
			Want:   want,
			Hang:   func() { service.Hang(true) },
			Garble: func() { service.Garble(true) },
			Remove: service.Unplug,
			Restore: func() {
				service.Hang(false)
				service.Garble(false)
				service.Plug(properties, managedICCID)
			},
		}
	})
}

// A modem that was found is read for as long as it is there, also as another object.
func TestModemManagerReplugged(t *testing.T) {
	bus := startBus(t)
	service := startManager(t, bus)
	properties, want := managed()
	service.Plug(properties, managedICCID)
	manager := hal.NewModemManager(bus, nil)
	defer manager.Close()
	list, err := manager.Modems(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("%d modems, %v", len(list), err)
	}
	for range 3 {
		got, err := list[0].Read(t.Context())
		if diff := cmp.Diff(want, got, protocmp.Transform()); err != nil || diff != "" {
			t.Errorf("%v (-want +got)\n%s", err, diff)
		}
		service.Unplug()
		if _, err := list[0].Read(t.Context()); !errors.Is(err, hal.ErrGone) {
			t.Errorf("unplugged: %v", err)
		}
		service.Plug(properties, managedICCID)
	}
	if rates := service.Rates(); len(rates) != 3 {
		t.Errorf("asked to measure %v, want once for each time it was plugged in", rates)
	}
}

// While ModemManager is on the bus the tty is never opened; when it comes the port is let go of, when it goes the port is
// opened.
func TestBoardModemManager(t *testing.T) {
	bus := startBus(t)
	service := startManager(t, bus)
	tr, wantAT := transcript(t, "../testdata/at/quectel-ec25.txtar")
	virtual := haltest.NewModem(tr)
	slot := haltest.NewSlot(filepath.Join(t.TempDir(), "ttyUSB2"))
	if err := slot.Plug(virtual); err != nil {
		t.Fatal(err)
	}
	defer slot.Unplug()
	properties, want := managed()
	service.Plug(properties, managedICCID)
	board := hal.Open(hal.Profile{SysRoot: t.TempDir(), Modem: slot.Path(), SystemBus: bus})
	defer board.Close()

	expectModems(t, board, want)
	if asked := virtual.Asked(); len(asked) > 0 {
		t.Errorf("the tty was opened: %q", asked)
	}
	expectModemParts(t, board, hal.Part{Name: "modem/cdc-wdm0", Driver: "modemmanager", OK: true, Detail: "some values can't be, and were left out"})

	drain(board)
	service.Register(3)
	awaitNews(t, board)
	want.Registration, want.Raw = new(uint32(3)), managedRaw(3)
	expectModems(t, board, want)

	drain(board)
	if err := service.Leave(); err != nil {
		t.Fatal(err)
	}
	awaitNews(t, board)
	expectModems(t, board, wantAT)
	expectModemParts(t, board, hal.Part{Name: "modem/ttyUSB2", Driver: "at", OK: true})

	drain(board)
	if err := service.Enter(); err != nil {
		t.Fatal(err)
	}
	awaitNews(t, board)
	asked := len(virtual.Asked())
	expectModems(t, board, want)
	time.Sleep(50 * time.Millisecond) // time for an attempt that must not come
	if now := len(virtual.Asked()); now != asked {
		t.Errorf("%d commands after ModemManager came", now-asked)
	}
	if _, err := os.Stat(slot.Path()); err != nil {
		t.Error(err)
	}
}

// A bus that hangs is no answer: nothing is opened before it is known whose the modem is, and nothing waits for ever.
func TestBoardBusHangs(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "bus") // the path of t.TempDir is too long for a unix socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	listener, err := net.Listen("unix", filepath.Join(dir, "socket")) //nolint:noctx // it takes nobody in
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	started := time.Now()
	board := hal.Open(hal.Profile{SysRoot: t.TempDir(), Modem: "/dev/null", SystemBus: "unix:path=" + dir + "/socket"})
	defer board.Close()
	if took := time.Since(started); took > time.Second {
		t.Errorf("Open took %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	started = time.Now()
	if got := board.Modems(ctx); len(got) != 0 || time.Since(started) > time.Second {
		t.Errorf("%d modems after %v", len(got), time.Since(started))
	}
}

// expectModems fails the test unless the board reads that modem soon.
func expectModems(t *testing.T, b *hal.Board, want *wire.Modem) {
	t.Helper()
	var got []*wire.Modem
	for started := time.Now(); time.Since(started) < 5*time.Second; time.Sleep(20 * time.Millisecond) {
		if got = b.Modems(t.Context()); len(got) == 1 && proto.Equal(got[0], want) {
			return
		}
	}
	t.Errorf("modems differ (-want +got):\n%s", cmp.Diff([]*wire.Modem{want}, got, protocmp.Transform()))
}

// expectModemParts fails the test unless the board tells that of its modems.
func expectModemParts(t *testing.T, b *hal.Board, want ...hal.Part) {
	t.Helper()
	var got []hal.Part
	for _, p := range b.Found() {
		if strings.HasPrefix(p.Name, "modem") {
			got = append(got, p)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parts differ (-want +got):\n%s", diff)
	}
}

func drain(b *hal.Board) {
	select {
	case <-b.ModemNews():
	default:
	}
}

func awaitNews(t *testing.T, b *hal.Board) {
	t.Helper()
	select {
	case <-b.ModemNews():
	case <-time.After(5 * time.Second):
		t.Fatal("the board does not tell that something changed")
	}
}
