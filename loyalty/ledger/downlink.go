package ledger

import (
	"context"

	"github.com/stampd/stampd/uplink/wire"
)

// refuseDownlink records that a message of the backend makes no sense, and returns why.
func (l *Ledger) refuseDownlink(ctx context.Context, message string, why error) error {
	if err := l.Audit(ctx, &wire.Audit{Kind: wire.AuditKind_AUDIT_KIND_DOWNLINK_REFUSED, Subject: message}); err != nil {
		return err
	}
	return why
}
