package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/entry"
	"github.com/stampd/stampd/uplink/wire"
)

// opRules is the row of the programmes that the backend sent. The value reaches the disk.
const opRules operation = 'g'

// rules is the version of the programme that is in force.
type rules struct {
	loyalty.Programme
	zone      *time.Location // the shop's
	olderKeys bool           // the queue has answers to calls of formats 1 and 2
}

// inForce returns the rules that are in force: the backend's, when it has sent some for the configured programme, else the
// configured ones.
func (l *Ledger) inForce() (rules, error) {
	if r := l.current.Load(); r != nil {
		return *r, nil
	}
	r := l.configured()
	err := l.Queue.View(func(tx *buffer.ReadTx) error {
		sent, _ := parseRules(tx)
		if p, ok := l.ours(sent); ok {
			r = withZone(p)
		}
		r.olderKeys = hasOlderKeys(tx)
		return nil
	})
	if err != nil {
		return rules{}, err
	}
	l.current.CompareAndSwap(nil, &r)
	return r, nil
}

// errFound ends a scan.
var errFound = errors.New("found")

// hasOlderKeys reports whether there are answers to calls of formats 1 and 2. None are added any more.
func hasOlderKeys(tx *buffer.ReadTx) bool {
	return tx.Scan(buffer.Keys, []byte{byte(opStamp)}, func(_, _ []byte) error { return errFound }) != nil
}

func (l *Ledger) configured() rules { return withZone(l.Programme) }

// withZone returns a programme's rules. Where there is no such zone on the terminal, days are those of UTC.
func withZone(p loyalty.Programme) rules {
	zone, err := time.LoadLocation(p.Zone)
	if err != nil {
		zone = time.UTC
	}
	return rules{Programme: p, zone: zone}
}

// ours returns the version of the configured programme that is among those sent.
func (l *Ledger) ours(m *wire.Programmes) (loyalty.Programme, bool) {
	for _, p := range m.GetProgrammes() {
		if p.GetId() != l.Programme.ID {
			continue
		}
		programme, err := entry.ProgrammeFromWire(p)
		return programme, err == nil
	}
	return loyalty.Programme{}, false
}

// errProgrammes says that the backend sent rules that make no sense.
var errProgrammes = errors.New("cannot take the backend's programmes")

// TakeProgrammes puts the backend's rules into force and keeps them. Rules that make no sense are refused, and those that were
// in force stay: the audit event says so, not what they were. The version of a programme only rises.
//
// Errors: the causes of package buffer.
func (l *Ledger) TakeProgrammes(ctx context.Context, m *wire.Programmes) error {
	for _, p := range m.GetProgrammes() {
		if _, err := entry.ProgrammeFromWire(p); err != nil {
			return l.refuseDownlink(ctx, "programmes", fmt.Errorf("%w: %s", errProgrammes, cmp.Or(p.GetId(), "one without an id")))
		}
	}
	before, err := l.inForce()
	if err != nil {
		return err
	}
	row, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return errProgrammes
	}
	err = l.Queue.Update(ctx, func(tx *buffer.Tx) error {
		if had, _ := parseRules(tx); older(m, had) {
			return errProgrammes
		}
		tx.Put(buffer.Keys, []byte{byte(opRules)}, row)
		return nil
	})
	if errors.Is(err, errProgrammes) {
		return l.refuseDownlink(ctx, "programmes", err)
	}
	if err != nil {
		return err
	}
	r := l.configured()
	if p, ok := l.ours(m); ok {
		r = withZone(p)
	}
	r.olderKeys = before.olderKeys
	l.current.Store(&r)
	return nil
}

// parseRules returns the programmes that the backend sent, none when there are none or they can't be read.
func parseRules(r rows) (*wire.Programmes, bool) {
	m := new(wire.Programmes)
	row := r.Get(buffer.Keys, []byte{byte(opRules)})
	if row == nil || proto.Unmarshal(row, m) != nil {
		return new(wire.Programmes), false
	}
	return m, true
}

// older reports whether a programme would go back to a version before.
func older(m, before *wire.Programmes) bool {
	versions := map[string]uint32{}
	for _, p := range before.GetProgrammes() {
		versions[p.GetId()] = p.GetVersion()
	}
	for _, p := range m.GetProgrammes() {
		if p.GetVersion() < versions[p.GetId()] {
			return true
		}
	}
	return false
}

// milliseconds returns n milliseconds, the longest duration where n has no room in one.
func milliseconds(n int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(max(n, -most), most)) * time.Millisecond
}
