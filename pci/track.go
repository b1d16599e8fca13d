package pci

// Tracks of a magnetic stripe (ISO/IEC 7813):
//
//	1:  % B PAN ^ NAME ^ YYMM SVC discretionary ?
//	2:  ; PAN = YYMM SVC discretionary ?
//
// A chip writes track 2 in nibbles, with D for = and F for padding (EMV tag 57). Readers may leave the sentinels out.
// With its start a track is refused whatever its number, since there are cards of private issuers.

// shortestTrackPAN is how few digits a number in a track may have (ISO/IEC 7812-1:2017).
const shortestTrackPAN = 10

// sentinel says which track begins with the character before its first digit: the start sentinel of track 2, or the
// format code of track 1.
func sentinel(before byte) finding {
	switch before {
	case ';':
		return track2
	case 'B', 'b':
		return track1
	}
	return nothing
}

// track says whether the whole chain is the number of a track that began with its sentinel, and a field of it follows.
func (c *chain) track() finding {
	switch {
	case c.opened == track2 && c.after == '=', c.opened == track1 && c.after == '^':
		return c.opened
	}
	return nothing
}

// beforeField says what a card number is with this character after it.
func beforeField(f finding, next byte) finding {
	switch {
	case f != pan:
		return f
	case next == '=' || next == 'D' || next == 'd':
		return track2
	case next == '^':
		return track1
	}
	return f
}
