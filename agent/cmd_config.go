package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/cli"
)

func newConfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config",
		Short:   "Show or check the settings, or take back the backend's",
		Example: "  stampd config show\n  stampd config check /etc/stampd/stampd.toml",
	}
	cmd.AddCommand(newConfigShowCommand(), newConfigCheckCommand(), newConfigRollbackCommand())
	return cmd
}

func newConfigShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print every setting with its value and what it means",
		Long: `Print every setting as it takes effect, and where it comes from: the defaults, over
them the config file, and over that what the backend has sent. The output is itself a
config file, in which terminal.id and terminal.merchant must be filled in. Write it to a
new name: the shell empties the file that it writes to before stampd reads its settings.

The backend can change what is marked Remote, and nothing else. A change is in force
within a second or two: the agent starts again, in the same process. It is on trial
until the agent has been up and online for ten minutes. When the agent does not stay up
with it, or does not get online within ten minutes, what was in force before comes back.`,
		Example: `  stampd config show
  stampd config show --config ./stampd.toml --json
  stampd config show > stampd.toml.new`,
	}
	asJSON := cmd.Flags().Bool("json", false, "print as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		path, _ := cmd.Flags().GetString("config")
		cfg, err := loadConfig(path)
		if err != nil {
			return err
		}
		effective, sources, err := cfg.effective()
		if err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "warning: what the backend has sent is left out: %v\nhint: run as root, or as the agent's user\n", err)
		}
		return printConfig(cmd.OutOrStdout(), effective, sources, *asJSON)
	}
	return cmd
}

func newConfigCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Check a config file: exit 0 when it can be used, else 1 and what is wrong",
		Long: `Check a config file: exit 0 when the agent can run with it, else 1 and everything
that is wrong. A file that it names and that does not exist is a warning.`,
		Example: "  stampd config check /etc/stampd/stampd.toml",
		Args:    cli.OneArgument("a config file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(args[0])
			if err != nil {
				return err
			}
			if err := cfg.check(); err != nil {
				return err
			}
			for _, absent := range cfg.missing() {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: %v\n", absent)
				if hint := absent.Hint(); hint != "" {
					fmt.Fprintf(cmd.ErrOrStderr(), "hint: %s\n", hint)
				}
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: ok\n", args[0])
			return err
		},
	}
}
