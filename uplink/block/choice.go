package block

// choice models the numbers of the entries of a dictionary that a column has: after each entry it expects the one that
// followed it before.
type choice struct {
	entries int
	last    int
	follows []follower // by entry
	hit     [4]odds    // by trust
	fresh   odds
	which   *number
}

// follower is the entry that is expected after another one.
type follower struct {
	entry int
	trust int // 0 to 3, how often it was right of late
}

// choices is what the dictionaries of a block have in common.
type choices struct {
	hit   [4]odds
	fresh odds
}

func newChoices() choices {
	return choices{
		hit:   [4]odds{likely(500, 2), likely(750, 2), likely(900, 2), likely(960, 2)},
		fresh: likely(500, 2),
	}
}

// code codes the number of an entry; the one after the last is new.
func (all *choices) code(c *coder, n *numbers, h *choice, entry int) int {
	if h.entries == 0 {
		h.add()
		return 0
	}
	expected := &h.follows[h.last]
	if n.mixer.code(c, asBit(entry == expected.entry), &h.hit[expected.trust], &all.hit[expected.trust]) == 1 {
		expected.trust = min(expected.trust+1, 3)
		h.last = expected.entry
		return h.last
	}
	if n.mixer.code(c, asBit(entry == h.entries), &h.fresh, &all.fresh) == 1 {
		entry = h.entries
	} else {
		if h.which == nil {
			h.which = new(number)
		}
		away := n.code(c, h.which, int64(entry-h.last))
		entry = int(max(0, min(int64(h.last)+away, int64(h.entries-1))))
	}
	if expected.trust == 0 {
		expected.entry = entry
	}
	expected.trust /= 2
	if entry == h.entries {
		h.add()
	}
	h.last = entry
	return entry
}

// add makes an entry, which is expected to follow itself.
func (h *choice) add() {
	h.follows = append(h.follows, follower{entry: h.entries})
	h.entries++
}
