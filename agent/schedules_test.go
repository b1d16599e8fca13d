package main

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stampd/stampd/uplink/wire"
)

// scheduled are the events that each schedule of the section telemetry makes. A new schedule needs its row, and its readings
// their place in day.live, or what it costs is that of a value that never changes.
var scheduled = map[string]func(*wire.Event) bool{
	"battery_every":    func(e *wire.Event) bool { return e.GetBattery() != nil },
	"host_every":       func(e *wire.Event) bool { return e.GetHost() != nil },
	"modem_every":      func(e *wire.Event) bool { return e.GetModem() != nil },
	"network_every":    func(e *wire.Event) bool { return e.GetNetworkInterface() != nil },
	"connection_every": func(e *wire.Event) bool { return e.GetConnection() != nil },
	"app_every":        func(e *wire.Event) bool { return e.GetAppPerformance() != nil },
}

// costs is how a comment tells what its default costs.
var costs = regexp.MustCompile(`costs some ([0-9.]+) KB`)

// What an idle day costs at the default schedules, each alone and all together: no more than DESIGN.md has it, and what the
// comments of the settings say, within 15 percent. A day offline leaves what goes in one batch.
func TestScheduleCosts(t *testing.T) {
	const terminals = 2
	comments := make(map[string]string)
	for f := range reflect.TypeFor[TelemetryConfig]().Fields() {
		if name := f.Tag.Get("toml"); strings.Contains(name, "_every") {
			comments[name] = f.Tag.Get("comment")
		}
	}
	sold := func(e *wire.Event) bool { return e.GetAppOperation() != nil } // which an idle day has none of
	spent := make(map[string]float64)                                      // KB a day
	var all, most float64
	for number := range uint64(terminals) {
		online := passDay(t, defaultConfig(), number, true)
		bytes, events := online.size(t, sold)
		reported, _ := online.size(t, func(*wire.Event) bool { return false })
		spent["app_report_every"] += float64(reported-bytes) / terminals / 1000
		batches := len(online.blocks) * batchCost
		t.Logf("%d readings in %d blocks of %d bytes", events, len(online.blocks), bytes/len(online.blocks))
		for name, so := range scheduled {
			left, others := online.size(t, func(e *wire.Event) bool { return so(e) || sold(e) })
			if others == events {
				t.Errorf("%s: nothing is read", name)
			}
			spent[name] += float64(bytes-left) / terminals / 1000
		}
		spent["block_every"] += float64(batches) / terminals / 1000
		all += float64(bytes+batches) / terminals / 1000
		offline, _ := passDay(t, defaultConfig(), number, false).size(t, sold)
		spent["block_every_offline"] += float64(offline+batchCost) / terminals / 1000
		most = max(most, float64(offline+batchCost)/1000)
	}
	for name, comment := range comments {
		found := costs.FindStringSubmatch(comment)
		got, measured := spent[name]
		if found == nil || !measured {
			t.Errorf("%s: its comment tells no cost, or nothing of it is measured: it costs some %.1f KB a day", name, got)
			continue
		}
		told, _ := strconv.ParseFloat(found[1], 64)
		verdict := ""
		if math.Abs(told-got) > 0.15*got {
			verdict = "  WRONG"
			t.Fail()
		}
		t.Log(fmt.Sprintf("%-24s %6.1f KB a day, its comment says %5.1f", name, got, told) + verdict)
	}
	t.Logf("%-24s %6.1f KB a day", "all of it online", all)
	if all > 100 || most > 50 {
		t.Errorf("an idle day costs %.1f KB, want no more than 100; a day offline %.1f, want no more than 50", all, most)
	}
}
