package main

import (
	"context"
	"iter"
	"math"
	"strconv"
	"strings"

	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/wire"
)

// selection names records: of a lane and an epoch, and between two seqs. Its zero value is none.
type selection struct {
	lane     wire.Lane // unspecified is every one
	epoch    string    // how it begins
	from, to uint64    // inclusive
}

const selectionHelp = "a lane such as ledger or telemetry/1f2e3d4c, and a number such as 17, 17-20 or 17-"

// parseSelection reads [LANE[/EPOCH]] [SEQ|FROM-TO].
func parseSelection(args []string) (selection, error) {
	s := selection{to: math.MaxUint64}
	wrong := func(problem string) (selection, error) {
		return s, &cli.UsageError{Problem: problem, Remedy: "name " + selectionHelp}
	}
	if len(args) > 2 {
		return wrong("too many arguments")
	}
	if len(args) > 0 && !startsWithDigit(args[0]) {
		lane, epoch, _ := strings.Cut(args[0], "/")
		switch lane {
		case "ledger":
			s.lane = wire.Lane_LANE_LEDGER
		case "telemetry":
			s.lane = wire.Lane_LANE_TELEMETRY
		default:
			return wrong("no such lane")
		}
		if s.epoch = strings.ToLower(epoch); strings.Trim(s.epoch, "0123456789abcdef") != "" {
			return wrong("cannot read the epoch: it has hexadecimal digits")
		}
		args = args[1:]
	}
	if len(args) > 1 {
		return wrong("cannot read the arguments")
	}
	if len(args) == 1 {
		var ok bool
		if s.from, s.to, ok = parseRange(args[0]); !ok {
			return wrong("cannot read the numbers of records")
		}
	}
	return s, nil
}

func startsWithDigit(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }

// parseRange reads "17", "17-20" and "17-".
func parseRange(s string) (from, to uint64, ok bool) {
	first, last, ranged := strings.Cut(s, "-")
	from, err := strconv.ParseUint(first, 10, 64)
	if err != nil {
		return 0, 0, false
	}
	switch {
	case !ranged:
		return from, from, true
	case last == "":
		return from, math.MaxUint64, true
	}
	to, err = strconv.ParseUint(last, 10, 64)
	return from, to, err == nil && to >= from
}

// takes reports whether a record is among those that are named.
func (s selection) takes(r *wire.QueueRecord) bool {
	return s.takesLane(r.GetLane(), r.GetEpoch()) && r.GetSeq() >= s.from && r.GetSeq() <= s.to
}

func (s selection) takesLane(lane wire.Lane, epoch string) bool {
	return (s.lane == wire.Lane_LANE_UNSPECIFIED || s.lane == lane) && strings.HasPrefix(epoch, s.epoch)
}

// of returns the named records of a queue, lane by lane.
func (s selection) of(ctx context.Context, q queueSource) iter.Seq2[*wire.QueueRecord, error] {
	return func(yield func(*wire.QueueRecord, error) bool) {
		held, err := q.list(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, l := range held.GetLanes() {
			if !s.takesLane(l.GetLane(), l.GetEpoch()) {
				continue
			}
			for r, err := range q.records(ctx, l, s.from) {
				if err == nil && r.GetSeq() > s.to {
					break
				}
				if !yield(r, err) {
					return
				}
			}
		}
	}
}

// refused returns the named records of the quarantine.
func (s selection) refused(ctx context.Context, q queueSource) iter.Seq2[*wire.QueueRecord, error] {
	return func(yield func(*wire.QueueRecord, error) bool) {
		for r, err := range q.quarantine(ctx) {
			if (err != nil || s.takes(r)) && !yield(r, err) {
				return
			}
		}
	}
}
