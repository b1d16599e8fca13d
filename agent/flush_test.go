package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// The next attempt to reach the backend is minutes away. When it comes, and why it has to be waited for, is told of the uplink and
// of each payment; and whoever does not want to wait has everything sent at once.
//
// Another SDK had no way to send what it had stored (stripe-terminal-android, issue 485).
func TestFlushDoesNotWaitForTheNextAttempt(t *testing.T) {
	t.Parallel()
	const payments = 50
	h := newHouse(t)
	stop := h.serve(t)
	stop() // it has a port now, where nobody listens yet
	settings := strings.NewReplacer(`backoff_min = "100ms"`, `backoff_min = "1h"`, `backoff_max = "500ms"`, `backoff_max = "1h"`).
		Replace(fmt.Sprintf(readings, h.dir, h.listen, h.sys, time.Hour))
	h.start(t, settings)
	h.pay(t, payments)
	far := func(s *wire.StatusResponse) bool {
		u := s.GetUplink()
		return u.GetState() == wire.UplinkState_UPLINK_STATE_WAITING && u.GetNextAttemptInMs() > 3*60_000
	}
	for { // how long it waits is left to chance
		enough := false
		h.until(t, "the uplink waits", func(s *wire.StatusResponse) bool {
			enough = far(s)
			return s.GetUplink().GetState() == wire.UplinkState_UPLINK_STATE_WAITING
		})
		if enough {
			break
		}
		if out, err := h.command(t, "flush"); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	h.until(t, "the wait and its reason are told", func(s *wire.StatusResponse) bool {
		return far(s) && strings.Contains(s.GetUplink().GetLastError(), "refuses connections") && s.GetUplink().GetHint() != ""
	})
	if out, err := h.command(t, "status"); err != nil || !strings.Contains(out, "next attempt in ") || !strings.Contains(out, "refuses connections") {
		t.Errorf("the status is %s, %v", out, err)
	}
	out, err := h.command(t, "queue", "show", "ledger", "1", "--json")
	if err != nil || !strings.Contains(out, "refuses connections") {
		t.Errorf("a payment that waits is shown as %s, %v", out, err)
	}

	stop = h.serve(t)
	begin := time.Now()
	out, err = h.command(t, "flush", "--wait", "--timeout", "30s", "--json")
	took := time.Since(begin)
	var done struct{ Complete bool }
	if err != nil || json.Unmarshal([]byte(out), &done) != nil || !done.Complete {
		t.Errorf("flush said %s, %v", out, err)
	}
	if took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	h.stop(t)
	stop()
	landed := map[string]int{}
	for _, e := range h.landed(t) {
		if p := e.GetPayment(); p != nil {
			landed[p.GetIdempotencyKey()]++
		}
	}
	for i := range payments {
		if key := fmt.Sprint("order-", i); landed[key] != 1 {
			t.Errorf("%s has landed %d times", key, landed[key])
		}
	}
	t.Logf("%d payments were sent %v after the call", payments, took)
}
