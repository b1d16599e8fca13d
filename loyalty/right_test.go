package loyalty_test

import (
	"testing"
	"time"

	"github.com/stampd/stampd/loyalty"
)

func TestDecide(t *testing.T) {
	anna, _ := loyalty.Fold("", entries(stamps(4, 4, 1)...)).Account(ref("anna"))
	floor := nine
	floor.FloorPerAccountDay, floor.FloorTotal = 1, 3
	lease := loyalty.Lease{
		Account: ref("anna"), Rights: 2, Used: 1, Until: loyalty.At(1000_000),
		Granted: up(1, time.Minute), TTLMs: time.Hour.Milliseconds(),
	}
	with := func(change func(*loyalty.Lease)) *loyalty.Lease {
		l := lease
		change(&l)
		return &l
	}
	var unset loyalty.Moment
	for _, c := range []struct {
		name string
		p    loyalty.Programme
		a    loyalty.Account
		r    loyalty.Redemption
		now  loyalty.Now
		want loyalty.Decision
	}{
		{"confirmed", nine, loyalty.Account{}, loyalty.Redemption{Confirmed: true}, loyalty.Now{}, loyalty.Decision{Right: loyalty.ByBackend}},
		{"empty card", nine, loyalty.Account{Ref: ref("anna")}, loyalty.Redemption{Lease: &lease}, loyalty.Now{Wall: loyalty.At(1)}, loyalty.Decision{Refusal: loyalty.RefusedNothingAvailable}},
		{"no lease", nine, anna, loyalty.Redemption{}, loyalty.Now{Wall: loyalty.At(1)}, loyalty.Decision{Refusal: loyalty.RefusedNoRight}},
		{"lease of another", nine, anna, loyalty.Redemption{Lease: with(func(l *loyalty.Lease) { l.Account = ref("bert") })}, loyalty.Now{Wall: loyalty.At(1)}, loyalty.Decision{Refusal: loyalty.RefusedNoRight}},
		{"lease", nine, anna, loyalty.Redemption{Lease: &lease}, loyalty.Now{Wall: loyalty.At(999_999)}, loyalty.Decision{Right: loyalty.ByLease}},
		{"lease is over", nine, anna, loyalty.Redemption{Lease: &lease}, loyalty.Now{Wall: loyalty.At(1000_000), Uptime: up(1, 2*time.Minute)}, loyalty.Decision{Refusal: loyalty.RefusedLeaseExpired}},
		{"lease after a reboot, clock checked", nine, anna, loyalty.Redemption{Lease: &lease}, loyalty.Now{Wall: loyalty.At(1), Uptime: up(2, 0)}, loyalty.Decision{Right: loyalty.ByLease}},
		{"lease, clock unset", nine, anna, loyalty.Redemption{Lease: &lease}, loyalty.Now{Wall: unset, Uptime: up(1, time.Hour)}, loyalty.Decision{Right: loyalty.ByLease}},
		{"lease is over, clock unset", nine, anna, loyalty.Redemption{Lease: &lease}, loyalty.Now{Wall: unset, Uptime: up(1, time.Hour+time.Minute)}, loyalty.Decision{Refusal: loyalty.RefusedLeaseExpired}},
		{"lease after a reboot, clock unset", nine, anna, loyalty.Redemption{Lease: &lease}, loyalty.Now{Wall: unset, Uptime: up(2, 2*time.Minute)}, loyalty.Decision{Refusal: loyalty.RefusedLeaseAfterReboot}},
		{"lease without any clock", nine, anna, loyalty.Redemption{Lease: &lease}, loyalty.Now{}, loyalty.Decision{Refusal: loyalty.RefusedLeaseAfterReboot}},
		{"lease is spent", nine, anna, loyalty.Redemption{Lease: with(func(l *loyalty.Lease) { l.Used = 2 })}, loyalty.Now{Wall: loyalty.At(1)}, loyalty.Decision{Refusal: loyalty.RefusedLeaseSpent}},
		{"lease is spent, the floor is not", floor, anna, loyalty.Redemption{Lease: with(func(l *loyalty.Lease) { l.Used = 2 })}, loyalty.Now{Wall: loyalty.At(1)}, loyalty.Decision{Right: loyalty.ByFloor}},
		{"floor", floor, anna, loyalty.Redemption{Floor: loyalty.Floored{Terminal: 2}}, loyalty.Now{}, loyalty.Decision{Right: loyalty.ByFloor}},
		{"floor of the account is spent", floor, anna, loyalty.Redemption{Floor: loyalty.Floored{AccountToday: 1, Terminal: 1}}, loyalty.Now{}, loyalty.Decision{Refusal: loyalty.RefusedFloorSpent}},
		{"floor of the terminal is spent", floor, anna, loyalty.Redemption{Floor: loyalty.Floored{Terminal: 3}}, loyalty.Now{}, loyalty.Decision{Refusal: loyalty.RefusedFloorSpent}},
		{"erased", floor, loyalty.Account{Erased: true}, loyalty.Redemption{}, loyalty.Now{}, loyalty.Decision{Refusal: loyalty.RefusedNothingAvailable}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := loyalty.Decide(c.p, c.a, c.r, c.now); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// A lease never gives more than was granted, and rights that were handed on or back are gone.
func TestLeaseIsBounded(t *testing.T) {
	lease := loyalty.Lease{ID: loyalty.LeaseID{7}, Account: ref("anna"), Rights: 3}
	redeem := loyalty.Redeem{Stamps: 9, Right: loyalty.ByLease, Lease: lease.ID}
	other := loyalty.Redeem{Stamps: 9, Right: loyalty.ByLease, Lease: loyalty.LeaseID{8}}
	made := entries(redeem, other, loyalty.LeaseTransfer{Lease: lease.ID, To: "t-2", Rights: 1}, loyalty.Reverse{Target: of("t-1", 1)})
	if n := loyalty.Outstanding(lease, append(made, made...)); n != 1 {
		t.Errorf("%d rights outstanding, want 1", n)
	}
	made = append(made, loyalty.Entry{ID: id("t-1", 9), Account: ref("anna"), Body: loyalty.LeaseReturn{Lease: lease.ID, Rights: 9}})
	if n := loyalty.Outstanding(lease, made); n != 0 {
		t.Errorf("%d rights outstanding after more were returned than there are, want 0", n)
	}
	used, err := lease.Use(2)
	if err != nil || used.Left() != 1 {
		t.Fatalf("used 2 of 3: %d left, %v", used.Left(), err)
	}
	for _, n := range []int32{2, 0, -1} {
		if _, err := used.Use(n); err == nil {
			t.Errorf("used %d of 1", n)
		}
	}
}

// What was redeemed is of the oldest stamps, and what is reversed is as old as it was.
func TestExpiry(t *testing.T) {
	p := nine
	p.ExpireAfter = 10 * time.Second
	bodies := and(stamps(4, 4, 4), loyalty.Redeem{Stamps: 9}) // at 1, 2, 3 and 4 s
	load := func(es []loyalty.Entry) func(loyalty.Ref) (loyalty.Row, error) {
		var row loyalty.Row
		for _, e := range es {
			row.Apply(e)
		}
		return func(loyalty.Ref) (loyalty.Row, error) { return row, nil }
	}
	for _, c := range []struct {
		name   string
		bodies []loyalty.Body
		now    int64
		due    int64
		next   loyalty.Expiry
	}{
		{"redeemed", bodies, 12_999, 0, loyalty.Expiry{At: loyalty.At(13_000), Stamps: 3}},
		{"reversed", and(bodies, loyalty.Reverse{Target: of("t-1", 4)}), 12_000, 8, loyalty.Expiry{At: loyalty.At(13_000), Stamps: 4}},
		{"expired once", and(bodies, loyalty.Reverse{Target: of("t-1", 4)}, loyalty.Expire{Stamps: 8}), 12_000, 0, loyalty.Expiry{At: loyalty.At(13_000), Stamps: 4}},
		{"all", bodies, 13_000, 3, loyalty.Expiry{}},
	} {
		lots, err := loyalty.Lots(ref("anna"), load(entries(c.bodies...)))
		if err != nil {
			t.Fatal(err)
		}
		if due, next := loyalty.Due(p, lots, loyalty.At(c.now)); due != c.due || next != c.next {
			t.Errorf("%s: %d due, then %+v; want %d, %+v", c.name, due, next, c.due, c.next)
		}
		if due, next := loyalty.Due(p, lots, loyalty.Moment{}); due != 0 || next.At.Known {
			t.Errorf("%s: something expires by a clock that is not known", c.name)
		}
	}
}
