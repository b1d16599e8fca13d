package ledger

import (
	"time"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/entry"
	"github.com/stampd/stampd/uplink/wire"
)

// nowOf returns the time as the rules of loyalty want it.
func nowOf(clock *wire.Clock, zone *time.Location) loyalty.Now {
	return loyalty.Now{Wall: entry.Moment(clock), Uptime: entry.Uptime(clock), Zone: zone}
}

// dayOf returns the shop's day as a number that rises by one each day, and false when nobody knows what day it is.
func dayOf(m loyalty.Moment, zone *time.Location) (int32, bool) {
	if !m.Known {
		return 0, false
	}
	y, month, d := time.UnixMilli(m.UnixMs).In(zone).Date()
	return int32(time.Date(y, month, d, 0, 0, 0, 0, time.UTC).Unix() / 86_400), true
}
