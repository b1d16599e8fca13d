package cellular

import (
	"slices"
	"strings"
)

// quectel is for EC2x, EG2x, EP06, BG9x and the RG and RM series.
//
// Sources: Quectel EC25&EC21 AT Commands Manual, BG96 AT Commands Manual, RG50xQ&RM5xxQ Series AT Commands Manual, and
// captures, which differ from them in the unit of QENG's SINR.
func quectel() *Profile {
	return &Profile{
		Name:   "quectel",
		makers: []string{"quectel"},
		models: []string{"ec2", "eg2", "eg9", "ep06", "em12", "em06", "bg9", "bg7", "rm5", "rg5"},
		Signal: []Query{
			{Text: `AT+QENG="servingcell"`, Prefix: "+QENG:", Take: takeEach((*Reading).TakeQENG)},
			{Text: "AT+QCSQ", Prefix: "+QCSQ:", Take: takeEach((*Reading).TakeQCSQ)},
			cesq(),
			csq("AT+CSQ"),
		},
		ICCID:       []Query{iccid("AT+QCCID"), iccid("AT+CCID")},
		Temperature: Query{Text: "AT+QTEMP", Prefix: "+QTEMP:", Take: takeQTEMP},
		access:      map[uint32]uint32{8: accessEUTRAN}, // BG9x for Cat-M1, which is E-UTRAN
	}
}

// TakeQCSQ takes in the answer to AT+QCSQ: the mode, and for LTE rssi, rsrp, sinr, rsrq, of which sinr is in fifths of a
// dB from -20 on. Peers mix up both the order and the fifths. For NR it is rsrp, sinr, rsrq, all of them in whole dB, with an
// rssi before them from some.
func (r *Reading) TakeQCSQ(line string) {
	v, ok := values(line, "+QCSQ:")
	if !ok {
		return
	}
	const source = "QCSQ"
	r.keep([]string{line})
	s := &r.Signal
	mode := strings.ToUpper(v[0].text)
	if counts, known := qcsqCounts[mode]; known && !slices.Contains(counts, len(v)) {
		r.doubt(source, "values", join(v))
		return
	}
	switch mode {
	case "NOSERVICE":
	case "GSM":
		r.level(&s.RSSI, source, rssiSpan, at(v, 1), decibels)
	case "WCDMA", "TDSCDMA":
		r.level(&s.RSSI, source, rssiSpan, at(v, 1), decibels)
		r.level(&s.RSCP, source, rscpSpan, at(v, 2), decibels)
		r.level(&s.EcIo, source, ecioSpan, at(v, 3), decibels)
	case "NR5G", "NR5G-SA", "NR5G-NSA":
		if len(v) > 4 {
			r.level(&s.RSSI, source, rssiSpan, v[1], decibels)
			v = v[1:]
		}
		r.level(&s.RSRP, source, rsrpSpan, at(v, 1), decibels)
		r.level(&s.SINR, source, sinrSpan, at(v, 2), decibels)
		r.level(&s.RSRQ, source, rsrqSpan, at(v, 3), decibels)
	case "LTE", "EMTC", "NBIOT", "NTN NBIOT", "CAT-M", "CAT-M1", "CAT-NB", "CAT-NB1":
		r.level(&s.RSSI, source, rssiSpan, at(v, 1), decibels)
		r.level(&s.RSRP, source, rsrpSpan, at(v, 2), decibels)
		r.index(&s.SINR, source, sinrSpan, at(v, 3), scale{2, -200}, 250, 255)
		r.level(&s.RSRQ, source, rsrqSpan, at(v, 4), decibels)
	default:
		r.doubt(source, "mode", mode)
	}
}

// qcsqCounts are how many values there are with a mode. With another number one was lost or cut in two, and those after it are
// not what they seem.
var qcsqCounts = map[string][]int{
	"GSM": {2}, "WCDMA": {4}, "TDSCDMA": {4}, "LTE": {5}, "EMTC": {5}, "NBIOT": {5}, "NTN NBIOT": {5}, "CAT-M": {5}, "CAT-M1": {5},
	"CAT-NB": {5}, "CAT-NB1": {5}, "NR5G": {4, 5}, "NR5G-SA": {4, 5}, "NR5G-NSA": {4, 5},
}

// TakeQENG takes in one line of the answer to AT+QENG="servingcell":
//
//	"servingcell",state[,mode,…]
//	mode,…                          the second and third line of EN-DC
//
// A line with another number of values than its mode has is not believed: those after the one that was lost or cut in two are
// not what they seem.
func (r *Reading) TakeQENG(line string) {
	v, ok := values(line, "+QENG:")
	if !ok {
		return
	}
	r.keep([]string{line})
	if strings.EqualFold(v[0].text, "servingcell") {
		v = v[min(2, len(v)):]
	}
	if len(v) == 0 {
		return // no cell, or its lines follow
	}
	switch mode := strings.ToUpper(v[0].text); mode {
	case "LTE", "EMTC", "NBIOT", "NTN NBIOT", "CAT-M", "CAT-M1", "CAT-NB", "CAT-NB1":
		r.lteCell(v)
	case "NR5G-NSA":
		r.nrCell(v)
	case "NR5G-SA":
		r.saCell(v)
	case "WCDMA":
		r.wcdmaCell(v)
	case "GSM":
		r.gsmCell(v)
	default:
		r.doubt("QENG", "mode", mode)
	}
}

// lteCell takes in mode, duplex, MCC, MNC, cell, PCID, EARFCN, band, bandwidths up and down, TAC, RSRP, RSRQ, RSSI, SINR
// and what follows: srxlev (16 values), or CQI, power and srxlev (18).
func (r *Reading) lteCell(v []value) {
	const source = "QENG"
	if len(v) != 16 && len(v) != 18 {
		r.doubt(source, "values", join(v))
		return
	}
	r.setCode(v[2].text, v[3].text)
	r.setCell(v[10], v[4].hex(maxEUTRANCell), v[5], v[6], v[7])
	s := &r.Signal
	r.level(&s.RSRP, source, rsrpSpan, v[11], decibels)
	r.level(&s.RSRQ, source, rsrqSpan, v[12], decibels)
	r.level(&s.RSSI, source, rssiSpan, v[13], decibels)
	r.level(&s.SINR, source, sinrSpan, v[14], decibels)
}

// nrCell takes in the NR cell beside an LTE cell: mode, MCC, MNC, PCID, RSRP, SINR, RSRQ, and from newer firmware ARFCN and
// band, or ARFCN, band, bandwidth and spacing.
func (r *Reading) nrCell(v []value) {
	const source = "QENG"
	if len(v) == 2 && v[1].text == "" {
		return // there is none
	}
	if len(v) != 7 && len(v) != 9 && len(v) != 11 {
		r.doubt(source, "values", join(v))
		return
	}
	s := &r.Signal
	r.level(&s.NRRSRP, source, rsrpSpan, v[4], decibels)
	r.level(&s.NRSINR, source, sinrSpan, v[5], decibels)
	r.level(&s.NRRSRQ, source, rsrqSpan, v[6], decibels)
}

// saCell takes in an NR cell alone: mode, duplex, MCC, MNC, cell, PCID, TAC, ARFCN, band, bandwidth, RSRP, RSRQ, SINR, and
// two more.
func (r *Reading) saCell(v []value) {
	const source = "QENG"
	if len(v) != 15 {
		r.doubt(source, "values", join(v))
		return
	}
	r.setCode(v[2].text, v[3].text)
	r.setCell(v[6], v[4].hex(maxCell), v[5], v[7], v[8])
	s := &r.Signal
	r.level(&s.RSRP, source, rsrpSpan, v[10], decibels)
	r.level(&s.RSRQ, source, rsrqSpan, v[11], decibels)
	r.level(&s.SINR, source, sinrSpan, v[12], decibels)
}

// wcdmaCell takes in mode, MCC, MNC, LAC, cell, UARFCN, PSC, RAC, RSCP, Ec/Io, and five about the connection.
func (r *Reading) wcdmaCell(v []value) {
	const source = "QENG"
	if len(v) != 15 {
		r.doubt(source, "values", join(v))
		return
	}
	r.setCode(v[1].text, v[2].text)
	r.setCell(v[3], v[4].hex(maxEUTRANCell), value{}, v[5], value{})
	r.level(&r.Signal.RSCP, source, rscpSpan, v[8], decibels)
	r.level(&r.Signal.EcIo, source, ecioSpan, v[9], decibels)
}

// gsmCell takes in mode, MCC, MNC, LAC, cell, BSIC, ARFCN, band, level, and sixteen about the connection.
func (r *Reading) gsmCell(v []value) {
	const source = "QENG"
	if len(v) != 25 {
		r.doubt(source, "values", join(v))
		return
	}
	r.setCode(v[1].text, v[2].text)
	r.setCell(v[3], v[4].hex(maxEUTRANCell), value{}, v[6], value{})
	r.level(&r.Signal.RSSI, source, rssiSpan, v[8], decibels)
}

// The last numbers of cells, channels and bands: 3GPP TS 38.211 clause 7.4.2, 38.101-1 clause 5.4.2.
const (
	maxPhysicalID = 1007
	maxChannel    = 3279165
	maxBand       = 512
)

// setCell sets what is not known yet of the cell. The area is hexadecimal.
func (r *Reading) setCell(area value, id *uint64, physical, channel, band value) {
	c := &r.Cell
	if a := area.hex(maxArea); a != nil && *a != 0 && *a != noArea {
		setOnce(&c.Area, new(uint32(*a)))
	}
	setOnce(&c.ID, id)
	setOnce(&c.PhysicalID, physical.small(maxPhysicalID))
	setOnce(&c.Channel, channel.small(maxChannel))
	setOnce(&c.Band, band.small(maxBand))
}

// join returns values as they were written, without quotes.
func join(v []value) string {
	texts := make([]string, len(v))
	for i := range v {
		texts[i] = v[i].text
	}
	return strings.Join(texts, ",")
}

// takeQTEMP takes in the answer to AT+QTEMP: the temperatures of all sensors in one line, or names and temperatures in turn,
// most often in a line for each. The hottest counts.
func takeQTEMP(r *Reading, lines []string) {
	for _, line := range lines {
		v, ok := values(line, "+QTEMP:")
		if !ok {
			continue
		}
		for _, t := range v {
			r.hotter("QTEMP", t)
		}
	}
}

// hotter takes in a temperature in degrees. 255 is a sensor that is not there, absolute zero one that is switched off.
func (r *Reading) hotter(source string, v value) {
	const least, most, absent, off = -40, 125, 255, -273
	n, ok := v.number()
	switch {
	case !ok || n == absent || n == off:
	case n < least || n > most:
		r.doubt(source, "temperature", v.text)
	case r.Temperature == nil || int64(*r.Temperature) < n*10:
		r.Temperature = new(int32(n * 10))
	}
}
