// Command stampd-backend is the reference backend: it takes what terminals send, keeps it in a log, and lands it as
// Parquet files. It also makes development certificates.
//
// Each of serve.go, ca.go and version.go is one subcommand; package uplink/backend is what serve runs.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() { os.Exit(program()) }

// program runs the command line and returns the exit code.
func program() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := newRootCommand().ExecuteContext(ctx)
	printError(os.Stderr, err)
	return exitCode(err)
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "stampd-backend",
		Short: "The reference backend of stampd",
		Long: `stampd-backend takes what terminals send over mutual TLS, keeps it in a log, and
lands it as Parquet files.`,
		Example: `  stampd-backend ca init ./ca
  stampd-backend ca issue ./ca --server localhost,127.0.0.1 --out ./server
  stampd-backend ca issue ./ca --terminal t1 --merchant corner-cafe --out ./t1
  stampd-backend serve --dir ./data --cert ./server/server.pem --key ./server/server.key --ca ./server/ca.pem`,
	}
	root.AddCommand(newServeCommand(), newCACommand(), newVersionCommand())
	return quiet(root)
}

// quiet makes cmd and all below it leave the printing of errors to [printError].
func quiet(cmd *cobra.Command) *cobra.Command {
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.CompletionOptions.HiddenDefaultCmd = true
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{problem: err.Error(), hint: helpHint(cmd)}
	})
	if cmd.HasSubCommands() {
		cmd.Args = noSuchCommand
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	for _, sub := range cmd.Commands() {
		quiet(sub)
	}
	return cmd
}
