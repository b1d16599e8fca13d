package cli

import (
	"fmt"
	"strings"
)

// Exit is an exit code. Scripts decide by it, so none ever changes its meaning.
type Exit int

// The exit codes of both programs. Only stampd, which asks an agent, ends with [ExitRefused], [ExitUnreachable] or
// [ExitTimeout].
const (
	ExitOK          Exit = 0
	ExitFailure     Exit = 1
	ExitRefused     Exit = 2
	ExitUnreachable Exit = 3
	ExitTimeout     Exit = 4
	ExitUsage       Exit = 64 // EX_USAGE of sysexits.h
)

// Meaning says in words what the code tells, or "" for a code that is not among the constants.
func (e Exit) Meaning() string {
	switch e {
	case ExitOK:
		return "it worked"
	case ExitFailure:
		return "it did not work; the error says why"
	case ExitRefused:
		return "the request was refused, and the same will be refused again"
	case ExitUnreachable:
		return "the agent does not run, or this user may not ask it; or no server answers"
	case ExitTimeout:
		return "no answer, or not in time; whether it was done is not known"
	case ExitUsage:
		return "no such command or flag, or one is missing"
	}
	return ""
}

// ExitTable returns the codes with their meanings as a part of a help text.
func ExitTable(codes ...Exit) string {
	var b strings.Builder
	b.WriteString("Exit codes:")
	for _, c := range codes {
		fmt.Fprintf(&b, "\n  %2d  %s", c, c.Meaning())
	}
	return b.String()
}
