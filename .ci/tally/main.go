// Command tally reads the output of "go test -json" and shows what a person wants to see of it: one line for each package,
// and everything that a failed or skipped test said. It ends with the line "N passed, N failed", over tests and subtests.
//
// A package that fails without a failed test (it does not compile, it leaks a goroutine, it crashes) counts as one.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	t := tally{w: os.Stdout, said: map[id][]string{}, count: map[string]int{}, broken: map[string]bool{}}
	if err := t.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "error: cannot read test output:", err)
		os.Exit(1)
	}
	t.close()
	if t.failed > 0 {
		os.Exit(1)
	}
}

// event is one line of "go test -json"; "go doc test2json" describes it.
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

// id is a test, or a package when test is empty.
type id struct{ pkg, test string }

// tally counts the tests in a stream of events.
type tally struct {
	w                       io.Writer
	passed, failed, skipped int
	said                    map[id][]string // output of what has not ended yet
	count                   map[string]int  // passed tests by package
	broken                  map[string]bool // packages with a failed test
}

// read counts events until r ends. A line that is no event is shown as it is.
func (t *tally) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) == nil {
			t.add(e)
		} else {
			fmt.Fprintf(t.w, "%s", line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (t *tally) add(e event) {
	key := id{e.Package, e.Test}
	switch {
	case e.Action == "build-output":
		fmt.Fprint(t.w, e.Output)
	case e.Action == "output":
		t.said[key] = append(t.said[key], e.Output)
	case e.Action == "fail" && e.Test == "":
		t.failPackage(e)
	case e.Action == "fail":
		t.failed++
		t.broken[e.Package] = true
		t.show(key)
	case e.Action == "skip" && e.Test != "":
		t.skipped++
		t.show(key)
	case e.Action == "pass" && e.Test != "":
		t.passed++
		t.count[e.Package]++
		delete(t.said, key)
	case e.Action == "pass":
		fmt.Fprintf(t.w, "ok    %-60s %7.2f s  %d tests\n", e.Package, e.Elapsed, t.count[e.Package])
		delete(t.said, key)
	}
}

func (t *tally) failPackage(e event) {
	if !t.broken[e.Package] {
		t.failed++
	}
	for key := range t.said { // tests that never ended
		if key.pkg == e.Package && key.test != "" {
			t.show(key)
		}
	}
	t.show(id{pkg: e.Package})
	fmt.Fprintf(t.w, "FAIL  %-60s %7.2f s\n", e.Package, e.Elapsed)
}

func (t *tally) show(key id) {
	fmt.Fprint(t.w, strings.Join(t.said[key], ""))
	delete(t.said, key)
}

func (t *tally) close() {
	fmt.Fprintf(t.w, "%d passed, %d failed", t.passed, t.failed)
	if t.skipped > 0 {
		fmt.Fprintf(t.w, ", %d skipped", t.skipped)
	}
	fmt.Fprintln(t.w)
}
