package main

import (
	"context"
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/agent/localapi"
	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/wire"
)

// queueOfAgent is the queue of a running agent.
type queueOfAgent struct {
	*client
	cancel    context.CancelFunc
	explained bool
	fault     string // what keeps the agent from its file, as it said last
}

func newQueueOfAgent(cmd *cobra.Command) (*queueOfAgent, error) {
	_, cancel, c, err := newClient(cmd, answerTimeout) // each call has a time limit of its own
	if err != nil {
		return nil, err
	}
	return &queueOfAgent{client: c, cancel: cancel}, nil
}

func (q *queueOfAgent) close() error {
	q.cancel()
	return nil
}

func (q *queueOfAgent) explain() { q.explained = true }

// damage tells of a file that the agent can't open: its records are there, and the agent has none of them. A damaged one is replaced
// before the agent works with it.
func (q *queueOfAgent) damage() error {
	if q.fault == "" {
		return nil
	}
	return cli.WithHint(fmt.Errorf("the agent can't use its queue file: %s", printable(q.fault)), "read the file itself: name it with --file")
}

func (q *queueOfAgent) list(ctx context.Context) (*wire.ListQueueResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	res, err := ask(ctx, q.client, callListQueue, &wire.ListQueueRequest{})
	q.fault = res.GetFile().GetFault()
	return res, err
}

func (q *queueOfAgent) records(ctx context.Context, lane *wire.QueueLane, from uint64) iter.Seq2[*wire.QueueRecord, error] {
	return q.pages(ctx, func(last *wire.QueueRecord, _ uint64) *wire.ReadQueueRequest {
		if last != nil {
			from = last.GetSeq() + 1
		}
		return &wire.ReadQueueRequest{Lane: lane.GetLane(), Epoch: lane.GetEpoch()[:shortEpoch], From: from, MaxRecords: recordsAsked, Explain: q.explained}
	})
}

func (q *queueOfAgent) quarantine(ctx context.Context) iter.Seq2[*wire.QueueRecord, error] {
	return q.pages(ctx, func(_ *wire.QueueRecord, n uint64) *wire.ReadQueueRequest {
		return &wire.ReadQueueRequest{Quarantine: true, From: n, MaxRecords: recordsAsked, Explain: q.explained}
	})
}

const (
	recordsAsked = 1000
	shortEpoch   = 8 // digits of an epoch that a request names
)

// pages asks for page after page, until one is empty. next makes the request from the last record and the number of all
// before it.
func (q *queueOfAgent) pages(ctx context.Context, next func(last *wire.QueueRecord, n uint64) *wire.ReadQueueRequest) iter.Seq2[*wire.QueueRecord, error] {
	return func(yield func(*wire.QueueRecord, error) bool) {
		var last *wire.QueueRecord
		for n := uint64(0); ; {
			asking, cancel := context.WithTimeout(ctx, answerTimeout)
			page, err := ask(asking, q.client, callReadQueue, next(last, n))
			cancel()
			if err != nil {
				yield(nil, err)
				return
			}
			for _, last = range page.GetRecords() {
				n++
				if !yield(last, nil) {
					return
				}
			}
			if len(page.GetRecords()) == 0 {
				return
			}
		}
	}
}

// queueOfFile is a queue file that no agent holds.
type queueOfFile struct {
	*buffer.File
	circumstances localapi.Circumstances
	explained     bool
}

// newQueueOfFile returns the queue in a file. Of the settings it needs none, and says less without them.
func newQueueOfFile(cmd *cobra.Command, f *buffer.File) *queueOfFile {
	q := &queueOfFile{File: f, circumstances: localapi.Circumstances{Now: hal.NewClock("/proc").Now()}}
	path, _ := cmd.Flags().GetString("config")
	if cfg, err := loadConfig(path); err == nil {
		q.circumstances.MaxAge = cfg.Payments.MaxAge.Duration
	}
	return q
}

func (q *queueOfFile) explain() { q.explained = true }

func (q *queueOfFile) close() error { return q.Close() }

func (q *queueOfFile) damage() error {
	if err := q.Damage(); err != nil {
		return cli.WithHint(fmt.Errorf("%w: %w", errNotWhole, err), hintNotWhole(q.File))
	}
	return nil
}

func (q *queueOfFile) list(context.Context) (*wire.ListQueueResponse, error) {
	s := q.State()
	res := &wire.ListQueueResponse{
		TerminalId: s.Terminal,
		File:       &wire.QueueFile{Path: s.Path, Format: s.Format, SizeBytes: uint64(s.Size), UsedBytes: uint64(s.Used)},
	}
	for range q.Quarantine() {
		res.Quarantined++
	}
	for _, l := range q.Lanes() {
		lane := &wire.QueueLane{
			Lane: wire.Lane(l.Lane), Epoch: l.Epoch.String(), Oldest: l.Oldest, Next: l.Next, Acked: l.Acked,
			Depth: l.Depth(), Bytes: uint64(q.Size(l.LaneID)),
		}
		for r := range q.Records(l.LaneID, l.Oldest) {
			lane.OldestUnixMs = localapi.MadeAt(lane.GetLane(), r.Payload)
			break
		}
		res.Lanes = append(res.Lanes, lane)
	}
	for _, a := range s.Aside {
		res.SetAside = append(res.SetAside, &wire.SetAsideFile{Path: a.Path, SizeBytes: uint64(a.Size)})
	}
	if err := q.Damage(); err != nil {
		res.File.Fault = err.Error()
	}
	return res, nil
}

func (q *queueOfFile) records(_ context.Context, lane *wire.QueueLane, from uint64) iter.Seq2[*wire.QueueRecord, error] {
	return func(yield func(*wire.QueueRecord, error) bool) {
		epoch, err := buffer.ParseEpoch(lane.GetEpoch())
		if err != nil {
			yield(nil, err)
			return
		}
		q.each(q.Records(buffer.LaneID{Lane: buffer.Lane(lane.GetLane()), Epoch: epoch}, from), yield)
	}
}

func (q *queueOfFile) quarantine(context.Context) iter.Seq2[*wire.QueueRecord, error] {
	return func(yield func(*wire.QueueRecord, error) bool) { q.each(q.Quarantine(), yield) }
}

func (q *queueOfFile) each(records iter.Seq[buffer.Stored], yield func(*wire.QueueRecord, error) bool) {
	for r := range records {
		record := localapi.QueueRecord(r)
		if q.explained {
			record.Stay = q.circumstances.Stay(record)
		}
		if !yield(record, nil) {
			return
		}
	}
}
