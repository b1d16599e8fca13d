package at

import (
	"strconv"
	"strings"
)

// Kind is how an answer ends.
type Kind string

// The ends of answers: ITU-T V.250 clause 5.7.1, 3GPP TS 27.007 clause 9.1, 27.005 clause 3.2.5, and what modems add.
const (
	OK          Kind = "OK"
	Error       Kind = "ERROR"
	CME         Kind = "+CME ERROR"
	CMS         Kind = "+CMS ERROR"
	ModemError  Kind = "MODEM ERROR"
	Unsupported Kind = "COMMAND NOT SUPPORT"
	NoCarrier   Kind = "NO CARRIER"
	Busy        Kind = "BUSY"
	NoAnswer    Kind = "NO ANSWER"
	NoDialtone  Kind = "NO DIALTONE"
	Aborted     Kind = "ABORTED"
	Connect     Kind = "CONNECT" // what follows is data
	Prompt      Kind = "> "      // the modem waits for text
)

// Codes of +CME ERROR that say something of the hardware or of the network (3GPP TS 27.007 clause 9.2).
const (
	CodeNotAllowed   = 3
	CodeNotSupported = 4
	CodeNoSIM        = 10
	CodeNeedsPIN     = 11
	CodeNeedsPUK     = 12
	CodeSIMFailure   = 13
	CodeSIMBusy      = 14
	CodeWrongSIM     = 15
)

// Final is the line that ends an answer.
type Final struct {
	Kind Kind
	// Code is the number of an error. It is -1 where there is none.
	Code int
	// Text is what the modem wrote in the place of a number, or after CONNECT.
	Text string
}

// String returns the kind and the number.
func (f Final) String() string {
	if f.Code < 0 {
		return string(f.Kind)
	}
	return string(f.Kind) + " " + strconv.Itoa(f.Code)
}

// ParseFinal returns the end of an answer that a line is, if it is one.
func ParseFinal(line string) (Final, bool) {
	line = strings.TrimSpace(line)
	if line == promptLine {
		return Final{Kind: Prompt, Code: -1}, true
	}
	for _, k := range []Kind{OK, Error, Unsupported, NoCarrier, Busy, NoAnswer, NoDialtone, Aborted} {
		if line == string(k) {
			return Final{Kind: k, Code: -1}, true
		}
	}
	for _, k := range []Kind{CME, CMS, ModemError} {
		rest, ok := strings.CutPrefix(line, string(k)+":")
		if !ok {
			continue
		}
		text := strings.TrimSpace(rest)
		if code, err := strconv.ParseUint(text, 10, 16); err == nil {
			return Final{Kind: k, Code: int(code)}, true
		}
		// A word in the place of the number is for +CMEE=2 alone.
		return Final{Kind: k, Code: -1, Text: text}, k != ModemError
	}
	if rest, ok := strings.CutPrefix(line, string(Connect)); ok && (rest == "" || rest[0] == ' ') {
		return Final{Kind: Connect, Code: -1, Text: strings.TrimSpace(rest)}, true
	}
	return Final{}, false
}

// CMECode returns the number of a +CME ERROR, also of one about the SIM that came in words (+CMEE=2), and -1 for any
// other end.
func (f Final) CMECode() int {
	if f.Kind != CME {
		return -1
	}
	if f.Code >= 0 {
		return f.Code
	}
	switch strings.ToLower(f.Text) {
	case "sim not inserted":
		return CodeNoSIM
	case "sim pin required":
		return CodeNeedsPIN
	case "sim puk required":
		return CodeNeedsPUK
	case "sim failure":
		return CodeSIMFailure
	case "sim busy":
		return CodeSIMBusy
	case "sim wrong":
		return CodeWrongSIM
	}
	return -1
}
