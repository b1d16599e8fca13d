package uplink_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/wire"
)

// A backend that takes the stream and then stalls, in whatever way, is given up within StallAfter, and tried again.
func TestStallingBackendIsGivenUp(t *testing.T) {
	for _, c := range []struct {
		name    string
		records int
		size    int
		script  func(link) error
	}{
		{"no answer to Hello", 1, 10, func(l link) error { <-l.Context().Done(); return nil }},
		{"no acks", 1, 10, func(l link) error {
			if _, err := hello(l); err != nil {
				return err
			}
			for {
				if _, err := l.Recv(); err != nil {
					return err
				}
			}
		}},
		{"no window", 40, 10_000, func(l link) error { // it reads no more, and the sender blocks
			if _, err := hello(l); err != nil {
				return err
			}
			<-l.Context().Done()
			return nil
		}},
		{"the same ack again and again", 3, 10, func(l link) error {
			if _, err := hello(l); err != nil {
				return err
			}
			for l.Context().Err() == nil {
				if err := sendAck(l, &wire.Ack{}); err != nil {
					return err
				}
				time.Sleep(10 * time.Millisecond)
			}
			return nil
		}},
		{"messages of no kind", 1, 10, func(l link) error {
			if _, err := hello(l); err != nil {
				return err
			}
			for l.Context().Err() == nil {
				if err := l.Send(&wire.ToTerminal{}); err != nil {
					return err
				}
				time.Sleep(10 * time.Millisecond)
			}
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var streams atomic.Int64
			b := newBench(t, serveScript(t, func(l link) error { streams.Add(1); return c.script(l) }), func(o *uplink.Options) {
				o.StallAfter, o.BatchBytes = 200*time.Millisecond, 20_000
			})
			b.addReadings(c.records, c.size)
			b.add(1)
			b.run()
			eventually(t, "a second attempt", func() bool { return streams.Load() > 1 })
			eventually(t, "the reason", func() bool { return strings.Contains(b.client.Status().GetLastError(), "not answered") })
		})
	}
}
