// What a command takes from standard input, since a command line shows in the list of processes and in the shell's history.

package main

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stampd/stampd/uplink/cli"
)

// private marks a flag that can be read from standard input.
const private = "private"

// addPrivateFlag adds a flag for what should not show on a command line: a phone number, or what stands for a card.
func addPrivateFlag(flags *pflag.FlagSet, to *string, name, usage string) {
	flags.StringVar(to, name, "", usage+"; - reads a line of standard input")
	flags.SortFlags = false // they are read in the order in which they were given
	flags.Lookup(name).Annotations = map[string][]string{private: nil}
}

// maxPrivate is how long a line on standard input may be, in bytes: longer than any phone number or token.
const maxPrivate = 256

// readPrivate replaces each "-" of a private flag with a line of standard input, in the order in which the flags were given.
func readPrivate(cmd *cobra.Command) (err error) {
	var in *bufio.Scanner
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if _, is := f.Annotations[private]; !is || f.Value.String() != "-" || err != nil {
			return
		}
		if in == nil {
			in = bufio.NewScanner(cmd.InOrStdin())
			in.Buffer(make([]byte, maxPrivate), maxPrivate)
		}
		in.Scan()
		line := strings.TrimSpace(in.Text())
		switch {
		case in.Err() != nil:
			err = fmt.Errorf("cannot read --%s from standard input: %w", f.Name, in.Err())
		case line == "":
			err = &cli.UsageError{Problem: "there is no line on standard input for --" + f.Name, Remedy: cli.SeeHelp(cmd)}
		default:
			err = f.Value.Set(line)
		}
	})
	return err
}
