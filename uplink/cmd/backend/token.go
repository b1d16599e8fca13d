package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/backend"
	"github.com/stampd/stampd/uplink/backend/enrol"
	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/identity"
)

func newTokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make and remove the one-time tokens that terminals enrol with",
		Long: `Make, list and remove one-time tokens. A token is for one terminal and for the first
key that asks with it. It is shown when it is made and never again: what is kept of it
is its hash. A running backend needs no restart.`,
		Example: `  stampd-backend token new --dir ./data --merchant corner-cafe --terminal t1
  stampd-backend token list --dir ./data`,
	}
	cmd.AddCommand(newTokenNewCommand(), newTokenListCommand(), newTokenRemoveCommand())
	return cmd
}

// addDirFlag adds the flag that names the backend's data folder.
func addDirFlag(cmd *cobra.Command) {
	cmd.Flags().String("dir", "", "the backend's folder, as of 'stampd-backend serve' (required)")
	cmd.Flags().Bool("json", false, "print as JSON")
}

// openTokens opens the tokens of the backend that the flags name.
func openTokens(cmd *cobra.Command) (*enrol.Tokens, error) {
	dir, err := dataFolder(cmd)
	if err != nil {
		return nil, err
	}
	return enrol.OpenTokens(backend.TokensDir(dir))
}

// dataFolder returns what --dir names. A folder that is not there is one that no backend will look into.
func dataFolder(cmd *cobra.Command) (string, error) {
	if err := cli.Require(cmd, "dir"); err != nil {
		return "", err
	}
	dir, _ := cmd.Flags().GetString("dir")
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", cli.WithHint(fmt.Errorf("cannot use --dir: no folder %s is there", dir), "name the folder that 'stampd-backend serve' has with --dir; it makes it when it starts")
	}
	return dir, nil
}

// addTerminalFlags adds the flags that name a terminal.
func addTerminalFlags(cmd *cobra.Command, id *identity.ID) {
	cmd.Flags().StringVar(&id.Terminal, "terminal", "", "id of the terminal")
	cmd.Flags().StringVar(&id.Merchant, "merchant", "", "id of the merchant whose terminal it is")
}

// checkTerminal returns an error unless both flags have names that can be.
func checkTerminal(cmd *cobra.Command, id identity.ID) error {
	if err := cli.Require(cmd, "merchant", "terminal"); err != nil {
		return err
	}
	if err := id.Validate(); err != nil {
		return &cli.UsageError{Problem: err.Error(), Remedy: "for example --terminal t1 --merchant corner-cafe"}
	}
	return nil
}

// tokenLine is what is printed of a token as JSON.
type tokenLine struct {
	Name     string    `json:"name"`
	Merchant string    `json:"merchant"`
	Terminal string    `json:"terminal"`
	Expires  time.Time `json:"expires"`
	State    string    `json:"state"`            // "unused", "used" or "expired"
	Serial   string    `json:"serial,omitempty"` // of the certificate that it was used for
	Token    string    `json:"token,omitempty"`  // only of a new one
}

func newTokenLine(t enrol.Token) tokenLine {
	l := tokenLine{Name: t.Name, Merchant: t.ID.Merchant, Terminal: t.ID.Terminal, Expires: t.Expires, State: "unused"}
	switch {
	case t.Certificate != nil:
		l.State, l.Serial = "used", fmt.Sprintf("%x", t.Certificate.SerialNumber)
	case !time.Now().Before(t.Expires):
		l.State = "expired"
	}
	return l
}

func newTokenNewCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "new",
		Short: "Make a token for a terminal, and print it",
		Long: `Make a token for a terminal, and print it: 43 characters and nothing else. Whoever
has it can enrol as that terminal until it was used or expires.`,
		Example: `  stampd-backend token new --dir ./data --merchant corner-cafe --terminal t1 > token.txt
  stampd-backend token new --dir ./data --merchant corner-cafe --terminal t2 --expires 1h --json`,
	}
	addDirFlag(cmd)
	var id identity.ID
	addTerminalFlags(cmd, &id)
	expires := cmd.Flags().Duration("expires", 24*time.Hour, "how long it can be used, up to a year")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkTerminal(cmd, id); err != nil {
			return err
		}
		tokens, err := openTokens(cmd)
		if err != nil {
			return err
		}
		text, kept, err := tokens.New(id, *expires)
		if errors.Is(err, enrol.ErrLife) {
			return &cli.UsageError{Problem: "cannot use --expires: " + enrol.ErrLife.Error(), Remedy: "for example 24h"}
		}
		if err != nil {
			return err
		}
		if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
			line := newTokenLine(kept)
			line.Token = text
			return printJSON(cmd.OutOrStdout(), line)
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
		return err
	}
	return cmd
}

func newTokenListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List tokens by their names, with who they are for and what became of them",
		Example: "  stampd-backend token list --dir ./data\n  stampd-backend token list --dir ./data --json",
	}
	addDirFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		tokens, err := openTokens(cmd)
		if err != nil {
			return err
		}
		all, err := tokens.List()
		if err != nil {
			return err
		}
		lines := make([]tokenLine, 0, len(all))
		for _, t := range all {
			lines = append(lines, newTokenLine(t))
		}
		if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
			return printJSON(cmd.OutOrStdout(), lines)
		}
		for _, l := range lines {
			state := l.State
			if l.Serial != "" {
				state = "used for certificate " + l.Serial
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s  terminal %s of merchant %s, until %s, %s\n", l.Name, l.Terminal, l.Merchant, l.Expires.UTC().Format(time.RFC3339), state)
		}
		return nil
	}
	return cmd
}

func newTokenRemoveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a token by its name, so that nobody can use it",
		Long: `Remove a token by its name, as 'stampd-backend token list' prints it. A certificate
that it was used for stays good; 'stampd-backend deny add' ends that.`,
		Example: "  stampd-backend token remove --dir ./data 4f1d0a9b22c3d4e5",
		Args:    cli.OneArgument("the name of a token"),
	}
	addDirFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		tokens, err := openTokens(cmd)
		if err != nil {
			return err
		}
		err = tokens.Remove(args[0])
		if errors.Is(err, enrol.ErrUnknown) {
			return cli.WithHint(err, "'stampd-backend token list' prints the names")
		}
		return err
	}
	return cmd
}

// printJSON writes v with line breaks.
func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
