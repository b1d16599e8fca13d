// What is wrong with the values of settings, each said with its place in the file.

package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stampd/stampd/agent/collect"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/identity"
)

// settingError says what is wrong with one setting, and where.
type settingError struct {
	file         string
	line, column int    // from 1; 0 when the file does not have the setting
	key          string // "queue.max_size"; empty when the file is not TOML
	problem      string // what is wrong, or what is allowed
	hint         string // what to do; may be empty
}

// Error is one line: file:line:column: key: problem.
func (e *settingError) Error() string {
	var b strings.Builder
	if e.file != "" {
		b.WriteString(e.file)
		if e.line > 0 {
			fmt.Fprintf(&b, ":%d:%d", e.line, e.column)
		}
		b.WriteString(": ")
	}
	if e.key != "" {
		b.WriteString(e.key + ": ")
	}
	b.WriteString(e.problem)
	return b.String()
}

// Hint says what to do; it may be empty.
func (e *settingError) Hint() string { return e.hint }

// checker collects what is wrong with the settings.
type checker struct {
	file   string
	places map[string]place // where each setting stands in the file
	found  []*settingError
}

// that adds a problem with the setting unless ok.
func (c *checker) that(ok bool, key, problem string) {
	if ok {
		return
	}
	at := c.places[key]
	c.found = append(c.found, &settingError{file: c.file, line: at.line, column: at.column, key: key, problem: problem})
}

func (c *checker) id(key, v string) {
	err := identity.ID{Merchant: v, Terminal: v}.Validate()
	c.that(v != "", key, "must be set")
	c.that(v == "" || err == nil, key, "want 1 to 64 of a-z, 0-9, dot and dash, starting with a letter or digit")
}

func (c *checker) path(key, v string) {
	c.that(v != "", key, "must be set")
	c.that(v == "" || filepath.IsAbs(v), key, "want an absolute path, one that starts with /")
}

func (c *checker) integer(key string, v, low, high int64) {
	c.that(v >= low && v <= high, key, fmt.Sprintf("is %d, want %d to %d", v, low, high))
}

func (c *checker) size(key string, v, low, high ByteSize) {
	c.that(v >= low && v <= high, key, fmt.Sprintf("is %s, want %s to %s", v, low, high))
}

func (c *checker) duration(key string, v Duration, low, high time.Duration) {
	c.that(v.Duration >= low && v.Duration <= high, key, fmt.Sprintf("is %s, want %s to %s", v, Duration{low}, Duration{high}))
}

// apps checks the applications that are to be watched.
func (c *checker) apps(key string, texts []string) {
	c.that(len(texts) <= hal.MaxApps, key, fmt.Sprintf("has %d, want up to %d", len(texts), hal.MaxApps))
	names := map[string]bool{collect.AgentName: true}
	for _, text := range texts {
		app, err := hal.ParseApp(text)
		if err != nil {
			c.that(false, key, fmt.Sprintf("%q: %v", text, err))
			continue
		}
		c.that(!names[app.Name], key, fmt.Sprintf("%q: another is called %s: put a name and = before it", text, app.Name))
		names[app.Name] = true
	}
}

func (c *checker) amounts(key string, v []string) {
	_, err := parseAmounts(v)
	c.that(err == nil, key, `want amounts with their currencies, each currency once, such as ["250.00 EUR", "250.00 USD"]`)
}

func (c *checker) oneOf(key, v string, allowed ...string) {
	c.that(slices.Contains(allowed, v), key, fmt.Sprintf("is %q, want %s", v, cli.OrList(allowed)))
}
