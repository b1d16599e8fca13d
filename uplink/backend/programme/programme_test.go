package programme_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/backend/programme"
)

func open(t *testing.T, dir string) *programme.Store {
	t.Helper()
	s, err := programme.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func coffee(version uint32) loyalty.Programme {
	return loyalty.Programme{ID: "coffee", Version: version, StampsPerReward: 9, MaxStampsPerPurchase: 1, Zone: "Europe/Berlin"}
}

// The newest version is in force, in every process, and only once it is whole.
func TestNewestIsInForce(t *testing.T) {
	dir := t.TempDir()
	s, other := open(t, dir), open(t, dir)
	if set, err := s.Set("m1"); err != nil || len(set.Wire.Programmes) != 0 {
		t.Fatalf("at first there is %v, %v", set.Wire, err)
	}
	changed := s.Changed()
	if err := s.Put("m1", coffee(2)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
	default:
		t.Error("nobody was told")
	}
	first, err := s.Set("m1")
	if p, ok := first.Programme("coffee"); err != nil || !ok || !cmp.Equal(p, coffee(2)) {
		t.Errorf("in force is %+v, %v", p, err)
	}
	for _, version := range []uint32{1, 2} {
		if err := other.Put("m1", coffee(version)); !errors.Is(err, programme.ErrVersion) {
			t.Errorf("version %d: %v", version, err)
		}
	}
	if err := other.Put("m1", coffee(10)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "m1", ".tmp-1"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := open(t, dir).Set("m1")
	if p, _ := set.Programme("coffee"); err != nil || p.Version != 10 || proto.Equal(set.Wire, first.Wire) || string(set.Wire.Tag) == string(first.Wire.Tag) {
		t.Errorf("in force is %+v, %v", set.Wire, err)
	}
	if p, err := s.Version("m1", "coffee", 2); err != nil || !cmp.Equal(p, coffee(2)) {
		t.Errorf("the version before is %+v, %v", p, err)
	}
}

// Of several who put one version at once, one succeeds.
func TestOneVersionOnce(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		s := open(t, dir)
		wg.Go(func() { errs[i] = s.Put("m1", coffee(1)) })
	}
	wg.Wait()
	done := 0
	for _, err := range errs {
		if err == nil {
			done++
		} else if !errors.Is(err, programme.ErrVersion) {
			t.Error(err)
		}
	}
	if done != 1 {
		t.Errorf("%d succeeded", done)
	}
}

func TestPutRefuses(t *testing.T) {
	s := open(t, t.TempDir())
	for name, c := range map[string]struct {
		merchant string
		change   func(*loyalty.Programme)
		want     string
	}{
		"a merchant that leads elsewhere": {"../m1", func(*loyalty.Programme) {}, "want 1 to 64"},
		"an id that leads elsewhere":      {"m1", func(p *loyalty.Programme) { p.ID = "../../x" }, "want 1 to 64"},
		"no stamps":                       {"m1", func(p *loyalty.Programme) { p.StampsPerReward = 0 }, "0 stamps for a reward"},
		"a zone that is not there":        {"m1", func(p *loyalty.Programme) { p.Zone = "Nowhere/Land" }, "is not known"},
	} {
		p := coffee(1)
		c.change(&p)
		if err := s.Put(c.merchant, p); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want it to say %q", name, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("id = \"coffee\"\nversion = 1\nstamps_per_reward = 9\nmax_stamps_per_purchase = 1\n", true)
	f.Add(`{"id":"coffee","version":1,"stamps_per_reward":9,"max_stamps_per_purchase":1,"min_gap_ms":"5"}`, false)
	f.Fuzz(func(t *testing.T, text string, isTOML bool) {
		syntax := programme.JSON
		if isTOML {
			syntax = programme.TOML
		}
		p, err := programme.Parse([]byte(text), syntax)
		if err != nil {
			return
		}
		again, err := programme.Format(p)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := programme.Parse(again, programme.JSON); err != nil || !cmp.Equal(got, p) {
			t.Fatalf("came back as %+v, %v; want %+v", got, err, p)
		}
	})
}
