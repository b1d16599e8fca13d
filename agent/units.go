package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a time span that is written as text: "60s", "5m", "1h30m".
type Duration struct{ time.Duration }

var errDuration = errors.New(`want a duration with its unit, such as "500ms", "60s", "5m" or "1h"`)

// UnmarshalText reads what [time.ParseDuration] reads. It fails for a number without unit, and below 0.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 || string(text) == "0" {
		return errDuration
	}
	d.Duration = v
	return nil
}

// MarshalText writes the span as [Duration.String] does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String returns the span without the parts that are zero: "1h", "1m30s", "250ms".
func (d Duration) String() string {
	s := d.Duration.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// ByteSize is a number of bytes that is written as text, in powers of 1024: "64MiB".
type ByteSize int64

// Units of [ByteSize].
const (
	KiB ByteSize = 1 << 10
	MiB ByteSize = 1 << 20
	GiB ByteSize = 1 << 30
)

var errByteSize = errors.New(`want a size in B, KiB, MiB or GiB, such as "512KiB" or "64MiB"`)

// UnmarshalText reads a whole number and a unit. It fails for a number without unit, for powers of 1000, and below 0.
func (b *ByteSize) UnmarshalText(text []byte) error {
	digits := strings.TrimRight(string(text), "BKMGi")
	var unit ByteSize
	switch string(text)[len(digits):] {
	case "B":
		unit = 1
	case "KiB":
		unit = KiB
	case "MiB":
		unit = MiB
	case "GiB":
		unit = GiB
	default:
		return errByteSize
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/int64(unit) {
		return errByteSize
	}
	*b = ByteSize(n) * unit
	return nil
}

// MarshalText writes the size in the largest unit that holds it exactly.
func (b ByteSize) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// String returns the size as [ByteSize.MarshalText] writes it.
func (b ByteSize) String() string {
	switch {
	case b == 0:
		return "0B"
	case b%GiB == 0:
		return fmt.Sprintf("%dGiB", b/GiB)
	case b%MiB == 0:
		return fmt.Sprintf("%dMiB", b/MiB)
	case b%KiB == 0:
		return fmt.Sprintf("%dKiB", b/KiB)
	}
	return fmt.Sprintf("%dB", int64(b))
}
