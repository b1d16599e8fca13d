package ca

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

// memberInfo is the HKDF info that a merchant's name is appended to. It is on disk by its effects: never change it.
const memberInfo = "stampd/member-key/v1\x00"

// newRoot returns 32 random bytes for tenant.key.
func newRoot() []byte {
	root := make([]byte, 32)
	rand.Read(root) // never fails since Go 1.24
	return root
}

// memberKey derives the merchant's key from the root in dir: HKDF-SHA-256 (RFC 5869) without salt.
func memberKey(dir, merchant string) ([]byte, error) {
	path := filepath.Join(dir, tenantFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read tenant key: %w", err)
	}
	root := make([]byte, 32)
	if len(text) != 65 || text[64] != '\n' {
		return nil, fmt.Errorf("cannot use tenant key %s: not 64 hex digits and a newline", path)
	}
	if _, err := hex.Decode(root, text[:64]); err != nil {
		return nil, fmt.Errorf("cannot use tenant key %s: not 64 hex digits and a newline", path)
	}
	key, err := hkdf.Key(sha256.New, root, nil, memberInfo+merchant, 32)
	if err != nil {
		return nil, fmt.Errorf("cannot derive member key: %w", err)
	}
	return key, nil
}

// hexKey returns the key as it is written to a file.
func hexKey(key []byte) []byte {
	return append(hex.AppendEncode(nil, key), '\n')
}
