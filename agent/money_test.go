package main

import (
	"fmt"
	"maps"
	"strings"
	"testing"
)

func TestParseAmount(t *testing.T) {
	tests := []struct {
		text     string
		decimals int
		want     int64
		ok       bool
	}{
		{"12.50", 2, 1250, true},
		{"12.5", 2, 1250, true},
		{"12", 2, 1200, true},
		{"0.01", 2, 1, true},
		{"0", 2, 0, true},
		{"0012.50", 2, 1250, true},
		{"1250", 0, 1250, true},
		{"12.345", 3, 12345, true},
		{"1.2345", 4, 12345, true},
		{"9999999999.99", 2, 999999999999, true},
		{"90071992547409.93", 2, 9007199254740993, true}, // 2^53 + 1: a float64 would round it

		{"12.505", 2, 0, false},
		{"12.500", 2, 0, false},
		{"12.50", 0, 0, false},
		{"1250.", 0, 0, false},
		{"12.", 2, 0, false},
		{".50", 2, 0, false},
		{"", 2, 0, false},
		{"-1", 2, 0, false},
		{"+1", 2, 0, false},
		{"1e3", 2, 0, false},
		{"1,250.00", 2, 0, false},
		{"12,50", 2, 0, false},
		{"0x10", 2, 0, false},
		{"١٢", 2, 0, false},
		{" 12", 2, 0, false},
		{"1.2.3", 2, 0, false},
		{"92233720368547758.08", 2, 0, false},
	}
	for _, tt := range tests {
		got, err := parseAmount(tt.text, tt.decimals)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("parseAmount(%q, %d) = %d, %v, want %d, ok %v", tt.text, tt.decimals, got, err, tt.want, tt.ok)
		}
	}
}

// FuzzParseAmount compares every amount that was read digit by digit, and every error with those for other text.
func FuzzParseAmount(f *testing.F) {
	f.Add("12.50", 2)
	f.Add("1250", 0)
	f.Fuzz(func(t *testing.T, text string, decimals int) {
		if decimals < 0 || decimals > 4 {
			t.Skip()
		}
		minor, err := parseAmount(text, decimals)
		if err != nil {
			for _, known := range []string{"", "1.00000", "99999999999999999999"} {
				if _, other := parseAmount(known, decimals); other != nil && other.Error() == err.Error() {
					return
				}
			}
			t.Fatalf("error %q may quote %q", err, text)
		}
		whole, fraction, _ := strings.Cut(text, ".")
		digits := strings.TrimLeft(whole+fraction+strings.Repeat("0", decimals-len(fraction)), "0")
		if digits == "" {
			digits = "0"
		}
		if got := fmt.Sprint(minor); got != digits {
			t.Errorf("parseAmount(%q, %d) = %s, want %s", text, decimals, got, digits)
		}
	})
}

func TestParseAmounts(t *testing.T) {
	got, err := parseAmounts([]string{"250.00 EUR", "1250 JPY", "12.5 KWD"})
	if want := map[string]int64{"EUR": 25000, "JPY": 1250, "KWD": 12500}; err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	for _, bad := range []string{"", "EUR", "250", "250EUR", "250 eur", "250  EUR", "-1 EUR", "1e3 EUR", "10000000000.01 EUR", "99999999999999999999 EUR"} {
		if got, err := parseAmounts([]string{bad}); err == nil {
			t.Errorf("%q gives %v", bad, got)
		}
	}
}
