package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/buffer/group"
	"github.com/stampd/stampd/pci"
)

const (
	// appendRound is how long each side of a comparison runs at a time, and appendRounds how often: they take turns, so
	// that what else the machine does falls on both.
	appendRound  = 700 * time.Millisecond
	appendRounds = 5
)

// measureAppend compares the queue with what it stands on: the same callers, the same payload, the same disk.
func measureAppend(ctx context.Context, l *lab) ([]figure, string, error) {
	var figures []figure
	for _, callers := range []int{1, 8, 64} {
		var queue, bare []float64
		for i := range appendRounds {
			q, err := queueAppends(ctx, filepath.Join(l.dir, fmt.Sprint("append-", callers, "-", i)), callers)
			if err != nil {
				return nil, "", err
			}
			b, err := bareAppends(ctx, filepath.Join(l.dir, fmt.Sprint("bare-", callers, "-", i)), callers)
			if err != nil {
				return nil, "", err
			}
			queue, bare = append(queue, q), append(bare, b)
		}
		got, floor := median(queue), median(bare)
		name := fmt.Sprintf("%d callers", callers)
		if callers == 1 {
			name = "a lone caller"
		}
		rate := figure{What: name, Got: got, Unit: perSecond, Floor: &floor, Time: true}
		if callers == 64 {
			rate.Budget = atLeast(20_000)
		}
		figures = append(figures, rate,
			figure{What: name + ", share of the floor", Got: got / floor, Unit: ratio, Budget: atLeast(0.9)})
	}
	return figures, "The floor is the same payload in bare bbolt, with a group commit that has no timer, in turns with the queue.", nil
}

// queueAppends returns how many payments a second the queue makes durable, each with its idempotency key.
func queueAppends(ctx context.Context, path string, callers int) (float64, error) {
	q, err := openQueue(path, "t-1", [32]byte{1})
	if err != nil {
		return 0, err
	}
	payment, err := onePayment()
	if err != nil {
		return 0, err
	}
	rate, err := race(ctx, callers, func(ctx context.Context, n uint64) error {
		key := binary.BigEndian.AppendUint64(nil, n)
		return q.Update(ctx, func(tx *buffer.Tx) error {
			tx.Append(payment)
			tx.Put(buffer.Keys, key, payment.Bytes()[:64])
			return nil
		})
	})
	if err != nil {
		return 0, err
	}
	return rate, q.Close()
}

// bareAppends is the same on bare bbolt, with nothing but a shared commit.
func bareAppends(ctx context.Context, path string, callers int) (float64, error) {
	bucket := []byte("b")
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoFreelistSync: true, FreelistType: bolt.FreelistMapType, InitialMmapSize: 64 << 20})
	if err != nil {
		return 0, err
	}
	defer db.Close()
	if err := db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket(bucket); return err }); err != nil {
		return 0, err
	}
	payment, err := onePayment()
	if err != nil {
		return 0, err
	}
	g := group.New(func(keys []uint64) error {
		return db.Update(func(tx *bolt.Tx) error {
			for _, k := range keys {
				if err := tx.Bucket(bucket).Put(binary.BigEndian.AppendUint64(nil, k), payment.Bytes()); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return race(ctx, callers, g.Do)
}

// race has callers call do as often as they can, and returns how often a second that was. Each call has its own number.
func race(ctx context.Context, callers int, do func(ctx context.Context, n uint64) error) (float64, error) {
	var n atomic.Uint64
	var wg sync.WaitGroup
	failed := make(chan error, callers)
	begin := time.Now()
	for range callers {
		wg.Go(func() {
			for time.Since(begin) < appendRound {
				if err := do(ctx, n.Add(1)); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	select {
	case err := <-failed:
		return 0, err
	default:
		return float64(n.Load()) / took.Seconds(), nil
	}
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}

// openQueue opens a queue with room for everything. Its telemetry goes to the disk only when its memory is used up, or when
// it is closed.
func openQueue(path, terminal string, key [32]byte) (*buffer.Queue, error) {
	keys, err := pci.NewSealer(key)
	if err != nil {
		return nil, err
	}
	return buffer.Open(buffer.Options{
		Path: path, Terminal: terminal, Keys: keys, MaxSize: 512 << 20, LedgerReserve: 16 << 20,
		TelemetryMemory: 4 << 20, SpillAfter: time.Hour, Log: zerolog.Nop(),
	})
}
