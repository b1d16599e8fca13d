package ledger

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty/payment"
	"github.com/stampd/stampd/uplink/wire"
)

// The rows of what is stored on the terminal at the merchant's risk. The values reach the disk. These rows stay until the
// payment is settled, whatever room is needed.
const (
	opStore  operation = 't' // without a key: what is stored in all
	opStored operation = 'o' // by the key of a stored payment's first step: number(8) ‖ amount(8) ‖ currency(3)
	opTime   operation = 'n' // by number(8), when it was stored: wall(8) ‖ since boot(8) ‖ boot(16) ‖ confidence(1)
)

const (
	storedRowSize = 8 + 8 + 3
	timeRowSize   = 8 + 8 + 16 + 1
)

// store is what is stored in all. Its row is
// count(8) ‖ next(8) ‖ oldest(8) ‖ level of the count(1) ‖ level of the age(1) ‖ { currency(3) ‖ total(8) ‖ its level(1) }.
type store struct {
	payment.Stored
	next   uint64 // the number of the next one
	oldest uint64 // no stored one has a lower number
	levels payment.Levels
}

const (
	storeHead = 8 + 8 + 8 + 1 + 1
	storeEach = 3 + 8 + 1
)

func storeKey() []byte { return keyRow(opStore, "") }
func timeKey(number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(opTime)}, number)
}

// numberOf returns the number in the key of a row of opTime, or 0.
func numberOf(key []byte) uint64 {
	if len(key) != 1+8 {
		return 0
	}
	return binary.BigEndian.Uint64(key[1:])
}

// readStore returns what is stored, but for the age of the oldest.
func readStore(r rows) store {
	s, ok := parseStore(r.Get(buffer.Keys, storeKey()))
	if !ok {
		return store{Stored: payment.Stored{Totals: map[string]int64{}}, levels: payment.Levels{}}
	}
	return s
}

func parseStore(row []byte) (s store, ok bool) {
	s = store{Stored: payment.Stored{Totals: map[string]int64{}}, levels: payment.Levels{}}
	if len(row) < storeHead || (len(row)-storeHead)%storeEach != 0 {
		return s, false
	}
	level := func(kind payment.LimitKind, currency string, percent byte) {
		if percent > 0 {
			s.levels[payment.Limit{Kind: kind, Currency: currency}] = uint32(percent)
		}
	}
	s.Count = int64(binary.BigEndian.Uint64(row))
	s.next, s.oldest = binary.BigEndian.Uint64(row[8:]), binary.BigEndian.Uint64(row[16:])
	level(payment.Count, "", row[24])
	level(payment.Age, "", row[25])
	for each := range slices.Chunk(row[storeHead:], storeEach) {
		currency := string(each[:3])
		s.Totals[currency] = int64(binary.BigEndian.Uint64(each[3:]))
		level(payment.Total, currency, each[11])
	}
	return s, true
}

func (s store) row() []byte {
	percent := func(kind payment.LimitKind, currency string) byte {
		return byte(s.levels[payment.Limit{Kind: kind, Currency: currency}])
	}
	row := binary.BigEndian.AppendUint64(nil, uint64(s.Count))
	row = binary.BigEndian.AppendUint64(row, s.next)
	row = binary.BigEndian.AppendUint64(row, s.oldest)
	row = append(row, percent(payment.Count, ""), percent(payment.Age, ""))
	for _, currency := range slices.Sorted(maps.Keys(s.Totals)) {
		total, level := s.Totals[currency], percent(payment.Total, currency)
		if total == 0 && level == 0 {
			continue
		}
		row = append(row, currency...)
		row = binary.BigEndian.AppendUint64(row, uint64(total))
		row = append(row, level)
	}
	return row
}

func storedRow(number uint64, minor int64, currency string) []byte {
	row := binary.BigEndian.AppendUint64(nil, number)
	row = binary.BigEndian.AppendUint64(row, uint64(minor))
	return append(row, currency...)
}

func parseStored(row []byte) (number uint64, minor int64, currency string, ok bool) {
	if len(row) != storedRowSize {
		return 0, 0, "", false
	}
	return binary.BigEndian.Uint64(row), int64(binary.BigEndian.Uint64(row[8:])), string(row[16:]), true
}

func timeRow(now *wire.Clock) []byte {
	row := binary.BigEndian.AppendUint64(nil, uint64(now.GetWallUnixMs()))
	row = binary.BigEndian.AppendUint64(row, uint64(now.GetBootMs()))
	var boot [16]byte
	copy(boot[:], now.GetBootId())
	row = append(row, boot[:]...)
	return append(row, byte(now.GetConfidence()))
}

func parseTime(row []byte) (payment.Moment, bool) {
	if len(row) != timeRowSize {
		return payment.Moment{}, false
	}
	return payment.Moment{
		WallMs: int64(binary.BigEndian.Uint64(row)), BootMs: int64(binary.BigEndian.Uint64(row[8:])), Boot: [16]byte(row[16:32]),
		Trusted: trusted(wire.ClockConfidence(row[32])),
	}, true
}

// momentOf returns what the terminal's clocks say.
func momentOf(now *wire.Clock) payment.Moment {
	m := payment.Moment{WallMs: now.GetWallUnixMs(), BootMs: now.GetBootMs(), Trusted: trusted(now.GetConfidence())}
	copy(m.Boot[:], now.GetBootId())
	return m
}

// trusted reports whether a wall clock can be right: it does not show a time before this software was made.
func trusted(c wire.ClockConfidence) bool { return c >= wire.ClockConfidence_CLOCK_CONFIDENCE_RTC }
