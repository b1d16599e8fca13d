package buffer_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// results is what came of each kind of fault. It is safe for concurrent use.
type results struct {
	mu    sync.Mutex
	names []string
	of    map[string]*tally
}

// tally is what came of one kind of fault.
type tally struct{ runs, lost, doubled, broken int }

func newResults() *results { return &results{of: map[string]*tally{}} }

// add counts one more run, and what was found after it.
func (r *results) add(name string, p *promise) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.of[name]
	if t == nil {
		t = &tally{}
		r.of[name], r.names = t, append(r.names, name)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t.runs++
	t.lost += p.lost
	t.doubled += p.doubled
	if len(p.wrong) > 0 {
		t.broken++
	}
}

// tableFile is where the tables of all tests go too, if it is set.
var tableFile = flag.String("table", "", "a file to which what came of each kind of fault is added")

// log logs a table of all.
func (r *results) log(t *testing.T) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%-52s %7s %7s %7s %7s\n", strings.TrimPrefix(t.Name(), "Test"), "tried", "lost", "doubled", "broken")
	for _, name := range r.names {
		n := r.of[name]
		fmt.Fprintf(&b, "  %-50s %7d %7d %7d %7d\n", name, n.runs, n.lost, n.doubled, n.broken)
	}
	t.Logf("\n%s", b.String())
	if *tableFile == "" {
		return
	}
	f, err := os.OpenFile(*tableFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprintln(f, b.String())
}
