package loyalty

import "slices"

// Lot is stamps of one age that were not used.
type Lot struct {
	At     Moment // when they were given; unknown: they never expire, since nobody can say when
	Stamps int64  // >= 1
}

// Lots returns the stamps of an account that are left, the oldest first. What was spent, taken or expired was of the
// oldest then left; a redemption that was reversed takes nothing, so that its stamps are as old as they were. Sums that
// were closed have no age: the backend, who decides on expiry, folds rows in which nothing is.
func Lots(ref Ref, load func(Ref) (Row, error)) ([]Lot, error) {
	f, err := gather(ref, load)
	if err != nil {
		return nil, err
	}
	root := f.groups.root(f.groups.byRef[ref])
	var given []int32
	var taken int64
	for i := range f.entries {
		i := int32(i)
		if f.owner[i] == none || f.of(i) != root || f.marks[i]&markOut != 0 {
			continue
		}
		var s Sums
		var held int32
		f.count(i, &s, &held)
		if s.Stamps > 0 {
			given = append(given, i)
			taken += s.Spent
		} else {
			taken += s.Spent - s.Stamps
		}
	}
	slices.SortFunc(given, f.compare)
	var lots []Lot
	for i, s := range f.closed {
		if f.groups.root(int32(i)) == root {
			taken += s.Spent - s.Stamps
		}
	}
	if taken < 0 {
		lots, taken = append(lots, Lot{Stamps: -taken}), 0
	}
	for _, i := range given {
		var s Sums
		var held int32
		f.count(i, &s, &held)
		used := min(taken, s.Stamps)
		taken -= used
		if s.Stamps > used {
			lots = append(lots, Lot{f.entries[i].At, s.Stamps - used})
		}
	}
	return lots, nil
}

// Due returns how many stamps have expired at a time of the backend's clock and need an [Expire], and which will be the
// next. A programme without expiry has neither.
func Due(p Programme, lots []Lot, now Moment) (stamps int64, next Expiry) {
	if p.ExpireAfter <= 0 || !now.Known {
		return 0, Expiry{}
	}
	for _, l := range lots {
		if !l.At.Known {
			continue
		}
		end := l.At.UnixMs + p.ExpireAfter.Milliseconds()
		switch {
		case end <= now.UnixMs:
			stamps += l.Stamps
		case !next.At.Known:
			next = Expiry{At(end), uint32(min(l.Stamps, 1<<32-1))}
		case next.At.UnixMs == end:
			next.Stamps += uint32(min(l.Stamps, 1<<32-1-int64(next.Stamps)))
		}
	}
	return stamps, next
}
