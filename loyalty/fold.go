package loyalty

import (
	"bytes"
	"slices"
)

// mark is what the fold knows of an entry.
type mark uint8

const (
	markOut      mark = 1 << 0 // counts for nothing
	markVoided   mark = 1 << 1
	markUsed     mark = 1 << 2 // a hold that a redemption names
	markReleased mark = 1 << 3
	markReversed mark = 1 << 4
	markForgiven mark = 1 << 5 // a redemption that an adjustment made up for
	markWaits    mark = 1 << 6 // names an entry that is not there
)

// none is the index of no entry and no account.
const none int32 = -1

// fold is one run over a set of entries. Entries and accounts are known by their index.
type fold struct {
	programme string
	entries   []Entry
	sources   map[source]uint32
	lastSeen  source // the source of the entry before, which is often the same
	lastPlace uint32
	byID      map[place]int32
	byKey     map[keyName]int32 // made when an entry is named by its key
	marks     []mark
	owner     []int32 // the account of each entry, before merging; none for what is no account's
	flags     map[EntryID]Flags

	groups   groups
	accounts []Account // by the account that stands for its group
	rows     []keptRow // what was folded before
	closed   []Sums    // the sums of rows, by account

	// The entries that are not only added up, by what they do.
	voids, holds, releases, redeems, reverses, forgives []int32
	enrols, links, consents, bonds                      []int32
	rejected                                            int
	overdrafts                                          []Overdraft
}

// place is an id in fewer bytes: the place of its source, and its number there.
type place struct {
	source uint32
	seq    uint64
}

// place returns the place of an id, and gives its source one when it has none.
func (f *fold) place(id *EntryID) place {
	if s := (source{id.Terminal, id.Epoch}); f.lastPlace == 0 || s != f.lastSeen {
		n, ok := f.sources[s]
		if !ok {
			n = uint32(len(f.sources) + 1)
			f.sources[s] = n
		}
		f.lastSeen, f.lastPlace = s, n
	}
	return place{f.lastPlace, id.Seq}
}

// keyName is how a caller's key names an entry. A key is the caller's for one terminal and one kind of call.
type keyName struct {
	terminal, key string
	kind          Kind
}

func newFold(programme string, entries []Entry) *fold {
	return &fold{
		programme: programme,
		entries:   entries,
		sources:   map[source]uint32{},
		byID:      make(map[place]int32, len(entries)),
		marks:     make([]mark, len(entries)),
		owner:     make([]int32, len(entries)),
		flags:     map[EntryID]Flags{},
		groups:    newGroups(),
	}
}

func (f *fold) run() {
	for i := range f.entries {
		f.add(int32(i))
	}
	for i := range f.entries {
		if f.marks[i]&markOut == 0 {
			f.sort(int32(i))
		}
	}
	for _, list := range [][]int32{f.voids, f.releases, f.redeems, f.reverses, f.forgives, f.enrols, f.links, f.consents, f.bonds} {
		slices.SortFunc(list, f.compare)
	}
	f.found()
	f.bind()
	f.accounts = make([]Account, f.groups.len())
	f.relate()
	f.sum()
	f.describe()
	f.overdraw()
}

func (f *fold) compare(a, b int32) int { return f.entries[a].Compare(&f.entries[b]) }

func (f *fold) flag(i int32, flags Flags) { f.flags[f.entries[i].ID] |= flags }

// add takes entry i into the set, unless it is of another programme, makes no sense, or is there already.
func (f *fold) add(i int32) {
	e := &f.entries[i]
	f.owner[i] = none
	if e.Body != nil && f.programme != "" && e.Programme != f.programme && e.Body.Kind().ofCard() {
		f.marks[i] = markOut
		return
	}
	if e.problem() != "" {
		f.marks[i] = markOut
		f.flag(i, FlagInvalid)
		return
	}
	at := f.place(&e.ID)
	j, again := f.byID[at]
	if !again {
		f.byID[at] = i
		return
	}
	out := i
	if c := compareTwins(e, &f.entries[j]); c != 0 {
		f.flag(i, FlagConflict)
		if c < 0 {
			f.byID[at], out = i, j
		}
	}
	f.marks[out] = markOut
}

// compareTwins orders two entries of one id, such that the same one is first whatever order they come in: one whose
// time is known, then the earlier, then by what a row keeps of them.
func compareTwins(a, b *Entry) int {
	if c := a.At.Compare(b.At); c != 0 {
		return c
	}
	return bytes.Compare(a.contents(), b.contents())
}

// contents returns what a row keeps of an entry but its time, as bytes to compare.
func (e *Entry) contents() []byte {
	t := tables{refs: []Ref{e.Account}}
	body := t.appendBody([]byte{byte(e.Body.Kind())}, e.Body)
	return append(t.append(append(appendText(nil, e.Key), e.Account[:]...), nil), body...)
}

// sort puts entry i to those of its kind, and finds its account.
func (f *fold) sort(i int32) {
	e := &f.entries[i]
	switch b := e.Body.(type) {
	case Stamp, Expire:
	case StampVoid:
		f.voids = append(f.voids, i)
	case Hold:
		f.holds = append(f.holds, i)
	case Release:
		f.releases = append(f.releases, i)
	case Redeem:
		f.redeems = append(f.redeems, i)
	case Reverse:
		f.reverses = append(f.reverses, i)
	case Adjust:
		if !b.Forgives.IsZero() {
			f.forgives = append(f.forgives, i)
		}
	case Enrol:
		f.enrols = append(f.enrols, i)
	case Consent:
		f.consents = append(f.consents, i)
	case Erase:
		f.bonds = append(f.bonds, i)
	case Merge:
		f.groups.index(b.Other)
		f.bonds = append(f.bonds, i)
	case Link, Unlink:
		f.links = append(f.links, i)
		return
	case Rejected:
		f.rejected++
		return
	default:
		return
	}
	f.owner[i] = f.groups.index(e.Account)
}
