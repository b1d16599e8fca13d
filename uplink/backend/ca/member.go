package ca

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"

	"github.com/stampd/stampd/pci"
)

// memberInfo is the HKDF info that a merchant's name is appended to. It is on disk by its effects: never change it.
const memberInfo = "stampd/member-key/v1\x00"

// memberKey derives the merchant's key from the root in dir: HKDF-SHA-256 (RFC 5869) without salt.
func memberKey(dir, merchant string) ([]byte, error) {
	root, err := pci.LoadKey(filepath.Join(dir, tenantFile))
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, root[:], nil, memberInfo+merchant, 32)
	if err != nil {
		return nil, fmt.Errorf("cannot derive member key: %w", err)
	}
	return key, nil
}

// hexKey returns the key as it is written to a file.
func hexKey(key []byte) []byte {
	return append(hex.AppendEncode(nil, key), '\n')
}
