package deny

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stampd/stampd/uplink/file"
	"github.com/stampd/stampd/uplink/identity"
)

// Entry is what the list denies: one terminal, whatever certificate it has, or one certificate.
type Entry struct {
	ID     identity.ID // nobody for a certificate
	Serial *big.Int    // nil for a terminal

	Note
}

// Note is what is kept beside an entry, for people.
type Note struct {
	Added  time.Time `json:"added"`
	Reason string    `json:"reason"` // may be empty
}

// maxReason is the most bytes that a reason may have.
const maxReason = 200

// ErrReason means that a reason is too long, or has characters that a terminal would act on.
var ErrReason = fmt.Errorf("want a reason of up to %d printable characters", maxReason)

// Terminal returns the entry of a terminal.
func Terminal(id identity.ID) Entry { return Entry{ID: id} }

// Certificate returns the entry of a certificate with a serial number.
func Certificate(serial *big.Int) Entry { return Entry{Serial: serial} }

// ParseSerial reads a serial number as OpenSSL and browsers write it: up to 20 bytes in hexadecimal, with colons or
// without (RFC 5280, section 4.1.2.2).
func ParseSerial(s string) (*big.Int, error) {
	digits := strings.ReplaceAll(s, ":", "")
	n, ok := new(big.Int).SetString(digits, 16)
	if !ok || n.Sign() <= 0 || digits[0] == '+' || len(digits) > 40 {
		return nil, errors.New("want a certificate's serial number: up to 40 hex digits, with colons or without")
	}
	return n, nil
}

// String names what is denied.
func (e Entry) String() string {
	if e.Serial != nil {
		return fmt.Sprintf("certificate %x", e.Serial)
	}
	return fmt.Sprintf("terminal %s of merchant %s", e.ID.Terminal, e.ID.Merchant)
}

// How the names of entries' files begin. The parts of a name are told apart by a character that no part may have.
const (
	terminalPrefix    = "terminal_"
	certificatePrefix = "certificate_"
)

// name returns the name of the entry's file: it is the entry, and the file has the note.
func (e Entry) name() string {
	if e.Serial != nil {
		return fmt.Sprintf("%s%x", certificatePrefix, e.Serial)
	}
	return terminalPrefix + e.ID.Merchant + "_" + e.ID.Terminal
}

// parse reads a name that name has written.
func parse(name string) (Entry, error) {
	if digits, ok := strings.CutPrefix(name, certificatePrefix); ok {
		if serial, err := ParseSerial(digits); err == nil && Certificate(serial).name() == name {
			return Certificate(serial), nil
		}
	}
	if names, ok := strings.CutPrefix(name, terminalPrefix); ok {
		merchant, terminal, _ := strings.Cut(names, "_")
		if id := (identity.ID{Merchant: merchant, Terminal: terminal}); id.Validate() == nil {
			return Terminal(id), nil
		}
	}
	return Entry{}, fmt.Errorf("%q is no entry of it", name)
}

// Add puts an entry onto the list, on disk, and returns false when it is there already.
func (l *List) Add(e Entry) (bool, error) {
	if len(e.Reason) > maxReason || strings.ContainsFunc(e.Reason, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return false, fmt.Errorf("cannot add to the deny list: %w", ErrReason)
	}
	note, err := json.Marshal(e.Note)
	if err != nil {
		return false, fmt.Errorf("cannot add to the deny list: %w", err)
	}
	switch err := file.Create(filepath.Join(l.dir, e.name()), append(note, '\n'), 0o600); {
	case errors.Is(err, fs.ErrExist):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, l.Refresh()
}

// Remove takes an entry off the list, and returns false when it is not there.
func (l *List) Remove(e Entry) (bool, error) {
	switch err := os.Remove(filepath.Join(l.dir, e.name())); {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("cannot remove from the deny list: %w", err)
	}
	return true, l.Refresh()
}

// Entries returns the list with its notes: certificates first, each kind by name. The note of an entry that was made by
// hand may be empty.
func (l *List) Entries() ([]Entry, error) {
	files, err := os.ReadDir(l.dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read the deny list: %w", err)
	}
	var all []Entry
	for _, f := range files {
		e, err := parse(f.Name())
		if err != nil {
			continue // half written
		}
		if text, err := os.ReadFile(filepath.Join(l.dir, f.Name())); err == nil {
			_ = json.Unmarshal(text, &e.Note)
		}
		all = append(all, e)
	}
	return all, nil
}
