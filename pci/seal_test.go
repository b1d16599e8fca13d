package pci

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestSealerRoundTrip(t *testing.T) {
	s := newTestSealer(t, 1)
	for _, size := range []int{0, 1, 15, 16, 17, 4096, 256 << 10} {
		plaintext, aad := bytes.Repeat([]byte{0xA5}, size), []byte("terminal|ledger|1")
		sealed := s.Seal([]byte("before"), plaintext, aad)
		if len(sealed) != len("before")+size+SealOverhead || !bytes.HasPrefix(sealed, []byte("before")) {
			t.Fatalf("%d bytes became %d", size, len(sealed))
		}
		if size >= 16 && bytes.Contains(sealed, plaintext[:16]) {
			t.Fatal("the plaintext can be read")
		}
		got, err := s.Open([]byte("before"), sealed[len("before"):], aad)
		if err != nil || !bytes.Equal(got, append([]byte("before"), plaintext...)) {
			t.Fatalf("%d bytes: got %d back (%v)", size, len(got), err)
		}
	}
	if bytes.Equal(s.Seal(nil, []byte("x"), nil), s.Seal(nil, []byte("x"), nil)) {
		t.Error("two seals are equal")
	}
}

func TestSealerOpenRefuses(t *testing.T) {
	s, aad := newTestSealer(t, 1), []byte("terminal|ledger|1")
	sealed := s.Seal(nil, []byte("a stamp"), aad)
	refuse := func(name string, s *Sealer, sealed, aad []byte) {
		t.Helper()
		if got, err := s.Open(nil, sealed, aad); !errors.Is(err, ErrNotAuthentic) || got != nil {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	refuse("other key", newTestSealer(t, 2), sealed, aad)
	refuse("other place", s, sealed, []byte("terminal|ledger|2"))
	refuse("no place", s, sealed, nil)
	refuse("longer", s, append(bytes.Clone(sealed), 0), aad)
	for n := range sealed {
		refuse(fmt.Sprint("cut to ", n), s, sealed[:n], aad)
		altered := bytes.Clone(sealed)
		altered[n] ^= 1
		refuse(fmt.Sprint("altered at ", n), s, altered, aad)
	}
}

// TestSealerFormat pins the layout on disk: nonce, ciphertext, tag (case 14 of McGrew and Viega, AES-256).
func TestSealerFormat(t *testing.T) {
	s, err := NewSealer([32]byte{})
	if err != nil {
		t.Fatal(err)
	}
	sealed := decodeHex(t, "000000000000000000000000"+"cea7403d4d606b6e074ec5d3baf39d18"+"d0d1c8a799996bf0265b98b5d48ab919")
	got, err := s.Open(nil, sealed, nil)
	if err != nil || !bytes.Equal(got, make([]byte, 16)) {
		t.Errorf("got %x, %v", got, err)
	}
}

func TestKeyIDs(t *testing.T) {
	key := [32]byte(decodeHex(t, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"))
	s, err := NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	// printf 'stampd/key-id/v1\0' | cat - key | sha256sum
	const want = "4ef24d14"
	if got := s.KeyID(); hex.EncodeToString(got[:]) != want {
		t.Errorf("sealer: got %x, want %s", got, want)
	}
	refs := NewRefKey(key)
	if got := refs.KeyID(); hex.EncodeToString(got) != want {
		t.Errorf("references: got %x, want %s", got, want)
	}
	refs.KeyID()[0]++
	if got := refs.KeyID(); hex.EncodeToString(got) != want {
		t.Error("a caller changed the key's name")
	}
}

func TestKeysNeverPrint(t *testing.T) {
	key := [32]byte(bytes.Repeat([]byte{0xC7}, 32))
	s, err := NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	refs := NewRefKey(key)
	for _, v := range []any{s, refs, *refs, struct{ R RefKey }{*refs}, struct{ r RefKey }{*refs}, []any{s, refs}} {
		var out strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%X", "%s", "%q", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		if b, err := json.Marshal(v); err == nil {
			out.Write(b)
		}
		for _, leak := range []string{"c7c7", "C7C7", "199 199", "199, 199", "199,199", "0xc7, 0xc7", "\xC7\xC7"} {
			if strings.Contains(out.String(), leak) {
				t.Errorf("%T prints its key: %s", v, out.String())
			}
		}
	}
}

func newTestSealer(t *testing.T, seed byte) *Sealer {
	t.Helper()
	s, err := NewSealer([32]byte{seed})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func decodeHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
