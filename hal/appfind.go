package hal

import (
	"bytes"
	"io/fs"
	"path"
	"strconv"
)

// sighting is what was found of an application.
type sighting struct {
	processes []task // that could be read, at most maxProcesses
	count     int    // of all, with those that can't be read
	known     bool   // whether the count is certain
}

// finder looks for processes in one round. The list of all is made when it is needed first, and once.
type finder struct {
	proc, sys fs.FS

	listed bool
	all    []program
	hidden bool // there may be processes that this user does not see
}

// program is a process and the last element of its first argument.
type program struct {
	task
	argument string
}

// named finds every process whose name or whose program's name is so.
func (f *finder) named(name string) sighting {
	f.list()
	var s sighting
	for _, p := range f.all {
		if (p.comm == name || p.argument == name) && len(s.processes) < maxProcesses {
			s.processes = append(s.processes, p.task)
		}
	}
	s.count = len(s.processes)
	s.known = s.count > 0 || !f.hidden
	return s
}

// list goes through all processes, unless that was done.
func (f *finder) list() {
	if f.listed {
		return
	}
	f.listed = true
	entries, err := fs.ReadDir(f.proc, ".")
	f.hidden = err != nil || f.hides()
	for _, e := range entries {
		pid, ok := parsePID([]byte(e.Name()))
		if !ok {
			continue
		}
		if p, err := readProcess(f.proc, pid); err == nil {
			f.all = append(f.all, program{p, f.argument(pid)})
		}
	}
}

// hides reports whether other users' processes are hidden from this one (hidepid, proc(5)): then it does not even see the
// first. A tree without "self" is no mount of procfs, and hides nothing.
func (f *finder) hides() bool {
	if _, err := fs.ReadFile(f.proc, "self/stat"); err != nil {
		return false
	}
	_, err := fs.ReadFile(f.proc, "1/stat")
	return err != nil
}

// argument returns the last element of a process's first argument, which names its program also where that is longer than the
// kernel's name for it. A program that writes over its arguments may end it with anything.
func (f *finder) argument(pid int) string {
	line, err := fs.ReadFile(f.proc, strconv.Itoa(pid)+"/cmdline")
	if err != nil {
		return ""
	}
	first, _, _ := bytes.Cut(line, []byte{0})
	return path.Base(string(first))
}

// these reads the processes with those ids. One that ended meanwhile is none; when not a single one can be read, they are
// another user's, who hides them.
func (f *finder) these(pids []int) sighting {
	s := sighting{known: true}
	for _, pid := range pids {
		if p, err := readProcess(f.proc, pid); err == nil && len(s.processes) < maxProcesses {
			s.processes = append(s.processes, p)
		}
	}
	if s.count = len(s.processes); s.count == 0 && len(pids) > 0 && f.hides() {
		s.count = len(pids)
	}
	return s
}

// parsePID returns the process id that a text is.
func parsePID(text []byte) (pid int, ok bool) {
	if len(text) == 0 || text[0] < '0' || text[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text), 10, 32)
	return int(n), err == nil && n >= 1 && n <= maxPID
}
