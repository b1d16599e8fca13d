package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/identity"
)

func newCACommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "Make a certificate authority, and certificates by it",
		Long: `Make an authority in a folder, and certificates of the server and of terminals by it.
Its key lies in a file: a fleet's authority wants its key in hardware. Terminals get
their certificates from 'stampd-backend serve --est-listen' too, and 'stampd-backend
deny' keeps out who has one.`,
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
tenant.key. It lasts 10 years. When an authority is there already, it is left as it
is, and the command fails.`,
		Example: "  stampd-backend ca init ./ca",
		Args:    cli.OneArgument("the folder of the certificate authority"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := ca.Init(args[0]); err != nil {
				return remedyCA(err, args[0])
			}
			authority, err := ca.Load(args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "certificate authority made: %s\nSHA-256 fingerprint: %x\n",
				filepath.Join(args[0], ca.CertFile), sha256.Sum256(authority.Certificate().Raw))
			return err
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
references to phone numbers. Issuing again renews the certificate in place. It fails
when --out holds the files of another authority or of another merchant.`,
		Example: `  stampd-backend ca issue ./ca --server localhost,127.0.0.1 --out ./server
  stampd-backend ca issue ./ca --terminal t1 --merchant corner-cafe --out ./t1`,
		Args: cli.OneArgument("the folder of the certificate authority"),
	}
	var id identity.ID
	var hosts []string
	var out string
	flags := cmd.Flags()
	flags.StringSliceVar(&hosts, "server", nil, "names and addresses by which terminals reach the server (required for a server)")
	flags.StringVar(&id.Terminal, "terminal", "", "id of the terminal (required for a terminal)")
	flags.StringVar(&id.Merchant, "merchant", "", "id of the merchant whose terminal it is (required for a terminal)")
	flags.StringVar(&out, "out", "", "folder for the certificate and its key (required)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		server := flags.Changed("server")
		if server == (flags.Changed("terminal") || flags.Changed("merchant")) {
			return &cli.UsageError{Problem: "want either --server, or --terminal and --merchant", Remedy: cli.SeeHelp(cmd)}
		}
		if err := cli.Require(cmd, "out"); err != nil {
			return err
		}
		if server {
			if err := ca.IssueServer(args[0], hosts, out); err != nil {
				return remedyCA(err, args[0])
			}
			fmt.Fprintf(cmd.OutOrStdout(), "certificate issued for %s: %s\n", strings.Join(hosts, ", "), filepath.Join(out, ca.ServerCertFile))
			return nil
		}
		if err := cli.Require(cmd, "terminal", "merchant"); err != nil {
			return err
		}
		if err := id.Validate(); err != nil {
			return &cli.UsageError{Problem: err.Error(), Remedy: "for example --terminal t1 --merchant corner-cafe"}
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
	case errors.Is(err, ca.ErrExists), errors.Is(err, ca.ErrOtherAuthority):
		return cli.WithHint(err, "choose another folder; what is there was left as it is")
	case errors.Is(err, ca.ErrOtherMerchant):
		return cli.WithHint(err, "choose another folder with --out for this merchant's terminals; what is there was left as it is")
	case errors.Is(err, ca.ErrNone):
		return cli.WithHint(err, "make one with 'stampd-backend ca init "+dir+"'")
	case errors.Is(err, ca.ErrHost):
		return &cli.UsageError{Problem: "cannot use --server: a name in it is " + ca.ErrHost.Error(), Remedy: "for example --server localhost,127.0.0.1"}
	}
	return err
}
