package localapi

import (
	"fmt"
	"strings"

	"github.com/stampd/stampd/agent/readiness"
	"github.com/stampd/stampd/loyalty/payment"
	"github.com/stampd/stampd/uplink/wire"
)

// toldPercent is from which level on a limit is an alarm; the backend is told of lower ones too.
const toldPercent = 80

// trouble is what an alarm says. It has no number that moves by itself: each change is told to every watcher.
type trouble struct{ text, hint string }

// limitsReached returns the limits of stored payments that are nearly reached, or reached.
func limitsReached(f readiness.Facts) (found []trouble) {
	if f.Stored == nil {
		return nil
	}
	_, levels := payment.Watch(f.Limits, *f.Stored, nil)
	for _, l := range levels {
		if l.Percent < toldPercent {
			continue
		}
		of := "the number of payments"
		switch l.Kind {
		case payment.Total:
			of = "the total in " + l.Currency
		case payment.Age:
			of = "the age of the oldest payment"
		}
		found = append(found, trouble{
			fmt.Sprintf("%s that is stored at the merchant's risk has come to %d percent of its limit", of, l.Percent),
			"bring the terminal online, so that stored payments can be forwarded; nothing is refused because of a limit",
		})
	}
	return found
}

// notReady returns why payments and stamps would not work without the network, or why nobody knows, where no other alarm says
// so already. Rewards are no alarm: each right to give one is used up or ends in the course of business.
func notReady(f readiness.Facts) (found []trouble) {
	var what []string // by place in found, the capabilities that are concerned
	add := func(name string, t trouble) {
		for i := range found {
			if found[i] == t {
				what[i] += " and " + name
				return
			}
		}
		found, what = append(found, t), append(what, name)
	}
	for _, c := range readiness.Of(f) {
		if c.GetCapability() == wire.OfflineCapability_OFFLINE_CAPABILITY_REDEMPTION {
			continue
		}
		for _, r := range c.GetReasons() {
			if alarming(r) {
				add(strings.ToLower(strings.TrimPrefix(c.GetCapability().String(), "OFFLINE_CAPABILITY_")), trouble{r.GetText(), r.GetHint()})
			}
		}
	}
	for i := range found {
		found[i].text = what[i] + " without the network: " + found[i].text
	}
	return found
}

// alarming reports whether a reason is an alarm that no other one is.
func alarming(r *wire.ReadinessReason) bool {
	switch r.GetCode() {
	case wire.ReadinessCode_READINESS_CODE_QUEUE, wire.ReadinessCode_READINESS_CODE_MEMBER_KEY, wire.ReadinessCode_READINESS_CODE_LIMIT_COUNT,
		wire.ReadinessCode_READINESS_CODE_LIMIT_TOTAL, wire.ReadinessCode_READINESS_CODE_LIMIT_AGE:
		return false
	}
	return r.GetReadiness() == wire.Readiness_READINESS_NOT_READY || r.GetReadiness() == wire.Readiness_READINESS_UNSPECIFIED
}
