package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/wire"
)

func newStatusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Say how the agent, its queue and its uplink are",
		Example: "  stampd status\n  stampd status --json --socket /tmp/stampd.sock\n  stampd status --watch",
	}
	addClientFlags(cmd)
	addWatchFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if watchesStatus(cmd) {
			return watchStatus(cmd)
		}
		ctx, cancel, c, err := newClient(cmd, answerTimeout)
		if err != nil {
			return err
		}
		defer cancel()
		res, err := ask(ctx, c, callStatus, &wire.StatusRequest{})
		if err != nil {
			return err
		}
		if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
			return printJSON(cmd.OutOrStdout(), res)
		}
		printStatus(cmd.OutOrStdout(), newPalette(cmd.OutOrStdout()), res)
		return nil
	}
	return cmd
}

// printStatus writes one screen.
func printStatus(w io.Writer, p palette, s *wire.StatusResponse) {
	fmt.Fprintf(w, "stampd %s, terminal %s of merchant %s, up %s\n", known(s.GetVersion()), known(s.GetTerminalId()),
		known(s.GetMerchantId()), span(time.Duration(s.GetUptimeSeconds())*time.Second))
	printUplink(w, p, s.GetUplink())
	printCertificate(w, p, s.GetCertificate())
	printNetwork(w, p, s.GetNetwork(), s.GetUplink())
	printTraffic(w, s.GetUplink().GetDays())
	printBacklog(w, p, s.GetLanes())
	printQueue(w, p, s.GetQueue())
	printParts(w, p, s.GetParts())
	refused := fmt.Sprintf("requests refused for cardholder data: %d", s.GetCardholderDataRefused())
	if s.GetCardholderDataRefused() > 0 {
		refused = p.bad(refused)
	}
	fips := "FIPS 140-3 mode off"
	if s.GetFipsEnabled() {
		fips = "FIPS 140-3 mode on"
	}
	row(w, "security", refused+", "+fips)
}

func printUplink(w io.Writer, p palette, u *wire.UplinkStatus) {
	if u == nil {
		row(w, "uplink", "unknown")
		return
	}
	var state string
	switch u.GetState() {
	case wire.UplinkState_UPLINK_STATE_ONLINE:
		state = p.good("online")
	case wire.UplinkState_UPLINK_STATE_CONNECTING:
		state = p.warn("connecting") + stageName(", at ", u.GetStage())
	case wire.UplinkState_UPLINK_STATE_WAITING:
		state = p.warn("waiting")
		if u.NextAttemptInMs != nil {
			state += ", next attempt in " + span(time.Duration(u.GetNextAttemptInMs())*time.Millisecond)
		}
	case wire.UplinkState_UPLINK_STATE_DISABLED:
		row(w, "uplink", p.warn("disabled")+": no backend is configured, everything stays in the queue")
		return
	default:
		state = "unknown"
	}
	way := state + ", backend " + known(u.GetBackend())
	if u.GetProxy() != "" {
		way += " through proxy " + printable(u.GetProxy())
	}
	row(w, "uplink", way)
	stored := "nothing stored since start"
	if u.SinceAckMs != nil {
		stored = "last stored " + span(time.Duration(u.GetSinceAckMs())*time.Millisecond) + " ago"
	}
	connected := fmt.Sprintf("connected %d times", u.GetConnects())
	if u.GetConnects() == 1 {
		connected = "connected once"
	}
	row(w, "", fmt.Sprintf("%s, sent %s, received %s, %s", stored, bytesOf(u.GetSentBytes()), bytesOf(u.GetReceivedBytes()), connected))
	if u.GetLastError() != "" {
		row(w, "", p.dim("last attempt ended"+stageName(" at ", u.GetStage())+": "+printable(u.GetLastError())))
	}
	if u.GetHint() != "" {
		row(w, "", p.dim("hint: "+printable(u.GetHint())))
	}
	if u.GetHold() != wire.TelemetryHold_TELEMETRY_HOLD_UNSPECIFIED {
		row(w, "", p.warn(holdOf(u))+"; payments and stamps are sent at once")
	}
}

// stageName writes a stage after some words, or nothing when there is none.
func stageName(words string, s wire.UplinkStage) string {
	if s == wire.UplinkStage_UPLINK_STAGE_UNSPECIFIED {
		return ""
	}
	return words + strings.ToLower(strings.TrimPrefix(s.String(), "UPLINK_STAGE_"))
}

// holdOf says why readings are held, and for how long.
func holdOf(u *wire.UplinkStatus) string {
	text := "readings are held"
	if u.HeldForMs != nil {
		text += " for " + span(time.Duration(u.GetHeldForMs())*time.Millisecond)
	}
	switch u.GetHold() {
	case wire.TelemetryHold_TELEMETRY_HOLD_WINDOW:
		return text + ", until their time of day"
	case wire.TelemetryHold_TELEMETRY_HOLD_LIMIT:
		return text + ", the day's " + bytesOf(u.GetTelemetryBytesToday()) + " are used"
	}
	return text
}

func printBacklog(w io.Writer, p palette, lanes []*wire.LaneStatus) {
	if len(lanes) == 0 {
		row(w, "backlog", "unknown")
		return
	}
	names := []string{"ledger", "telemetry"}
	depth, inMemory := map[string]uint64{}, map[string]uint64{}
	read := false // a queue that was never opened has no ledger lane, and what else is in it is not known either
	for _, l := range lanes {
		name := strings.ToLower(strings.TrimPrefix(l.GetLane().String(), "LANE_"))
		read = read || l.GetLane() == wire.Lane_LANE_LEDGER
		depth[name] += l.GetDepth()
		inMemory[name] += l.GetInMemory()
	}
	var parts []string
	for _, name := range names {
		text := fmt.Sprintf("%s %d", name, depth[name])
		if !read {
			text = name + " unknown"
		}
		if inMemory[name] > 0 {
			text += fmt.Sprintf(" (%d in memory)", inMemory[name])
		}
		parts = append(parts, text)
	}
	text := strings.Join(parts, ", ")
	if depth["ledger"] > 0 {
		text = p.warn(text)
	}
	row(w, "backlog", text)
}

func printQueue(w io.Writer, p palette, q *wire.QueueStatus) {
	if q == nil {
		row(w, "queue", "unknown")
		return
	}
	used, quarantined := bytesOf(q.GetSizeBytes()), fmt.Sprint(q.GetQuarantined())
	if q.GetFault() != "" && q.GetSizeBytes() == 0 { // the file can't be used
		used = "unknown"
		if q.GetQuarantined() == 0 {
			quarantined = "unknown"
		}
	}
	row(w, "queue", fmt.Sprintf("%s, %s used of %s, %s quarantined, %d dropped", printable(known(q.GetPath())),
		used, bytesOf(q.GetMaxBytes()), quarantined, q.GetDropped()))
	if q.GetFault() != "" {
		row(w, "", p.bad("fault: "+printable(q.GetFault())))
	}
}

func printParts(w io.Writer, p palette, parts []*wire.PartStatus) {
	if len(parts) == 0 {
		row(w, "hardware", "unknown")
	}
	label := "hardware"
	for _, part := range parts {
		detail := printable(part.GetDetail())
		state := p.good("found")
		switch {
		case !part.GetFound() && detail == "":
			state = p.warn("missing")
		case !part.GetFound():
			state = p.warn(detail)
		case part.GetDriver() != "":
			state = p.good("read by " + part.GetDriver())
		}
		text := fmt.Sprintf("%s: %s", part.GetPart(), state)
		if part.GetFound() && detail != "" {
			text += "; " + detail
		}
		row(w, label, text)
		label = ""
	}
}

func row(w io.Writer, label, text string) { fmt.Fprintf(w, "  %-9s %s\n", label, text) }

// known returns s, or "unknown" when it is empty.
func known(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// printable replaces what would move a terminal's cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
