package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// localDoc describes the local API, with commands and their answers.
const localDoc = "../uplink/wire/local.md"

// documented is a command in localDoc, and the lines of JSON that answer it.
var documented = regexp.MustCompile("(?s)```sh\n(.*?)\n```\n```jsonl?\n(.*?)\n```")

// curlLines runs every command of localDoc against the agent on a socket, one after the other, and compares the answers:
// curl-lines SOCKET.
func curlLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: curl-lines SOCKET")
	}
	text, err := os.ReadFile(localDoc)
	ts.Check(err)
	found := documented.FindAllStringSubmatch(string(text), -1)
	if blocks := strings.Count(string(text), "```sh"); blocks != len(found) || blocks == 0 {
		ts.Fatalf("%d commands, %d of them with an answer", blocks, len(found))
	}
	if outside := documented.ReplaceAllString(string(text), ""); strings.Contains(outside, "--unix-socket") {
		ts.Fatalf("a command for curl stands where it is not run")
	}
	for _, f := range found {
		command := strings.ReplaceAll(f[1], "/run/stampd/stampd.sock", ts.MkAbs(args[0]))
		if command == f[1] {
			ts.Fatalf("not a command for the agent's socket:\n%s", f[1])
		}
		ts.Check(ts.Exec("sh", "-c", command))
		got, want := lines(ts.ReadFile("stdout")), lines(f[2])
		if len(got) != len(want) {
			ts.Fatalf("%s\nanswers with %d lines, want %d", f[1], len(got), len(want))
		}
		for i := range want {
			if wrong := differs(want[i], got[i], "answer"); wrong != "" {
				ts.Fatalf("%s\n%s", f[1], wrong)
			}
		}
	}
	ts.Logf("%d commands of %s were answered as it says", len(found), localDoc)
}

func lines(text string) []string { return strings.Split(strings.TrimSpace(text), "\n") }

// differs says where got is not what a line of the documentation says, or "". What the line leaves out can be anything, and
// so can "…".
func differs(want, got, at string) string {
	var w, g any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		return fmt.Sprintf("%s: the documentation has no JSON: %v", at, err)
	}
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		return fmt.Sprintf("%s: not JSON: %q", at, got)
	}
	return differ(w, g, at)
}

func differ(want, got any, at string) string {
	switch w := want.(type) {
	case string:
		if w == "…" {
			return ""
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Sprintf("%s = %v, want %v", at, got, want)
		}
		for i := range w {
			if wrong := differ(w[i], g[i], fmt.Sprintf("%s[%d]", at, i)); wrong != "" {
				return wrong
			}
		}
		return ""
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s = %v, want an object", at, got)
		}
		for _, key := range slices.Sorted(maps.Keys(w)) {
			value, there := g[key]
			if !there {
				return fmt.Sprintf("%s has no %s: %v", at, key, got)
			}
			if wrong := differ(w[key], value, at+"."+key); wrong != "" {
				return wrong
			}
		}
		return ""
	}
	if want != got {
		return fmt.Sprintf("%s = %v, want %v", at, got, want)
	}
	return ""
}
