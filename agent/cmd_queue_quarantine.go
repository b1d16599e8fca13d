package main

import (
	"errors"
	"fmt"
	"iter"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/wire"
)

func newQuarantineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quarantine",
		Short: "Look at what the backend refused",
		Long: `Look at the records that the backend refused by name. They block nothing, and are
kept until somebody drops them.`,
		Example: `  stampd queue quarantine list
  stampd queue quarantine export --out refused.jsonl`,
	}
	cmd.AddCommand(newQuarantineListCommand(), newQuarantineShowCommand(), newQuarantineExportCommand(), newQuarantineDropCommand())
	return cmd
}

func newQuarantineListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the refused records",
		Example: "  stampd queue quarantine list\n  stampd queue quarantine list --json",
	}
	addQueueFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
			return showRecords(cmd, nil, 0, refusedOf(cmd))
		}
		q, err := openQueueSource(cmd, false)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, q.close()) }()
		t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		n := 0
		for r, err := range q.quarantine(cmd.Context()) {
			if err != nil {
				return err
			}
			if n++; n == 1 {
				fmt.Fprintln(t, "lane\tepoch\tnumber\trefused\tsize\twhat")
			}
			j, _ := toJSON(r, mask)
			what := madeOf(j.Events)
			if what == "" {
				what = printable(j.Problem)
			}
			fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\n", j.Lane, short(j.Epoch), j.Seq, j.Reason,
				bytesOf(uint64(len(r.GetPayload())+len(r.GetSealed()))), what)
		}
		if n == 0 {
			fmt.Fprintln(t, "nothing is in quarantine")
		}
		return t.Flush()
	}
	return cmd
}

// refusedOf reads the quarantine.
func refusedOf(cmd *cobra.Command) func(selection, queueSource) iter.Seq2[*wire.QueueRecord, error] {
	return func(s selection, q queueSource) iter.Seq2[*wire.QueueRecord, error] {
		return s.refused(cmd.Context(), q)
	}
}

func newQuarantineShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show [LANE[/EPOCH]] [SEQ|FROM-TO]",
		Short:   "Show refused records",
		Example: "  stampd queue quarantine show\n  stampd queue quarantine show ledger 17",
		Args:    cobra.ArbitraryArgs,
	}
	addQueueFlags(cmd)
	limit := addLimitFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return showRecords(cmd, args, *limit, refusedOf(cmd)) }
	return cmd
}

func newQuarantineExportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "export",
		Short:   "Write the refused records to a file, with nothing left out",
		Long:    "Write the refused records to a file or to standard output.\n\n" + exportHelp,
		Example: "  stampd queue quarantine export --out refused.jsonl",
	}
	addQueueFlags(cmd)
	addExportFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return exportRecords(cmd, func(q queueSource) iter.Seq2[*wire.QueueRecord, error] { return q.quarantine(cmd.Context()) })
	}
	return cmd
}

func newQuarantineDropCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drop [LANE[/EPOCH]] [SEQ|FROM-TO]",
		Short: "Remove refused records for ever",
		Long: `Remove refused records from the queue file for ever. Nobody else has them: export
them first. The agent must not be running.`,
		Example: `  stampd queue quarantine export --out refused.jsonl
  systemctl stop stampd
  stampd queue quarantine drop ledger/1f2e3d4c 17 --yes
  systemctl start stampd`,
		Args: cobra.ArbitraryArgs,
	}
	cmd.Flags().String("file", "", "a queue file (default: the config's queue.path)")
	cmd.Flags().Bool("json", false, "print as JSON")
	all := cmd.Flags().Bool("all", false, "remove all of them")
	yes := cmd.Flags().Bool("yes", false, "remove them indeed")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := parseSelection(args)
		switch {
		case err != nil:
			return err
		case *all != (len(args) == 0):
			return &cli.UsageError{Problem: "what is to be dropped is not clear", Remedy: "give --all, or name " + selectionHelp}
		case !*yes:
			return &cli.UsageError{Problem: "what is dropped is gone for ever", Remedy: "export it first, and add --yes"}
		}
		return dropRefused(cmd, s)
	}
	return cmd
}

func dropRefused(cmd *cobra.Command, s selection) error {
	path, _ := cmd.Flags().GetString("file")
	if path == "" {
		var err error
		if path, _, err = queuePaths(cmd); err != nil {
			return err
		}
	}
	n, err := buffer.DropQuarantined(path, func(id buffer.LaneID, seq uint64) bool {
		return s.takes(&wire.QueueRecord{Lane: wire.Lane(id.Lane), Epoch: id.Epoch.String(), Seq: seq})
	})
	if errors.Is(err, buffer.ErrLocked) {
		return cli.WithHint(err, hintHeld)
	}
	if err != nil {
		return err
	}
	if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "{\"dropped\":\"%d\"}\n", n)
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), count(uint64(n), "record")+" dropped")
	return err
}
