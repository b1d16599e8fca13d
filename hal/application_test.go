package hal

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The numbers of this process must follow what it does.
func TestAppOfThisProcess(t *testing.T) {
	board := Open(Profile{})
	debug.FreeOSMemory() // what other tests left would be used again
	before, err := board.App(t.Context(), "stampd", os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		f, err := os.Create(filepath.Join(t.TempDir(), "open"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	memory := make([]byte, 64<<20)
	for i := range memory {
		memory[i] = byte(i)
	}
	for deadline := time.Now().Add(300 * time.Millisecond); time.Now().Before(deadline); {
	}
	after, err := board.App(t.Context(), "stampd", os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if memory[1] != 1 || after.GetRssBytes() < before.GetRssBytes()+32<<20 {
		t.Errorf("resident memory is %d, then %d bytes, with 64 MiB more in use", before.GetRssBytes(), after.GetRssBytes())
	}
	if spent := after.GetCpuMs() - before.GetCpuMs(); after.CpuMs == nil || spent < 100 || spent > 60_000 {
		t.Errorf("processor time is %d ms more after 300 ms of work", spent)
	}
	if before.OpenFiles == nil || after.GetOpenFiles() != before.GetOpenFiles()+10 {
		t.Errorf("open files are %d, then %d, with ten more", before.GetOpenFiles(), after.GetOpenFiles())
	}
	if entries, err := os.ReadDir("/proc/self/fd"); err != nil || int(after.GetOpenFiles()) != len(entries)-1 { // less the listing's own
		t.Errorf("open files are %d, want %d (%v)", after.GetOpenFiles(), len(entries)-1, err)
	}
	if after.GetThreads() < 1 || after.App != "stampd" {
		t.Errorf("reading is %v", after)
	}
}

// Another process: its age is right, and it is gone when it has ended.
func TestAppOfAnotherProcess(t *testing.T) {
	board := Open(Profile{})
	init, err := board.App(t.Context(), "init", 1)
	if err != nil {
		t.Fatal(err)
	}
	if age, want := int64(init.GetUptimeSeconds()), ageOfInit(t); init.UptimeSeconds == nil || age < want-2 || age > want+2 {
		t.Errorf("init is %d s old, want %d", age, want)
	}
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	reading, err := board.App(t.Context(), "pos", child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if reading.UptimeSeconds == nil || *reading.UptimeSeconds > 3 || reading.GetThreads() != 1 {
		t.Errorf("a new process reads %v", reading)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // the error says that it was killed
	if reading, err := board.App(t.Context(), "pos", child.Process.Pid); !errors.Is(err, ErrGone) || reading != nil {
		t.Errorf("after its end: got %v and error %v, want %v", reading, err, ErrGone)
	}
}

// ageOfInit returns the seconds since process 1 started: field 22 of its stat, in hundredths of a second since boot (proc(5)).
func ageOfInit(t *testing.T) int64 {
	t.Helper()
	stat, err := os.ReadFile("/proc/1/stat")
	if err != nil {
		t.Fatal(err)
	}
	_, fields, _ := strings.Cut(string(stat), ") ") // the name before it may hold spaces
	started, err := strconv.ParseInt(strings.Fields(fields)[22-3], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	boot, _ := sinceBoot()
	return int64(boot.Seconds()) - started/100
}
