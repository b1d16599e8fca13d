package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// Prepare completes the tree of commands under root and returns root: errors are left to [Run] to print, a command takes
// no arguments unless it says so, a group of commands needs one of them, --version prints the version, and help and
// completion are listed. Call it once, when every command is added.
func Prepare(root *cobra.Command, v Version) *cobra.Command {
	root.Version = v.Version
	root.SetHelpCommand(newHelpCommand())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			for _, shell := range cmd.Commands() {
				shell.Args = NoArguments
			}
		}
	}
	prepare(root)
	return root
}

func prepare(cmd *cobra.Command) {
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetFlagErrorFunc(flagError)
	if cmd.HasSubCommands() {
		cmd.Args = noSuchCommand
		cmd.RunE = needsCommand
	} else if cmd.Args == nil {
		cmd.Args = NoArguments
	}
	for _, sub := range cmd.Commands() {
		prepare(sub)
	}
}

// needsCommand says which commands there are below one that does nothing by itself.
func needsCommand(cmd *cobra.Command, _ []string) error {
	return &UsageError{
		Problem: fmt.Sprintf("'%s' needs a command", cmd.CommandPath()),
		Remedy:  "it has " + OrList(namesOf(cmd)),
		usage:   cmd.UsageString(),
	}
}

// refuseHelp makes --help after a command that does not exist fail, and not show the help of what is above it. The
// function that it returns gives the error afterwards.
func refuseHelp(root *cobra.Command) func() error {
	var err error
	help := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if err = misnamed(cmd, cmd.Flags().Args()); err == nil {
			help(cmd, args)
		}
	})
	return func() error { return err }
}

// newHelpCommand is cobra's help command, but for a topic that does not exist: that is a mistake as everywhere else.
func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Help about any command",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			topic, rest, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			if err := misnamed(topic, rest); err != nil {
				return err
			}
			topic.InitDefaultHelpFlag()
			topic.InitDefaultVersionFlag()
			return topic.Help()
		},
	}
}

// misnamed returns an error with the usage of cmd when args begins with a command that cmd does not have.
func misnamed(cmd *cobra.Command, args []string) error {
	if !cmd.HasSubCommands() || len(args) == 0 {
		return nil
	}
	e := unknownCommand(cmd, args[0])
	e.usage = cmd.UsageString()
	return e
}
