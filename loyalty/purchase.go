package loyalty

// Earn says how many stamps a purchase earns. Of several rules the one that gives most decides. Without any, a purchase
// earns one stamp.
type Earn struct {
	PerVisit      int32            // for a purchase, whatever it is; 0: no such rule
	PerItem       int32            // for each item that counts; 0: no such rule
	SpendPerStamp map[string]int64 // one for each full amount, before tax and tip: minor units by ISO 4217 code
}

// Purchase is what stamps are asked for.
type Purchase struct {
	Currency string // ISO 4217; empty: not known
	Minor    int64  // before tax and tip, without what was paid for by rewards; minor units
	Items    int32  // items that count; 0: not known
}

// Earned returns how many stamps a purchase earns: 0 when it is below the minimum spend or its currency has none, else
// at most MaxStampsPerPurchase.
func (p *Programme) Earned(b Purchase) int32 {
	if !p.spentEnough(b) {
		return 0
	}
	visit := p.Earn.PerVisit
	if visit == 0 && p.Earn.PerItem == 0 && len(p.Earn.SpendPerStamp) == 0 {
		visit = 1
	}
	n := max(int64(visit), int64(p.Earn.PerItem)*int64(b.Items))
	if per := p.Earn.SpendPerStamp[b.Currency]; per > 0 {
		n = max(n, b.Minor/per)
	}
	return int32(min(max(n, 0), int64(p.MaxStampsPerPurchase)))
}

// Keeps reports whether a purchase of which a part was refunded keeps its stamps: whether what remains is still enough.
// A full refund keeps nothing.
func (p *Programme) Keeps(remaining Purchase) bool {
	return remaining.Minor > 0 && p.spentEnough(remaining)
}

func (p *Programme) spentEnough(b Purchase) bool {
	if len(p.MinimumSpend) == 0 {
		return true
	}
	least, ok := p.MinimumSpend[b.Currency]
	return ok && b.Minor >= least
}
