package main

import (
	"fmt"
	"net"
	"os"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/backend"
)

func newServeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve terminals until SIGTERM or SIGINT",
		Long: `Serve terminals until SIGTERM or SIGINT. Who a terminal is, its certificate says.
What it sends is on disk before it is told so, and lands as Parquet files. A stop
takes at most 5 seconds; a kill at any time loses nothing.`,
		Example: `  stampd-backend serve --dir ./data --cert ./server/server.pem --key ./server/server.key --ca ./server/ca.pem
  stampd-backend serve --listen :8443 --dir /var/lib/stampd-backend --roll-rows 1000000 --roll-every 5m \
    --cert server.pem --key server.key --ca ca.pem`,
		Args: noArguments,
	}
	var o backend.Options
	var format string
	flags := cmd.Flags()
	flags.StringVar(&o.Listen, "listen", "127.0.0.1:8443", "address to serve terminals on")
	flags.StringVar(&o.Dir, "dir", "", "folder of the log")
	flags.StringVar(&o.CertFile, "cert", "", "the server's certificate, PEM")
	flags.StringVar(&o.KeyFile, "key", "", "the key of the server's certificate, PEM")
	flags.StringVar(&o.CAFile, "ca", "", "the authority that terminals' certificates must come from, PEM")
	flags.StringVar(&o.LandDir, "land-dir", "", "folder to land Parquet files in (default DIR/parquet)")
	flags.IntVar(&o.RollRows, "roll-rows", 100_000, "rows after which new files are begun")
	flags.DurationVar(&o.RollEvery, "roll-every", 10e9, "how long a row waits at most to be landed")
	flags.StringVar(&format, "log-format", "auto", "auto, json or console")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := require(cmd, "dir", "cert", "key", "ca", "listen"); err != nil {
			return err
		}
		if err := checkServe(cmd, o, format); err != nil {
			return err
		}
		o.Logger = newLogger(os.Stderr, format)
		o.Version = thisVersion().Version
		if name, err := os.Hostname(); err == nil {
			o.Name = name
		}
		b, err := backend.Open(o)
		if err != nil {
			return err
		}
		return b.Run(cmd.Context())
	}
	return cmd
}

// checkServe returns an error when a flag has a value that makes no sense.
func checkServe(cmd *cobra.Command, o backend.Options, format string) error {
	switch {
	case format != "auto" && format != "json" && format != "console":
		return &usageError{problem: "cannot read --log-format: no such format", hint: "it is one of auto, json, console"}
	case o.RollRows < 1:
		return &usageError{problem: "cannot use --roll-rows: want 1 or more", hint: helpHint(cmd)}
	case o.RollEvery <= 0:
		return &usageError{problem: "cannot use --roll-every: want a time above 0", hint: "for example 10s or 5m"}
	}
	if _, _, err := net.SplitHostPort(o.Listen); err != nil {
		return &usageError{problem: fmt.Sprintf("cannot use --listen: %q is no host:port", o.Listen), hint: "for example 127.0.0.1:8443, or :8443 for every address of this machine"}
	}
	return nil
}

// newLogger returns the one logger that is handed down. It writes JSON, or lines for people when the format says so.
func newLogger(out *os.File, format string) zerolog.Logger {
	if format == "console" || format == "auto" && isTerminal(out) {
		colour := isTerminal(out) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" // no-color.org
		return zerolog.New(zerolog.ConsoleWriter{Out: out, NoColor: !colour, TimeFormat: "15:04:05"}).With().Timestamp().Logger()
	}
	return zerolog.New(out).With().Timestamp().Logger()
}
