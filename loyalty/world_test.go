package loyalty_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/stampd/stampd/loyalty"
)

// world is a backend and three terminals of one shop, some of them cut off, on which things happen at random.
type world struct {
	*rand.Rand
	log       []loyalty.Entry             // what the backend has, in the order in which it came
	rows      map[loyalty.Ref]loyalty.Row // the backend's rows, in which nothing is closed
	terminals []*terminal
	wall      int64
	erases    bool
	noKeys    bool // entries are named by their ids alone
}

// terminal is what one has: its own entries, how far they were sent, and its rows, encoded.
type terminal struct {
	name  string
	epoch byte
	own   []loyalty.Entry
	sent  int
	rows  map[loyalty.Ref][]byte
}

var people = []string{"anna", "berta", "carl", "dora"}

func newWorld(seed uint64, erases bool) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 7)), rows: map[loyalty.Ref]loyalty.Row{}, wall: 1_800_000_000_000, erases: erases}
	for i := range 3 {
		w.terminals = append(w.terminals, &terminal{name: fmt.Sprintf("t-%d", i+1), rows: map[loyalty.Ref][]byte{}})
	}
	return w
}

func (w *world) person() loyalty.Ref { return ref(people[w.IntN(len(people))]) }

// pick names an entry that some terminal made, or one that none has made yet.
func (w *world) pick() loyalty.Target {
	t := w.terminals[w.IntN(len(w.terminals))]
	if len(t.own) == 0 || w.IntN(8) == 0 {
		return of(t.name, len(t.own)+1+w.IntN(3))
	}
	e := t.own[w.IntN(len(t.own))]
	if e.Key != "" && !w.noKeys && w.IntN(4) == 0 {
		return loyalty.Target{ID: loyalty.EntryID{Terminal: t.name}, Key: e.Key}
	}
	return loyalty.Target{ID: e.ID}
}

func (w *world) body() loyalty.Body {
	switch w.IntN(22) {
	case 0, 1:
		return loyalty.StampVoid{Target: w.pick()}
	case 2:
		return loyalty.Hold{Stamps: 9, Reward: "coffee"}
	case 3:
		return loyalty.Release{Target: w.pick()}
	case 4:
		return loyalty.Redeem{Stamps: 9, Right: loyalty.ByFloor}
	case 5:
		return loyalty.Redeem{Stamps: 9, Hold: w.pick()}
	case 6:
		return loyalty.Reverse{Target: w.pick()}
	case 7:
		return loyalty.Adjust{Stamps: w.Int32N(9) - 12}
	case 8:
		return loyalty.Adjust{Stamps: 3, Forgives: w.pick()}
	case 9:
		return loyalty.Expire{Stamps: 1}
	case 10:
		return loyalty.Enrol{}
	case 11:
		return loyalty.Consent{Purpose: loyalty.Purpose(1 + w.IntN(2)), Granted: w.IntN(2) == 0}
	case 12:
		return loyalty.Link{Card: ref("visa"), Confirmed: w.IntN(2) == 0}
	case 13:
		return loyalty.Unlink{Card: ref("visa")}
	case 14:
		if other := w.person(); w.IntN(3) == 0 {
			return loyalty.Merge{Other: other}
		}
	case 15:
		if w.erases && w.IntN(4) == 0 {
			return loyalty.Erase{}
		}
		return loyalty.Rejected{Reason: loyalty.ReasonTooSoon}
	}
	return loyalty.Stamp{Stamps: 1 + w.Int32N(4), OrderRef: "7"}
}

// make has a terminal make an entry, with the clock that it has.
func (w *world) make(t *terminal) loyalty.Entry {
	w.wall += w.Int64N(3) * 1000
	e := loyalty.Entry{ID: id(t.name, len(t.own)+1), Account: w.person(), Programme: "coffee", Version: 1, Body: w.body()}
	e.ID.Epoch[0] = 1 + t.epoch
	if w.IntN(5) > 0 {
		e.At = loyalty.At(w.wall)
	}
	if w.IntN(2) == 0 {
		e.Key = fmt.Sprintf("key-%d", len(t.own))
	}
	e.Uptime = loyalty.Uptime{Boot: loyalty.BootID{t.name[2]}, Ms: w.wall % 1_000_000, Known: true}
	if e.Check() != nil {
		e.Body = loyalty.Stamp{Stamps: 1}
	}
	t.own = append(t.own, e)
	return e
}

// apply applies an entry to the rows that it belongs to.
func (t *terminal) apply(e loyalty.Entry) {
	for _, r := range e.Rows() {
		row, err := t.load(r)
		if err != nil {
			panic(err)
		}
		row.Apply(e)
		t.rows[r] = row.Append(nil, r)
	}
}

func (t *terminal) load(r loyalty.Ref) (loyalty.Row, error) {
	if b, ok := t.rows[r]; ok {
		return loyalty.DecodeRow(b, r)
	}
	return loyalty.Row{}, nil
}

func (w *world) load(r loyalty.Ref) (loyalty.Row, error) { return w.rows[r], nil }

// send has the backend take up to n of a terminal's entries.
func (w *world) send(t *terminal, n int) {
	for _, e := range t.own[t.sent:min(t.sent+n, len(t.own))] {
		w.log = append(w.log, e)
		t.sent++
		for _, r := range e.Rows() {
			row := w.rows[r]
			row.Apply(e)
			w.rows[r] = row
		}
	}
}

// receive sends a terminal the rows of all groups, or of some; now and then twice.
func (w *world) receive(t *terminal, open int, all bool) {
	for _, r := range slices.SortedFunc(maps.Keys(w.rows), loyalty.Ref.Compare) {
		if !all && w.IntN(2) == 0 {
			continue
		}
		rows, err := loyalty.Close(r, w.load, loyalty.Keep{
			Terminal: t.name, AsOf: uint64(len(w.log)), Through: w.marks(t), Stamps: open, Redemptions: open,
		})
		if err != nil {
			panic(err)
		}
		for ref, fresh := range rows {
			for range 1 + w.IntN(2) {
				old, err := t.load(ref)
				if err != nil {
					panic(err)
				}
				row := loyalty.Renew(old, fresh, t.name)
				t.rows[ref] = row.Append(nil, ref)
			}
		}
	}
}

// marks returns how far a terminal's entries are in the log, by epoch.
func (w *world) marks(t *terminal) (marks []loyalty.Mark) {
	for _, e := range t.own[:t.sent] {
		if n := len(marks); n > 0 && marks[n-1].Epoch == e.ID.Epoch {
			marks[n-1].Seq = e.ID.Seq
		} else {
			marks = append(marks, loyalty.Mark{Terminal: t.name, Epoch: e.ID.Epoch, Seq: e.ID.Seq})
		}
	}
	return marks
}

// live has n things happen.
func (w *world) live(n, open int) {
	for range n {
		t := w.terminals[w.IntN(3)]
		switch w.IntN(10) {
		case 0:
			w.send(t, 1+w.IntN(5))
		case 1:
			w.receive(t, open, false)
		case 2:
			if w.IntN(10) == 0 {
				t.epoch++ // the queue file was set aside
			}
		default:
			t.apply(w.make(t))
		}
	}
}

// all returns every entry that was made.
func (w *world) all() []loyalty.Entry {
	var all []loyalty.Entry
	for _, t := range w.terminals {
		all = append(all, t.own...)
	}
	return all
}

func account(t *testing.T, r loyalty.Ref, load func(loyalty.Ref) (loyalty.Row, error)) loyalty.Account {
	t.Helper()
	reading, err := loyalty.Gather(r, load)
	if err != nil {
		t.Fatal(err)
	}
	return reading.Account
}

// wanted returns what Fold says of an account as rows say it.
func wanted(s *loyalty.State, r loyalty.Ref) loyalty.Account {
	if _, erased := s.Erased[loyalty.TombstoneOf(r)]; erased {
		return loyalty.Account{Erased: true}
	}
	if a, ok := s.Account(r); ok {
		return a
	}
	return loyalty.Account{Ref: r}
}

// The state is a function of the set: entries may come in any order, and more than once.
func TestFoldKnowsNoOrderAndNoDuplicates(t *testing.T) {
	for seed := range uint64(500) {
		w := newWorld(seed, true)
		w.live(10+w.IntN(60), 0)
		set := w.all()
		want := loyalty.Fold("coffee", set)
		for range len(set) {
			set = append(set, set[w.IntN(len(set))])
		}
		w.Shuffle(len(set), func(i, j int) { set[i], set[j] = set[j], set[i] })
		if got := loyalty.Fold("coffee", set); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: got %+v, want %+v", seed, got, want)
		}
	}
}

// Two entries with one id are settled the same way whichever comes first.
func TestFoldSettlesTwins(t *testing.T) {
	for seed := range uint64(300) {
		w := newWorld(seed, true)
		w.live(40, 0)
		set := w.all()
		for i := range set {
			if twin := set[w.IntN(len(set))]; w.IntN(4) == 0 {
				twin.ID = set[i].ID
				set = append(set, twin)
			}
		}
		want := loyalty.Fold("", set)
		w.Shuffle(len(set), func(i, j int) { set[i], set[j] = set[j], set[i] })
		if got := loyalty.Fold("", set); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: got %+v, want %+v", seed, got, want)
		}
	}
}

// Rows to which entries are applied one by one come to what Fold does, in any order and with duplicates.
func TestRowsAreTheFold(t *testing.T) {
	for seed := range uint64(400) {
		w := newWorld(seed, true)
		w.live(10+w.IntN(60), 0)
		set := w.all()
		want := loyalty.Fold("coffee", set)
		set = append(set, set...)
		w.Shuffle(len(set), func(i, j int) { set[i], set[j] = set[j], set[i] })
		one := &terminal{name: "t-9", rows: map[loyalty.Ref][]byte{}}
		for _, e := range set {
			one.apply(e)
		}
		for _, name := range people {
			if got := account(t, ref(name), one.load); !reflect.DeepEqual(got, wanted(want, ref(name))) {
				t.Fatalf("seed %d: %s: got %+v, want %+v", seed, name, got, wanted(want, ref(name)))
			}
		}
	}
}

// Terminals that send, receive and are cut off in turn know at any time what the backend would know of the same entries,
// when nothing that they need was closed. Keys do not come down with rows: who names an entry by its key waits.
func TestTerminalIsTheBackendWhileNothingIsClosed(t *testing.T) {
	for seed := range uint64(400) {
		w := newWorld(seed, false)
		w.noKeys = true
		w.live(40, 1000)
		one := w.terminals[w.IntN(3)]
		w.receive(one, 1000, true)
		for range w.IntN(20) {
			one.apply(w.make(one)) // cut off
		}
		want := loyalty.Fold("coffee", append(slices.Clone(w.log), one.own...))
		for _, name := range people {
			if got := account(t, ref(name), one.load); !reflect.DeepEqual(got, wanted(want, ref(name))) {
				t.Fatalf("seed %d: %s: got %+v, want %+v", seed, name, got, wanted(want, ref(name)))
			}
		}
		row, err := one.load(ref("visa"))
		if err != nil {
			t.Fatal(err)
		}
		if got := row.CardLink(ref("visa")); !reflect.DeepEqual(got, want.Cards[ref("visa")]) {
			t.Fatalf("seed %d: link %+v, want %+v", seed, got, want.Cards[ref("visa")])
		}
	}
}

// However little stays open, a terminal that has sent all and received all knows what the backend does; and before that
// it differs only where it says that entries wait.
func TestTerminalsAgreeInTheEnd(t *testing.T) {
	same, total := 0, 0
	for seed := range uint64(400) {
		w := newWorld(seed, true)
		w.live(80, w.IntN(4))
		one := w.terminals[0]
		w.receive(one, 1, true)
		for range 4 {
			one.apply(w.make(one))
		}
		now := loyalty.Fold("coffee", append(slices.Clone(w.log), one.own...))
		for _, name := range people {
			got, want := account(t, ref(name), one.load), wanted(now, ref(name))
			total++
			if reflect.DeepEqual(got, want) {
				same++
			} else if got.Pending == 0 && len(now.Erased) == 0 {
				t.Fatalf("seed %d: %s differs and nothing waits: got %+v, want %+v", seed, name, got, want)
			}
		}
		for _, tm := range w.terminals {
			w.send(tm, len(tm.own))
		}
		want := loyalty.Fold("coffee", w.all())
		for _, tm := range w.terminals {
			w.receive(tm, 1, true)
			for _, name := range people {
				if got := account(t, ref(name), tm.load); !reflect.DeepEqual(got, wanted(want, ref(name))) {
					t.Fatalf("seed %d: %s: %s: got %+v, want %+v", seed, tm.name, name, got, wanted(want, ref(name)))
				}
			}
		}
	}
	if same*10 < total*7 {
		t.Errorf("%d of %d readings were exact: the histories are too odd to mean anything", same, total)
	}
}

// Overdrafts that are forgiven leave nobody in debt by a redemption, and a second look finds nothing more to forgive.
func TestForgivingSettles(t *testing.T) {
	for seed := range uint64(200) {
		w := newWorld(seed, false)
		w.live(60, 0)
		set := w.all()
		for n := 0; ; n++ {
			s := loyalty.Fold("coffee", set)
			before := len(set)
			for _, o := range s.Overdrafts {
				if e := set[slices.IndexFunc(set, func(e loyalty.Entry) bool { return e.ID == o.Entry })]; !o.Forgiven && e.Body.Kind() == loyalty.KindRedeem {
					set = append(set, loyalty.Entry{
						ID: id("", len(set)+1), Account: o.Account,
						Programme: "coffee", Body: loyalty.Adjust{Stamps: int32(o.Stamps), Forgives: loyalty.Target{ID: o.Entry}},
					})
				}
			}
			if len(set) == before {
				break
			}
			if n > 40 {
				t.Fatalf("seed %d: still forgiving after %d rounds", seed, n)
			}
		}
	}
}
