package hal

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// userTick is the unit of times in /proc/<pid>/stat: USER_HZ is 100 on every machine that Go runs on (proc_pid_stat(5)).
	userTick = 10 * time.Millisecond
	// maxPID is the largest process id that the kernel gives, PID_MAX_LIMIT (include/linux/threads.h).
	maxPID = 1 << 22
)

// errStat means that a line is not one of /proc/<pid>/stat, or that what it tells of is no program that runs.
var errStat = errors.New("not a process that runs")

// task is one process as one read of its stat tells, so that no number in it is another's that got its id later.
type task struct {
	pid     int
	comm    string        // the kernel's name for it: up to 15 bytes
	cpu     uint64        // with that of children that it has waited for, in milliseconds
	threads uint32        // 0 means unknown
	started time.Duration // after boot
	rss     uint64        // bytes
}

// same reports whether two readings are of one process: an id is given anew when its process has ended.
func (p task) same(o task) bool { return p.pid == o.pid && p.started == o.started }

// readProcess reads a process. The error wraps fs.ErrNotExist when there is none with that id, and is errStat when it has
// ended and waits for its parent, or is a thread of the kernel.
func readProcess(proc fs.FS, pid int) (task, error) {
	stat, err := fs.ReadFile(proc, strconv.Itoa(pid)+"/stat")
	if err != nil {
		return task{}, err
	}
	p, err := parseStat(stat)
	if err == nil && p.pid != pid {
		err = errStat
	}
	return p, err
}

// parseStat returns the process of a line of /proc/<pid>/stat (proc_pid_stat(5)).
func parseStat(line []byte) (p task, err error) {
	before, name, rest, ok := cutName(line)
	if !ok {
		return p, errStat
	}
	pid, err := strconv.ParseUint(before, 10, 32)
	if err != nil || pid == 0 || pid > maxPID {
		return p, errStat
	}
	p.pid, p.comm = int(pid), name
	fields := strings.Fields(rest)
	field := func(number int) uint64 { // as the manual counts them, of which the state is the third
		if number-3 >= len(fields) {
			err = errStat
			return 0
		}
		n, bad := strconv.ParseInt(fields[number-3], 10, 64)
		if bad != nil {
			err = errStat
		}
		return uint64(max(0, n))
	}
	const utime, stime, cutime, cstime, threads, started, vsize, rss = 14, 15, 16, 17, 20, 22, 23, 24
	p.cpu = times(field(utime)+field(stime)+field(cutime)+field(cstime), uint64(userTick.Milliseconds()))
	p.threads = uint32(min(field(threads), maxPID))
	p.started = time.Duration(min(field(started), maxTicks)) * userTick
	p.rss = times(field(rss), uint64(os.Getpagesize()))
	if err == nil && (field(vsize) == 0 || strings.Contains("ZXx", fields[0])) {
		err = errStat
	}
	return p, err
}

// maxTicks is the most that a time in ticks is believed: 100 years.
const maxTicks = 100 * 365 * 24 * 60 * 60 * 100

// cutName cuts a line at the name in it, which may hold anything, blanks and brackets too: it ends at the last bracket.
func cutName(line []byte) (before, name, after string, ok bool) {
	open, end := bytes.Index(line, []byte(" (")), bytes.LastIndex(line, []byte(") "))
	if open < 0 || end < open+2 {
		return "", "", "", false
	}
	return string(line[:open]), string(line[open+2 : end]), string(line[end+2:]), true
}

// times returns n units, at most maxCounter.
func times(n, unit uint64) uint64 { return min(n, uint64(maxCounter)/unit) * unit }
