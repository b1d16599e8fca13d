package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"
)

func newConfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config",
		Short:   "Show or check the settings",
		Example: "  stampd config show\n  stampd config check /etc/stampd/stampd.toml",
	}
	cmd.AddCommand(newConfigShowCommand(), newConfigCheckCommand())
	return cmd
}

func newConfigShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print every setting with its value and what it means",
		Long: `Print every setting as it takes effect: the defaults, and over them the config
file. The output is itself a config file.`,
		Example: `  stampd config show
  stampd config show --config ./stampd.toml --json
  stampd config show > /etc/stampd/stampd.toml`,
	}
	asJSON := cmd.Flags().Bool("json", false, "print as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		path, _ := cmd.Flags().GetString("config")
		cfg, err := loadConfig(path)
		if err != nil {
			return err
		}
		return printConfig(cmd.OutOrStdout(), cfg.Config, *asJSON)
	}
	return cmd
}

// printConfig writes the settings as a config file with comments, or as JSON with the same names.
func printConfig(w io.Writer, cfg Config, asJSON bool) error {
	data, err := toml.Marshal(cfg)
	if err != nil {
		return fmt.Errorf("cannot write the settings: %w", err)
	}
	if !asJSON {
		_, err = w.Write(data)
		return err
	}
	var settings map[string]any
	if err := toml.Unmarshal(data, &settings); err != nil {
		return fmt.Errorf("cannot write the settings: %w", err)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(settings)
}

func newConfigCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "check FILE",
		Short:   "Check a config file: exit 0 when it can be used, else 1 and what is wrong",
		Example: "  stampd config check /etc/stampd/stampd.toml",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &usageError{problem: "want one file", hint: "stampd config check " + defaultConfigPath}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(args[0])
			if err != nil {
				return err
			}
			if err := cfg.check(); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: ok\n", args[0])
			return err
		},
	}
}
