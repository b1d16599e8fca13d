// Package readiness judges, from what is known of the terminal, what would work if the network went now, why not, and until
// when. A shop finds out before the outage, and not at the till.
//
// The agent's local API hands it a snapshot and passes the verdict on. It looks at nothing itself, refuses nothing and keeps
// nothing. What is not known never counts as ready: where it decides whether something can be recorded at all, the verdict is
// unknown, and where it only says how long or how well, it is degraded.
package readiness

import (
	"slices"
	"time"

	"github.com/stampd/stampd/loyalty/payment"
	"github.com/stampd/stampd/uplink/wire"
)

// Facts is what is known of the terminal at one moment. Its zero value is that nothing is.
type Facts struct {
	Now         time.Time // by the best clock there is; zero: nobody knows what time it is
	Clock       wire.ClockConfidence
	Queue       Queue
	QueueKey    Key // the queue's key file
	MemberKey   Key // the merchant's key
	Limits      payment.Limits
	Stored      *payment.Stored // what is stored at the merchant's risk; nil: unknown
	Power       Power
	Uplink      wire.UplinkState
	Certificate *wire.CertificateStatus // nil: unknown
	Programme   Key                     // whether the rules are known
	Leases      *Leases                 // nil: unknown
}

// Queue is how the queue is.
type Queue struct {
	Opened   bool   // its file was opened since the agent started
	Fault    string // why it can't be used; empty: it can
	Hint     string // what to do about the fault
	Room     *int64 // bytes that the ledger may still take, by its limit and by the disk; nil: unknown
	ReadOnly *bool  // whether its file system is mounted read-only; nil: unknown
}

// Key is whether something that the agent was given is there.
type Key uint8

// What is known of a [Key].
const (
	Unknown Key = 0
	Present Key = 1 // it is in use, and will be there at the next start
	Gone    Key = 2 // it is in use, and can't be read any more: the next start goes without
	Missing Key = 3 // it is not there
)

// Power is what feeds the terminal.
type Power struct {
	Known      bool            // the batteries were looked for
	Batteries  []*wire.Battery // those that could be read
	Unreadable int             // those that are there and could not be read
}

// Leases is the rewards that may be given without asking the backend.
type Leases struct {
	Rewards  int64     // by leases that can be used now; >= 0
	Until    time.Time // when the last of them ends; zero: unknown
	Unusable int64     // by leases that can't be used as long as nobody knows what time it is; >= 0
	Floor    int64     // without a lease, as the programme allows; >= 0
}

// Of returns the verdict on each capability, in the order of the schema. The caller owns the messages.
func Of(f Facts) []*wire.CapabilityReadiness {
	recording := slices.Concat(f.queue(), f.queueKey(), f.power(), f.uplink())
	members := slices.Concat(f.memberKey(), f.programme())
	return []*wire.CapabilityReadiness{
		verdict(wire.OfflineCapability_OFFLINE_CAPABILITY_PAYMENTS, recording, f.limits(), f.clock(clockOfPayments)),
		verdict(wire.OfflineCapability_OFFLINE_CAPABILITY_STAMPS, recording, members, f.clock(clockOfStamps)),
		verdict(wire.OfflineCapability_OFFLINE_CAPABILITY_REDEMPTION, recording, members, f.leases(), f.clock(clockOfRewards)),
	}
}

// Worst returns the worst of the verdicts. Of none it is unknown.
func Worst(all []*wire.CapabilityReadiness) wire.Readiness {
	worst := unknown
	for i, c := range all {
		if i == 0 || rank(c.GetReadiness()) < rank(worst) {
			worst = c.GetReadiness()
		}
	}
	return worst
}

// verdict puts the worst of the reasons first, and takes the worst and the earliest end.
func verdict(what wire.OfflineCapability, reasons ...[]*wire.ReadinessReason) *wire.CapabilityReadiness {
	v := &wire.CapabilityReadiness{Capability: what}
	for place := range ranks {
		for _, r := range slices.Concat(reasons...) {
			if rank(r.GetReadiness()) == place {
				v.Reasons = append(v.Reasons, r)
			}
		}
	}
	v.Readiness = v.Reasons[0].GetReadiness()
	for _, r := range v.Reasons {
		if r.UntilUnixMs != nil && (v.UntilUnixMs == nil || r.GetUntilUnixMs() < v.GetUntilUnixMs()) {
			v.UntilUnixMs = new(r.GetUntilUnixMs())
		}
	}
	return v
}

// ranks is how many places there are.
const ranks = 4

// rank puts the worst first.
func rank(r wire.Readiness) int {
	switch r {
	case notReady:
		return 0
	case degraded:
		return 2
	case ready:
		return 3
	}
	return 1
}

// Short names of the schema's verdicts.
const (
	unknown  = wire.Readiness_READINESS_UNSPECIFIED
	notReady = wire.Readiness_READINESS_NOT_READY
	degraded = wire.Readiness_READINESS_DEGRADED
	ready    = wire.Readiness_READINESS_READY
)

// reasons makes a list of one.
func reasons(code wire.ReadinessCode, r wire.Readiness, text, hint string) []*wire.ReadinessReason {
	return []*wire.ReadinessReason{{Code: code, Readiness: r, Text: text, Hint: hint}}
}

// in returns the moment that is d from now, in milliseconds since 1970, or nil when nobody knows what time it is.
func (f *Facts) in(d time.Duration) *int64 {
	if f.Now.IsZero() {
		return nil
	}
	return new(f.Now.Add(d).UnixMilli())
}
