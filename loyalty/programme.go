package loyalty

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// DefaultMinGap is the time between two awards to one account where a programme does not say.
const DefaultMinGap = 15 * time.Minute

// Limits of a programme, so that it stays small and can be shown.
const (
	maxRewards   = 15
	maxStamps    = 10_000
	maxNameBytes = 100
	maxIDBytes   = 64
)

// Programme is one version of a merchant's rules.
type Programme struct {
	ID                   string
	Version              uint32   // counts from 1
	StampsPerReward      int32    // stamps that earn one reward: the nine in "buy nine, get one free"; >= 1
	Rewards              []Reward // when there are several, the cheapest first, which costs StampsPerReward; else nil
	MaxStampsPerPurchase int32    // >= 1

	Earn         Earn             // how many stamps a purchase earns
	MinimumSpend map[string]int64 // what a purchase must come to, before tax and tip: minor units by ISO 4217 code

	MinGap             *time.Duration // between two awards to one account; nil: DefaultMinGap; 0: none
	MaxPerDay          *int32         // awards to one account in a day of the shop; nil: 1, or no limit when a purchase may earn several stamps; 0: no limit
	MaxPerTerminalHour int32          // awards by one terminal in an hour; 0: no limit
	MaxPerOperatorHour int32          // awards by one operator in an hour; 0: no limit
	MaxManualPerDay    int32          // awards for no sale, by one terminal in a day; 0: no limit
	Zone               string         // the shop's time zone, by its IANA name; empty: UTC
	FloorPerAccountDay int32          // rewards that a terminal gives to one account in a day without asking; 0: none
	FloorTotal         int32          // rewards that a terminal gives without asking until the backend has confirmed some; 0: none
	ForgiveOverdraft   bool           // the merchant bears rewards that were given twice: the backend makes up for them
	NoCarryOver        bool           // stamps beyond a reward are lost: decided by the backend alone
	ExpireAfter        time.Duration  // stamps not used within that time are lost: decided by the backend alone; 0: never
	RequirePayment     bool           // stamps that name no payment are told of
}

// Reward is something that stamps buy.
type Reward struct {
	ID     string // 1 to 64 bytes; empty in a programme with one reward
	Name   string // for people, up to 100 bytes
	Stamps int32  // what it costs; >= 1
}

// Tiers returns the programme's rewards, the cheapest first. There is one at least.
func (p *Programme) Tiers() []Reward {
	if len(p.Rewards) > 0 {
		return p.Rewards
	}
	return []Reward{{Stamps: p.StampsPerReward}}
}

// Reward returns the reward with this id, the cheapest for an empty one.
func (p *Programme) Reward(id string) (Reward, bool) {
	for _, r := range p.Tiers() {
		if r.ID == id || id == "" {
			return r, true
		}
	}
	return Reward{}, false
}

// Check returns what is wrong with each field of the programme, or nil.
func (p Programme) Check() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("programme "+format, args...)) }
	if p.ID == "" {
		wrong("has no id")
	}
	if len(p.ID) > maxIDBytes {
		wrong("id has %d bytes, want up to %d", len(p.ID), maxIDBytes)
	}
	if p.Version < 1 {
		wrong("version must be at least 1")
	}
	if p.StampsPerReward < 1 || p.StampsPerReward > maxStamps {
		wrong("takes %d stamps for a reward, want 1 to %d", p.StampsPerReward, maxStamps)
	}
	if p.MaxStampsPerPurchase < 1 || p.MaxStampsPerPurchase > maxStamps {
		wrong("allows %d stamps per purchase, want 1 to %d", p.MaxStampsPerPurchase, maxStamps)
	}
	errs = append(errs, p.checkRewards()...)
	errs = append(errs, p.checkMoney()...)
	errs = append(errs, p.checkLimits()...)
	return errors.Join(errs...)
}

func (p *Programme) checkRewards() (errs []error) {
	if len(p.Rewards) == 0 {
		return nil
	}
	if len(p.Rewards) > maxRewards {
		errs = append(errs, fmt.Errorf("programme has %d rewards, want up to %d", len(p.Rewards), maxRewards))
	}
	if p.Rewards[0].Stamps != p.StampsPerReward || !slices.IsSortedFunc(p.Rewards, func(a, b Reward) int { return cmp.Compare(a.Stamps, b.Stamps) }) {
		errs = append(errs, errors.New("programme rewards must begin with the cheapest, which takes as many stamps as the programme says"))
	}
	ids := map[string]bool{}
	for i, r := range p.Rewards {
		switch {
		case r.ID == "" || len(r.ID) > maxIDBytes:
			errs = append(errs, fmt.Errorf("programme reward %d must have an id of 1 to %d bytes", i+1, maxIDBytes))
		case ids[r.ID]:
			errs = append(errs, fmt.Errorf("programme reward %d has the id of another", i+1))
		case len(r.Name) > maxNameBytes:
			errs = append(errs, fmt.Errorf("programme reward %d has a name of %d bytes, want up to %d", i+1, len(r.Name), maxNameBytes))
		case r.Stamps < 1 || r.Stamps > maxStamps:
			errs = append(errs, fmt.Errorf("programme reward %d takes %d stamps, want 1 to %d", i+1, r.Stamps, maxStamps))
		}
		ids[r.ID] = true
	}
	return errs
}

func (p *Programme) checkMoney() (errs []error) {
	for _, m := range []struct {
		field  string
		amount map[string]int64
	}{{"minimum spend", p.MinimumSpend}, {"spend per stamp", p.Earn.SpendPerStamp}} {
		for _, code := range slices.Sorted(maps.Keys(m.amount)) {
			if _, ok := Exponent(code); !ok {
				errs = append(errs, fmt.Errorf("programme %s: %q is no ISO 4217 code", m.field, code))
			}
			if m.amount[code] < 1 {
				errs = append(errs, fmt.Errorf("programme %s in %s must be at least 1 minor unit", m.field, code))
			}
		}
	}
	return errs
}

func (p *Programme) checkLimits() (errs []error) {
	for _, l := range []struct {
		field string
		value int64
	}{
		{"stamps per visit", int64(p.Earn.PerVisit)}, {"stamps per item", int64(p.Earn.PerItem)},
		{"gap", int64(p.minGap())}, {"awards per day", int64(p.maxPerDay())},
		{"awards per terminal and hour", int64(p.MaxPerTerminalHour)}, {"awards per operator and hour", int64(p.MaxPerOperatorHour)},
		{"awards by hand per day", int64(p.MaxManualPerDay)},
		{"floor per account and day", int64(p.FloorPerAccountDay)}, {"floor in total", int64(p.FloorTotal)},
		{"time until stamps expire", int64(p.ExpireAfter)},
	} {
		if l.value < 0 {
			errs = append(errs, fmt.Errorf("programme %s must not be negative", l.field))
		}
	}
	if (p.FloorPerAccountDay > 0) != (p.FloorTotal > 0) {
		errs = append(errs, errors.New("programme floor needs both a limit per account and day and one in total"))
	}
	if p.Zone == "Local" || !zoneText(p.Zone) {
		errs = append(errs, fmt.Errorf("programme zone %q is no IANA name, such as Europe/Berlin", p.Zone))
	}
	return errs
}

// zoneText reports whether s has the form of an IANA zone's name. Whether there is such a zone is for who loads it.
func zoneText(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || c != '/' && c != '_' && c != '-' && c != '+' && (c < '0' || c > '9')) {
			return false
		}
	}
	return len(s) <= maxIDBytes
}

func (p *Programme) minGap() time.Duration {
	if p.MinGap == nil {
		return DefaultMinGap
	}
	return *p.MinGap
}

func (p *Programme) maxPerDay() int32 {
	switch {
	case p.MaxPerDay != nil:
		return *p.MaxPerDay
	case p.MaxStampsPerPurchase > 1:
		return 0
	}
	return 1
}
