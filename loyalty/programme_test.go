package loyalty_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stampd/stampd/loyalty"
)

var tiers = loyalty.Programme{
	ID: "coffee", Version: 2, StampsPerReward: 5, MaxStampsPerPurchase: 3,
	Rewards: []loyalty.Reward{{ID: "cookie", Name: "Cookie", Stamps: 5}, {ID: "coffee", Name: "Coffee", Stamps: 9}},
}

func TestProgrammeCheck(t *testing.T) {
	for _, p := range []loyalty.Programme{nine, tiers} {
		if err := p.Check(); err != nil {
			t.Error(err)
		}
	}
	for _, c := range []struct {
		name  string
		spoil func(*loyalty.Programme)
		want  string
	}{
		{"no id", func(p *loyalty.Programme) { p.ID = "" }, "has no id"},
		{"long id", func(p *loyalty.Programme) { p.ID = strings.Repeat("x", 65) }, "id has 65 bytes"},
		{"version 0", func(p *loyalty.Programme) { p.Version = 0 }, "version"},
		{"reward for 0", func(p *loyalty.Programme) { p.StampsPerReward = 0 }, "takes 0 stamps"},
		{"0 per purchase", func(p *loyalty.Programme) { p.MaxStampsPerPurchase = 0 }, "allows 0 stamps"},
		{"dearest first", func(p *loyalty.Programme) { p.Rewards[0], p.Rewards[1] = p.Rewards[1], p.Rewards[0] }, "begin with the cheapest"},
		{"reward without id", func(p *loyalty.Programme) { p.Rewards[1].ID = "" }, "reward 2 must have an id"},
		{"two of one id", func(p *loyalty.Programme) { p.Rewards[1].ID = "cookie" }, "reward 2 has the id of another"},
		{"long name", func(p *loyalty.Programme) { p.Rewards[1].Name = strings.Repeat("x", 101) }, "reward 2 has a name of 101"},
		{"no such currency", func(p *loyalty.Programme) { p.MinimumSpend = map[string]int64{"eur": 5} }, `"eur" is no ISO 4217 code`},
		{"spend of 0", func(p *loyalty.Programme) { p.Earn.SpendPerStamp = map[string]int64{"EUR": 0} }, "spend per stamp in EUR"},
		{"negative gap", func(p *loyalty.Programme) { p.MinGap = new(-time.Second) }, "gap must not be negative"},
		{"negative day", func(p *loyalty.Programme) { p.MaxPerDay = new(int32(-1)) }, "awards per day"},
		{"half a floor", func(p *loyalty.Programme) { p.FloorTotal = 3 }, "floor needs both"},
		{"zone of the machine", func(p *loyalty.Programme) { p.Zone = "Local" }, "no IANA name"},
		{"zone as a path", func(p *loyalty.Programme) { p.Zone = "../etc/passwd" }, "no IANA name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := tiers
			p.Rewards = append([]loyalty.Reward(nil), tiers.Rewards...)
			c.spoil(&p)
			if err := p.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want it to say %q", err, c.want)
			}
		})
	}
	p := loyalty.Programme{FloorTotal: 1}
	if n := strings.Count(p.Check().Error(), "\n") + 1; n != 5 {
		t.Errorf("%d complaints about five fields: %v", n, p.Check())
	}
}

func TestEarned(t *testing.T) {
	p := nine
	p.MinimumSpend = map[string]int64{"EUR": 300, "JPY": 400}
	spend := p
	spend.Earn = loyalty.Earn{PerVisit: 1, PerItem: 2, SpendPerStamp: map[string]int64{"EUR": 500}}
	for _, c := range []struct {
		name string
		p    loyalty.Programme
		b    loyalty.Purchase
		want int32
	}{
		{"no rules", nine, loyalty.Purchase{}, 1},
		{"enough", p, loyalty.Purchase{Currency: "EUR", Minor: 300}, 1},
		{"a cent short", p, loyalty.Purchase{Currency: "EUR", Minor: 299}, 0},
		{"yen have no cents", p, loyalty.Purchase{Currency: "JPY", Minor: 400}, 1},
		{"currency without a minimum", p, loyalty.Purchase{Currency: "USD", Minor: 900}, 0},
		{"visit gives most", spend, loyalty.Purchase{Currency: "EUR", Minor: 499}, 1},
		{"spend gives most", spend, loyalty.Purchase{Currency: "EUR", Minor: 1500, Items: 1}, 3},
		{"items give most", spend, loyalty.Purchase{Currency: "EUR", Minor: 500, Items: 2}, 4},
		{"no more than the limit", spend, loyalty.Purchase{Currency: "EUR", Minor: 1 << 40, Items: 1 << 30}, 4},
		{"a refund earns nothing", spend, loyalty.Purchase{Currency: "EUR", Minor: -900, Items: -2}, 0},
	} {
		if got := c.p.Earned(c.b); got != c.want {
			t.Errorf("%s: %d stamps, want %d", c.name, got, c.want)
		}
	}
	if !p.Keeps(loyalty.Purchase{Currency: "EUR", Minor: 300}) || p.Keeps(loyalty.Purchase{Currency: "EUR", Minor: 299}) {
		t.Error("a partial refund keeps the stamps if and only if the minimum remains")
	}
	if nine.Keeps(loyalty.Purchase{Currency: "EUR"}) {
		t.Error("a full refund keeps the stamps")
	}
}

// A new version changes what the next reward costs. What was redeemed cost what it did, and what was given stays.
func TestVersionsRewriteNothing(t *testing.T) {
	ten := nine
	ten.Version, ten.StampsPerReward = 2, 10
	redeemed, _ := loyalty.Fold("", entries(and(stamps(4, 4, 4), loyalty.Redeem{Stamps: 9})...)).Account(ref("anna"))
	full, _ := loyalty.Fold("", entries(stamps(4, 4, 4)...)).Account(ref("anna"))
	for _, c := range []struct {
		name string
		got  loyalty.Card
		want loyalty.Card
	}{
		{"redeemed for nine", loyalty.View(ten, redeemed), loyalty.Card{Stamps: 12, Progress: 3, Of: 10, Earned: 1, Redeemed: 1}},
		{"not redeemed yet", loyalty.View(ten, full), loyalty.Card{Stamps: 12, Progress: 2, Of: 10, Earned: 1, Available: 1}},
	} {
		if c.got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, c.got, c.want)
		}
	}
	nineStamps, _ := loyalty.Fold("", entries(stamps(4, 4, 1)...)).Account(ref("anna"))
	if n := loyalty.Protect(nine, ten, nineStamps); n != 1 {
		t.Errorf("%d stamps protect a full card from the tenth, want 1", n)
	}
	if n := loyalty.Protect(ten, nine, nineStamps); n != 0 {
		t.Errorf("%d stamps for a version that is cheaper, want 0", n)
	}
}

func TestSeveralRewards(t *testing.T) {
	a, _ := loyalty.Fold("", entries(and(stamps(3, 3, 3, 3), loyalty.Redeem{Reward: "cookie", Stamps: 5})...)).Account(ref("anna"))
	if c := loyalty.View(tiers, a); c.Progress != 7 || c.Of != 9 || c.Available != 1 || c.Redeemed != 1 {
		t.Errorf("got %+v, want 7 of 9 and a cookie", c)
	}
	if n := loyalty.AvailableOf(tiers.Rewards[1], a); n != 0 {
		t.Errorf("%d coffees for 7 stamps", n)
	}
	if d := loyalty.Decide(tiers, a, loyalty.Redemption{Reward: "coffee"}, loyalty.Now{}); d.Refusal != loyalty.RefusedNothingAvailable {
		t.Errorf("coffee: %+v", d)
	}
	if d := loyalty.Decide(tiers, a, loyalty.Redemption{Reward: "cake"}, loyalty.Now{}); d.Refusal != loyalty.RefusedUnknownReward {
		t.Errorf("cake: %+v", d)
	}
}

func TestNoCarryOverShowsAtLeast(t *testing.T) {
	p := nine
	p.NoCarryOver = true
	for s, want := range map[int32]int32{8: 8, 9: 0, 12: 0, 14: 2} { // up to 3 stamps of a purchase of 4 are lost
		if c := loyalty.CardOf(p, s); c.Progress != want || !c.AtLeast {
			t.Errorf("%d stamps: %+v, want at least %d", s, c, want)
		}
	}
}
