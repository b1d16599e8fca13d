package main

import (
	"io"
	"os"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
)

func newRunCommand() *cobra.Command {
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
		return run(cmd.Context(), cfg.Config, newLogger(os.Stderr, cfg.Log), thisVersion())
	}
	return cmd
}

// newLogger returns the one logger that is handed down. It writes JSON, or lines for people when the format says so.
func newLogger(w io.Writer, cfg LogConfig) zerolog.Logger {
	level, err := zerolog.ParseLevel(cfg.Level)
	if err != nil {
		level = zerolog.InfoLevel
	}
	if cfg.Format == "console" || cfg.Format == "auto" && isTerminal(w) {
		w = zerolog.ConsoleWriter{Out: w, NoColor: !newPalette(w).on, TimeFormat: "15:04:05"}
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}
