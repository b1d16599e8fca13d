package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/entry"
	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/uplink/wire"
)

func refusal(t *testing.T, err error) *ledger.Refused {
	t.Helper()
	refused := new(ledger.Refused)
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want a refusal", err)
	}
	return refused
}

// The vectors of velocity, with a gap of 15 minutes.
func TestVelocity(t *testing.T) {
	programme := testProgramme
	programme.MinGap = nil
	at := func(clock string) time.Time {
		c, err := time.Parse(time.TimeOnly, clock)
		if err != nil {
			t.Fatal(err)
		}
		return time.Date(2026, 5, 4, c.Hour(), c.Minute(), c.Second(), 0, time.UTC)
	}
	tl := newTill(t, "t-1", programme)
	must(t)(tl.award("first", 0, 1))
	tl.pass(at("10:14:59").Sub(tl.now))
	_, err := tl.award("early", 0, 1)
	early := refusal(t, err)
	if early.Reason != ledger.RefusedTooSoon || early.RetryAfter != time.Second || early.Seq != 2 || early.Duplicate {
		t.Errorf("a second early: %+v", early)
	}
	tl.pass(time.Second)
	_, err = tl.award("early", 0, 1)
	if again := refusal(t, err); !again.Duplicate || again.Seq != 2 || again.RetryAfter != time.Second {
		t.Errorf("the same key again: %+v, want the same answer", again)
	}
	if answer, err := tl.award("in time", 0, 1); err != nil || answer.GetVelocityUnverified() {
		t.Errorf("at 15 minutes: %v, %v", answer, err)
	}
	tl.pass(16 * time.Minute)
	tl.now = tl.now.Add(-2 * time.Hour) // NTP sets it back
	if answer, err := tl.award("back", 0, 1); err != nil || answer.GetVelocityUnverified() {
		t.Errorf("after the clock was set back: %v, %v", answer, err)
	}
	tl.now, tl.trusted = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), false
	tl.reboot()
	if answer, err := tl.award("1970", 0, 1); err != nil || !answer.GetVelocityUnverified() {
		t.Errorf("in 1970, after a reboot: %v, %v; want it unverified", answer, err)
	}
	kinds := map[loyalty.Kind]int{}
	for _, e := range tl.news() {
		kinds[e.Body.Kind()]++
	}
	if kinds[loyalty.KindStamp] != 4 || kinds[loyalty.KindRejected] != 1 {
		t.Errorf("recorded %v", kinds)
	}
	if c := tl.card(0).GetCard(); c.GetStamps() != 4 {
		t.Errorf("card %v", c)
	}
	tl.verify()
}

// Limits of operators and terminals count over restarts.
func TestAwardsAreLimited(t *testing.T) {
	programme := testProgramme
	programme.MaxPerOperatorHour, programme.MaxPerTerminalHour, programme.MaxManualPerDay = 2, 4, 1
	tl := newTill(t, "t-1", programme)
	n := 0
	try := func(operator string, manual bool) error {
		n++
		_, err := tl.AwardStamps(t.Context(), &wire.AwardStampsRequest{
			IdempotencyKey: fmt.Sprint("k-", n), Phone: number(n), OperatorRef: operator, Manual: manual,
		})
		return err
	}
	for i := range 2 {
		if err := try("op-1", false); err != nil {
			t.Fatalf("award %d: %v", i, err)
		}
	}
	tl.crash()
	if r := refusal(t, try("op-1", false)); r.Reason != ledger.RefusedOperatorHour {
		t.Errorf("the third of an operator: %v", r)
	}
	if err := try("op-2", true); err != nil {
		t.Fatal(err)
	}
	if r := refusal(t, try("op-2", true)); r.Reason != ledger.RefusedManualDay {
		t.Errorf("the second by hand: %v", r)
	}
	if err := try("", false); err != nil {
		t.Fatal(err)
	}
	if r := refusal(t, try("", false)); r.Reason != ledger.RefusedTerminalHour {
		t.Errorf("the fifth: %v", r)
	}
	tl.pass(time.Hour)
	if err := try("op-1", false); err != nil {
		t.Errorf("an hour later: %v", err)
	}
}

func TestPurchasesEarn(t *testing.T) {
	programme := testProgramme
	programme.MinimumSpend = map[string]int64{"EUR": 500}
	programme.Earn = loyalty.Earn{SpendPerStamp: map[string]int64{"EUR": 500}}
	tl := newTill(t, "t-1", programme)
	spend := func(key string, minor int64) (*wire.AwardStampsResponse, error) {
		return tl.AwardStamps(t.Context(), &wire.AwardStampsRequest{IdempotencyKey: key, Phone: number(0), SpendMinor: &minor, SpendCurrency: "EUR"})
	}
	if got, err := spend("a", 1499); err != nil || got.GetGiven() != 2 {
		t.Errorf("14.99: %v, %v", got, err)
	}
	_, err := spend("b", 499)
	if r := refusal(t, err); r.Reason != ledger.RefusedMinimumSpend || r.Seq == 0 {
		t.Errorf("4.99: %+v", r)
	}
}

// lease is one as the backend grants it.
func lease(id byte, n uint64, who int, rights int32, until time.Time) *wire.Lease {
	ref := refOf(number(who))
	return &wire.Lease{
		Id: append([]byte{id}, make([]byte, 15)...), Number: n, AccountRef: ref[:], ProgrammeId: "coffee", Rights: rights,
		UntilUnixMs: until.UnixMilli(), TtlS: 3600,
	}
}

// A lease is spent once for each right, over restarts; after a reboot without the time it can't be used until there is one.
func TestLeases(t *testing.T) {
	programme := testProgramme
	programme.FloorPerAccountDay, programme.FloorTotal = 0, 0
	tl := newTill(t, "t-1", programme)
	for i := range 3 {
		must(t)(tl.award(fmt.Sprint("s-", i), 0, 9))
	}
	_, err := tl.redeem("none", 0)
	if r := refusal(t, err); r.Reason != ledger.RefusedNoRight {
		t.Errorf("without a right: %v", r)
	}
	for range 2 { // it may come twice
		if err := tl.TakeLease(t.Context(), lease(1, 7, 0, 2, tl.now.Add(time.Hour))); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := tl.Have(); err != nil || have.GetLeaseNumber() != 7 {
		t.Errorf("have %v, %v", have, err)
	}
	first, err := tl.redeem("r-1", 0)
	if err != nil || first.GetRight() != wire.RedeemRight_REDEEM_RIGHT_LEASE || first.GetNotConfirmed() != wire.ConfirmFailure_CONFIRM_FAILURE_OFFLINE {
		t.Fatalf("by a lease: %v, %v", first, err)
	}
	tl.trusted = false
	tl.reboot()
	if again, err := tl.redeem("r-1", 0); err != nil || !again.GetDuplicate() || again.GetSeq() != first.GetSeq() || again.GetEpoch() != first.GetEpoch() {
		t.Errorf("the same call again: %v, %v", again, err)
	}
	_, err = tl.redeem("r-2", 0)
	if r := refusal(t, err); r.Reason != ledger.RefusedLeaseAfterReboot {
		t.Errorf("after a reboot without the time: %v", r)
	}
	tl.trusted = true
	must(t)(tl.redeem("r-3", 0))
	if err := tl.TakeLease(t.Context(), lease(1, 7, 0, 2, tl.now.Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	_, err = tl.redeem("r-4", 0)
	if r := refusal(t, err); r.Reason != ledger.RefusedLeaseSpent {
		t.Errorf("after all rights were used and the lease came again: %v", r)
	}
	if err := tl.TakeLease(t.Context(), lease(2, 8, 0, 1, tl.now.Add(time.Minute))); err != nil {
		t.Fatal(err)
	}
	tl.pass(2 * time.Minute)
	_, err = tl.redeem("r-5", 0)
	if r := refusal(t, err); r.Reason != ledger.RefusedLeaseExpired {
		t.Errorf("after its end: %v", r)
	}
	tl.verify()
}

// The floor counts by account and day, and by what the backend does not have yet.
func TestFloor(t *testing.T) {
	programme := testProgramme
	programme.FloorPerAccountDay, programme.FloorTotal = 1, 2
	tl := newTill(t, "t-1", programme)
	for who := range 3 {
		for i := range 3 {
			must(t)(tl.award(fmt.Sprint("s-", who, "-", i), who, 9))
		}
	}
	got, err := tl.redeem("a", 0)
	if err != nil || got.GetRight() != wire.RedeemRight_REDEEM_RIGHT_FLOOR {
		t.Fatalf("%v, %v", got, err)
	}
	tl.crash()
	_, err = tl.redeem("b", 0)
	if r := refusal(t, err); r.Reason != ledger.RefusedFloorSpent {
		t.Errorf("the second of a day: %v", r)
	}
	must(t)(tl.redeem("c", 1))
	_, err = tl.redeem("d", 2)
	if r := refusal(t, err); r.Reason != ledger.RefusedFloorSpent {
		t.Errorf("the third of the terminal: %v", r)
	}
	for _, lane := range tl.queue.Lanes() {
		if err := tl.queue.Ack(t.Context(), lane.LaneID, lane.Next-1, nil); err != nil {
			t.Fatal(err)
		}
	}
	must(t)(tl.redeem("d", 2))
	_, err = tl.redeem("b", 0)
	if r := refusal(t, err); r.Reason != ledger.RefusedFloorSpent {
		t.Errorf("the second of a day, once the backend has the first: %v", r)
	}
	tl.pass(24 * time.Hour)
	must(t)(tl.redeem("b", 0))
	tl.verify()
}

// While online the backend decides, and what it says is what the entry says.
func TestTheBackendConfirms(t *testing.T) {
	tl := newTill(t, "t-1", testProgramme)
	for i := range 4 {
		must(t)(tl.award(fmt.Sprint("s-", i), 0, 9))
	}
	tl.online = true
	asked := 0
	var answer *wire.LeaseAnswer
	var failure error
	tl.Ask = func(_ context.Context, _ *wire.LeaseRequest) (*wire.LeaseAnswer, error) {
		asked++
		if answer.GetLease() != nil {
			if err := tl.TakeLease(t.Context(), answer.GetLease()); err != nil {
				return nil, err
			}
		}
		return answer, failure
	}
	answer = &wire.LeaseAnswer{Lease: lease(9, 1, 0, 1, tl.now.Add(time.Minute))}
	got, err := tl.redeem("yes", 0)
	if err != nil || got.GetRight() != wire.RedeemRight_REDEEM_RIGHT_BACKEND || asked != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	if again, err := tl.redeem("yes", 0); err != nil || !again.GetDuplicate() || asked != 1 {
		t.Errorf("again: %v, %v, asked %d times", again, err, asked)
	}
	answer = &wire.LeaseAnswer{Refusal: wire.LeaseRefusal_LEASE_REFUSAL_LEASED}
	_, err = tl.redeem("no", 0)
	if r := refusal(t, err); r.Reason != ledger.RefusedLeasedElsewhere {
		t.Errorf("refused by the backend, with a floor: %v", r)
	}
	answer, failure = nil, errors.New("no answer")
	got, err = tl.redeem("none", 0)
	if err != nil || got.GetRight() != wire.RedeemRight_REDEEM_RIGHT_FLOOR || got.GetNotConfirmed() != wire.ConfirmFailure_CONFIRM_FAILURE_NO_ANSWER {
		t.Errorf("without an answer: %v, %v", got, err)
	}
	for _, e := range tl.news() {
		if r, ok := e.Body.(loyalty.Redeem); ok && e.Key == "yes" && (r.Right != loyalty.ByBackend || r.Lease[0] != 9) {
			t.Errorf("entry %+v", r)
		}
	}
}

// The backend's rules are in force at once and after a restart. Those that make no sense, or are older, are not.
func TestProgrammesOfTheBackend(t *testing.T) {
	tl := newTill(t, "t-1", testProgramme)
	sent := testProgramme
	sent.Version, sent.StampsPerReward = 2, 5
	message := func(p loyalty.Programme, tag string) *wire.Programmes {
		return &wire.Programmes{Tag: []byte(tag), Programmes: []*wire.Programme{entry.ProgrammeToWire(p)}}
	}
	if err := tl.TakeProgrammes(t.Context(), message(sent, "two")); err != nil {
		t.Fatal(err)
	}
	tl.crash()
	if c := tl.card(0).GetCard(); c.GetOf() != 5 {
		t.Errorf("card %v, want 5 stamps a reward", c)
	}
	bad := sent
	bad.Version, bad.StampsPerReward = 3, 0
	for name, p := range map[string]loyalty.Programme{"senseless": bad, "older": testProgramme} {
		if err := tl.TakeProgrammes(t.Context(), message(p, name)); err == nil {
			t.Errorf("%s rules were taken", name)
		}
	}
	if have, err := tl.Have(); err != nil || string(have.GetProgrammesTag()) != "two" {
		t.Errorf("have %v, %v", have, err)
	}
	must(t)(tl.award("a", 0, 5))
	if e := tl.news(); e[len(e)-1].Version != 2 {
		t.Errorf("entry of version %d", e[len(e)-1].Version)
	}
}
