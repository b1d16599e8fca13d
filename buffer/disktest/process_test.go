package disktest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// writeEnv tells the test binary to write files into the directory that it names.
const writeEnv = "STAMPD_TEST_WRITE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writeEnv); dir != "" {
		err := Attach()
		if err == nil {
			_, _ = os.Stdin.Read(make([]byte, 2)) // until the disk is there
			err = writeFiles(dir)
		}
		if err != nil {
			_, _ = os.Stdout.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// writeFiles changes files by every call that the disk knows. An error ends it.
func writeFiles(dir string) error {
	sub := filepath.Join(dir, "sub")
	if err := os.Mkdir(sub, 0o700); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(sub, "file"))
	if err != nil {
		return err
	}
	defer f.Close()
	for _, step := range []func() error{
		func() error { _, err := f.Write([]byte("written ")); return err },
		func() error { _, err := f.WriteAt([]byte("at a place"), 5000); return err },
		func() error { _, err := unix.Writev(int(f.Fd()), [][]byte{[]byte("in "), []byte("parts")}); return err },
		func() error { return unix.Fallocate(int(f.Fd()), 0, 0, 20_000) },
		f.Sync,
		func() error { return f.Truncate(9_000) },
		func() error { _, err := f.ReadFrom(strings.NewReader(strings.Repeat("copied ", 2000))); return err },
		func() error { return os.WriteFile(filepath.Join(dir, "second"), []byte("second"), 0o600) },
		func() error { return os.Rename(filepath.Join(sub, "file"), filepath.Join(sub, "moved")) },
		func() error { return os.Truncate(filepath.Join(sub, "moved"), 12_345) },
		func() error { return os.Remove(filepath.Join(dir, "second")) },
		func() error {
			a, err := os.OpenFile(filepath.Join(sub, "moved"), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = a.WriteString("and at the end")
			return errors.Join(err, unix.Fdatasync(int(a.Fd())), a.Close())
		},
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// run has a process write its files, and returns what it said in the end.
func run(t *testing.T, decide func(Op) Fault) (d *Disk, dir, said string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if d, err = New(dir); err != nil {
		t.Fatal(err)
	}
	d.Decide(decide)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writeEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(cmd)
	switch {
	case errors.Is(err, ErrUnsupported):
		t.Skipf("calls can't be answered: %v", err)
	case errors.Is(err, syscall.ENOEXEC):
		t.Skip("the kernel can't start this program: it runs under an emulator")
	case err != nil:
		t.Fatal(err)
	}
	p.Use(d)
	if _, err := in.Write([]byte("go")); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	<-p.Ended()
	if err := p.Err(); err != nil {
		t.Fatal(err)
	}
	return d, dir, string(b)
}

func TestDiskKnowsWhatTheProcessWrote(t *testing.T) {
	d, dir, said := run(t, nil)
	if said != "" {
		t.Fatalf("the process said %q", said)
	}
	want, err := os.ReadFile(filepath.Join(dir, "sub", "moved"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(want, []byte("written in parts")) || !bytes.HasSuffix(want, []byte("and at the end")) {
		t.Fatalf("the file holds %q …", want[:20])
	}
	if got := left(t, d, "sub/moved", KeepAll, nil); !bytes.Equal(got, want) {
		t.Errorf("the disk knows of %d bytes, there are %d, or others", len(got), len(want))
	}
	if left(t, d, "sub/moved", KeepNone, nil) != nil {
		t.Error("the name is certain, and no directory was synced")
	}
	if left(t, d, "second", KeepAll, nil) != nil {
		t.Error("the removed file is there")
	}
}

func TestEveryOperationCanFail(t *testing.T) {
	whole, _, _ := run(t, nil)
	for n := 1; n <= whole.Ops(); n++ {
		var hit Op
		d, _, said := run(t, func(op Op) Fault {
			if op.N != n {
				return Fault{}
			}
			hit = op
			return Fault{Errno: syscall.EDQUOT}
		})
		if d.Faults() != 1 || !strings.Contains(said, syscall.EDQUOT.Error()) {
			t.Errorf("%v failed %d times, and the process said %q", hit, d.Faults(), said)
		}
		if d, _, said = run(t, func(op Op) Fault {
			if op.N != n {
				return Fault{}
			}
			return Fault{Kill: Before}
		}); d.Ops() != n || said != "" {
			t.Errorf("killed at operation %d, the process made %d, and said %q", n, d.Ops(), said)
		}
	}
}

func TestShortWriteIsGoneOnWith(t *testing.T) {
	short := 0
	d, dir, said := run(t, func(op Op) Fault {
		if op.Kind == Write {
			short++
		}
		return Fault{Short: op.Kind == Write && op.Length > 1}
	})
	b, err := os.ReadFile(filepath.Join(dir, "sub", "moved"))
	if err != nil || said != "" {
		t.Fatalf("%v, the process said %q", err, said)
	}
	if !bytes.HasSuffix(b, []byte("and at the end")) || short < 10 {
		t.Errorf("the file ends in %q after %d writes", b[max(0, len(b)-20):], short)
	}
	if got := left(t, d, "sub/moved", KeepAll, nil); !bytes.Equal(got, b) {
		t.Error("the disk knows of other bytes than there are")
	}
}

// A page that a failed sync has dropped is read as it is on the medium.
func TestForgottenPageIsRead(t *testing.T) {
	d, dir, _ := run(t, func(op Op) Fault {
		if op.Kind != Sync {
			return Fault{}
		}
		return Fault{Errno: syscall.EIO, Forget: true}
	})
	b, err := os.ReadFile(filepath.Join(dir, "sub", "file"))
	if err != nil || d.Faults() != 1 || len(b) != 20_000 || bytes.ContainsFunc(b, func(r rune) bool { return r != 0 }) {
		t.Errorf("%d bytes are read (%v), want zeros alone", len(b), err)
	}
}
