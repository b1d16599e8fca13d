package parquet

import pq "github.com/parquet-go/parquet-go"

// Uncompressed makes the lander's files plain, which is much faster for many small ones under the race detector.
func (l *Lander) Uncompressed() { l.codec = &pq.Uncompressed }
