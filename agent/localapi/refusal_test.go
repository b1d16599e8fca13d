package localapi

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"connectrpc.com/connect"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

func TestRefusals(t *testing.T) {
	tests := []struct {
		err    error
		code   connect.Code
		reason string
		field  string
	}{
		{&ledger.Invalid{Field: "payment.kind", Reason: "MISSING", Hint: "say"}, connect.CodeInvalidArgument, "MISSING", "payment.kind"},
		{&pci.Violation{Field: "payment.stan", Kind: pci.KindTrack2}, connect.CodeInvalidArgument, "CARDHOLDER_DATA", "payment.stan"},
		{&pci.Violation{Field: "payment", Kind: pci.KindUnknownFields}, connect.CodeInvalidArgument, "UNKNOWN_FIELD", "payment"},
		{&pci.Violation{Kind: pci.KindUncheckable}, connect.CodeInvalidArgument, "UNCHECKABLE", ""},
		{ledger.ErrKeyReused, connect.CodeAlreadyExists, "KEY_REUSED", ""},
		{ledger.ErrNoMemberKey, connect.CodeFailedPrecondition, "NO_MEMBER_KEY", ""},
		{fmt.Errorf("cannot append: %w (%w)", buffer.ErrFull, errors.New("ENOSPC")), connect.CodeResourceExhausted, "QUEUE_FULL", ""},
		{fmt.Errorf("cannot append: %w", buffer.ErrReadOnly), connect.CodeUnavailable, "QUEUE_READ_ONLY", ""},
		{buffer.ErrPermission, connect.CodeUnavailable, "QUEUE_PERMISSION", ""},
		{buffer.ErrIO, connect.CodeUnavailable, "QUEUE_IO", ""},
		{buffer.ErrLocked, connect.CodeUnavailable, "QUEUE_IO", ""},
		{buffer.ErrClosed, connect.CodeUnavailable, "STOPPING", ""},
		{fmt.Errorf("cannot wait: %w", context.DeadlineExceeded), connect.CodeDeadlineExceeded, "TIMEOUT", ""},
		{context.Canceled, connect.CodeCanceled, "CANCELED", ""},
		{errors.New(secret), connect.CodeInternal, "INTERNAL", ""},
	}
	for _, tt := range tests {
		got := refusalOf(tt.err).connectError()
		if len(got.Details()) != 1 {
			t.Fatalf("%v: %d details, want 1", tt.err, len(got.Details()))
		}
		m, err := got.Details()[0].Value()
		if err != nil {
			t.Fatal(err)
		}
		d, ok := m.(*wire.ErrorDetail)
		if !ok || got.Code() != tt.code || d.GetReason() != tt.reason || d.GetField() != tt.field {
			t.Errorf("%v: %v %v, want %v %s %s", tt.err, got, d, tt.code, tt.reason, tt.field)
		}
		if d.GetHint() == "" || got.Message() == "" || got.Message() == secret {
			t.Errorf("%v: message %q, hint %q", tt.err, got.Message(), d.GetHint())
		}
	}
}
