package hal

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/wire"
)

const (
	// MaxApps is how many applications can be watched.
	MaxApps = 16
	// maxProcesses is how many processes of one application are added up.
	maxProcesses = 256
	// appsRead is what the read of all applications is called.
	appsRead = "applications"
)

// ErrApp says how an application that is to be watched is written.
var ErrApp = errors.New(`want "name:pos", "pidfile:/run/pos.pid" or "unit:pos.service"; "till=name:pos" is the same and calls it till`)

// App is an application to be watched. Make one with [ParseApp].
type App struct {
	// Name is what readings call it: 1 to 64 of a-z, A-Z, 0-9, dot, dash and underscore.
	Name string

	kind appKind
	at   string // the process's name, the file's path, or the unit
}

type appKind string

const (
	byName    appKind = "name"
	byPIDFile appKind = "pidfile"
	byUnit    appKind = "unit"
)

// ParseApp returns the application that a text describes: KIND:WHAT, or LABEL=KIND:WHAT. Without a label it has the name of
// its process, of its file without ".pid", or of its unit without ".service". The kinds are
//
//	name:pos              every process whose name, or the name of whose program, is pos
//	pidfile:/run/pos.pid  the process whose id is in that file
//	unit:pos.service      every process in the cgroup of that systemd unit
//
// The error is [ErrApp].
func ParseApp(text string) (App, error) {
	label, what, labelled := strings.Cut(text, "=")
	if !labelled || strings.Contains(label, ":") {
		label, what, labelled = "", text, false
	}
	kind, at, _ := strings.Cut(what, ":")
	a := App{Name: label, kind: appKind(kind), at: at}
	good := at != "" && len(at) <= 255 && !strings.ContainsFunc(at, unprintable)
	var name string
	switch a.kind {
	case byName:
		name = at
		good = good && !strings.Contains(at, "/")
	case byPIDFile:
		name = strings.TrimSuffix(filepath.Base(at), ".pid")
		good = good && filepath.IsAbs(at) && filepath.Clean(at) == at && at != "/"
	case byUnit:
		if !strings.HasSuffix(at, ".scope") {
			a.at = strings.TrimSuffix(at, ".service") + ".service" // as systemctl does
		}
		name = strings.TrimSuffix(strings.TrimSuffix(a.at, ".service"), ".scope")
		good = good && !strings.Contains(at, "/")
	default:
		good = false
	}
	if !labelled {
		a.Name = name
	}
	if !good || !isAppName(a.Name) {
		return App{}, ErrApp
	}
	return a, nil
}

// isAppName reports whether readings may call an application so.
func isAppName(name string) bool {
	return name != "" && len(name) <= maxText && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	})
}

// appWatch is one application, and what was seen of it. Only one read of all applications runs at a time, and touches it.
type appWatch struct {
	App
	main     task // the oldest process when it ran last; none before it ran
	restarts uint32
	bound    pidFile // by a file: as it was when main was found in it
}

// Apps reads the applications of the profile, in their order. One that does not run is told of as such; what can't be read of
// one is unset. The list of processes is gone through once, however many there are. The caller owns the readings. It is
// empty when reading takes too long.
func (b *Board) Apps(ctx context.Context) []*wire.AppPerformance {
	m := b.machine
	if len(m.apps) == 0 {
		return nil
	}
	readings, err := m.watched.do(ctx, appsRead, func() ([]*wire.AppPerformance, error) { return m.readApps(), nil })
	if err != nil {
		return nil
	}
	own := make([]*wire.AppPerformance, len(readings)) // others may have asked at the same time
	for i, r := range readings {
		own[i] = proto.CloneOf(r)
	}
	return own
}

// readApps reads every application once.
func (m *machine) readApps() []*wire.AppPerformance {
	find := &finder{proc: sysfs(m.procRoot), sys: sysfs(m.sysRoot)}
	readings := make([]*wire.AppPerformance, len(m.apps))
	for i, app := range m.apps {
		readings[i] = app.read(find)
	}
	return readings
}

// read reads the application, and notices when it was started anew.
func (w *appWatch) read(find *finder) *wire.AppPerformance {
	reading := &wire.AppPerformance{App: w.Name}
	seen := w.find(find)
	if len(seen.processes) > 0 {
		oldest := oldestOf(seen.processes)
		w.notice(seen.processes, oldest)
		addUp(reading, find.proc, seen.processes, oldest)
	}
	if seen.known {
		reading.Running = new(seen.count > 0)
	}
	if seen.count > 0 {
		reading.Processes = new(uint32(seen.count))
	}
	if w.main.pid != 0 || seen.known && seen.count == 0 { // else nobody could have noticed one
		reading.Restarts = new(w.restarts)
	}
	return reading
}

// notice counts a restart when none of the processes is the one that was the oldest before.
func (w *appWatch) notice(running []task, oldest task) {
	if w.main.pid == 0 {
		w.main = oldest
	}
	for _, p := range running {
		if p.same(w.main) {
			return
		}
	}
	w.main = oldest
	w.restarts += min(1, math.MaxUint32-w.restarts)
}

// oldestOf returns the process that started first; of several that did, the one with the lowest id. There must be one.
func oldestOf(running []task) task {
	oldest := running[0]
	for _, p := range running[1:] {
		if p.started < oldest.started || p.started == oldest.started && p.pid < oldest.pid {
			oldest = p
		}
	}
	return oldest
}

// find looks for the application's processes.
func (w *appWatch) find(find *finder) sighting {
	switch w.kind {
	case byName:
		return find.named(w.at)
	case byPIDFile:
		return w.inFile(find)
	default:
		return find.inUnit(w.at)
	}
}
