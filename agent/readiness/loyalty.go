package readiness

import (
	"fmt"

	"github.com/stampd/stampd/uplink/wire"
)

// memberKey says whether members can be told apart.
func (f *Facts) memberKey() []*wire.ReadinessReason {
	const code = wire.ReadinessCode_READINESS_CODE_MEMBER_KEY
	switch f.MemberKey {
	case Present:
		return reasons(code, ready, "the merchant's member key is there", "")
	case Gone:
		return reasons(code, degraded, "the file of the merchant's member key can't be read any more: after the next start stamps are refused",
			"bring the file loyalty.member_key_file back")
	case Missing:
		return reasons(code, notReady, "the merchant's member key is missing: members can't be told apart",
			"set loyalty.member_key_file and start the agent again; payments are recorded all the same")
	}
	return reasons(code, unknown, "it is not known whether the merchant's member key is there", "see the agent's log")
}

// programme says whether the rules are known.
func (f *Facts) programme() []*wire.ReadinessReason {
	const code = wire.ReadinessCode_READINESS_CODE_PROGRAMME
	switch f.Programme {
	case Present, Gone:
		return reasons(code, ready, "the programme's rules are known", "")
	case Missing:
		return reasons(code, notReady, "the programme's rules are not on the terminal", "bring the terminal online once: the backend sends them")
	}
	return reasons(code, unknown, "it is not known whether the programme's rules are on the terminal", "see the agent's log")
}

// leases says how many rewards may be given.
func (f *Facts) leases() []*wire.ReadinessReason {
	const code = wire.ReadinessCode_READINESS_CODE_LEASES
	l := f.Leases
	if l == nil {
		return reasons(code, unknown, "it is not known how many rewards may be given without asking the backend", "see the agent's log")
	}
	left := l.Rewards + l.Floor
	r := &wire.ReadinessReason{Code: code, Readiness: ready, Left: &left, Text: fmt.Sprintf("rewards that may be given without asking the backend: %d", left)}
	if l.Floor == 0 && l.Rewards > 0 && !l.Until.IsZero() && !f.Now.IsZero() {
		r.UntilUnixMs = new(l.Until.UnixMilli())
	}
	switch {
	case left > 0:
	case l.Unusable > 0:
		r.Readiness = notReady
		r.Text = "the right to give rewards can't be used: the terminal was started again, and nobody knows what time it is"
		r.Hint = "bring the terminal online once: the backend tells it the time"
	default:
		r.Readiness = notReady
		r.Text = "no reward may be given without asking the backend"
		r.Hint = "bring the terminal online, so that the backend can grant some; a programme with a floor needs none"
	}
	return []*wire.ReadinessReason{r}
}
