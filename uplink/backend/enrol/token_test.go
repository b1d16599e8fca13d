package enrol

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/identity"
)

func openTokens(t *testing.T) *Tokens {
	t.Helper()
	tokens, err := OpenTokens(filepath.Join(t.TempDir(), "tokens"))
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func TestTokenIsKeptAsAHash(t *testing.T) {
	tokens := openTokens(t)
	text, kept, err := tokens.New(shop, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(secret) != tokenSize {
		t.Fatalf("token has %d bytes, %v; want %d", len(secret), err, tokenSize)
	}
	files, err := os.ReadDir(tokens.dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files, %v; want 1", len(files), err)
	}
	data, err := os.ReadFile(filepath.Join(tokens.dir, files[0].Name()))
	if err != nil {
		t.Fatal(err)
	}
	for form, s := range map[string]string{"text": text, "bytes": string(secret), "hex": hex.EncodeToString(secret)} {
		if strings.Contains(string(data), s) || strings.Contains(files[0].Name(), s) {
			t.Errorf("the token is on disk, as %s", form)
		}
	}
	if info, err := files[0].Info(); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if found, err := tokens.find(text); err != nil || found.Name != kept.Name || found.ID != shop || !found.Expires.Equal(kept.Expires) {
		t.Errorf("find = %+v, %v; want %+v", found, err, kept)
	}
}

func TestListAndRemove(t *testing.T) {
	tokens := openTokens(t)
	text, kept, err := tokens.New(shop, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := tokens.New(other, time.Hour); err != nil {
		t.Fatal(err)
	}
	if all, err := tokens.List(); err != nil || len(all) != 2 {
		t.Errorf("List = %v, %v; want 2", all, err)
	}
	if err := tokens.Remove(kept.Name); err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.find(text); !errors.Is(err, ErrUnknown) {
		t.Errorf("find of a removed token = %v, want ErrUnknown", err)
	}
	for _, name := range []string{kept.Name, "", "..", "../deny/x", strings.ToUpper("abcdef0123456789")} {
		if err := tokens.Remove(name); !errors.Is(err, ErrUnknown) {
			t.Errorf("Remove(%q) = %v, want ErrUnknown", name, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	tokens := openTokens(t)
	for _, life := range []time.Duration{0, -time.Hour, maxLife + 1} {
		if _, _, err := tokens.New(shop, life); !errors.Is(err, ErrLife) {
			t.Errorf("New for %v = %v, want ErrLife", life, err)
		}
	}
	if _, _, err := tokens.New(identity.ID{Merchant: "m1", Terminal: "../x"}, time.Hour); err == nil {
		t.Error("New took a name that leads elsewhere")
	}
}

// A damaged token is no token, and is not taken for an unknown one.
func TestDamagedToken(t *testing.T) {
	for name, data := range map[string]string{
		"empty": "", "no JSON": "x", "other hash": `{"sha256":"00","merchant":"m1","terminal":"t1","expires":"2099-01-01T00:00:00Z"}`,
	} {
		tokens := openTokens(t)
		text, kept, err := tokens.New(shop, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(tokens.path(kept.Name, tokenSuffix), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := tokens.find(text); err == nil || errors.Is(err, ErrUnknown) {
			t.Errorf("%s: find = %v, want an error of its own", name, err)
		}
	}
}

// Two that found a token unused at the same moment: what the disk says goes.
func TestRedeemIsWonByTheFirst(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	if err := ca.Init(dir); err != nil {
		t.Fatal(err)
	}
	authority, err := ca.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	tokens := openTokens(t)
	text, _, err := tokens.New(shop, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	found, err := tokens.find(text)
	if err != nil {
		t.Fatal(err)
	}
	first, second := newKey(t), newKey(t)
	redeem := func(key *ecdsa.PrivateKey) (*x509.Certificate, bool, error) {
		return tokens.redeem(found, &key.PublicKey, func() (*x509.Certificate, error) { return authority.Sign(shop, &key.PublicKey, 0) })
	}
	cert, again, err := redeem(first)
	if err != nil || again {
		t.Fatalf("first key: again %v, %v", again, err)
	}
	if _, _, err := redeem(second); err == nil {
		t.Error("a second key was given a certificate")
	}
	if same, again, err := redeem(first); err != nil || !again || !same.Equal(cert) {
		t.Errorf("the first key, another time: again %v, %v; want the same certificate", again, err)
	}
}
