package uplink

import (
	"errors"
	"testing"
	"time"
	_ "time/tzdata" // the zones below, wherever this runs
)

func TestParseWindow(t *testing.T) {
	for text, ok := range map[string]bool{
		"": true, "02:00-05:00": true, "22:30-04:00": true, "00:00-23:59": true, "23:59-00:00": true,
		"02:00": false, "2:00-5:00": false, "02:00-24:00": false, "02:60-05:00": false, "02:00-02:00": false, "02:00–05:00": false,
		" 02:00-05:00": false, "02:00-05:00 ": false, "ab:cd-ef:gh": false, "-1:00-05:00": false, "02.00-05.00": false,
	} {
		w, err := ParseWindow(text)
		if (err == nil) != ok || err != nil && !errors.Is(err, ErrWindow) {
			t.Errorf("%q: %v", text, err)
		}
		if ok && w.String() != text {
			t.Errorf("%q is written %q", text, w)
		}
	}
}

func FuzzWindow(f *testing.F) {
	f.Add("02:00-05:00")
	f.Add("22:30-04:00")
	f.Fuzz(func(t *testing.T, text string) {
		if w, err := ParseWindow(text); err == nil && w.String() != text {
			t.Errorf("%q is written %q", text, w)
		}
	})
}

// TestWindowOpens tells, at a time of a zone, how long it is until the window opens: 0 while it is open.
func TestWindowOpens(t *testing.T) {
	const berlin, newYork, lordHowe = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
	for _, c := range []struct {
		name, window, zone, at string
		want                   time.Duration
	}{
		{"in it", "02:00-05:00", berlin, "2026-06-01T03:00:00", 0},
		{"its first moment", "02:00-05:00", berlin, "2026-06-01T02:00:00", 0},
		{"its last moment", "02:00-05:00", berlin, "2026-06-01T04:59:59", 0},
		{"its end", "02:00-05:00", berlin, "2026-06-01T05:00:00", 21 * time.Hour},
		{"before it", "02:00-05:00", berlin, "2026-06-01T01:59:30", 30 * time.Second},
		{"over midnight, before it", "22:30-04:00", berlin, "2026-06-01T22:00:00", 30 * time.Minute},
		{"over midnight, in it", "22:30-04:00", berlin, "2026-06-01T23:59:59", 0},
		{"over midnight, after midnight", "22:30-04:00", berlin, "2026-06-02T00:00:00", 0},
		{"over midnight, after it", "22:30-04:00", berlin, "2026-06-02T04:00:00", 18*time.Hour + 30*time.Minute},
		{"the night that summer takes an hour of", "02:30-05:00", berlin, "2026-03-29T01:00:00", time.Hour}, // 01:59 is before 03:00
		{"all of it taken by summer", "02:00-03:00", berlin, "2026-03-29T01:30:00", 23*time.Hour + 30*time.Minute},
		{"the night that winter gives an hour to", "03:00-05:00", berlin, "2026-10-25T01:00:00", 3 * time.Hour},
		{"half an hour of summer time", "02:00-02:30", lordHowe, "2026-10-04T01:00:00", 24*time.Hour + 30*time.Minute},
		{"another zone", "02:00-05:00", newYork, "2026-06-01T01:00:00", time.Hour},
		{"all day", "", newYork, "2026-06-01T01:00:00", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			zone, err := time.LoadLocation(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.ParseInLocation("2006-01-02T15:04:05", c.at, zone)
			if err != nil {
				t.Fatal(err)
			}
			w, err := ParseWindow(c.window)
			if err != nil {
				t.Fatal(err)
			}
			var got time.Duration
			if !w.open(at) {
				got = untilFirst(at, farthest, w.open)
			}
			if got != c.want {
				t.Errorf("opens in %v, want %v", got, c.want)
			}
		})
	}
}

// TestEveryWindowOpens holds every window of whole hours to opening within two days and a bit, from every hour of a year.
func TestEveryWindowOpens(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for from := range 24 {
		w := Window{from: from * 60, to: (from*60 + 61) % 1440}
		for at := time.Date(2026, 1, 1, 0, 0, 0, 0, zone); at.Year() == 2026; at = at.Add(37 * time.Hour) {
			if wait := untilFirst(at, farthest, w.open); !w.open(at.Add(wait)) {
				t.Fatalf("%v does not open after %v", w, at)
			}
		}
	}
}
