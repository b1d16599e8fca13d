package uplink

import (
	"testing"
	"time"
)

// On links of every speed, what is on its way takes no longer than a person waits for a receipt, if one batch of the
// smallest size does not.
func TestPaceLeavesTheLinkToPayments(t *testing.T) {
	for _, bytesPerSecond := range []int{4 << 10, 20 << 10, 100 << 10, 10 << 20} {
		p := newPace()
		var wait time.Duration
		for range 20 {
			wait = time.Duration(2*p.batch()) * time.Second / time.Duration(bytesPerSecond)
			p.took(wait)
		}
		if wait > 2*slow {
			t.Errorf("at %d B/s a payment waits %v", bytesPerSecond, wait)
		}
		if bytesPerSecond >= 1<<20 && p.batch() != paceMax {
			t.Errorf("at %d B/s a batch has %d bytes", bytesPerSecond, p.batch())
		}
	}
}
