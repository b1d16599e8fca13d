package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/wire"
)

// Verify looks at the rows that the ledger keeps in a queue file: that answers, cards and entries can be read, name
// records that were made, and that each card has the entries of all records that are here, as they were recorded. It calls
// report for all that is wrong. No row's contents are told.
func Verify(f *buffer.File, report func(buffer.Finding)) {
	lanes := map[buffer.Epoch]buffer.LaneState{}
	for _, l := range f.Lanes() {
		if l.Lane == buffer.Ledger {
			lanes[l.Epoch] = l
		}
	}
	v := rowVerifier{file: f, lanes: lanes, report: report}
	v.keys()
	v.payments()
	v.entries()
	v.cards()
	v.records()
}

// rowVerifier is one look at all rows.
type rowVerifier struct {
	file   *buffer.File
	lanes  map[buffer.Epoch]buffer.LaneState
	report func(buffer.Finding)
}

func (v *rowVerifier) find(where string, epoch buffer.Epoch, seq uint64, format string, args ...any) {
	f := buffer.Finding{Where: where, Seq: seq, Problem: fmt.Sprintf(format, args...)}
	if seq > 0 {
		f.LaneID = buffer.LaneID{Lane: buffer.Ledger, Epoch: epoch}
	}
	v.report(f)
}

// keys looks at each answer, and at the record that it names.
func (v *rowVerifier) keys() {
	for key, row := range v.file.Rows(buffer.Keys, nil) {
		if isPaymentRow(key) {
			continue
		}
		if known, ok := isCardsRow(key, row); known {
			if !ok {
				v.find("keys", buffer.Epoch{}, 0, "a row of the cards can't be read")
			}
			continue
		}
		epoch, seq, err := parseAnswer(key, row)
		if err != nil {
			v.find("keys", buffer.Epoch{}, 0, "an answer can't be read")
			continue
		}
		v.made("keys", epoch, seq)
	}
}

// parseAnswer returns the record that a row of the keys bucket names.
func parseAnswer(key, row []byte) (epoch buffer.Epoch, seq uint64, err error) {
	if len(key) < 2 || len(row) < keyRowHeader {
		return epoch, 0, errKeyRow
	}
	var answer interface {
		proto.Message
		GetSeq() uint64
		GetEpoch() string
	}
	op, told := operation(key[0]), row[keyRowHeader:]
	switch {
	case op == opPayment:
		answer = new(wire.RecordPaymentResponse)
	case op == opStamp:
		answer = new(wire.AwardStampsResponse)
	case op.isEntryCall():
		m, ok := parseMade(row)
		if !ok {
			return epoch, 0, errKeyRow
		}
		told = m.answer
		switch {
		case m.kind == loyalty.KindRejected:
			answer = new(wire.ErrorDetail)
		case op == opAward:
			answer = new(wire.AwardStampsResponse)
		default:
			answer = new(wire.EntryResponse)
		}
	default:
		return epoch, 0, errKeyRow
	}
	if proto.Unmarshal(told, answer) != nil || answer.GetSeq() == 0 {
		return epoch, 0, errKeyRow
	}
	epoch, err = buffer.ParseEpoch(answer.GetEpoch())
	return epoch, answer.GetSeq(), err
}

// made looks for a record that a row names: it is there, or the backend has it.
func (v *rowVerifier) made(where string, epoch buffer.Epoch, seq uint64) {
	l, held := v.lanes[epoch]
	switch {
	case !held || seq <= l.Acked:
	case seq >= l.Next:
		v.find(where, epoch, seq, "a row names the record, and the lane ends with %d", l.Next-1)
	default:
		for r := range v.file.Records(l.LaneID, seq) {
			if r.Seq == seq {
				return
			}
			break
		}
		v.find(where, epoch, seq, "a row names the record, and it is not there")
	}
}

// errEntryRow says that a row of the entries bucket can't be read.
var errEntryRow = errors.New("cannot read an entry of a member's card")

// entryTail is what follows a card's key in the key of its entry: epoch and seq.
const entryTail = 16 + 8

func parseEntry(key, row []byte) (card []byte, epoch buffer.Epoch, seq uint64, err error) {
	if len(key) <= entryTail || len(row) != 4 || !isCardKey(key[:len(key)-entryTail]) {
		return nil, epoch, 0, errEntryRow
	}
	at := len(key) - entryTail
	return key[:at], buffer.Epoch(key[at : at+16]), binary.BigEndian.Uint64(key[at+16:]), nil
}

// isCardKey reports whether k is programme ‖ 0 ‖ account.
func isCardKey(k []byte) bool {
	return len(k) > accountSize+1 && bytes.IndexByte(k, 0) == len(k)-accountSize-1
}

// entries looks at each entry, and at the record that it comes from.
func (v *rowVerifier) entries() {
	for key, row := range v.file.Rows(buffer.Entries, nil) {
		_, epoch, seq, err := parseEntry(key, row)
		if err != nil {
			v.find("entries", buffer.Epoch{}, 0, "an entry can't be read")
			continue
		}
		v.made("entries", epoch, seq)
		l, held := v.lanes[epoch]
		if !held || seq <= l.Acked || seq >= l.Next {
			continue
		}
		for r := range v.file.Records(l.LaneID, seq) {
			event := new(wire.Event)
			if r.Seq == seq && r.Problem == nil && (proto.Unmarshal(r.Payload, event) != nil || event.GetStamp().GetStamps() != stampsIn(row)) {
				v.find("entries", epoch, seq, "the record does not give the stamps that the entry says")
			}
			break
		}
	}
}

func stampsIn(row []byte) int32 { return int32(binary.BigEndian.Uint32(row)) }

// cardless looks for entries that no card counts.
func (v *rowVerifier) cardless() {
	var last []byte
	for key, row := range v.file.Rows(buffer.Entries, nil) {
		card, epoch, seq, err := parseEntry(key, row)
		if err != nil || bytes.Equal(card, last) {
			continue
		}
		last = card
		ref := loyalty.Ref(card[len(card)-accountSize:])
		programme := string(card[:len(card)-accountSize-1])
		if !v.has(buffer.Cards, card) && !v.has(buffer.Cards, cardKey(programme, ref)) && !v.has(buffer.Keys, tombstoneKey(ref)) {
			v.find("entries", epoch, seq, "the entry's card is not there")
		}
	}
}
