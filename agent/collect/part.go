package collect

import (
	"maps"
	"slices"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/uplink/wire"
)

// missingAfter is how many looks in a row must miss a part before it is missing: a bus may fail once.
const missingAfter = 3

// partWatch tells when a part of the hardware goes missing and comes back. It belongs to the goroutine that reads
// batteries.
type partWatch struct {
	absent map[string]int  // by part, looks in a row that missed it
	was    map[string]bool // parts that were there
}

// maxWas is how many parts are remembered that were there; package hal tells of fewer at a time.
const maxWas = 64

func newPartWatch() partWatch {
	return partWatch{absent: make(map[string]int), was: make(map[string]bool)}
}

// news returns what is to be told after a look at the hardware. A part that is no longer listed has been replaced by
// another, as "battery" is by the first battery that is found: it is not missing.
func (w *partWatch) news(found []hal.Part) []*wire.Lifecycle {
	var news []*wire.Lifecycle
	absent := make(map[string]int)
	for _, part := range found {
		if part.OK {
			if len(w.was) >= maxWas {
				clear(w.was) // names that a driver made up anew at each plugging in
			}
			w.was[part.Name] = true
			continue
		}
		absent[part.Name] = min(w.absent[part.Name]+1, missingAfter+1)
		if absent[part.Name] == missingAfter {
			news = append(news, &wire.Lifecycle{
				Kind: wire.LifecycleKind_LIFECYCLE_KIND_PART_MISSING, Part: part.Name, Detail: part.Detail,
			})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.absent)) {
		if _, still := absent[name]; !still && w.absent[name] >= missingAfter {
			news = append(news, &wire.Lifecycle{
				Kind: wire.LifecycleKind_LIFECYCLE_KIND_PART_RESTORED, Part: name,
			})
		}
	}
	w.absent = absent
	return news
}

// missing returns the parts that are missing now and were there once: what was never there is no news to anybody.
func (w *partWatch) missing() (names []string) {
	for name, looks := range w.absent {
		if looks >= missingAfter && w.was[name] {
			names = append(names, name)
		}
	}
	return names
}
