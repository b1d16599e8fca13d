package collect

import (
	"cmp"
	"context"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/wire"
)

const (
	// modemWait is how long a round waits for the modem: it answers a dozen questions, each within some tens of
	// milliseconds. What takes longer is recorded when it is there.
	modemWait = momentary
	// newsPause is the least between readings that the modem asks for by itself: at the edge of a cell it may do so all day.
	newsPause = 2 * time.Second
)

// modemReader reads the modems in a goroutine of its own, since a bad modem takes seconds.
type modemReader struct {
	ask  chan struct{}      // takes one: the modems are due
	seen chan []*wire.Modem // what was read
}

func newModemReader() modemReader {
	return modemReader{ask: make(chan struct{}, 1), seen: make(chan []*wire.Modem)}
}

// readModems reads the modems when they are due and when they have news, until ctx ends.
func (c *Collector) readModems(ctx context.Context) {
	news := c.opts.Board.ModemNews()
	hold := time.NewTimer(0)
	defer hold.Stop()
	held := true // no news for now
	for {
		open := news
		if held {
			open = nil
		}
		asked := false
		select {
		case <-ctx.Done():
			return
		case <-hold.C:
			held = false
			continue
		case <-c.modem.ask:
			asked = true
		case <-open:
		}
		var readings []*wire.Modem
		c.survive(func() { readings = c.opts.Board.Modems(ctx) })
		if ctx.Err() != nil {
			return
		}
		if !asked {
			held = true
			hold.Reset(newsPause)
		}
		select {
		case c.modem.seen <- readings:
		case <-ctx.Done():
			return
		}
	}
}

// readModem has the modems read, and returns what they say when that does not take long.
func (c *Collector) readModem(ctx context.Context) []*wire.Event {
	select {
	case c.modem.ask <- struct{}{}:
	default: // they are still being read
	}
	c.modemDue = true
	wait := time.NewTimer(modemWait)
	defer wait.Stop()
	select {
	case readings := <-c.modem.seen:
		seen := c.modemSeen(readings)
		c.modemUrgent = c.modemUrgent || seen.urgent
		return seen.events
	case <-wait.C:
	case <-ctx.Done():
	}
	return nil
}

// modemSeen returns what is to be told of modems that were read: all of them when they are due, else those whose
// registration or SIM changed.
func (c *Collector) modemSeen(readings []*wire.Modem) (seen sight) {
	now := time.Now()
	due := c.modemDue
	c.modemDue = false
	c.pace.found = judgeModems(c.pace.found, readings)
	for _, r := range readings {
		news := c.modems.news(r)
		atOnce := news && c.urgent.take(now)
		if due || atOnce {
			c.modems.spare(r, now)
			seen.events = append(seen.events, &wire.Event{Body: &wire.Event_Modem{Modem: r}})
		}
		if due || atOnce || !news {
			c.modems.remember(r)
		}
		seen.urgent = seen.urgent || atOnce
	}
	return seen
}

// link is what of a modem is to be told at once when it changes. Both may be unknown.
type link struct {
	registration *uint32
	sim          wire.SimState

	steady   *wire.Modem // what seldom changes, when it was told last
	nonsense string      // the names of what was not believed then
	told     time.Time   // when that was
}

// modemWatch is what was told last of each modem, by its name. It belongs to the goroutine that reads.
type modemWatch map[string]link

// news returns whether a reading differs from what was told of its modem. What becomes unknown is no news, and neither is
// what becomes known for the first time.
func (w modemWatch) news(r *wire.Modem) bool {
	told := w[r.Name]
	const unknown = wire.SimState_SIM_STATE_UNSPECIFIED
	return told.registration != nil && r.Registration != nil && *told.registration != *r.Registration ||
		told.sim != unknown && r.Sim != unknown && told.sim != r.Sim
}

// remember keeps what of a reading is known.
func (w modemWatch) remember(r *wire.Modem) {
	told := w[r.Name]
	told.registration = cmp.Or(r.Registration, told.registration)
	told.sim = cmp.Or(r.Sim, told.sim)
	w.keep(r.Name, told)
}

func (w modemWatch) keep(name string, l link) {
	if _, known := w[name]; !known && len(w) >= maxTold {
		clear(w)
	}
	w[name] = l
}

// namesOf returns the names in a list of nonsense: the values vary while what is wrong stays the same.
func namesOf(nonsense string) string {
	var names []string
	for one := range strings.SplitSeq(nonsense, "; ") {
		name, _, _ := strings.Cut(one, "=")
		names = append(names, name)
	}
	return strings.Join(names, "; ")
}

// steadyEvery is how often what seldom changes is told while it does not.
const steadyEvery = time.Hour

// spare leaves out of a reading what seldom changes and was told within the hour: who the modem and its SIM are, how they
// are set and where, and the same nonsense with the answers that it was in. Answers without nonsense in them are never
// sent, since the values say the same.
func (w modemWatch) spare(r *wire.Modem, now time.Time) {
	told := w[r.Name]
	steady := steadyOf(r)
	nonsense := namesOf(r.Nonsense)
	again := told.steady == nil || now.Sub(told.told) >= steadyEvery
	if again || !proto.Equal(steady, told.steady) || nonsense != "" && nonsense != told.nonsense {
		told.steady, told.nonsense, told.told = steady, nonsense, now
		w.keep(r.Name, told)
	} else {
		r.Iccid, r.Imei, r.Model, r.Firmware = "", "", "", ""
		r.RadioOn, r.OperatorCode, r.RegistrationWith = nil, "", ""
		r.PhysicalCellId, r.Channel, r.Band = nil, nil, nil
		r.NetworkUnixS, r.NetworkZoneMinutes = nil, nil
		r.Nonsense = ""
	}
	if r.Nonsense == "" {
		r.Raw = ""
	}
}

// steadyOf returns what of a reading seldom changes, but for the time.
func steadyOf(r *wire.Modem) *wire.Modem {
	return &wire.Modem{
		Iccid: r.Iccid, Imei: r.Imei, Model: r.Model, Firmware: r.Firmware,
		RadioOn: r.RadioOn, OperatorCode: r.OperatorCode, RegistrationWith: r.RegistrationWith,
		PhysicalCellId: r.PhysicalCellId, Channel: r.Channel, Band: r.Band,
		NetworkZoneMinutes: r.NetworkZoneMinutes,
	}
}
