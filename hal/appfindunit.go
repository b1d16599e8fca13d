package hal

import (
	"bytes"
	"io/fs"
	"path"
	"strings"
)

const (
	// maxGroups is how many cgroups are looked at to find a unit, and again below it.
	maxGroups = 512
	// systemSlice is where systemd keeps the units of the system.
	systemSlice = "system.slice"
)

// cgroupRoots are where systemd's tree of cgroups is, under the root of sysfs: version 2; version 2 beside version 1; and
// version 1, of which it has a tree of its own (https://systemd.io/CGROUP_DELEGATION).
var cgroupRoots = []string{"fs/cgroup", "fs/cgroup/unified", "fs/cgroup/systemd"}

// inUnit finds every process of a systemd unit: those in its cgroup and in all below it. The kernel keeps that list whether
// or not a bus runs, for every user to read, and in a container too; to ask systemd is to depend on D-Bus for it. Where no
// tree of systemd's is, nothing is known.
func (f *finder) inUnit(unit string) sighting {
	var s sighting
	for _, root := range cgroupRoots {
		if _, err := fs.Stat(f.sys, path.Join(root, systemSlice)); err != nil {
			continue
		}
		group, found := f.group(root, unit)
		if !found {
			s.known = true
			continue
		}
		if s = f.these(f.members(group)); s.count > 0 {
			return s
		}
	}
	return s
}

// group returns the cgroup of a unit. Most are where they are sought first; others are in a slice of their own, in that of a
// template, or in that of a user's systemd.
func (f *finder) group(root, unit string) (dir string, found bool) {
	left := maxGroups
	for level := []string{path.Join(root, systemSlice), root}; len(level) > 0; {
		var below []string
		for _, dir := range level {
			entries, err := fs.ReadDir(f.sys, dir)
			if err != nil {
				continue
			}
			for _, e := range entries {
				name := e.Name()
				if !e.IsDir() || left == 0 || dir == root && name == systemSlice {
					continue
				}
				left--
				if name == unit || name == "_"+unit { // systemd puts that before what could be a file of the kernel's
					return path.Join(dir, name), true
				}
				if strings.HasSuffix(name, ".slice") || strings.HasPrefix(name, "user@") {
					below = append(below, path.Join(dir, name))
				}
			}
		}
		level = below
	}
	return "", false
}

// members returns the processes in a cgroup and in all below it, at most one more than are added up.
func (f *finder) members(group string) (pids []int) {
	left := maxGroups
	for groups := []string{group}; len(groups) > 0 && left > 0; left-- {
		dir := groups[0]
		groups = groups[1:]
		list, _ := fs.ReadFile(f.sys, path.Join(dir, "cgroup.procs")) // a threaded one has none, and its parent has them
		for line := range bytes.Lines(list) {
			if pid, ok := parsePID(bytes.TrimSpace(line)); ok && len(pids) <= maxProcesses {
				pids = append(pids, pid)
			}
		}
		entries, _ := fs.ReadDir(f.sys, dir)
		for _, e := range entries {
			if e.IsDir() {
				groups = append(groups, path.Join(dir, e.Name()))
			}
		}
	}
	return pids
}
