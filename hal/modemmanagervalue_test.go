package hal

import (
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// FuzzManaged: whatever ModemManager's properties hold, what is made of them is in the ranges of the schema.
func FuzzManaged(f *testing.F) {
	f.Add(-95.0, 9.2, -64.0, uint32(1<<14), uint32(5), int32(8), uint32(64), "Telekom.de", "26201")
	f.Add(-32768.0, 99.0, 1e300, ^uint32(0), uint32(12), int32(-1), uint32(101), "\xff\x00", "２６２０１")
	f.Fuzz(func(t *testing.T, rsrp, snr, rssi float64, access, registration uint32, state int32, quality uint32, name, code string) {
		levels := map[string]dbus.Variant{
			"rsrp": dbus.MakeVariant(rsrp), "snr": dbus.MakeVariant(snr), "rssi": dbus.MakeVariant(rssi), "rsrq": dbus.MakeVariant(name),
		}
		p := properties{
			mmModem: {
				"AccessTechnologies": dbus.MakeVariant(access), "State": dbus.MakeVariant(state), "StateFailedReason": dbus.MakeVariant(quality),
				"UnlockRequired": dbus.MakeVariant(quality), "PowerState": dbus.MakeVariant(quality), "Model": dbus.MakeVariant(name),
				"SignalQuality": dbus.MakeVariant([]any{quality, true}), "EquipmentIdentifier": dbus.MakeVariant(code),
			},
			mm3GPP: {
				"RegistrationState": dbus.MakeVariant(registration), "OperatorName": dbus.MakeVariant(name), "OperatorCode": dbus.MakeVariant(code),
				"Imei": dbus.MakeVariant(code),
			},
			mmSignal: {"Lte": dbus.MakeVariant(levels), "Nr5g": dbus.MakeVariant(levels), "Umts": dbus.MakeVariant(levels)},
		}
		m := &managedModem{mm: NewModemManager("", nil), name: "cdc-wdm0"}
		r := m.reading(t.Context(), "/1", p)
		for _, v := range []struct {
			value       *int32
			least, most int32
		}{
			{r.RsrpDecidbm, -1560, -310},
			{r.SinrDecidb, -230, 400},
			{r.RssiDbm, -140, -20},
			{r.NrRsrpDecidbm, -1560, -310},
			{r.NrSinrDecidb, -230, 400},
		} {
			if v.value != nil && (*v.value < v.least || *v.value > v.most) {
				t.Errorf("%d is out of %d to %d: %v", *v.value, v.least, v.most, r)
			}
		}
		if r.GetRegistration() > 11 || r.GetAccessTechnology() > 13 || r.GetSignalPercent() > 100 || r.RsrqDecidb != nil ||
			strings.Trim(r.OperatorCode, "0123456789") != "" || len([]rune(r.Operator)) > 64 || len([]rune(r.Model)) > 64 || len(r.Raw) > 4096 || len(r.Nonsense) > 1024 {
			t.Errorf("out of range: %v", r)
		}
	})
}
