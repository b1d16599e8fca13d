package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"stampd": main})
}

// TestScripts runs the commands as a person or a script would: each file in testdata/script is a topic.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "../testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			testdata, err := filepath.Abs("../testdata")
			env.Setenv("TESTDATA", testdata)
			return err
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"await":        await,
			"await-config": awaitConfig,
			"await-landed": awaitLanded,
			"await-status": awaitStatus,
			"clear":        clearBytes,
			"code":         code,
			"curl-lines":   curlLines,
			"enrol-server": enrolServer,
			"expand":       expand,
			"put-settings": putSettings,
		},
	})
}

// await waits until somebody answers on a socket.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await SOCKET")
	}
	for start := time.Now(); time.Since(start) < 20*time.Second; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("unix", ts.MkAbs(args[0])); err == nil {
			ts.Check(c.Close())
			return
		}
	}
	ts.Fatalf("nobody answers on %s", args[0])
}

// clearBytes writes zeros into a file: clear FILE OFFSET LENGTH.
func clearBytes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: clear FILE OFFSET LENGTH")
	}
	offset, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	length, err := strconv.Atoi(args[2])
	ts.Check(err)
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY, 0)
	ts.Check(err)
	_, err = f.WriteAt(make([]byte, length), offset)
	ts.Check(errors.Join(err, f.Close()))
}

// code runs a command that has to exit with a code: code CODE COMMAND ARGUMENT...
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code CODE COMMAND ARGUMENT...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "exit status 0"
	if err != nil {
		got = err.Error()
	}
	if want := "exit status " + args[0]; got != want {
		ts.Fatalf("%s, want %s", got, want)
	}
}

// expand replaces $WORK, $UPLINK and $EST in files.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	for _, file := range args {
		text := strings.NewReplacer("$WORK", ts.Getenv("WORK"), "$UPLINK", ts.Getenv("UPLINK"), "$EST", ts.Getenv("EST")).Replace(ts.ReadFile(file))
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
	}
}
