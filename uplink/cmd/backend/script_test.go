package main

import (
	"errors"
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"stampd-backend": main})
}

// The scripts in testdata run the command line as a person would, one topic each.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			// Two addresses that nobody listens on: one for a backend, and one that the script is given as taken.
			free, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			taken, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			env.Defer(func() { taken.Close() })
			env.Setenv("FREE", free.Addr().String())
			env.Setenv("TAKEN", taken.Addr().String())
			return free.Close()
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await-listener": awaitListener,
			"usage":          usage,
		},
	})
}

// awaitListener waits until somebody listens on an address.
func awaitListener(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if conn, err := net.Dial("tcp", args[0]); err == nil {
			conn.Close()
			return
		}
	}
	ts.Fatalf("nobody listens on %s", args[0])
}

// usage runs the command line, which must end with the exit code for a call that is not there. What it wrote to standard
// error is a script's to look at.
func usage(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec("stampd-backend", args...)
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != exitUsage {
		ts.Fatalf("ended with %v, want exit code %d", err, exitUsage)
	}
}
