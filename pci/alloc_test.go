package pci

import (
	"strings"
	"testing"
)

func TestScanAllocatesNothing(t *testing.T) {
	for name, s := range map[string]string{
		"words":       strings.Repeat("the quick brown fox ", 100),
		"digits":      strings.Repeat("2026-07-13T10:22:33.123456 ", 100),
		"hexadecimal": strings.Repeat("9f86d081884c7d65", 100),
		"escapes":     strings.Repeat(`\u0041%41&#65;`, 100),
		"UUID":        "0f8fad5b-d9cb-469f-a165-70867728950e",
		"UUID hit":    "1eb1b365-8208-4174-973e-6ed58d30c8de",
		"not ASCII":   strings.Repeat("größe 東京 ４２ ", 100),
	} {
		b := []byte(s)
		if n := testing.AllocsPerRun(10, func() { scanText(s) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		if n := testing.AllocsPerRun(10, func() { scanBytes(b) }); n != 0 {
			t.Errorf("%s, as bytes: %v allocations", name, n)
		}
	}
	if n := testing.AllocsPerRun(10, func() { scanUint(4242424242424241) }); n != 0 {
		t.Errorf("integer: %v allocations", n)
	}
}
