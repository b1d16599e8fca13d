package buffer_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/uplink/wire"
)

// promise is what the queue has promised its callers, in the simplest form: what they were told, in memory. It is safe
// for concurrent use.
type promise struct {
	mu       sync.Mutex
	sales    map[string]*sold         // by key
	content  map[place]string         // what a number was given to, once that is known; "" while it is not
	told     map[buffer.LaneID]uint64 // through where the backend may have acknowledged
	rejected map[place]bool           // true when the queue has said that it is in quarantine
	dropped  uint64                   // blocks that all openings say they have dropped
	blocks   map[buffer.LaneID]uint64 // how many blocks an opening has taken; those of clean stops only must be there
	stopped  map[buffer.LaneID]bool   // openings that were closed without an error
	current  buffer.LaneID            // the telemetry lane of the opening that is under way
	before   uint64                   // dropped, when it began
	damaged  bool                     // the file was damaged before
	failed   bool                     // the disk has failed: an opening may have dropped more than it knows
	wrong    []string                 // broken promises
	lost     int
	doubled  int
}

// sold is one key and what is known of its sale.
type sold struct {
	bodies map[string]attempt // what may have been stored under the key; one of them at most was
	stored bool               // the queue has said yes to the one body that is left
	at     *place             // where, once the queue has said it
}

// attempt is one body, and how many of the calls with it may have stored it.
type attempt struct {
	sale
	unknown int
}

func newPromise() *promise {
	return &promise{
		sales: map[string]*sold{}, content: map[place]string{}, told: map[buffer.LaneID]uint64{}, rejected: map[place]bool{},
		blocks: map[buffer.LaneID]uint64{}, stopped: map[buffer.LaneID]bool{},
	}
}

// clone returns a copy that goes its own way.
func (p *promise) clone() *promise {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &promise{
		sales: map[string]*sold{}, content: maps.Clone(p.content), told: maps.Clone(p.told), rejected: maps.Clone(p.rejected),
		dropped: p.dropped, before: p.before, blocks: maps.Clone(p.blocks), stopped: maps.Clone(p.stopped), current: p.current, damaged: p.damaged, failed: p.failed,
		wrong: slices.Clone(p.wrong), lost: p.lost, doubled: p.doubled,
	}
	for k, s := range p.sales {
		c.sales[k] = &sold{bodies: maps.Clone(s.bodies), stored: s.stored, at: s.at}
	}
	return c
}

func (p *promise) complain(format string, args ...any) {
	p.wrong = append(p.wrong, fmt.Sprintf(format, args...))
}

func (p *promise) lose(format string, args ...any) {
	p.lost++
	p.complain(format, args...)
}

func (p *promise) double(format string, args ...any) {
	p.doubled++
	p.complain(format, args...)
}

// begun notes what a command may do before anything is known of its outcome.
func (p *promise) begun(c command) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range c.Sales {
		if p.sales[s.Key] == nil {
			p.sales[s.Key] = &sold{bodies: map[string]attempt{}}
		}
		if k := p.sales[s.Key]; !k.stored {
			k.bodies[s.Body] = attempt{s, k.bodies[s.Body].unknown + 1}
		}
	}
	if c.Do == ack && !c.False {
		for _, seq := range c.Rejects {
			if at := (place{c.Lane, seq}); !p.rejected[at] {
				p.rejected[at] = false // it may be in quarantine
			}
		}
		p.told[c.Lane] = max(p.told[c.Lane], c.Through)
	}
}

// noted takes an outcome of a command. Its error, if it has one, must be of one of the causes.
func (p *promise) noted(c command, o outcome, causes []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case c.False && o.Cause == "" && newestLedger(o.Lanes).LaneID != c.Lane:
		p.told[c.Lane] = c.Through // the file was opened anew meanwhile: of an earlier epoch the backend is believed
	case c.False && o.Cause == "":
		p.complain("a false ack is believed")
	case c.False && o.Cause == "false ack":
	case o.Cause != "" && !within(o.Cause, causes) && o.Cause != "conflict":
		p.complain("%s has the cause %s, want one of %q: %s", c.Do, o.Cause, causes, o.Text)
	}
	if !o.Done {
		p.soldOne(c.Sales[o.Sold], o)
		return
	}
	p.failed = p.failed || o.Cause != "" || o.Fault != ""
	if o.Fault != "" && !slices.Contains(causes, o.Fault) && o.Fault != "closed" {
		p.complain("after %s the fault is %s, want one of %q", c.Do, o.Fault, causes)
	}
	if o.Aside > 0 && !p.damaged {
		p.complain("after %s the file was set aside as damaged", c.Do)
		p.damaged = true // and once is enough
	}
	if o.Current != p.current {
		p.current, p.before = o.Current, p.dropped
	}
	p.dropped = p.before + o.Dropped
	switch c.Do {
	case openQueue:
		if o.Cause != "" {
			p.complain("queue does not open: %s", o.Text)
		}
	case measure:
		for _, seq := range o.Seqs {
			p.blocks[o.Current]++
			p.name(place{o.Current, seq}, "a block")
		}
		if o.Cause != "" {
			p.complain("telemetry is refused: %s", o.Text)
		}
	case ack:
		if o.Cause != "" {
			break
		}
		for _, seq := range c.Rejects { // they are there, and told of for the first time
			p.rejected[place{c.Lane, seq}] = true
		}
	case closeDown:
		p.stopped[o.Current] = o.Cause == ""
	case read:
		p.records(c.Lane, o.Records)
	}
	p.lanes(o.Lanes)
}

// within reports whether all causes of an error are among those that it may have. Only closing has more than one.
func within(cause string, causes []string) bool {
	for part := range strings.SplitSeq(cause, "+") {
		if !slices.Contains(causes, part) {
			return false
		}
	}
	return true
}

// soldOne takes what became of one sale.
func (p *promise) soldOne(s sale, o outcome) {
	k := p.sales[s.Key]
	switch o.Cause {
	case "":
		if _, possible := k.bodies[s.Body]; !possible {
			p.double("%s was stored with one body, and is answered with another", s.Key)
			return
		}
		if k.at != nil && *k.at != o.Answer.At && !o.Answer.Again {
			p.double("%s was stored, and is stored again at %v", s.Key, o.Answer.At)
		}
		if k.at != nil && *k.at != o.Answer.At && o.Answer.Again {
			p.complain("%s was answered with %v, and then with %v", s.Key, *k.at, o.Answer.At)
		}
		k.stored, k.at = true, &o.Answer.At
		k.bodies = map[string]attempt{s.Body: {s, 1}}
		p.name(o.Answer.At, s.Key+"/"+s.Body)
	case "conflict":
		if k.stored && k.bodies[s.Body].unknown > 0 {
			p.complain("%s is refused as used for another body, and was stored with this one", s.Key)
			return
		}
		k.not(s)
		if len(k.bodies) == 0 {
			p.complain("%s is refused as used for another body, and was never used", s.Key)
		}
	case "full", "read-only":
		if !k.stored {
			k.not(s) // nothing was stored
		}
	}
}

// not notes that one call of a sale has stored nothing.
func (k *sold) not(s sale) {
	a := k.bodies[s.Body]
	if a.unknown--; a.unknown > 0 {
		k.bodies[s.Body] = a
		return
	}
	delete(k.bodies, s.Body)
}

// name notes what a number was given to.
func (p *promise) name(at place, to string) {
	if before := p.content[at]; before != "" && before != to {
		p.double("%v was given to %s, and then to %s", at, before, to)
		return
	}
	p.content[at] = to
}

// lanes checks what the queue says of its lanes.
func (p *promise) lanes(states []buffer.LaneState) {
	for _, l := range states {
		if l.Acked > p.told[l.LaneID] {
			p.lose("%v is acknowledged through %d, the backend has %d", l.LaneID, l.Acked, p.told[l.LaneID])
		}
		if l.Oldest > l.Next || l.Next == 0 || l.Lane == buffer.Ledger && l.Oldest > l.Acked+1 {
			p.lose("%v holds no more than %d to %d, the backend has %d", l.LaneID, l.Oldest, l.Next, l.Acked)
		}
	}
}

// records checks the order and the content of what was read of a lane.
func (p *promise) records(id buffer.LaneID, records []buffer.Record) {
	for i, r := range records {
		if i > 0 && r.Seq <= records[i-1].Seq || i > 0 && id.Lane == buffer.Ledger && r.Seq != records[i-1].Seq+1 {
			p.lose("%v: %d follows %d", id, r.Seq, records[i-1].Seq)
		}
		name, err := nameOf(r)
		if err != nil {
			p.lose("%v: %d is unreadable: %v", id, r.Seq, err)
			continue
		}
		p.name(place{id, r.Seq}, name)
	}
}

// nameOf returns what a record says it is: a sale, or a block.
func nameOf(r buffer.Record) (string, error) {
	var m wire.Lifecycle
	if r.Payload == nil {
		return "", errors.New("it has no payload")
	}
	if err := proto.Unmarshal(r.Payload, &m); err != nil {
		return "", err
	}
	parts := strings.Split(m.GetDetail(), "/")
	if len(parts) != 3 {
		return "", fmt.Errorf("it is %q", m.GetDetail())
	}
	if parts[0] == "block" {
		return "a block", nil
	}
	return parts[0] + "/" + parts[1], nil
}
