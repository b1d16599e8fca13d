package hal

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

func TestParseApp(t *testing.T) {
	for text, want := range map[string]App{
		"name:pos":                            {"pos", byName, "pos"},
		"till=name:POS App":                   {"till", byName, "POS App"},
		"name:com.example.pos_2":              {"com.example.pos_2", byName, "com.example.pos_2"},
		"pidfile:/run/pos.pid":                {"pos", byPIDFile, "/run/pos.pid"},
		"pidfile:/run/a=b:c/pos":              {"pos", byPIDFile, "/run/a=b:c/pos"},
		"till=pidfile:/run/pos/main":          {"till", byPIDFile, "/run/pos/main"},
		"unit:pos.service":                    {"pos", byUnit, "pos.service"},
		"unit:pos":                            {"pos", byUnit, "pos.service"},
		"till=unit:pos@1.service":             {"till", byUnit, "pos@1.service"},
		"unit:session-2.scope":                {"session-2", byUnit, "session-2.scope"},
		"name:stampd":                         {"stampd", byName, "stampd"},
		"x=name:a=b":                          {"x", byName, "a=b"},
		strings.Repeat("a", 64) + "=name:pos": {strings.Repeat("a", 64), byName, "pos"},
	} {
		if got, err := ParseApp(text); err != nil || got != want {
			t.Errorf("%q: got %v and error %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "pos", ":pos", "name:", "name:/opt/pos", "name:POS App", "name:p\nos", "=name:pos", "till=", "till=pos", "till", "cgroup:pos",
		"pidfile:pos.pid", "pidfile:/", "pidfile:/run/../pos.pid", "pidfile:/run/pos.pid\x00", "pidfile:", "unit:", "unit:a/b.service",
		"unit:pos@1.service", "a b=name:pos", "Name:pos", strings.Repeat("a", 65) + "=name:pos", "till=name:" + strings.Repeat("a", 256),
	} {
		if got, err := ParseApp(text); !errors.Is(err, ErrApp) {
			t.Errorf("%q: got %v and error %v, want none and %v", text, got, err, ErrApp)
		}
	}
}

// copyOf copies a program of this machine, so that processes of it have a name of their own.
func copyOf(t *testing.T, name string) string {
	t.Helper()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(copied, content, 0o700); err != nil {
		t.Fatal(err)
	}
	return copied
}

// start starts a program that waits, and returns what kills it.
func start(t *testing.T, program string) (pid int, kill func()) {
	t.Helper()
	child := exec.Command(program, "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = child.Process.Kill() // it may be dead already
		_ = child.Wait()         // the error says that it was killed
	}
	t.Cleanup(kill)
	// The child is a copy of this process until it has become the program.
	for deadline := time.Now().Add(5 * time.Second); ; {
		comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", child.Process.Pid))
		if err == nil && strings.HasPrefix(filepath.Base(program), strings.TrimSpace(string(comm))) {
			return child.Process.Pid, kill
		}
		if time.Now().After(deadline) {
			t.Fatalf("the child is still %q", comm)
		}
	}
}

// Real processes are found by name and by file, and told when they end and start again.
func TestAppsOfThisMachine(t *testing.T) {
	short, long := copyOf(t, "till-"+strconv.Itoa(os.Getpid())), copyOf(t, "point-of-sale-application-"+strconv.Itoa(os.Getpid()))
	file := filepath.Join(t.TempDir(), "pos.pid")
	var apps []App
	for _, text := range []string{"name:" + filepath.Base(short), "long=name:" + filepath.Base(long), "pidfile:" + file} {
		app, err := ParseApp(text)
		if err != nil {
			t.Fatal(err)
		}
		apps = append(apps, app)
	}
	board := Open(Profile{Apps: apps})
	check := func(what string, app int, running bool, processes, restarts uint32) *wire.AppPerformance {
		t.Helper()
		r := board.Apps(t.Context())[app]
		if r.Running == nil || *r.Running != running || r.GetProcesses() != processes || r.GetRestarts() != restarts || r.Restarts == nil {
			t.Errorf("%s: running %v, %d processes, %d restarts, want %v, %d, %d", what, r.Running, r.GetProcesses(), r.GetRestarts(), running, processes, restarts)
		}
		if running && (r.RssBytes != nil && *r.RssBytes < 4096 || r.CpuMs == nil || r.GetThreads() != processes || r.GetOpenFiles() < 3 || r.GetUptimeSeconds() > 5) ||
			!running && (r.RssBytes != nil || r.CpuMs != nil || r.Threads != nil || r.OpenFiles != nil || r.UptimeSeconds != nil) {
			t.Errorf("%s: %v", what, r)
		}
		return r
	}
	check("before the start", 0, false, 0, 0)
	_, killFirst := start(t, short)
	check("after the start", 0, true, 1, 0)
	_, killSecond := start(t, short)
	check("with a second process", 0, true, 2, 0)
	killSecond()
	check("without it", 0, true, 1, 0)
	killFirst()
	check("after its end", 0, false, 0, 0)
	_, kill := start(t, short)
	check("after a restart", 0, true, 1, 1)
	kill()
	start(t, short)
	check("after a restart between readings", 0, true, 1, 2)

	check("of a long name, before", 1, false, 0, 0)
	pid, kill := start(t, long)
	check("of a long name", 1, true, 1, 0)

	if err := os.WriteFile(file, fmt.Appendln(nil, pid), 0o600); err != nil {
		t.Fatal(err)
	}
	check("by its file", 2, true, 1, 0)
	kill()
	check("by its file, after its end", 2, false, 0, 0)
}

func TestParseStat(t *testing.T) {
	const good = "1234 (pos) S 1 1234 1234 0 -1 4194560 900 0 0 0 100 50 20 10 20 0 3 0 4200 1000000 25 1844 1 1 0\n"
	want := task{pid: 1234, comm: "pos", cpu: 1800, threads: 3, started: 42 * time.Second, rss: 25 * uint64(os.Getpagesize())}
	if got, err := parseStat([]byte(good)); err != nil || got != want {
		t.Errorf("got %v and error %v, want %v", got, err, want)
	}
	for _, comm := range []string{"", ") S 1 (", "a b", "(", ")", "x) Z 1", "\xFF\n"} {
		if got, err := parseStat([]byte(strings.Replace(good, "(pos)", "("+comm+")", 1))); err != nil || got.comm != comm || got.rss != want.rss {
			t.Errorf("%q: got %v and error %v", comm, got, err)
		}
	}
	for name, line := range map[string]string{
		"nothing":        "",
		"no name":        "1234 S 1",
		"no bracket":     "1234 (pos S 1",
		"nothing after":  "1234 (pos) ",
		"cut short":      "1234 (pos) S 1 1234 1234 0 -1 4194560 900 0 0 0 100 50 20 10 20 0 3 0 4200 1000000",
		"no number":      strings.Replace(good, "4200", "4x00", 1),
		"no id":          strings.Replace(good, "1234 (", "pos (", 1),
		"id 0":           strings.Replace(good, "1234 (", "0 (", 1),
		"id too large":   strings.Replace(good, "1234 (", "4194305 (", 1),
		"a zombie":       strings.Replace(good, "S", "Z", 1),
		"dead":           strings.Replace(good, "S", "X", 1),
		"a kernel's own": strings.Replace(good, "1000000", "0", 1),
	} {
		if got, err := parseStat([]byte(line)); !errors.Is(err, errStat) {
			t.Errorf("%s: got %v and error %v, want %v", name, got, err, errStat)
		}
	}
}

// A line of any bytes is refused, or gives numbers that a reading may hold.
func FuzzParseStat(f *testing.F) {
	f.Add([]byte("1234 (pos) S 1 1234 1234 0 -1 4194560 900 0 0 0 100 50 20 10 20 0 3 0 4200 1000000 25 1844 1 1 0\n"))
	f.Add([]byte("1 (a) (b) R 1 1 1 0 -1 0 0 0 0 0 9223372036854775807 9223372036854775807 -1 -1 20 0 -3 0 9223372036854775807 1 9223372036854775807"))
	f.Fuzz(func(t *testing.T, line []byte) {
		p, err := parseStat(line)
		if err != nil {
			return
		}
		if p.pid < 1 || p.pid > maxPID || p.cpu > maxCounter || p.rss > maxCounter || p.started < 0 || p.threads > maxPID || !bytes.Contains(line, []byte(p.comm)) {
			t.Errorf("%q is %+v", line, p)
		}
	})
}

func TestTimesLimit(t *testing.T) {
	if got := times(math.MaxUint64, 4096); got > maxCounter || got < maxCounter-4096 {
		t.Errorf("the most is %d", got)
	}
}
