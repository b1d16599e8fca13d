package main

import (
	"strings"
	"testing"
	"time"
)

// Every schedule that the agent shows is a schedule of a rapid and of a quiet terminal, and nothing else is.
func TestParseDefaults(t *testing.T) {
	d, err := parseDefaults([]byte(`{
		"uplink": {"keepalive": "9m", "stallAfter": "1m"},
		"telemetry": {"batteryEvery": "2m", "blockEvery": "8m", "blockEveryOffline": "15m", "jitter": 0.1, "fastFor": "15m", "newThingEvery": "1h"}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	if d.keepalive != 9*time.Minute || len(d.every) != 4 || d.every["new_thing_every"] != time.Hour {
		t.Errorf("defaults are %+v", d)
	}
	const rapid = "\nbattery_every = \"4s\"\nblock_every = \"16s\"\nblock_every_offline = \"30s\"\nnew_thing_every = \"2m0s\""
	if got := d.rapid(); got.uplink != `keepalive = "18s"` || got.telemetry != rapid {
		t.Errorf("rapid: %+v", got)
	}
	if got := d.quiet().telemetry; strings.Count(got, `"24h0m0s"`) != 3 || !strings.Contains(got, `block_every = "1h0m0s"`) {
		t.Errorf("quiet: %s", got)
	}
	for _, bad := range []string{``, `{`, `{"uplink": {}}`, `{"uplink": {"keepalive": "often"}}`} {
		if _, err := parseDefaults([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
