package uplink_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/wire"
)

// A queue that can't be read costs no connections: the stream stays open.
func TestUnreadableQueueKeepsItsStream(t *testing.T) {
	var streams atomic.Int64
	var log logged
	b := newBench(t, serveScript(t, func(l link) error {
		streams.Add(1)
		h, err := hello(l)
		if err != nil {
			return err
		}
		m, err := l.Recv()
		if err != nil {
			return err
		}
		return status.Errorf(codes.Internal, "%v came out of a queue that can't be read", h.GetLanes()[m.GetBatch().GetLaneIndex()])
	}), func(o *uplink.Options) { o.Log = zerolog.New(&log) })
	b.add(5)
	if err := b.queue.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.queue.Read(b.queue.Lanes()[0].LaneID, 1, 10, 1<<20); err == nil {
		t.Fatal("the queue can be read, so this shows nothing")
	}
	b.run()
	eventually(t, "the problem in the status", func() bool {
		s := b.client.Status()
		return s.GetStage() == wire.UplinkStage_UPLINK_STAGE_QUEUE && strings.Contains(s.GetLastError(), "the queue can't be read") &&
			strings.Contains(s.GetHint(), "disk") && s.GetState() == wire.UplinkState_UPLINK_STATE_ONLINE
	})
	time.Sleep(200 * time.Millisecond) // ten looks at the queue, at the least
	if n := streams.Load(); n != 1 {
		t.Errorf("%d streams were opened, want 1", n)
	}
	if n := strings.Count(log.String(), "queue can't be read"); n != 1 {
		t.Errorf("it was logged %d times, want once:\n%s", n, log.String())
	}
}

// A Welcome is no progress: whatever ends each session right after it, the attempts must become rarer.
func TestWelcomeDoesNotResetTheBackoff(t *testing.T) {
	for _, c := range []struct {
		name   string
		script func(link) error
	}{
		{"ends after Welcome", func(l link) error {
			if _, err := hello(l); err != nil {
				return err
			}
			return status.Error(codes.Unavailable, "no more")
		}},
		{"ends after Welcome and a batch", func(l link) error {
			if _, err := hello(l); err != nil {
				return err
			}
			_, _ = l.Recv()
			return status.Error(codes.Unavailable, "no more")
		}},
		{"acknowledges, and has forgotten it the next time", func(l link) error {
			if _, err := hello(l); err != nil {
				return err
			}
			m, err := l.Recv()
			if err != nil {
				return err
			}
			b := m.GetBatch()
			var c chain
			chain := c.take(b.GetFirstSeq(), b.GetRecords())
			if err := sendAck(l, &wire.Ack{Through: b.GetFirstSeq() + uint64(len(b.GetRecords())) - 1, Chain: chain}); err != nil {
				return err
			}
			return status.Error(codes.Unavailable, "no more")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, serveScript(t, c.script), func(o *uplink.Options) { o.BackoffMax = time.Hour })
			b.add(3)
			b.run()
			// The bound of the waits doubles from 1 ms on. Were it reset by each Welcome, there would be no such wait ever.
			eventually(t, "a long wait", func() bool {
				s := b.client.Status()
				return s.GetState() == wire.UplinkState_UPLINK_STATE_WAITING && s.GetNextAttemptInMs() > 250
			})
		})
	}
}
