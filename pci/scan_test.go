package pci

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"unicode/utf16"
)

// panVectors are test numbers of card schemes and processors (Stripe; gists DominicWatts/e5a83ae2 and Zonalds; JCB's
// old ranges with their check digits worked out). None was ever issued.
var panVectors = []struct{ name, digits string }{
	{"Visa 4242", "4242424242424242"},
	{"Visa debit", "4000056655665556"},
	{"Visa 4111", "4111111111111111"},
	{"Visa 4012", "4012888888881881"},
	{"Mastercard", "5555555555554444"},
	{"Mastercard, 2 series", "2223003122003222"},
	{"Mastercard debit", "5200828282828210"},
	{"Mastercard prepaid", "5105105105105100"},
	{"American Express 3782", "378282246310005"},
	{"American Express 3714", "371449635398431"},
	{"Discover 60111", "6011111111111117"},
	{"Discover 60110", "6011000990139424"},
	{"Discover 60119", "6011981111111113"},
	{"Discover 65", "6555900000604105"},
	{"Diners Club, 16 digits", "3056930009020004"},
	{"Diners Club 36", "36227206271667"},
	{"Diners Club 38", "38520000023237"},
	{"Diners Club 305", "30569309025904"},
	{"JCB", "3566002020360505"},
	{"JCB 2131, 15 digits", "213112345678904"},
	{"UnionPay", "6200000000000005"},
	{"UnionPay, 19 digits", "6205500000000000004"},
	{"Maestro", "6759649826438453"},
	{"Maestro, 19 digits", "6799990100000000019"},
}

func TestScanTextFindsCardNumbers(t *testing.T) {
	for _, test := range panVectors {
		t.Run(test.name, func(t *testing.T) {
			for name, s := range map[string]string{
				"alone":                   test.digits,
				"in words":                "order " + test.digits + " paid",
				"after a label":           "pan=" + test.digits + ";exp=1230",
				"between letters":         "x" + test.digits + "y",
				"beside numbers":          "2 " + test.digits + " 12.50",
				"as a decimal":            test.digits + ".00",
				"in JSON":                 `{"pan":"` + test.digits + `"}`,
				"a separator each":        strings.Join(strings.Split(test.digits, ""), "-"),
				"full width":              shift(test.digits, '０'),
				"Arabic-Indic":            shift(test.digits, '٠'),
				"mathematical bold":       shift(test.digits, '𝟎'),
				"zero-width spaces":       strings.Join(strings.Split(test.digits, ""), "\u200b"),
				"JSON escapes":            escape(test.digits, `\u00`),
				"one JSON escape":         `\u003` + test.digits[:1] + test.digits[1:],
				"URL escapes":             escape(test.digits, "%"),
				"XML escapes":             xmlEscape(test.digits),
				"hexadecimal":             hex.EncodeToString([]byte(test.digits)),
				"hexadecimal, one before": "a" + strings.ToUpper(hex.EncodeToString([]byte(test.digits))),
				"base64":                  base64.StdEncoding.EncodeToString([]byte(test.digits)),
				"base64, one before":      base64.RawURLEncoding.EncodeToString([]byte(" " + test.digits)),
				"base64, two before":      base64.StdEncoding.EncodeToString([]byte("::" + test.digits + ";")),
				"base64 behind a path":    "a/" + base64.StdEncoding.EncodeToString([]byte(test.digits)),
				"UTF-16, low byte first":  utf16Text(test.digits, 0, 1),
				"UTF-16, high byte first": utf16Text(test.digits, 1, 0),
			} {
				if got := scanText(s); got != pan {
					t.Errorf("%s: found %q, want %q", name, got.kind(), KindPAN)
				}
				if got := scanBytes([]byte(s)); got != pan {
					t.Errorf("%s, as bytes: found %q, want %q", name, got.kind(), KindPAN)
				}
			}
		})
	}
}

func TestScanTextFindsSeparatedNumbers(t *testing.T) {
	for _, s := range []string{
		"4242 4242 4242 4242",
		"4242-4242-4242-4242",
		"3782 822463 10005",
		"5555.5555.5555.4444",
		"order 4111-1111-1111-1111 x",
		"pan=4242424242424242;exp=1230",
		"4242\u00a04242\u00a04242\u00a04242",
		"4242\xa04242\xa04242\xa04242", // Latin-1
		"4242\n4242\n4242\n4242",
		"4242\u20134242\u20134242\u20134242", // en dash
		"4242\u30004242\u30004242\u30004242", // ideographic space
		"table 7 4242 4242 4242 4242 12/30",
		"4242424242424242 1230 123",
		"20260713 378282246310005",
	} {
		if got := scanText(s); got != pan {
			t.Errorf("%q: found %q, want %q", s, got.kind(), KindPAN)
		}
	}
}

func TestScanTextPassesWhatIsNoCard(t *testing.T) {
	for _, test := range []struct{ name, text string }{
		{"empty", ""},
		{"wrong check digit", "4242424242424241"},
		{"one digit short", "4242 4242 4242 424"},
		{"zeros", "0000000000000000"},
		{"ones", "1111111111111111"},
		{"fours", "4444444444444444444"},
		{"eights", "8888888888888888"},
		{"counting", "1234567890123456"},
		{"IMEI", "490154203237518"},
		{"IMEI with a right check digit", "352099001761481"},
		{"ICCID 8944", "8944200053671052499"},
		{"ICCID 8932", "89324102234690160476"},
		{"ICCID 8986", "89860436101892671308"},
		{"EAN", "4006381333931"},
		{"phone", "+14155551234"},
		{"time in nanoseconds", `"ts":1767225600123456789`},
		{"masked", "411111******1111"},
		{"13 digits, unlabelled", "4222222222222"},
		{"part of a longer number", "44242424242424242"},
		{"part of 20 digits", "00004242424242424242"},
		{"part of 32 digits", "42424242424242424242424242424242"},
		{"two separators", "4242  4242  4242  4242"},
		{"SHA-256", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
		{"UUID", "f2a53ac3-8631-4107-8041-3efa48210e0a"},
		{"UUID with a card number by chance", "1eb1b365-8208-4174-973e-6ed58d30c8de"},
		{"IPv4 addresses", "10.0.0.1 192.168.100.200"},
		{"amounts", "12.50 9.99 1,250.00"},
		{"decimal fraction", "0.4242424242424242"},
		{"small numbers", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"},
		{"version", "v1.2.3-rc.4+20260713102233"},
		{"semicolon and a short number", "a;12=1234567"},
		{"base64 of text", base64.StdEncoding.EncodeToString([]byte("nothing to be seen in here, really"))},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := scanText(test.text); got.kind() != "" {
				t.Errorf("text: found %q", got.kind())
			}
			if got := scanBytes([]byte(test.text)); got.kind() != "" {
				t.Errorf("bytes: found %q", got.kind())
			}
		})
	}
}

// TestScanTextIDsHideNothing: what only resembles an id is judged like any text.
func TestScanTextIDsHideNothing(t *testing.T) {
	for _, s := range []string{
		"abc00000-4012-8888-8888-1881a0000000",                          // few letters
		"abcdeabc-4012-8888-8888-1881abcdefab0",                         // too long
		"aabcdeabc-4012-8888-8888-1881abcdefab",                         // too long
		"abcdeABC-4012-8888-8888-1881abcdefab",                          // two cases
		"abcdeabc-4242-4242-4242-4242abcdefab",                          // no variant
		"abcdeabc-4111-1111.1111-1111abcdefab",                          // other separators
		"abcdefabcdefabcdefabcdefabcdefab 4242424242424242",             // beside one
		"4242424242424242-abcdef00-4242-4242-8242-4242abcdefab",         // before one
		"0000abcdef4242424242424242abcdefabcdef0000000000000000000000a", // 61 digits
	} {
		if got := scanText(s); got.kind() != KindPAN {
			t.Errorf("%q: found %q, want %q", s, got.kind(), KindPAN)
		}
	}
}

func TestScanTextFindsTracksAndCodes(t *testing.T) {
	for _, test := range []struct{ name, text, kind string }{
		{"track 1", "%B4815881002867896^YATES/EUGENE JOHN ^37829821000123456789?", KindTrack1},
		{"track 1 without sentinel", "B4815881002867896^YATES/EUGENE JOHN ^3782982100", KindTrack1},
		{"track 1 of a private issuer", "%B7000000000000001^DOE/JANE^2512201?", KindTrack1},
		{"track 1, spaces in the number", "%B3782 822463 10005^DOE/JANE^2512201?", KindTrack1},
		{"track 2", ";4761340000000050=17122011252345100000?", KindTrack2},
		{"track 2 without sentinel", "4761340000000050=17122011252345100000", KindTrack2},
		{"track 2 of a private issuer", ";7000000000000001=2512201?", KindTrack2},
		{"track 2, start sentinel of one vendor", ":4761340000000050=17122011252345100000?", KindTrack2},
		{"track 2 of a chip", "4761340000000050D17122011252345", KindTrack2},
		{"track 2 data object", "57104761340000000050d17122011252345f", KindTrack2},
		{"track 2 data object, small", "5713374245001741007d181270213101234500000f", KindTrack2},
		{"number data object", "5A0862109480000000115F340101", KindPAN},
		{"number data object, padded", "5A08374245455400001F", KindPAN},
		{"track 2, MSD", "9F6B115413330056003511D1412101067750500F", KindTrack2},
		{"track 1 data object", "563442353431333333303035363030333531315E4355535420494D50204D43203335312F5E", KindTrack1},
		{"Visa contact", "703857104761340000000050d1712201125234515f20104341524420352f5649534120544553549f1f10313235323330303435313030303030309000", KindTrack2},
		{"American Express", "704D5713374245001741007D181270213101234500000F5F201A45506179205445535420434152442020202020202020202020209F5A0854455354434152449F5B0D313233343536373839303132339000", KindTrack2},
		{"code", "cvv=123", KindCVV},
		{"code in JSON", `{"cvc2":"1234"}`, KindCVV},
		{"code, capitals", "CAV2: 123;", KindCVV},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := scanText(test.text).kind(); got != test.kind {
				t.Errorf("text: found %q, want %q", got, test.kind)
			}
			if got := scanBytes([]byte(test.text)).kind(); got != test.kind {
				t.Errorf("bytes: found %q, want %q", got, test.kind)
			}
			raw, err := hex.DecodeString(test.text)
			if err != nil {
				return
			}
			if got := scanBytes(raw).kind(); got != test.kind {
				t.Errorf("raw: found %q, want %q", got, test.kind)
			}
			if got := scanText(base64.StdEncoding.EncodeToString(append([]byte("NINN"), raw...))).kind(); got != test.kind && len(raw) > 0 {
				t.Errorf("base64: found %q, want %q", got, test.kind)
			}
		})
	}
	for _, s := range []string{"cvv: none", "acvv=123", "cvv=12345", "cvv 123", "cache=123", "csc=12", "cab2=1234"} {
		if got := scanText(s).kind(); got != "" {
			t.Errorf("%q: found %q", s, got)
		}
	}
}

func TestScanBytesFindsPackedDigits(t *testing.T) {
	for _, test := range panVectors {
		padded := test.digits
		if len(padded)%2 == 1 {
			padded += "F"
		}
		packed, err := hex.DecodeString(padded)
		if err != nil {
			t.Fatal(err)
		}
		ebcdic, unpacked := []byte(test.digits), []byte(test.digits)
		for i := range ebcdic {
			ebcdic[i] |= 0xF0
			unpacked[i] &= 0x0F
		}
		for name, b := range map[string][]byte{
			"packed":         packed,
			"packed, padded": append(append([]byte{0xFF, 0xFF}, packed...), 0xFF, 0xFF),
			"packed, odd":    shiftNibble(packed),
			"unpacked":       unpacked,
			"EBCDIC":         ebcdic,
		} {
			if got := scanBytes(b); got != pan {
				t.Errorf("%s, %s: found %q, want %q", test.name, name, got.kind(), KindPAN)
			}
		}
	}
	if got := scanBytes([]byte{0x1F, 0x8B, 0x08, 0, 0, 0, 0}); got != uncheckable {
		t.Errorf("gzip: found %q, want %q", got.kind(), KindUncheckable)
	}
}

func TestScanUint(t *testing.T) {
	for _, test := range []struct {
		n    uint64
		want finding
	}{
		{4242424242424242, pan},
		{378282246310005, pan},
		{36227206271667, pan},
		{6205500000000000004, pan},
		{4222222222222, panIfLabelled},
		{4242424242424241, nothing},
		{1767225600123, nothing},
		{1_000_000_000_000, nothing},
		{0, nothing},
		{1<<64 - 1, nothing},
	} {
		if got := scanUint(test.n); got != test.want {
			t.Errorf("%d: found %v, want %v", test.n, got, test.want)
		}
	}
}

// TestScanLongEncodings: a number is found wherever it lies in a long encoded text.
func TestScanLongEncodings(t *testing.T) {
	for at := 0; at < 3*decodedLen; at += 5 {
		plain := []byte(strings.Repeat("x", 4*decodedLen))
		copy(plain[at:], "4242 4242 4242 4242")
		if got := scanText(hex.EncodeToString(plain)); got != pan {
			t.Fatalf("hexadecimal, at %d: found %q", at, got.kind())
		}
		if got := scanText(base64.StdEncoding.EncodeToString(plain)); got != pan {
			t.Fatalf("base64, at %d: found %q", at, got.kind())
		}
	}
}

func TestIssuersAreRanges(t *testing.T) {
	for _, r := range issuers {
		if len(r.first) != len(r.last) || r.first > r.last || r.lengths == 0 {
			t.Errorf("range %s to %s", r.first, r.last)
		}
	}
}

// shift writes digits in the script whose zero is given.
func shift(digits string, zero rune) string {
	var b strings.Builder
	for _, d := range digits {
		b.WriteRune(zero + d - '0')
	}
	return b.String()
}

func escape(digits, prefix string) string {
	var b strings.Builder
	for _, d := range []byte(digits) {
		b.WriteString(prefix + hex.EncodeToString([]byte{d}))
	}
	return b.String()
}

func xmlEscape(digits string) string {
	var b strings.Builder
	for i, d := range []byte(digits) {
		if i%2 == 0 {
			b.WriteString("&#x" + hex.EncodeToString([]byte{d}) + ";")
		} else {
			b.WriteString("&#" + string([]byte{'0' + d/10, '0' + d%10}) + ";")
		}
	}
	return b.String()
}

func utf16Text(s string, low, high int) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		var unit [2]byte
		unit[low], unit[high] = byte(u), byte(u>>8)
		b = append(b, unit[:]...)
	}
	return string(b)
}

// shiftNibble puts a nibble that is no digit before b and one behind it.
func shiftNibble(b []byte) []byte {
	text := "a" + hex.EncodeToString(b) + "a"
	out, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return out
}
