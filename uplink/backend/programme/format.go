package programme

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/pelletier/go-toml/v2"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/entry"
	"github.com/stampd/stampd/uplink/wire"
)

// Syntax is how a programme is written down. The fields are those of Programme in the schema (cards.proto).
type Syntax string

// All syntaxes.
const (
	JSON Syntax = "json"
	TOML Syntax = "toml"
)

// Parse reads a programme and says what is wrong with it. A field that does not exist is an error.
func Parse(text []byte, syntax Syntax) (loyalty.Programme, error) {
	if syntax == TOML {
		fields := map[string]any{}
		if err := toml.Unmarshal(text, &fields); err != nil {
			return loyalty.Programme{}, fmt.Errorf("not TOML: %w", err)
		}
		var err error
		if text, err = json.Marshal(fields); err != nil {
			return loyalty.Programme{}, err
		}
	}
	m := new(wire.Programme)
	if err := protojson.Unmarshal(text, m); err != nil {
		return loyalty.Programme{}, err
	}
	p, _ := entry.ProgrammeFromWire(m) // what is wrong with it, check says again
	return p, check(p)
}

// Format writes a programme as JSON: the same for the same programme.
func Format(p loyalty.Programme) ([]byte, error) {
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(entry.ProgrammeToWire(p))
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer // protojson writes spaces at random
	if err := json.Indent(&text, raw, "", "  "); err != nil {
		return nil, err
	}
	return append(text.Bytes(), '\n'), nil
}

// check returns what is wrong with a programme, its name and its time zone included.
func check(p loyalty.Programme) error {
	errs := []error{p.Check()}
	if !validName(p.ID) {
		errs = append(errs, fmt.Errorf("programme id: %w", ErrName))
	}
	if _, err := time.LoadLocation(p.Zone); err != nil {
		errs = append(errs, fmt.Errorf("programme zone %q is not known", p.Zone))
	}
	return errors.Join(errs...)
}
