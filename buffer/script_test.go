package buffer_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/pci"
)

// script is something that a terminal goes through, again and again, with something failing each time.
type script struct {
	name    string
	room    int64
	prepare func(t *testing.T, dir string, room int64, p *promise) // what is there before; may be nil
	run     func(s *session)                                       // leaves the queue open
}

// What queues have for room, in bytes.
const (
	little = 1 << 20 // a script can fill it
	some   = 4 << 20
	ample  = 16 << 20 // there is something to compact
)

func scripts() []script {
	return []script{
		{name: "first start", room: some, run: firstStart},
		{name: "everyday", room: some, prepare: oneSale, run: everyday},
		{name: "full", room: little, prepare: oneSale, run: fillUp},
		{name: "compaction", room: ample, prepare: mostlyFree, run: startAndSell},
		{name: "salvage", room: some, prepare: damaged, run: startAndSell},
		{name: "migration", room: some, prepare: ofFormatOne, run: startAndSell},
	}
}

// firstStart makes a queue where there is none, not even its directory.
func firstStart(s *session) {
	s.dir += "/new"
	s.open()
	s.sell(2)
}

// oneSale leaves a queue that was in use before.
func oneSale(t *testing.T, dir string, room int64, p *promise) {
	inProcess(t, dir, p, func(do func(command) outcome) {
		do(command{Do: openQueue, Dir: dir, Room: room})
		do(command{Do: sell, Sales: []sale{{Key: "old-a", Body: "a", Card: "card-1"}}})
		do(command{Do: closeDown})
	})
}

// everyday is a shop's day, with a restart in it.
func everyday(s *session) {
	s.open()
	for i := range 20 {
		s.sell(1 + i%4)
		switch i {
		case 4:
			s.acknowledge(s.ledger(), 2)
		case 7:
			s.measure(5)
			s.pass(2 * time.Minute)
		case 9:
			l := s.ledger()
			s.acknowledge(l, 1, l.Acked+1)
		case 12:
			s.read()
			s.again()
		case 15:
			s.do(command{Do: measure, N: 30, Pad: 10_000}) // more than memory holds
		}
	}
	s.falseAck(7)
	s.do(command{Do: ack, Lane: s.last.Current, Through: 30})
	s.measure(3)
	s.close()
	s.open()
	s.read()
	s.again()
	s.acknowledge(s.ledger(), 0)
	for range 3 {
		s.sell(2)
	}
	s.measure(2)
}

// again asks for sales that were asked for before: with the same body, and with another.
func (s *session) again() {
	same := sale{Key: "pay-3", Body: "a", Card: "card-0"}
	other := sale{Key: "pay-4", Body: "b", Card: "card-0"}
	s.do(command{Do: sell, Sales: []sale{same, other, same}})
}

// fillUp fills the queue with telemetry and then with sales, and has the backend take them.
func fillUp(s *session) {
	s.open()
	s.do(command{Do: measure, N: 14, Pad: 30_000})
	for range 8 {
		s.do(command{Do: sell, Sales: s.fresh(1, 125_000)})
	}
	s.acknowledge(s.ledger(), 1)
	for range 2 {
		s.sell(2)
	}
	s.close()
	s.open()
	s.sell(1)
}

// startAndSell opens a queue that there was before.
func startAndSell(s *session) {
	s.open()
	for range 3 {
		s.sell(2)
	}
	s.read()
}

// ofFormatOne leaves a queue of an earlier version.
func ofFormatOne(t *testing.T, dir string, room int64, p *promise) {
	inProcess(t, dir, p, func(do func(command) outcome) {
		do(command{Do: openQueue, Dir: dir, Room: room})
		for i := range 12 {
			do(command{Do: sell, Sales: []sale{{Key: "old-" + string(rune('a'+i)), Body: "a", Card: "card-1", Pad: 600}}})
		}
		do(command{Do: closeDown})
	})
	formatOne(t, filepath.Join(dir, "queue.db"))
}

// inProcess runs a script's part in the test's own process.
func inProcess(t *testing.T, dir string, p *promise, run func(do func(command) outcome)) {
	t.Helper()
	d := &driver{guard: pci.NewGuard(nil), log: zerolog.Nop()}
	run(func(c command) (last outcome) {
		p.begun(c)
		d.do(c, func(o outcome) { p.noted(c, o, nil); last = o })
		return last
	})
	if err := p.verdict(); err != nil {
		t.Fatal(err)
	}
}

// mostlyFree leaves a queue of which the backend has nearly all.
func mostlyFree(t *testing.T, dir string, room int64, p *promise) {
	inProcess(t, dir, p, func(do func(command) outcome) {
		do(command{Do: openQueue, Dir: dir, Room: room})
		var l buffer.LaneState
		for i := range 9 {
			o := do(command{Do: sell, Sales: []sale{{Key: "old-" + string(rune('a'+i)), Body: "a", Card: "card-1", Pad: 500_000}}})
			l = o.Lanes[0]
		}
		do(command{Do: measure, N: 5, Pad: 1000})
		do(command{Do: ack, Lane: l.LaneID, Through: l.Next - 2})
		do(command{Do: closeDown})
	})
}

// damaged leaves a queue with a damaged page, which can be salvaged without a loss.
func damaged(t *testing.T, dir string, room int64, p *promise) {
	inProcess(t, dir, p, func(do func(command) outcome) {
		do(command{Do: openQueue, Dir: dir, Room: room})
		for i := range 12 {
			do(command{Do: sell, Sales: []sale{{Key: "old-" + string(rune('a'+i)), Body: "a", Card: "card-1", Pad: 600}}})
		}
		do(command{Do: measure, N: 20, Pad: 1000})
		do(command{Do: closeDown})
	})
	p.damaged = true
	clear(p.stopped) // a block may be on the page
	path := filepath.Join(dir, "queue.db")
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 2 * os.Getpagesize(); at < len(sound); at += os.Getpagesize() {
		trial := memoryDir(t)
		copyDir(t, trial, dir)
		spoilt := append([]byte(nil), sound...)
		clear(spoilt[at:][:os.Getpagesize()])
		if err := os.WriteFile(filepath.Join(trial, "queue.db"), spoilt, 0o600); err != nil {
			t.Fatal(err)
		}
		q, err := buffer.Open(settings(trial, room, zerolog.Nop()))
		if err != nil {
			continue
		}
		n := len(q.SetAside())
		_ = q.Close()
		c := p.clone()
		c.audit(trial, room)
		if n == 1 && c.verdict() == nil {
			if err := os.WriteFile(path, spoilt, 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("there is no page that can be lost without a loss")
}

func copyDir(tb testing.TB, to, from string) {
	tb.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		tb.Fatal(err)
	}
}
