package hal

import (
	"context"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/stampd/stampd/hal/cellular"
	"github.com/stampd/stampd/uplink/wire"
)

// systemBusAddress returns the address of the system bus.
func systemBusAddress() string {
	if address := os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"); address != "" {
		return address
	}
	return systemBus
}

// property returns a property when it is there and of that type.
func property[T any](p properties, iface, name string) *T {
	if v, ok := p[iface][name].Value().(T); ok {
		return &v
	}
	return nil
}

// text returns a property that is a text, fit for people.
func text(p properties, iface, name string) string {
	if v := property[string](p, iface, name); v != nil {
		runes := []rune(strings.ToValidUTF8(*v, "?"))
		return string(runes[:min(len(runes), maxText)])
	}
	return ""
}

// reading returns what the properties of a modem say. Its signal is measured from the first reading on.
func (m *managedModem) reading(ctx context.Context, path dbus.ObjectPath, p properties) *wire.Modem {
	m.mm.measure(ctx, path, p)
	var doubts doubtful
	r := &wire.Modem{
		Name:         m.name,
		Operator:     text(p, mm3GPP, "OperatorName"),
		Model:        modelName(text(p, mmModem, "Manufacturer"), text(p, mmModem, "Model")),
		Firmware:     text(p, mmModem, "Revision"),
		Sim:          simState(mmSIMState(p)),
		RadioOn:      mmRadio(p),
		Iccid:        m.mm.iccid(ctx, p),
		OperatorCode: text(p, mm3GPP, "OperatorCode"),
	}
	if len(r.OperatorCode) != 5 && len(r.OperatorCode) != 6 || strings.Trim(r.OperatorCode, "0123456789") != "" {
		r.OperatorCode = ""
	}
	for _, iface := range []string{mm3GPP + " Imei", mmModem + " EquipmentIdentifier"} {
		where, name, _ := strings.Cut(iface, " ")
		if id, err := cellular.ParseIMEI(text(p, where, name)); err == nil && r.Imei == "" {
			r.Imei = id
		}
	}
	if state := property[uint32](p, mm3GPP, "RegistrationState"); state != nil {
		if *state <= cellular.EmergencyRLOS {
			r.Registration, r.RegistrationWith = state, "3gpp"
		} else {
			doubts.add("registration", float64(*state))
		}
	}
	if access := property[uint32](p, mmModem, "AccessTechnologies"); access != nil {
		r.AccessTechnology = accessTechnology(*access)
	}
	if quality := property[[]any](p, mmModem, "SignalQuality"); quality != nil && len(*quality) == 2 {
		percent, _ := (*quality)[0].(uint32)
		if recent, _ := (*quality)[1].(bool); recent && percent <= 100 {
			r.SignalPercent = &percent
		}
	}
	setSignal(r, p, &doubts)
	r.Raw = rawProperties(p)
	r.Nonsense = strings.Join(doubts, "; ")
	return r
}

// rawProperties returns the properties that registration, operator and signal are taken from, as D-Bus writes them, a line each.
// None of them identifies the modem or its SIM.
func rawProperties(p properties) string {
	const most = 200
	var lines []string
	for _, at := range [][2]string{
		{mm3GPP, "RegistrationState"}, {mm3GPP, "OperatorCode"}, {mm3GPP, "OperatorName"}, {mmModem, "AccessTechnologies"},
		{mmModem, "SignalQuality"}, {mmSignal, "Lte"}, {mmSignal, "Nr5g"}, {mmSignal, "Umts"}, {mmSignal, "Gsm"},
	} {
		if v, there := p[at[0]][at[1]]; there {
			line := []rune(at[1] + ": " + strings.ToValidUTF8(v.String(), "?"))
			lines = append(lines, string(line[:min(len(line), most)]))
		}
	}
	return strings.Join(lines, "\n")
}

// doubtful are values that were not believed.
type doubtful []string

func (d *doubtful) add(name string, value float64) {
	*d = append(*d, cellular.Doubt{Source: "ModemManager", Name: name, Raw: formatFloat(value)}.String())
}

// setSignal takes in the levels of the interface Modem.Signal: dBm and dB, as floating-point numbers. What is not
// measured is far out of range (-32768) or not there.
func setSignal(r *wire.Modem, p properties, doubts *doubtful) {
	lte := property[map[string]dbus.Variant](p, mmSignal, "Lte")
	nr := property[map[string]dbus.Variant](p, mmSignal, "Nr5g")
	level := func(from *map[string]dbus.Variant, key, name string, least, most float64) *int32 {
		if from == nil {
			return nil
		}
		value, ok := (*from)[key].Value().(float64)
		const notMeasured = -32768
		switch {
		case !ok || value == notMeasured:
			return nil
		case math.IsNaN(value) || value < least || value > most:
			doubts.add(name, value)
			return nil
		}
		return new(int32(math.Round(value * 10)))
	}
	rsrp, rsrq, sinr := &r.RsrpDecidbm, &r.RsrqDecidb, &r.SinrDecidb
	*rsrp, *rsrq, *sinr = level(lte, "rsrp", "rsrp", -156, -31), level(lte, "rsrq", "rsrq", -43, 20), level(lte, "snr", "sinr", -23, 40)
	r.RssiDbm = wholeDecibels(level(lte, "rssi", "rssi", -120, -20))
	if *rsrp != nil {
		rsrp, rsrq, sinr = &r.NrRsrpDecidbm, &r.NrRsrqDecidb, &r.NrSinrDecidb
	}
	setKnown(rsrp, level(nr, "rsrp", "nr_rsrp", -156, -31))
	setKnown(rsrq, level(nr, "rsrq", "nr_rsrq", -43, 20))
	setKnown(sinr, level(nr, "snr", "nr_sinr", -23, 40))
	umts := property[map[string]dbus.Variant](p, mmSignal, "Umts")
	r.RscpDecidbm = level(umts, "rscp", "rscp", -124, -24)
	r.EcioDecidb = level(umts, "ecio", "ecio", -32, 0)
	for _, name := range []string{"Umts", "Gsm"} {
		if from := property[map[string]dbus.Variant](p, mmSignal, name); r.RssiDbm == nil {
			r.RssiDbm = wholeDecibels(level(from, "rssi", "rssi", -120, -20))
		}
	}
	if r.RsrpDecidbm != nil || r.RssiDbm != nil || r.RscpDecidbm != nil || r.RsrqDecidb != nil || r.SinrDecidb != nil {
		r.SignalSource = "ModemManager"
	}
}

// formatFloat returns a number with one decimal at most.
func formatFloat(v float64) string {
	if math.IsNaN(v) || math.Abs(v) > 1e9 {
		return "?"
	}
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}

// measure has the signal of a modem measured, once for each modem, unless it is measured already.
func (mm *ModemManager) measure(ctx context.Context, path dbus.ObjectPath, p properties) {
	rate := property[uint32](p, mmSignal, "Rate")
	mm.mu.Lock()
	asked := mm.measured[path]
	mm.measured[path] = true
	mm.mu.Unlock()
	if rate == nil || *rate != 0 || asked {
		return
	}
	// Who may not ask does without: the percentage is there.
	_ = mm.call(ctx, path, mmSignal+".Setup", nil, uint32(mmSignalEvery))
}

// iccid returns the number of the SIM of a modem.
func (mm *ModemManager) iccid(ctx context.Context, p properties) string {
	path := property[dbus.ObjectPath](p, mmModem, "Sim")
	if path == nil || len(*path) <= 1 {
		return ""
	}
	mm.mu.Lock()
	known := mm.sims[*path]
	mm.mu.Unlock()
	if known != "" {
		return known
	}
	var sim dbus.Variant
	if mm.call(ctx, *path, busProperties+".Get", &sim, mmSIM, "SimIdentifier") != nil {
		return ""
	}
	text, _ := sim.Value().(string)
	id, err := cellular.ParseICCID(text)
	if err != nil {
		return ""
	}
	mm.mu.Lock()
	defer mm.mu.Unlock()
	mm.sims[*path] = id
	return id
}

// mmSIMState returns the state of the SIM by MMModemState, MMModemStateFailedReason and MMModemLock.
func mmSIMState(p properties) cellular.SIM {
	const failed, locked = -1, 2
	state := property[int32](p, mmModem, "State")
	if state == nil {
		return cellular.SIMUnknown
	}
	if why := property[uint32](p, mmModem, "StateFailedReason"); *state == failed && why != nil {
		switch *why {
		case 2: // sim-missing
			return cellular.SIMAbsent
		case 3: // sim-error
			return cellular.SIMFailed
		}
	}
	lock := property[uint32](p, mmModem, "UnlockRequired")
	switch {
	case lock == nil:
		return cellular.SIMUnknown
	case *lock == 1 || *lock == 3 || *lock == 5: // none, or that of the second PIN, which nothing here needs
		return cellular.SIMReady
	case *lock == 2: // sim-pin
		return cellular.SIMPIN
	case *lock == 4: // sim-puk
		return cellular.SIMPUK
	case *lock > 5 || *state == locked:
		return cellular.SIMLocked
	}
	return cellular.SIMUnknown
}

// mmRadio returns whether the modem may send, by MMModemPowerState.
func mmRadio(p properties) *bool {
	power := property[uint32](p, mmModem, "PowerState")
	if power == nil || *power < 1 || *power > 3 {
		return nil
	}
	return new(*power == 3)
}

// accessTechnology returns the <AcT> of 3GPP TS 27.007 for the best technology in a mask of MMModemAccessTechnology.
func accessTechnology(mask uint32) *uint32 {
	if mask == math.MaxUint32 { // any
		return nil
	}
	for _, t := range []struct{ bit, access uint32 }{
		{1 << 15, 11}, // 5GNR
		{1 << 14, 7},  // LTE
		{1 << 16, 7},  // LTE Cat-M
		{1 << 17, 9},  // LTE NB-IoT
		{1 << 9, 6},   // HSPA+
		{1 << 8, 6},   // HSPA
		{1 << 7, 5},   // HSUPA
		{1 << 6, 4},   // HSDPA
		{1 << 5, 2},   // UMTS
		{1 << 4, 3},   // EDGE
		{1 << 3, 0},   // GPRS
		{1 << 2, 1},   // GSM compact
		{1 << 1, 0},   // GSM
	} {
		if mask&t.bit == 0 {
			continue
		}
		if both := uint32(1<<15 | 1<<14); mask&both == both {
			return new(uint32(13)) // EN-DC
		}
		return new(t.access)
	}
	return nil
}
