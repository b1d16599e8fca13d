package main

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/backend"
	"github.com/stampd/stampd/uplink/cli"
)

func newServeCommand(v cli.Version) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve terminals until SIGTERM or SIGINT",
		Long: `Serve terminals until SIGTERM or SIGINT. A terminal is who its certificate says.
What it sends is on disk before it is told so, and lands as Parquet files. A stop
takes at most 5 seconds; a kill at any time loses nothing.

With --est-listen it also gives terminals their certificates, over EST (RFC 7030): the
first for a token that 'stampd-backend token new' makes, later ones for the one before.
Renewed files of --cert, --key and --ca are used without a restart, and so are changes
by 'stampd-backend token' and 'stampd-backend deny'.`,
		Example: `  stampd-backend serve --dir ./data --cert ./server/server.pem --key ./server/server.key --ca ./server/ca.pem
  stampd-backend serve --listen :8443 --dir /var/lib/stampd-backend --roll-rows 1000000 --roll-every 5m \
    --cert server.pem --key server.key --ca ca.pem --est-listen :8444 --ca-dir ./ca`,
	}
	var o backend.Options
	var format, level string
	flags := cmd.Flags()
	flags.StringVar(&o.Listen, "listen", "127.0.0.1:8443", "address to serve terminals on")
	flags.StringVar(&o.Dir, "dir", "", "folder of the log and, by default, of the Parquet files (required)")
	flags.StringVar(&o.CertFile, "cert", "", "the server's certificate, PEM (required)")
	flags.StringVar(&o.KeyFile, "key", "", "the key of the server's certificate, PEM (required)")
	flags.StringVar(&o.CAFile, "ca", "", "the authority that terminals' certificates must come from, PEM (required)")
	flags.StringVar(&o.ESTListen, "est-listen", "", "address to enrol terminals on, by EST (default: none is enrolled)")
	flags.StringVar(&o.CADir, "ca-dir", "", "folder of the authority that issues their certificates (required with --est-listen)")
	flags.DurationVar(&o.CertLife, "cert-life", 90*24*time.Hour, "how long these certificates last")
	flags.StringVar(&o.LandDir, "land-dir", "", "folder to land Parquet files in (default DIR/parquet)")
	flags.IntVar(&o.RollRows, "roll-rows", 100_000, "rows after which new files are begun")
	flags.DurationVar(&o.RollEvery, "roll-every", 10e9, "how long a row waits at most to be landed")
	flags.DurationVar(&o.LeaseTTL, "lease-ttl", 24*time.Hour, "how long the terminal where a card was filled may give the reward offline; 0: it must ask")
	flags.StringVar(&format, "log-format", "auto", "auto, json or console")
	flags.StringVar(&level, "log-level", "info", "trace, debug, info, warn or error; debug tells of every file that lands")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := cli.Require(cmd, "dir", "cert", "key", "ca", "listen"); err != nil {
			return err
		}
		if err := checkServe(cmd, o, format, level); err != nil {
			return err
		}
		if err := checkCertificate(o.CertFile); err != nil {
			return err
		}
		least, err := zerolog.ParseLevel(level)
		if err != nil {
			return fmt.Errorf("cannot read --log-level: %w", err)
		}
		o.Logger = cli.NewLogger(os.Stderr, format).Level(least)
		o.Version, o.LeasesOff = v.Version, o.LeaseTTL == 0
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

// What --cert-life and --lease-ttl may be.
const (
	minCertLife = time.Minute
	maxCertLife = 366 * 24 * time.Hour
	minLeaseTTL = time.Minute
	maxLeaseTTL = 30 * 24 * time.Hour
)

// checkServe returns an error when a flag has a value that makes no sense.
func checkServe(cmd *cobra.Command, o backend.Options, format, level string) error {
	levels := []string{"trace", "debug", "info", "warn", "error"}
	switch {
	case format != "auto" && format != "json" && format != "console":
		return &cli.UsageError{Problem: "cannot read --log-format: no such format", Remedy: "it is one of auto, json, console"}
	case !slices.Contains(levels, level):
		return &cli.UsageError{Problem: "cannot read --log-level: no such level", Remedy: "it is one of " + strings.Join(levels, ", ")}
	case o.RollRows < 1:
		return &cli.UsageError{Problem: "cannot use --roll-rows: want 1 or more", Remedy: cli.SeeHelp(cmd)}
	case o.RollEvery <= 0:
		return &cli.UsageError{Problem: "cannot use --roll-every: want a time above 0", Remedy: "for example 10s or 5m"}
	}
	const remedy = "for example 127.0.0.1:8443, or :8443 for every address of this machine"
	if _, _, err := net.SplitHostPort(o.Listen); err != nil {
		return &cli.UsageError{Problem: "cannot use --listen: want host:port", Remedy: remedy}
	}
	if _, _, err := net.SplitHostPort(o.ESTListen); err != nil && o.ESTListen != "" {
		return &cli.UsageError{Problem: "cannot use --est-listen: want host:port", Remedy: remedy}
	}
	switch {
	case o.LeaseTTL != 0 && (o.LeaseTTL < minLeaseTTL || o.LeaseTTL > maxLeaseTTL):
		return &cli.UsageError{Problem: "cannot use --lease-ttl: want 0, or 1m to 720h", Remedy: "for example 24h"}
	case (o.ESTListen == "") != (o.CADir == ""):
		return &cli.UsageError{Problem: "want both --est-listen and --ca-dir, or neither", Remedy: cli.SeeHelp(cmd)}
	case o.CertLife < minCertLife || o.CertLife > maxCertLife:
		return &cli.UsageError{Problem: "cannot use --cert-life: want 1m to 8784h", Remedy: "for example 2160h, which is 90 days"}
	}
	return nil
}
