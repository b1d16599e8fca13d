package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageError says that a command was called in a way that it does not have. It never holds what was given for a flag:
// that may be a card's number.
type usageError struct {
	problem string
	hint    string
}

func (e *usageError) Error() string { return e.problem }

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return &usageError{
		problem: fmt.Sprintf("'%s' takes no arguments, only flags", cmd.CommandPath()),
		hint:    fmt.Sprintf("see '%s --help'", cmd.CommandPath()),
	}
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
	e := &usageError{
		problem: fmt.Sprintf("'%s' has no such command", cmd.CommandPath()),
		hint:    "it has " + orList(names),
	}
	if meant := nearest(args[0], names); meant != "" {
		e.hint = fmt.Sprintf("did you mean '%s %s'?", cmd.CommandPath(), meant)
	}
	return e
}

// flagError says what is wrong with a flag, without the value it was given.
func flagError(cmd *cobra.Command, err error) error {
	e := &usageError{problem: "cannot read the flags", hint: fmt.Sprintf("see '%s --help'", cmd.CommandPath())}
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		e.problem = "no such flag"
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if meant := nearest(unknown.GetSpecifiedName(), names); meant != "" {
			e.hint = "did you mean --" + meant + "?"
		}
	case errors.As(err, &missing):
		e.problem = fmt.Sprintf("--%s needs a value", missing.GetFlag().Name)
	case errors.As(err, &invalid):
		flag := invalid.GetFlag()
		e.problem = fmt.Sprintf("cannot read --%s: want %s", flag.Name, flag.Value.Type())
		if enum, ok := flag.Value.(*enumFlag); ok {
			e.problem = fmt.Sprintf("cannot read --%s: no such name", flag.Name)
			e.hint = "it is one of " + orList(enum.names())
		}
	}
	return e
}

// require fails when one of the flags was not given.
func require(cmd *cobra.Command, flags ...string) error {
	var absent []string
	for _, name := range flags {
		if !cmd.Flags().Changed(name) {
			absent = append(absent, "--"+name)
		}
	}
	if len(absent) == 0 {
		return nil
	}
	return &usageError{
		problem: "missing " + strings.Join(absent, ", "),
		hint:    fmt.Sprintf("see '%s --help'", cmd.CommandPath()),
	}
}
