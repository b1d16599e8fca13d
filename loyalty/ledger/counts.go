package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/wire"
)

// opCounts is the row of the terminal's last awards, where the programme limits how many there may be. The value reaches the
// disk.
const opCounts operation = 'w'

// counted is one award: when it was, and by whom.
type counted struct {
	at       loyalty.Moment
	uptime   loyalty.Uptime
	operator [4]byte // the first bytes of a hash; zero: nobody
	manual   bool
}

// countedSize is flags(1) ‖ wall clock in ms(8) ‖ boot(8) ‖ ms since it(8) ‖ operator(4).
const countedSize = 1 + 8 + 8 + 8 + 4

// Bits of a row's flags.
const (
	countedAt     = 1 << 0
	countedUptime = 1 << 1
	countedManual = 1 << 2
)

// mostCounted is how many awards are looked back at.
const mostCounted = 1024

// limited reports whether the programme limits how many awards a terminal makes.
func (r rules) limited() bool {
	return r.MaxPerTerminalHour > 0 || r.MaxPerOperatorHour > 0 || r.MaxManualPerDay > 0
}

// counts returns how many awards there were. One whose time no clock tells is not counted: that costs no member a stamp.
func (b *book) counts(req *wire.AwardStampsRequest, now loyalty.Now) loyalty.Counts {
	c := loyalty.Counts{Manual: req.GetManual()}
	if !b.limited() {
		return c
	}
	operator := operatorOf(req.GetOperatorRef())
	for _, g := range b.given() {
		ago, ok := g.ago(now)
		if ok && ago < time.Hour {
			c.TerminalHour++
			if operator != [4]byte{} && g.operator == operator {
				c.OperatorHour++
			}
		}
		day, known := dayOf(g.at, b.zone)
		today, knownToday := dayOf(now.Wall, b.zone)
		if g.manual && known && knownToday && day == today {
			c.ManualDay++
		}
	}
	return c
}

// count notes an award.
func (b *book) count(req *wire.AwardStampsRequest) {
	if !b.limited() {
		return
	}
	now := nowOf(b.clock, b.zone)
	kept := []counted{{now.Wall, now.Uptime, operatorOf(req.GetOperatorRef()), req.GetManual()}}
	for _, g := range b.given() {
		ago, ok := g.ago(now)
		if len(kept) < mostCounted && (!ok || ago < time.Hour || g.manual && ago < 25*time.Hour) {
			kept = append(kept, g)
		}
	}
	row := make([]byte, 0, len(kept)*countedSize)
	for _, g := range kept {
		row = g.append(row)
	}
	b.tx.Put(buffer.Keys, []byte{byte(opCounts)}, row)
}

// given returns the awards that are noted, the newest first.
func (b *book) given() []counted {
	row := b.rows.Get(buffer.Keys, []byte{byte(opCounts)})
	list := make([]counted, 0, len(row)/countedSize)
	for ; len(row) >= countedSize; row = row[countedSize:] {
		flags := row[0]
		g := counted{manual: flags&countedManual != 0, operator: [4]byte(row[25:])}
		if flags&countedAt != 0 {
			g.at = loyalty.At(int64(binary.BigEndian.Uint64(row[1:])))
		}
		if flags&countedUptime != 0 {
			g.uptime = loyalty.Uptime{Boot: loyalty.BootID(row[9:17]), Ms: int64(binary.BigEndian.Uint64(row[17:])), Known: true}
		}
		list = append(list, g)
	}
	return list
}

func (g counted) append(row []byte) []byte {
	var flags byte
	if g.at.Known {
		flags |= countedAt
	}
	if g.uptime.Known {
		flags |= countedUptime
	}
	if g.manual {
		flags |= countedManual
	}
	row = binary.BigEndian.AppendUint64(append(row, flags), uint64(g.at.UnixMs))
	row = append(row, g.uptime.Boot[:]...)
	row = binary.BigEndian.AppendUint64(row, uint64(g.uptime.Ms))
	return append(row, g.operator[:]...)
}

// ago returns how long ago an award was, and false when no clock tells.
func (g counted) ago(now loyalty.Now) (time.Duration, bool) {
	if g.uptime.Known && now.Uptime.Known && g.uptime.Boot == now.Uptime.Boot {
		return milliseconds(now.Uptime.Ms - g.uptime.Ms), true
	}
	if !g.at.Known || !now.Wall.Known {
		return 0, false
	}
	return milliseconds(now.Wall.UnixMs - g.at.UnixMs), true
}

func operatorOf(ref string) (op [4]byte) {
	if ref != "" {
		h := sha256.Sum256([]byte("stampd/operator/v1\x00" + ref))
		copy(op[:], h[:])
	}
	return op
}
