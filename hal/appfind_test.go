package hal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/uplink/wire"
)

// roots are a procfs and a sysfs in a folder.
type roots struct {
	t        *testing.T
	dir      string
	watching []hal.App
}

func newRoots(t *testing.T, apps ...string) *roots {
	t.Helper()
	r := &roots{t: t, dir: t.TempDir()}
	for _, text := range apps {
		app, err := hal.ParseApp(strings.ReplaceAll(text, "DIR", r.dir))
		if err != nil {
			t.Fatal(err)
		}
		r.watching = append(r.watching, app)
	}
	return r
}

// board watches the applications that these roots are for.
func (r *roots) board() *hal.Board {
	return hal.Open(hal.Profile{ProcRoot: filepath.Join(r.dir, "proc"), SysRoot: filepath.Join(r.dir, "sys"), Apps: r.watching})
}

// write puts files in place, given as an archive.
func (r *roots) write(archive string) {
	r.t.Helper()
	tree, err := haltest.ParseTree([]byte(archive))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := tree.Write(r.dir); err != nil {
		r.t.Fatal(err)
	}
}

// run starts a process: with 3 threads and 2 open files, of ten pages and with 150 ms used up, 50 of them by children.
func (r *roots) run(pid int, comm string, started int, arguments ...string) {
	r.t.Helper()
	r.end(pid)
	r.write(fmt.Sprintf("-- proc/%[1]d/stat --\n%[1]d (%[2]s) S 1 %[1]d %[1]d 0 -1 4194560 900 0 0 0 7 3 4 1 20 0 3 0 %[3]d 1000000 10 18446744073709551615 1 1 0 0\n"+
		"-- proc/%[1]d/cmdline --\n%[4]s\n-- proc/%[1]d/fd/0 --\n-- proc/%[1]d/fd/1 --\n",
		pid, comm, started, strconv.Quote(strings.Join(arguments, "\x00"))))
}

func (r *roots) end(pid int) {
	if err := os.RemoveAll(filepath.Join(r.dir, "proc", strconv.Itoa(pid))); err != nil {
		r.t.Fatal(err)
	}
}

// want compares what is read, but for how long it has been running.
func (r *roots) want(b *hal.Board, want ...*wire.AppPerformance) {
	r.t.Helper()
	got := b.Apps(r.t.Context())
	for _, reading := range got {
		reading.UptimeSeconds = nil
	}
	if d := cmp.Diff(want, got, protocmp.Transform()); d != "" {
		r.t.Errorf("applications (-want +got):\n%s", d)
	}
}

// uses is a reading of so many processes like those of run.
func uses(name string, processes, restarts uint32) *wire.AppPerformance {
	n := uint64(processes)
	return &wire.AppPerformance{
		App: name, Running: proto.Bool(true), Processes: &processes, Restarts: &restarts,
		RssBytes: proto.Uint64(n * 10 * uint64(os.Getpagesize())), CpuMs: proto.Uint64(n * 150),
		Threads: proto.Uint32(3 * processes), OpenFiles: proto.Uint32(2 * processes),
	}
}

func stopped(name string, restarts uint32) *wire.AppPerformance {
	return &wire.AppPerformance{App: name, Running: proto.Bool(false), Restarts: &restarts}
}

func TestAppsByName(t *testing.T) {
	r := newRoots(t, "name:pos", "kiosk=name:com.example.kiosk.browser", "name:none")
	r.run(40, "pos", 500, "/opt/pos/pos", "--serve")
	r.run(41, "pos", 600, "/opt/pos/pos", "--worker")
	r.run(42, "pos-updater", 600, "/opt/pos/pos-updater")
	r.run(43, "e.kiosk.browser", 600, "com.example.kiosk.browser")
	r.run(44, "odd) S (pos", 600, "/opt/odd")
	r.write("-- proc/45/stat --\n45 (pos) Z 1 45 45 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 500 0 0 0\n" + // a zombie
		"-- proc/46/stat --\n46 (pos) S 2 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 500 0 0 0\n" + // a thread of the kernel
		"-- proc/47/stat --\ngarbage\n-- proc/48/stat --\n-- proc/0/stat --\n0 (pos) S\n-- proc/pos/stat --\n1 (pos) S\n")
	r.want(r.board(), uses("pos", 2, 0), uses("kiosk", 1, 0), stopped("none", 0))
}

// What comes and goes between two readings is noticed by when it started, and a worker that ends is no restart.
func TestAppsRestart(t *testing.T) {
	r := newRoots(t, "name:pos")
	b := r.board()
	r.write("-- proc/uptime --\n")
	r.want(b, stopped("pos", 0))
	r.run(40, "pos", 500)
	r.run(41, "pos", 510)
	r.want(b, uses("pos", 2, 0)) // the first start is none
	r.run(38, "pos", 450)        // an older one, which was called otherwise
	r.want(b, uses("pos", 3, 0))
	r.end(38)
	r.end(41)
	r.run(42, "pos", 700)
	r.want(b, uses("pos", 2, 0))
	r.end(40)
	r.end(42)
	r.want(b, stopped("pos", 0))
	r.want(b, stopped("pos", 0))
	r.run(43, "pos", 800)
	r.want(b, uses("pos", 1, 1))
	r.run(43, "pos", 900) // the same id
	r.want(b, uses("pos", 1, 2))
	r.run(43, "sh", 1000)
	r.run(39, "pos", 1100)
	r.want(b, uses("pos", 1, 3))
}

func TestAppsByPIDFile(t *testing.T) {
	r := newRoots(t, "pidfile:DIR/run/pos.pid")
	b := r.board()
	file := filepath.Join(r.dir, "run/pos.pid")
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	put := func(content string) {
		t.Helper()
		r.write("-- run/pos.pid --\n" + strconv.Quote(content) + "\n")
		at = at.Add(time.Second)
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	r.run(40, "pos", 500)
	r.run(41, "pos", 500)
	r.want(b, stopped("pos", 0)) // no file
	for _, content := range []string{"", "\n", "pos", "-40", "+40", "40x", "0", "4194305", "99999999999999999999", "0x28", strings.Repeat("1", 1<<20), "\x00\x00"} {
		put(content)
		r.want(b, stopped("pos", 0))
	}
	put("40")
	r.want(b, uses("pos", 1, 0))
	put(" 40 \nand more, which is nobody's business\n" + strings.Repeat("x", 1<<20))
	r.want(b, uses("pos", 1, 0))
	put("41\n")
	r.want(b, uses("pos", 1, 1))
	r.end(41)
	r.want(b, stopped("pos", 1))
	r.run(41, "sh", 900) // another's, since the file is as it was
	r.want(b, stopped("pos", 1))
	put("41\n")
	r.want(b, uses("pos", 1, 2))
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	r.want(b, stopped("pos", 2))
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	r.write("-- run/pos.pid/40 --\n40\n")
	r.want(b, stopped("pos", 2))
}

func TestAppsByUnit(t *testing.T) {
	for name, test := range map[string]struct {
		unit, tree string
		want       func(name string) *wire.AppPerformance
	}{
		"version 2":          {"pos.service", "-- sys/fs/cgroup/system.slice/pos.service/cgroup.procs --\n40\n41\n", running(2)},
		"without its ending": {"pos", "-- sys/fs/cgroup/system.slice/pos.service/cgroup.procs --\n40\n", running(1)},
		"version 1": {"pos.service", "-- sys/fs/cgroup/systemd/system.slice/pos.service/cgroup.procs --\n40\n41\n" +
			"-- sys/fs/cgroup/cpu/system.slice/pos.service/cgroup.procs --\n42\n", running(2)},
		"both": {"pos.service", "-- sys/fs/cgroup/unified/system.slice/pos.service/cgroup.procs --\n40\n" +
			"-- sys/fs/cgroup/systemd/system.slice/pos.service/cgroup.procs --\n40\n", running(1)},
		"below it": {"pos.service", "-- sys/fs/cgroup/system.slice/pos.service/cgroup.procs --\n" +
			"-- sys/fs/cgroup/system.slice/pos.service/main/cgroup.procs --\n40\n" +
			"-- sys/fs/cgroup/system.slice/pos.service/box/inner/cgroup.procs --\n41\n", running(2)},
		"of a template": {"pos@1.service", "-- sys/fs/cgroup/system.slice/system-pos.slice/pos@1.service/cgroup.procs --\n40\n" +
			"-- sys/fs/cgroup/system.slice/system-pos.slice/pos@2.service/cgroup.procs --\n41\n", running(1)},
		"in a slice of its own": {"pos.service", "-- sys/fs/cgroup/system.slice/x/y --\n" +
			"-- sys/fs/cgroup/till.slice/till-pos.slice/pos.service/cgroup.procs --\n40\n", running(1)},
		"of a user": {"pos.service", "-- sys/fs/cgroup/system.slice/x/y --\n" +
			"-- sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/pos.service/cgroup.procs --\n40\n", running(1)},
		"with a name that is escaped":  {"cpu.service", "-- sys/fs/cgroup/system.slice/_cpu.service/cgroup.procs --\n40\n", running(1)},
		"a scope":                      {"session-2.scope", "-- sys/fs/cgroup/user.slice/session-2.scope/cgroup.procs --\n40\n-- sys/fs/cgroup/system.slice/x/y --\n", running(1)},
		"of processes that have ended": {"pos.service", "-- sys/fs/cgroup/system.slice/pos.service/cgroup.procs --\n98\n99\n0\nx\n", stopped0},
		"with none":                    {"pos.service", "-- sys/fs/cgroup/system.slice/pos.service/cgroup.procs --\n", stopped0},
		"stopped":                      {"pos.service", "-- sys/fs/cgroup/system.slice/other.service/cgroup.procs --\n40\n", stopped0},
		"without systemd":              {"pos.service", "-- sys/fs/cgroup/cgroup.procs --\n40\n", unknownApp},
		"without cgroups":              {"pos.service", "-- sys/class/net/x --\n", unknownApp},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoots(t, "till=unit:"+test.unit)
			r.run(40, "pos", 500)
			r.run(41, "pos", 600)
			r.run(42, "pos", 600)
			r.write(test.tree)
			r.want(r.board(), test.want("till"))
		})
	}
}

func running(processes uint32) func(string) *wire.AppPerformance {
	return func(name string) *wire.AppPerformance { return uses(name, processes, 0) }
}

func stopped0(name string) *wire.AppPerformance { return stopped(name, 0) }

func unknownApp(name string) *wire.AppPerformance {
	return &wire.AppPerformance{App: name}
}

// Where other users' processes are hidden (hidepid), a process that is not seen may run all the same; a cgroup tells.
func TestAppsHidden(t *testing.T) {
	r := newRoots(t, "name:pos", "file=pidfile:DIR/run/pos.pid", "unit=unit:pos.service")
	r.write("-- run/pos.pid --\n40\n-- sys/fs/cgroup/system.slice/pos.service/cgroup.procs --\n40\n41\n-- proc/self/stat --\n50 (stampd) S\n")
	unit := unknownApp("unit")
	unit.Running, unit.Processes = proto.Bool(true), proto.Uint32(2)
	r.want(r.board(), unknownApp("pos"), unknownApp("file"), unit)
}

// Many processes are added up to a limit, and a unit with no end of cgroups is left in time.
func TestAppsBounded(t *testing.T) {
	r := newRoots(t, "unit:pos.service", "name:pos")
	for i := range 300 {
		r.run(1000+i, "pos", 500+i)
		r.write(fmt.Sprintf("-- sys/fs/cgroup/system.slice/pos.service/box%d/cgroup.procs --\n%d\n", i, 1000+i))
	}
	pos := uses("pos", 256, 0)
	r.want(r.board(), pos, pos)
}
