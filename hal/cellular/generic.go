package cellular

// generic is for any modem that follows 3GPP TS 27.007.
func generic() *Profile {
	return &Profile{
		Name:   "generic",
		Signal: []Query{cesq(), csq("AT+CSQ"), csq("AT+CSQ?")},
		ICCID:  []Query{iccid("AT+CCID"), iccid("AT+ICCID"), iccid("AT+QCCID")},
	}
}
