package cellular

import (
	"errors"
	"strings"
	"time"
)

// Why a text is no time of the network.
var (
	errNoClock    = errors.New("not a time")
	errClockUnset = errors.New("not set") // the modem has not been told
)

// ParseClock returns the time in the answer to AT+CCLK?, 3GPP TS 27.007 clause 8.15: yy/MM/dd,hh:mm:ss±zz with the
// offset of the zone in quarters of an hour, in quotes or not. Years from 70 on are those of modems that have no time.
func ParseClock(text string) (Clock, error) {
	text = newValue(text).text
	zone := ""
	if i := strings.LastIndexAny(text, "+-"); i >= 0 {
		text, zone = text[:i], text[i:]
	}
	layout := "06/01/02,15:04:05"
	if len(text) > 2 && text[2] != '/' {
		layout = "2006/01/02,15:04:05"
	}
	t, err := time.Parse(layout, text)
	if err != nil {
		return Clock{}, errNoClock
	}
	if t.Year() < 2000 || t.Year() >= 2070 {
		return Clock{}, errClockUnset
	}
	if zone == "" {
		return Clock{Time: t}, nil
	}
	quarters := newValue(zone).signed()
	if quarters == nil {
		return Clock{}, errNoClock
	}
	offset := time.Duration(*quarters) * 15 * time.Minute
	place := time.FixedZone("", int(offset.Seconds()))
	return Clock{
		Time:   time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, place),
		Offset: &offset,
	}, nil
}

// maxQuarters is the farthest that a zone is from Greenwich, in quarters of an hour: 3GPP TS 22.042 has -48 to +56.
const maxQuarters = 56

// signed returns the number of quarters that a value is.
func (v value) signed() *int64 {
	n, ok := v.number()
	if !ok || len(v.text) != len("+zz") || n < -maxQuarters || n > maxQuarters {
		return nil
	}
	return &n
}

// TakeCCLK takes in the answer to AT+CCLK?.
func (r *Reading) TakeCCLK(line string) {
	const prefix = "+CCLK:"
	if _, ok := values(line, prefix); !ok {
		return
	}
	text := strings.TrimSpace(strings.TrimSpace(line)[len(prefix):])
	clock, err := ParseClock(text)
	if errors.Is(err, errClockUnset) {
		return
	}
	if err != nil {
		r.doubt("CCLK", "clock", text)
		return
	}
	r.Clock = &clock
}
