package hal

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stampd/stampd/uplink/wire"
)

func TestSign(t *testing.T) {
	const (
		charging    = wire.ChargeStatus_CHARGE_STATUS_CHARGING
		discharging = wire.ChargeStatus_CHARGE_STATUS_DISCHARGING
		notCharging = wire.ChargeStatus_CHARGE_STATUS_NOT_CHARGING
		unknown     = wire.ChargeStatus_CHARGE_STATUS_UNSPECIFIED
	)
	type sample struct {
		status  wire.ChargeStatus
		current int64
	}
	wrong := slices.Repeat([]sample{{discharging, 200}}, signSamples)
	for _, test := range []struct {
		name   string
		before []sample
		now    sample
		want   any // nil is unknown
	}{
		{"right while discharging", nil, sample{discharging, -200}, int64(-200)},
		{"right while charging", nil, sample{charging, 900}, int64(900)},
		{"a weak charger", nil, sample{charging, -50}, int64(-50)},
		{"a weak charger, for long", slices.Repeat([]sample{{charging, -50}}, 100), sample{charging, -50}, int64(-50)},
		{"no state", nil, sample{unknown, 200}, int64(200)},
		{"in doubt", nil, sample{discharging, 200}, nil},
		{"still in doubt", wrong[:signSamples-2], sample{discharging, 200}, nil},
		{"found out", wrong[:signSamples-1], sample{discharging, 200}, int64(-200)},
		{"zero does not count", append(slices.Clone(wrong[:signSamples-2]), sample{discharging, 0}), sample{discharging, 200}, nil},
		{"not in a row", append(slices.Clone(wrong[:signSamples-1]), sample{discharging, -200}), sample{discharging, 200}, nil},
		{"inverted, charging", wrong, sample{charging, -900}, int64(900)},
		{"without a sign, charging", wrong, sample{charging, 900}, int64(900)},
		{"distrusted, right for once", wrong, sample{discharging, -200}, int64(-200)},
		{"distrusted, neither", wrong, sample{notCharging, 20}, nil},
		{"distrusted, no state", wrong, sample{unknown, -20}, nil},
		{"distrusted, zero", wrong, sample{notCharging, 0}, int64(0)},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s sign
			for _, b := range test.before {
				s.apply(b.status, &b.current)
			}
			if got := deref(s.apply(test.now.status, &test.now.current)); fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
	if got := new(sign).apply(discharging, nil); got != nil {
		t.Errorf("an unknown current becomes %d", *got)
	}
}
