package uplink

import (
	"errors"
	"testing"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/buffer"
)

// What is seen of a queue that can't be read stays until the lane that it was seen by can be read, or is gone.
func TestUnreadLane(t *testing.T) {
	ledger, telemetry := buffer.LaneID{Lane: buffer.Ledger}, buffer.LaneID{Lane: buffer.Telemetry}
	broken := errors.New("input/output error")
	for _, c := range []struct {
		name string
		do   func(*Client)
		want bool
	}{
		{"nothing was read", func(*Client) {}, false},
		{"one lane fails", func(c *Client) { c.looked(ledger, broken) }, true},
		{"another is in memory", func(c *Client) { c.looked(ledger, broken); c.looked(telemetry, nil) }, true},
		{"it can be read again", func(c *Client) { c.looked(ledger, broken); c.looked(ledger, nil) }, false},
		{"both fail, and the first can be read", func(c *Client) {
			c.looked(ledger, broken)
			c.looked(telemetry, broken)
			c.looked(ledger, nil)
			c.looked(telemetry, broken)
		}, true},
		{"the lane is still there", func(c *Client) { c.looked(ledger, broken); c.named([]buffer.LaneState{{LaneID: ledger}}) }, true},
		{"the lane is gone", func(c *Client) { c.looked(ledger, broken); c.named([]buffer.LaneState{{LaneID: telemetry}}) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := New(Options{Backend: "localhost:1", Log: zerolog.Nop()})
			c.do(client)
			if got := client.unreadable(); got != c.want {
				t.Errorf("unreadable is %v, want %v", got, c.want)
			}
		})
	}
}
