package hal

import (
	"context"
	"math"
	"strings"

	"github.com/stampd/stampd/hal/cellular"
	"github.com/stampd/stampd/uplink/wire"
)

// Modem is one cellular modem, by one driver. haltest.TestModem is what every implementation must pass.
//
// A Modem is safe for concurrent use and outlives the hardware: it may be read before the modem is there and after it was
// taken out. Nothing is stored in it, and it is never dialled with.
type Modem interface {
	// Name returns the driver's name for it, the same at every call: 1 to 57 characters.
	Name() string

	// Read returns what the modem says now, with the answers as it wrote them beside what they mean. What it does not
	// say, or says out of range, is unset, and told of in Nonsense in the latter case. The caller owns the reading.
	//
	// A modem that answers may take its time, up to ten seconds in all. One that is not there, hangs or answers nothing
	// usable is told of within five, and Read returns at once when ctx ends. The error wraps ErrGone, ErrHung or
	// ErrUnusable, or is ctx's own.
	Read(ctx context.Context) (*wire.Modem, error)
}

// modemReading returns what was taken in of a modem as a reading.
func modemReading(name string, r *cellular.Reading) *wire.Modem {
	s := &r.Signal
	m := &wire.Modem{
		Name:                   name,
		Operator:               r.Operator.Name,
		OperatorCode:           r.Operator.Code,
		RssiDbm:                wholeDecibels(s.RSSI.Tenths),
		RscpDecidbm:            s.RSCP.Tenths,
		EcioDecidb:             s.EcIo.Tenths,
		RsrpDecidbm:            s.RSRP.Tenths,
		RsrqDecidb:             s.RSRQ.Tenths,
		SinrDecidb:             s.SINR.Tenths,
		NrRsrpDecidbm:          s.NRRSRP.Tenths,
		NrRsrqDecidb:           s.NRRSRQ.Tenths,
		NrSinrDecidb:           s.NRSINR.Tenths,
		SignalSource:           signalSource(s),
		TemperatureDecicelsius: r.Temperature,
		Sim:                    simState(r.SIM),
		Iccid:                  r.ICCID,
		Imei:                   r.IMEI,
		Model:                  modelName(r.Maker, r.Model),
		Firmware:               r.Firmware,
		RadioOn:                r.Radio,
		AreaCode:               r.Cell.Area,
		CellId:                 r.Cell.ID,
		PhysicalCellId:         r.Cell.PhysicalID,
		Channel:                r.Cell.Channel,
		Band:                   r.Cell.Band,
		AccessTechnology:       r.Access,
		Raw:                    strings.Join(r.Raw, "\n"),
	}
	if best := r.Registrations.Best(); best != nil {
		m.Registration, m.RegistrationWith = new(best.State), string(best.Domain)
		setKnown(&m.AccessTechnology, best.Access)
		setKnown(&m.AreaCode, best.Area)
		setKnown(&m.CellId, best.Cell)
	}
	if c := r.Clock; c != nil && c.Offset != nil {
		m.NetworkUnixS = new(c.Time.Unix())
		m.NetworkZoneMinutes = new(int32(c.Offset.Minutes()))
	}
	doubts := make([]string, len(r.Doubts))
	for i, d := range r.Doubts {
		doubts[i] = d.String()
	}
	m.Nonsense = strings.Join(doubts, "; ")
	return m
}

// setKnown sets a value to one that is known.
func setKnown[T any](to **T, value *T) {
	if value != nil {
		*to = value
	}
}

// wholeDecibels returns a level that is in tenths in whole dBm.
func wholeDecibels(tenths *int32) *int32 {
	if tenths == nil {
		return nil
	}
	return new(int32(math.Round(float64(*tenths) / 10)))
}

// signalSource returns where the best of the levels comes from.
func signalSource(s *cellular.Signal) string {
	for _, l := range []cellular.Level{s.RSRP, s.RSCP, s.RSSI, s.RSRQ, s.SINR} {
		if l.Tenths != nil {
			return l.Source
		}
	}
	return ""
}

// modelName returns maker and model in one, once each.
func modelName(maker, model string) string {
	if strings.HasPrefix(strings.ToLower(model), strings.ToLower(maker)) {
		maker = ""
	}
	name := []rune(strings.TrimSpace(maker + " " + model))
	return string(name[:min(len(name), maxText)])
}

// simState returns the schema's word for the state of a SIM.
func simState(s cellular.SIM) wire.SimState {
	switch s {
	case cellular.SIMReady:
		return wire.SimState_SIM_STATE_READY
	case cellular.SIMPIN:
		return wire.SimState_SIM_STATE_PIN
	case cellular.SIMPUK:
		return wire.SimState_SIM_STATE_PUK
	case cellular.SIMLocked:
		return wire.SimState_SIM_STATE_LOCKED
	case cellular.SIMAbsent:
		return wire.SimState_SIM_STATE_ABSENT
	case cellular.SIMFailed:
		return wire.SimState_SIM_STATE_FAILED
	case cellular.SIMBusy:
		return wire.SimState_SIM_STATE_BUSY
	case cellular.SIMWrong:
		return wire.SimState_SIM_STATE_WRONG
	}
	return wire.SimState_SIM_STATE_UNSPECIFIED
}

// usefulModem reports whether a reading says anything about the state of the modem.
func usefulModem(m *wire.Modem) bool {
	return m.Registration != nil || m.Sim != wire.SimState_SIM_STATE_UNSPECIFIED || m.RadioOn != nil ||
		m.SignalSource != "" || m.Operator != "" || m.OperatorCode != ""
}
