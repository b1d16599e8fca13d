package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

func TestDrawWatch(t *testing.T) {
	m := &wire.WatchStatusResponse{
		Uplink: wire.UplinkState_UPLINK_STATE_WAITING, LastError: "no answer\x1b[2J", Hint: "look at the cable", NextAttemptInMs: new(int64(90_000)),
		Ledger: &wire.Backlog{Records: 3, OldestAgeMs: new(int64(125_000))}, Telemetry: &wire.Backlog{},
		Alarms: []*wire.StatusAlarm{{Kind: wire.StatusAlarmKind_STATUS_ALARM_KIND_QUARANTINE, Text: "records that the backend refused: 2", Hint: "look at them"}},
	}
	want := "\x1b[H\x1b[Jstampd at 12:00:05; ctrl-c ends\n" +
		"  uplink    waiting, next attempt in 90 s\n" +
		"            no answer [2J\n" +
		"            hint: look at the cable\n" +
		"  backlog   ledger 3 (oldest 2 min), telemetry 0\n" +
		"  alarms    records that the backend refused: 2\n" +
		"            hint: look at them\n"
	var plain, coloured strings.Builder
	now := time.Date(2026, 5, 1, 12, 0, 5, 0, time.UTC)
	if err := drawWatch(&plain, palette{}, now, m); err != nil || plain.String() != want {
		t.Errorf("without colours: %v\n%q, want\n%q", err, plain.String(), want)
	}
	if err := drawWatch(&coloured, palette{on: true}, now, m); err != nil || !strings.Contains(coloured.String(), "\x1b[31mrecords") {
		t.Errorf("with colours: %v\n%q", err, coloured.String())
	}
	if got, want := watchLine(&wire.WatchStatusResponse{}), "unknown; ledger unknown, telemetry unknown; no alarms"; got != want {
		t.Errorf("line of nothing = %q, want %q", got, want)
	}
}
