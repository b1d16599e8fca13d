package cellular

import "math"

// Level is one measured level.
type Level struct {
	// Raw is what the modem wrote. Empty when it did not tell.
	Raw string
	// Tenths is the level in tenths of a dBm, or of a dB for ratios. Nil means unknown.
	Tenths *int32
	// Source is the command that it came from, without AT+. "CPSI/10" says that the unit was found out by the size.
	Source string
}

// Signal is how well a modem hears its cell.
type Signal struct {
	RSSI Level // received signal strength, dBm
	RSCP Level // received signal code power, UMTS, dBm
	EcIo Level // the same as a ratio to all that is received, dB
	RSRP Level // reference signal received power, LTE or NR, dBm
	RSRQ Level // reference signal received quality, dB
	SINR Level // signal to interference and noise ratio, dB

	// NRRSRP, NRRSRQ and NRSINR are those of the NR cell beside the LTE cell (EN-DC).
	NRRSRP, NRRSRQ, NRSINR Level
}

// Complete reports whether nothing is left to ask of an LTE or NR cell.
func (s *Signal) Complete() bool {
	return s.RSSI.Tenths != nil && s.RSRP.Tenths != nil && s.RSRQ.Tenths != nil && s.SINR.Tenths != nil
}

// span is the range within which a level can be, in tenths.
type span struct {
	name        string
	least, most int32
}

// What a receiver can report: 3GPP TS 36.133 clause 9.1 and 38.133 clause 10.1, and for the strength what a receiver
// survives.
var (
	rssiSpan = span{"rssi", -1200, -200}
	rscpSpan = span{"rscp", -1240, -240}
	ecioSpan = span{"ecio", -320, 0}
	rsrpSpan = span{"rsrp", -1560, -310}
	rsrqSpan = span{"rsrq", -430, 200}
	sinrSpan = span{"sinr", -230, 400}
)

// scale makes tenths of the number that the modem wrote, n·factor + offset.
type scale struct{ factor, offset int64 }

// notMeasured reports whether a number, times ten, is what Quectel and Qualcomm write for "not measured": the least of 16
// or of 32 bits, or the former as tenths that lost the last.
func notMeasured(tenths int64) bool {
	switch tenths {
	case 10 * math.MinInt16, 10 * math.MinInt32, math.MinInt16, math.MinInt16 / 10 * 10:
		return true
	}
	return false
}

var (
	decibels = scale{10, 0} // whole dB or dBm
	tenths   = scale{1, 0}
)

// level takes one level into to, unless it is known already. A value that is no number says that it is not known.
func (r *Reading) level(to *Level, source string, s span, v value, by scale) {
	if to.Tenths != nil || v.text == "" {
		return
	}
	n, ok := v.tenths()
	if !ok {
		if to.Raw == "" && v.text != "-" {
			r.doubt(source, s.name, v.text)
		}
		return
	}
	*to = Level{Raw: v.text, Source: source}
	switch t := n * by.factor / 10; {
	case notMeasured(n):
	case t < int64(s.least) || t > int64(s.most):
		r.doubt(source, s.name, v.text)
	default:
		to.Tenths = new(int32(t))
	}
}

// index takes one level that is an index from 0 to most; unknown is the index for "not known".
func (r *Reading) index(to *Level, source string, s span, v value, by scale, most, unknown int64) {
	n, ok := v.number()
	switch {
	case to.Tenths != nil || v.text == "" || ok && n == unknown:
	case !ok || n < 0 || n > most:
		r.doubt(source, s.name, v.text)
	default:
		t := max(n*by.factor+by.offset, int64(s.least)) // 0 is "less than the least"
		*to = Level{Raw: v.text, Source: source, Tenths: new(int32(t))}
	}
}

// CSQ is the question for the signal strength, 3GPP TS 27.007 clause 8.5. Some modems want it with a question mark.
func csq(text string) Query {
	return Query{Text: text, Prefix: "+CSQ:", Take: takeEach((*Reading).TakeCSQ)}
}

// TakeCSQ takes in the answer to AT+CSQ: dBm = -113 + 2n. Quectel adds 100 to 191 for TD-SCDMA, dBm = -116 + (n-100).
func (r *Reading) TakeCSQ(line string) {
	v, ok := values(line, "+CSQ:")
	if !ok {
		return
	}
	r.keep([]string{line})
	switch n, ok := v[0].number(); {
	case len(v) != 2:
		r.doubt("CSQ", "values", join(v))
	case ok && (n == 99 || n == 199):
	case ok && n >= 100:
		r.index(&r.Signal.RSCP, "CSQ", rscpSpan, v[0], scale{10, -2160}, 191, 199)
	default:
		r.index(&r.Signal.RSSI, "CSQ", rssiSpan, v[0], scale{20, -1130}, 31, 99)
	}
}

// cesq is the question for the signal quality, 3GPP TS 27.007 clause 8.69.
func cesq() Query {
	return Query{Text: "AT+CESQ", Prefix: "+CESQ:", Take: takeEach((*Reading).TakeCESQ)}
}

// TakeCESQ takes in the answer to AT+CESQ: rxlev, ber, rscp, ecno, rsrq, rsrp and since release 15 ss_rsrq, ss_rsrp,
// ss_sinr, which are taken for the cell's own where there is no LTE cell.
func (r *Reading) TakeCESQ(line string) {
	v, ok := values(line, "+CESQ:")
	if !ok {
		return
	}
	const source = "CESQ"
	r.keep([]string{line})
	if len(v) != 6 && len(v) != 9 {
		r.doubt(source, "values", line)
		return
	}
	s := &r.Signal
	r.index(&s.RSSI, source, rssiSpan, v[0], scale{10, -1110}, 63, 99)
	r.index(&s.RSCP, source, rscpSpan, v[2], scale{10, -1210}, 96, 255)
	r.index(&s.EcIo, source, ecioSpan, v[3], scale{5, -245}, 49, 255)
	r.index(&s.RSRQ, source, rsrqSpan, v[4], scale{5, -200}, 34, 255)
	r.index(&s.RSRP, source, rsrpSpan, v[5], scale{10, -1410}, 97, 255)
	if len(v) < 9 {
		return
	}
	rsrq, rsrp, sinr := &s.NRRSRQ, &s.NRRSRP, &s.NRSINR
	if s.RSRP.Tenths == nil {
		rsrq, rsrp, sinr = &s.RSRQ, &s.RSRP, &s.SINR
	}
	r.index(rsrq, source, rsrqSpan, v[6], scale{5, -435}, 126, 255)
	r.index(rsrp, source, rsrpSpan, v[7], scale{10, -1570}, 126, 255)
	r.index(sinr, source, sinrSpan, v[8], scale{5, -235}, 127, 255)
}

// takeEach returns a taker of lines from one of a line.
func takeEach(take func(*Reading, string)) func(*Reading, []string) {
	return func(r *Reading, lines []string) {
		for _, line := range lines {
			take(r, line)
		}
	}
}
