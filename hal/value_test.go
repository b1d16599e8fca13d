package hal

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stampd/stampd/uplink/wire"
)

func TestParseNumber(t *testing.T) {
	for _, test := range []struct {
		name, content string
		want          *int64
	}{
		{"newline", "85\n", new(int64(85))},
		{"no newline", "85", new(int64(85))},
		{"newline and NUL", "85\n\x00", new(int64(85))},
		{"NUL and rubbish", "85\x0099", new(int64(85))},
		{"carriage return", "85\r\n", new(int64(85))},
		{"spaces", "  85  \n", new(int64(85))},
		{"negative", "-40\n", new(int64(-40))},
		{"plus", "+40\n", new(int64(40))},
		{"zero", "0\n", new(int64(0))},
		{"negative zero", "-0\n", new(int64(0))},
		{"least", "-100\n", new(int64(-100))},
		{"most", "100\n", new(int64(100))},
		{"below least", "-101\n", nil},
		{"above most", "101\n", nil},
		{"empty", "", nil},
		{"newline only", "\n", nil},
		{"NUL only", "\x00", nil},
		{"dash", "-\n", nil},
		{"word", "Unknown\n", nil},
		{"two numbers", "1 2\n", nil},
		{"two lines", "1\n2\n", nil},
		{"decimal", "1.5\n", nil},
		{"hexadecimal", "0x10\n", nil},
		{"exponent", "1e2\n", nil},
		{"underscore", "1_0\n", nil},
		{"unit", "85%\n", nil},
		{"overflow", "9223372036854775808\n", nil},
		{"digits of another script", "٨٥\n", nil},
		{"not text", "\xff\xfe", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := parseNumber([]byte(test.content), -100, 100)
			if fmt.Sprint(deref(got)) != fmt.Sprint(deref(test.want)) {
				t.Errorf("got %v, want %v", deref(got), deref(test.want))
			}
		})
	}
}

func TestParseWord(t *testing.T) {
	for _, test := range []struct{ name, content, want string }{
		{"word", "Good\n", "Good"},
		{"words", "Safety timer expire\n", "Safety timer expire"},
		{"NUL", "Good\x00bad", "Good"},
		{"unknown", "Unknown\n", ""},
		{"dash", "-\n", ""},
		{"empty", "\n", ""},
		{"64 characters", strings.Repeat("x", 64), strings.Repeat("x", 64)},
		{"65 characters", strings.Repeat("x", 65), ""},
		{"control character", "Go\x1bod", ""},
		{"not ASCII", "gut für alle", ""},
		{"not UTF-8", "Go\xffod", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := parseWord([]byte(test.content)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestParseStatus(t *testing.T) {
	for content, want := range map[string]wire.ChargeStatus{
		"Charging\n":     wire.ChargeStatus_CHARGE_STATUS_CHARGING,
		"Discharging\n":  wire.ChargeStatus_CHARGE_STATUS_DISCHARGING,
		"Not charging\n": wire.ChargeStatus_CHARGE_STATUS_NOT_CHARGING,
		"Full\x00":       wire.ChargeStatus_CHARGE_STATUS_FULL,
		"Unknown\n":      wire.ChargeStatus_CHARGE_STATUS_UNSPECIFIED,
		"charging\n":     wire.ChargeStatus_CHARGE_STATUS_UNSPECIFIED,
		"Charging Full":  wire.ChargeStatus_CHARGE_STATUS_UNSPECIFIED,
		"":               wire.ChargeStatus_CHARGE_STATUS_UNSPECIFIED,
	} {
		if got := parseStatus([]byte(content)); got != want {
			t.Errorf("%q is %v, want %v", content, got, want)
		}
	}
}

func TestCleanName(t *testing.T) {
	for name, want := range map[string]string{
		"BAT0":                  "BAT0",
		"hid-00:1b:dc-battery":  "hid-00:1b:dc-battery",
		"bad\nname":             "bad_name",
		"\xff\xfe":              "__",
		"größe":                 "gr__e",
		strings.Repeat("b", 90): strings.Repeat("b", 64),
	} {
		if got := cleanName(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
}

// FuzzValues feeds any bytes to every parser of an attribute. What comes out is in range and fit for a message, and a
// number, written as the kernel writes it, comes back.
func FuzzValues(f *testing.F) {
	for _, seed := range []string{"85\n", "-184000\n", "", "-", "\x00", "Good\n", "Not charging\n", "99999999999999999999", "\xff\xfe"} {
		f.Add([]byte(seed), int64(-400), int64(1250))
	}
	f.Fuzz(func(t *testing.T, content []byte, least, most int64) {
		n := parseNumber(content, least, most)
		if n != nil && (*n < least || *n > most) {
			t.Errorf("%d is not in %d to %d", *n, least, most)
		}
		if n != nil {
			again := parseNumber(fmt.Appendf(nil, "%d\n\x00", *n), math.MinInt64, math.MaxInt64)
			if again == nil || *again != *n {
				t.Errorf("%d comes back as %v", *n, deref(again))
			}
		}
		for _, text := range []string{parseWord(content), cleanName(string(content))} {
			if len(text) > maxText || !utf8.ValidString(text) || strings.ContainsFunc(text, unprintable) {
				t.Errorf("%q is not fit for a message", text)
			}
		}
		if word := parseWord(content); word != "" && parseWord([]byte(word+"\n")) != word {
			t.Errorf("%q does not come back", word)
		}
		if _, ok := wire.ChargeStatus_name[int32(parseStatus(content))]; !ok {
			t.Errorf("state is %v", parseStatus(content))
		}
	})
}

// deref returns the number, or nil, to be printed.
func deref(n *int64) any {
	if n == nil {
		return nil
	}
	return *n
}
