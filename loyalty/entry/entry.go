// Package entry turns records of the wire into entries of the loyalty ledger and back. The ledger on the terminal and the
// backend use it, so that both read a record in one way. It decides nothing, and knows no storage and no clock.
package entry

import (
	"errors"
	"fmt"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/wire"
)

// ErrUnknownKind says that an entry is of a kind that this program does not know: it was made by a later version.
var ErrUnknownKind = errors.New("kind of entry is not known")

// FromWire returns the entry that an event holds, as it was recorded under an id. Its time is the terminal's wall clock
// where that was checked, else unknown: a backend that knows better sets At.
//
// It fails with [ErrUnknownKind], or when the entry makes no sense. The error holds nothing of the entry's contents.
func FromWire(id loyalty.EntryID, clock *wire.Clock, s *wire.Stamp) (loyalty.Entry, error) {
	r := reader{id: id}
	e := loyalty.Entry{
		ID: id, At: Moment(clock), Uptime: Uptime(clock), Programme: s.GetProgrammeId(), Version: s.GetProgrammeVersion(),
		Key: s.GetIdempotencyKey(), Account: r.ref("account_ref", s.GetAccountRef()),
	}
	e.Body = r.body(s)
	if r.err != nil {
		return loyalty.Entry{}, r.err
	}
	if err := e.Check(); err != nil {
		return loyalty.Entry{}, err
	}
	return e, nil
}

// Moment returns the wall time of a clock that was checked against the network or NTP, and an unknown one for any other.
func Moment(c *wire.Clock) loyalty.Moment {
	if c == nil || c.WallUnixMs == nil || c.GetConfidence() < wire.ClockConfidence_CLOCK_CONFIDENCE_NETWORK {
		return loyalty.Moment{}
	}
	return loyalty.At(c.GetWallUnixMs())
}

// Uptime returns the monotonic time of a clock.
func Uptime(c *wire.Clock) loyalty.Uptime {
	if c == nil || c.BootMs == nil || len(c.GetBootId()) != 16 {
		return loyalty.Uptime{}
	}
	return loyalty.Uptime{Boot: loyalty.BootID(c.GetBootId()[:8]), Ms: c.GetBootMs(), Known: true}
}

// reader reads fields of fixed length. The first that has another one is remembered.
type reader struct {
	id  loyalty.EntryID
	err error
}

func (r *reader) ref(field string, b []byte) (ref loyalty.Ref) {
	if len(b) != 0 && len(b) != len(ref) {
		r.wrong(field, len(ref))
		return ref
	}
	copy(ref[:], b)
	return ref
}

func (r *reader) id16(field string, b []byte) (id [16]byte) {
	if len(b) != 0 && len(b) != len(id) {
		r.wrong(field, len(id))
		return id
	}
	copy(id[:], b)
	return id
}

func (r *reader) wrong(field string, want int) {
	if r.err == nil {
		r.err = fmt.Errorf("%s must have %d bytes", field, want)
	}
}

// target reads which entry another is about. One that names no terminal is about the terminal that made it, unless it
// names an epoch.
func (r *reader) target(t *wire.EntryRef) loyalty.Target {
	if t == nil {
		return loyalty.Target{}
	}
	terminal := t.GetTerminalId()
	if terminal == "" && len(t.GetEpoch()) == 0 {
		terminal = r.id.Terminal
	}
	if key := t.GetIdempotencyKey(); key != "" {
		return loyalty.Target{ID: loyalty.EntryID{Terminal: terminal}, Key: key}
	}
	return loyalty.Target{ID: loyalty.EntryID{Terminal: terminal, Epoch: r.id16("target.epoch", t.GetEpoch()), Seq: t.GetSeq()}}
}

func (r *reader) body(s *wire.Stamp) loyalty.Body {
	target := r.target(s.GetTarget())
	switch loyalty.Kind(min(max(s.GetKind(), 0), 255)) {
	case loyalty.KindStamp:
		return loyalty.Stamp{
			Stamps: s.GetStamps(), OrderRef: s.GetOrderRef(), PaymentKey: s.GetPaymentKey(), Operator: s.GetOperatorRef(),
			Unverified: s.GetVelocityUnverified(), Manual: s.GetManual(),
		}
	case loyalty.KindStampVoid:
		return loyalty.StampVoid{Target: target}
	case loyalty.KindHold:
		return loyalty.Hold{Reward: s.GetRewardId(), Stamps: s.GetStamps()}
	case loyalty.KindRelease:
		return loyalty.Release{Target: target}
	case loyalty.KindRedeem:
		return loyalty.Redeem{
			Reward: s.GetRewardId(), Stamps: s.GetStamps(), Hold: target,
			Right: loyalty.Right(min(max(s.GetRight(), 0), 255)), Lease: r.id16("lease_id", s.GetLeaseId()),
		}
	case loyalty.KindReverse:
		return loyalty.Reverse{Target: target}
	case loyalty.KindAdjust:
		return loyalty.Adjust{Stamps: s.GetStamps(), Forgives: target}
	case loyalty.KindExpire:
		return loyalty.Expire{Stamps: s.GetStamps()}
	case loyalty.KindRejected:
		return loyalty.Rejected{Reason: loyalty.Reason(min(max(s.GetRejection(), 0), 255)), RetryAfterS: s.GetRetryAfterS()}
	case loyalty.KindLeaseReturn:
		return loyalty.LeaseReturn{Lease: r.id16("lease_id", s.GetLeaseId()), Rights: s.GetLeaseRights()}
	case loyalty.KindLeaseTransfer:
		return loyalty.LeaseTransfer{Lease: r.id16("lease_id", s.GetLeaseId()), To: s.GetLeaseToTerminal(), Rights: s.GetLeaseRights()}
	}
	return r.member(s)
}

// member reads what is about a member and no card.
func (r *reader) member(s *wire.Stamp) loyalty.Body {
	switch k := s.GetKind(); loyalty.Kind(min(max(k, 0), 255)) {
	case loyalty.KindEnrol:
		return loyalty.Enrol{}
	case loyalty.KindLink:
		return loyalty.Link{Card: r.ref("card_ref", s.GetCardRef()), Confirmed: s.GetConfirmed()}
	case loyalty.KindUnlink:
		return loyalty.Unlink{Card: r.ref("card_ref", s.GetCardRef())}
	case loyalty.KindMerge:
		return loyalty.Merge{Other: r.ref("other_account_ref", s.GetOtherAccountRef())}
	case loyalty.KindConsentGrant, loyalty.KindConsentRevoke:
		return loyalty.Consent{
			Purpose:  loyalty.Purpose(min(max(s.GetConsent().GetPurpose(), 0), 255)),
			Granted:  k == wire.StampKind_STAMP_KIND_CONSENT_GRANT,
			TextHash: r.ref("consent.text_sha256", s.GetConsent().GetTextSha256()),
		}
	case loyalty.KindErase:
		return loyalty.Erase{}
	}
	if r.err == nil {
		r.err = ErrUnknownKind
	}
	return nil
}
