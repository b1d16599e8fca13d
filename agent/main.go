// Command stampd is the agent on a payment terminal. It records payments and stamps for the point-of-sale app, reads the
// hardware, keeps everything on disk while offline, and streams it to the backend.
//
// run.go builds the agent from its parts; config.go has every setting; each cmd_*.go is one subcommand.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/cli"
)

func main() { os.Exit(int(cli.Main(newRootCommand(), explain))) }

func newRootCommand() *cobra.Command {
	v := cli.NewVersion(version, commit)
	root := &cobra.Command{
		Use:   "stampd",
		Short: "The agent on a payment terminal",
		Long: `stampd records payments and loyalty stamps for the point-of-sale app, reads the
terminal's hardware, keeps everything on disk while offline, and streams it to
the backend.

` + cli.ExitTable(cli.ExitOK, cli.ExitFailure, cli.ExitRefused, cli.ExitUnreachable, cli.ExitTimeout, cli.ExitUsage),
		Example: `  stampd run --config /etc/stampd/stampd.toml
  stampd status
  stampd payment record --key order-17/auth --kind authorised --amount 12.50 --currency EUR`,
	}
	root.PersistentFlags().String("config", "", "config file (default "+defaultConfigPath+" if it exists)")
	root.AddCommand(
		newRunCommand(v),
		newEnrollCommand(),
		newConfigCommand(),
		newStatusCommand(),
		newReadinessCommand(),
		newPaymentCommand(),
		newStampCommand(),
		newCardCommand(),
		newMemberCommand(),
		newFlushCommand(),
		newQueueCommand(),
		cli.NewVersionCommand("stampd", v),
	)
	return cli.Prepare(root, v)
}
