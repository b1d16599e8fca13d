package uplink

import (
	"bytes"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/wire"
)

// Limits of what the backend sends about cards, as the schema states them.
const (
	maxDownlink   = 256 << 10
	maxMarks      = 256
	maxRows       = 4096
	maxRow        = 64 << 10
	maxProgrammes = 64
	maxTag        = 16
	maxName       = 64
	idLength      = 16 // of a log, an epoch and a lease
	refLength     = 32
)

// checkRows returns what is wrong with a message, or "".
func (i *intake) checkRows(m *wire.CardRows) string {
	same := len(m.GetLogId()) == 0 || bytes.Equal(m.GetLogId(), i.logID)
	switch {
	case proto.Size(m) > maxDownlink:
		return "it is too large"
	case len(m.GetLogId()) != 0 && len(m.GetLogId()) != idLength, len(m.GetLogId()) == 0 && len(i.logID) == 0:
		return "it names no log"
	case m.GetThrough() > m.GetAsOf(), same && m.GetThrough() < i.through:
		return "its positions make no sense"
	case len(m.GetMarks()) > maxMarks, len(m.GetRows()) > maxRows:
		return "it has too many parts"
	}
	for _, mark := range m.GetMarks() {
		if len(mark.GetEpoch()) != idLength || mark.GetSeq() == 0 {
			return "a mark makes no sense"
		}
	}
	for _, r := range m.GetRows() {
		if len(r.GetRef()) != refLength || len(r.GetProgrammeId()) > maxName || len(r.GetRow()) == 0 || len(r.GetRow()) > maxRow {
			return "a row makes no sense"
		}
	}
	return ""
}

func checkProgrammes(m *wire.Programmes) string {
	switch n := len(m.GetTag()); {
	case proto.Size(m) > maxDownlink:
		return "it is too large"
	case n == 0 || n > maxTag, len(m.GetProgrammes()) > maxProgrammes:
		return "its tag or its number makes no sense"
	}
	return ""
}

// checkLease returns what is wrong with a lease, or "". A refusal has none.
func checkLease(l *wire.Lease) string {
	if l == nil {
		return ""
	}
	switch {
	case len(l.GetId()) != idLength, len(l.GetAccountRef()) != refLength:
		return "an id has another length"
	case l.GetProgrammeId() == "", len(l.GetProgrammeId()) > maxName, len(l.GetRewardId()) > maxName:
		return "a name has another length"
	case l.GetNumber() == 0, l.GetRights() < 1, l.GetTtlS() < 1, l.GetUntilUnixMs() < 1:
		return "a number is missing"
	}
	return ""
}

// checkRecall returns what is wrong with a recall, or "".
func checkRecall(m *wire.LeaseRecall) string {
	if len(m.GetId()) != idLength || len(m.GetAccountRef()) != refLength {
		return "an id has another length"
	}
	return ""
}
