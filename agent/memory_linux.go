package main

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// gcPercent is how much the heap may grow, in percent of what is in use, before garbage is collected. A terminal has time to
// spare and no memory: beside Go's default of 100, 25 takes 6 MB off the peak while 200,000 payments are drained, for
// 2.5 µs of processor time more for each (make bench ONLY=payments).
const gcPercent = 25

// spareMemory has garbage collected early from now on, unless the environment says how often (GOGC), and gives back what
// only the start of the agent needed: garbage, and pages of the program itself, which the kernel brings in by the dozen
// and keeps mapped. Those that are needed again come back from the page cache.
func spareMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	debug.FreeOSMemory()
	program, err := os.Executable()
	if err != nil {
		return
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(maps)) {
		if from, to, ok := programPages(line, program); ok {
			// Without the result: where it fails, the pages stay.
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED)
		}
	}
}

// programPages returns the addresses of a mapping (proc_pid_maps(5)) if it is of the program's own file and can't be written
// to: nothing can be lost with its pages.
func programPages(line, program string) (from, to uintptr, ok bool) {
	fields := strings.Fields(line)
	if len(fields) != 6 || fields[5] != program || !strings.HasPrefix(fields[1], "r") || strings.Contains(fields[1], "w") {
		return 0, 0, false
	}
	first, last, _ := strings.Cut(fields[0], "-")
	low, err := strconv.ParseUint(first, 16, strconv.IntSize)
	if err != nil {
		return 0, 0, false
	}
	high, err := strconv.ParseUint(last, 16, strconv.IntSize)
	if err != nil || high <= low {
		return 0, 0, false
	}
	return uintptr(low), uintptr(high), true
}
