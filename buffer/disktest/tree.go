package disktest

import (
	"path/filepath"
	"strings"
)

// naming is a change of names that a power cut may undo until the directory is synced.
type naming struct {
	dir      string
	from, to string // to is empty for a removal, from for a creation
	file     *file  // what a creation made
}

// apply makes the change in a table of names.
func (n naming) apply(names map[string]*file) {
	if n.from == "" {
		names[n.to] = n.file
		return
	}
	f := names[n.from]
	delete(names, n.from)
	if n.to == "" || f == nil {
		return
	}
	names[n.to] = f
	if !f.dir {
		return
	}
	for path, below := range names { // what is in a directory goes along
		if rest, ok := strings.CutPrefix(path, n.from+"/"); ok {
			delete(names, path)
			names[n.to+"/"+rest] = below
		}
	}
}

func (d *Disk) rename(n naming) {
	n.apply(d.names)
	d.renames = append(d.renames, n)
}

// created notes a new file or directory. An inode's number may have been another file's.
func (d *Disk) created(path string, inode uint64, dir bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := &file{path: path, dir: dir}
	d.inodes[inode] = f
	d.rename(naming{dir: filepath.Dir(path), to: path, file: f})
}

func (d *Disk) renamed(from, to string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rename(naming{dir: filepath.Dir(from), from: from, to: to})
}

func (d *Disk) removed(path string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rename(naming{dir: filepath.Dir(path), from: path})
}

func (d *Disk) wrote(inode uint64, data []byte, at int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.inodes[inode]; f != nil {
		f.write(data, at)
	}
}

func (d *Disk) resized(inode uint64, size int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.inodes[inode]; f != nil {
		f.resize(size)
	}
}

// synced makes a file's content, or a directory's names, durable.
func (d *Disk) synced(inode uint64, path string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.inodes[inode]; f != nil && !f.dir {
		f.sync()
		return
	}
	var later []naming
	for _, n := range d.renames {
		if n.dir == path {
			n.apply(d.durable)
		} else {
			later = append(later, n)
		}
	}
	d.renames = later
}

// syncFailed makes a file's dirty pages clean, and returns those that its readers are to lose.
func (d *Disk) syncFailed(inode uint64, forget bool) (gone []int, content []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.inodes[inode]
	if f == nil || f.dir {
		return nil, nil
	}
	f.failSync()
	if !forget {
		return nil, nil
	}
	return f.forget(), f.cache
}
