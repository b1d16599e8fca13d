package eventlog

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/block"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

var (
	shop  = identity.ID{Merchant: "m1", Terminal: "t1"}
	noon  = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	epoch = [16]byte{15: 1}
)

func newLog(t testing.TB) *Log {
	t.Helper()
	l, err := Open(filepath.Join(t.TempDir(), "log.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.db.View(func(tx *bolt.Tx) error {
			for err := range tx.Check() {
				t.Errorf("database check: %v", err)
			}
			return nil
		}); err != nil && l.db.Path() != "" {
			t.Errorf("database check: %v", err)
		}
		l.Close()
	})
	return l
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// payment returns a ledger record.
func payment(t testing.TB, key string) []byte {
	return marshal(t, &wire.Event{
		Clock: &wire.Clock{WallUnixMs: proto.Int64(noon.UnixMilli())},
		Body:  &wire.Event_Payment{Payment: &wire.Payment{IdempotencyKey: key, AmountMinor: 100, Currency: "EUR"}},
	})
}

// hosts returns n encoded readings.
func hosts(t testing.TB, n int) [][]byte {
	var events [][]byte
	for i := range n {
		events = append(events, marshal(t, &wire.Event{Body: &wire.Event_Host{Host: &wire.Host{Processes: proto.Uint32(uint32(i + 1))}}}))
	}
	return events
}

// columns returns a telemetry record of these events as terminals make it.
func columns(t testing.TB, events ...[]byte) []byte {
	t.Helper()
	b, err := block.Encode(events)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// plain returns the plain form of a telemetry record.
func plain(t testing.TB, events ...[]byte) []byte {
	t.Helper()
	return marshal(t, &wire.TelemetryBlock{Events: events})
}

// ledger returns a batch of payments numbered from first to last, with the chain that a terminal without a mistake has.
func ledger(t testing.TB, first, last uint64) Batch {
	b := Batch{ID: shop, Epoch: epoch, Lane: wire.Lane_LANE_LEDGER, FirstSeq: first, Received: noon, Gateway: "g1", AgentVersion: "1.0"}
	var chain [32]byte
	for seq := uint64(1); seq <= last; seq++ {
		record := payment(t, fmt.Sprintf("k%d", seq))
		chain = extend(chain, seq, record)
		if seq >= first {
			b.Records = append(b.Records, record)
		}
	}
	b.Chain = bytes.Clone(chain[:8])
	return b
}

// telemetry returns a batch of n records numbered from first on, but for the lost ones.
func telemetry(t testing.TB, first uint64, n int, lost ...Range) Batch {
	b := Batch{ID: shop, Epoch: epoch, Lane: wire.Lane_LANE_TELEMETRY, FirstSeq: first, Received: noon, Lost: lost}
	for range n {
		b.Records = append(b.Records, columns(t, hosts(t, 2)...))
	}
	return b
}

// one appends a single batch.
func one(t testing.TB, l *Log, b Batch) (Result, error) {
	t.Helper()
	results, err := l.Append(t.Context(), b)
	if err != nil {
		return Result{}, err
	}
	if len(results) != 1 {
		t.Fatalf("%d results, want 1", len(results))
	}
	return results[0], nil
}

// entries reads the whole log.
func entries(t testing.TB, l *Log) []*Entry {
	t.Helper()
	var out []*Entry
	err := l.Read(t.Context(), 1, l.Head(), func(offset uint64, e *Entry) error {
		if offset != uint64(len(out)+1) {
			t.Errorf("offset %d, want %d", offset, len(out)+1)
		}
		out = append(out, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// numbers returns the numbers stored of every lane, and fails the test when one is there twice.
func numbers(t testing.TB, l *Log) map[string][]uint64 {
	t.Helper()
	out := map[string][]uint64{}
	seen := map[string]bool{}
	for _, e := range entries(t, l) {
		lane := fmt.Sprintf("%s/%s/%x/%d", e.Merchant, e.Terminal, e.Epoch, e.Lane)
		for i := range e.Records {
			seq := e.FirstSeq + uint64(i)
			if id := fmt.Sprint(lane, seq); seen[id] {
				t.Errorf("%s: seq %d is stored twice", lane, seq)
			} else {
				seen[id] = true
			}
			out[lane] = append(out[lane], seq)
		}
	}
	return out
}
