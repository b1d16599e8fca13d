// What a command takes from standard input, since a command line shows in the list of processes and in the shell's history.

package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stampd/stampd/uplink/cli"
)

// private marks a flag that can be read from standard input.
const private = "private"

// addPrivateFlag adds a flag for what should not show on a command line: a phone number, or what stands for a card.
func addPrivateFlag(flags *pflag.FlagSet, to *string, name, usage string) {
	flags.StringVar(to, name, "", usage+"; - reads it from standard input")
	flags.Lookup(name).Annotations = map[string][]string{private: nil}
}

// maxPrivate is how long a line on standard input may be, in bytes: longer than any phone number or token.
const maxPrivate = 256

// readPrivate replaces the "-" of a private flag with the first line of standard input.
func readPrivate(cmd *cobra.Command) (err error) {
	var from []*pflag.Flag
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if _, is := f.Annotations[private]; is && f.Value.String() == "-" {
			from = append(from, f)
		}
	})
	switch len(from) {
	case 0:
		return nil
	case 1:
	default:
		return &cli.UsageError{
			Problem: fmt.Sprintf("--%s and --%s can't both be read from standard input", from[0].Name, from[1].Name), Remedy: "give - to one of them",
		}
	}
	line, err := bufio.NewReader(io.LimitReader(cmd.InOrStdin(), maxPrivate)).ReadString('\n')
	if err != nil && err != io.EOF {
		return fmt.Errorf("cannot read --%s from standard input: %w", from[0].Name, err)
	}
	if line = strings.TrimSpace(line); line == "" {
		return &cli.UsageError{Problem: "there is nothing on standard input for --" + from[0].Name, Remedy: "such as: echo … | " + cmd.CommandPath() + " --" + from[0].Name + " -"}
	}
	return from[0].Value.Set(line)
}
