package phone

import (
	"errors"
	"os"
	"strings"
	"testing"
)

func TestNormalise(t *testing.T) {
	for _, tt := range []struct {
		typed, region string
		want          string
		refused       error
	}{
		// loyalty.md
		{"(415) 555-1234", "US", "+14155551234", nil},
		{"415.555.1234", "US", "+14155551234", nil},
		{"1-415-555-1234", "US", "+14155551234", nil},
		{"+1 415 555 1234", "US", "+14155551234", nil},
		{"4155551234", "US", "+14155551234", nil},
		{"001 1 415 555 1234", "US", "", Ambiguous},
		{"+44 (0)20 7183 8750", "US", "+442071838750", nil},
		{"555-1234", "US", "", TooShort},
		{"4155551234567890", "US", "", TooLong},
		{"+4155551234567890", "US", "", TooLong},
		{"４１５５５５１２３４", "US", "+14155551234", nil},
		{"415-555-CAFE", "US", "", Letters},

		// abroad, and back
		{"011 44 20 7183 8750", "US", "+442071838750", nil},
		{"00 1 415 555 1234", "DE", "+14155551234", nil},
		{"0011 1 415 555 1234", "AU", "+14155551234", nil},
		{"010 1 415 555 1234", "JP", "+14155551234", nil},
		{"00 15 1 415 555 1234", "BR", "", Ambiguous}, // 15 is a carrier
		{"＋１ ４１５ ５５５ １２３４", "", "+14155551234", nil},
		{"+(44) (0)20 7183 8750", "", "+442071838750", nil},
		{"+44 020 7183 8750", "", "+442071838750", nil},
		{"0044 (0)20 7183 8750", "DE", "+442071838750", nil},
		{"+39 (0)6 1234 5678", "", "+390612345678", nil}, // the zero is dialled
		{"+390612345678", "", "+390612345678", nil},
		{"+34 (0) 912 34 56 78", "", "", Ambiguous},
		{"+886 (0)2 1234 5678", "", "", Ambiguous}, // not in the table
		{"+886 2 1234 5678", "", "+886212345678", nil},
		{"+36 06 20 123 4567", "", "+36201234567", nil},
		{"+1 (0) 415 555 1234", "", "", Ambiguous},

		// within a country
		{"020 7183 8750", "GB", "+442071838750", nil},
		{"20 7183 8750", "GB", "+442071838750", nil},
		{"7183 8750", "GB", "", TooShort},
		{"0151 2345 6789", "DE", "+4915123456789", nil},
		{"151 2345 6789", "DE", "", Ambiguous}, // perhaps of this town
		{"12345", "DE", "", TooShort},
		{"06 20 123 4567", "HU", "+36201234567", nil},
		{"20 123 4567", "HU", "+36201234567", nil},
		{"06 1234 5678", "IT", "+390612345678", nil},
		{"391 234 5678", "IT", "+393912345678", nil},
		{"39 06 12345678", "IT", "", TooLong},
		{"64 21 123 456", "NZ", "", Ambiguous}, // a country code without its plus
		{"352 27 12 34 56", "LU", "", Ambiguous},
		{"٠١٠٠ ١٢٣ ٤٥٦٧", "EG", "+201001234567", nil},
		{"\u202A+44\u00A020\u20117183\u20118750\u202C", "", "+442071838750", nil},

		// nobody's
		{"115 555 1234", "US", "", NoNumber},
		{"415 155 1234", "US", "", NoNumber},
		{"1415555123", "US", "", NoNumber},
		{"+999 123 4567", "", "", NoCountry},
		{"+800 1234 5678", "", "", NoCountry},
		{"+0 415 555 1234", "", "", NoCountry},
		{"+210 123 4567", "", "", NoCountry},

		// no number at all
		{"", "US", "", TooShort},
		{"+", "US", "", TooShort},
		{"()", "US", "", TooShort},
		{"+44", "", "", TooShort},
		{"+886123", "", "", TooShort},
		{"+1 415 555 1234 ext. 7", "", "", Letters},
		{"+14155551234,7", "", "", Letters},
		{"+14155551234\n", "", "", Letters},
		{"+1\x004155551234", "", "", Letters},
		{"+1415555\xff1234", "", "", Letters},
		{"#31#4155551234", "US", "", Letters},
		{"415 555 1234 + 1", "US", "", Ambiguous},
		{"++14155551234", "", "", Ambiguous},
		{"(415 555 1234", "US", "", Ambiguous},
		{"415) 555 1234", "US", "", Ambiguous},
		{"((415)) 555 1234", "US", "", Ambiguous},
		{strings.Repeat(" ", longestInput) + "4155551234", "US", "", TooLong},

		// nowhere
		{"4155551234", "", "", NoRegion},
		{"4155551234", "us", "", NoRegion},
		{"4155551234", "USA", "", NoRegion},
		{"4155551234", "S ", "", NoRegion},
		{"4155551234", "RU", "", NoRegion},
	} {
		t.Run(tt.region+" "+tt.typed, func(t *testing.T) {
			got, err := Normalise(tt.typed, tt.region)
			if got != tt.want || !errors.Is(err, tt.refused) || (err == nil) != (tt.refused == nil) {
				t.Errorf("got %q, %v; want %q, %v", got, err, tt.want, tt.refused)
			}
		})
	}
}

// Each region's own numbers, in the spellings that people there use.
func TestNumbersOfEachRegion(t *testing.T) {
	text, err := os.ReadFile("testdata/numbers.txt")
	if err != nil {
		t.Fatal(err)
	}
	covered := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), " | ")
		if strings.HasPrefix(line, "#") || len(f) != 4 {
			continue
		}
		region, e164, national, abroad := f[0], f[1], f[2], f[3]
		covered[region] = true
		p, _ := planOf(region)
		typed := []string{e164, national, abroad, strings.ReplaceAll(national, " ", ""), strings.ReplaceAll(abroad, " ", "-")}
		for prefix := range strings.FieldsSeq(p.abroad) {
			typed = append(typed, prefix+" "+abroad[1:])
		}
		for _, s := range typed {
			if got, err := Normalise(s, region); got != e164 {
				t.Errorf("%s: %q gives %q, %v; want %s", region, s, got, err, e164)
			}
		}
	}
	for _, p := range plans {
		if first := p.regions[:2]; !covered[first] {
			t.Errorf("%s: no number", first)
		}
	}
}

func TestPlans(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Regions() {
		if len(r) != 2 || seen[r] {
			t.Errorf("region %q", r)
		}
		seen[r] = true
	}
	for _, p := range plans {
		if !isCallingCode(p.code) || p.fewest > p.most || len(p.code)+p.most > mostDigits || len(p.code)+p.fewest < fewestDigits {
			t.Errorf("%+v", p)
		}
	}
	// A code that begins like another one could never be found.
	codes := append(strings.Fields(codesOfTwo+codesOfThree), "1", "7")
	for _, a := range codes {
		for _, b := range codes {
			if a != b && strings.HasPrefix(a, b) {
				t.Errorf("%s begins with %s", a, b)
			}
		}
	}
}

func TestRefusalsSayNothingOfTheNumber(t *testing.T) {
	for _, r := range []Refusal{TooShort, TooLong, Letters, Ambiguous, NoCountry, NoRegion, NoNumber} {
		if r.Error() == "" || strings.ContainsAny(r.Error(), "0123456789") {
			t.Errorf("%s: %q", string(r), r.Error())
		}
	}
}

// What comes out is E.164, comes out again when it is put in, and does not depend on how it was divided.
func FuzzNormalise(f *testing.F) {
	for _, s := range []string{"(415) 555-1234", "+44 (0)20 7183 8750", "001 1 415", "４１５", "+39 (0)6", "0011 44", "06 20 123 4567"} {
		f.Add(s, "US")
		f.Add(s, "HU")
	}
	f.Fuzz(func(t *testing.T, typed, region string) {
		got, err := Normalise(typed, region)
		if err != nil {
			if reason := Refusal(""); got != "" || !errors.As(err, &reason) {
				t.Fatalf("%q with %v", got, err)
			}
			return
		}
		if len(got) < 1+fewestDigits || len(got) > 1+mostDigits || got[0] != '+' || got[1] == '0' || strings.Trim(got[1:], "0123456789") != "" {
			t.Fatalf("%q gives %q", typed, got)
		}
		for _, r := range []string{region, "", "US", "DE", "IT", "HU"} {
			if again, err := Normalise(got, r); again != got {
				t.Fatalf("%q gives %q, which gives %q, %v in %s", typed, got, again, err, r)
			}
		}
		if spaced, err := Normalise(strings.ReplaceAll(typed, " ", "-"), region); spaced != got {
			t.Fatalf("%q gives %q, and with dashes %q, %v", typed, got, spaced, err)
		}
	})
}
