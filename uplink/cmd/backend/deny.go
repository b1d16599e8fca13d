package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/backend"
	"github.com/stampd/stampd/uplink/backend/deny"
	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/identity"
)

func newDenyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deny",
		Short: "Keep a terminal or a certificate out",
		Long: `Edit the deny list. Who is on it is refused at the handshake and at enrolment, and
streams that are open end within two seconds; a running backend needs no restart. What
a terminal has queued stays on the terminal.

A stolen terminal is denied by its name, so that no certificate helps it. A certificate
whose key was copied is denied by its serial number; the terminal then enrols anew.`,
		Example: `  stampd-backend deny add --dir ./data --merchant corner-cafe --terminal t1 --reason stolen
  stampd-backend deny add --dir ./data --serial 4f1d0a9b22c3d4e5
  stampd-backend deny list --dir ./data`,
	}
	cmd.AddCommand(newDenyAddCommand(), newDenyRemoveCommand(), newDenyListCommand())
	return cmd
}

// openList opens the deny list of the backend that the flags name.
func openList(cmd *cobra.Command) (*deny.List, error) {
	dir, err := dataFolder(cmd)
	if err != nil {
		return nil, err
	}
	return deny.Open(backend.DenyDir(dir))
}

// denied is who the flags name.
type denied struct {
	id     identity.ID
	serial string
}

func (d *denied) addFlags(cmd *cobra.Command) {
	addDirFlag(cmd)
	addTerminalFlags(cmd, &d.id)
	cmd.Flags().StringVar(&d.serial, "serial", "", "serial number of a certificate, instead of a terminal: hex, with colons or without")
}

// entry reads the flags.
func (d *denied) entry(cmd *cobra.Command) (deny.Entry, error) {
	terminal := cmd.Flags().Changed("terminal") || cmd.Flags().Changed("merchant")
	if terminal == cmd.Flags().Changed("serial") {
		return deny.Entry{}, &cli.UsageError{Problem: "want either --serial, or --terminal and --merchant", Remedy: cli.SeeHelp(cmd)}
	}
	if terminal {
		return deny.Terminal(d.id), checkTerminal(cmd, d.id)
	}
	serial, err := deny.ParseSerial(d.serial)
	if err != nil {
		return deny.Entry{}, &cli.UsageError{Problem: "cannot read --serial: " + err.Error(), Remedy: "for example: openssl x509 -in terminal.pem -noout -serial"}
	}
	return deny.Certificate(serial), nil
}

func newDenyAddCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add",
		Short: "Put a terminal or a certificate onto the deny list",
		Example: `  stampd-backend deny add --dir ./data --merchant corner-cafe --terminal t1 --reason stolen
  stampd-backend deny add --dir ./data --serial 4F:1D:0A:9B:22:C3:D4:E5`,
	}
	var d denied
	d.addFlags(cmd)
	reason := cmd.Flags().String("reason", "", "why, for whoever reads the list")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		e, err := d.entry(cmd)
		if err != nil {
			return err
		}
		list, err := openList(cmd)
		if err != nil {
			return err
		}
		e.Note = deny.Note{Added: time.Now().UTC().Truncate(time.Second), Reason: *reason}
		added, err := list.Add(e)
		if errors.Is(err, deny.ErrReason) {
			return &cli.UsageError{Problem: "cannot use --reason: " + deny.ErrReason.Error(), Remedy: "for example --reason stolen"}
		}
		return tellChange(cmd, e, added, err, "is denied", "was denied already")
	}
	return cmd
}

func newDenyRemoveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "remove",
		Short:   "Take a terminal or a certificate off the deny list",
		Example: "  stampd-backend deny remove --dir ./data --merchant corner-cafe --terminal t1",
	}
	var d denied
	d.addFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		e, err := d.entry(cmd)
		if err != nil {
			return err
		}
		list, err := openList(cmd)
		if err != nil {
			return err
		}
		removed, err := list.Remove(e)
		return tellChange(cmd, e, removed, err, "is no longer denied", "was not denied")
	}
	return cmd
}

// tellChange prints what became of an entry. That it was so before is no error.
func tellChange(cmd *cobra.Command, e deny.Entry, changed bool, err error, yes, no string) error {
	if err != nil {
		return err
	}
	what := no
	if changed {
		what = yes
	}
	if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
		return printJSON(cmd.OutOrStdout(), map[string]any{"entry": e.String(), "changed": changed})
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), e, what)
	return err
}

// denyLine is what is printed of an entry as JSON.
type denyLine struct {
	Merchant string    `json:"merchant,omitempty"`
	Terminal string    `json:"terminal,omitempty"`
	Serial   string    `json:"serial,omitempty"`
	Added    time.Time `json:"added"`
	Reason   string    `json:"reason"`
}

func newDenyListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List who is denied, since when, and why",
		Example: "  stampd-backend deny list --dir ./data\n  stampd-backend deny list --dir ./data --json",
	}
	addDirFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		list, err := openList(cmd)
		if err != nil {
			return err
		}
		all, err := list.Entries()
		if err != nil {
			return err
		}
		lines := make([]denyLine, 0, len(all))
		for _, e := range all {
			l := denyLine{Merchant: e.ID.Merchant, Terminal: e.ID.Terminal, Added: e.Added, Reason: e.Reason}
			if e.Serial != nil {
				l.Serial = fmt.Sprintf("%x", e.Serial)
			}
			lines = append(lines, l)
		}
		if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
			return printJSON(cmd.OutOrStdout(), lines)
		}
		for _, e := range all {
			reason := e.Reason
			if reason != "" {
				reason = ": " + reason
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s, since %s%s\n", e, e.Added.Format(time.RFC3339), reason)
		}
		return nil
	}
	return cmd
}
