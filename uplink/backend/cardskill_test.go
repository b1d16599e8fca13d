package backend

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stampd/stampd/loyalty"
)

// The backend process is killed at random times while two terminals give stamps and get each other's: afterwards both have
// what the fold over everything says, and never had to begin anew.
func TestKillWhileCardsAreFolded(t *testing.T) {
	o := newOptions(t)
	o.EchoAfter = time.Millisecond
	putCoffee(t, o, 1)
	c := spawn(t, o)
	o.Listen = c.addr // the terminals' address stays
	one, two := newTill(t, "t1"), newTill(t, "t2")
	one.connect(o, c.addr)
	two.connect(o, c.addr)
	var people []loyalty.Ref
	for i := range 20 {
		people = append(people, refOf(fmt.Sprint("member-", i)))
	}
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	var known []loyalty.EntryID
	for range 8 {
		for until := time.Now().Add(time.Duration(20+r.IntN(150)) * time.Millisecond); time.Now().Before(until); {
			one.random(r, people, &known)
			two.random(r, people, &known)
		}
		if err := c.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.cmd.Wait()
		c = spawn(t, o)
	}
	one.sent()
	two.sent()
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.cmd.Wait()
	b, _ := start(t, o)
	agree(t, b, people, one, two)
	one.see(func() {
		if one.restarts > 1 {
			t.Errorf("the terminal began anew %d times, want once, at first", one.restarts)
		}
	})
	if len(known) < 50 {
		t.Errorf("only %d entries were made", len(known))
	}
}
