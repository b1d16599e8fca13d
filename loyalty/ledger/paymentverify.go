package ledger

import (
	"maps"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty/payment"
)

// isPaymentRow reports whether a row of the keys bucket is one of payments, and not the answer to a call.
func isPaymentRow(key []byte) bool {
	if len(key) == 0 {
		return false
	}
	switch operation(key[0]) {
	case opState, opStore, opStored, opTime:
		return true
	}
	return false
}

// payments looks at what payments have come to, and whether what is stored in all is the sum of what is stored.
func (v *rowVerifier) payments() {
	wrong := func(problem string) { v.find("keys", buffer.Epoch{}, 0, "%s", problem) }
	sum, has := payment.Stored{Totals: map[string]int64{}}, store{}
	times := map[uint64]bool{}
	for key, row := range v.file.Rows(buffer.Keys, nil) {
		switch operation(key[0]) {
		case opState:
			if _, ok := parseState(row); !ok && (len(row) < 2 || row[0] != isLink) {
				wrong("a payment can't be read")
			}
		case opTime:
			if _, ok := parseTime(row); !ok {
				wrong("the time of a stored payment can't be read")
			}
			times[numberOf(key)] = true
		case opStored:
			number, minor, currency, ok := parseStored(row)
			if !ok {
				wrong("a stored payment can't be read")
				continue
			}
			if !times[number] { // times come first
				wrong("the time of a stored payment is not there")
			}
			sum.Count++
			sum.Totals[currency] += minor
		case opStore:
			var ok bool
			if has, ok = parseStore(row); !ok {
				wrong("what is stored in all can't be read")
			}
		}
	}
	maps.DeleteFunc(has.Totals, func(_ string, total int64) bool { return total == 0 })
	if has.Count != sum.Count || !maps.Equal(has.Totals, sum.Totals) {
		wrong("what is stored in all is not what the stored payments come to")
	}
}
