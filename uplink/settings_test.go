package uplink_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/wire"
)

// notebook is where a test keeps what comes of settings.
type notebook struct {
	mu   sync.Mutex // guards everything below
	fail error      // what Take returns
	took []uint32
}

func (n *notebook) Have() *wire.SettingsState {
	n.mu.Lock()
	defer n.mu.Unlock()
	return &wire.SettingsState{Version: uint32(len(n.took)), Refused: 77}
}

func (n *notebook) Take(_ context.Context, m *wire.Settings) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.took = append(n.took, m.GetVersion())
	return n.fail
}

func (n *notebook) taken() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.took)
}

func settingsOf(version uint32, toml string) *wire.ToTerminal {
	return &wire.ToTerminal{Message: &wire.ToTerminal_Settings{Settings: &wire.Settings{Version: version, Toml: toml}}}
}

// Settings come to who takes them, whether the backend serves cards or not; the hello says what there is, and a terminal
// that can't keep them takes no more on this stream and goes on otherwise.
func TestSettings(t *testing.T) {
	for name, tt := range map[string]struct {
		cards *shelf
		fail  error
		want  int
	}{
		"alone":                {want: 3},
		"beside cards":         {cards: &shelf{}, want: 3},
		"a disk that is full":  {fail: errors.New("full"), want: 1},
		"full, and with cards": {cards: &shelf{}, fail: errors.New("full"), want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			n := &notebook{fail: tt.fail}
			hellos := make(chan *wire.Hello, 1)
			b := newBench(t, serveScript(t, func(l link) error {
				hello, err := welcomeCards(l)
				if err != nil {
					return err
				}
				select {
				case hellos <- hello:
				default:
				}
				for i := range uint32(3) {
					if err := l.Send(settingsOf(i+1, strings.Repeat("x", 100<<10))); err != nil {
						return err
					}
				}
				if err := l.Send(rowsOf(&wire.CardRows{LogId: make([]byte, 16), AsOf: 9, Through: 9})); err != nil {
					return err
				}
				return acks(l, nothing)
			}), func(o *uplink.Options) {
				o.Settings = n
				if tt.cards != nil {
					o.Cards = tt.cards
				}
			})
			b.run()
			if has := (<-hellos).GetSettings(); has == nil || has.GetRefused() != 77 {
				t.Errorf("hello says %v", has)
			}
			eventually(t, "the settings", func() bool { return n.taken() >= tt.want })
			b.add(3)
			flushed(t, b)
			if got := n.taken(); got != tt.want {
				t.Errorf("%d taken, want %d", got, tt.want)
			}
		})
	}
}

// A terminal that takes no settings says so, and is not harmed by those that come all the same.
func TestSettingsNobodyAskedFor(t *testing.T) {
	hellos := make(chan *wire.Hello, 1)
	b := newBench(t, serveScript(t, func(l link) error {
		hello, err := welcomeCards(l)
		if err != nil {
			return err
		}
		hellos <- hello
		if err := l.Send(settingsOf(1, "x")); err != nil {
			return err
		}
		return acks(l, nothing)
	}), nil)
	b.run()
	if has := (<-hellos).GetSettings(); has != nil {
		t.Errorf("hello says %v", has)
	}
	b.add(3)
	flushed(t, b)
}
