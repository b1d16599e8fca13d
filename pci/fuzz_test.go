package pci

import (
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzScanFindsPlantedNumber plants a card number into any text. With separators anywhere between its digits it is found
// when it is a chain by itself; divided as card numbers are, it is found beside other numbers too.
func FuzzScanFindsPlantedNumber(f *testing.F) {
	f.Add("order ", " paid", uint64(1))
	f.Add("12 34-", "-5678 901.2", uint64(2))
	f.Add("%B", "^NAME^", uint64(3))
	f.Add("\\u", "%", uint64(4))
	f.Add("0f8fad5b-d9cb-", "-a165-70867728950e", uint64(5))
	f.Add("0\xa0", "\xa0\xad7", uint64(117))
	f.Add("9999999999999999999999999999 ", " 9999999999999999999999999999", uint64(6))
	f.Fuzz(func(t *testing.T, before, after string, seed uint64) {
		r := rand.New(rand.NewPCG(seed, seed))
		separators := []string{" ", "-", ".", "\n", "\t", "\u00a0", "\u2011", "\uff0e"}
		var number string
		if r.IntN(2) == 0 {
			number = plant(r, append(separators, "\u200b", "\u00ad"))
			before, after = closed(before, after, isDigit, isSeparator)
		} else {
			number = "4242" + pick(r, separators) + "4242" + pick(r, separators) + "4242" + pick(r, separators) + "4242"
			before, after = closed(before, after, isDigit)
		}
		s := before + number + after
		if scanText(s) < pan && !insideID(s, len(before)) {
			t.Errorf("not found in %q", s)
		}
		if scanBytes([]byte(s)) < pan && !insideID(s, len(before)) {
			t.Errorf("not found in the bytes of %q", s)
		}

		before, after = closed(strings.ToValidUTF8(before, "?"), strings.ToValidUTF8(after, "?"), isDigit, isSeparator)
		plain := []byte(before + plant(r, []string{" ", "-", "."}) + after)
		for name, encoded := range map[string]string{
			"hexadecimal": hex.EncodeToString(plain),
			"base64":      base64.StdEncoding.EncodeToString(plain),
			"base64url":   base64.RawURLEncoding.EncodeToString(plain),
		} {
			if scanText("x="+encoded+",") < pan {
				t.Errorf("not found in %s of %q", name, plain)
			}
		}
	})
}

// FuzzScan: no text and no bytes bring the scanner to panic, and what it finds has a word.
func FuzzScan(f *testing.F) {
	for _, v := range panVectors {
		f.Add([]byte(v.digits))
	}
	f.Add([]byte("\x5A\x08\x62\x10\x94\x80\x00\x00\x00\x11"))
	f.Add([]byte("\x57\x13;=^%B&#x3"))
	f.Add([]byte(strings.Repeat("NDI0Mj", 100)))
	f.Fuzz(func(t *testing.T, b []byte) {
		text, raw := scanText(string(b)), scanBytes(b)
		if raw < text {
			t.Errorf("bytes: %v, text: %v", raw, text)
		}
		if text > panIfLabelled && text.kind() == "" || raw > panIfLabelled && raw.kind() == "" {
			t.Errorf("no word for %v, %v", text, raw)
		}
	})
}

// plant writes a card number with a separator here and there, and never two in a row.
func plant(r *rand.Rand, separators []string) string {
	digits := panVectors[r.IntN(len(panVectors))].digits
	density := r.IntN(4)
	var b strings.Builder
	for i, d := range []byte(digits) {
		if i > 0 && r.IntN(4) < density {
			b.WriteString(pick(r, separators))
		}
		b.WriteByte(d)
	}
	return b.String()
}

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

// closed puts a colon where a text would join what stands between.
func closed(before, after string, joins ...func(byte) bool) (string, string) {
	last, size := utf8.DecodeLastRuneInString(before)
	if last == utf8.RuneError && size == 1 {
		last = rune(before[len(before)-1])
	}
	first, size := utf8.DecodeRuneInString(after)
	if first == utf8.RuneError && size == 1 {
		first = rune(after[0])
	}
	for _, join := range joins {
		if before != "" && join(fold(last)) {
			before += ":"
			last = ':'
		}
		if after != "" && join(fold(first)) {
			after = ":" + after
			first = ':'
		}
	}
	return before, after
}

func isDigit(folded byte) bool     { return folded == ignored || folded-'0' <= 9 }
func isSeparator(folded byte) bool { return folded == separator || folded == point }

// insideID reports whether s[at] is inside what is taken for an id.
func insideID(s string, at int) bool {
	for i := range at + 1 {
		if n := idLen(s, i); i+n > at {
			return true
		}
	}
	return false
}
