// Command stampd-backend is the reference backend: it takes what terminals send, keeps it in a log, and lands it as
// Parquet files. It also makes certificates, the tokens that terminals enrol with, the list of who is kept out, merchants' rules,
// and what terminals get of settings.
//
// serve.go, ca.go, token.go, deny.go, programme.go and settings.go each have one subcommand; package uplink/backend is what serve runs.
package main

import (
	"os"
	_ "time/tzdata" // the zones of shops, where the system has none

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/cli"
)

// Set at build time by -ldflags -X; empty in a plain `go build`.
var version, commit string

func main() { os.Exit(int(cli.Main(newRootCommand(), cli.Explain))) }

func newRootCommand() *cobra.Command {
	v := cli.NewVersion(version, commit)
	root := &cobra.Command{
		Use:   "stampd-backend",
		Short: "The reference backend of stampd",
		Long: `stampd-backend takes what terminals send over mutual TLS, keeps it in a log, and
lands it as Parquet files.

` + cli.ExitTable(cli.ExitOK, cli.ExitFailure, cli.ExitUsage),
		Example: `  stampd-backend ca init ./ca
  stampd-backend ca issue ./ca --server localhost,127.0.0.1 --out ./server
  stampd-backend ca issue ./ca --terminal t1 --merchant corner-cafe --out ./t1
  stampd-backend serve --dir ./data --cert ./server/server.pem --key ./server/server.key --ca ./server/ca.pem`,
	}
	root.AddCommand(newServeCommand(v), newCACommand(), newTokenCommand(), newDenyCommand(), newProgrammeCommand(), newSettingsCommand(), cli.NewVersionCommand("stampd-backend", v))
	return cli.Prepare(root, v)
}
