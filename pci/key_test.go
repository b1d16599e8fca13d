package pci

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

const keyText = "c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7"

func TestLoadKey(t *testing.T) {
	for _, test := range []struct {
		name, content string
		mode          fs.FileMode
		problem       string // "" means that it is accepted
	}{
		{"good", keyText + "\n", 0o600, ""},
		{"good, read only", keyText + "\n", 0o400, ""},
		{"good, capitals", strings.ToUpper(keyText) + "\n", 0o600, ""},
		{"readable by the group", keyText + "\n", 0o640, "mode 0640"},
		{"readable by all", keyText + "\n", 0o644, "mode 0644"},
		{"writable by all", keyText + "\n", 0o602, "mode 0602"},
		{"executable by the group", keyText + "\n", 0o610, "mode 0610"},
		{"empty", "", 0o600, "64 hexadecimal digits"},
		{"no newline", keyText, 0o600, "64 hexadecimal digits"},
		{"short", keyText[1:] + "\n", 0o600, "64 hexadecimal digits"},
		{"long", keyText + "c\n", 0o600, "64 hexadecimal digits"},
		{"two lines", keyText + "\n\n", 0o600, "64 hexadecimal digits"},
		{"carriage return", keyText + "\r\n", 0o600, "64 hexadecimal digits"},
		{"not hexadecimal", keyText[1:] + "z\n", 0o600, "64 hexadecimal digits"},
		{"32 raw bytes", strings.Repeat("\xC7", 32), 0o600, "64 hexadecimal digits"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "key")
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, test.mode); err != nil {
				t.Fatal(err)
			}
			for name, load := range map[string]func(string) ([32]byte, error){"load": LoadKey, "load or create": LoadOrCreateKey} {
				key, err := load(path)
				if test.problem != "" {
					checkKeyError(t, path, key, err, test.problem)
					continue
				}
				if err != nil || hex.EncodeToString(key[:]) != keyText {
					t.Errorf("%s: got %x, %v", name, key, err)
				}
			}
			if b, err := os.ReadFile(path); err != nil || string(b) != test.content {
				t.Errorf("the file was changed (%v)", err)
			}
		})
	}
}

func TestLoadKeyRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	if err := os.WriteFile(good, []byte(keyText+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, problem string
		make          func(path string) error
	}{
		{"directory", "not a regular file", func(path string) error { return os.Mkdir(path, 0o700) }},
		{"pipe", "not a regular file", func(path string) error { return syscall.Mkfifo(path, 0o600) }},
		{"link", "symbolic link", func(path string) error { return os.Symlink(good, path) }},
		{"link to nothing", "symbolic link", func(path string) error { return os.Symlink(path+"x", path) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "key")
			if err := test.make(path); err != nil {
				t.Fatal(err)
			}
			for _, load := range []func(string) ([32]byte, error){LoadKey, LoadOrCreateKey} {
				key, err := load(path)
				checkKeyError(t, path, key, err, test.problem)
			}
		})
	}
	t.Run("another user's", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root may read every key")
		}
		key, err := LoadKey("/etc/passwd")
		checkKeyError(t, "/etc/passwd", key, err, "mode 0644")
	})
}

func TestLoadKeyWithoutFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	key, err := LoadKey(path)
	checkKeyError(t, path, key, err, "no such file")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist inside", err)
	}
	path = filepath.Join(path, "no", "directory")
	key, err = LoadOrCreateKey(path)
	checkKeyError(t, path, key, err, "no such file")
}

func TestLoadOrCreateKey(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	key, err := LoadOrCreateKey(path)
	if err != nil || key == [32]byte{} {
		t.Fatalf("got %x, %v", key, err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != 0o600 || info.Size() != keyFileSize {
		t.Errorf("got %v, %v", info, err)
	}
	again, err := LoadOrCreateKey(path)
	if err != nil || again != key {
		t.Errorf("another key the second time (%v)", err)
	}
	loaded, err := LoadKey(path)
	if err != nil || loaded != key {
		t.Errorf("another key from the file (%v)", err)
	}
	other, err := LoadOrCreateKey(filepath.Join(t.TempDir(), "key"))
	if err != nil || other == key {
		t.Errorf("two files have one key (%v)", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v (%v)", entries, err)
	}
}

func TestLoadOrCreateKeyAtOnce(t *testing.T) {
	dir := t.TempDir()
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		keys  = map[[32]byte]bool{}
	)
	for range 16 {
		group.Go(func() {
			key, err := LoadOrCreateKey(filepath.Join(dir, "key"))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			keys[key] = true
		})
	}
	group.Wait()
	if len(keys) != 1 {
		t.Errorf("%d callers got %d keys", 16, len(keys))
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v (%v)", entries, err)
	}
}

func checkKeyError(t *testing.T, path string, key [32]byte, err error, problem string) {
	t.Helper()
	var bad *KeyError
	if !errors.As(err, &bad) {
		t.Fatalf("got %v, want a *KeyError", err)
	}
	if key != [32]byte{} {
		t.Errorf("got a key with the error: %x", key)
	}
	if bad.Path != path || !strings.Contains(err.Error(), problem) || bad.Hint() == "" {
		t.Errorf("got %q, hint %q; want %q", err, bad.Hint(), problem)
	}
	if strings.Contains(strings.ToLower(err.Error()+bad.Hint()), keyText[:8]) {
		t.Errorf("the error holds the key: %v", err)
	}
}
