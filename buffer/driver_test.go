package buffer_test

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// verb is what a driver is told to do.
type verb string

const (
	begin     verb = "begin" // a new bubble of time
	end       verb = "end"
	openQueue verb = "open"
	sell      verb = "sell"     // Sales, all at once
	measure   verb = "measure"  // N blocks of telemetry
	pass      verb = "pass"     // For
	ack       verb = "ack"      // Lane, Through, Rejects
	read      verb = "read"     // Lane
	look      verb = "look"     // nothing but what every answer holds
	closeDown verb = "close"    // the queue
	activate  verb = "activate" // Failpoint, Action
)

// command is one thing to do to a queue.
type command struct {
	Do        verb
	Dir       string
	Room      int64 // max_size, in bytes
	Sales     []sale
	N         int // blocks
	Pad       int // bytes by which a block is larger
	For       time.Duration
	Lane      buffer.LaneID
	Through   uint64
	Rejects   []uint64
	False     bool // an ack of what was never made
	Failpoint string
	Action    string
}

// sale is a payment: a record, its key, and a stamp on a card.
type sale struct {
	Key, Body string
	Card      string
	Pad       int  // bytes by which the record is larger
	Keep      bool // the key's row may go when room is needed
}

// place is where a record is.
type place struct {
	Lane buffer.LaneID
	Seq  uint64
}

// answer is what became of a sale.
type answer struct {
	At    place
	Again bool // the key was known; At is the first answer's
}

// outcome is what a command came to. Sold outcomes of a command come first, one for each sale as soon as it is known; the
// last one is Done.
type outcome struct {
	Done        bool
	Sold        int // the index of the sale
	Answer      answer
	Cause       string // which of the package's causes; empty is none
	Text        string
	Lanes       []buffer.LaneState
	Current     buffer.LaneID // the telemetry lane of this opening
	Seqs        []uint64
	Records     []buffer.Record
	Dropped     uint64
	Quarantined uint64
	Aside       int
	Fault       string
	Hits        int // how often the failpoint was come by
}

// errConflict is what a sale gets whose key was used for another body.
var errConflict = errors.New("key was used for another sale")

// causes are the errors that a caller of the queue may get, by name.
var causes = map[string]error{
	"closed": buffer.ErrClosed, "full": buffer.ErrFull, "read-only": buffer.ErrReadOnly, "permission": buffer.ErrPermission, "io": buffer.ErrIO,
	"locked": buffer.ErrLocked, "foreign": buffer.ErrForeign, "false ack": buffer.ErrFalseAck, "conflict": errConflict,
}

// causeOf names the causes of an error, which for most is one.
func causeOf(err error) string {
	if err == nil {
		return ""
	}
	found := []string{}
	for name, cause := range causes {
		if errors.Is(err, cause) {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		return "none of the queue's"
	}
	slices.Sort(found)
	return strings.Join(found, "+")
}

// driver does commands to a queue.
type driver struct {
	queue   *buffer.Queue
	current buffer.LaneID
	guard   *pci.Guard
	blocks  int
	log     zerolog.Logger
}

// settings returns the options of a queue that has room for so many bytes.
func settings(dir string, room int64, log zerolog.Logger) buffer.Options {
	keys, err := pci.NewSealer([32]byte{1})
	if err != nil {
		panic(err)
	}
	return buffer.Options{
		Path: dir + "/queue.db", Terminal: "t-1", Keys: keys, MaxSize: room, LedgerReserve: room / 2,
		TelemetryMemory: int(room / 16), SpillAfter: time.Minute, Log: log,
	}
}

// do does c and tells what it came to, sale by sale.
func (d *driver) do(c command, tell func(outcome)) {
	o := outcome{Done: true}
	var err error
	switch c.Do {
	case openQueue:
		if d.queue, err = buffer.Open(settings(c.Dir, c.Room, d.log)); err == nil {
			lanes := d.queue.Lanes()
			d.current = lanes[len(lanes)-1].LaneID
		}
	case sell:
		d.sellAll(c.Sales, tell)
	case measure:
		o.Seqs, err = d.measure(c.N, c.Pad)
	case pass:
		time.Sleep(c.For)
	case ack:
		rejects := make([]buffer.Reject, len(c.Rejects))
		for i, seq := range c.Rejects {
			rejects[i] = buffer.Reject{Seq: seq, Reason: 1}
		}
		err = d.queue.Ack(noContext, c.Lane, c.Through, rejects)
	case read:
		o.Records, err = readLane(d.queue, c.Lane)
	case closeDown:
		err = d.queue.Close()
	case activate:
		o.Hits, err = activateFailpoint(c.Failpoint, c.Action)
	case look, begin, end:
	}
	o.Cause = causeOf(err)
	if err != nil {
		o.Text = err.Error()
	}
	if d.queue != nil {
		stats := d.queue.Stats()
		o.Lanes, o.Current, o.Dropped, o.Quarantined = stats.Lanes, d.current, stats.Dropped, stats.Quarantined
		o.Fault = causeOf(stats.Fault)
		o.Aside = len(d.queue.SetAside())
	}
	tell(o)
}

// sellAll does sales at the same time.
func (d *driver) sellAll(sales []sale, tell func(outcome)) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i, s := range sales {
		wg.Go(func() {
			a, err := sellOne(d.queue, d.guard, s)
			o := outcome{Sold: i, Answer: a, Cause: causeOf(err)}
			if err != nil {
				o.Text = err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			tell(o)
		})
	}
	wg.Wait()
}

// measure appends blocks of telemetry, each larger by pad bytes.
func (d *driver) measure(n, pad int) (seqs []uint64, err error) {
	for range n {
		d.blocks++
		c, err := d.guard.Check(&wire.Lifecycle{Detail: blockName(d.blocks) + strings.Repeat(".", pad)})
		if err != nil {
			return seqs, err
		}
		seq, err := d.queue.AppendTelemetry(c)
		if err != nil {
			return seqs, err
		}
		seqs = append(seqs, seq)
	}
	return seqs, nil
}

// blockName names the nth block that a process makes.
func blockName(n int) string { return fmt.Sprintf("block/%d/", n) }

// row is what a key's row holds: SHA-256 of the body ‖ epoch ‖ seq.
func row(body string, p place) []byte {
	sum := sha256.Sum256([]byte(body))
	return binary.BigEndian.AppendUint64(append(sum[:], p.Lane.Epoch[:]...), p.Seq)
}

// parseRow returns where the record is that a key's row answers with.
func parseRow(v []byte) place {
	return place{buffer.LaneID{Lane: buffer.Ledger, Epoch: buffer.Epoch(v[32:48])}, binary.BigEndian.Uint64(v[48:])}
}

// sellOne stores a sale as the loyalty ledger does: the record, the key, the entry and the card in one transaction.
func sellOne(q *buffer.Queue, guard *pci.Guard, s sale) (a answer, err error) {
	c, err := guard.Check(&wire.Lifecycle{Detail: s.Key + "/" + s.Body + "/" + strings.Repeat(".", s.Pad)})
	if err != nil {
		return a, err
	}
	err = q.Update(noContext, func(tx *buffer.Tx) error {
		key := []byte(s.Key)
		if v := tx.Get(buffer.Keys, key); v != nil {
			a = answer{At: parseRow(v), Again: true}
			if string(v) != string(row(s.Body, a.At)) {
				return errConflict
			}
			return nil
		}
		a = answer{At: place{buffer.LaneID{Lane: buffer.Ledger, Epoch: tx.Epoch()}, tx.Append(c)}}
		put := tx.Put
		if s.Keep {
			put = tx.Keep
		}
		put(buffer.Keys, key, row(s.Body, a.At))
		entry := append([]byte(s.Card+"\x00"), row("", a.At)[32:]...)
		tx.Put(buffer.Entries, entry, []byte{0, 0, 0, 1})
		var stamps uint32
		if v := tx.Get(buffer.Cards, []byte(s.Card)); v != nil {
			stamps = binary.BigEndian.Uint32(v)
		}
		tx.Put(buffer.Cards, []byte(s.Card), binary.BigEndian.AppendUint32(nil, stamps+1))
		return nil
	})
	return a, err
}

// readLane reads all that a lane holds.
func readLane(q *buffer.Queue, id buffer.LaneID) ([]buffer.Record, error) {
	var all []buffer.Record
	for from := uint64(1); ; from = all[len(all)-1].Seq + 1 {
		records, err := q.Read(id, from, 100, 1<<20)
		if err != nil || len(records) == 0 {
			return all, err
		}
		all = append(all, records...)
	}
}
