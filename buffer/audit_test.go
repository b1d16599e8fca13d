package buffer_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

var noContext = context.Background()

// audit opens the queue in dir, on a disk that works, and checks that every promise was kept. It uses up p.
func (p *promise) audit(dir string, room int64) {
	d := &driver{guard: pci.NewGuard(nil), log: zerolog.Nop()}
	run := func(c command) (last outcome) {
		p.begun(c)
		d.do(c, func(o outcome) { p.noted(c, o, causesOf(room)); last = o })
		return last
	}
	o := run(command{Do: openQueue, Dir: dir, Room: room})
	if o.Cause != "" || o.Fault != "" {
		p.lose("after all the queue does not open: %s %s", o.Text, o.Fault)
		if d.queue != nil {
			_ = d.queue.Close()
		}
		return
	}
	held := map[place]bool{}
	for _, l := range o.Lanes {
		r := run(command{Do: read, Lane: l.LaneID})
		for _, record := range r.Records {
			held[place{l.LaneID, record.Seq}] = true
		}
		p.mu.Lock()
		p.chain(l.LaneID, r.Records)
		p.whole(l, r.Records)
		p.mu.Unlock()
	}
	p.mu.Lock()
	p.declared(o.Lanes)
	p.mu.Unlock()
	rows := map[string][]byte{}
	var entries, cards int
	err := d.queue.View(func(tx *buffer.ReadTx) error {
		clear(rows)
		entries, cards = 0, 0
		_ = tx.Scan(buffer.Keys, nil, func(k, v []byte) error { rows[string(k)] = bytes.Clone(v); return nil })
		_ = tx.Scan(buffer.Entries, nil, func(_, v []byte) error { entries += int(binary.BigEndian.Uint32(v)); return nil })
		return tx.Scan(buffer.Cards, nil, func(_, v []byte) error { cards += int(binary.BigEndian.Uint32(v)); return nil })
	})
	if err != nil {
		p.complain("the queue can't be read: %v", err)
	}
	p.mu.Lock()
	if entries != cards {
		p.complain("cards add up to %d stamps, their entries to %d", cards, entries)
	}
	if now := o.Quarantined; now < p.quarantined(true) || now > p.quarantined(false) {
		p.lose("%d records in quarantine, want %d to %d", now, p.quarantined(true), p.quarantined(false))
	}
	p.kept(rows, held)
	again := p.ask()
	p.mu.Unlock()

	run(command{Do: sell, Sales: again})
	if o = run(command{Do: look}); o.Fault != "" {
		p.complain("after all the queue is at fault: %s", o.Fault)
	}
	for _, l := range o.Lanes {
		run(command{Do: read, Lane: l.LaneID})
	}
	p.mu.Lock()
	p.once()
	p.mu.Unlock()
	run(command{Do: closeDown})
}

// causesOf returns the errors that a queue may give on a disk that works.
func causesOf(room int64) []string {
	if room == little {
		return []string{"full"}
	}
	return nil
}

// quarantined returns how many records must be in quarantine, or how many may be.
func (p *promise) quarantined(surely bool) (n uint64) {
	for _, sure := range p.rejected {
		if sure || !surely {
			n++
		}
	}
	return n
}

// chain checks the hash chain of a ledger lane, as far as all before is known.
func (p *promise) chain(id buffer.LaneID, records []buffer.Record) {
	if id.Lane != buffer.Ledger || len(records) == 0 {
		return
	}
	var head [32]byte
	extend := func(seq uint64, payload []byte) {
		head = sha256.Sum256(append(binary.BigEndian.AppendUint64(head[:], seq), payload...))
	}
	for seq := uint64(1); seq < records[0].Seq; seq++ {
		payload := p.payload(p.content[place{id, seq}])
		if payload == nil {
			return // what it was is not known, and it is gone
		}
		extend(seq, payload)
	}
	for _, r := range records {
		if extend(r.Seq, r.Payload); [buffer.ChainLength]byte(head[:]) != r.Chain {
			p.complain("%v: %d is not chained to the one before", id, r.Seq)
			return
		}
	}
}

// payload returns the payload of the sale with a name.
func (p *promise) payload(name string) []byte {
	for _, k := range p.sales {
		for _, s := range k.bodies {
			if s.Key+"/"+s.Body == name {
				b, err := proto.MarshalOptions{Deterministic: true}.Marshal(&wire.Lifecycle{Detail: name + "/" + string(bytes.Repeat([]byte("."), s.Pad))})
				if err != nil {
					return nil
				}
				return b
			}
		}
	}
	return nil
}

// whole checks that nothing is missing in a lane that the backend has not acknowledged.
func (p *promise) whole(l buffer.LaneState, records []buffer.Record) {
	if l.Lane == buffer.Ledger {
		for seq := p.told[l.LaneID] + 1; seq < l.Next; seq++ {
			if !slices.ContainsFunc(records, func(r buffer.Record) bool { return r.Seq == seq }) {
				p.lose("%v: %d is gone, the backend has %d", l.LaneID, seq, p.told[l.LaneID])
			}
		}
		return
	}
	if !p.stopped[l.LaneID] || p.failed {
		return // what was in memory may be gone, and what was dropped is not counted to the last
	}
	missing := int64(p.blocks[l.LaneID])
	for seq := uint64(1); seq < l.Next; seq++ {
		if seq <= p.told[l.LaneID] || slices.ContainsFunc(records, func(r buffer.Record) bool { return r.Seq == seq }) {
			missing--
		}
	}
	if missing > int64(p.dropped) {
		p.lose("%v: %d of %d blocks are gone, %d were dropped", l.LaneID, missing, p.blocks[l.LaneID], p.dropped)
	}
}

// declared checks that every lane is there that the backend does not have all of: it must learn of what was dropped.
func (p *promise) declared(states []buffer.LaneState) {
	for id, n := range p.blocks {
		there := slices.ContainsFunc(states, func(l buffer.LaneState) bool { return l.LaneID == id })
		if p.stopped[id] && n > p.told[id] && !there {
			p.lose("%v had %d blocks, and is gone; the backend has %d", id, n, p.told[id])
		}
	}
}

// kept checks that every sale that was answered with yes is there, with its key, and nothing that was never asked for.
func (p *promise) kept(rows map[string][]byte, held map[place]bool) {
	for key, k := range p.sales {
		v, there := rows[key]
		if k.at != nil && k.at.Seq > p.told[k.at.Lane] && !held[*k.at] {
			p.lose("%s was stored at %v, and is gone", key, *k.at)
		}
		for _, s := range k.bodies {
			if !k.stored || there || s.Keep && k.at != nil && k.at.Seq <= p.told[k.at.Lane] {
				continue
			}
			p.lose("the key of %s is gone", key)
		}
		if !there {
			continue
		}
		at := parseRow(v)
		if !slices.ContainsFunc(slices.Collect(maps.Values(k.bodies)), func(s attempt) bool { return bytes.Equal(v, row(s.Body, at)) }) {
			p.double("%s is stored with a body that was refused or never asked for", key)
		}
		if k.at != nil && at != *k.at {
			p.complain("%s was stored at %v, and its key says %v", key, *k.at, at)
		}
		if at.Seq > p.told[at.Lane] && !held[at] {
			p.lose("%s is not where its key says: %v", key, at)
		}
		delete(held, at)
	}
	for key := range rows {
		if p.sales[key] == nil {
			p.complain("%s is there, and was never asked for", key)
		}
	}
	for at := range held {
		if name := p.content[at]; at.Lane.Lane == buffer.Ledger && !p.mayBeKeyless(name) {
			p.complain("%s is there at %v, and its key is not", name, at)
		}
	}
}

// mayBeKeyless reports whether a sale's key may have been let go of.
func (p *promise) mayBeKeyless(name string) bool {
	for _, k := range p.sales {
		for _, s := range k.bodies {
			if s.Key+"/"+s.Body == name {
				return s.Keep
			}
		}
	}
	return false
}

// ask returns every sale whose key must be known, to be asked for again, and every one that may be.
func (p *promise) ask() []sale {
	var all []sale
	for _, key := range slices.Sorted(maps.Keys(p.sales)) {
		k := p.sales[key]
		for _, body := range slices.Sorted(maps.Keys(k.bodies)) {
			if s := k.bodies[body]; !s.Keep {
				all = append(all, s.sale)
				break
			}
		}
	}
	return all
}

// once checks that no sale has two numbers.
func (p *promise) once() {
	first := map[string]place{}
	for at, name := range p.content {
		if at.Lane.Lane != buffer.Ledger || name == "" {
			continue
		}
		if before, twice := first[name]; twice {
			p.double("%s is at %v and at %v", name, before, at)
		}
		first[name] = at
	}
}

// verdict returns what was found, or nil.
func (p *promise) verdict() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%d promises broken, the first: %s", len(p.wrong), p.wrong[0])
}
