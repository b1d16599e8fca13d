package main

import (
	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/cli"
)

func newRunCommand(v cli.Version) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the agent until SIGTERM or SIGINT",
		Long: `Run the agent in the foreground until SIGTERM or SIGINT. It stops within 5 seconds,
after one attempt to send what is queued. What is broken on the terminal is
reported and does not keep it from starting; a config file that can't be used does.
When the backend has sent other settings, it stops and starts again by itself, in the
same process; with settings that do not work it goes back to those before them.`,
		Example: "  stampd run\n  stampd run --config ./stampd.toml",
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		path, _ := cmd.Flags().GetString("config")
		cfg, err := loadConfig(path)
		if err != nil {
			return err
		}
		if err := cfg.check(); err != nil {
			return err
		}
		return runAgain(cmd.Context(), cfg, v)
	}
	return cmd
}
