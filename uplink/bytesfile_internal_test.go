package uplink

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/uplink/wire"
)

// The days are written down once an hour in which there were payments, and when a day has begun; never for readings alone.
func TestWhenTrafficIsKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "traffic.json")
	synctest.Test(t, func(t *testing.T) { // begins at midnight UTC
		begun := time.Now()
		c := New(Options{TrafficFile: file, Zone: time.UTC, Log: zerolog.Nop(), Clock: hal.NewClockOf(hal.ClockSources{
			Wall:         func() time.Time { return time.Now().AddDate(26, 0, 0) },
			SinceBoot:    func() (time.Duration, bool) { return time.Since(begun), true },
			Synchronised: func() bool { return true },
		})})
		s := &session{Client: c}
		kept := func() bool {
			c.meter.book(traffic{received: 1})
			s.keepTraffic()
			_, err := os.Stat(file)
			_ = os.Remove(file)
			return err == nil
		}
		time.Sleep(90 * time.Minute)
		if kept() {
			t.Error("it was kept without a payment")
		}
		s.keeper.paid = true
		if !kept() {
			t.Error("it was not kept after a payment")
		}
		s.keeper.paid = true
		time.Sleep(59 * time.Minute)
		if kept() {
			t.Error("it was kept twice within an hour")
		}
		time.Sleep(time.Minute)
		if !kept() {
			t.Error("it was not kept in the next hour")
		}
		time.Sleep(24 * time.Hour)
		if !kept() {
			t.Error("it was not kept on the next day")
		}
		time.Sleep(time.Hour)
		if kept() {
			t.Error("it was kept again on the same day")
		}
	})
}

// FuzzTrafficFile: what is read of a file is in range and in order, and written again it is read as the same.
func FuzzTrafficFile(f *testing.F) {
	for _, seed := range []string{
		`{}`,
		`{"days":[{"date":"2026-05-01","traffic":{"sentLedgerBytes":"1","sentTcpBytes":"52"},"telemetryLimitBytes":"7"},{"date":"2026-04-30"}]}`,
		`{"days":[{"date":"2026-05-01"},{"date":"2026-05-01"}]}`,
		`{"days":[{"date":"2026-05-01","traffic":{"sentLedgerBytes":"18446744073709551615"}}],"later":1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		days, err := parseTraffic(content)
		if err != nil {
			return
		}
		if len(days) > daysKept {
			t.Fatalf("%d days", len(days))
		}
		var again wire.TrafficDays
		for i, d := range days {
			if _, err := time.Parse(time.DateOnly, d.date); err != nil || i > 0 && days[i-1].date <= d.date || d.cost < 0 || d.traffic.sentBytes() > 3*maxCounted {
				t.Fatalf("the days are %v", days)
			}
			again.Days = append(again.Days, &wire.TrafficDay{Date: d.date, Traffic: d.traffic.message(), TelemetryLimitBytes: uint64(d.cost)})
		}
		written, err := protojson.Marshal(&again)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseTraffic(written)
		if err != nil || len(got) != len(days) {
			t.Fatalf("written and read again: %v, %v", got, err)
		}
		for i := range got {
			if got[i] != days[i] {
				t.Fatalf("written and read again: %v, want %v", got[i], days[i])
			}
		}
	})
}
