package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/wire"
)

// errNotFlushed says that the time was over before everything was stored.
var errNotFlushed = errors.New("not everything is stored by the backend yet")

// maxWait is the longest that the agent waits for a flush (FlushRequest.wait_ms).
const maxWait = 10 * time.Minute

func newFlushCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "flush",
		Short: "Send what is queued now, without waiting for the next attempt",
		Long: `Ask the agent to send what is queued now. With --wait, wait until the backend has
stored everything that was queued at the call: exit 0 when it has, 4 when not. On a
terminal what is left is shown meanwhile, from two seconds on.`,
		Example: `  stampd flush
  stampd flush --wait
  stampd flush --wait --timeout 5m && stampd status`,
	}
	addClientFlags(cmd)
	wait := cmd.Flags().Bool("wait", false, "wait until everything is stored")
	timeout := cmd.Flags().Duration("timeout", time.Minute, "how long to wait at most, up to 10m")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *timeout <= 0 || *timeout > maxWait {
			return &cli.UsageError{Problem: "cannot wait that long", Remedy: "--timeout takes up to 10m"}
		}
		if !*wait {
			*timeout = 0
		}
		ctx, cancel, c, err := newClient(cmd, *timeout+answerTimeout)
		if err != nil {
			return err
		}
		defer cancel()
		stop := func() {}
		if *wait {
			stop = showFlush(ctx, cmd, c)
		}
		res, err := ask(ctx, c, callFlush, &wire.FlushRequest{WaitMs: uint32(timeout.Milliseconds())})
		stop()
		if err != nil {
			return err
		}
		if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
			err = printJSON(cmd.OutOrStdout(), res)
		} else {
			_, err = fmt.Fprintln(cmd.OutOrStdout(), count(res.GetWaiting(), "record")+" waiting")
		}
		if err == nil && *wait && !res.GetComplete() {
			return cli.WithHint(errNotFlushed, whyNotFlushed(ctx, c))
		}
		return err
	}
	return cmd
}

// whyNotFlushed says what keeps the records from the backend, as far as the agent knows.
func whyNotFlushed(ctx context.Context, c *client) string {
	const see = "see 'stampd status'"
	res, err := ask(ctx, c, callStatus, &wire.StatusRequest{})
	switch u := res.GetUplink(); {
	case err != nil:
		return see
	case res.GetQueue().GetFault() != "":
		return "the queue can't be used: " + printable(res.GetQueue().GetFault()) + "; " + see
	case u.GetState() == wire.UplinkState_UPLINK_STATE_DISABLED:
		return "no backend is configured: set uplink.backend and start the agent again"
	case u.GetLastError() != "":
		return "the last attempt ended: " + printable(u.GetLastError()) + "; " + see
	}
	return see
}
