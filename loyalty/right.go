package loyalty

// Right is by what right a reward was given. The values reach the disk and the wire.
type Right uint8

// All rights. The zero value means unknown.
const (
	RightUnknown Right = 0
	ByBackend    Right = 1 // the backend confirmed it
	ByLease      Right = 2 // a lease of the terminal had a right left
	ByFloor      Right = 3 // the programme lets the terminal give some at the merchant's risk
)

// Refusal is why a reward can't be given, for programs.
type Refusal string

// All refusals.
const (
	RefusedUnknownReward    Refusal = "unknown_reward"
	RefusedNothingAvailable Refusal = "nothing_available"
	RefusedNoRight          Refusal = "no_right"
	RefusedLeaseSpent       Refusal = "lease_spent"
	RefusedLeaseExpired     Refusal = "lease_expired"
	RefusedLeaseAfterReboot Refusal = "lease_unusable_after_reboot"
	RefusedFloorSpent       Refusal = "floor_spent"
)

// Redemption asks for a reward.
type Redemption struct {
	Reward    string  // its id; empty for the programme's first
	Confirmed bool    // the backend said yes to it
	Lease     *Lease  // the terminal's lease for the account; nil: it has none
	Floor     Floored // what was given under the floor already
}

// Floored is how many rewards a terminal gave under the floor. The caller counts them; one that does not know the day
// counts all that the backend has not confirmed.
type Floored struct {
	AccountToday int32 // to the account in this day of the shop
	Terminal     int32 // by the terminal to anybody, that the backend has not confirmed
}

// Decision says whether a reward may be given.
type Decision struct {
	Right   Right   // by what right; RightUnknown: it may not
	Refusal Refusal // why not; empty when it may
}

// Decide says whether a reward may be given: when the backend confirmed it, or else when the card has it and a lease, or
// else the programme's floor, lets this terminal give it. Of two reasons against it the lease's is told when there is a
// lease, since it is the one that can be mended.
func Decide(p Programme, a Account, r Redemption, now Now) Decision {
	reward, ok := p.Reward(r.Reward)
	if !ok {
		return Decision{Refusal: RefusedUnknownReward}
	}
	if r.Confirmed {
		return Decision{Right: ByBackend}
	}
	if a.Erased || available(a.Sums, reward.Stamps) < 1 {
		return Decision{Refusal: RefusedNothingAvailable}
	}
	refusal := RefusedNoRight
	if r.Lease != nil && r.Lease.Account == a.Ref {
		if refusal = r.Lease.Usable(now); refusal == "" {
			return Decision{Right: ByLease}
		}
	}
	if p.FloorPerAccountDay > 0 && p.FloorTotal > 0 {
		if r.Floor.AccountToday < p.FloorPerAccountDay && r.Floor.Terminal < p.FloorTotal {
			return Decision{Right: ByFloor}
		}
		if refusal == RefusedNoRight {
			refusal = RefusedFloorSpent
		}
	}
	return Decision{Refusal: refusal}
}
