// stampd status --watch: how the agent is, again and again.

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/wire"
)

// addWatchFlags adds the flags of a command that can watch.
func addWatchFlags(cmd *cobra.Command) {
	cmd.Flags().Bool("watch", false, "go on: tell of each change of uplink, backlog and alarms until interrupted")
	cmd.Flags().Duration("every", 30*time.Second, "with --watch: tell at least so often, 1s to 1h")
}

// watchesStatus reports whether cmd was asked to watch.
func watchesStatus(cmd *cobra.Command) bool {
	watch, _ := cmd.Flags().GetBool("watch")
	return watch
}

// watchStatus writes each message that the agent sends, until the user interrupts it, which is no error.
func watchStatus(cmd *cobra.Command) error {
	every, _ := cmd.Flags().GetDuration("every")
	if every < time.Second || every > time.Hour {
		return &cli.UsageError{Problem: "--every is out of range", Remedy: "give 1s to 1h, such as --every 10s"}
	}
	ctx, cancel, c, err := newClient(cmd, 0)
	if err != nil {
		return err
	}
	defer cancel()
	// Only the first message is due: the agent sends it at once.
	late := time.AfterFunc(answerTimeout, cancel)
	defer late.Stop()
	show := statusWriter(cmd)
	for now, err := range watch(ctx, c, callWatchStatus, &wire.WatchStatusRequest{EverySeconds: uint32(every / time.Second)}) {
		if err != nil {
			return watchEnded(ctx, cmd.Context(), err)
		}
		late.Stop()
		if err := show(now); err != nil {
			return err
		}
	}
	return watchEnded(ctx, cmd.Context(), nil)
}

// watchEnded returns what is told about the end of a watch.
func watchEnded(watching, command context.Context, err error) error {
	switch {
	case command.Err() != nil:
		return nil
	case watching.Err() != nil:
		return context.DeadlineExceeded
	}
	if errors.Is(err, errNoAnswer) || err == nil {
		return &unreachableError{problem: "the agent went away", hint: "see 'systemctl status stampd'; then watch again"}
	}
	return err
}

// statusWriter returns what writes a message as cmd was asked to: as a line of JSON, as a screen on a terminal that can be
// drawn on, and else as a line for people.
func statusWriter(cmd *cobra.Command) func(*wire.WatchStatusResponse) error {
	w := cmd.OutOrStdout()
	asJSON, _ := cmd.Flags().GetBool("json")
	switch {
	case asJSON:
		return func(m *wire.WatchStatusResponse) error { return printJSONLine(w, m) }
	case cli.IsTerminal(w) && !isDumb():
		return func(m *wire.WatchStatusResponse) error { return drawWatch(w, newPalette(w), time.Now(), m) }
	}
	return func(m *wire.WatchStatusResponse) error {
		_, err := fmt.Fprintf(w, "%s %s\n", time.Now().Format(time.RFC3339), watchLine(m))
		return err
	}
}

// isDumb reports whether the terminal can't be drawn on.
func isDumb() bool { return os.Getenv("TERM") == "dumb" }

// printJSONLine writes a message as one line of JSON.
func printJSONLine(w io.Writer, m *wire.WatchStatusResponse) error {
	data, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return fmt.Errorf("cannot write the answer as JSON: %w", err)
	}
	var line bytes.Buffer
	if err := json.Compact(&line, data); err != nil {
		return fmt.Errorf("cannot write the answer as JSON: %w", err)
	}
	line.WriteByte('\n')
	_, err = line.WriteTo(w)
	return err
}

// drawWatch replaces what is on the screen. It writes the whole of it at once, so that nothing flickers.
func drawWatch(w io.Writer, p palette, now time.Time, m *wire.WatchStatusResponse) error {
	const home, clearBelow = "\x1b[H", "\x1b[J" // CUP and ED of ECMA-48
	var b bytes.Buffer
	b.WriteString(home + clearBelow)
	fmt.Fprintf(&b, "stampd at %s; ctrl-c ends\n", now.Format(time.TimeOnly))
	uplink := uplinkWord(m)
	if m.GetUplink() == wire.UplinkState_UPLINK_STATE_ONLINE {
		uplink = p.good(uplink)
	} else {
		uplink = p.warn(uplink)
	}
	row(&b, "uplink", uplink)
	if m.GetLastError() != "" {
		row(&b, "", p.dim(printable(m.GetLastError())))
	}
	if m.GetHint() != "" {
		row(&b, "", p.dim("hint: "+printable(m.GetHint())))
	}
	row(&b, "backlog", backlogWords(m))
	label := "alarms"
	for _, a := range m.GetAlarms() {
		row(&b, label, p.bad(printable(a.GetText())))
		row(&b, "", p.dim("hint: "+printable(a.GetHint())))
		label = ""
	}
	if len(m.GetAlarms()) == 0 {
		row(&b, label, p.good("none"))
	}
	_, err := b.WriteTo(w)
	return err
}

// watchLine writes a message as one line.
func watchLine(m *wire.WatchStatusResponse) string {
	parts := []string{uplinkWord(m)}
	if m.GetLastError() != "" {
		parts[0] += " (" + printable(m.GetLastError()) + ")"
	}
	parts = append(parts, backlogWords(m))
	for _, a := range m.GetAlarms() {
		parts = append(parts, "alarm: "+printable(a.GetText()))
	}
	if len(m.GetAlarms()) == 0 {
		parts = append(parts, "no alarms")
	}
	return strings.Join(parts, "; ")
}

// uplinkWord says what the uplink is doing.
func uplinkWord(m *wire.WatchStatusResponse) string {
	if m.GetUplink() == wire.UplinkState_UPLINK_STATE_UNSPECIFIED {
		return "unknown"
	}
	word := strings.ToLower(strings.TrimPrefix(m.GetUplink().String(), "UPLINK_STATE_"))
	if m.NextAttemptInMs != nil {
		word += ", next attempt in " + span(time.Duration(m.GetNextAttemptInMs())*time.Millisecond)
	}
	return word
}

// backlogWords says what waits.
func backlogWords(m *wire.WatchStatusResponse) string {
	lane := func(name string, b *wire.Backlog) string {
		switch {
		case b == nil:
			return name + " unknown"
		case b.OldestAgeMs == nil:
			return fmt.Sprintf("%s %d", name, b.GetRecords())
		}
		return fmt.Sprintf("%s %d (oldest %s)", name, b.GetRecords(), span(time.Duration(b.GetOldestAgeMs())*time.Millisecond))
	}
	return lane("ledger", m.GetLedger()) + ", " + lane("telemetry", m.GetTelemetry())
}
