package main

import (
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	tests := []struct {
		text    string
		want    time.Duration
		written string
	}{
		{"60s", time.Minute, "1m"},
		{"5m", 5 * time.Minute, "5m"},
		{"1h30m", 90 * time.Minute, "1h30m"},
		{"1h", time.Hour, "1h"},
		{"24h", 24 * time.Hour, "24h"},
		{"3661s", time.Hour + time.Minute + time.Second, "1h1m1s"},
		{"500ms", 500 * time.Millisecond, "500ms"},
		{"0s", 0, "0s"},
	}
	for _, tt := range tests {
		var d Duration
		if err := d.UnmarshalText([]byte(tt.text)); err != nil || d.Duration != tt.want {
			t.Errorf("%q = %v, %v, want %v", tt.text, d.Duration, err, tt.want)
		}
		if got := d.String(); got != tt.written {
			t.Errorf("%q is written %q, want %q", tt.text, got, tt.written)
		}
	}
	for _, text := range []string{"", "0", "60", "-1s", "1 s", "1d", "1h ", "9999999999h"} {
		if err := new(Duration).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is a duration", text)
		}
	}
}

func TestByteSize(t *testing.T) {
	tests := []struct {
		text    string
		want    ByteSize
		written string
	}{
		{"0B", 0, "0B"},
		{"1B", 1, "1B"},
		{"1024B", KiB, "1KiB"},
		{"1025B", 1025, "1025B"},
		{"64MiB", 64 << 20, "64MiB"},
		{"1024MiB", GiB, "1GiB"},
		{"8589934591GiB", 8589934591 << 30, "8589934591GiB"},
	}
	for _, tt := range tests {
		var b ByteSize
		if err := b.UnmarshalText([]byte(tt.text)); err != nil || b != tt.want {
			t.Errorf("%q = %d, %v, want %d", tt.text, b, err, tt.want)
		}
		if got := b.String(); got != tt.written {
			t.Errorf("%q is written %q, want %q", tt.text, got, tt.written)
		}
	}
	for _, text := range []string{"", "64", "MiB", "-1B", "64MB", "64M", "64 MiB", "64mib", "1.5GiB", "8589934592GiB", "99999999999999999999B", "1GiBiB"} {
		if err := new(ByteSize).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is a size", text)
		}
	}
}

func FuzzUnits(f *testing.F) {
	f.Add("60s")
	f.Add("64MiB")
	f.Fuzz(func(t *testing.T, text string) {
		var d, d2 Duration
		if d.UnmarshalText([]byte(text)) == nil {
			if err := d2.UnmarshalText([]byte(d.String())); err != nil || d != d2 {
				t.Errorf("%q is written %q and read %v, %v", text, d, d2, err)
			}
		}
		var b, b2 ByteSize
		if b.UnmarshalText([]byte(text)) == nil {
			if err := b2.UnmarshalText([]byte(b.String())); err != nil || b != b2 {
				t.Errorf("%q is written %q and read %v, %v", text, b, b2, err)
			}
		}
	})
}
