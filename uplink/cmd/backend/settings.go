package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/backend"
	"github.com/stampd/stampd/uplink/backend/settings"
	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/identity"
)

func newSettingsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "settings",
		Short: "Change settings of terminals from afar",
		Long: `Put, list, show and clear settings of all terminals of a merchant, or of one, whose own
go over the merchant's. A file is like the agent's config file, and replaces what was
put before for the same terminals. Those that are connected have it within two seconds,
the others when they connect; a running backend needs no restart.

A terminal takes all of it or nothing, and says so in an audit event: settings_applied
when it runs with it, settings_kept when it has been up and online for ten minutes,
settings_rolled_back when it has gone back to what it had before, settings_refused when
something in it is wrong or not to be changed from afar. 'stampd config show --help'
says which settings can be.`,
		Example: `  stampd-backend settings put --dir ./data --merchant corner-cafe slower.toml
  stampd-backend settings put --dir ./data --merchant corner-cafe --terminal t1 debug.toml --note "ticket 118"
  stampd-backend settings show --dir ./data --merchant corner-cafe --terminal t1
  stampd-backend settings clear --dir ./data --merchant corner-cafe --terminal t1`,
	}
	cmd.AddCommand(newSettingsPutCommand(), newSettingsClearCommand(), newSettingsListCommand(), newSettingsShowCommand())
	return cmd
}

// settingsTarget is whose settings the flags name.
type settingsTarget struct{ id identity.ID }

func (t *settingsTarget) addFlags(cmd *cobra.Command) {
	addDirFlag(cmd)
	addTerminalFlags(cmd, &t.id)
	cmd.Flags().Lookup("terminal").Usage = "id of the terminal (default: all terminals of the merchant)"
}

// open opens the settings of the backend that the flags name.
func (t *settingsTarget) open(cmd *cobra.Command) (*settings.Store, error) {
	if err := cli.Require(cmd, "merchant"); err != nil {
		return nil, err
	}
	return openSettings(cmd)
}

func openSettings(cmd *cobra.Command) (*settings.Store, error) {
	dir, err := dataFolder(cmd)
	if err != nil {
		return nil, err
	}
	return settings.Open(backend.SettingsDir(dir))
}

// String names who has the settings.
func (t *settingsTarget) String() string {
	if t.id.Terminal == "" {
		return "all terminals of " + t.id.Merchant
	}
	return fmt.Sprintf("terminal %s of %s", t.id.Terminal, t.id.Merchant)
}

// put puts a version, and tells of it.
func (t *settingsTarget) put(cmd *cobra.Command, v settings.Version, done string) error {
	store, err := t.open(cmd)
	if err != nil {
		return err
	}
	v.Terminal, v.Added = t.id.Terminal, time.Now().UTC().Truncate(time.Second)
	v, err = store.Put(t.id.Merchant, v)
	if wrong, ok := errors.AsType[*settings.TextError](err); ok {
		return cli.WithHint(fmt.Errorf("cannot put settings: %w", wrong), `write sections and settings as a config file has them, such as [telemetry] and battery_every = "5m"`)
	}
	switch {
	case errors.Is(err, settings.ErrName):
		return &cli.UsageError{Problem: err.Error(), Remedy: "for example --merchant corner-cafe --terminal t1"}
	case errors.Is(err, settings.ErrNote):
		return &cli.UsageError{Problem: err.Error(), Remedy: `for example --note "ticket 118"`}
	case errors.Is(err, settings.ErrVersion):
		return cli.WithHint(err, "leave --version out: it gets the next one")
	case err != nil:
		return err
	}
	if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
		return printJSON(cmd.OutOrStdout(), lineOf(t.id.Merchant, v, true))
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "version %d of the settings of %s %s\n", v.Number, t, done)
	return err
}

func newSettingsPutCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "put FILE",
		Short: "Send settings, in place of those that were put before",
		Example: `  stampd-backend settings put --dir ./data --merchant corner-cafe slower.toml
  stampd-backend settings put --dir ./data --merchant corner-cafe --terminal t1 debug.toml`,
		Args: cli.OneArgument("a file with settings, in TOML"),
	}
	var t settingsTarget
	t.addFlags(cmd)
	note := cmd.Flags().String("note", "", "why, for whoever lists them")
	version := cmd.Flags().Uint32("version", 0, "number of the version, above all before (default: the next one); for a backend that has lost some")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := cli.Require(cmd, "merchant"); err != nil {
			return err
		}
		text, err := os.ReadFile(args[0])
		if err != nil {
			return cli.WithHint(err, "name a file with settings, such as [telemetry] and battery_every = \"5m\"")
		}
		return t.put(cmd, settings.Version{Number: *version, Note: *note, TOML: string(text)}, "goes out")
	}
	return cmd
}

func newSettingsClearCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "clear",
		Short:   "Take settings back: the merchant's hold again, or the terminals' own files",
		Example: "  stampd-backend settings clear --dir ./data --merchant corner-cafe --terminal t1",
	}
	var t settingsTarget
	t.addFlags(cmd)
	note := cmd.Flags().String("note", "", "why, for whoever lists them")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return t.put(cmd, settings.Version{Note: *note}, "goes out: it clears them")
	}
	return cmd
}

// settingsLine is what is printed of a version as JSON.
type settingsLine struct {
	Merchant string    `json:"merchant"`
	Terminal string    `json:"terminal,omitempty"`
	Version  uint32    `json:"version"`
	Added    time.Time `json:"added"`
	Note     string    `json:"note"`
	Cleared  bool      `json:"cleared"`
	InForce  bool      `json:"in_force"`
}

func lineOf(merchant string, v settings.Version, inForce bool) settingsLine {
	return settingsLine{merchant, v.Terminal, v.Number, v.Added, v.Note, v.TOML == "", inForce}
}

func newSettingsListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List all versions, of one merchant or of all",
		Example: "  stampd-backend settings list --dir ./data\n  stampd-backend settings list --dir ./data --merchant corner-cafe --json",
	}
	addDirFlag(cmd)
	merchant := cmd.Flags().String("merchant", "", "id of the merchant (default: all)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		store, err := openSettings(cmd)
		if err != nil {
			return err
		}
		merchants := []string{*merchant}
		if *merchant == "" {
			if merchants, err = store.Merchants(); err != nil {
				return err
			}
		}
		lines := []settingsLine{}
		for _, m := range merchants {
			all, err := store.Versions(m)
			if err != nil {
				return err
			}
			newest := map[string]uint32{}
			for _, v := range all {
				newest[v.Terminal] = v.Number
			}
			for _, v := range all {
				lines = append(lines, lineOf(m, v, newest[v.Terminal] == v.Number))
			}
		}
		if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
			return printJSON(cmd.OutOrStdout(), lines)
		}
		for _, l := range lines {
			printSettingsLine(cmd, l)
		}
		return nil
	}
	return cmd
}

func printSettingsLine(cmd *cobra.Command, l settingsLine) {
	t := settingsTarget{identity.ID{Merchant: l.Merchant, Terminal: l.Terminal}}
	state := "replaced"
	switch {
	case l.InForce && l.Cleared:
		state = "cleared"
	case l.InForce:
		state = "in force"
	}
	note := l.Note
	if note != "" {
		note = ": " + note
	}
	fmt.Fprintf(cmd.OutOrStdout(), "version %d for %s, since %s, %s%s\n", l.Version, &t, l.Added.Format(time.RFC3339), state, note)
}

func newSettingsShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show",
		Short:   "Print what a terminal is to have, or all of a merchant's, in the form that 'put' takes",
		Example: "  stampd-backend settings show --dir ./data --merchant corner-cafe --terminal t1",
	}
	var t settingsTarget
	t.addFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		store, err := t.open(cmd)
		if err != nil {
			return err
		}
		e, err := store.Effective(t.id)
		if errors.Is(err, settings.ErrName) {
			return &cli.UsageError{Problem: err.Error(), Remedy: "for example --merchant corner-cafe --terminal t1"}
		}
		if err != nil {
			return err
		}
		if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
			return printJSON(cmd.OutOrStdout(), map[string]any{"version": e.Number, "toml": e.TOML})
		}
		if e.Number == 0 {
			return cli.WithHint(fmt.Errorf("no settings were put for %s", &t), "'stampd-backend settings list' has what there is")
		}
		fmt.Fprintf(cmd.OutOrStdout(), "# version %d for %s\n%s", e.Number, &t, e.TOML)
		return nil
	}
	return cmd
}
