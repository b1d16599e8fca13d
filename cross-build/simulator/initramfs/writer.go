// Package initramfs writes the archive that a Linux kernel unpacks into its first root: cpio in the format "newc"
// (Documentation/driver-api/early-userspace/buffer-format.rst). It is for the simulator and for images, needs no root, and
// never reads anything but what it is given.
package initramfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Kinds of entries: the upper bits of a mode, as stat(2) has them.
const (
	kindRegular   = 0o100000
	kindDirectory = 0o040000
	kindCharacter = 0o020000
	kindLink      = 0o120000
)

// Writer writes an archive, in the order of its calls. Directories above a name are made as they are needed. Everything
// belongs to root and is of the time 0, so that the same calls write the same bytes. It is not safe for concurrent use.
type Writer struct {
	w       io.Writer
	written int64
	number  uint32 // of the entry that was written last
	made    map[string]bool
}

// NewWriter returns a writer of an archive to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w, made: map[string]bool{".": true}} }

// Dir adds a directory that can be entered by all, unless it is there.
func (w *Writer) Dir(name string) error {
	name = clean(name)
	if w.made[name] {
		return nil
	}
	if err := w.Dir(path.Dir(name)); err != nil {
		return err
	}
	w.made[name] = true
	return w.entry(name, kindDirectory|0o755, 0, 0, 0, strings.NewReader(""))
}

// File adds a file of so many bytes. The error is io.ErrUnexpectedEOF when r has fewer; what it has beyond them is not read.
func (w *Writer) File(name string, perm fs.FileMode, size int64, r io.Reader) error {
	return w.put(name, kindRegular|uint32(perm.Perm()), size, 0, 0, r)
}

// Copy adds a file of the host's, with its permissions.
func (w *Writer) Copy(name, from string) error {
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return w.File(name, info.Mode(), info.Size(), file)
}

// CopyTree adds the regular files of a directory of the host's, and those below it.
func (w *Writer) CopyTree(name, from string) error {
	tree := os.DirFS(from)
	return fs.WalkDir(tree, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		return w.Copy(path.Join(name, p), from+"/"+p)
	})
}

// Link adds a symbolic link.
func (w *Writer) Link(name, to string) error {
	return w.put(name, kindLink|0o777, int64(len(to)), 0, 0, strings.NewReader(to))
}

// Device adds a character device that root alone may use.
func (w *Writer) Device(name string, major, minor uint32) error {
	return w.put(name, kindCharacter|0o600, 0, major, minor, strings.NewReader(""))
}

// Close ends the archive. It does not close what it was written to.
func (w *Writer) Close() error {
	return w.entry("TRAILER!!!", 0, 0, 0, 0, strings.NewReader(""))
}

// put adds an entry and the directories above it.
func (w *Writer) put(name string, mode uint32, size int64, major, minor uint32, content io.Reader) error {
	name = clean(name)
	if err := w.Dir(path.Dir(name)); err != nil {
		return err
	}
	return w.entry(name, mode, size, major, minor, content)
}

// entry writes a header, a name and a content, the last two filled up to a multiple of 4 bytes.
func (w *Writer) entry(name string, mode uint32, size int64, major, minor uint32, content io.Reader) error {
	if size>>32 != 0 {
		return fmt.Errorf("cannot archive %s: %d bytes are more than the format can say", name, size)
	}
	w.number++
	// magic, inode, mode, owner, group, links, time, size, device of the file, device that it is, name, sum
	header := fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		w.number, mode, 0, 0, 1, 0, size, 0, 0, major, minor, len(name)+1, 0, name)
	if err := w.copy(strings.NewReader(header), int64(len(header))); err != nil {
		return err
	}
	return w.copy(content, size)
}

// copy writes so many bytes of r, and fills up.
func (w *Writer) copy(r io.Reader, size int64) error {
	n, err := io.CopyN(w.w, r, size)
	w.written += n
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	fill := -w.written & 3
	w.written += fill
	_, err = w.w.Write(make([]byte, fill))
	return err
}

// clean returns a name as the kernel takes it: from the root, without the slash before it.
func clean(name string) string {
	if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name == "" {
		return "."
	}
	return name
}
