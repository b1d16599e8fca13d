package ledger_test

import (
	"testing"
	"time"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/uplink/wire"
)

// Leases count as long as they can be used, and the floor beside them.
func TestRights(t *testing.T) {
	tm := newTerminal(t, t.TempDir())
	tm.Programme.FloorTotal, tm.Programme.FloorPerAccountDay = 3, 1
	wall, up, boot, ntp := time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC), time.Hour, byte(1), true
	clock := func() {
		id := [16]byte{boot}
		tm.Clock = hal.NewClockOf(hal.ClockSources{
			BootID: id[:], Wall: func() time.Time { return wall }, SinceBoot: func() (time.Duration, bool) { return up, true },
			Synchronised: func() bool { return ntp },
		})
	}
	clock()
	lease := func(n byte, programme string, rights int32, lasts time.Duration) {
		id, account := [16]byte{n}, [32]byte{n}
		err := tm.TakeLease(t.Context(), &wire.Lease{
			Id: id[:], Number: uint64(n), AccountRef: account[:], ProgrammeId: programme, Rights: rights,
			UntilUnixMs: wall.Add(lasts).UnixMilli(), TtlS: uint32(lasts / time.Second),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(when string, w ledger.Rights) {
		t.Helper()
		got, err := tm.Rights()
		if err != nil {
			t.Fatal(err)
		}
		if got.Leased != w.Leased || got.Unusable != w.Unusable || got.Floor != w.Floor || got.Until.Known != (w.Leased > 0) {
			t.Errorf("%s: rights %+v, want %+v", when, got, w)
		}
	}
	want("no lease", ledger.Rights{Floor: 3})
	lease(1, "coffee", 2, time.Hour)
	lease(2, "coffee", 1, 3*time.Hour)
	lease(3, "tea", 9, time.Hour)
	want("two leases of the programme", ledger.Rights{Leased: 3, Floor: 3})
	if r, err := tm.Rights(); err != nil || r.Until.UnixMs != wall.Add(3*time.Hour).UnixMilli() {
		t.Errorf("rights %+v, %v, want the end of the last lease", r, err)
	}
	wall, up = wall.Add(2*time.Hour), up+2*time.Hour
	want("one is over", ledger.Rights{Leased: 1, Floor: 3})
	boot, up, wall, ntp = 2, time.Minute, time.Date(1970, 1, 1, 0, 1, 0, 0, time.UTC), false
	clock()
	want("after a restart, in 1970", ledger.Rights{Unusable: 3, Floor: 3})
}
