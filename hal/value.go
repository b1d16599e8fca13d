package hal

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/stampd/stampd/uplink/wire"
)

// maxText is the longest text that a reading may hold, in bytes.
const maxText = 64

// parseText returns the text of a sysfs attribute: up to the first NUL, without the white space around it.
func parseText(content []byte) string {
	content, _, _ = bytes.Cut(content, []byte{0})
	return string(bytes.TrimSpace(content))
}

// parseNumber returns the number in a sysfs attribute, or nil when it holds anything else or a number out of range.
func parseNumber(content []byte, least, most int64) *int64 {
	n, err := strconv.ParseInt(parseText(content), 10, 64)
	if err != nil || n < least || n > most {
		return nil
	}
	return &n
}

// parseWord returns the text of a sysfs attribute when it is something to read for people: printable ASCII of at most
// maxText characters, neither "Unknown" nor "-". Else it returns nothing.
func parseWord(content []byte) string {
	word := parseText(content)
	if len(word) > maxText || word == "Unknown" || word == "-" || strings.ContainsFunc(word, unprintable) {
		return ""
	}
	return word
}

// parseStatus returns the state that the attribute "status" names.
func parseStatus(content []byte) wire.ChargeStatus {
	switch parseText(content) {
	case "Charging":
		return wire.ChargeStatus_CHARGE_STATUS_CHARGING
	case "Discharging":
		return wire.ChargeStatus_CHARGE_STATUS_DISCHARGING
	case "Not charging":
		return wire.ChargeStatus_CHARGE_STATUS_NOT_CHARGING
	case "Full":
		return wire.ChargeStatus_CHARGE_STATUS_FULL
	}
	return wire.ChargeStatus_CHARGE_STATUS_UNSPECIFIED
}

// cleanName returns a device's name as a reading may hold it: at most maxText printable ASCII characters.
func cleanName(name string) string {
	name = strings.Map(func(r rune) rune {
		if unprintable(r) {
			return '_'
		}
		return r
	}, name)
	return name[:min(len(name), maxText)]
}

func unprintable(r rune) bool { return r < ' ' || r > '~' }
