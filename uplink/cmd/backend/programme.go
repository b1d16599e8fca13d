package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/backend"
	"github.com/stampd/stampd/uplink/backend/programme"
	"github.com/stampd/stampd/uplink/cli"
)

func newProgrammeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "programme",
		Short: "Put merchants' rules for stamp cards into force",
		Long: `Put, list and show the rules of merchants' stamp cards. A version never changes: what
was given under it counts by it for ever, so new rules get a higher version. Terminals
that are connected have them within two seconds, the others when they connect; a running
backend needs no restart.

A file with rules is TOML or JSON; 'stampd-backend programme put --help' shows one.`,
		Example: `  stampd-backend programme put --dir ./data --merchant corner-cafe coffee.toml
  stampd-backend programme list --dir ./data
  stampd-backend programme show --dir ./data --merchant corner-cafe coffee`,
	}
	cmd.AddCommand(newProgrammePutCommand(), newProgrammeListCommand(), newProgrammeShowCommand())
	return cmd
}

// openProgrammes opens the rules of the backend that the flags name.
func openProgrammes(cmd *cobra.Command) (*programme.Store, error) {
	dir, err := dataFolder(cmd)
	if err != nil {
		return nil, err
	}
	return programme.Open(backend.ProgrammesDir(dir))
}

func addMerchantFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("merchant", "", "id of the merchant whose rules they are")
}

func newProgrammePutCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "put FILE",
		Short: "Put a version of a programme into force",
		Long: `Put a version of a programme into force. A file has the fields of Programme in
uplink/wire/cards.proto, as TOML or JSON. One with all that shops commonly need:

  id = "coffee"
  version = 1                        # higher with each change
  stamps_per_reward = 9              # buy nine, get one free
  stamps_per_item = 1                # one for each coffee; without such a rule, one for each purchase
  max_stamps_per_purchase = 3        # the most that one purchase earns
  minimum_spend = [{ currency = "EUR", minor = 250 }]   # 2.50 EUR before tax and tip; left out: anything
  min_gap_ms = 600000                # ten minutes between two awards; 0: none; left out: 15 minutes
  max_per_day = 2                    # awards to one member; 0: any; left out: 1, or any when a purchase may earn several
  max_per_terminal_hour = 60         # awards by one terminal; 0 or left out: any, as of those below
  max_per_operator_hour = 60
  max_manual_per_day = 5             # awards for no sale, by one terminal
  zone = "Europe/Berlin"             # in which days begin; left out: UTC
  floor_per_account_day = 1          # rewards to one member while the backend can't be asked, at your risk; left out: none
  floor_total = 5                    # the same, of one terminal to all members; both are needed
  expire_after_ms = 31536000000      # stamps are lost after 365 days; left out: never
  # Several rewards, the cheapest first, which costs stamps_per_reward. Left out: one.
  [[rewards]]
  id = "coffee"
  name = "Any coffee"
  stamps = 9
  [[rewards]]
  id = "breakfast"
  name = "Breakfast for one"
  stamps = 20`,
		Example: "  stampd-backend programme put --dir ./data --merchant corner-cafe coffee.toml",
		Args:    cli.OneArgument("a file with the rules, .toml or .json"),
	}
	addDirFlag(cmd)
	merchant := addMerchantFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := cli.Require(cmd, "merchant"); err != nil {
			return err
		}
		syntax := programme.JSON
		if strings.HasSuffix(args[0], ".toml") {
			syntax = programme.TOML
		}
		text, err := os.ReadFile(args[0])
		if err != nil {
			return err
		}
		p, err := programme.Parse(text, syntax)
		if err != nil {
			return cli.WithHint(fmt.Errorf("cannot read %s: %w", args[0], err), "'stampd-backend programme put --help' has an example")
		}
		store, err := openProgrammes(cmd)
		if err != nil {
			return err
		}
		switch err := store.Put(*merchant, p); {
		case errors.Is(err, programme.ErrVersion):
			return cli.WithHint(err, "give the file a higher version; 'stampd-backend programme list' has those in force")
		case errors.Is(err, programme.ErrName):
			return &cli.UsageError{Problem: err.Error(), Remedy: "for example --merchant corner-cafe"}
		case err != nil:
			return err
		}
		if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
			return printJSON(cmd.OutOrStdout(), programmeLine{*merchant, p.ID, p.Version, true})
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "version %d of %s is in force for %s\n", p.Version, p.ID, *merchant)
		return err
	}
	return cmd
}

// programmeLine is what is printed of a version as JSON.
type programmeLine struct {
	Merchant string `json:"merchant"`
	ID       string `json:"id"`
	Version  uint32 `json:"version"`
	InForce  bool   `json:"in_force"`
}

func newProgrammeListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List all versions, of one merchant or of all",
		Example: "  stampd-backend programme list --dir ./data\n  stampd-backend programme list --dir ./data --merchant corner-cafe --json",
	}
	addDirFlag(cmd)
	merchant := addMerchantFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		store, err := openProgrammes(cmd)
		if err != nil {
			return err
		}
		all, err := store.List(*merchant)
		if err != nil {
			return err
		}
		if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
			lines := make([]programmeLine, 0, len(all))
			for _, l := range all {
				lines = append(lines, programmeLine(l))
			}
			return printJSON(cmd.OutOrStdout(), lines)
		}
		for _, l := range all {
			state := "replaced"
			if l.InForce {
				state = "in force"
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s  %s version %d, %s\n", l.Merchant, l.ID, l.Version, state)
		}
		return nil
	}
	return cmd
}

func newProgrammeShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Print a programme as JSON, in the form that 'put' takes",
		Example: "  stampd-backend programme show --dir ./data --merchant corner-cafe coffee\n  stampd-backend programme show --dir ./data --merchant corner-cafe coffee --version 1",
		Args:    cli.OneArgument("the id of a programme"),
	}
	addDirFlag(cmd)
	merchant := addMerchantFlag(cmd)
	version := cmd.Flags().Uint32("version", 0, "which version (default: the one in force)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := cli.Require(cmd, "merchant"); err != nil {
			return err
		}
		store, err := openProgrammes(cmd)
		if err != nil {
			return err
		}
		set, err := store.Set(*merchant)
		if err != nil {
			return err
		}
		p, ok := set.Programme(args[0])
		if ok && *version != 0 {
			if p, err = store.Version(*merchant, args[0], *version); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			ok = err == nil
		}
		if !ok {
			return cli.WithHint(fmt.Errorf("merchant %s has no such programme", *merchant), "'stampd-backend programme list' has what there is")
		}
		text, err := programme.Format(p)
		if err != nil {
			return err
		}
		_, err = cmd.OutOrStdout().Write(text)
		return err
	}
	return cmd
}
