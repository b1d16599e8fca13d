// Command stampd is the agent on a payment terminal. It records payments and stamps for the point-of-sale app, reads the
// hardware, keeps everything on disk while offline, and streams it to the backend.
//
// run.go builds the agent from its parts; config.go has every setting; each cmd_*.go is one subcommand.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRootCommand().ExecuteContext(ctx)
	stop()
	printError(os.Stderr, err)
	os.Exit(exitCode(err))
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "stampd",
		Short: "The agent on a payment terminal",
		Long: `stampd records payments and loyalty stamps for the point-of-sale app, reads the
terminal's hardware, keeps everything on disk while offline, and streams it to
the backend.`,
		Example: `  stampd run --config /etc/stampd/stampd.toml
  stampd status
  stampd payment record --key order-17/auth --kind authorised --amount 12.50 --currency EUR`,
	}
	root.PersistentFlags().String("config", "", "config file (default "+defaultConfigPath+" if it exists)")
	root.AddCommand(
		newRunCommand(),
		newConfigCommand(),
		newStatusCommand(),
		newPaymentCommand(),
		newStampCommand(),
		newFlushCommand(),
		newVersionCommand(),
	)
	return quiet(root)
}

// quiet makes cmd and all below it leave the printing of errors to [printError], and take no arguments.
func quiet(cmd *cobra.Command) *cobra.Command {
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.CompletionOptions.HiddenDefaultCmd = true
	cmd.SetFlagErrorFunc(flagError)
	if cmd.HasSubCommands() {
		cmd.Args = noSuchCommand
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	} else if cmd.Args == nil {
		cmd.Args = noArguments
	}
	for _, sub := range cmd.Commands() {
		quiet(sub)
	}
	return cmd
}
