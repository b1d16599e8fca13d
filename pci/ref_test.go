package pci

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func TestAccount(t *testing.T) {
	refs := NewRefKey([32]byte(decodeHex(t, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")))
	for phone, want := range map[string]string{
		"+14155551234":   "426af10c5471491648126ebdcafaaaf563ac8ccc2ad1761e489e3d225004c334",
		"+442071838750":  "db582eea96b28c272cf433367210aa92c810c91db22962ee7154af447a08cef7",
		"+1234567":       "",
		"+6282123456789": "",
	} {
		got, err := refs.Account(phone)
		if err != nil || len(got) != 32 {
			t.Errorf("%s: got %x, %v", phone, got, err)
		}
		if want != "" && hex.EncodeToString(got) != want {
			t.Errorf("%s: got %x, want %s", phone, got, want)
		}
		again, err := refs.Account(phone)
		if err != nil || string(again) != string(got) {
			t.Errorf("%s: another reference the second time (%v)", phone, err)
		}
		other, err := NewRefKey([32]byte{1}).Account(phone)
		if err != nil || string(other) == string(got) {
			t.Errorf("%s: the same reference under another key (%v)", phone, err)
		}
	}
}

func TestAccountRefuses(t *testing.T) {
	refs := NewRefKey([32]byte{1})
	for _, phone := range []string{
		"", "+", "4155551234", "14155551234", "+04155551234", "+123456", "+1234567890123456", "(415) 555-1234",
		"415.555.1234", "1-415-555-1234", "+1 415 555 1234", "001 1 415 555 1234", "+44 (0)20 7183 8750", "555-1234",
		"+4155551234\n", " +14155551234", "+1415555123a", "+1415555１２３４", "＋14155551234", "+1415\x005551234",
		"4242424242424242", "+4242424242424242", "++14155551234", "+-1415555123",
	} {
		got, err := refs.Account(phone)
		if !errors.Is(err, ErrPhone) || got != nil {
			t.Errorf("%q: got %x, %v", phone, got, err)
		}
		if err != nil && phone != "" && len(phone) > 4 && strings.Contains(err.Error(), phone[:4]) {
			t.Errorf("%q: the error holds the number: %v", phone, err)
		}
	}
}

func TestCard(t *testing.T) {
	key := [32]byte(decodeHex(t, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"))
	refs := NewRefKey(key)
	const par, tok = "V001ABCDEFGHIJKLMNOPQRSTUVWXY", "tok_9fK2mQ7LxT4vB1nR8sYd"
	// Made with Python's hmac.
	const parRef = "65d5617a3c78a1855a8aa1b04727c2e0ef4151088ceb714895925d661f734792"
	const tokenRef = "bcedee4e596f968d4c32117e2dfa27902148196cf2cf607a55ca87ca7f2c62b8"
	for _, tt := range []struct{ name, par, token, want string }{
		{"PAR", par, "", parRef},
		{"PAR before token", par, tok, parRef},
		{"token", "", tok, tokenRef},
	} {
		got, err := refs.Card(tt.par, tt.token)
		if err != nil || hex.EncodeToString(got) != tt.want {
			t.Errorf("%s: got %x, %v", tt.name, got, err)
		}
	}
	for _, tt := range []struct{ name, par, token string }{
		{"nothing", "", ""},
		{"PAR in small letters", strings.ToLower(par), ""},
		{"PAR too short, with a token", par[1:], tok},
		{"token of digits", "", "123456789"},
		{"token too long", "", strings.Repeat("t", 65)},
		{"token with a line", "", "tok\n"},
	} {
		if got, err := refs.Card(tt.par, tt.token); !errors.Is(err, ErrCard) || got != nil {
			t.Errorf("%s: got %x, %v", tt.name, got, err)
		}
	}
	for _, tt := range []struct{ name, par, token, field string }{
		{"number as a token", "", "4242424242424242", "token"},
		{"13 digits as a token", "", "4222222222222", "token"},
		{"number in a token", "", "tok-4242-4242-4242-4242", "token"},
		{"number as a token, beside a PAR", par, "378282246310005", "token"},
		{"number in a PAR", "V001ABCDEFGHI4242424242424242", "", "par"},
		{"track as a token", "", ";4242424242424242=25121010000?", "token"},
	} {
		var bad *Violation
		if got, err := refs.Card(tt.par, tt.token); !errors.As(err, &bad) || bad.Field != tt.field || got != nil {
			t.Errorf("%s: got %x, %v", tt.name, got, err)
		}
	}
}

func TestTenantKey(t *testing.T) {
	root := [32]byte(decodeHex(t, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"))
	for tenant, want := range map[string]string{ // made with Python's hmac
		"corner-cafe": "8196479763cd70c20504f1197e48b0d0aaf5dd5884944f2f07a787aa61838036",
		"other":       "f76030cc1151c6059b8bee159675ea0dcd44ab1b03b73b137dcc822345054a19",
	} {
		if got, err := TenantKey(root, tenant); err != nil || hex.EncodeToString(got[:]) != want {
			t.Errorf("%s: got %x, %v", tenant, got, err)
		}
	}
	if _, err := TenantKey(root, ""); err == nil {
		t.Error("a key for nobody")
	}
}
