package pci

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
)

// The samples with cards are of binaryfoo/emv-bertlv, src/test/resources/cases and BerTlvTest.java.
const (
	visaContact = "703857104761340000000050d1712201125234515f20104341524420352f5649534120544553549f1f1031323532333030343531303030303030"
	amexRecord  = "704D5713374245001741007D181270213101234500000F5F201A45506179205445535420434152442020202020202020202020209F5A0854455354434152449F5B0D31323334353637383930313233"
	amexNumber  = "5A08374245455400001F"
	// What a terminal prints on a receipt and sends to the acquirer, in a template.
	sale = "E156" + "4F07A0000000041010" + "5006564953412042" + "82021980" + "9505" + "0000008000" + "9A03261123" + "9C0100" +
		"5F2A020978" + "9F0206000000001250" + "9F1A020276" + "9F2608A1B2C3D4E5F60718" + "9F2701809F3602001E" + "9F3704DEADBEEF" + "8A023030"
)

func TestKeepEMV(t *testing.T) {
	for _, tt := range []struct {
		name, in, want string
		dropped        int
	}{
		{"nothing", "", "", 0},
		{"zeros between objects", "0000" + "9C0100" + "00", "9C0100", 0},
		{"all that is allowed, out of its template", sale, sale[4:], 0},
		{"name, expiry, service code, sequence number", "5F2004414243445F24032612315F300202015F3401009C0100", "9C0100", 4},
		{"issuer application data", "9F100706010A03A000009C0120", "9C0120", 1},
		{"vendor's tags", "DF010101DF8101020102FF0103DF02009C0120", "9C0120", 3},
		{"twice the same", "9C01009C0120", "9C0100", 1},
		{"too long for its tag", "9F3602001E9C020000", "9F3602001E", 1},
		{"too short for its tag", "9F3601019C0100", "9C0100", 1},
		{"an empty track", "57005A009C0100", "9C0100", 2},
		{"PAR", "9F241D" + hex.EncodeToString([]byte("V001ABCDEFGHIJKLMNOPQRSTUVWXY")), "9F241D" + hex.EncodeToString([]byte("V001ABCDEFGHIJKLMNOPQRSTUVWXY")), 0},
		{"PAR in small letters", "9F241D" + hex.EncodeToString([]byte("v001abcdefghijklmnopqrstuvwxy")), "", 1},
		{"cryptogram that looks like a card number", "9F260842424242424242429C0100", "9C0100", 1},
		{"length in two bytes", "9C8101009F37820004DEADBEEF", "9C8101009F37820004DEADBEEF", 0},
		{"templates in templates", "E105E103E2019C", "", -1},
		{"four templates", "E107E105E103" + "E100" + "00", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			kept, dropped, err := KeepEMV(decodeHex(t, tt.in))
			if tt.dropped < 0 {
				if !errors.Is(err, ErrEMV) {
					t.Errorf("got %X, %v", kept, err)
				}
				return
			}
			if !bytes.Equal(kept, decodeHex(t, tt.want)) || dropped != tt.dropped || err != nil {
				t.Errorf("got %X, %d, %v; want %s, %d", kept, dropped, err, tt.want, tt.dropped)
			}
		})
	}
}

func TestKeepEMVRefuses(t *testing.T) {
	const number = "4242424242424242"
	for _, tt := range []struct{ name, in, kind string }{
		{"Visa, contact", visaContact, KindTrack2},
		{"Amex, contact", amexRecord, KindTrack2},
		{"number with a filler", amexNumber, KindPAN},
		{"track 1", "5604" + "42303132", KindTrack1},
		{"track 1 discretionary", "9F1F0130", KindTrack1},
		{"track 2 discretionary", "9F200130", KindTrack2},
		{"stripe data of a contactless card", "9F6B020102", KindTrack2},
		{"dynamic code", "9F61020102", KindCVV},
		{"PIN", "9908241234FFFFFFFFFF", KindPIN},
		{"behind what is allowed", sale + amexNumber, KindPAN},
		{"number in a vendor's tag", "DF0108" + number, KindPAN},
		{"the same as text", "DF0110" + hex.EncodeToString([]byte(number)), KindPAN},
		{"the same with words", "DF0114" + hex.EncodeToString([]byte("PAN="+number)), KindPAN},
		{"the same with a filler", "DF010A" + number + "FFFF", KindPAN},
		{"the same one level deeper", "DF010A5A08" + number, KindPAN},
		{"a digit a byte", "DF0110" + strings.Repeat("04020402", 4), KindPAN},
		{"track in a vendor's tag", "DF010B" + number + "D25122", KindTrack2},
		{"number as an application", "8408" + number, KindPAN},
		{"number as a label", "5010" + hex.EncodeToString([]byte(number)), KindPAN},
		{"in a template", "7712E210DF010D" + number + "D251220000", KindTrack2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			kept, _, err := KeepEMV(decodeHex(t, tt.in))
			var bad *Violation
			if !errors.As(err, &bad) || bad.Kind != tt.kind || kept != nil {
				t.Errorf("got %X, %v; want %s", kept, err, tt.kind)
			}
		})
	}
	for _, in := range []string{"9C", "9C02", "9C0201", "9F", "9F81", "9F8181", "9F81818100", "9C80", "9C83000001", "9C82FFFF00", "E1039C0200", "E10AE108E106E104E10200" + "9C"} {
		if kept, _, err := KeepEMV(decodeHex(t, in)); !errors.Is(err, ErrEMV) || kept != nil {
			t.Errorf("%s: got %X, %v", in, kept, err)
		}
	}
}

// What is kept stays as it is, holds allowed tags alone, and none of them twice.
func FuzzKeepEMV(f *testing.F) {
	for _, s := range []string{visaContact, amexRecord, amexNumber, sale, "DF0108424242424242424200"} {
		b, err := hex.DecodeString(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		kept, _, err := KeepEMV(in)
		if err != nil {
			return
		}
		again, dropped, err := KeepEMV(kept)
		if !bytes.Equal(again, kept) || dropped != 0 || err != nil {
			t.Fatalf("%X is kept, and then %X, less %d: %v", kept, again, dropped, err)
		}
		var tags []uint32
		for rest := kept; len(rest) > 0; {
			o, next, ok := nextEMV(rest)
			if _, allowed := emvAllowed(o.tag); !ok || !allowed || slices.Contains(tags, o.tag) || emvForbidden(o.tag) != "" {
				t.Fatalf("%X holds %X", kept, o.tag)
			}
			tags, rest = append(tags, o.tag), next
		}
	})
}
