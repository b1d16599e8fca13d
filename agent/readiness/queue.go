package readiness

import (
	"fmt"

	"github.com/stampd/stampd/uplink/wire"
)

// RecordBytes is about what a stored payment takes in the queue file, its rows included; others take less.
const RecordBytes = 1200

// fewPayments is how many payments are few: less than a busy shop has in a day.
const fewPayments = 500

// queue says whether something can be recorded, and how much.
func (f *Facts) queue() []*wire.ReadinessReason {
	const file, room = wire.ReadinessCode_READINESS_CODE_QUEUE, wire.ReadinessCode_READINESS_CODE_QUEUE_ROOM
	q := f.Queue
	switch {
	case q.Fault != "":
		return reasons(file, notReady, "the queue can't be used: "+q.Fault, q.Hint)
	case !q.Opened:
		return reasons(file, unknown, "it is not known whether the queue can be used: its file was not opened yet", "see 'stampd status' and the agent's log")
	case q.ReadOnly != nil && *q.ReadOnly:
		return reasons(file, notReady, "the queue's disk is read-only",
			"the flash may be worn: start the terminal again, and if it stays so, replace it")
	}
	found := reasons(file, ready, "the queue works", "")
	if q.ReadOnly == nil {
		found = reasons(file, degraded, "the queue works, and it is not known whether its disk is read-only", "see the agent's log")
	}
	if q.Room == nil {
		return append(found, reasons(room, unknown, "it is not known how much room is left", "see 'stampd queue list' and the agent's log")...)
	}
	left := max(*q.Room/RecordBytes, 0)
	r := &wire.ReadinessReason{Code: room, Readiness: ready, Left: &left, Text: fmt.Sprintf("there is room for about %d more payments", rounded(left))}
	switch {
	case left == 0:
		r.Readiness, r.Text = notReady, "there is no room for another payment"
	case left < fewPayments:
		r.Readiness = degraded
	}
	if r.Readiness != ready {
		r.Hint = "bring the terminal online so that the queue can empty, free disk space, or raise queue.max_size"
	}
	return append(found, r)
}

// rounded keeps two digits: an estimate has no more.
func rounded(n int64) int64 {
	unit := int64(1)
	for n/unit >= 100 {
		unit *= 10
	}
	return n / unit * unit
}

// queueKey says whether what is stored can be read after a restart.
func (f *Facts) queueKey() []*wire.ReadinessReason {
	const code = wire.ReadinessCode_READINESS_CODE_QUEUE_KEY
	switch f.QueueKey {
	case Present:
		return reasons(code, ready, "the queue's key is there", "")
	case Gone, Missing:
		return reasons(code, degraded, "the file of the queue's key can't be read any more: after the next start nobody can read what is stored now",
			"keep the agent running until the queue is empty ('stampd flush --wait'), and bring the file queue.key_file back")
	}
	return reasons(code, degraded, "it is not known whether the queue's key will be there at the next start", "see queue.key_file")
}
