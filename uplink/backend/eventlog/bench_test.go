package eventlog

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// BenchmarkAppend measures how many events a second so many terminals get stored, each waiting for its own commit.
func BenchmarkAppend(b *testing.B) {
	for _, terminals := range []int{1, 8, 64} {
		for _, kind := range []string{"telemetry", "ledger"} {
			b.Run(fmt.Sprintf("%s/terminals=%d", kind, terminals), func(b *testing.B) {
				l := newLog(b)
				record, events := columns(b, hosts(b, 50)...), 50
				if kind == "ledger" {
					record, events = payment(b, "key-of-a-payment-0001"), 1
				}
				var wg sync.WaitGroup
				var left atomic.Int64
				left.Store(int64(b.N))
				b.ResetTimer()
				for i := range terminals {
					wg.Go(func() {
						for seq := uint64(1); left.Add(-1) >= 0; seq++ {
							batch := telemetry(b, seq, 0)
							batch.ID.Terminal = fmt.Sprint("t", i)
							batch.Records = [][]byte{record}
							if kind == "ledger" {
								batch.Lane, batch.Chain = 1, make([]byte, 8)
							}
							if _, err := l.Append(b.Context(), batch); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N*events)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}
