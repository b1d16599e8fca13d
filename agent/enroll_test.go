package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/stampd/stampd/uplink/backend"
	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/backend/enrol"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/keypair"
)

// enrolling is a backend that enrols terminals, in a folder of its own.
type enrolling struct {
	certs       string // the authority's folder
	uplink, est string // addresses
	fingerprint string
	tokens      *enrol.Tokens
	stop        func() error
}

// startEnrolling starts a backend whose certificates last for life.
func startEnrolling(dir string, life time.Duration) (*enrolling, error) {
	e := &enrolling{certs: filepath.Join(dir, "ca")}
	if err := errors.Join(ca.Init(e.certs), ca.IssueServer(e.certs, []string{"localhost", "127.0.0.1"}, e.certs)); err != nil {
		return nil, err
	}
	b, err := backend.Open(backend.Options{
		Listen: "127.0.0.1:0", ESTListen: "127.0.0.1:0", Dir: filepath.Join(dir, "data"), CADir: e.certs, CertLife: life, RollEvery: 100 * time.Millisecond,
		CertFile: filepath.Join(e.certs, ca.ServerCertFile), KeyFile: filepath.Join(e.certs, ca.ServerKeyFile), CAFile: filepath.Join(e.certs, ca.CertFile),
	})
	if err != nil {
		return nil, err
	}
	e.uplink, e.est = b.Addr().String(), b.ESTAddr().String()
	if e.tokens, err = enrol.OpenTokens(backend.TokensDir(filepath.Join(dir, "data"))); err != nil {
		return nil, err
	}
	authority, err := ca.Load(e.certs)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(authority.Certificate().Raw)
	e.fingerprint = hex.EncodeToString(sum[:])
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	e.stop = func() error { cancel(); return <-ended }
	return e, nil
}

// enrolServer starts a backend, and sets $UPLINK, $EST and $FINGERPRINT, and $TOKEN for terminal t-1 of merchant m-1:
// enrol-server LIFE.
func enrolServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: enrol-server LIFE")
	}
	life, err := time.ParseDuration(args[0])
	ts.Check(err)
	e, err := startEnrolling(ts.MkAbs("backend"), life)
	ts.Check(err)
	ts.Defer(func() { ts.Check(e.stop()) })
	token, _, err := e.tokens.New(identity.ID{Merchant: "m-1", Terminal: "t-1"}, time.Hour)
	ts.Check(err)
	for name, value := range map[string]string{"UPLINK": e.uplink, "EST": e.est, "FINGERPRINT": e.fingerprint, "TOKEN": token} {
		ts.Setenv(name, value)
	}
}

// awaitStatus waits until the status of the agent on a socket has a text: await-status SOCKET TEXT.
func awaitStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await-status SOCKET TEXT")
	}
	var out string
	for start := time.Now(); time.Since(start) < 30*time.Second; time.Sleep(20 * time.Millisecond) {
		if ts.Exec("stampd", "status", "--socket", ts.MkAbs(args[0])) == nil {
			if out = ts.ReadFile("stdout"); strings.Contains(out, args[1]) {
				return
			}
		}
	}
	ts.Fatalf("the status never has %q; it is\n%s", args[1], out)
}

// However often enrolment is killed, the next call goes on, with the same token.
func TestEnrolmentKilledAtRandom(t *testing.T) {
	e, err := startEnrolling(t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.stop(); err != nil {
			t.Error(err)
		}
	}()
	rounds := 12
	if testing.Short() {
		rounds = 2
	}
	var finished atomic.Int32
	for i := range rounds {
		dir := t.TempDir()
		config := filepath.Join(dir, "stampd.toml")
		files := keypair.Files{Cert: filepath.Join(dir, "t", "terminal.pem"), Key: filepath.Join(dir, "t", "terminal.key")}
		text := fmt.Sprintf("[terminal]\nid = \"t-%d\"\nmerchant = \"m-1\"\n[uplink]\nest = %q\ncert = %q\nkey = %q\nca = %q\n",
			i, e.est, files.Cert, files.Key, filepath.Join(dir, "t", "ca.pem"))
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		token, _, err := e.tokens.New(identity.ID{Merchant: "m-1", Terminal: fmt.Sprint("t-", i)}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		run := func(patience time.Duration) ([]byte, error) {
			ctx, cancel := context.WithTimeout(t.Context(), patience) // ends it with SIGKILL
			defer cancel()
			return exec.CommandContext(ctx, "stampd", "enroll", "--config", config, "--token", token, "--fingerprint", e.fingerprint).CombinedOutput()
		}
		for patience := 10 * time.Millisecond; patience < 150*time.Millisecond; patience += time.Duration(7+i) * time.Millisecond {
			if _, err := run(patience); err == nil {
				finished.Add(1)
				break
			}
		}
		if out, err := run(time.Minute); err != nil {
			t.Fatalf("terminal %d: %v\n%s", i, err, out)
		}
		if _, err := files.Load(); err != nil {
			t.Errorf("terminal %d: %v", i, err)
		}
	}
	t.Logf("%d of %d were enrolled before the last call", finished.Load(), rounds)
}
