package entry_test

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/google/go-cmp/cmp"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/entry"
	"github.com/stampd/stampd/uplink/wire"
)

var id = loyalty.EntryID{Terminal: "t-1", Epoch: [16]byte{1}, Seq: 7}

// bodies are one of each kind, with every field set.
func bodies() []loyalty.Body {
	target := loyalty.Target{ID: loyalty.EntryID{Terminal: "t-2", Epoch: [16]byte{2}, Seq: 3}}
	keyed := loyalty.Target{ID: loyalty.EntryID{Terminal: "t-1"}, Key: "order-6"}
	lease := loyalty.LeaseID{9}
	return []loyalty.Body{
		loyalty.Stamp{Stamps: 2, OrderRef: "7", PaymentKey: "pay-7", Operator: "op-1", Unverified: true, Manual: true},
		loyalty.StampVoid{Target: target},
		loyalty.Hold{Reward: "coffee", Stamps: 9},
		loyalty.Release{Target: keyed},
		loyalty.Redeem{Reward: "coffee", Stamps: 9, Hold: target, Right: loyalty.ByLease, Lease: lease},
		loyalty.Reverse{Target: target},
		loyalty.Adjust{Stamps: -3, Forgives: target},
		loyalty.Expire{Stamps: 4},
		loyalty.Enrol{},
		loyalty.Link{Card: loyalty.Ref{5}, Confirmed: true},
		loyalty.Unlink{Card: loyalty.Ref{5}},
		loyalty.Merge{Other: loyalty.Ref{6}},
		loyalty.Consent{Purpose: loyalty.PurposeSMSMarketing, Granted: true, TextHash: [32]byte{8}},
		loyalty.Consent{Purpose: loyalty.PurposeLoyalty},
		loyalty.Erase{},
		loyalty.Rejected{Reason: loyalty.ReasonMaxPerDay, RetryAfterS: 60},
		loyalty.LeaseReturn{Lease: lease, Rights: 1},
		loyalty.LeaseTransfer{Lease: lease, To: "t-2", Rights: 2},
	}
}

func TestEveryKindComesBack(t *testing.T) {
	seen := map[wire.StampKind]bool{}
	for _, b := range bodies() {
		want := loyalty.Entry{ID: id, Account: loyalty.Ref{4}, Programme: "coffee", Version: 3, Key: "order-7", Body: b}
		s := entry.ToWire(want)
		seen[s.GetKind()] = true
		got, err := entry.FromWire(id, nil, s)
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: %v, %v", s.GetKind(), cmp.Diff(want, got), err)
		}
	}
	values := wire.StampKind(0).Descriptor().Values()
	for i := range values.Len() {
		if k := wire.StampKind(values.Get(i).Number()); k != 0 && !seen[k] {
			t.Errorf("%s has no entry", k)
		}
	}
}

// A target that names neither terminal nor epoch is of the terminal that made the entry.
func TestTargetOfTheSameTerminal(t *testing.T) {
	s := entry.ToWire(loyalty.Entry{ID: id, Account: loyalty.Ref{4}, Body: loyalty.StampVoid{}})
	s.Target = &wire.EntryRef{IdempotencyKey: "order-6"}
	e, err := entry.FromWire(id, nil, s)
	want := loyalty.Target{ID: loyalty.EntryID{Terminal: "t-1"}, Key: "order-6"}
	if err != nil || e.Body != (loyalty.StampVoid{Target: want}) {
		t.Errorf("got %+v, %v", e.Body, err)
	}
}

func TestOnlyCheckedClocksCount(t *testing.T) {
	clock := &wire.Clock{WallUnixMs: proto.Int64(5), BootMs: proto.Int64(6), BootId: make([]byte, 16)}
	for c, known := range map[wire.ClockConfidence]bool{
		wire.ClockConfidence_CLOCK_CONFIDENCE_UNSPECIFIED: false, wire.ClockConfidence_CLOCK_CONFIDENCE_UNSET: false,
		wire.ClockConfidence_CLOCK_CONFIDENCE_RTC: false, wire.ClockConfidence_CLOCK_CONFIDENCE_NETWORK: true,
		wire.ClockConfidence_CLOCK_CONFIDENCE_NTP: true,
	} {
		clock.Confidence = c
		if m := entry.Moment(clock); m.Known != known || known && m.UnixMs != 5 {
			t.Errorf("%s: %+v", c, m)
		}
	}
	if u := entry.Uptime(clock); !u.Known || u.Ms != 6 {
		t.Errorf("uptime %+v", u)
	}
	clock.BootId = nil
	if entry.Uptime(clock).Known || entry.Uptime(nil).Known || entry.Moment(nil).Known {
		t.Error("a clock that is not there is known")
	}
}

func TestFromWireRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*wire.Stamp)
		want  string
	}{
		"no account":      {func(s *wire.Stamp) { s.AccountRef = nil }, "names no account"},
		"short account":   {func(s *wire.Stamp) { s.AccountRef = []byte{1} }, "account_ref must have 32 bytes"},
		"no stamps":       {func(s *wire.Stamp) { s.Stamps = 0 }, "less than one stamp"},
		"short epoch":     {func(s *wire.Stamp) { s.Target = &wire.EntryRef{Epoch: []byte{1}, Seq: 1} }, "target.epoch must have 16 bytes"},
		"no kind":         {func(s *wire.Stamp) { s.Kind = 0 }, "not known"},
		"kind of 257":     {func(s *wire.Stamp) { s.Kind = 257 }, "not known"},
		"negative kind":   {func(s *wire.Stamp) { s.Kind = -1 }, "not known"},
		"void of nothing": {func(s *wire.Stamp) { s.Kind = wire.StampKind_STAMP_KIND_STAMP_VOID }, "names no other entry"},
	} {
		s := entry.ToWire(loyalty.Entry{ID: id, Account: loyalty.Ref{4}, Body: loyalty.Stamp{Stamps: 1}})
		c.spoil(s)
		if _, err := entry.FromWire(id, nil, s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want it to say %q", name, err, c.want)
		}
	}
	if _, err := entry.FromWire(id, nil, &wire.Stamp{Kind: 99}); !errors.Is(err, entry.ErrUnknownKind) {
		t.Errorf("a later kind: %v", err)
	}
}

func FuzzFromWire(f *testing.F) {
	for _, b := range bodies() {
		raw, err := proto.Marshal(entry.ToWire(loyalty.Entry{ID: id, Account: loyalty.Ref{4}, Body: b}))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := new(wire.Stamp)
		if proto.Unmarshal(raw, s) != nil {
			return
		}
		e, err := entry.FromWire(id, nil, s)
		if err != nil {
			return
		}
		again, err := entry.FromWire(id, nil, entry.ToWire(e))
		if err != nil || !cmp.Equal(again, e) {
			t.Fatalf("came back as %+v, %v; want %+v", again, err, e)
		}
	})
}
