package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// defaultConfigPath is the file that is read when none is named.
const defaultConfigPath = "/etc/stampd/stampd.toml"

// maxConfigSize is how large a config file may be, in bytes. More is another file, named by mistake.
const maxConfigSize = 1 << 20

// configFile is what a config file says, over the defaults.
type configFile struct {
	Config
	path   string           // empty when there is no file
	places map[string]place // where each setting stands in it
}

// loadConfig reads the file. With an empty path it reads [defaultConfigPath], and returns the defaults alone when that
// does not exist. It fails when the file can't be read, is not TOML, or has a setting that does not exist or is of the
// wrong type; values are judged by [configFile.check] alone.
func loadConfig(path string) (*configFile, error) {
	if path == "" {
		if _, err := os.Stat(defaultConfigPath); errors.Is(err, os.ErrNotExist) {
			return &configFile{Config: defaultConfig()}, nil
		}
		path = defaultConfigPath
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read config file: %w", err)
	}
	return parseConfig(path, data)
}

// parseConfig reads data as the contents of the file at path.
func parseConfig(path string, data []byte) (*configFile, error) {
	if len(data) > maxConfigSize {
		return nil, &settingError{file: path, problem: fmt.Sprintf("too large for a config file: %d bytes, want at most %d", len(data), maxConfigSize)}
	}
	types := settingTypes()
	cfg := &configFile{Config: defaultConfig(), path: path, places: findPlaces(data)}
	for _, key := range slices.Sorted(maps.Keys(cfg.places)) {
		// For a number without quotes, the decoder's error has no place.
		at, reads := cfg.places[key], types[key]
		if reads != nil && reflect.PointerTo(reads).Implements(textUnmarshaler) && at.kind != unstable.String {
			return nil, &settingError{file: path, line: at.line, column: at.column, key: key, problem: "want " + wants(reads)}
		}
	}
	if err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(&cfg.Config); err != nil {
		return nil, explain(path, err, types)
	}
	return cfg, nil
}

// check returns everything that is wrong with the values, joined: a *settingError each. It returns nil when the agent
// can run with them.
func (f *configFile) check() error {
	ck := checker{file: f.path, places: f.places}
	f.Config.check(&ck)
	return errors.Join(ck.found...)
}

// explain turns an error of the TOML decoder into one or more *settingError.
func explain(file string, err error, types map[string]reflect.Type) error {
	var unknown *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case errors.As(err, &unknown):
		var found []error
		for _, e := range unknown.Errors {
			found = append(found, explainUnknown(file, &e, types))
		}
		return errors.Join(found...)
	case errors.As(err, &wrong):
		line, column := wrong.Position()
		e := &settingError{file: file, line: line, column: column, key: strings.Join(wrong.Key(), ".")}
		e.problem = strings.TrimPrefix(wrong.Error(), "toml: ")
		if reads := types[e.key]; reads != nil {
			e.problem = "want " + wants(reads)
		} else if e.key != "" && !strings.Contains(e.problem, "defined") {
			e.problem = "want a section: [" + e.key + "]"
		}
		return e
	}
	return &settingError{file: file, problem: err.Error()}
}

// explainUnknown says that a setting or a section does not exist, and which one was probably meant.
func explainUnknown(file string, e *toml.DecodeError, types map[string]reflect.Type) *settingError {
	key := e.Key()
	line, column := e.Position()
	found := &settingError{file: file, line: line, column: column, key: strings.Join(key, "."), problem: "no such setting"}
	known := slices.Sorted(maps.Keys(types))
	switch {
	case len(key) == 1 && !strings.Contains(e.Error(), "field"):
		found.problem = "no such section"
		found.suggest(nearest(key[0], sections(known)))
	default:
		meant := nearest(found.key, known)
		if at := slices.IndexFunc(known, func(k string) bool { return strings.HasSuffix(k, "."+key[len(key)-1]) }); at >= 0 {
			meant = known[at] // the right name in the wrong section
		}
		found.suggest(meant)
	}
	return found
}

func (e *settingError) suggest(meant string) {
	if meant != "" {
		e.hint = "did you mean " + meant + "?"
		return
	}
	e.hint = "'stampd config show' prints every setting"
}

// place is where a setting stands in a file, and how its value is written.
type place struct {
	line, column int
	kind         unstable.Kind
}

// findPlaces returns the place of every "section.key" of a file. It stops where the file is not TOML.
func findPlaces(data []byte) map[string]place {
	places := map[string]place{}
	var p unstable.Parser
	p.Reset(data)
	section := ""
	for p.NextExpression() {
		node := p.Expression()
		var names []string
		var first *unstable.Node
		for it := node.Key(); it.Next(); {
			if first == nil {
				first = it.Node()
			}
			names = append(names, string(it.Node().Data))
		}
		key := strings.Join(names, ".")
		switch node.Kind {
		case unstable.Table, unstable.ArrayTable:
			section = key + "."
		case unstable.KeyValue:
			start := p.Shape(first.Raw).Start
			places[section+key] = place{line: start.Line, column: start.Column, kind: node.Value().Kind}
		}
	}
	return places
}
