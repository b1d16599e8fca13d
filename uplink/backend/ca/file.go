package ca

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// createFile makes a file that is not there yet: whole and on disk, or not at all. It returns ErrExists when it is there.
func createFile(path string, data []byte, perm os.FileMode) error {
	return writeFile(path, data, perm, func(temp string) error {
		err := os.Link(temp, path)
		os.Remove(temp)
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("cannot write %s: %w", path, ErrExists)
		}
		return err
	})
}

// replaceFile makes a file or replaces it as one step.
func replaceFile(path string, data []byte, perm os.FileMode) error {
	return writeFile(path, data, perm, func(temp string) error {
		return os.Rename(temp, path)
	})
}

// writeFile writes a temporary file beside path, lets publish give it its name, and syncs the folder.
func writeFile(path string, data []byte, perm os.FileMode, publish func(temp string) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(perm), f.Sync(), f.Close())
	if err == nil {
		err = publish(f.Name())
	}
	if err != nil {
		os.Remove(f.Name())
		if errors.Is(err, ErrExists) {
			return err
		}
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("cannot sync folder of %s: %w", path, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("cannot sync folder of %s: %w", path, err)
	}
	return nil
}

func encodeCert(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("cannot encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func readKey(path string) (*ecdsa.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, fmt.Errorf("cannot use key %s: not PKCS #8 in PEM", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("cannot use key %s: not PKCS #8 in PEM", path)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("cannot use key %s: not an ECDSA key", path)
	}
	return key, nil
}
