package hal

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestSysfsReadFile(t *testing.T) {
	root := t.TempDir()
	write := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(root, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("value", []byte("85\n"))
	write("empty", nil)
	write("page", bytes.Repeat([]byte("x"), 3*attributeSize))
	if err := os.Symlink("value", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/proc/self/mem", filepath.Join(root, "broken")); err != nil { // address 0 is not mapped
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		want []byte
		err  error
	}{
		{"value", []byte("85\n"), nil},
		{"link", []byte("85\n"), nil},
		{"empty", []byte{}, nil},
		{"page", bytes.Repeat([]byte("x"), attributeSize), nil},
		{"missing", nil, fs.ErrNotExist},
		{"broken", nil, syscall.EIO},
		{".", nil, syscall.EISDIR},
		{"../value", nil, fs.ErrInvalid},
		{"/etc/passwd", nil, fs.ErrInvalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := fs.ReadFile(sysfs(root), test.name)
			if !bytes.Equal(got, test.want) || !errors.Is(err, test.err) {
				t.Errorf("got %d bytes and %v, want %d and %v", len(got), err, len(test.want), test.err)
			}
		})
	}
	if _, err := fs.ReadDir(sysfs(root), ".."); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("listing the parent: error is %v", err)
	}
}

// Ten thousand reads, good and bad, must not leave a descriptor open.
func TestSysfsDescriptors(t *testing.T) {
	open := func() int {
		t.Helper()
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	before := open()
	for range 5_000 {
		if _, err := fs.ReadFile(sysfs("/proc"), "uptime"); err != nil {
			t.Fatal(err)
		}
		if _, err := fs.ReadFile(sysfs("/proc"), "self/mem"); err == nil {
			t.Fatal("read address 0")
		}
	}
	if after := open(); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}
