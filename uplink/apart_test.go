package uplink_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/wire"
)

// keeper is a backend that keeps what it was sent of the ledger: its chain, and what was declared lost.
type keeper struct {
	batches int                                        // after so many it ends the stream; 0 means never
	lie     func(lane *wire.LaneState, at uint64) bool // which chains it tells wrong; nil means none

	mu    sync.Mutex // guards everything below
	lanes map[string]*kept
	lost  []*wire.SeqRange
}

// kept is what is stored of one lane.
type kept struct {
	through uint64
	chain   chain
}

func (k *keeper) serve(l link) error {
	m, err := l.Recv()
	if err != nil {
		return err
	}
	lanes := m.GetHello().GetLanes()
	w := &wire.Welcome{}
	k.mu.Lock()
	for _, l := range lanes {
		key := l.GetLane().String() + string(l.GetEpoch())
		if k.lanes[key] == nil {
			k.lanes[key] = &kept{}
		}
		mark := &wire.Watermark{Through: k.lanes[key].through}
		if l.GetLane() == wire.Lane_LANE_LEDGER && mark.GetThrough() > 0 {
			mark.Chain = slices.Clone(k.lanes[key].chain[:8])
		}
		w.Watermarks = append(w.Watermarks, mark)
	}
	k.mu.Unlock()
	if err := l.Send(&wire.ToTerminal{Message: &wire.ToTerminal_Welcome{Welcome: w}}); err != nil {
		return err
	}
	for n := 1; ; n++ {
		m, err := l.Recv()
		if err != nil {
			return err
		}
		b := m.GetBatch()
		if err := sendAck(l, k.take(lanes[b.GetLaneIndex()], b)); err != nil {
			return err
		}
		if n == k.batches {
			return status.Error(codes.Unavailable, "going away")
		}
	}
}

func (k *keeper) take(lane *wire.LaneState, b *wire.Batch) *wire.Ack {
	k.mu.Lock()
	defer k.mu.Unlock()
	have := k.lanes[lane.GetLane().String()+string(lane.GetEpoch())]
	k.lost = append(k.lost, b.GetLost()...)
	a := &wire.Ack{LaneIndex: b.GetLaneIndex(), Through: b.GetFirstSeq() + uint64(len(b.GetRecords())) - 1}
	a.Chain = slices.Clone(have.chain.take(b.GetFirstSeq(), b.GetRecords()))
	have.through = a.GetThrough()
	if k.lie != nil && k.lie(lane, a.GetThrough()) {
		a.Chain = []byte("otherone")
	}
	return a
}

// reopen closes the queue, has its file changed, and goes on with it, as o says.
func (b *bench) reopen(o uplink.Options, change func(path string)) {
	b.t.Helper()
	path := b.queue.Stats().Path
	if err := b.queue.Close(); err != nil {
		b.t.Fatal(err)
	}
	change(path)
	keys, err := pci.NewSealer([32]byte{1})
	if err != nil {
		b.t.Fatal(err)
	}
	b.queue, err = buffer.Open(buffer.Options{
		Path: path, Terminal: "t-1", Keys: keys, MaxSize: 64 << 20, LedgerReserve: 16 << 20,
		TelemetryMemory: 1 << 20, SpillAfter: time.Hour, Log: zerolog.Nop(),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	q := b.queue
	b.t.Cleanup(func() { _ = q.Close() })
	o.Queue = q
	b.client = uplink.New(o)
}

// Records that the terminal has lost, or can't read, take the two chains apart. That is no lie of the backend's, and it
// must not hide one.
func TestLossAtTheTerminalIsNoContradiction(t *testing.T) {
	const records, gone = 10, 5
	for _, c := range []struct {
		name    string
		damage  func(t *testing.T, path string, key []byte) // key is that of the record that is gone
		lie     func(old []byte) func(*wire.LaneState, uint64) bool
		lost    int
		alarmed bool
	}{
		{"lost, honest", salvaged, nil, 1, false},
		{"unreadable, honest", garbled, nil, 0, false},
		{"lost, and a lie before it", salvaged, func(old []byte) func(*wire.LaneState, uint64) bool {
			return func(l *wire.LaneState, at uint64) bool { return bytes.Equal(l.GetEpoch(), old) && at < gone }
		}, 1, true},
		{"unreadable, and a lie before it", garbled, func(old []byte) func(*wire.LaneState, uint64) bool {
			return func(_ *wire.LaneState, at uint64) bool { return at < gone }
		}, 0, true},
		{"lost, and a lie in the epoch after it", salvaged, func(old []byte) func(*wire.LaneState, uint64) bool {
			return func(l *wire.LaneState, _ uint64) bool { return !bytes.Equal(l.GetEpoch(), old) }
		}, 1, true},
	} {
		for _, batches := range []int{0, 3} {
			name := c.name + ", one stream"
			if batches > 0 {
				name = c.name + ", many streams"
			}
			t.Run(name, func(t *testing.T) {
				k := &keeper{batches: batches, lanes: map[string]*kept{}}
				var o uplink.Options
				b := newBench(t, serveScript(t, k.serve), func(p *uplink.Options) { p.BatchBytes = 1; o = *p })
				b.add(records)
				old := b.queue.Lanes()[0].Epoch
				b.reopen(o, func(path string) { c.damage(t, path, binary.BigEndian.AppendUint64(old[:], gone)) })
				if c.lie != nil {
					k.lie = c.lie(old[:])
				}
				b.add(records)
				b.run()
				if c.alarmed { // and what the lie is about stays in the queue
					eventually(t, "the alarm", func() bool { return b.alarmed(wire.AuditKind_AUDIT_KIND_CHAIN_MISMATCH) })
					eventually(t, "the declared loss", func() bool { k.mu.Lock(); defer k.mu.Unlock(); return len(k.lost) == c.lost })
				} else {
					flushed(t, b)
					if b.alarmed(wire.AuditKind_AUDIT_KIND_CHAIN_MISMATCH) {
						t.Errorf("alarmed: %v", b.alarms)
					}
				}
				k.mu.Lock()
				defer k.mu.Unlock()
				if len(k.lost) != c.lost || c.lost == 1 && (k.lost[0].GetFrom() != gone || k.lost[0].GetTo() != gone) {
					t.Errorf("declared lost: %v", k.lost)
				}
			})
		}
	}
}

// salvaged spoils the file so that it is salvaged, without one record.
func salvaged(t *testing.T, path string, key []byte) {
	t.Helper()
	file := read(t, path)
	for i := bytes.Index(file, key); i >= 0; i = bytes.Index(file, key) {
		file[i] ^= 0xff
	}
	clear(file[:2*os.Getpagesize()])
	write(t, path, file)
	if err := os.Remove(path + ".journal"); err != nil {
		t.Fatal(err)
	}
}

// garbled spoils the seal of one record.
func garbled(t *testing.T, path string, key []byte) {
	t.Helper()
	file := read(t, path)
	for at := 0; ; {
		i := bytes.Index(file[at:], key)
		if i < 0 {
			break
		}
		at += i + len(key)
		file[at+32+8+2] ^= 0xff // behind the chain's head and the key's id
	}
	write(t, path, file)
}
