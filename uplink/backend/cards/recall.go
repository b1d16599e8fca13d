package cards

import (
	"context"
	"slices"
	"time"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/wire"
)

// giving is how long a terminal that asked for a right has it to itself: it is about to give the reward.
const giving = 5 * time.Second

// fulfil grants a right, once those in its way were given back, or says why not. It waits until ctx ends at most, and not at
// all for a terminal that is not connected.
func (x *Index) fulfil(ctx context.Context, w wish) (verdict, error) {
	recalled := map[loyalty.LeaseID]bool{}
	for {
		moved := x.moves() // before looking, so that nothing is missed
		v, err := x.grant(w)
		if err != nil || len(v.holders) == 0 {
			return v, err
		}
		for _, g := range v.holders {
			if !recalled[g.ID] {
				recalled[g.ID] = true
				x.hub.recall(g.id(), &wire.LeaseRecall{Id: slices.Clone(g.ID[:]), AccountRef: slices.Clone(g.Account[:])})
			}
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return v, nil
		}
	}
}

// recallable reports whether a terminal can be asked for a right back.
func (x *Index) recallable(g *grant, now time.Time) bool {
	return now.UnixMilli()-g.Asked >= giving.Milliseconds() && x.hub.watched(g.id())
}

// moves returns a channel that is closed when more of the log was looked at.
func (x *Index) moves() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.moved
}
