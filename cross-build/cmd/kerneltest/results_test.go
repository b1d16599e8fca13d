package main

import (
	"strings"
	"testing"

	"github.com/stampd/stampd/cross-build/simulator/guest"
)

// What a guest reports becomes events of tests, and fails for whatever is not a pass.
func TestResults(t *testing.T) {
	const begin = "\x16=== RUN   TestA\n"
	for name, test := range map[string]struct {
		printed []string // by the tests, cut where it is
		code    int
		cut     bool // the guest ended before the tests did
		passed  bool
		want    string
	}{
		"passed":  {[]string{begin + "\x16--- PA", "SS: TestA (0.01s)\n\x16PASS\n"}, 0, false, true, `"Action":"pass","Package":"github.com/stampd/stampd/hal","Test":"TestA"`},
		"failed":  {[]string{begin + "\x16--- FAIL: TestA (0.01s)\n\x16FAIL\n"}, 1, false, false, `"Action":"fail","Package":"github.com/stampd/stampd/hal","Test":"TestA"`},
		"skipped": {[]string{begin + "    a_test.go:1: no module\n\x16--- SKIP: TestA (0.01s)\n\x16PASS\n"}, 0, false, false, `"Action":"fail","Package":"github.com/stampd/stampd/hal","Test":"TestA"`},
		"crashed": {[]string{begin + "panic: oh\n"}, 2, false, false, `"Action":"fail","Package":"github.com/stampd/stampd/hal"`},
		"cut off": {[]string{begin}, 0, true, false, `"Action":"run"`},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			r := newResults(t.Context(), &out)
			for _, text := range test.printed {
				if err := r.take(guest.Report{Event: guest.Output, Command: "hal", Data: []byte(text)}); err != nil {
					t.Fatal(err)
				}
			}
			if !test.cut {
				if err := r.take(guest.Report{Event: guest.Exited, Command: "hal", Code: test.code, Text: "exit status"}); err != nil {
					t.Fatal(err)
				}
			}
			passed, err := r.close()
			if passed != test.passed || err != nil {
				t.Errorf("passed %v, %v, want %v", passed, err, test.passed)
			}
			if !strings.Contains(out.String(), test.want) {
				t.Errorf("printed %s, want %s", out.String(), test.want)
			}
		})
	}
	r := newResults(t.Context(), new(strings.Builder))
	if err := r.take(guest.Report{Event: guest.Failed, Text: "no module"}); err == nil {
		t.Error("a guest that failed is no error")
	}
}
