package pci

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
)

// ErrPhone says that a phone number is not in E.164: "+", a digit from 1 to 9, then digits, 7 to 15 in all.
var ErrPhone = errors.New("cannot use phone number: not in E.164 (+, country code, number; digits only)")

// RefKey makes references to members and their cards that are of no use without the key. It is safe for concurrent use and never prints
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

// ErrCard says that neither a PAR nor a token names the card, or that one is not as it should be.
var ErrCard = errors.New("cannot use card: want a PAR of 29 capital letters or digits, or a token of up to 64 printable characters that are not all digits")

// parSize is how long a Payment Account Reference is (EMVCo, Payment Tokenisation): letters and digits.
const parSize = 29

// Card returns the 32-byte reference of a payment card, by its PAR where there is one, else by the acquirer's token. A card's
// number is never a name for it (PCI DSS 3.5.1.1): a PAR or a token that holds one is refused with a *[Violation] in the
// field "par" or "token". It fails with [ErrCard].
func (k *RefKey) Card(par, token string) ([]byte, error) {
	for _, name := range [2]struct{ field, value string }{{"par", par}, {"token", token}} {
		if found := scanText(name.value); found != nothing { // 13 digits are enough: the field is there for a card
			return nil, &Violation{Field: name.field, Kind: max(found, pan).kind()}
		}
	}
	value := par
	switch {
	case par != "" && !isPAR(par), par == "" && !isToken(token):
		return nil, ErrCard
	case par == "":
		value = token
	}
	mac := k.mac()
	mac.Write([]byte("loyalty/card/v1\x00"))
	mac.Write([]byte(value))
	return mac.Sum(nil), nil
}

// TenantKey returns the key of one tenant, from a root key that no terminal ever has: HKDF-SHA-256 (RFC 5869) without salt,
// with "stampd/member-key/v1" ‖ 0 ‖ tenant as info. The references of two tenants can't be joined.
func TenantKey(root [32]byte, tenant string) (key [32]byte, err error) {
	if tenant == "" {
		return key, errors.New("cannot derive a key: no tenant is named")
	}
	b, err := hkdf.Key(sha256.New, root[:], nil, "stampd/member-key/v1\x00"+tenant, len(key))
	if err != nil {
		return key, fmt.Errorf("cannot derive a key: %w", err)
	}
	defer clear(b)
	return [32]byte(b), nil
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

// isPAR reports whether s is 29 capital letters or digits.
func isPAR(s string) bool {
	for i := range len(s) {
		if (s[i] < '0' || s[i] > '9') && (s[i] < 'A' || s[i] > 'Z') {
			return false
		}
	}
	return len(s) == parSize
}

// isToken reports whether s is 1 to 64 printable ASCII characters that are not all digits.
func isToken(s string) bool {
	const longest = 64
	digits := 0
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
		if '0' <= s[i] && s[i] <= '9' {
			digits++
		}
	}
	return len(s) <= longest && digits < len(s)
}
