package cards

import (
	"context"
	"time"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/identity"
)

const (
	// maxProspects is how many cards wait to be looked at; those that are more go without.
	maxProspects = 1024
	// recent is how old a stamp may be for its terminal to get a lease unasked.
	recent = 10 * time.Minute
)

// prospect is a card that may just have been filled, on a terminal that is there.
type prospect struct {
	id        identity.ID
	account   loyalty.Ref
	programme string
}

// foresee notes the cards that got stamps just now.
func (x *Index) foresee(lines []line) {
	if x.LeasesOff {
		return
	}
	oldest := x.Now().Add(-recent).UnixMilli()
	for i := range lines {
		e := &lines[i].entry
		id := identity.ID{Merchant: lines[i].merchant, Terminal: e.ID.Terminal}
		if _, ok := e.Body.(loyalty.Stamp); !ok || lines[i].received < oldest || !x.hub.watched(id) {
			continue
		}
		select {
		case x.ahead <- prospect{id, e.Account, e.Programme}:
		default:
		}
	}
}

// grantAhead grants one right each to the terminals where cards were filled, until ctx ends.
func (x *Index) grantAhead(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case p := <-x.ahead:
			v, err := x.grant(wish{id: p.id, account: p.account, programme: p.programme, unasked: true})
			if err != nil {
				x.Logger.Error().Err(err).Msg("cannot grant a lease")
			}
			if v.grant != nil {
				x.hub.grant(p.id)
			}
		}
	}
}
