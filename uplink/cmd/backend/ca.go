package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/backend"
	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/identity"
)

func newCACommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "Make development certificates",
		Long: `Make development certificates: an authority in a folder, and certificates of the
server and of terminals by it. It is not meant for a fleet: its key lies in a file,
and it revokes nothing.`,
		Example: `  stampd-backend ca init ./ca
  stampd-backend ca issue ./ca --terminal t1 --merchant corner-cafe --out ./t1`,
	}
	cmd.AddCommand(newCAInitCommand(), newCAIssueCommand())
	return cmd
}

func newCAInitCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init DIR",
		Short: "Make a certificate authority in a folder",
		Long: `Make a certificate authority in a folder: ca.pem, and the secrets ca.key and
tenant.key. It lasts 10 years. An authority that is there is left as it is.`,
		Example: "  stampd-backend ca init ./ca",
		Args:    oneFolder,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := ca.Init(args[0]); err != nil {
				return remedyCA(err, args[0])
			}
			fmt.Fprintf(cmd.OutOrStdout(), "certificate authority made: %s\n", filepath.Join(args[0], ca.CertFile))
			return nil
		},
	}
}

func newCAIssueCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "issue DIR",
		Short: "Issue a certificate to the server or to a terminal",
		Long: `Issue a certificate by the authority in DIR. It lasts 90 days.

For the server, --out gets server.pem, server.key and ca.pem; for a terminal,
terminal.pem, terminal.key, ca.pem, and member.key, the merchant's key for
references to phone numbers. Issuing again renews the certificate in place.`,
		Example: `  stampd-backend ca issue ./ca --server localhost,127.0.0.1 --out ./server
  stampd-backend ca issue ./ca --terminal t1 --merchant corner-cafe --out ./t1`,
		Args: oneFolder,
	}
	var id identity.ID
	var hosts []string
	var out string
	flags := cmd.Flags()
	flags.StringSliceVar(&hosts, "server", nil, "names and addresses by which terminals reach the server")
	flags.StringVar(&id.Terminal, "terminal", "", "id of the terminal")
	flags.StringVar(&id.Merchant, "merchant", "", "id of the merchant whose terminal it is")
	flags.StringVar(&out, "out", "", "folder for the certificate and its key")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		server := flags.Changed("server")
		if server == (flags.Changed("terminal") || flags.Changed("merchant")) {
			return &usageError{problem: "want either --server, or --terminal and --merchant", hint: helpHint(cmd)}
		}
		if err := require(cmd, "out"); err != nil {
			return err
		}
		if server {
			if err := ca.IssueServer(args[0], hosts, out); err != nil {
				return remedyCA(err, args[0])
			}
			fmt.Fprintf(cmd.OutOrStdout(), "certificate issued for %s: %s\n", strings.Join(hosts, ", "), filepath.Join(out, ca.ServerCertFile))
			return nil
		}
		if err := require(cmd, "terminal", "merchant"); err != nil {
			return err
		}
		if err := id.Validate(); err != nil {
			return &usageError{problem: err.Error(), hint: "for example --terminal t1 --merchant corner-cafe"}
		}
		if err := ca.IssueTerminal(args[0], id, out); err != nil {
			return remedyCA(err, args[0])
		}
		fmt.Fprintf(cmd.OutOrStdout(), "certificate issued for %s: %s\n", id, filepath.Join(out, ca.TerminalCertFile))
		return nil
	}
	return cmd
}

// remedyCA adds to an error of package ca what to do about it.
func remedyCA(err error, dir string) error {
	switch {
	case errors.Is(err, ca.ErrExists):
		return &backend.Problem{Err: err, Remedy: "choose another folder; what is there was left as it is"}
	case errors.Is(err, ca.ErrNone):
		return &backend.Problem{Err: err, Remedy: "make one with 'stampd-backend ca init " + dir + "'"}
	case errors.Is(err, ca.ErrHost):
		return &usageError{problem: err.Error(), hint: "for example --server localhost,127.0.0.1"}
	}
	return err
}
