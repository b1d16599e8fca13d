package localapi

import (
	"context"
	"errors"

	"connectrpc.com/connect"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// refusal is any answer but yes. It holds nothing that was in the request.
type refusal struct {
	code   connect.Code
	reason string // for programs, ErrorDetail.reason
	field  string // of the request; empty means all of it
	text   string // what is wrong, for people
	hint   string // what to do
}

func (r *refusal) Error() string { return r.text }

// connectError returns the refusal as the error that goes to the caller.
func (r *refusal) connectError() *connect.Error {
	return r.connectErrorWith(&wire.ErrorDetail{})
}

// connectErrorWith is connectError with what is known beside the refusal.
func (r *refusal) connectErrorWith(detail *wire.ErrorDetail) *connect.Error {
	err := connect.NewError(r.code, errors.New(r.text))
	detail.Reason, detail.Field, detail.Hint = r.reason, r.field, r.hint
	if d, detailErr := connect.NewErrorDetail(detail); detailErr == nil {
		err.AddDetail(d)
	}
	return err
}

// Hints that several refusals share.
const (
	hintSameKey = "repeat the call with the same key: it is recorded once, however often it is sent"
	hintStopped = "repeat the call when the agent runs again, with the same key"
)

// refusalOf returns what a caller is told about an error of the ledger, the guard or the queue. The order matters:
// an error of the queue may wrap several causes.
func refusalOf(err error) *refusal {
	refused, invalid, violation, rules := new(refusal), new(ledger.Invalid), new(pci.Violation), new(ledger.Refused)
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &invalid):
		return &refusal{connect.CodeInvalidArgument, invalid.Reason, invalid.Field, "cannot accept " + invalid.Field, invalid.Hint}
	case errors.As(err, &rules):
		return refuseByRules(rules)
	case errors.As(err, &violation):
		return refuseViolation(violation)
	case errors.Is(err, ledger.ErrKeyReused):
		return &refusal{connect.CodeAlreadyExists, "KEY_REUSED", "", "the key was used for another request, and nothing was recorded",
			"use a new key for a new request, and the very same request to repeat one"}
	case errors.Is(err, ledger.ErrNoMemberKey):
		return &refusal{connect.CodeFailedPrecondition, "NO_MEMBER_KEY", "", "cannot tell members apart: the merchant's member key is missing",
			"set loyalty.member_key_file and start the agent again; payments are recorded all the same"}
	case errors.Is(err, buffer.ErrClosed):
		return &refusal{connect.CodeUnavailable, "STOPPING", "", "the agent is stopping, and nothing was recorded", hintStopped}
	case errors.Is(err, buffer.ErrFull):
		return &refusal{connect.CodeResourceExhausted, "QUEUE_FULL", "", "cannot record: the queue or the disk is full, and nothing was recorded",
			"bring the terminal online so that the queue can empty, or free disk space; then " + hintSameKey}
	case errors.Is(err, buffer.ErrReadOnly):
		return &refusal{connect.CodeUnavailable, "QUEUE_READ_ONLY", "", "cannot record: the disk is read-only, and nothing was recorded",
			"the flash may be worn: start the terminal again, and if it stays so, replace it"}
	case errors.Is(err, buffer.ErrPermission):
		return &refusal{connect.CodeUnavailable, "QUEUE_PERMISSION", "", "cannot record: the agent may not use the queue's files, and nothing was recorded",
			"the files in the queue's folder and the folder itself must belong to the user that runs stampd (chown), who must be able to read and write them (chmod u+rw)"}
	case errors.Is(err, buffer.ErrIO), errors.Is(err, buffer.ErrLocked), errors.Is(err, buffer.ErrForeign):
		return &refusal{connect.CodeUnavailable, "QUEUE_IO", "", "cannot record: the disk failed, and whether it was recorded is not known", hintSameKey}
	case errors.Is(err, context.DeadlineExceeded):
		return &refusal{connect.CodeDeadlineExceeded, "TIMEOUT", "", "the time for the call is over, and whether it was recorded is not known", hintSameKey}
	case errors.Is(err, context.Canceled):
		return &refusal{connect.CodeCanceled, "CANCELED", "", "the caller gave up, and whether it was recorded is not known", hintSameKey}
	}
	return refuseInternal()
}

// refuseViolation names the field and what kind of data was in it.
func refuseViolation(v *pci.Violation) *refusal {
	r := &refusal{connect.CodeInvalidArgument, "CARDHOLDER_DATA", v.Field, v.Error(),
		"never send a card's number, track or verification code: send card.last4, card.par or a token"}
	switch v.Kind {
	case pci.KindUnknownFields:
		r.reason, r.hint = "UNKNOWN_FIELD", "send only what is in local.proto: what has no field can't be checked, and is not kept"
	case pci.KindUncheckable:
		r.reason, r.hint = "UNCHECKABLE", "send plain text and plain numbers in the fields of local.proto"
	}
	return r
}

// isCardholderData reports whether a violation is what PCI DSS 12.10.7 wants to be known, and not a mistake of form.
func isCardholderData(v *pci.Violation) bool {
	return v.Kind != pci.KindUnknownFields && v.Kind != pci.KindUncheckable
}

func refuseInternal() *refusal {
	return &refusal{connect.CodeInternal, "INTERNAL", "", "the agent failed, and whether it was recorded is not known",
		hintSameKey + "; the agent's log says why"}
}
