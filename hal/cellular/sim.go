package cellular

import (
	"errors"
	"strings"
)

// SIM is the state of the SIM.
type SIM string

// The states of a SIM, 3GPP TS 27.007 clause 8.3, and those that only errors tell of, clause 9.2.
const (
	SIMUnknown SIM = ""
	SIMReady   SIM = "ready"
	SIMPIN     SIM = "pin"    // wants its PIN
	SIMPUK     SIM = "puk"    // wants its PUK
	SIMLocked  SIM = "locked" // the modem or the network wants a code for it
	SIMAbsent  SIM = "absent"
	SIMFailed  SIM = "failed"
	SIMBusy    SIM = "busy" // not yet: ask again
	SIMWrong   SIM = "wrong"
)

// ParseSIM returns the state that the answer to AT+CPIN? tells of, and SIMUnknown for a line that tells of none.
func ParseSIM(line string) SIM {
	v, ok := values(line, "+CPIN:")
	if !ok {
		return SIMUnknown
	}
	switch word := strings.ToUpper(v[0].text); {
	case word == "READY":
		return SIMReady
	case word == "SIM PIN", word == "SIM PIN2":
		return SIMPIN
	case word == "SIM PUK", word == "SIM PUK2":
		return SIMPUK
	case strings.HasPrefix(word, "PH-"):
		return SIMLocked
	case word == "NOT INSERTED", word == "SIM REMOVED": // unsolicited, Quectel and SIMCom
		return SIMAbsent
	case word == "NOT READY":
		return SIMBusy
	}
	return SIMUnknown
}

// SIMOfError returns the state that the number of a +CME ERROR tells of.
func SIMOfError(code int) SIM {
	switch code {
	case 10:
		return SIMAbsent
	case 11, 17:
		return SIMPIN
	case 12, 18:
		return SIMPUK
	case 13:
		return SIMFailed
	case 14:
		return SIMBusy
	case 15:
		return SIMWrong
	}
	return SIMUnknown
}

// SIMQuery returns the question for the state of the SIM. A modem that refuses it may tell by the error.
func SIMQuery() Query {
	return Query{Text: "AT+CPIN?", Prefix: "+CPIN:", Take: func(r *Reading, lines []string) {
		for _, line := range lines {
			if s := ParseSIM(line); s != SIMUnknown {
				r.SIM = s
			} else {
				r.doubt("CPIN", "sim", strings.TrimPrefix(line, "+CPIN:"))
			}
		}
	}}
}

// errNoICCID means that a text is no ICCID.
var errNoICCID = errors.New("not an ICCID")

// ParseICCID returns the ICCID in a text: 19 or 20 digits that begin with 89 (ITU-T E.118), of which some issuers write
// a part of the account number in hexadecimal. It may be in quotes and have other values after it, its nibbles may be swapped as they lie on the SIM,
// and F fills it up at the end, which is left out.
func ParseICCID(text string) (string, error) {
	id := strings.ToUpper(strings.Trim(split(text)[0].text, `"`))
	if len(id) < 19 || len(id) > 20 || !isHex(id) {
		return "", errNoICCID
	}
	if strings.HasPrefix(id, "98") && len(id)%2 == 0 {
		swapped := []byte(id)
		for i := 0; i < len(swapped); i += 2 {
			swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
		}
		id = string(swapped)
	}
	id = strings.TrimSuffix(id, "F")
	if len(id) < 18 || !strings.HasPrefix(id, "89") {
		return "", errNoICCID
	}
	return id, nil
}

// iccid returns a question for the ICCID. Modems answer it with a prefix, with another one, or with none.
func iccid(text string) Query {
	return Query{Text: text, Mine: mayBeICCID, Take: func(r *Reading, lines []string) {
		for _, line := range lines {
			if _, rest, ok := strings.Cut(line, ":"); ok {
				line = rest
			}
			id, err := ParseICCID(line)
			if err == nil {
				r.ICCID = id
				return
			}
		}
		if len(lines) > 0 {
			r.doubt(strings.TrimPrefix(text, "AT+"), "iccid", "") // not what it is: it may be nearly one
		}
	}}
}

// mayBeICCID reports whether a line may be the answer to a question for the ICCID: +ICCID: comes for AT+CICCID.
func mayBeICCID(line string) bool {
	name, _, prefixed := strings.Cut(line, ":")
	return !prefixed && strings.Trim(line, "\"0123456789abcdefABCDEF ") == "" || strings.HasSuffix(strings.ToUpper(name), "CCID")
}
