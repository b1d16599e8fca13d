// What is wrong with the form of a config file, told all at once: the TOML decoder stops at the first mistake, so what it
// can't read is blanked and the rest is read again.

package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/stampd/stampd/uplink/cli"
)

// place is where a setting stands in a file, and how its value is written.
type place struct {
	line, column int
	kind         unstable.Kind
}

// entry is one setting or one heading of a file.
type entry struct {
	place
	key  string // "queue.max_size"; of a heading "queue"
	last int    // the line before the next entry
}

// findEntries returns the entries of a file in their order, up to a number of them. It stops where the file is not TOML.
func findEntries(data []byte, most int) []entry {
	var entries []entry
	var p unstable.Parser
	p.Reset(data)
	section := ""
	for len(entries) < most && p.NextExpression() {
		node := p.Expression()
		var names []string
		var first *unstable.Node
		for it := node.Key(); it.Next(); {
			if first == nil {
				first = it.Node()
			}
			names = append(names, string(it.Node().Data))
		}
		if first == nil {
			continue
		}
		start := p.Shape(first.Raw).Start
		e := entry{key: strings.Join(names, "."), last: bytes.Count(data, []byte("\n")) + 1}
		e.line, e.column = start.Line, start.Column
		switch node.Kind {
		case unstable.Table, unstable.ArrayTable:
			section = e.key + "."
		case unstable.KeyValue:
			e.key, e.kind = section+e.key, node.Value().Kind
		}
		if n := len(entries); n > 0 {
			entries[n-1].last = e.line - 1
		}
		entries = append(entries, e)
	}
	return entries
}

// places returns where each setting stands first.
func places(entries []entry) map[string]place {
	all := map[string]place{}
	for _, e := range entries {
		if _, twice := all[e.key]; !twice && e.kind != unstable.Invalid {
			all[e.key] = e.place
		}
	}
	return all
}

// reader collects what is wrong with the form of a file.
type reader struct {
	file    string
	data    []byte // without what was found wrong
	entries []entry
	types   map[string]reflect.Type
	base    func() Config // what holds where the file says nothing
	found   []*settingError
}

// refuseNumbers finds numbers where text with a unit is wanted: the decoder's error for them has no place.
func (r *reader) refuseNumbers() {
	for _, e := range r.entries {
		want := r.types[e.key]
		if want != nil && e.kind != unstable.Invalid && reflect.PointerTo(want).Implements(textUnmarshaler) && e.kind != unstable.String {
			r.found = append(r.found, &settingError{file: r.file, line: e.line, column: e.column, key: e.key, problem: "want " + wants(want)})
			r.blank(e)
		}
	}
}

// decode reads what can be read over base, and reports whether that is the whole file but for what was found
// wrong.
func (r *reader) decode(cfg *Config) (whole bool) {
	for range len(r.entries) + 1 {
		*cfg = r.base()
		err := toml.NewDecoder(bytes.NewReader(r.data)).DisallowUnknownFields().Decode(cfg)
		var unknown *toml.StrictMissingError
		var wrong *toml.DecodeError
		switch {
		case err == nil:
			whole = true
		case errors.As(err, &unknown):
			for _, e := range unknown.Errors {
				r.found = append(r.found, r.explainUnknown(&e))
			}
			whole = true
		case errors.As(err, &wrong):
			r.found = append(r.found, r.explainWrong(wrong))
			if at := r.entryAt(wrong); at != nil && len(wrong.Key()) > 0 {
				r.blank(*at)
				continue
			}
		default:
			r.found = append(r.found, &settingError{file: r.file, problem: err.Error()})
		}
		break
	}
	slices.SortStableFunc(r.found, func(a, b *settingError) int { return cmp.Compare(a.line, b.line) })
	return whole
}

// blank replaces the lines of an entry by empty ones, so that all that follows keeps its place.
func (r *reader) blank(e entry) {
	lines := bytes.Split(r.data, []byte("\n"))
	for i := e.line - 1; i < min(e.last, len(lines)); i++ {
		lines[i] = nil
	}
	r.data = bytes.Join(lines, []byte("\n"))
}

// entryAt returns the entry in which a decoder's error stands, or nil.
func (r *reader) entryAt(wrong *toml.DecodeError) *entry {
	line, _ := wrong.Position()
	for i := range r.entries {
		if e := &r.entries[i]; e.line <= line && line <= e.last {
			return e
		}
	}
	return nil
}

// explainWrong says what should be there in place of what the decoder could not read.
func (r *reader) explainWrong(wrong *toml.DecodeError) *settingError {
	line, column := wrong.Position()
	e := &settingError{file: r.file, line: line, column: column, key: strings.Join(wrong.Key(), ".")}
	e.problem = strings.TrimPrefix(wrong.Error(), "toml: ")
	twice := strings.HasSuffix(e.problem, "is already defined")
	at := r.entryAt(wrong)
	switch want := r.types[e.key]; {
	case twice && at != nil:
		e.key = at.key
		e.problem = "is set twice"
		if first := places(r.entries)[at.key]; first.line > 0 && first.line < line {
			e.problem += fmt.Sprintf(", first in line %d", first.line)
		}
	case want != nil:
		e.problem = "want " + wants(want)
	case e.key != "" && !strings.Contains(e.problem, "defined"):
		e.problem = "want a section: [" + e.key + "]"
	}
	return e
}

// explainUnknown says that a setting or a section does not exist, and which one was probably meant.
func (r *reader) explainUnknown(e *toml.DecodeError) *settingError {
	key := e.Key()
	line, column := e.Position()
	found := &settingError{file: r.file, line: line, column: column, key: strings.Join(key, "."), problem: "no such setting"}
	known := slices.Sorted(maps.Keys(r.types))
	if len(key) == 1 && !strings.Contains(e.Error(), "field") {
		found.problem = "no such section"
		found.suggest(cli.Nearest(key[0], sections(known)))
		return found
	}
	meant := cli.Nearest(found.key, known)
	if at := slices.IndexFunc(known, func(k string) bool { return strings.HasSuffix(k, "."+key[len(key)-1]) }); at >= 0 {
		meant = known[at] // the right name in the wrong section
	}
	found.suggest(meant)
	return found
}

func (e *settingError) suggest(meant string) {
	if meant != "" {
		e.hint = "did you mean " + meant + "?"
		return
	}
	e.hint = "'stampd config show' prints every setting"
}
