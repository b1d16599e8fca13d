package entry_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/entry"
	"github.com/stampd/stampd/uplink/wire"
)

// full has every field of a programme set, so that one which is forgotten shows.
func full() loyalty.Programme {
	return loyalty.Programme{
		ID: "coffee", Version: 3, StampsPerReward: 9, Rewards: []loyalty.Reward{{ID: "cup", Name: "Cup", Stamps: 9}, {ID: "cake", Name: "Cake", Stamps: 12}},
		MaxStampsPerPurchase: 4, Earn: loyalty.Earn{PerVisit: 1, PerItem: 2, SpendPerStamp: map[string]int64{"EUR": 500, "USD": 600}},
		MinimumSpend: map[string]int64{"EUR": 100}, MinGap: new(time.Minute), MaxPerDay: new(int32(3)), MaxPerTerminalHour: 100,
		MaxPerOperatorHour: 50, MaxManualPerDay: 5, Zone: "Europe/Berlin", FloorPerAccountDay: 1, FloorTotal: 10,
		ForgiveOverdraft: true, NoCarryOver: true, ExpireAfter: 24 * time.Hour, RequirePayment: true,
	}
}

func TestProgrammesComeBackAsTheyWere(t *testing.T) {
	p := full()
	for i, v := 0, reflect.ValueOf(p); i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("the test leaves %s unset", v.Type().Field(i).Name)
		}
	}
	for _, p := range []loyalty.Programme{p, {ID: "a", Version: 1, StampsPerReward: 9, MaxStampsPerPurchase: 1}} {
		raw, err := proto.Marshal(entry.ProgrammeToWire(p))
		if err != nil {
			t.Fatal(err)
		}
		m := new(wire.Programme)
		if err := proto.Unmarshal(raw, m); err != nil {
			t.Fatal(err)
		}
		got, err := entry.ProgrammeFromWire(m)
		if err != nil || !cmp.Equal(got, p) {
			t.Errorf("came back as %+v, %v; want %+v", got, err, p)
		}
	}
	// The zero value of a field with a default is not its absence.
	p.MinGap, p.MaxPerDay = new(time.Duration(0)), new(int32(0))
	if got, err := entry.ProgrammeFromWire(entry.ProgrammeToWire(p)); err != nil || !cmp.Equal(got, p) {
		t.Errorf("came back as %+v, %v; want %+v", got, err, p)
	}
}

func FuzzProgrammeFromWire(f *testing.F) {
	raw, err := proto.Marshal(entry.ProgrammeToWire(full()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := new(wire.Programme)
		if proto.Unmarshal(raw, m) != nil {
			return
		}
		p, err := entry.ProgrammeFromWire(m)
		if err != nil {
			return
		}
		if again, err := entry.ProgrammeFromWire(entry.ProgrammeToWire(p)); err != nil || !cmp.Equal(again, p) {
			t.Fatalf("came back as %+v, %v; want %+v", again, err, p)
		}
	})
}
