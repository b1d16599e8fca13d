package loyalty

import "errors"

// LeaseID names a lease for all time.
type LeaseID [16]byte

// Lease is the right to give a number of rewards to one account while the backend can't be asked: a bounded counter. The
// backend grants it to one terminal, and counts what it granted as given until the terminal says otherwise or the lease
// is over, so that two terminals never give the same reward by leases.
type Lease struct {
	ID       LeaseID
	Account  Ref
	Rights   int32  // rewards granted; >= 1
	Used     int32  // rewards given, rights returned and rights handed on; 0 to Rights
	Until    Moment // when it is over, by the backend's clock
	Granted  Uptime // when it came, by the terminal's monotonic clock
	TTLMs    int64  // how long it lasts from Granted on, in milliseconds
	Terminal string // whose it is
}

// LeaseReturn gives rights back to the backend before the lease is over.
type LeaseReturn struct {
	Lease  LeaseID
	Rights int32 // >= 1
}

// LeaseTransfer hands rights on to another terminal. It gets a lease of its own from the backend for them.
type LeaseTransfer struct {
	Lease  LeaseID
	To     string
	Rights int32 // >= 1
}

// ErrLeaseSpent says that a lease has fewer rights left.
var ErrLeaseSpent = errors.New("lease has no rights left")

// Left returns how many rights can still be used.
func (l Lease) Left() int32 { return max(l.Rights-l.Used, 0) }

// Use returns the lease with n rights fewer, for a reward that was given, for a LeaseReturn or for a LeaseTransfer. What
// was used never comes back: a redemption that is reversed frees stamps and no right. It fails with [ErrLeaseSpent].
func (l Lease) Use(n int32) (Lease, error) {
	if n < 1 || n > l.Left() {
		return l, ErrLeaseSpent
	}
	l.Used += n
	return l, nil
}

// Usable returns why the lease can't be used now, or "". A wall clock that is trusted decides. Without one, the time
// since the lease came does, within the boot in which it came.
func (l Lease) Usable(now Now) Refusal {
	elapsed, sameBoot := now.Uptime.since(l.Granted)
	switch {
	case l.Left() == 0:
		return RefusedLeaseSpent
	case now.Wall.Known && l.Until.Known:
		if now.Wall.UnixMs >= l.Until.UnixMs {
			return RefusedLeaseExpired
		}
	case !sameBoot || elapsed < 0:
		return RefusedLeaseAfterReboot
	case elapsed >= l.TTLMs:
		return RefusedLeaseExpired
	}
	return ""
}

// Outstanding returns how many rights of a lease the terminal may still use as far as the entries tell: what the backend
// has to count as given until the lease is over. Entries of other leases and duplicates change nothing.
func Outstanding(l Lease, entries []Entry) int32 {
	seen := map[EntryID]struct{}{}
	left := int64(l.Rights)
	for i := range entries {
		if _, again := seen[entries[i].ID]; again {
			continue
		}
		seen[entries[i].ID] = struct{}{}
		switch b := entries[i].Body.(type) {
		case Redeem:
			if b.Right == ByLease && b.Lease == l.ID {
				left--
			}
		case LeaseReturn:
			if b.Lease == l.ID {
				left -= int64(b.Rights)
			}
		case LeaseTransfer:
			if b.Lease == l.ID {
				left -= int64(b.Rights)
			}
		}
	}
	return int32(max(left, 0))
}

// Kind returns KindLeaseReturn.
func (LeaseReturn) Kind() Kind { return KindLeaseReturn }

// Kind returns KindLeaseTransfer.
func (LeaseTransfer) Kind() Kind { return KindLeaseTransfer }

func (b LeaseReturn) problem() string   { return positive(b.Rights) }
func (b LeaseTransfer) problem() string { return positive(b.Rights) }
