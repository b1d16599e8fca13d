package loyalty

// Stamp gives stamps.
type Stamp struct {
	Stamps     int32  // >= 1
	OrderRef   string // the shop's order; empty means unknown
	PaymentKey string // the key of the payment that earned it, on the same terminal; empty means unknown
	Operator   string // who gave it; empty means unknown
	Unverified bool   // velocity could not be judged: see [Judge]
	Manual     bool   // given by hand, for no sale
}

// StampVoid takes the stamps of one Stamp back, all of them and once.
type StampVoid struct{ Target Target }

// Adjust gives stamps, or takes them when Stamps is negative. When Forgives is set it makes up for a redemption that the
// card did not cover: it then counts only while that redemption does, and one such entry counts for a redemption.
type Adjust struct {
	Stamps   int32 // not 0
	Forgives Target
}

// Expire takes stamps that were not used in time. The backend alone decides on it.
type Expire struct{ Stamps int32 } // >= 1

// Rejected says that stamps were asked for and not given. It changes no card.
type Rejected struct {
	Reason      Reason
	RetryAfterS uint32 // seconds; 0 means that waiting does not help
}

// Kind returns KindStamp.
func (Stamp) Kind() Kind { return KindStamp }

// Kind returns KindStampVoid.
func (StampVoid) Kind() Kind { return KindStampVoid }

// Kind returns KindAdjust.
func (Adjust) Kind() Kind { return KindAdjust }

// Kind returns KindExpire.
func (Expire) Kind() Kind { return KindExpire }

// Kind returns KindRejected.
func (Rejected) Kind() Kind { return KindRejected }

func (b Stamp) problem() string     { return positive(b.Stamps) }
func (b StampVoid) problem() string { return named(b.Target) }
func (b Expire) problem() string    { return positive(b.Stamps) }
func (Rejected) problem() string    { return "" }

func (b Adjust) problem() string {
	if b.Stamps == 0 {
		return "adjustment of nothing"
	}
	return ""
}

func positive(stamps int32) string {
	if stamps < 1 {
		return "entry has less than one stamp"
	}
	return ""
}

func named(t Target) string {
	if t.IsZero() {
		return "entry names no other entry"
	}
	return ""
}
