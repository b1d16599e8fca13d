package cards

import (
	"maps"
	"slices"
	"time"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/backend/programme"
	"github.com/stampd/stampd/uplink/wire"
)

// What stays open in a row on a terminal: what somebody may want to take back there, and what tells how long ago the last
// awards were.
const (
	openStamps      = 5
	mostOpenStamps  = 50 // where a programme allows so many awards a day
	openRedemptions = 1
)

// closing makes rows for a terminal.
type closing struct {
	*accounts
	rules    programme.Set
	terminal string
	now      time.Time
}

// rows returns the rows of all accounts that are one member's, of all programmes, and about how many bytes they take.
func (c *closing) rows(ref loyalty.Ref) (rows []*wire.CardRow, size int, err error) {
	keep := loyalty.Keep{Terminal: c.terminal, Stamps: openStamps, Redemptions: openRedemptions}
	member, err := loyalty.Close(ref, c.load(""), keep)
	if err != nil {
		return nil, 0, err
	}
	refs := slices.SortedFunc(maps.Keys(member), loyalty.Ref.Compare)
	var names []string
	for _, r := range refs {
		if !member[r].Erased {
			names = append(names, c.get(r).programmes()...)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 {
		rows = appendRows(rows, "", refs, member)
	}
	for _, name := range names {
		p, known := c.rules.Programme(name)
		keep.Stamps = openStamps
		if p.MaxPerDay != nil {
			keep.Stamps = max(openStamps, int(min(*p.MaxPerDay, mostOpenStamps)))
		}
		closed, err := loyalty.Close(ref, c.load(name), keep)
		if err != nil {
			return nil, 0, err
		}
		if known && p.ExpireAfter > 0 {
			if err := c.expire(p, ref, closed); err != nil {
				return nil, 0, err
			}
		}
		rows = appendRows(rows, name, refs, closed)
	}
	for _, r := range rows {
		size += len(r.ProgrammeId) + len(r.Ref) + len(r.Row) + 8
		if len(r.Row) > mostRow {
			size = mostBytes + 1
		}
	}
	return rows, size, c.err
}

// expire says when stamps will expire next, in the row that has them.
func (c *closing) expire(p loyalty.Programme, ref loyalty.Ref, closed map[loyalty.Ref]loyalty.Row) error {
	lots, err := loyalty.Lots(ref, c.load(p.ID))
	if err != nil {
		return err
	}
	_, next := loyalty.Due(p, lots, loyalty.At(c.now.UnixMilli()))
	for r, row := range closed {
		if row.To == (loyalty.Ref{}) {
			row.Expiry = next
			closed[r] = row
		}
	}
	return nil
}

// appendRows appends rows as they are sent. AsOf and Through are in the message, once for all.
func appendRows(to []*wire.CardRow, programme string, refs []loyalty.Ref, rows map[loyalty.Ref]loyalty.Row) []*wire.CardRow {
	for _, ref := range refs {
		row := rows[ref]
		row.AsOf, row.Through = 0, nil
		to = append(to, &wire.CardRow{ProgrammeId: programme, Ref: slices.Clone(ref[:]), Row: row.Append(nil, ref)})
	}
	return to
}
