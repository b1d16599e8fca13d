package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// UsageError says that a command was called in a way that it does not have; the exit code is [ExitUsage]. It never holds
// what was given for a flag.
type UsageError struct {
	Problem string // what is wrong with the call
	Remedy  string // how to call it; may be empty

	usage string // printed before the error; may be empty
}

// Error returns what is wrong with the call.
func (e *UsageError) Error() string { return e.Problem }

// Hint returns how to call it.
func (e *UsageError) Hint() string { return e.Remedy }

// SeeHelp is the hint to read the help of cmd.
func SeeHelp(cmd *cobra.Command) string { return fmt.Sprintf("see '%s --help'", cmd.CommandPath()) }

// NoArguments returns a [*UsageError] when there are any.
func NoArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return &UsageError{
		Problem: fmt.Sprintf("'%s' takes no arguments, only flags", cmd.CommandPath()),
		Remedy:  SeeHelp(cmd),
	}
}

// OneArgument returns a check that there is one, not empty: what, such as "a file". Its error is a [*UsageError].
func OneArgument(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 && args[0] != "" {
			return nil
		}
		return &UsageError{
			Problem: fmt.Sprintf("'%s' takes one argument, %s", cmd.CommandPath(), what),
			Remedy:  SeeHelp(cmd),
		}
	}
}

// Require returns a [*UsageError] that names those of the flags that were not given, or given empty.
func Require(cmd *cobra.Command, flags ...string) error {
	var absent []string
	for _, name := range flags {
		if cmd.Flags().Lookup(name).Value.String() == "" {
			absent = append(absent, "--"+name)
		}
	}
	if len(absent) == 0 {
		return nil
	}
	return &UsageError{Problem: "missing " + strings.Join(absent, ", "), Remedy: SeeHelp(cmd)}
}

func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return unknownCommand(cmd, args[0])
}

func unknownCommand(cmd *cobra.Command, word string) *UsageError {
	names := namesOf(cmd)
	e := &UsageError{
		Problem: fmt.Sprintf("'%s' has no such command", cmd.CommandPath()),
		Remedy:  "it has " + OrList(names),
	}
	if meant := Nearest(word, names); meant != "" {
		e.Remedy = fmt.Sprintf("did you mean '%s %s'?", cmd.CommandPath(), meant)
	}
	return e
}

// namesOf returns the commands of cmd that its help lists.
func namesOf(cmd *cobra.Command) (names []string) {
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return names
}

// flagError says what is wrong with a flag, without the value it was given.
func flagError(cmd *cobra.Command, err error) error {
	e := &UsageError{Problem: "cannot read the flags", Remedy: SeeHelp(cmd)}
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		e.Problem = "no such flag"
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if meant := Nearest(unknown.GetSpecifiedName(), names); meant != "" {
			e.Remedy = "did you mean --" + meant + "?"
		}
	case errors.As(err, &missing):
		e.Problem = fmt.Sprintf("--%s needs a value", missing.GetFlag().Name)
	case errors.As(err, &invalid):
		flag := invalid.GetFlag()
		e.Problem = fmt.Sprintf("cannot read --%s: want %s", flag.Name, wants(flag.Value.Type()))
		if choice, ok := flag.Value.(interface{ Names() []string }); ok {
			e.Problem = fmt.Sprintf("cannot read --%s: no such name", flag.Name)
			e.Remedy = "it is one of " + OrList(choice.Names())
		}
	}
	return e
}

// wants says in words what a flag of a type of pflag takes.
func wants(kind string) string {
	switch kind {
	case "int", "int32", "int64", "uint", "uint32", "uint64":
		return "a whole number"
	case "duration":
		return `a duration with its unit, such as "10s" or "5m"`
	case "bool":
		return "true or false"
	}
	return "a " + kind
}

// OrList writes "a, b or c".
func OrList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
