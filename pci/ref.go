package pci

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
)

// ErrPhone says that a phone number is not in E.164: "+", a digit from 1 to 9, then digits, 7 to 15 in all.
var ErrPhone = errors.New("cannot use phone number: not in E.164 (+, country code, number; digits only)")

// RefKey makes references to members that are of no use without the key. It is safe for concurrent use and never prints
// its key.
type RefKey struct {
	// A function, since fmt looks into everything else, behind pointers too.
	mac func() hash.Hash
	id  [4]byte
}

// NewRefKey returns the references of one merchant.
func NewRefKey(key [32]byte) *RefKey {
	return &RefKey{
		mac: func() hash.Hash { return hmac.New(sha256.New, key[:]) },
		id:  keyID(key),
	}
}

// KeyID returns the 4 bytes that name the key, to be stored beside each reference.
func (k *RefKey) KeyID() []byte {
	id := k.id
	return id[:]
}

// Account returns the 32-byte reference of the member with this phone number. The number must be in E.164 already: it
// is never normalised here, since two spellings of one number would be two members. It fails with [ErrPhone].
func (k *RefKey) Account(phone string) ([]byte, error) {
	if !isE164(phone) {
		return nil, ErrPhone
	}
	mac := k.mac()
	mac.Write([]byte("loyalty/phone/v1\x00"))
	mac.Write([]byte(phone))
	return mac.Sum(nil), nil
}

// Format prints the key's name, whatever the verb.
func (k RefKey) Format(f fmt.State, _ rune) { formatKey(f, k.id) }

// isE164 reports whether s is an international number (ITU-T E.164), written with its "+" and nothing else.
func isE164(s string) bool {
	const shortest, longest = 7, 15
	if len(s) < 1+shortest || len(s) > 1+longest || s[0] != '+' || s[1] == '0' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
