package collect_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/agent/collect"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/uplink/sketch"
	"github.com/stampd/stampd/uplink/wire"
)

// sales is a report of sales that took so long.
func sales(version string, errs uint32, durations ...uint32) *collect.AppReport {
	d := new(sketch.Sketch)
	for _, us := range durations {
		d.Add(us)
	}
	return &collect.AppReport{App: "pos", Version: version, Operations: []collect.OperationReport{{Name: "sale", Durations: d, Errors: errs}}}
}

func crashed(reason string) *collect.AppReport {
	return &collect.AppReport{App: "pos", Version: "1.0", Crash: &collect.CrashReport{Reason: reason}}
}

// give hands a report over, and fails the test unless it is counted.
func (b *bench) give(t *testing.T, r *collect.AppReport) {
	t.Helper()
	if duplicate, err := b.Report(r); err != nil || duplicate {
		t.Errorf("a report was not counted: duplicate %v, error %v", duplicate, err)
	}
}

func operations(events []*wire.Event) (told []*wire.AppOperation) {
	for _, e := range events {
		if o := e.GetAppOperation(); o != nil {
			told = append(told, o)
		}
	}
	return told
}

func crashes(events []*wire.Event) (told []*wire.AppCrash) {
	for _, e := range events {
		if c := e.GetAppCrash(); c != nil {
			told = append(told, c)
		}
	}
	return told
}

// What was reported is told once, added up, when the window ends; where nothing was, nothing is.
func TestReportWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := quiet()
		opts.AppReportEvery, opts.BlockEvery = 15*time.Minute, time.Second
		b := run(t, opts)
		pass(time.Hour)
		b.give(t, sales("1.0", 1, 100, 200, 300))
		b.give(t, sales("1.0", 2, 400_000))
		b.give(t, sales("1.1", math.MaxUint32))
		b.give(t, sales("1.1", 1))
		pass(time.Hour)
		b.give(t, sales("1.0", 0, 7))
		pass(time.Hour)
		b.stop()
		all := new(sketch.Sketch)
		for _, us := range []uint32{100, 200, 300, 400_000} {
			all.Add(us)
		}
		one := new(sketch.Sketch)
		one.Add(7)
		want := []*wire.AppOperation{{
			App: "pos", Version: "1.0", Operation: "sale", WindowSeconds: 900, Count: 4, Errors: 3, SumUs: proto.Uint64(400_600), MaxUs: proto.Uint32(400_000),
			P50Us: proto.Uint32(all.Quantile(0.5)), P90Us: proto.Uint32(all.Quantile(0.9)), P99Us: proto.Uint32(all.Quantile(0.99)), Sketch: all.Append(nil),
		}, {
			App: "pos", Version: "1.1", Operation: "sale", WindowSeconds: 900, Errors: math.MaxUint32,
		}, {
			App: "pos", Version: "1.0", Operation: "sale", WindowSeconds: 900, Count: 1, SumUs: proto.Uint64(7), MaxUs: proto.Uint32(7),
			P50Us: proto.Uint32(7), P90Us: proto.Uint32(7), P99Us: proto.Uint32(7), Sketch: one.Append(nil),
		}}
		got := operations(b.lane.events())
		if len(got) != len(want) {
			t.Fatalf("%d operations told, want %d: %v", len(got), len(want), got)
		}
		for i := range want {
			if !proto.Equal(got[i], want[i]) {
				t.Errorf("told %v, want %v", got[i], want[i])
			}
		}
	})
}

// What was not told when the agent stops is told then.
func TestReportAtStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t, quiet())
		pass(100 * time.Second)
		b.give(t, sales("1.0", 0, 5))
		b.stop()
		events := b.lane.events()
		got := operations(events)
		if len(got) != 1 || got[0].GetWindowSeconds() != 100 || got[0].GetCount() != 1 {
			t.Errorf("told %v", got)
		}
		if last := events[len(events)-1]; last.GetLifecycle().GetKind() != wire.LifecycleKind_LIFECYCLE_KIND_STOPPING {
			t.Errorf("the last event is %v", last)
		}
	})
}

// A crash is told at once. An application that crashes all the time costs a few blocks, and every crash counts.
func TestReportCrashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := quiet()
		opts.AppReportEvery, opts.BlockEvery = 15*time.Minute, 6*time.Minute
		b := run(t, opts)
		pass(time.Minute)
		b.give(t, crashed("out of memory"))
		if told := crashes(b.lane.events()); len(told) != 1 || told[0].GetReason() != "out of memory" || told[0].GetCount() != 1 {
			t.Errorf("told at once: %v", told)
		}
		before := len(b.lane.all())
		for i := range 3600 {
			b.give(t, crashed(fmt.Sprintf("reason %c", 'a'+i%40)))
			pass(time.Second)
		}
		if blocks := len(b.lane.all()) - before; blocks > 30 {
			t.Errorf("%d blocks in an hour of crashes", blocks)
		}
		pass(time.Hour)
		b.stop()
		var count uint32
		for _, c := range crashes(b.lane.events()) {
			count += c.GetCount()
		}
		if count != 3601 {
			t.Errorf("%d crashes told, want 3601", count)
		}
	})
}

// Crashes of more applications than are told apart are refused, and counted again in the next window.
func TestReportBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := quiet()
		opts.AppReportEvery, opts.BlockEvery = 15*time.Minute, time.Hour
		b := run(t, opts)
		synctest.Wait() // until the first round is over
		refused := 0
		for i := range 40 {
			r := crashed("x")
			r.App = "app" + strconv.Itoa(i)
			if _, err := b.Report(r); errors.Is(err, collect.ErrTooMany) {
				refused++
			} else if err != nil {
				t.Error(err)
			}
		}
		if want := 40 - 6 - 16; refused != want {
			t.Errorf("%d crashes refused, want %d: six are told at once, and sixteen held", refused, want)
		}
		for i := range 128 {
			r := sales("1.0", 1)
			r.Operations[0].Name = strconv.Itoa(i)
			b.give(t, r)
		}
		over := sales("1.0", 1)
		over.Operations = append(over.Operations, collect.OperationReport{Name: "0", Durations: new(sketch.Sketch), Errors: 1})
		if _, err := b.Report(over); !errors.Is(err, collect.ErrTooMany) {
			t.Errorf("one name too many: error %v", err)
		}
		pass(15 * time.Minute)
		b.give(t, over)
		b.stop()
		var errs uint32
		for _, o := range operations(b.lane.events()) {
			errs += o.GetErrors()
		}
		if errs != 128+2 {
			t.Errorf("%d errors told, want 130: nothing of a report that is refused counts", errs)
		}
	})
}

// Keys are remembered for each application: the last 64 of them.
func TestReportKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := run(t, quiet())
		keyed := func(app, key string, body byte) *collect.AppReport {
			r := sales("1.0", 1)
			r.App, r.Key, r.Body = app, key, [32]byte{body}
			return r
		}
		b.give(t, keyed("pos", "k", 1))
		b.give(t, keyed("kiosk", "k", 2)) // another application's
		if duplicate, err := b.Report(keyed("pos", "k", 1)); !duplicate || err != nil {
			t.Errorf("the same again: duplicate %v, error %v", duplicate, err)
		}
		if duplicate, err := b.Report(keyed("pos", "k", 9)); duplicate || !errors.Is(err, collect.ErrReportKey) {
			t.Errorf("another report: duplicate %v, error %v", duplicate, err)
		}
		for i := range 64 {
			b.give(t, keyed("pos", strconv.Itoa(i), 1))
		}
		b.give(t, keyed("pos", "k", 1)) // forgotten
		for i := range 16 {
			b.give(t, keyed("app"+strconv.Itoa(i), "k", 1))
		}
		b.give(t, keyed("kiosk", "k", 2)) // forgotten, with its application
		b.stop()
	})
}

// Many callers at a time, and a window that ends in between, lose nothing.
func TestReportAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := quiet()
		opts.AppReportEvery, opts.BlockEvery = 2*time.Second, time.Second
		b := run(t, opts)
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				for range 200 {
					b.give(t, sales("1.0", 1, 10, 1000))
					time.Sleep(50 * time.Millisecond)
				}
			})
		}
		callers.Wait()
		b.stop()
		all := new(sketch.Sketch)
		for _, o := range operations(b.lane.events()) {
			s, err := sketch.Decode(o.GetSketch())
			if err != nil || s.Count() != uint64(o.GetCount()) || o.GetErrors()*2 != o.GetCount() {
				t.Errorf("%v: error %v", o, err)
				continue
			}
			all.Merge(s)
		}
		if all.Count() != 2*8*200 {
			t.Errorf("%d durations told, want %d", all.Count(), 2*8*200)
		}
	})
}

// An application that is watched has the version that it reported.
func TestReportVersion(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pos.pid")
	if err := os.WriteFile(file, fmt.Appendln(nil, os.Getpid()), 0o600); err != nil {
		t.Fatal(err)
	}
	pos, err := hal.ParseApp("pidfile:" + file)
	if err != nil {
		t.Fatal(err)
	}
	other, err := hal.ParseApp("name:not-there-" + strconv.Itoa(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		opts := quiet()
		opts.AppEvery = time.Minute
		opts.Board = hal.Open(hal.Profile{SysRoot: t.TempDir(), Apps: []hal.App{pos, other}})
		b := run(t, opts)
		b.give(t, sales("4.2", 0, 5))
		pass(3 * time.Minute)
		b.stop()
		var versions []string
		for _, e := range b.lane.events() {
			switch r := e.GetAppPerformance(); r.GetApp() {
			case "pos":
				versions = append(versions, r.GetVersion())
				if !r.GetRunning() || r.GetRestarts() != 0 || r.GetThreads() == 0 {
					t.Errorf("this process reads %v", r)
				}
			case other.Name:
				if r.Running == nil || *r.Running || r.RssBytes != nil {
					t.Errorf("a process that is not there reads %v", r)
				}
			}
		}
		if len(versions) < 3 || versions[len(versions)-1] != "4.2" {
			t.Errorf("versions are %q", versions)
		}
	})
}
