package cellular

import (
	"slices"
	"strings"
)

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
	_, inNumbers := at(v, 1).number()
	switch mode := strings.ToUpper(v[0].text); {
	case strings.HasPrefix(mode, "LTE"):
		r.cpsiLTE(v)
	case mode == "NR5G_SA", mode == "NR5G" && !inNumbers:
		r.cpsiSA(v)
	case mode == "NR5G_NSA", mode == "NR5G":
		r.cpsiNSA(v)
	case mode == "GSM":
		r.cpsiCell(v)
		r.level(&r.Signal.RSSI, "CPSI", rssiSpan, at(v, 6), decibels)
	case mode == "WCDMA":
		r.cpsiWCDMA(v)
	}
}

// cpsiCell takes in the values that most modes have in common: mode, state, MCC-MNC, area, cell.
func (r *Reading) cpsiCell(v []value) {
	country, network, _ := strings.Cut(at(v, 2).text, "-")
	r.setCode(country, network)
	most := uint64(maxEUTRANCell)
	if strings.HasPrefix(v[0].text, "NR") {
		most = maxCell
	}
	r.setCell(at(v, 3), at(v, 4).large(most), value{}, value{}, value{})
}

// cpsiLTE takes in mode, state, MCC-MNC, TAC, cell, PCI, band, EARFCN, bandwidths, RSRQ, RSRP, RSSI, RSSNR.
func (r *Reading) cpsiLTE(v []value) {
	if len(v) <= 2 {
		return // without a cell it ends early
	}
	if len(v) != 14 {
		r.doubt("CPSI", "values", join(v))
		return
	}
	r.cpsiCell(v)
	r.setCell(value{}, nil, v[5], v[7], band(v[6]))
	s := &r.Signal
	source := r.cpsiLevels(v[11], cpsiLevel{&s.RSRQ, rsrqSpan, v[10]}, cpsiLevel{&s.RSRP, rsrpSpan, v[11]}, cpsiLevel{&s.RSSI, rssiSpan, v[12]})
	if source == "" {
		r.doubt("CPSI", sinrSpan.name, v[13].text)
		return
	}
	r.level(&s.SINR, source, sinrSpan, v[13], decibels) // whatever the others are in
}

// cpsiSA takes in mode, state, MCC-MNC, TAC, cell, PCI, band, ARFCN, RSRP, RSRQ, SNR. Older firmware leaves out the band.
func (r *Reading) cpsiSA(v []value) {
	if len(v) > 6 && band(v[6]).text == "" {
		v = slices.Insert(slices.Clone(v), 6, value{})
	}
	if len(v) != 11 {
		r.doubt("CPSI", "values", join(v))
		return
	}
	r.cpsiCell(v)
	r.setCell(value{}, nil, v[5], v[7], band(v[6]))
	s := &r.Signal
	source := r.cpsiLevels(v[8], cpsiLevel{&s.RSRP, rsrpSpan, v[8]}, cpsiLevel{&s.RSRQ, rsrqSpan, v[9]})
	r.cpsiSNR(&s.SINR, source, v[10])
}

// cpsiNSA takes in the NR cell beside an LTE cell: mode, PCI, band, ARFCN, RSRP, RSRQ, SNR, or of older firmware mode, PCI,
// ARFCN, RSRQ, RSRP, SNR. Newer firmware adds spacing and bandwidth.
func (r *Reading) cpsiNSA(v []value) {
	rsrp, rsrq, snr := at(v, 4), at(v, 5), at(v, 6)
	switch named := band(at(v, 2)).text != ""; {
	case !named && len(v) == 6:
		rsrq, snr = v[3], v[5]
	case !named || len(v) != 7 && len(v) != 9:
		r.doubt("CPSI", "values", join(v))
		return
	}
	s := &r.Signal
	source := r.cpsiLevels(rsrp, cpsiLevel{&s.NRRSRP, rsrpSpan, rsrp}, cpsiLevel{&s.NRRSRQ, rsrqSpan, rsrq})
	r.cpsiSNR(&s.NRSINR, source, snr)
}

// cpsiWCDMA takes in mode, state, MCC-MNC, LAC, cell, band, PSC, channel, SSC, Ec/Io, RSCP, quality, level. Most firmware
// writes the last four without a sign or a unit.
func (r *Reading) cpsiWCDMA(v []value) {
	if len(v) <= 2 {
		return
	}
	if len(v) < 13 || len(v) > 15 {
		r.doubt("CPSI", "values", join(v))
		return
	}
	r.cpsiCell(v)
	r.setCell(value{}, nil, value{}, at(v, 7), value{})
	s := &r.Signal
	r.cpsiLevels(at(v, 10), cpsiLevel{&s.EcIo, ecioSpan, at(v, 9)}, cpsiLevel{&s.RSCP, rscpSpan, at(v, 10)}, cpsiLevel{&s.RSSI, rssiSpan, at(v, 12)})
}

// cpsiLevel is a level of an answer to AT+CPSI? and where it goes.
type cpsiLevel struct {
	to   *Level
	span span
	raw  value
}

// cpsiLevels takes in levels whose unit the first value tells, the RSRP or RSCP: beyond -200 it is tenths of a dBm, and that
// of the others beside it too. A76xx writes indexes without a unit, which are positive: they are not believed, nor are levels of which one must be in another unit. It returns the
// source that the levels have, or nothing when they are not believed.
func (r *Reading) cpsiLevels(strength value, levels ...cpsiLevel) (source string) {
	const tenthsBeyond = -200
	for _, l := range levels {
		if n, ok := l.raw.tenths(); ok && n > 0 {
			return r.noLevels(levels)
		}
	}
	source, by := "CPSI", decibels
	if n, ok := strength.number(); ok && n < tenthsBeyond {
		source, by = "CPSI/10", tenths
	}
	for _, l := range levels {
		n, ok := l.raw.number()
		if wide := int64(l.span.least) / 10; ok && by == decibels && n < wide && n >= int64(l.span.least) {
			return r.noLevels(levels) // this one is in tenths
		}
	}
	for _, l := range levels {
		r.level(l.to, source, l.span, l.raw, by)
	}
	return source
}

// noLevels tells that levels are not believed, and returns no source.
func (r *Reading) noLevels(levels []cpsiLevel) string {
	for _, l := range levels {
		r.doubt("CPSI", l.span.name, l.raw.text)
	}
	return ""
}

// cpsiSNR takes in the ratio of signal to noise of an NR cell: in tenths of a dB, or in whole ones, as the firmware likes.
// Beyond what can be in whole ones it is in tenths. Within, it is in whole ones where the levels are, and where those are in
// tenths it could be either: it is not believed.
func (r *Reading) cpsiSNR(to *Level, source string, raw value) {
	n, ok := raw.tenths()
	switch beyond := n < int64(sinrSpan.least) || n > int64(sinrSpan.most); {
	case ok && beyond && source != "":
		r.level(to, "CPSI/10", sinrSpan, raw, tenths)
	case source == "CPSI":
		r.level(to, source, sinrSpan, raw, decibels)
	case raw.text != "":
		r.doubt("CPSI", sinrSpan.name, raw.text)
	}
}

// band returns the number at the end of a band's name: EUTRAN-BAND40, NR5G_BAND78.
func band(v value) value {
	if i := strings.LastIndex(v.text, "BAND"); i >= 0 {
		return value{text: v.text[i+len("BAND"):]}
	}
	return value{}
}

// takeCPMUTEMP takes in the answer to AT+CPMUTEMP: one temperature in degrees.
func takeCPMUTEMP(r *Reading, lines []string) {
	for _, line := range lines {
		if v, ok := values(line, "+CPMUTEMP:"); ok {
			r.hotter("CPMUTEMP", v[0])
		}
	}
}
