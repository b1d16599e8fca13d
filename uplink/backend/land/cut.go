package land

import (
	"context"
	"errors"
	"slices"

	"github.com/stampd/stampd/uplink/backend/eventlog"
)

// maxDates is the most days that a range may cover. Two meet at midnight; a log that was not landed for a year has
// more, and a lander has a file open for each.
const maxDates = 2

const dayMillis = 24 * 60 * 60 * 1000

// errFull ends a read of the log.
var errFull = errors.New("range is full")

// cut is a range of the log that is to be landed, as it grows.
type cut struct {
	to    uint64 // the range's last offset, or the one before its first
	rows  int
	dates []int64 // days since 1970-01-01 on which its entries were received
	limit int     // rows that make it full
	full  bool
}

// extend takes in what follows, up to the given offset, until the range is full.
func (c *cut) extend(ctx context.Context, log *eventlog.Log, to uint64) error {
	err := log.Read(ctx, c.to+1, to, func(offset uint64, e *eventlog.Entry) error {
		date := e.ReceivedUnixMs / dayMillis
		if !slices.Contains(c.dates, date) {
			if len(c.dates) == maxDates {
				c.full = true
				return errFull
			}
			c.dates = append(c.dates, date)
		}
		c.to = offset
		c.rows += int(e.Rows)
		if c.rows >= c.limit {
			c.full = true
			return errFull
		}
		return nil
	})
	if errors.Is(err, errFull) {
		return nil
	}
	return err
}
