package initramfs_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stampd/stampd/cross-build/simulator/initramfs"
)

// entry is what an archive has of a file.
type entry struct {
	Name, Content string
	Mode          int64
	Major, Minor  int64
}

// read reads an archive as the kernel does: init/initramfs.c.
func read(t *testing.T, archive []byte) (entries []entry) {
	t.Helper()
	number := func(at, field int) int64 {
		n, err := strconv.ParseInt(string(archive[at+6+8*field:at+14+8*field]), 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for at := 0; ; {
		if at%4 != 0 || string(archive[at:at+6]) != "070701" {
			t.Fatalf("no header at %d", at)
		}
		size, nameSize := int(number(at, 6)), int(number(at, 11))
		name := string(archive[at+110 : at+110+nameSize])
		start := (at + 110 + nameSize + 3) &^ 3
		e := entry{Name: strings.TrimSuffix(name, "\x00"), Content: string(archive[start : start+size]), Mode: number(at, 1), Major: number(at, 9), Minor: number(at, 10)}
		if at = (start + size + 3) &^ 3; e.Name == "TRAILER!!!" {
			if at != len(archive) {
				t.Errorf("%d bytes after the end", len(archive)-at)
			}
			return entries
		}
		entries = append(entries, e)
	}
}

func TestWriter(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"a": "1", "sub/b": "22"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	write := func() []byte {
		var out bytes.Buffer
		w := initramfs.NewWriter(&out)
		for _, err := range []error{
			w.File("/init", 0o755, 5, strings.NewReader("hello, and more")),
			w.Device("/dev/console", 5, 1),
			w.Dir("proc"),
			w.Dir("/dev/"),
			w.Link("etc/mtab", "/proc/mounts"),
			w.CopyTree("usr/share", dir),
			w.Close(),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		return out.Bytes()
	}
	want := []entry{
		{Name: "init", Content: "hello", Mode: 0o100755},
		{Name: "dev", Mode: 0o40755},
		{Name: "dev/console", Mode: 0o20600, Major: 5, Minor: 1},
		{Name: "proc", Mode: 0o40755},
		{Name: "etc", Mode: 0o40755},
		{Name: "etc/mtab", Content: "/proc/mounts", Mode: 0o120777},
		{Name: "usr", Mode: 0o40755},
		{Name: "usr/share", Mode: 0o40755},
		{Name: "usr/share/a", Content: "1", Mode: 0o100640},
		{Name: "usr/share/sub", Mode: 0o40755},
		{Name: "usr/share/sub/b", Content: "22", Mode: 0o100640},
	}
	got := write()
	if diff := cmp.Diff(want, read(t, got)); diff != "" {
		t.Error(diff)
	}
	if !bytes.Equal(got, write()) {
		t.Error("the same calls write other bytes")
	}
}

func TestWriterFails(t *testing.T) {
	w := initramfs.NewWriter(io.Discard)
	if err := w.File("short", 0o644, 10, strings.NewReader("12345")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file that is too short: %v", err)
	}
	if err := w.File("huge", 0o644, 1<<32, strings.NewReader("")); err == nil {
		t.Error("a file of 4 GiB was taken")
	}
	if err := w.Copy("none", filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that does not exist: %v", err)
	}
}
