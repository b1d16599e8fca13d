package loyalty

import "math"

// Card is an account as a version of a programme reads it.
type Card struct {
	Stamps    int32 // stamps given, less those taken back
	Progress  int32 // stamps towards the next reward; below 0 when more were taken back than given
	Of        int32 // how many stamps the next reward takes
	Earned    int32 // rewards earned
	Held      int32 // rewards that are set aside
	Redeemed  int32 // rewards that were given and not taken back
	Available int32 // rewards that can be redeemed; below 0 when more were given than earned: show 0
	AtLeast   bool  // the programme has no carry-over, and only the backend knows the exact progress
}

// CardOf returns the card with this many stamps and no rewards given.
func CardOf(p Programme, stamps int32) Card {
	return View(p, Account{Sums: Sums{Stamps: int64(stamps)}})
}

// View returns the account as the programme reads it. For a programme with one reward of N stamps, and S stamps given:
// earned = floor(max(S, 0) / N), progress = S mod N, or S when it is negative, and available = earned less what is held
// or redeemed. What was redeemed under another version took what it cost then, so in general the stamps that are left
// are divided, and not those that were given.
//
// With several rewards, progress is the stamps that are left, towards the cheapest reward that they don't buy, and
// Earned and Available count the cheapest reward; see [AvailableOf] for the others.
func View(p Programme, a Account) Card {
	n := int64(p.StampsPerReward)
	left := max(a.Stamps, 0) - a.Spent
	c := Card{
		Stamps: clamp(a.Stamps), Of: p.StampsPerReward, Held: a.Held, Redeemed: a.Redeemed,
		Available: clamp(floorDiv(left, n)), Earned: clamp(floorDiv(left, n) + int64(a.Held) + int64(a.Redeemed)),
		Progress: clamp(left - n*floorDiv(left, n)), AtLeast: p.NoCarryOver,
	}
	c.Earned = max(c.Earned, 0)
	if a.Stamps < 0 {
		c.Progress = c.Stamps
	} else if len(p.Rewards) > 1 {
		c.Progress = clamp(left)
		for _, r := range p.Rewards {
			if c.Of = r.Stamps; int64(r.Stamps) > left {
				break
			}
		}
	}
	if p.NoCarryOver && c.Earned > 0 {
		// The purchase that filled the card may have had all but one of its stamps to spare.
		c.Progress = max(c.Progress-(p.MaxStampsPerPurchase-1), 0)
	}
	return c
}

// AvailableOf returns how many of a reward the account's stamps buy; below 0 when more were given than earned.
func AvailableOf(r Reward, a Account) int32 { return available(a.Sums, r.Stamps) }

func available(s Sums, n int32) int32 { return clamp(floorDiv(max(s.Stamps, 0)-s.Spent, int64(n))) }

// Protect returns how many stamps an account needs when a version of a programme takes the place of another, so that
// every reward which it could buy can still be bought: 0 when none became dearer. Whoever puts the version into force
// gives them as an [Adjust].
func Protect(old, fresh Programme, a Account) int32 {
	var need int64
	for _, r := range old.Tiers() {
		if now, ok := fresh.Reward(r.ID); ok {
			need = max(need, int64(max(available(a.Sums, r.Stamps), 0))*int64(now.Stamps-r.Stamps))
		}
	}
	return clamp(need)
}

func floorDiv(a, b int64) int64 {
	if a < 0 {
		return -((b - 1 - a) / b)
	}
	return a / b
}

func clamp(n int64) int32 { return int32(min(max(n, math.MinInt32), math.MaxInt32)) }
