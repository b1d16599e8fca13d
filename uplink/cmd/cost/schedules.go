package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
)

// schedules is further lines of the sections uplink and telemetry; the zero schedules are the defaults.
type schedules struct {
	uplink, telemetry string
}

// rapidly is how much more often a rapid terminal does everything than one with the defaults.
const rapidly = 30

// quiet returns the schedules of a terminal that reads so rarely that readings do not disturb.
func (d defaults) quiet() schedules {
	return schedules{telemetry: d.lines(func(name string, _ time.Duration) time.Duration {
		if name == "block_every" {
			return time.Hour
		}
		return 24 * time.Hour
	})}
}

// rapid returns the default schedules divided by rapidly, the probes of the link included.
func (d defaults) rapid() schedules {
	return schedules{
		uplink:    fmt.Sprintf("keepalive = %q", d.keepalive/rapidly),
		telemetry: d.lines(func(_ string, every time.Duration) time.Duration { return every / rapidly }),
	}
}

// defaults is the schedules that the agent has by default.
type defaults struct {
	keepalive time.Duration
	every     map[string]time.Duration // by the name of the setting in the section telemetry
}

// lines returns the settings of the section telemetry, changed.
func (d defaults) lines(change func(name string, every time.Duration) time.Duration) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(d.every)) {
		fmt.Fprintf(&b, "\n%s = %q", name, change(name, d.every[name]))
	}
	return b.String()
}

// askDefaults asks the agent what its schedules are.
func (l *lab) askDefaults() (defaults, error) {
	file := filepath.Join(l.dir, "defaults.toml")
	if err := os.WriteFile(file, []byte("[terminal]\nid = \"t\"\nmerchant = \"m\"\n"), 0o600); err != nil {
		return defaults{}, err
	}
	out, err := exec.CommandContext(l.ctx, filepath.Join(l.bin, "stampd"), "config", "show", "--json", "--config", file).Output()
	if err != nil {
		return defaults{}, fmt.Errorf("cannot run stampd config show: %w", err)
	}
	return parseDefaults(out)
}

// parseDefaults reads what stampd config show --json prints: every setting of telemetry that is a pause between readings or
// blocks.
func parseDefaults(config []byte) (defaults, error) {
	var shown struct {
		Uplink    struct{ Keepalive string }
		Telemetry map[string]any
	}
	if err := json.Unmarshal(config, &shown); err != nil {
		return defaults{}, fmt.Errorf("cannot read what stampd config show says: %w", err)
	}
	d := defaults{every: make(map[string]time.Duration)}
	var err error
	if d.keepalive, err = time.ParseDuration(shown.Uplink.Keepalive); err != nil {
		return defaults{}, fmt.Errorf("cannot read keepalive: %w", err)
	}
	for name, value := range shown.Telemetry {
		text, _ := value.(string)
		every, err := time.ParseDuration(text)
		if err == nil && strings.Contains(name, "Every") {
			d.every[settingName(name)] = every
		}
	}
	return d, nil
}

// settingName returns what a setting is called in the file that is called so in JSON: block_every of blockEvery.
func settingName(json string) string {
	var b strings.Builder
	for _, r := range json {
		if unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
