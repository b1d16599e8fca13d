package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/uplink/wire"
)

// leaseFor returns a lease for a member, and its recall.
func (tl *till) leaseFor(n byte, who int, rights int32) (*wire.Lease, *wire.LeaseRecall) {
	id, ref := [16]byte{n}, refOf(number(who))
	return &wire.Lease{
		Id: id[:], Number: uint64(n), AccountRef: ref[:], ProgrammeId: "coffee", Rights: rights,
		UntilUnixMs: tl.now.Add(time.Hour).UnixMilli(), TtlS: 3600,
	}, &wire.LeaseRecall{Id: id[:], AccountRef: ref[:]}
}

func (tl *till) redeem(key string, who int) (*wire.EntryResponse, error) {
	return tl.RedeemReward(tl.t.Context(), &wire.RedeemRewardRequest{IdempotencyKey: key, Member: memberAt(who)})
}

// returns are the rights that were given back since news was called last.
func (tl *till) returns() (all []loyalty.LeaseReturn) {
	for _, e := range tl.news() {
		if b, ok := e.Body.(loyalty.LeaseReturn); ok {
			all = append(all, b)
		}
	}
	return all
}

func withoutFloor() loyalty.Programme {
	p := testProgramme
	p.FloorPerAccountDay, p.FloorTotal = 0, 0
	return p
}

// What is left of a lease is given back once, survives a crash, and does not come back with the lease.
func TestRecallGivesBackWhatIsLeft(t *testing.T) {
	tl := newTill(t, "t1", withoutFloor())
	for i := range 3 {
		if _, err := tl.award(fmt.Sprint("a", i), 1, 9); err != nil {
			t.Fatal(err)
		}
	}
	lease, recall := tl.leaseFor(1, 1, 3)
	other, _ := tl.leaseFor(2, 1, 1)
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(tl.RecallLease(t.Context(), recall))
	if got := tl.returns(); len(got) != 0 {
		t.Errorf("of a lease that is not there, %v was given back", got)
	}
	do(tl.TakeLease(t.Context(), lease))
	if a, err := tl.redeem("r1", 1); err != nil || a.GetRight() != wire.RedeemRight_REDEEM_RIGHT_LEASE {
		t.Fatalf("the first reward: %v, %v", a, err)
	}
	do(tl.RecallLease(t.Context(), recall))
	tl.crash()
	do(tl.RecallLease(t.Context(), recall))
	if got := tl.returns(); len(got) != 1 || got[0] != (loyalty.LeaseReturn{Lease: loyalty.LeaseID{1}, Rights: 2}) {
		t.Errorf("given back: %v", got)
	}
	do(tl.TakeLease(t.Context(), other))
	do(tl.TakeLease(t.Context(), lease)) // it was on its way
	if r, err := tl.Rights(); err != nil || r.Leased != 1 {
		t.Errorf("rights %+v, %v, want the other lease's alone", r, err)
	}
	if _, err := tl.redeem("r2", 1); err != nil {
		t.Errorf("by the other lease: %v", err)
	}
	if a, err := tl.redeem("r3", 1); err == nil {
		t.Errorf("a reward was given by a right that was given back: %v", a)
	}
	tl.verify()
}

// Stamps that are set aside stay so.
func TestRecallLeavesWhatWasSetAside(t *testing.T) {
	tl := newTill(t, "t1", withoutFloor())
	lease, recall := tl.leaseFor(1, 1, 1)
	_, err := tl.award("a", 1, 9)
	if err := errors.Join(err, tl.TakeLease(t.Context(), lease)); err != nil {
		t.Fatal(err)
	}
	_, err = tl.RedeemReward(t.Context(), &wire.RedeemRewardRequest{IdempotencyKey: "h", Member: memberAt(1), Hold: true})
	if err := errors.Join(err, tl.RecallLease(t.Context(), recall)); err != nil {
		t.Fatal(err)
	}
	if held := tl.card(1).GetCard().GetHeld(); held != 1 {
		t.Errorf("%d rewards are set aside, want 1", held)
	}
}

// A right that the backend granted for this call and recalled before it was used is none, and the floor is no way around.
func TestRecallBetweenAnswerAndUse(t *testing.T) {
	tl := newTill(t, "t1", testProgramme)
	if _, err := tl.award("a", 1, 9); err != nil {
		t.Fatal(err)
	}
	lease, recall := tl.leaseFor(1, 1, 1)
	tl.online = true
	tl.Ask = func(ctx context.Context, _ *wire.LeaseRequest) (*wire.LeaseAnswer, error) {
		return &wire.LeaseAnswer{Lease: lease}, errors.Join(tl.TakeLease(ctx, lease), tl.RecallLease(ctx, recall))
	}
	_, err := tl.redeem("r", 1)
	if refused, ok := errors.AsType[*ledger.Refused](err); !ok || refused.Reason != ledger.RefusedLeasedElsewhere {
		t.Errorf("redeemed with %v, want %v", err, ledger.RefusedLeasedElsewhere)
	}
}

// Of a redemption and a recall at once, one gets the right.
func TestRecallRacesWithRedemption(t *testing.T) {
	tl := newTill(t, "t1", withoutFloor())
	given, back := 0, 0
	const rounds = 50
	for i := range rounds {
		lease, recall := tl.leaseFor(byte(i+1), i, 1)
		_, err := tl.award(fmt.Sprint("a", i), i, 9)
		if err := errors.Join(err, tl.TakeLease(t.Context(), lease)); err != nil {
			t.Fatal(err)
		}
		var race sync.WaitGroup
		var redeemed, recalled error
		race.Go(func() { _, redeemed = tl.redeem(fmt.Sprint("r", i), i) })
		race.Go(func() { recalled = tl.RecallLease(t.Context(), recall) })
		race.Wait()
		if recalled != nil {
			t.Fatal(recalled)
		}
		n := len(tl.returns())
		if (redeemed == nil) == (n == 1) {
			t.Fatalf("round %d: redeemed with %v, and %d rights given back", i, redeemed, n)
		}
		given, back = given+1-n, back+n
	}
	t.Logf("of %d, %d were given and %d given back", rounds, given, back)
}
