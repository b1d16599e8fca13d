package deny

import (
	"crypto/x509"
	"errors"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/uplink/identity"
)

var (
	shop  = identity.ID{Merchant: "m1", Terminal: "t1"}
	other = identity.ID{Merchant: "m1", Terminal: "t2"}
)

func open(t *testing.T, dir string) *List {
	t.Helper()
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func add(t *testing.T, l *List, e Entry) {
	t.Helper()
	if added, err := l.Add(e); err != nil || !added {
		t.Fatalf("Add(%v) = %v, %v; want true", e, added, err)
	}
}

func TestDenies(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deny")
	l := open(t, dir)
	serial, another := big.NewInt(0xa1b2), big.NewInt(0xa1b3)
	if l.Denies(shop, serial) {
		t.Error("an empty list denies")
	}
	add(t, l, Certificate(serial))
	add(t, l, Terminal(other))
	for _, tt := range []struct {
		name   string
		id     identity.ID
		serial *big.Int
		want   bool
	}{
		{"certificate", shop, serial, true},
		{"another certificate", shop, another, false},
		{"terminal", other, another, true},
		{"of another merchant", identity.ID{Merchant: "m2", Terminal: "t2"}, another, false},
		{"names that run together", identity.ID{Merchant: "m", Terminal: "1-t2"}, another, false},
	} {
		// The second list is a program of its own.
		for _, list := range []*List{l, open(t, dir)} {
			if got := list.Denies(tt.id, tt.serial); got != tt.want {
				t.Errorf("%s: denied %v, want %v", tt.name, got, tt.want)
			}
		}
	}
	if added, err := l.Add(Certificate(serial)); added || err != nil {
		t.Errorf("Add again = %v, %v; want false", added, err)
	}
	for _, want := range []bool{true, false} {
		if removed, err := l.Remove(Certificate(serial)); removed != want || err != nil {
			t.Errorf("Remove = %v, %v; want %v", removed, err, want)
		}
	}
	if l.Denies(shop, serial) {
		t.Error("what was removed is denied")
	}
}

func TestCheck(t *testing.T) {
	l := open(t, t.TempDir())
	add(t, l, Terminal(shop))
	add(t, l, Certificate(big.NewInt(7)))
	for name, tt := range map[string]struct {
		cert *x509.Certificate
		want bool
	}{
		"terminal":          {&x509.Certificate{SerialNumber: big.NewInt(1), URIs: []*url.URL{shop.URI()}}, true},
		"certificate":       {&x509.Certificate{SerialNumber: big.NewInt(7), URIs: []*url.URL{other.URI()}}, true},
		"nobody's":          {&x509.Certificate{SerialNumber: big.NewInt(7)}, true},
		"neither":           {&x509.Certificate{SerialNumber: big.NewInt(1), URIs: []*url.URL{other.URI()}}, false},
		"nobody's, neither": {&x509.Certificate{SerialNumber: big.NewInt(1)}, false},
	} {
		if err := l.Check(tt.cert); errors.Is(err, ErrDenied) != tt.want || (err != nil) != tt.want {
			t.Errorf("%s: Check = %v, want denied %v", name, err, tt.want)
		}
	}
	if err := (*List)(nil).Check(&x509.Certificate{SerialNumber: big.NewInt(7)}); err != nil {
		t.Errorf("no list: Check = %v", err)
	}
}

func TestEntries(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	when := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	want := []Entry{
		{Serial: big.NewInt(0xff), Note: Note{Added: when, Reason: "key was copied"}},
		{ID: shop, Note: Note{Added: when, Reason: `stolen, "again"`}},
	}
	for _, e := range want {
		add(t, l, e)
	}
	if err := os.WriteFile(filepath.Join(dir, ".tmp-1"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := l.Entries()
	if err != nil || len(got) != len(want) {
		t.Fatalf("Entries = %v, %v; want 2", got, err)
	}
	for i := range want {
		if got[i].String() != want[i].String() || got[i].Note != want[i].Note {
			t.Errorf("entry %d = %v %v, want %v %v", i, got[i], got[i].Note, want[i], want[i].Note)
		}
	}
	for _, reason := range []string{strings.Repeat("x", maxReason+1), "two\nlines", "\x1b[2J"} {
		if _, err := l.Add(Entry{ID: other, Note: Note{Reason: reason}}); !errors.Is(err, ErrReason) {
			t.Errorf("Add with reason %q = %v, want ErrReason", reason, err)
		}
	}
}

// What can't be read denies no fewer than before, and a backend does not start with it.
func TestStrayFile(t *testing.T) {
	for _, name := range []string{"notes.txt", "terminal_m1", "terminal_M1_t1", "certificate_", "certificate_0a", "certificate_FF", "certificate_xyz"} {
		dir := t.TempDir()
		l := open(t, dir)
		add(t, l, Terminal(shop))
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := l.Refresh(); err == nil {
			t.Errorf("%s: Refresh took it", name)
		}
		if !l.Denies(shop, big.NewInt(1)) {
			t.Errorf("%s: the terminal is no longer denied", name)
		}
		if _, err := Open(dir); err == nil {
			t.Errorf("%s: Open took it", name)
		}
	}
}

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l, editor := open(t, dir), open(t, dir)
		go l.Watch(t.Context(), zerolog.Nop())
		changed := l.Changed()
		time.Sleep(3 * watchEvery)
		select {
		case <-changed:
			t.Fatal("told of a change that was none")
		default:
		}
		add(t, editor, Terminal(shop))
		start := time.Now()
		<-changed
		if took := time.Since(start); took > watchEvery {
			t.Errorf("noticed after %v, want %v at most", took, watchEvery)
		}
		if !l.Denies(shop, big.NewInt(1)) {
			t.Error("the terminal is not denied after the change")
		}
	})
}

func TestParseSerial(t *testing.T) {
	for in, want := range map[string]int64{"0A:1b": 0xa1b, "a1b": 0xa1b, "FF": 255} {
		if got, err := ParseSerial(in); err != nil || got.Int64() != want {
			t.Errorf("ParseSerial(%q) = %v, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "0", "-1", "+1", "xyz", "0x12", strings.Repeat("1", 41), "1_0"} {
		if got, err := ParseSerial(in); err == nil {
			t.Errorf("ParseSerial(%q) = %v, want an error", in, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("terminal_m1_t1")
	f.Add("certificate_a1b2")
	f.Fuzz(func(t *testing.T, name string) {
		if e, err := parse(name); err == nil && e.name() != name {
			t.Errorf("parse(%q) is written %q", name, e.name())
		}
	})
}
