package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// schedules is further lines of the sections uplink and telemetry; the zero schedules are the defaults.
type schedules struct {
	uplink, telemetry string
}

// quiet is a terminal that reads so rarely that readings do not disturb.
func quiet() schedules {
	return schedules{telemetry: `
battery_every = "24h"
host_every = "24h"
app_every = "24h"
block_every = "1h"`}
}

// rapidly is how much more often a rapid terminal does everything than one with the defaults.
const rapidly = 30

// rapid asks the agent for its default schedules, and returns them divided by rapidly, the probes of the link included.
func (l *lab) rapid() (schedules, error) {
	file := filepath.Join(l.dir, "defaults.toml")
	if err := os.WriteFile(file, []byte("[terminal]\nid = \"t\"\nmerchant = \"m\"\n"), 0o600); err != nil {
		return schedules{}, err
	}
	out, err := exec.CommandContext(l.ctx, filepath.Join(l.bin, "stampd"), "config", "show", "--json", "--config", file).Output()
	if err != nil {
		return schedules{}, fmt.Errorf("cannot run stampd config show: %w", err)
	}
	var defaults struct {
		Uplink    struct{ Keepalive span }
		Telemetry struct{ BatteryEvery, HostEvery, AppEvery, BlockEvery span }
	}
	if err := json.Unmarshal(out, &defaults); err != nil {
		return schedules{}, fmt.Errorf("cannot read what stampd config show says: %w", err)
	}
	t := defaults.Telemetry
	return schedules{
		fmt.Sprintf("keepalive = %q", defaults.Uplink.Keepalive/rapidly),
		fmt.Sprintf("\nbattery_every = %q\nhost_every = %q\napp_every = %q\nblock_every = %q",
			t.BatteryEvery/rapidly, t.HostEvery/rapidly, t.AppEvery/rapidly, t.BlockEvery/rapidly),
	}, nil
}

// span is a time span that is written as text: "5m".
type span time.Duration

// UnmarshalText reads what [time.ParseDuration] reads.
func (s *span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	*s = span(d)
	return err
}

// String writes it so that the agent can read it.
func (s span) String() string { return time.Duration(s).String() }
