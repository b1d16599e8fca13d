package enrol

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stampd/stampd/uplink/file"
	"github.com/stampd/stampd/uplink/identity"
)

// tokenSize is how many random bytes a token has: nobody guesses one, and nobody finds one by its hash.
const tokenSize = 32

// nameSize is how many bytes of the hash name a token.
const nameSize = 8

// What the files of a token end in.
const (
	tokenSuffix = ".json"
	usedSuffix  = ".pem"
)

var (
	// ErrLife means that a token was to last for no time, or for more than a year.
	ErrLife = errors.New("want a life of up to a year")
	// ErrUnknown means that there is no such token.
	ErrUnknown = errors.New("no such token")
)

// maxLife is the longest that a token may last.
const maxLife = 366 * 24 * time.Hour

// Tokens are the one-time tokens in a folder: one file for each, with its hash, and a second one with the certificate
// that it was used for. That file appears in one step and is never replaced, so a token is used once, whoever is killed
// and however many ask at the same time. It is safe for concurrent use, also by several programs.
type Tokens struct {
	dir string
	now func() time.Time
}

// OpenTokens returns the tokens in a folder, which it makes when it is missing.
func OpenTokens(dir string) (*Tokens, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make folder of tokens: %w", err)
	}
	return &Tokens{dir: dir, now: time.Now}, nil
}

// Token is what is kept of a token: everything but the token.
type Token struct {
	Name    string      // the first 16 hex digits of its hash; not secret
	ID      identity.ID // who it is for
	Expires time.Time

	// Certificate is what it was used for; nil before that.
	Certificate *x509.Certificate

	hash [sha256.Size]byte
}

// tokenFile is a token's file.
type tokenFile struct {
	SHA256   string    `json:"sha256"` // of the token's bytes, in hexadecimal
	Merchant string    `json:"merchant"`
	Terminal string    `json:"terminal"`
	Expires  time.Time `json:"expires"`
}

// New makes a token for a terminal that lasts for life, up to a year, and returns it with what is kept of it: 43 letters,
// digits, dashes and underscores. It is the only time that anybody sees it.
func (t *Tokens) New(id identity.ID, life time.Duration) (text string, kept Token, err error) {
	if err := id.Validate(); err != nil {
		return "", Token{}, fmt.Errorf("cannot make token: %w", err)
	}
	if life <= 0 || life > maxLife {
		return "", Token{}, fmt.Errorf("cannot make token: %w", ErrLife)
	}
	var secret [tokenSize]byte
	rand.Read(secret[:]) // never fails since Go 1.24
	kept = Token{ID: id, Expires: t.now().Add(life).UTC().Truncate(time.Second), hash: sha256.Sum256(secret[:])}
	kept.Name = hex.EncodeToString(kept.hash[:nameSize])
	data, err := json.Marshal(tokenFile{hex.EncodeToString(kept.hash[:]), id.Merchant, id.Terminal, kept.Expires})
	if err != nil {
		return "", Token{}, fmt.Errorf("cannot make token: %w", err)
	}
	if err := file.Create(t.path(kept.Name, tokenSuffix), append(data, '\n'), 0o600); err != nil {
		return "", Token{}, err
	}
	return base64.RawURLEncoding.EncodeToString(secret[:]), kept, nil
}

// List returns every token, by name.
func (t *Tokens) List() ([]Token, error) {
	entries, err := os.ReadDir(t.dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read tokens: %w", err)
	}
	var all []Token
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), tokenSuffix)
		if !ok || file.IsTemp(e.Name()) {
			continue
		}
		token, err := t.read(name)
		if err != nil {
			return nil, err
		}
		all = append(all, token)
	}
	return all, nil
}

// Remove takes a token away by its name, so that nobody can use it, and returns [ErrUnknown] when there is none. What it
// was used for stays valid: that is for the deny list.
func (t *Tokens) Remove(name string) error {
	if !validName(name) {
		return fmt.Errorf("cannot remove token: %w", ErrUnknown)
	}
	err := os.Remove(t.path(name, tokenSuffix))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove token: %w", ErrUnknown)
	}
	if err != nil {
		return fmt.Errorf("cannot remove token: %w", err)
	}
	if err := os.Remove(t.path(name, usedSuffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove token: %w", err)
	}
	return nil
}

func (t *Tokens) path(name, suffix string) string { return filepath.Join(t.dir, name+suffix) }

// validName reports whether name can be that of a token.
func validName(name string) bool {
	raw, err := hex.DecodeString(name)
	return err == nil && len(raw) == nameSize && strings.ToLower(name) == name
}
