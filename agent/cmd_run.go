package main

import (
	"fmt"
	"os"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/cli"
)

func newRunCommand(v cli.Version) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the agent until SIGTERM or SIGINT",
		Long: `Run the agent in the foreground until SIGTERM or SIGINT. It stops within 5 seconds,
after one attempt to send what is queued. What is broken on the terminal is
reported and does not keep it from starting; a config file that can't be used does.`,
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
		level, err := zerolog.ParseLevel(cfg.Log.Level)
		if err != nil {
			return fmt.Errorf("cannot use log.level: %w", err)
		}
		return run(cmd.Context(), cfg.Config, cli.NewLogger(os.Stderr, cfg.Log.Format).Level(level), v)
	}
	return cmd
}
