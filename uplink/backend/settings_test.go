package backend

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/stampd/stampd/uplink/backend/settings"
	"github.com/stampd/stampd/uplink/wire"
)

// listen opens a stream of a terminal that has settings, and returns what comes after the Welcome.
func (m *terminal) listen(t *testing.T, addr string, has *wire.SettingsState) <-chan *wire.ToTerminal {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(credentials.NewTLS(m.cfg)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	stream, err := wire.NewUplinkServiceClient(conn).Stream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	lane := &wire.LaneState{Lane: wire.Lane_LANE_LEDGER, Epoch: make([]byte, 16), Oldest: 1, Next: 1}
	hello := &wire.Hello{TerminalId: m.name, AgentVersion: "1", Lanes: []*wire.LaneState{lane}, Settings: has}
	if err := stream.Send(&wire.ToBackend{Message: &wire.ToBackend_Hello{Hello: hello}}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	came := make(chan *wire.ToTerminal, 8)
	go func() {
		defer close(came)
		for {
			message, err := stream.Recv()
			if err != nil {
				return
			}
			came <- message
		}
	}()
	return came
}

// sent fails the test unless settings of a version come within two seconds, or nothing does in a while for 0.
func sent(t *testing.T, came <-chan *wire.ToTerminal, version uint32, toml string) {
	t.Helper()
	patience := 2 * time.Second
	if version == 0 {
		patience = 300 * time.Millisecond
	}
	select {
	case m := <-came:
		if s := m.GetSettings(); version == 0 || s.GetVersion() != version || s.GetToml() != toml {
			t.Errorf("sent %v, want version %d", m, version)
		}
	case <-time.After(patience):
		if version != 0 {
			t.Errorf("version %d is not sent within %v", version, patience)
		}
	}
}

// A terminal gets its settings when it says hello with older ones, and at once when they are put by another program; one that
// has them, has refused them or takes none gets nothing.
func TestSettingsAreSent(t *testing.T) {
	o := newOptions(t)
	b, _ := start(t, o)
	addr := b.Addr().String()
	store, err := settings.Open(SettingsDir(o.Dir)) // as the command line has it
	if err != nil {
		t.Fatal(err)
	}
	put := func(terminal, toml string) {
		t.Helper()
		if _, err := store.Put("m1", settings.Version{Terminal: terminal, TOML: toml}); err != nil {
			t.Fatal(err)
		}
	}
	const slow, fast = "[telemetry]\nbattery_every = '5m'\n", "[telemetry]\nbattery_every = '1m'\n"

	first, second := newTerminal(t, o, "t1", 0), newTerminal(t, o, "t2", 0)
	came := first.listen(t, addr, &wire.SettingsState{})
	sent(t, came, 0, "")
	put("", slow) // version 1
	sent(t, came, 1, slow)
	put("t2", fast) // version 2, for another terminal
	sent(t, came, 0, "")
	sent(t, second.listen(t, addr, &wire.SettingsState{Version: 1}), 2, fast)

	for name, tt := range map[string]struct {
		has     *wire.SettingsState
		version uint32
	}{
		"older":         {&wire.SettingsState{Version: 1}, 2},
		"none":          {&wire.SettingsState{}, 2},
		"refused older": {&wire.SettingsState{Refused: 1}, 2},
		"same":          {&wire.SettingsState{Version: 2}, 0},
		"refused":       {&wire.SettingsState{Version: 1, Refused: 2}, 0},
		"later":         {&wire.SettingsState{Version: 9}, 0},
		"takes none":    {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			sent(t, second.listen(t, addr, tt.has), tt.version, fast)
		})
	}
	put("t2", "") // version 3: cleared, the merchant's hold
	sent(t, second.listen(t, addr, &wire.SettingsState{Version: 2}), 3, slow)
}
