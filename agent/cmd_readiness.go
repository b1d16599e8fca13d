package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/agent/readiness"
	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/wire"
)

// errNotReady says that something would not work without the network, or that nobody knows.
var errNotReady = errors.New("the terminal is not ready for an outage")

// capabilityNames are what can be asked about, in the order of the schema.
func capabilityNames() []string {
	return newEnumFlag(wire.OfflineCapability_OFFLINE_CAPABILITY_UNSPECIFIED).Names()
}

func newReadinessCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "readiness [" + strings.Join(capabilityNames(), "|") + "]...",
		Short: "Say what would work if the network went now, why not, and until when",
		Long: `Say, before the network goes, whether the terminal could still take payments, give
stamps and redeem rewards: why not, and until when. Exit 0 when all of it, or all
that is named, is ready or degraded; 1 when something is not ready, or nobody knows.`,
		Example: `  stampd readiness
  stampd readiness payments --json
  stampd readiness payments stamps || echo "call the shop before its network is serviced"`,
		Args:      cobra.ArbitraryArgs,
		ValidArgs: capabilityNames(),
	}
	addClientFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		for _, a := range args {
			if !slices.Contains(capabilityNames(), a) {
				return &cli.UsageError{Problem: "no such capability", Remedy: "name " + cli.OrList(capabilityNames())}
			}
		}
		ctx, cancel, c, err := newClient(cmd, answerTimeout)
		if err != nil {
			return err
		}
		defer cancel()
		res, err := ask(ctx, c, callOfflineReadiness, &wire.OfflineReadinessRequest{})
		if err != nil {
			return err
		}
		res.Capabilities = slices.DeleteFunc(res.Capabilities, func(c *wire.CapabilityReadiness) bool {
			return len(args) > 0 && !slices.Contains(args, enumName(c.GetCapability()))
		})
		if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
			err = printJSON(cmd.OutOrStdout(), res)
		} else {
			printReadiness(cmd.OutOrStdout(), newPalette(cmd.OutOrStdout()), res, time.Now())
		}
		if worst := readiness.Worst(res.GetCapabilities()); err == nil && worst < wire.Readiness_READINESS_DEGRADED {
			return cli.WithHint(errNotReady, "the lines above say why, and what to do")
		}
		return err
	}
	return cmd
}

// printReadiness writes what would work, each with its reasons below.
func printReadiness(w io.Writer, p palette, res *wire.OfflineReadinessResponse, now time.Time) {
	if res.AsOfUnixMs != nil {
		now = time.UnixMilli(res.GetAsOfUnixMs()) // by the clock that the times below are by
	}
	for _, c := range res.GetCapabilities() {
		line := readinessWord(p, c.GetReadiness())
		if c.UntilUnixMs != nil {
			line += untilWords(c.GetUntilUnixMs(), now)
		}
		fmt.Fprintf(w, "%s: %s\n", enumName(c.GetCapability()), line)
		for _, r := range c.GetReasons() {
			text := printable(r.GetText())
			if r.GetReadiness() != wire.Readiness_READINESS_READY {
				text = readinessWord(p, r.GetReadiness()) + ": " + text
			}
			fmt.Fprintf(w, "  %s\n", text)
			if r.GetHint() != "" {
				fmt.Fprintf(w, "  %s\n", p.dim("hint: "+printable(r.GetHint())))
			}
		}
	}
}

// readinessWord writes a verdict.
func readinessWord(p palette, r wire.Readiness) string {
	switch r {
	case wire.Readiness_READINESS_READY:
		return p.good("ready")
	case wire.Readiness_READINESS_DEGRADED:
		return p.warn("degraded")
	case wire.Readiness_READINESS_NOT_READY:
		return p.bad("not ready")
	}
	return p.bad("unknown")
}

// untilWords says until when something is, by the clock on the wall and in hours.
func untilWords(unixMs int64, now time.Time) string {
	end := time.UnixMilli(unixMs)
	if left := end.Sub(now); left > 0 {
		return fmt.Sprintf(", until %s (%s)", end.Format("2006-01-02 15:04 -0700"), span(left))
	}
	return ", past since " + end.Format("2006-01-02 15:04 -0700")
}
