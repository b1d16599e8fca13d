package buffer_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/buffer/group"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// benchEvent is a payment of the usual size, as the ledger checks it.
func benchEvent(b *testing.B) pci.Clean {
	b.Helper()
	c, err := pci.NewGuard(nil).Check(&wire.Event{
		Clock: &wire.Clock{WallUnixMs: new(int64(1_790_000_000_000)), BootMs: new(int64(123456)), BootId: make([]byte, 16)},
		Body: &wire.Event_Payment{Payment: &wire.Payment{
			IdempotencyKey: "order-1234-payment-1", Kind: wire.PaymentKind_PAYMENT_KIND_AUTHORISED,
			AuthMode: wire.AuthMode_AUTH_MODE_ONLINE, AmountMinor: 1250, Currency: "EUR", Rrn: "A1B2C3D4E5F6",
			Card: &wire.PaymentCard{Brand: "visa", Last4: "4242"},
		}},
	})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

var benchCallers = []int{1, 8, 64}

// BenchmarkDurableAppend is the queue beside what it stands on: the same number of callers, the same payload, the same
// disk, in one run. flushes/op and device-B/op are of the whole device, so other work on it counts too.
func BenchmarkDurableAppend(b *testing.B) {
	payload := benchEvent(b).Bytes()
	for _, callers := range benchCallers {
		b.Run(fmt.Sprintf("queue/callers=%d", callers), func(b *testing.B) { benchQueue(b, callers, false) })
		b.Run(fmt.Sprintf("queue-in-and-out/callers=%d", callers), func(b *testing.B) { benchQueue(b, callers, true) })
		b.Run(fmt.Sprintf("bbolt-group/callers=%d", callers), func(b *testing.B) {
			db := rawBolt(b)
			type item struct{ key, value []byte }
			g := group.New(func(batch []item) error {
				return db.Update(func(tx *bolt.Tx) error {
					for _, i := range batch {
						if err := tx.Bucket([]byte("b")).Put(i.key, i.value); err != nil {
							return err
						}
					}
					return nil
				})
			})
			var n atomic.Uint64
			share(b, callers, func(ctx context.Context) error {
				return g.Do(ctx, item{binary.BigEndian.AppendUint64(nil, n.Add(1)), payload})
			})
		})
		b.Run(fmt.Sprintf("bbolt-update/callers=%d", callers), func(b *testing.B) {
			db := rawBolt(b)
			var n atomic.Uint64
			share(b, callers, func(context.Context) error {
				return db.Update(func(tx *bolt.Tx) error {
					return tx.Bucket([]byte("b")).Put(binary.BigEndian.AppendUint64(nil, n.Add(1)), payload)
				})
			})
		})
		b.Run(fmt.Sprintf("file-fdatasync/callers=%d", callers), func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "log"))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			var mu sync.Mutex
			share(b, callers, func(context.Context) error {
				mu.Lock()
				defer mu.Unlock()
				if _, err := f.Write(payload); err != nil {
					return err
				}
				return syscall.Fdatasync(int(f.Fd()))
			})
		})
	}
}

// benchQueue appends a record and a key at a time. With out, each record is acknowledged as soon as it is stored.
func benchQueue(b *testing.B, callers int, out bool) {
	opts := options(b, b.TempDir())
	opts.MaxSize = 1 << 30
	q, err := buffer.Open(opts)
	if err != nil {
		b.Fatal(err)
	}
	defer q.Close()
	c := benchEvent(b)
	id := lane(b, q, buffer.Ledger).LaneID
	var n atomic.Uint64
	share(b, callers, func(ctx context.Context) error {
		key := sha256.Sum256(binary.BigEndian.AppendUint64(nil, n.Add(1)))
		var seq uint64
		err := q.Update(ctx, func(tx *buffer.Tx) error {
			seq = tx.Append(c)
			tx.Keep(buffer.Keys, key[:20], c.Bytes()[:64])
			return nil
		})
		if err != nil || !out {
			return err
		}
		return q.Ack(ctx, id, seq, nil)
	})
	b.ReportMetric(float64(q.Stats().Commits)/float64(b.N), "commits/op")
}

func rawBolt(b *testing.B) *bolt.DB {
	b.Helper()
	db, err := bolt.Open(filepath.Join(b.TempDir(), "raw.db"), 0o600, &bolt.Options{NoFreelistSync: true, FreelistType: bolt.FreelistMapType, InitialMmapSize: 64 << 20})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	db.AllocSize = 1 << 20
	err = db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("b")); return err })
	if err != nil {
		b.Fatal(err)
	}
	return db
}

// share spreads b.N calls over callers and reports rates.
func share(b *testing.B, callers int, call func(context.Context) error) {
	b.Helper()
	dir := b.TempDir()
	syscall.Sync()
	flushes, sectors := deviceCounters(dir)
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := call(b.Context()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	if flushesAfter, sectorsAfter := deviceCounters(dir); flushesAfter > flushes {
		b.ReportMetric(float64(flushesAfter-flushes)/float64(b.N), "flushes/op")
		b.ReportMetric(float64(sectorsAfter-sectors)*512/float64(b.N), "device-B/op")
	}
}

// deviceCounters reads how many flushes the block device under dir has completed, and how many sectors of 512 bytes were
// written to it (Documentation/block/stat.rst), by whoever. They are 0 where there is no such device.
func deviceCounters(dir string) (flushes, sectors uint64) {
	var st syscall.Stat_t
	if syscall.Stat(dir, &st) != nil {
		return 0, 0
	}
	major, minor := (st.Dev>>8)&0xfff, (st.Dev&0xff)|((st.Dev>>12)&0xfff00)
	raw, err := os.ReadFile(fmt.Sprintf("/sys/dev/block/%d:%d/stat", major, minor))
	if err != nil {
		return 0, 0
	}
	fields := strings.Fields(string(raw))
	if len(fields) < 17 {
		return 0, 0
	}
	sectors, _ = strconv.ParseUint(fields[6], 10, 64)
	flushes, _ = strconv.ParseUint(fields[15], 10, 64)
	return flushes, sectors
}
