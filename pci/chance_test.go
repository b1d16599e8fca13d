package pci

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestChanceHits measures how often values that hold no card number look as if they did. The limits are those of
// facts measured for this project with 200,000 samples each; a payment that is refused by chance costs a shop money.
func TestChanceHits(t *testing.T) {
	const many, some = 200_000, 20_000
	digits := func(r *rand.Rand, prefix string, n int) string {
		b := []byte(prefix)
		for len(b) < n {
			b = append(b, byte('0'+r.IntN(10)))
		}
		return string(b)
	}
	random := func(r *rand.Rand, n int) []byte {
		var b []byte
		for len(b) < n {
			b = binary.LittleEndian.AppendUint64(b, r.Uint64())
		}
		return b[:n]
	}
	uuid := func(r *rand.Rand) string {
		b := random(r, 16)
		b[6], b[8] = b[6]&0x0F|0x40, b[8]&0x3F|0x80
		return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	}
	for _, test := range []struct {
		name    string
		samples int
		percent float64
		sample  func(r *rand.Rand) string
	}{
		{"UUIDv4", many, 0.01, uuid},
		{"SHA-256 in hexadecimal", many, 0.02, func(r *rand.Rand) string { return hex.EncodeToString(random(r, 32)) }},
		{"RRN", some, 0, func(r *rand.Rand) string { return digits(r, "", 12) }},
		{"IMEI 35", some, 0, func(r *rand.Rand) string { return digits(r, "35", 15) }},
		{"IMEI 86", some, 0, func(r *rand.Rand) string { return digits(r, "86", 15) }},
		{"IMSI 310", some, 0, func(r *rand.Rand) string { return digits(r, "310", 15) }},
		{"ICCID of 19", some, 0, func(r *rand.Rand) string { return digits(r, "8901", 19) }},
		{"ICCID of 20", some, 0, func(r *rand.Rand) string { return digits(r, "8986", 20) }},
		{"20 digits", some, 0, func(r *rand.Rand) string { return digits(r, "", 20) }},
		// Three in ten numbers begin like a card number, and one in ten has the right check digit.
		{"16 digits", many, 3, func(r *rand.Rand) string { return digits(r, "", 16) }},
		{"32 random bytes, packed", many, 0.04, func(r *rand.Rand) string { return string(random(r, 32)) }},
		{"time in seconds, 2025 to 2036, and number", some, 0, func(r *rand.Rand) string {
			return fmt.Sprintf("%d-%06d", 1735689600+r.IntN(347155200), r.IntN(1e6))
		}},
		{"time in milliseconds, 2025 to 2036", some, 0, func(r *rand.Rand) string {
			return fmt.Sprint(1735689600_000 + r.Int64N(347155200_000))
		}},
		{"time in microseconds, 2025 to 2036", some, 0, func(r *rand.Rand) string {
			return fmt.Sprint(1735689600_000_000 + r.Int64N(347155200_000_000))
		}},
		{"time in nanoseconds, 2025 to 2036", some, 0, func(r *rand.Rand) string {
			return fmt.Sprint(1735689600_000_000_000 + r.Int64N(347155200_000_000_000))
		}},
		{"date, time and number", some, 0, func(r *rand.Rand) string {
			return fmt.Sprintf("20%02d%02d%02d-%02d%02d%02d-%04d", 25+r.IntN(12), 1+r.IntN(12), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(10000))
		}},
		{"snowflake id, 2025 and 2026", some, 0, func(r *rand.Rand) string {
			// Milliseconds since 2010-11-04, 22 bits of machine and sequence behind.
			return fmt.Sprint((446853957343+r.Int64N(63072000_000))<<22 | r.Int64N(1<<22))
		}},
		{"amount", some, 0, func(r *rand.Rand) string { return digits(r, "", 10) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, binary.BigEndian.Uint64([]byte("stampd\x00\x01"))))
			hits := 0
			for range test.samples {
				s := test.sample(r)
				f := scanText(s)
				if test.name == "32 random bytes, packed" {
					f = scanBytes([]byte(s))
				}
				if f.kind() != "" {
					hits++
				}
			}
			percent := 100 * float64(hits) / float64(test.samples)
			t.Logf("%.4f %%", percent)
			if percent > test.percent {
				t.Errorf("%.4f %% of them look like a card number, want at most %v %%", percent, test.percent)
			}
		})
	}
}
