package collect

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/stampd/stampd/uplink/sketch"
	"github.com/stampd/stampd/uplink/wire"
)

// maxOperations is how many operations are held at a time, of all applications and versions together. With a full sketch each,
// they take some 900 KB.
const maxOperations = 128

var (
	// ErrTooMany says that more operations or crashes were reported than are told apart in one window. Nothing was counted.
	ErrTooMany = errors.New("too many different names are reported")
	// ErrReportKey says that the key was used for another report. Nothing was counted.
	ErrReportKey = errors.New("the key was used for another report")
)

// AppReport is what an application reports of itself. Its names and its reason are checked: they may be recorded.
type AppReport struct {
	App, Version string
	Operations   []OperationReport
	Crash        *CrashReport // nil when there was none

	// Key is the application's name for this report, and Body tells one report from another. An empty key means that a report is
	// counted as often as it comes.
	Key  string
	Body [32]byte
}

// OperationReport is how one operation went.
type OperationReport struct {
	Name      string
	Durations *sketch.Sketch
	Errors    uint32
}

// CrashReport is a crash.
type CrashReport struct {
	Reason string
	UnixMs *int64 // nil means unknown
}

// operation names what durations are of.
type operation struct{ app, version, name string }

// tally is what was reported of an operation.
type tally struct {
	operation
	durations sketch.Sketch
	errors    uint32 // the largest stands for itself and all above
}

// reports is what applications reported and was not told yet.
type reports struct {
	mu         sync.Mutex // guards all below
	since      time.Time  // when the window began
	operations []*tally   // in the order in which they were reported first
	crashes    crashes
	memories   memories
}

func newReports(crashEvery time.Duration) *reports {
	return &reports{since: time.Now(), crashes: crashes{allowed: allowance{every: crashEvery}}}
}

// Report counts what an application reports: operations until the window ends, and a crash at once or, when there were many,
// with the next window. It reports whether the key is known, and nothing was counted. The error is [ErrTooMany] or
// [ErrReportKey]. What is held and not told yet is in memory only. It is safe for concurrent use, also before Run; after Run
// nobody tells of it.
func (c *Collector) Report(r *AppReport) (duplicate bool, err error) {
	duplicate, urgent, err := c.reports.take(r, time.Now())
	if len(urgent) > 0 {
		c.record(time.Now(), urgent...)
		c.Flush()
	}
	return duplicate, err
}

// take counts a report, all of it or nothing. It returns what is to be told at once.
func (h *reports) take(r *AppReport, now time.Time) (duplicate bool, urgent []*wire.Event, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	memory := h.memories.of(r.App)
	if r.Key != "" {
		if body, known := memory.recall(r.Key); known && body != r.Body {
			return false, nil, ErrReportKey
		} else if known {
			return true, nil, nil
		}
	}
	if h.added(r) > maxOperations || r.Crash != nil && !h.crashes.fits(r) {
		return false, nil, ErrTooMany
	}
	for _, o := range r.Operations {
		name := operation{r.App, r.Version, o.Name}
		t := h.find(name)
		if t == nil {
			t = &tally{operation: name}
			h.operations = append(h.operations, t)
		}
		t.durations.Merge(o.Durations)
		t.errors += min(o.Errors, math.MaxUint32-t.errors)
	}
	if r.Crash != nil {
		urgent = h.crashes.take(r, now)
	}
	memory.version = r.Version
	if r.Key != "" {
		memory.remember(r.Key, r.Body)
	}
	return false, urgent, nil
}

// added returns how many operations there are with those of a report.
func (h *reports) added(r *AppReport) int {
	fresh := make(map[string]bool)
	for _, o := range r.Operations {
		if h.find(operation{r.App, r.Version, o.Name}) == nil {
			fresh[o.Name] = true
		}
	}
	return len(h.operations) + len(fresh)
}

// find returns what was reported of an operation, or nil. It goes through all, of which there are few.
func (h *reports) find(name operation) *tally {
	for _, t := range h.operations {
		if t.operation == name {
			return t
		}
	}
	return nil
}

// tell ends the window, and returns what was reported in it: nothing when nothing was.
func (h *reports) tell(now time.Time) []*wire.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	window := uint32(min(now.Sub(h.since).Round(time.Second)/time.Second, math.MaxInt32))
	h.since = now
	var events []*wire.Event
	for _, t := range h.operations {
		told := t.event()
		told.WindowSeconds = window
		events = append(events, &wire.Event{Body: &wire.Event_AppOperation{AppOperation: told}})
	}
	h.operations = nil
	return append(events, h.crashes.drain()...)
}

// event returns what is told of an operation.
func (t *tally) event() *wire.AppOperation {
	told := &wire.AppOperation{App: t.app, Version: t.version, Operation: t.name, Errors: t.errors}
	if d := &t.durations; d.Count() > 0 {
		told.Count = uint32(min(d.Count(), math.MaxUint32))
		told.SumUs, told.MaxUs = new(d.Sum()), new(d.Max())
		told.P50Us, told.P90Us, told.P99Us = new(d.Quantile(0.5)), new(d.Quantile(0.9)), new(d.Quantile(0.99))
		told.Sketch = d.Append(nil)
	}
	return told
}

// version returns the version that an application reported last, or nothing.
func (h *reports) version(app string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.memories.version(app)
}

// readReports returns what applications reported since the last time.
func (c *Collector) readReports(context.Context) []*wire.Event { return c.reports.tell(time.Now()) }
