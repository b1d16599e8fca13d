package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// newProgram returns a program with a group, a command that fails with err, and one that needs a flag.
func newProgram(err error) *cobra.Command {
	root := &cobra.Command{Use: "prog"}
	group := &cobra.Command{Use: "group"}
	fail := &cobra.Command{Use: "fail", RunE: func(*cobra.Command, []string) error { return err }}
	fail.Flags().Bool("json", false, "")
	fail.Flags().Int("count", 0, "")
	fail.Flags().Duration("wait", 0, "")
	need := &cobra.Command{Use: "need", RunE: func(cmd *cobra.Command, _ []string) error { return Require(cmd, "name", "kind") }}
	need.Flags().String("name", "", "")
	need.Flags().String("kind", "", "")
	group.AddCommand(fail, need)
	v := NewVersion("1.2.3", "")
	root.AddCommand(group, NewVersionCommand("prog", v))
	return Prepare(root, v)
}

// halfError wraps causes of which some are unknown.
type halfError []error

func (halfError) Error() string     { return "half known" }
func (e halfError) Unwrap() []error { return e }

func TestRun(t *testing.T) {
	boom := errors.New("cannot do\nit")
	tests := map[string]struct {
		args   string
		err    error
		exit   Exit
		stderr string // a part of it
		stdout string
	}{
		"all is well":            {args: "group fail"},
		"version":                {args: "--version", stdout: "prog version 1.2.3\n"},
		"help":                   {args: "group --help", stdout: "Usage:"},
		"help command":           {args: "help group fail", stdout: "prog group fail"},
		"completion is listed":   {args: "--help", stdout: "completion"},
		"failure":                {args: "group fail", err: boom, exit: 1, stderr: "error: cannot do it\n"},
		"failure with a hint":    {args: "group fail", err: WithHint(boom, "rest"), exit: 1, stderr: "error: cannot do it\nhint: rest\n"},
		"two failures":           {args: "group fail", err: errors.Join(boom, boom), exit: 1, stderr: "error: cannot do it\nerror: cannot do it\n"},
		"two causes in one text": {args: "group fail", err: fmt.Errorf("both: %w, %w", boom, boom), exit: 1, stderr: "error: both: cannot do it, cannot do it\n"},
		"cause that is nil":      {args: "group fail", err: halfError{boom, nil}, exit: 1, stderr: "error: half known\n"},
		"nothing":                {args: "", exit: 64, stderr: "Usage:"},
		"group alone":            {args: "group", exit: 64, stderr: "error: 'prog group' needs a command\nhint: it has fail or need\n"},
		"mistyped":               {args: "gruop", exit: 64, stderr: "error: 'prog' has no such command\nhint: did you mean 'prog group'?\n"},
		"nothing like it":        {args: "group zzzz", exit: 64, stderr: "hint: it has fail or need\n"},
		"mistyped with help":     {args: "group fial --help", exit: 64, stderr: "hint: did you mean 'prog group fail'?\n"},
		"help of what is not":    {args: "help group fial", exit: 64, stderr: "Usage:"},
		"shell of no kind":       {args: "completion tcsh", exit: 64, stderr: "'prog completion' has no such command"},
		"argument":               {args: "group fail now", exit: 64, stderr: "error: 'prog group fail' takes no arguments, only flags\nhint: see 'prog group fail --help'\n"},
		"no such flag":           {args: "group fail --jsn", exit: 64, stderr: "error: no such flag\nhint: did you mean --json?\n"},
		"no whole number":        {args: "group fail --count 4242x", exit: 64, stderr: "error: cannot read --count: want a whole number\n"},
		"no duration":            {args: "group fail --wait 4242", exit: 64, stderr: "want a duration with its unit"},
		"no value":               {args: "group fail --count", exit: 64, stderr: "error: --count needs a value\n"},
		"missing and empty":      {args: "group need --name=", exit: 64, stderr: "error: missing --name, --kind\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			root := newProgram(tt.err)
			root.SetOut(&stdout)
			root.SetErr(&stderr)
			if got := Run(t.Context(), root, strings.Fields(tt.args), Explain); got != tt.exit {
				t.Errorf("exit code = %d, want %d", got, tt.exit)
			}
			if got := stderr.String(); !strings.Contains(got, tt.stderr) || tt.exit == ExitOK && got != "" || strings.Contains(got, "4242") {
				t.Errorf("standard error has\n%swant\n%s", got, tt.stderr)
			}
			if got := stdout.String(); !strings.Contains(got, tt.stdout) || tt.exit != ExitOK && got != "" {
				t.Errorf("standard output has\n%swant\n%s", got, tt.stdout)
			}
		})
	}
}

func TestRunJSON(t *testing.T) {
	tests := map[string]struct {
		args string
		err  error
		want Fault
	}{
		"failure":      {"group fail --json", WithHint(errors.New("no\nluck"), "rest"), Fault{Problem: "no luck", Reason: "FAILED", Hint: "rest", Exit: 1}},
		"two failures": {"group fail --json=true", errors.Join(errors.New("one"), errors.New("two")), Fault{Problem: "one; two", Reason: "FAILED", Exit: 1}},
		"usage":        {"group fail --bogus --json", nil, Fault{Problem: "no such flag", Reason: "USAGE", Hint: "see 'prog group fail --help'", Exit: 64}},
		"no command":   {"group --json", nil, Fault{Problem: "no such flag", Reason: "USAGE", Hint: "see 'prog group --help'", Exit: 64}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			root := newProgram(tt.err)
			root.SetErr(&stderr)
			exit := Run(t.Context(), root, strings.Fields(tt.args), Explain)
			var got Fault
			dec := json.NewDecoder(&stderr)
			if err := dec.Decode(&got); err != nil {
				t.Fatal(err)
			}
			if got != tt.want || exit != tt.want.Exit || dec.More() {
				t.Errorf("printed %+v, exit code %d, want %+v", got, exit, tt.want)
			}
		})
	}
}

func TestExitTable(t *testing.T) {
	for _, e := range []Exit{ExitOK, ExitFailure, ExitRefused, ExitUnreachable, ExitTimeout, ExitUsage} {
		if e.Meaning() == "" {
			t.Errorf("exit code %d has no meaning", e)
		}
	}
	const want = "Exit codes:\n   0  it worked\n  64  no such command or flag, or one is missing"
	if got := ExitTable(ExitOK, ExitUsage); got != want {
		t.Errorf("table = %q, want %q", got, want)
	}
}

func TestNearest(t *testing.T) {
	words := []string{"status", "stamp", "payment", "flush"}
	tests := map[string]string{
		"statsu": "status", "satus": "status", "stamps": "stamp", "paymnet": "payment", "flsh": "flush",
		"": "", "x": "", "version": "", "zzzzzz": "",
	}
	for word, want := range tests {
		if got := Nearest(word, words); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

// A full disk behind standard output is a failure, also of commands that don't look whether they could print.
func TestUnwritableOutput(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	for _, args := range [][]string{{"version"}, {"version", "--json"}, {"--version"}, {"--help"}} {
		root := newProgram(nil)
		var stderr bytes.Buffer
		root.SetOut(full)
		root.SetErr(&stderr)
		exit := Run(t.Context(), root, args, Explain)
		if exit != ExitFailure || !strings.Contains(stderr.String(), "cannot write the answer") {
			t.Errorf("%v: exit %d, said %q, want exit %d", args, exit, stderr.String(), ExitFailure)
		}
	}
}
