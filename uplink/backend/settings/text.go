package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/pelletier/go-toml/v2"
)

// MaxText is the most bytes that the settings of a terminal may have (Settings.toml in the schema).
const MaxText = 16 << 10

// TextError says what is wrong with the form of settings.
type TextError struct {
	Line    int // from 1; 0 when it is not about one line
	Problem string
}

// Error is one line.
func (e *TextError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d: %s", e.Line, e.Problem)
	}
	return e.Problem
}

// read returns settings by section and name. Values are texts, numbers, bools, and lists of these.
func read(text string) (map[string]map[string]any, error) {
	if len(text) > MaxText {
		return nil, &TextError{Problem: fmt.Sprintf("%d bytes, want at most %d", len(text), MaxText)}
	}
	var all map[string]any
	if err := toml.Unmarshal([]byte(text), &all); err != nil {
		wrong := &TextError{Problem: "it is not TOML"}
		if at, ok := errors.AsType[*toml.DecodeError](err); ok {
			wrong.Line, _ = at.Position()
			wrong.Problem = at.Error()
		}
		return nil, wrong
	}
	sections := map[string]map[string]any{}
	for name, value := range all {
		section, ok := value.(map[string]any)
		if !ok {
			return nil, &TextError{Problem: fmt.Sprintf("%s stands in no section", name)}
		}
		for key, value := range section {
			if !plain(value, true) {
				return nil, &TextError{Problem: fmt.Sprintf("%s.%s is no text, number, true or false, nor a list of these", name, key)}
			}
		}
		sections[name] = section
	}
	return sections, nil
}

// plain reports whether a value is one that settings have.
func plain(value any, lists bool) bool {
	switch v := value.(type) {
	case string, int64, float64, bool:
		return true
	case []any:
		for _, item := range v {
			if !plain(item, false) {
				return false
			}
		}
		return lists
	}
	return false
}

// check returns what is wrong with the form of settings.
func check(text string) error {
	_, err := read(text)
	return err
}

// over returns settings with others over them.
func over(below, above string) (string, error) {
	all, err := read(below)
	if err != nil {
		return "", err
	}
	own, err := read(above)
	if err != nil {
		return "", err
	}
	for name, section := range own {
		if all[name] == nil {
			all[name] = map[string]any{}
		}
		maps.Copy(all[name], section)
	}
	var text bytes.Buffer
	if err := toml.NewEncoder(&text).Encode(all); err != nil {
		return "", fmt.Errorf("cannot put settings together: %w", err)
	}
	return text.String(), nil
}

// format writes a version as its file has it.
func format(v Version) ([]byte, error) {
	text, err := json.MarshalIndent(v, "", "  ")
	return append(text, '\n'), err
}

// parse reads a version's file.
func parse(text []byte) (v Version, err error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	return v, dec.Decode(&v)
}
