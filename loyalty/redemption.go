package loyalty

// Hold sets stamps aside for a reward that is about to be given.
type Hold struct {
	Reward string // the reward's id; empty for a programme with one reward
	Stamps int32  // what it costs under the entry's version; >= 1
}

// Release gives up a Hold. It has no effect once the reward was redeemed.
type Release struct{ Target Target }

// Redeem says that a reward was given. Only a Reverse undoes it.
type Redeem struct {
	Reward string // the reward's id; empty for a programme with one reward
	Stamps int32  // what it costs under the entry's version; >= 1
	Hold   Target // the hold that it uses up, if any
	Right  Right  // by what right it was given
	Lease  LeaseID
}

// Reverse undoes a Redeem: its stamps are back, each as old as it was.
type Reverse struct{ Target Target }

// Kind returns KindHold.
func (Hold) Kind() Kind { return KindHold }

// Kind returns KindRelease.
func (Release) Kind() Kind { return KindRelease }

// Kind returns KindRedeem.
func (Redeem) Kind() Kind { return KindRedeem }

// Kind returns KindReverse.
func (Reverse) Kind() Kind { return KindReverse }

func (b Hold) problem() string    { return positive(b.Stamps) }
func (b Release) problem() string { return named(b.Target) }
func (b Redeem) problem() string  { return positive(b.Stamps) }
func (b Reverse) problem() string { return named(b.Target) }
