package hal

import "github.com/stampd/stampd/uplink/wire"

// signSamples is how many readings in a row must contradict a battery's state before the sign of its current is
// distrusted.
const signSamples = 10

// sign corrects the sign of a battery's current. The kernel wants negative for discharging
// (Documentation/ABI/testing/sysfs-class-power), but there are drivers that invert it, and drivers that have no sign. Both
// show as a positive current while discharging. The opposite is no contradiction: a weak charger lets a charging
// battery drain.
type sign struct {
	contradictions int
	distrusted     bool
}

// apply returns the current in microamperes, positive when it charges, or nil as long as its sign is in doubt.
func (s *sign) apply(status wire.ChargeStatus, current *int64) *int64 {
	if current == nil || *current == 0 {
		return current
	}
	if status == wire.ChargeStatus_CHARGE_STATUS_DISCHARGING && !s.distrusted {
		if *current < 0 {
			s.contradictions = 0
			return current
		}
		s.contradictions++
		s.distrusted = s.contradictions >= signSamples
		if !s.distrusted {
			return nil
		}
	}
	if !s.distrusted {
		return current
	}
	switch magnitude := max(*current, -*current); status {
	case wire.ChargeStatus_CHARGE_STATUS_DISCHARGING:
		return new(-magnitude)
	case wire.ChargeStatus_CHARGE_STATUS_CHARGING:
		return &magnitude
	}
	return nil
}
