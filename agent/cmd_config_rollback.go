package main

import (
	"errors"
	"fmt"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/stampd/stampd/agent/settings"
	"github.com/stampd/stampd/uplink/cli"
)

func newConfigRollbackCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "Take back the settings that the backend has sent last",
		Long: `Take back the settings that the backend has sent last: those before them are in force
when the agent starts, and once more the config file's alone. The backend is told in an
audit event, and does not send the same version again. The agent must be stopped.`,
		Example: "  systemctl stop stampd && stampd config rollback && systemctl start stampd",
		Args:    cli.NoArguments,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		path, _ := cmd.Flags().GetString("config")
		cfg, err := loadConfig(path)
		if err != nil {
			return err
		}
		store := settings.Open(settings.Options{Path: cfg.settingsPath(), Judge: cfg.judge, Log: zerolog.Nop()})
		defer store.Close()
		gone, err := store.RollBack()
		if errors.Is(err, settings.ErrInUse) {
			return cli.WithHint(err, "stop it first: 'systemctl stop stampd'")
		}
		if err != nil {
			return err
		}
		if gone == 0 {
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "no settings of the backend are in force")
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "version %d of the backend's settings is taken back\n", gone)
		return err
	}
	return cmd
}
