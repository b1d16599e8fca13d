package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// figure is one number.
type figure struct {
	What   string   `json:"what"`
	Got    float64  `json:"got"`
	Unit   unit     `json:"unit"`
	Floor  *float64 `json:"floor,omitempty"`  // what nothing could go below, or the bare thing does
	Budget *budget  `json:"budget,omitempty"` // nil when there is none
	Time   bool     `json:"time,omitempty"`   // depends on the machine, and is not judged
}

// unit is what a figure counts.
type unit string

const (
	size       unit = "B"
	megabytes  unit = "MB"
	perSecond  unit = "/s"
	eachSecond unit = "a second"
	flushes    unit = "flushes"
	seconds    unit = "s"
	millis     unit = "ms"
	percent    unit = "%"
	ratio      unit = "×"
	count      unit = ""
)

// budget is what a figure may be.
type budget struct {
	Limit float64 `json:"limit"`
	Least bool    `json:"least,omitempty"` // not at most, but at least
}

func atMost(limit float64) *budget  { return &budget{Limit: limit} }
func atLeast(limit float64) *budget { return &budget{Limit: limit, Least: true} }

// verdict says whether the budget holds; nothing where there is none or nothing is judged.
func (f figure) verdict() string {
	switch {
	case f.Budget == nil || f.Time:
		return ""
	case f.Budget.Least == (f.Got >= f.Budget.Limit) || f.Got == f.Budget.Limit:
		return "PASS"
	}
	return "over"
}

// section is the figures of one measure.
type section struct {
	Name    string   `json:"name"`
	What    string   `json:"what"`
	How     string   `json:"how"`
	Figures []figure `json:"figures"`
}

// MarshalJSON adds the verdict.
func (f figure) MarshalJSON() ([]byte, error) {
	type plain figure
	return json.Marshal(struct {
		plain
		Verdict string `json:"verdict,omitempty"`
	}{plain(f), f.verdict()})
}

// printJSON writes what a program may read.
func printJSON(w io.Writer, sections []section) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(sections)
}

// printTable writes what a person may read. Before each section stand the command that measures it alone, and how.
func printTable(w io.Writer, sections []section) error {
	const line = "  %-58s %14s %14s %16s  %s\n"
	var b strings.Builder
	fmt.Fprintf(&b, line, "", "measured", "floor", "budget", "")
	judged, over := 0, 0
	for _, s := range sections {
		fmt.Fprintf(&b, "\n%s    (make bench ONLY=%s)\n", s.What, s.Name)
		for l := range strings.Lines(s.How) {
			fmt.Fprintf(&b, "  %s\n", strings.TrimSpace(l))
		}
		for _, f := range s.Figures {
			verdict := f.verdict()
			if verdict != "" {
				judged++
			}
			if verdict == "over" {
				over++
			}
			fmt.Fprintf(&b, line, f.What, f.Unit.format(f.Got), f.floor(), f.budget(), verdict)
		}
	}
	fmt.Fprintf(&b, "\n%s of bytes and counts: %d hold, %s not. Times are not judged.\n",
		plural(judged, "budget", "budgets"), judged-over, plural(over, "does", "do"))
	_, err := io.WriteString(w, b.String())
	return err
}

// plural counts.
func plural(n int, one, more string) string {
	if n == 1 {
		return fmt.Sprint(n, " ", one)
	}
	return fmt.Sprint(n, " ", more)
}

func (f figure) floor() string {
	if f.Floor == nil {
		return ""
	}
	return f.Unit.format(*f.Floor)
}

func (f figure) budget() string {
	switch {
	case f.Budget == nil:
		return ""
	case f.Budget.Least:
		return "≥ " + f.Unit.format(f.Budget.Limit)
	}
	return "≤ " + f.Unit.format(f.Budget.Limit)
}

// format writes a number with as many digits as it is worth.
func (u unit) format(v float64) string {
	digits := 0
	switch {
	case u == ratio || u == flushes || u == count && v != math.Trunc(v) || u == percent || u == eachSecond || u == megabytes && v < 100 || u == seconds && v < 10:
		digits = 2
	case v != 0 && math.Abs(v) < 100 && (u != perSecond && v != math.Trunc(v)):
		digits = 1
	}
	text := strconv.FormatFloat(v, 'f', digits, 64)
	whole, fraction, _ := strings.Cut(text, ".")
	for at := len(whole) - 3; at > 0 && whole[at-1] != '-'; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if u == perSecond {
		return whole + string(u)
	}
	return strings.TrimSpace(whole + " " + string(u))
}
