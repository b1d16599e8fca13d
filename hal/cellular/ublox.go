package cellular

// ublox is for SARA, LARA, TOBY and LENA. In LTE the index of AT+CSQ is the RSRP in disguise (UBX-17003787 p. 41), so that
// it is never asked for; what AT+CESQ does not know stays unknown.
//
// Sources: u-blox Cellular Modules AT Commands Manual (UBX-13002752), SARA-R4 (UBX-17003787), SARA-R5 (UBX-19047455).
func ublox() *Profile {
	return &Profile{
		Name:   "ublox",
		makers: []string{"u-blox", "ublox"},
		models: []string{"sara-", "lara-", "toby-", "lena-", "lisa-"},
		Signal: []Query{cesq()},
		ICCID:  []Query{iccid("AT+CCID")},
	}
}
