package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes. Scripts decide by them, so they never change.
const (
	exitOK      = 0
	exitFailure = 1  // it did not work; the error says why
	exitUsage   = 64 // no such command or flag (EX_USAGE of sysexits.h)
)

// usageError says that a command was called in a way that it does not have.
type usageError struct {
	problem string
	hint    string
}

// Error returns what is wrong with the call.
func (e *usageError) Error() string { return e.problem }

// Hint returns how to call it.
func (e *usageError) Hint() string { return e.hint }

func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	return exitFailure
}

// printError writes one line "error: …" and, when there is something to do about it, one "hint: …".
func printError(w io.Writer, err error) {
	if err == nil {
		return
	}
	fmt.Fprintf(w, "error: %s\n", oneLine(err.Error()))
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) && hinted.Hint() != "" {
		fmt.Fprintf(w, "hint: %s\n", oneLine(hinted.Hint()))
	}
}

// oneLine keeps an error on its line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func helpHint(cmd *cobra.Command) string {
	return fmt.Sprintf("see '%s --help'", cmd.CommandPath())
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return &usageError{problem: fmt.Sprintf("'%s' takes no arguments, only flags", cmd.CommandPath()), hint: helpHint(cmd)}
}

func oneFolder(cmd *cobra.Command, args []string) error {
	if len(args) == 1 && args[0] != "" {
		return nil
	}
	return &usageError{problem: fmt.Sprintf("'%s' takes one argument, the folder of the certificate authority", cmd.CommandPath()), hint: helpHint(cmd)}
}

func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range cmd.Commands() {
		if !sub.Hidden {
			names = append(names, sub.Name())
		}
	}
	return &usageError{
		problem: fmt.Sprintf("'%s' has no command %q", cmd.CommandPath(), args[0]),
		hint:    "it has " + strings.Join(names, ", "),
	}
}

// require fails when one of the flags was not given, or is empty.
func require(cmd *cobra.Command, flags ...string) error {
	var absent []string
	for _, name := range flags {
		if f := cmd.Flags().Lookup(name); f.Value.String() == "" {
			absent = append(absent, "--"+name)
		}
	}
	if len(absent) == 0 {
		return nil
	}
	return &usageError{problem: "missing " + strings.Join(absent, ", "), hint: helpHint(cmd)}
}
