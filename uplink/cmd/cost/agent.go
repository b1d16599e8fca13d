package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"

	"github.com/stampd/stampd/uplink/wire"
	"github.com/stampd/stampd/uplink/wire/wireconnect"
)

// settings is what differs between agents.
type settings struct {
	queue     string // folder of the queue; empty is one beside the rest
	backend   string // host:port; empty means none
	schedules schedules
	hardware  *terminal // nil is a battery that stays as it is, and no modem
}

// agent is a terminal: the stripped agent as a process, and a client of its socket.
type agent struct {
	*process
	lab      *lab
	settings settings
	name     string
	dir      string
	client   wireconnect.LocalServiceClient
	wires    *http.Transport
	payments atomic.Uint64
}

// newAgent makes a terminal with a certificate of its own, and does not start it.
func (l *lab) newAgent(s settings) (*agent, error) {
	l.agents++
	a := &agent{lab: l, settings: s, name: fmt.Sprint("t-", l.agents), dir: filepath.Join(l.dir, fmt.Sprint("t", l.agents))}
	if a.settings.queue == "" {
		a.settings.queue = a.dir
	}
	socket := filepath.Join(a.dir, "s")
	a.wires = &http.Transport{MaxIdleConnsPerHost: 64, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	a.client = wireconnect.NewLocalServiceClient(&http.Client{Transport: a.wires}, "http://stampd")
	if err := l.tool("ca", "issue", l.ca, "--terminal", a.name, "--merchant", "m-1", "--out", a.dir); err != nil {
		return nil, err
	}
	if s.hardware == nil { // a terminal without a battery would tell of it
		if err := plug(filepath.Join(a.dir, "sys/class/power_supply/BAT0"), map[string]string{
			"type": "Battery", "present": "1", "status": "Discharging", "capacity": "71", "voltage_now": "3812000",
			"current_now": "-184000", "temp": "298", "cycle_count": "212", "health": "Good",
		}); err != nil {
			return nil, err
		}
	}
	return a, a.configure()
}

// configure writes the config file: what every agent has, and the settings.
func (a *agent) configure() error {
	uplink := ""
	if a.settings.backend != "" {
		uplink = fmt.Sprintf("backend = %q\nserver_name = \"localhost\"\ncert = \"%[2]s/terminal.pem\"\nkey = \"%[2]s/terminal.key\"\nca = \"%[2]s/ca.pem\"\n",
			a.settings.backend, a.dir)
	}
	hardware := fmt.Sprintf("sys_root = %q\nmodem = \"off\"", filepath.Join(a.dir, "sys"))
	if t := a.settings.hardware; t != nil {
		hardware = fmt.Sprintf("sys_root = %q\nmodem = %q\nsystem_bus = \"off\"", t.sys, t.slot.Path())
	}
	text := fmt.Sprintf(`[terminal]
id = %q
merchant = "m-1"
[local]
socket = "%[2]s/s"
[queue]
path = "%[3]s/queue.db"
key_file = "%[2]s/queue.key"
max_size = "512MiB"
[hardware]
%[7]s
[uplink]
first_contact_spread = "0s"
backoff_min = "100ms"
backoff_max = "200ms"
%[4]s
%[5]s
[telemetry]%[6]s
`, a.name, a.dir, a.settings.queue, uplink, a.settings.schedules.uplink, a.settings.schedules.telemetry, hardware)
	return os.WriteFile(filepath.Join(a.dir, "stampd.toml"), []byte(text), 0o600)
}

// start starts the agent, and returns how long it took until it answered.
func (a *agent) start() (time.Duration, error) {
	begin := time.Now()
	p, err := startProcess(filepath.Join(a.dir, "log"), filepath.Join(a.lab.bin, "stampd"), "run", "--config", filepath.Join(a.dir, "stampd.toml"))
	if err != nil {
		return 0, err
	}
	a.process = p
	err = until(a.lab.ctx, 20*time.Second, "the agent answers", func() (bool, error) {
		_, err := a.status()
		return err == nil, err
	})
	return time.Since(begin), err
}

// stop stops the agent.
func (a *agent) stop() {
	if a.process != nil {
		a.wires.CloseIdleConnections()
		a.process.stop()
	}
}

func (a *agent) status() (*wire.StatusResponse, error) {
	answer, err := a.client.Status(a.lab.ctx, connect.NewRequest(&wire.StatusRequest{}))
	if err != nil {
		return nil, err
	}
	return answer.Msg, nil
}

// online waits until the backend has welcomed the terminal and has stored all that there was.
func (a *agent) online(patience time.Duration) error {
	return until(a.lab.ctx, patience, "the agent is online and its queue empty", func() (bool, error) {
		s, err := a.status()
		return err == nil && s.GetUplink().GetState() == wire.UplinkState_UPLINK_STATE_ONLINE && waiting(s, 0) == 0, err
	})
}

// settled waits until the backend has stored every payment.
func (a *agent) settled(patience time.Duration) error {
	return until(a.lab.ctx, patience, "the backend has stored every payment", func() (bool, error) {
		s, err := a.status()
		return err == nil && waiting(s, wire.Lane_LANE_LEDGER) == 0, err
	})
}

// waiting returns how many records of a lane the backend has not stored; lane 0 means all.
func waiting(s *wire.StatusResponse, lane wire.Lane) (n uint64) {
	for _, l := range s.GetLanes() {
		if lane == 0 || l.GetLane() == lane {
			n += l.GetDepth()
		}
	}
	return n
}

// pay records one payment, and returns when the agent has said yes. One in 150,000 UUIDs looks like a card's number and is
// refused; the POS app draws another.
func (a *agent) pay() error {
	for {
		_, err := a.client.RecordPayment(a.lab.ctx, connect.NewRequest(&wire.RecordPaymentRequest{Payment: newPayment(a.payments.Add(1))}))
		if connect.CodeOf(err) != connect.CodeInvalidArgument {
			return err
		}
	}
}

// payMany records so many payments from so many callers at once.
func (a *agent) payMany(n, callers int) error {
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	failed := make([]error, callers)
	for i := range callers {
		wg.Go(func() {
			for failed[i] == nil && left.Add(-1) >= 0 {
				failed[i] = a.pay()
			}
		})
	}
	wg.Wait()
	return errors.Join(failed...)
}
