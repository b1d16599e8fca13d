package localapi

import (
	"sync"
	"time"
)

// alarmEvery is how often the same alarm is raised. Alarms are ledger records, which are never dropped: without a limit
// a broken POS app would fill the queue with them.
const alarmEvery = time.Minute

// maxAlarms is how many different alarms are told apart. Their names come from the schema, of which there are fewer.
const maxAlarms = 256

// alarms remembers which alarms were raised lately. It is safe for concurrent use.
type alarms struct {
	mu     sync.Mutex // guards raised
	raised map[string]time.Time
}

func newAlarms() *alarms { return &alarms{raised: map[string]time.Time{}} }

// due reports whether the alarm is to be raised now, and notes that it was.
func (a *alarms) due(name string) bool {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if last, ok := a.raised[name]; ok && now.Sub(last) < alarmEvery {
		return false
	}
	if len(a.raised) >= maxAlarms {
		for n, last := range a.raised {
			if now.Sub(last) >= alarmEvery {
				delete(a.raised, n)
			}
		}
		if len(a.raised) >= maxAlarms {
			return false
		}
	}
	a.raised[name] = now
	return true
}
