package haltest_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stampd/stampd/hal/haltest"
)

func TestTree(t *testing.T) {
	tree, err := haltest.ParseTree([]byte("A comment.\n-- a/value --\n85\n-- a/quoted --\n\"85\\x00\\xff\"\n-- a/empty --\n\"\"\n-- a/fails --\n!ENODATA\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, want string
		err        error
	}{
		{"a/value", "85\n", nil},
		{"a/quoted", "85\x00\xff", nil},
		{"a/empty", "", nil},
		{"a/fails", "", syscall.ENODATA},
		{"a/missing", "", fs.ErrNotExist},
	} {
		got, err := fs.ReadFile(tree, test.name)
		if string(got) != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: got %q and %v, want %q and %v", test.name, got, err, test.want, test.err)
		}
	}
	if entries, err := fs.ReadDir(tree, "a"); err != nil || len(entries) != 4 {
		t.Errorf("%d entries (%v), want 4, with the one that fails", len(entries), err)
	}
	if err := tree.Write(t.TempDir()); err == nil {
		t.Error("a tree with faults was written")
	}
	for _, wrong := range []string{"!ENOSUCH", `"open`} {
		if err := tree.Set("a/value", wrong); err == nil {
			t.Errorf("content %s was taken", wrong)
		}
	}
	if got, err := fs.ReadFile(tree, "a/value"); string(got) != "85\n" || err != nil {
		t.Errorf("after a wrong Set: got %q and %v", got, err)
	}
}

// A hanging read goes on when the file is set anew, and fails when the device is removed.
func TestTreeHang(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(*haltest.Tree)
		want string
		err  error
	}{
		{"set", func(tree *haltest.Tree) { _ = tree.Set("a/value", "7") }, "7", nil},
		{"fails", func(tree *haltest.Tree) { _ = tree.Set("a/value", "!EIO") }, "", syscall.EIO},
		{"removed", func(tree *haltest.Tree) { tree.Remove("a") }, "", fs.ErrNotExist},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tree, err := haltest.ParseTree([]byte("-- a/value --\n!hang\n"))
				if err != nil {
					t.Fatal(err)
				}
				started := time.Now()
				time.AfterFunc(time.Hour, func() { test.end(tree) })
				got, err := fs.ReadFile(tree, "a/value")
				if string(got) != test.want || !errors.Is(err, test.err) || time.Since(started) != time.Hour {
					t.Errorf("got %q and %v after %v", got, err, time.Since(started))
				}
			})
		})
	}
}

// Every tree that all tests share can be parsed; those without faults can be written.
func TestSharedTrees(t *testing.T) {
	archives, err := filepath.Glob("../../testdata/sys/*.txtar")
	if err != nil || len(archives) < 6 {
		t.Fatalf("%d trees (%v), want at least six", len(archives), err)
	}
	for _, archive := range archives {
		tree, err := haltest.ReadTree(archive)
		if err != nil {
			t.Fatal(err)
		}
		if entries, err := fs.ReadDir(tree, "class"); err != nil || len(entries) == 0 {
			t.Errorf("%s: %d classes (%v)", archive, len(entries), err)
		}
		if filepath.Base(archive) == "faults.txtar" {
			continue
		}
		dir := t.TempDir()
		if err := tree.Write(dir); err != nil {
			t.Error(err)
		}
		if entries, err := os.ReadDir(filepath.Join(dir, "class")); err != nil || len(entries) == 0 {
			t.Errorf("%s: %d classes written (%v)", archive, len(entries), err)
		}
	}
}
