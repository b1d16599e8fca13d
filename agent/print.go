// How answers are written: as JSON, and for people in colours, time spans and sizes.

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/cli"
)

// printJSON writes an answer in protobuf's JSON mapping: names in camelCase, 64-bit numbers as strings. What is unknown
// is left out.
func printJSON(w io.Writer, m proto.Message) error {
	data, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return fmt.Errorf("cannot write the answer as JSON: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, data, "", "  "); err != nil {
		return fmt.Errorf("cannot write the answer as JSON: %w", err)
	}
	out.WriteByte('\n')
	_, err = out.WriteTo(w)
	return err
}

// palette colours words. The zero palette leaves them as they are.
type palette struct{ on bool }

// newPalette returns colours where w has them.
func newPalette(w io.Writer) palette { return palette{on: cli.HasColours(w)} }

func (p palette) good(s string) string { return p.paint("32", s) }
func (p palette) warn(s string) string { return p.paint("33", s) }
func (p palette) bad(s string) string  { return p.paint("31", s) }
func (p palette) dim(s string) string  { return p.paint("2", s) }

// paint puts s between the SGR codes of ECMA-48.
func (p palette) paint(sgr, s string) string {
	if !p.on {
		return s
	}
	return "\x1b[" + sgr + "m" + s + "\x1b[0m"
}

// span writes a time span for people.
func span(d time.Duration) string { return cli.Span(d) }

// bytesOf writes a number of bytes for people: "312 B", "20 KiB", "4.2 KiB".
func bytesOf(n uint64) string {
	unit, f := "GiB", float64(n)/(1<<30)
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		unit, f = "KiB", float64(n)/(1<<10)
	case n < 1<<30:
		unit, f = "MiB", float64(n)/(1<<20)
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") + " " + unit
}

// count writes "1 record", "2 records".
func count(n uint64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
