package file

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// names returns what a folder holds.
func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestCreateLeavesWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := Create(path, []byte("first"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := Create(path, []byte("second"), 0o640); !errors.Is(err, fs.ErrExist) || strings.Contains(err.Error(), tempPrefix) {
		t.Errorf("Create = %v, want fs.ErrExist without the temporary name", err)
	}
	if got := read(t, path); got != "first" {
		t.Errorf("holds %q, want first", got)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, %v; want 0640", info.Mode(), err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"a"}) {
		t.Errorf("folder holds %q, want a alone", got)
	}
}

func TestCreateIsWonByOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	var winners atomic.Int32
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			switch err := Create(path, []byte("x"), 0o600); {
			case err == nil:
				winners.Add(1)
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		})
	}
	callers.Wait()
	if n := winners.Load(); n != 1 {
		t.Errorf("%d callers made the file, want 1", n)
	}
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for _, want := range []string{"first", "second, longer", "3"} {
		if err := Replace(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := read(t, path); got != want {
			t.Errorf("holds %q, want %q", got, want)
		}
	}
	if got := names(t, dir); !slices.Equal(got, []string{"a"}) {
		t.Errorf("folder holds %q, want a alone", got)
	}
}

func TestRename(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	for path, text := range map[string]string{from: "new", to: "old"} {
		if err := Create(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := Rename(from, to); err != nil {
		t.Fatal(err)
	}
	if got := read(t, to); got != "new" {
		t.Errorf("holds %q, want new", got)
	}
	if err := Rename(from, to); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Rename of nothing = %v, want fs.ErrNotExist", err)
	}
}

func TestErrorsNameTheFile(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := Create(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(plain, "below")
	for name, err := range map[string]error{"Create": Create(path, nil, 0o600), "Replace": Replace(path, nil, 0o600)} {
		if !errors.Is(err, syscall.ENOTDIR) || err.Error() != "cannot write "+path+": not a directory" {
			t.Errorf("%s = %v, want ENOTDIR and the path", name, err)
		}
	}
}

func TestIsTemp(t *testing.T) {
	for name, want := range map[string]bool{"/x/.tmp-123": true, "terminal.pem": false, ".tmp": false} {
		if IsTemp(name) != want {
			t.Errorf("IsTemp(%q) = %v, want %v", name, !want, want)
		}
	}
}
