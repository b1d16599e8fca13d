package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/wire"
)

func newQueueListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Say what the queue holds, lane by lane",
		Example: "  stampd queue list\n  stampd queue list --json",
	}
	addQueueFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		q, err := openQueueSource(cmd, false)
		if err != nil {
			return err
		}
		res, err := q.list(cmd.Context())
		damage := q.damage()
		if err := errors.Join(err, q.close()); err != nil {
			return err
		}
		if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
			err = printJSON(cmd.OutOrStdout(), res)
		} else {
			err = printQueueList(cmd.OutOrStdout(), res, time.Now())
		}
		return errors.Join(err, damage)
	}
	return cmd
}

// printQueueList writes one screen.
func printQueueList(w io.Writer, q *wire.ListQueueResponse, now time.Time) error {
	f := q.GetFile()
	fmt.Fprintf(w, "%s, format %s, of terminal %s\n", printable(f.GetPath()), formatOf(f), printable(known(q.GetTerminalId())))
	if f.GetFault() != "" {
		row(w, "fault", printable(f.GetFault()))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  lane\tepoch\toldest\tnext\tacked\twaiting\tsize\toldest made")
	for _, l := range q.GetLanes() {
		oldest, made := "-", "-"
		if l.GetOldest() < l.GetNext() {
			oldest, made = fmt.Sprint(l.GetOldest()), "unknown"
		}
		if l.OldestUnixMs != nil {
			made = ago(now.Sub(time.UnixMilli(l.GetOldestUnixMs())))
		}
		waiting := fmt.Sprint(l.GetDepth())
		if l.GetInMemory() > 0 {
			waiting += fmt.Sprintf(" (%d in memory)", l.GetInMemory())
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\n", laneName(l.GetLane()), short(l.GetEpoch()), oldest,
			l.GetNext(), l.GetAcked(), waiting, bytesOf(l.GetBytes()), made)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	row(w, "refused", count(q.GetQuarantined(), "record")+" in quarantine")
	size := fmt.Sprintf("%s: %s used, %s free", bytesOf(f.GetSizeBytes()), bytesOf(f.GetUsedBytes()), bytesOf(f.GetSizeBytes()-min(f.GetUsedBytes(), f.GetSizeBytes())))
	if f.MaxBytes != nil {
		size += ", " + bytesOf(f.GetMaxBytes()) + " at most"
	}
	row(w, "file", size)
	label := "set aside"
	for _, a := range q.GetSetAside() {
		row(w, label, fmt.Sprintf("%s, %s", printable(filepath.Base(a.GetPath())), bytesOf(a.GetSizeBytes())))
		label = ""
	}
	return nil
}

func formatOf(f *wire.QueueFile) string {
	if f.GetFormat() == 0 {
		return "unknown"
	}
	return fmt.Sprint(f.GetFormat())
}

// laneName returns a lane's name as people type it.
func laneName(l wire.Lane) string { return strings.ToLower(strings.TrimPrefix(l.String(), "LANE_")) }

// short returns the first digits of an epoch.
func short(epoch string) string { return epoch[:min(shortEpoch, len(epoch))] }

// ago writes how long something is past; a clock may have been set meanwhile.
func ago(d time.Duration) string {
	if d < -time.Second {
		return span(-d) + " ahead of this clock"
	}
	return span(max(d, 0)) + " ago"
}
