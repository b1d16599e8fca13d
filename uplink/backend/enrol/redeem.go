package enrol

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"

	"github.com/stampd/stampd/uplink/file"
	"github.com/stampd/stampd/uplink/identity"
)

// find returns the token with that text, or an error.
func (t *Tokens) find(text string) (Token, error) {
	secret, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(secret) != tokenSize {
		return Token{}, ErrUnknown
	}
	hash := sha256.Sum256(secret)
	token, err := t.read(hex.EncodeToString(hash[:nameSize]))
	if err != nil {
		return Token{}, err
	}
	if subtle.ConstantTimeCompare(hash[:], token.hash[:]) != 1 {
		return Token{}, ErrUnknown
	}
	return token, nil
}

// redeem uses a token for a key. The first key gets a certificate from issue, and the same one whenever it asks again
// before the token expires; another key is refused.
func (t *Tokens) redeem(token Token, key *ecdsa.PublicKey, issue func() (*x509.Certificate, error)) (cert *x509.Certificate, again bool, err error) {
	if !t.now().Before(token.Expires) {
		return nil, false, &problem{http.StatusUnauthorized, "the token has expired"}
	}
	if token.Certificate == nil {
		if cert, err = issue(); err != nil {
			return nil, false, err
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
		err = file.Create(t.path(token.Name, usedSuffix), text, 0o600)
		if err == nil {
			return cert, false, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, false, err
		}
		if token, err = t.read(token.Name); err != nil { // somebody was faster
			return nil, false, err
		}
	}
	if !key.Equal(token.Certificate.PublicKey) {
		return nil, false, &problem{http.StatusForbidden, "the token was used already, with another key"}
	}
	return token.Certificate, true, nil
}

// read returns the token with a name. The error is [ErrUnknown] when there is none.
func (t *Tokens) read(name string) (Token, error) {
	data, err := os.ReadFile(t.path(name, tokenSuffix))
	if errors.Is(err, fs.ErrNotExist) {
		return Token{}, ErrUnknown
	}
	if err != nil {
		return Token{}, fmt.Errorf("cannot read token: %w", err)
	}
	var f tokenFile
	if err := json.Unmarshal(data, &f); err != nil {
		return Token{}, fmt.Errorf("cannot read token %s: it is damaged", name)
	}
	hash, err := hex.DecodeString(f.SHA256)
	token := Token{Name: name, ID: identity.ID{Merchant: f.Merchant, Terminal: f.Terminal}, Expires: f.Expires}
	if err != nil || len(hash) != len(token.hash) || hex.EncodeToString(hash[:nameSize]) != name || token.ID.Validate() != nil {
		return Token{}, fmt.Errorf("cannot read token %s: it is damaged", name)
	}
	token.hash = [sha256.Size]byte(hash)
	used, err := os.ReadFile(t.path(name, usedSuffix))
	if errors.Is(err, fs.ErrNotExist) {
		return token, nil
	}
	if err != nil {
		return Token{}, fmt.Errorf("cannot read token: %w", err)
	}
	block, _ := pem.Decode(used)
	if block == nil {
		return Token{}, fmt.Errorf("cannot read token %s: its certificate is damaged", name)
	}
	if token.Certificate, err = x509.ParseCertificate(block.Bytes); err != nil {
		return Token{}, fmt.Errorf("cannot read token %s: its certificate is damaged", name)
	}
	return token, nil
}
