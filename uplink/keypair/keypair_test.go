package keypair

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// switchIn makes the test's program switch pairs in a folder until it is killed.
const switchIn = "STAMPD_TEST_SWITCH_IN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(switchIn); dir != "" {
		for {
			if err := renew(filesIn(dir)); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}
	os.Exit(m.Run())
}

func filesIn(dir string) Files {
	return Files{Cert: filepath.Join(dir, "terminal.pem"), Key: filepath.Join(dir, "terminal.key")}
}

// certify returns a certificate for a key.
func certify(key crypto.Signer) (*x509.Certificate, error) {
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// renew goes through a whole renewal.
func renew(f Files) error {
	key, err := f.Next()
	if err != nil {
		return err
	}
	cert, err := certify(key)
	if err != nil {
		return err
	}
	return f.Switch([]*x509.Certificate{cert})
}

func mustRenew(t *testing.T, f Files) {
	t.Helper()
	if err := renew(f); err != nil {
		t.Fatal(err)
	}
}

// serial returns the serial number of the pair that is there.
func serial(t *testing.T, f Files) string {
	t.Helper()
	pair, err := f.Load()
	if err != nil {
		t.Fatal(err)
	}
	if !same(pair.Leaf.PublicKey, pair.PrivateKey.(crypto.Signer).Public()) {
		t.Fatal("the loaded certificate and key don't belong together")
	}
	return pair.Leaf.SerialNumber.String()
}

func TestFirstPair(t *testing.T) {
	f := filesIn(filepath.Join(t.TempDir(), "made"))
	if _, err := f.Load(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load of nothing = %v, want fs.ErrNotExist", err)
	}
	mustRenew(t, f)
	serial(t, f)
	for path, want := range map[string]fs.FileMode{f.Key: 0o600, f.Cert: 0o644} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(f.Key))
	if err != nil || len(entries) != 2 {
		t.Errorf("folder holds %v, %v; want certificate and key alone", entries, err)
	}
}

func TestNextKeyIsKeptUntilItCounts(t *testing.T) {
	f := filesIn(t.TempDir())
	first, err := f.Next()
	if err != nil {
		t.Fatal(err)
	}
	again, err := f.Next()
	if err != nil || !same(first.Public(), again.Public()) {
		t.Errorf("a second Next = another key, %v; want the same", err)
	}
	mustRenew(t, f)
	later, err := f.Next()
	if err != nil || same(first.Public(), later.Public()) {
		t.Errorf("Next after Switch = the old key, %v; want a new one", err)
	}
}

func TestSwitchRefusesAnotherKeysCertificate(t *testing.T) {
	f, other := filesIn(t.TempDir()), filesIn(t.TempDir())
	mustRenew(t, f)
	before := serial(t, f)
	if _, err := f.Next(); err != nil {
		t.Fatal(err)
	}
	key, err := other.Next()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := certify(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, chain := range map[string][]*x509.Certificate{"of another key": {cert}, "none": nil} {
		if err := f.Switch(chain); !errors.Is(err, ErrMismatch) {
			t.Errorf("certificate %s: Switch = %v, want ErrMismatch", name, err)
		}
	}
	if serial(t, f) != before {
		t.Error("the pair changed")
	}
}

// Each state is what a kill between two steps of a renewal leaves.
func TestKillAtEachStep(t *testing.T) {
	copyFile := func(from, to string) {
		data, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, first := range []bool{true, false} {
		name := "renewal"
		if first {
			name = "enrolment"
		}
		t.Run(name, func(t *testing.T) {
			f, old, renewed := filesIn(t.TempDir()), filesIn(t.TempDir()), filesIn(t.TempDir())
			mustRenew(t, old)
			mustRenew(t, renewed)
			was, is := serial(t, old), serial(t, renewed)
			if !first {
				copyFile(old.Cert, f.Cert)
				copyFile(old.Key, f.Key)
			}
			check := func(step, want string) {
				t.Helper()
				if first && want == was {
					if _, err := f.Load(); !errors.Is(err, fs.ErrNotExist) {
						t.Errorf("%s: Load = %v, want fs.ErrNotExist", step, err)
					}
					return
				}
				if got := serial(t, f); got != want {
					t.Errorf("%s: certificate %s, want %s", step, got, want)
				}
			}
			if err := os.WriteFile(filepath.Join(filepath.Dir(f.Key), ".tmp-1"), []byte("half"), 0o600); err != nil {
				t.Fatal(err)
			}
			check("half a key", was)
			copyFile(renewed.Key, f.Key+nextSuffix)
			check("next key made", was)
			copyFile(renewed.Cert, f.Cert)
			check("certificate replaced", is)
			mustRenew(t, f) // what was left does not stand in the way
			if later := serial(t, f); later == is {
				t.Error("the next renewal changed nothing")
			}
		})
	}
}

func TestKilledAtRandom(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	dir := t.TempDir()
	f := filesIn(dir)
	mustRenew(t, f)
	start := serial(t, f)
	for i := range rounds {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), switchIn+"="+dir)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The pair is loaded all the while, as the uplink does, and once more after the kill.
		for begun := time.Now(); time.Since(begun) < time.Duration(20+7*i)*time.Millisecond; {
			serial(t, f)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if stderr.Len() > 0 {
			t.Fatal(stderr.String())
		}
		serial(t, f)
	}
	if serial(t, f) == start {
		t.Skip("the machine was too slow to switch even once")
	}
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	const secret = "top secret"
	tests := map[string]struct {
		spoil func(f, other Files) error
		want  string
		is    error
	}{
		"no certificate":     {func(f, _ Files) error { return os.Remove(f.Cert) }, "cannot read certificate", fs.ErrNotExist},
		"no key":             {func(f, _ Files) error { return os.Remove(f.Key) }, "cannot read key", fs.ErrNotExist},
		"certificate no PEM": {func(f, _ Files) error { return os.WriteFile(f.Cert, []byte(secret), 0o600) }, "it is not PEM", nil},
		"key no PEM":         {func(f, _ Files) error { return os.WriteFile(f.Key, []byte(secret), 0o600) }, "cannot use certificate", nil},
		"another key":        {func(f, other Files) error { return os.Rename(other.Key, f.Key) }, "don't belong together", ErrMismatch},
		"two other keys": {func(f, other Files) error {
			_, err := f.Next()
			return errors.Join(err, os.Rename(other.Key, f.Key))
		}, "don't belong together", ErrMismatch},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, other := filesIn(t.TempDir()), filesIn(t.TempDir())
			mustRenew(t, f)
			mustRenew(t, other)
			if err := tt.spoil(f, other); err != nil {
				t.Fatal(err)
			}
			_, err := f.Load()
			if err == nil || !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("Load = %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("Load = %v, which tells what is in the file", err)
			}
		})
	}
}

func TestOneFileForBothIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "both.pem")
	if _, err := (Files{Cert: path, Key: path}).Next(); err == nil {
		t.Error("Next took one file for certificate and key")
	}
}
