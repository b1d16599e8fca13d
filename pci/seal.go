package pci

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// ErrNotAuthentic says that sealed bytes were made with another key, for another place, or were altered.
var ErrNotAuthentic = errors.New("cannot open sealed bytes: wrong key, wrong place, or altered")

// SealOverhead is how many bytes a seal adds: 12 of nonce before the ciphertext, 16 of tag after it.
const SealOverhead = 28

// Sealer encrypts and authenticates with AES-256-GCM and random nonces (NIST SP 800-38D 8.2.2: at most 2^32 seals under
// one key). It is safe for concurrent use and never prints its key.
type Sealer struct {
	aead cipher.AEAD
	id   [4]byte
}

// NewSealer returns a sealer for key.
func NewSealer(key [32]byte) (*Sealer, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("cannot make sealer: %w", err)
	}
	// The nonce is made inside the cryptographic module: the only GCM that FIPS 140-3 mode allows.
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("cannot make sealer: %w", err)
	}
	return &Sealer{aead: aead, id: keyID(key)}, nil
}

// KeyID returns the name of the key, to be stored beside what was sealed with it.
func (s *Sealer) KeyID() [4]byte { return s.id }

// Seal appends nonce, ciphertext and tag of plaintext to dst and returns the result. aad is authenticated and not
// stored. dst and plaintext must not overlap.
func (s *Sealer) Seal(dst, plaintext, aad []byte) []byte {
	return s.aead.Seal(dst, nil, plaintext, aad)
}

// Open appends the plaintext of sealed to dst and returns the result. It fails with [ErrNotAuthentic] unless sealed and
// aad are what [Sealer.Seal] made and was given.
func (s *Sealer) Open(dst, sealed, aad []byte) ([]byte, error) {
	b, err := s.aead.Open(dst, nil, sealed, aad)
	if err != nil {
		return nil, ErrNotAuthentic
	}
	return b, nil
}

// Format prints the key's name, whatever the verb.
func (s *Sealer) Format(f fmt.State, _ rune) { formatKey(f, s.id) }

// keyID is the public name of a key. The prefix keeps it apart from every other hash over the key.
func keyID(key [32]byte) [4]byte {
	const label = "stampd/key-id/v1\x00"
	sum := sha256.Sum256(append([]byte(label), key[:]...))
	return [4]byte(sum[:4])
}

func formatKey(w io.Writer, id [4]byte) { fmt.Fprintf(w, "[key %x]", id[:]) }
