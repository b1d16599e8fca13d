package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/wire"
)

// usualLimit is how many records are shown unless asked for more.
const usualLimit = 20

func newQueueShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show [LANE[/EPOCH]] [SEQ|FROM-TO]",
		Short: "Show records of the queue",
		Long: `Show records of the queue, the oldest first: those of a lane (ledger or telemetry),
of an epoch (as many of its digits as tell it from others), or between two numbers,
each with why it is still there, when it is tried next and what happens to it in time.
Of tokens and payment account references only the end is shown; 'stampd queue export' has all.`,
		Example: `  stampd queue show
  stampd queue show ledger 17
  stampd queue show telemetry/1f2e3d4c 100-120 --json
  stampd queue show ledger --limit 0`,
		Args: cobra.ArbitraryArgs,
	}
	addQueueFlags(cmd)
	limit := addLimitFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return showRecords(cmd, args, *limit, func(s selection, q queueSource) iter.Seq2[*wire.QueueRecord, error] {
			return s.of(cmd.Context(), q)
		})
	}
	return cmd
}

func addLimitFlag(cmd *cobra.Command) *uint {
	return cmd.Flags().Uint("limit", usualLimit, "how many records to show at most; 0 shows all")
}

// showRecords writes the records that read finds, up to a limit. That there is none is an error only when one was named.
func showRecords(cmd *cobra.Command, args []string, limit uint, read func(selection, queueSource) iter.Seq2[*wire.QueueRecord, error]) (err error) {
	s, err := parseSelection(args)
	if err != nil {
		return err
	}
	q, err := openQueueSource(cmd, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.close()) }()
	q.explain()
	asJSON, _ := cmd.Flags().GetBool("json")
	w := cmd.OutOrStdout()
	shown := uint(0)
	for r, err := range read(s, q) {
		if err != nil {
			return err
		}
		if shown == limit && limit > 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "there are more: --limit 0 shows all, and a number such as %d- goes on from there\n", r.GetSeq())
			return nil
		}
		shown++
		if !asJSON {
			printRecord(w, r)
			continue
		}
		line, _ := toJSON(r, mask)
		if err := json.NewEncoder(w).Encode(line); err != nil {
			return err
		}
	}
	if err := q.damage(); err != nil {
		return err
	}
	if shown == 0 && len(args) < 2 && !asJSON {
		fmt.Fprintln(cmd.ErrOrStderr(), "nothing waits there")
	}
	if shown == 0 && len(args) > 1 {
		return cli.WithHint(errors.New("there is no such record"), "see 'stampd queue list'")
	}
	return nil
}
