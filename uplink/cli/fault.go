package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Fault is what is told about an error: as lines to people, as one JSON object to programs. All of it but Problem and
// Exit may be empty.
type Fault struct {
	Problem string `json:"error"`  // what is wrong, for people
	Reason  string `json:"reason"` // why, for programs: upper-case words with underscores
	Field   string `json:"field"`  // the flag that it is about, with its dashes
	Hint    string `json:"hint"`   // what to do, for people
	Exit    Exit   `json:"exit"`
}

// Explain returns what is told about an error that needs no knowledge of a program's own: a [*UsageError], one with a
// method Hint() string, or any other.
func Explain(err error) Fault {
	if usage, ok := errors.AsType[*UsageError](err); ok {
		return Fault{Problem: usage.Problem, Reason: "USAGE", Hint: usage.Remedy, Exit: ExitUsage}
	}
	f := Fault{Problem: err.Error(), Reason: "FAILED", Exit: ExitFailure}
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		f.Hint = hinted.Hint()
	}
	return f
}

// WithHint returns err with what to do about it. It is still err to [errors.Is] and [errors.As].
func WithHint(err error, hint string) error { return &hintedError{err, hint} }

type hintedError struct {
	error
	hint string
}

func (e *hintedError) Unwrap() error { return e.error }
func (e *hintedError) Hint() string  { return e.hint }

// Print writes one line "error: …" and, when there is something to do about it, one "hint: …". An error that joins
// others is printed one by one. A call that names no command is preceded by the usage.
func Print(w io.Writer, err error, explain func(error) Fault) {
	if usage, ok := errors.AsType[*UsageError](err); ok && usage.usage != "" {
		fmt.Fprintln(w, usage.usage)
	}
	for _, e := range parts(err) {
		f := explain(e)
		fmt.Fprintf(w, "error: %s\n", oneLine(f.Problem))
		if f.Hint != "" {
			fmt.Fprintf(w, "hint: %s\n", oneLine(f.Hint))
		}
	}
}

// printJSON writes one JSON object on one line. Of an error that joins others it has every problem, and else what is
// told about the first.
func printJSON(w io.Writer, err error, explain func(error) Fault) {
	var whole Fault
	for i, e := range parts(err) {
		f := explain(e)
		if i == 0 {
			whole = f
			continue
		}
		whole.Problem += "; " + f.Problem
	}
	whole.Problem, whole.Hint, whole.Exit = oneLine(whole.Problem), oneLine(whole.Hint), explain(err).Exit
	data, err := json.Marshal(whole)
	if err != nil {
		return // of strings and a number: can't be
	}
	fmt.Fprintf(w, "%s\n", data)
}

// parts returns what err joins, or err itself. One that wraps several causes in a text of its own is not taken apart.
func parts(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var texts []string
	for _, e := range joined.Unwrap() {
		if e == nil { // errors.Is and errors.As skip it too
			return []error{err}
		}
		texts = append(texts, e.Error())
	}
	if strings.Join(texts, "\n") != err.Error() {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, parts(e)...)
	}
	return all
}

// oneLine keeps an error on its line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
