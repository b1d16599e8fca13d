package cellular

import "strings"

// simcom is for SIM7xxx, SIM8xxx and A76xx.
//
// Sources: SIM7500_SIM7600 Series AT Command Manual V1.08 and V2.00, A7600 Series AT Command Manual V1.01, and captures,
// which differ in the units of CPSI.
func simcom() *Profile {
	return &Profile{
		Name:   "simcom",
		makers: []string{"simcom", "sim tech"},
		models: []string{"simcom_", "sim7", "sim8", "a76", "a79"},
		Signal: []Query{
			{Text: "AT+CPSI?", Prefix: "+CPSI:", Take: takeEach((*Reading).TakeCPSI)},
			cesq(),
			csq("AT+CSQ"),
		},
		ICCID:       []Query{iccid("AT+CICCID"), iccid("AT+CCID")},
		Temperature: Query{Text: "AT+CPMUTEMP", Prefix: "+CPMUTEMP:", Take: takeCPMUTEMP},
	}
}

// TakeCPSI takes in one line of the answer to AT+CPSI?: mode, state and what they have of the cell.
func (r *Reading) TakeCPSI(line string) {
	v, ok := values(line, "+CPSI:")
	if !ok {
		return
	}
	r.keep([]string{line})
	switch mode := strings.ToUpper(v[0].text); {
	case strings.HasPrefix(mode, "LTE"):
		r.cpsiLTE(v)
	case mode == "NR5G_SA":
		r.cpsiSA(v)
	case mode == "NR5G_NSA":
		s := &r.Signal
		r.cpsiLevels(at(v, 4), []cpsiLevel{{&s.NRRSRP, rsrpSpan, at(v, 4)}, {&s.NRRSRQ, rsrqSpan, at(v, 5)}}, &s.NRSINR, at(v, 6))
	case mode == "GSM":
		r.cpsiCell(v)
		r.level(&r.Signal.RSSI, "CPSI", rssiSpan, at(v, 6), decibels)
	case mode == "WCDMA":
		r.cpsiCell(v) // its levels are numbers without a unit
	}
}

// cpsiCell takes in the values that most modes have in common: mode, state, MCC-MNC, area, cell.
func (r *Reading) cpsiCell(v []value) {
	country, network, _ := strings.Cut(at(v, 2).text, "-")
	r.setCode(country, network)
	var id *uint64
	if n, ok := at(v, 4).number(); ok && n >= 0 && n <= maxEUTRANCell {
		id = new(uint64(n))
	}
	r.setCell(at(v, 3), id, value{}, value{}, value{})
}

// cpsiLTE takes in mode, state, MCC-MNC, TAC, cell, PCI, band, EARFCN, bandwidths, RSRQ, RSRP, RSSI, RSSNR.
func (r *Reading) cpsiLTE(v []value) {
	if len(v) < 14 {
		return // without a cell it ends early
	}
	r.cpsiCell(v)
	r.setCell(value{}, nil, v[5], v[7], band(v[6]))
	s := &r.Signal
	r.cpsiLevels(v[11], []cpsiLevel{{&s.RSRQ, rsrqSpan, v[10]}, {&s.RSRP, rsrpSpan, v[11]}, {&s.RSSI, rssiSpan, v[12]}}, &s.SINR, v[13])
}

// cpsiSA takes in mode, state, MCC-MNC, TAC, cell, PCI, band, ARFCN, RSRP, RSRQ, SNR.
func (r *Reading) cpsiSA(v []value) {
	if len(v) < 11 {
		return
	}
	r.cpsiCell(v)
	r.setCell(value{}, nil, v[5], v[7], band(v[6]))
	s := &r.Signal
	r.cpsiLevels(v[8], []cpsiLevel{{&s.RSRP, rsrpSpan, v[8]}, {&s.RSRQ, rsrqSpan, v[9]}}, &s.SINR, v[10])
}

// cpsiLevel is a level of an answer to AT+CPSI? and where it goes.
type cpsiLevel struct {
	to   *Level
	span span
	raw  value
}

// cpsiLevels takes in levels whose unit the RSRP tells: beyond -200 it is tenths of a dBm, and that of the others beside it
// too, but for the ratio of signal to noise. A76xx writes indexes without a unit, which are positive: they are not
// believed.
func (r *Reading) cpsiLevels(rsrp value, levels []cpsiLevel, snr *Level, rawSNR value) {
	const tenthsBeyond = -200
	source, by := "CPSI", decibels
	for _, l := range levels {
		if n, ok := l.raw.number(); ok && n > 0 {
			for _, l := range levels {
				r.doubt(source, l.span.name, l.raw.text)
			}
			r.doubt(source, sinrSpan.name, rawSNR.text)
			return
		}
	}
	if n, ok := rsrp.number(); ok && n < tenthsBeyond {
		source, by = "CPSI/10", tenths
	}
	for _, l := range levels {
		r.level(l.to, source, l.span, l.raw, by)
	}
	r.level(snr, source, sinrSpan, rawSNR, decibels)
}

// band returns the number at the end of a band's name: EUTRAN-BAND40, NR5G_BAND78.
func band(v value) value {
	i := strings.LastIndex(strings.ToUpper(v.text), "BAND")
	if i < 0 {
		return value{}
	}
	return value{text: v.text[i+len("BAND"):]}
}

// takeCPMUTEMP takes in the answer to AT+CPMUTEMP: one temperature in degrees.
func takeCPMUTEMP(r *Reading, lines []string) {
	for _, line := range lines {
		if v, ok := values(line, "+CPMUTEMP:"); ok {
			r.hotter("CPMUTEMP", v[0])
		}
	}
}
