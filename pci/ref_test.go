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
