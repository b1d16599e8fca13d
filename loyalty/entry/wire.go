package entry

import (
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/wire"
)

// ToWire returns an entry as a record holds it: without its id and its time, which are the record's and the event's. What
// the entry does not have (key ids, reasons, how a consent was asked, what was spent) is for the caller to add.
func ToWire(e loyalty.Entry) *wire.Stamp {
	s := &wire.Stamp{
		IdempotencyKey: e.Key, Kind: wire.StampKind(e.Body.Kind()), ProgrammeId: e.Programme, ProgrammeVersion: e.Version,
		AccountRef: bytesOf(e.Account),
	}
	switch b := e.Body.(type) {
	case loyalty.Stamp:
		s.Stamps, s.OrderRef, s.PaymentKey, s.OperatorRef = b.Stamps, b.OrderRef, b.PaymentKey, b.Operator
		s.VelocityUnverified, s.Manual = b.Unverified, b.Manual
	case loyalty.StampVoid:
		s.Target = targetOf(b.Target)
	case loyalty.Hold:
		s.Stamps, s.RewardId = b.Stamps, b.Reward
	case loyalty.Release:
		s.Target = targetOf(b.Target)
	case loyalty.Redeem:
		s.Stamps, s.RewardId, s.Target, s.Right = b.Stamps, b.Reward, targetOf(b.Hold), wire.RedeemRight(b.Right)
		s.LeaseId = leaseOf(b.Lease)
	case loyalty.Reverse:
		s.Target = targetOf(b.Target)
	case loyalty.Adjust:
		s.Stamps, s.Target = b.Stamps, targetOf(b.Forgives)
	case loyalty.Expire:
		s.Stamps = b.Stamps
	case loyalty.Link:
		s.CardRef, s.Confirmed = bytesOf(b.Card), b.Confirmed
	case loyalty.Unlink:
		s.CardRef = bytesOf(b.Card)
	case loyalty.Merge:
		s.OtherAccountRef = bytesOf(b.Other)
	case loyalty.Consent:
		s.Consent = &wire.Consent{Purpose: wire.ConsentPurpose(b.Purpose), TextSha256: bytesOf(b.TextHash)}
	case loyalty.Rejected:
		s.Rejection = wire.StampRejection(b.Reason)
		if b.RetryAfterS > 0 {
			s.RetryAfterS = &b.RetryAfterS
		}
	case loyalty.LeaseReturn:
		s.LeaseId, s.LeaseRights = leaseOf(b.Lease), b.Rights
	case loyalty.LeaseTransfer:
		s.LeaseId, s.LeaseRights, s.LeaseToTerminal = leaseOf(b.Lease), b.Rights, b.To
	}
	return s
}

func targetOf(t loyalty.Target) *wire.EntryRef {
	switch {
	case t.IsZero():
		return nil
	case t.Key != "":
		return &wire.EntryRef{TerminalId: t.ID.Terminal, IdempotencyKey: t.Key}
	}
	return &wire.EntryRef{TerminalId: t.ID.Terminal, Epoch: t.ID.Epoch[:], Seq: t.ID.Seq}
}

func bytesOf(r loyalty.Ref) []byte {
	if r == (loyalty.Ref{}) {
		return nil
	}
	return r[:]
}

func leaseOf(id loyalty.LeaseID) []byte {
	if id == (loyalty.LeaseID{}) {
		return nil
	}
	return id[:]
}
