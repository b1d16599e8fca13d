package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/uplink/block/blocktest"
	"github.com/stampd/stampd/uplink/wire"
)

// terminal is the hardware around an agent that changes as that of a terminal in a shop does, without payments: a battery,
// as the kernel would show it, and a virtual modem on a real tty.
type terminal struct {
	sys   string // where sysfs is
	slot  *haltest.Slot
	modem *haltest.Modem
	shop  *blocktest.Terminal
	every time.Duration

	cancel context.CancelFunc
	lives  sync.WaitGroup
}

// newTerminal makes the hardware below a folder. It changes each minute of a day that passes that many times as fast. close
// ends it.
func newTerminal(dir string, number uint64, times int) (*terminal, error) {
	ctx, cancel := context.WithCancel(context.Background())
	t := &terminal{
		sys: filepath.Join(dir, "sys"), slot: haltest.NewSlot(filepath.Join(dir, "ttyUSB2")), every: time.Minute / time.Duration(times),
		shop: blocktest.New(blocktest.Options{Number: number, Every: time.Minute, Payments: 1e-9}), cancel: cancel,
	}
	// What is not asked for by a round stays as it is.
	answers, err := haltest.ParseTranscript(`
> AT+CGMI
< Quectel
< OK
> AT+CGMM
< EC25
< OK
> AT+CGMR
< EC25EFAR06A08M4G
< OK
> AT+CGSN
< 352099001761481
< OK
> AT+CPIN?
< +CPIN: READY
< OK
> AT+QCCID
< +QCCID: 898604B2012290748345
< OK
> AT+CFUN?
< +CFUN: 1
< OK
`)
	if err != nil {
		return nil, err
	}
	t.modem = haltest.NewModem(answers)
	for range 300 { // until a battery that began low is charged
		t.shop.Round()
	}
	if err := errors.Join(t.pass(), t.slot.Plug(t.modem)); err != nil {
		t.close()
		return nil, err
	}
	t.lives.Go(func() {
		for tick := time.NewTicker(t.every); ; {
			select {
			case <-tick.C:
				_ = t.pass() // a reading that stays the same is no worse
			case <-ctx.Done():
				tick.Stop()
				return
			}
		}
	})
	return t, nil
}

func (t *terminal) close() {
	t.cancel()
	t.lives.Wait()
	t.slot.Unplug()
}

// pass lets a minute pass.
func (t *terminal) pass() (err error) {
	for _, e := range t.shop.Round() {
		switch {
		case e.GetBattery() != nil:
			err = errors.Join(err, t.charge(e.GetBattery()))
		case e.GetModem() != nil:
			t.receive(e.GetModem(), e.GetClock().GetWallUnixMs())
		}
	}
	return err
}

// charge writes what the kernel would tell of a battery (Documentation/ABI/testing/sysfs-class-power).
func (t *terminal) charge(b *wire.Battery) error {
	status := map[wire.ChargeStatus]string{
		wire.ChargeStatus_CHARGE_STATUS_CHARGING:    "Charging",
		wire.ChargeStatus_CHARGE_STATUS_DISCHARGING: "Discharging",
		wire.ChargeStatus_CHARGE_STATUS_FULL:        "Full",
	}[b.GetStatus()]
	online := "0"
	if b.GetExternalPower() {
		online = "1"
	}
	whole := func(n int64) string { return strconv.FormatInt(n, 10) }
	return errors.Join(
		plug(filepath.Join(t.sys, "class/power_supply", b.GetName()), map[string]string{
			"type": "Battery", "present": "1", "status": status, "health": b.GetHealth(),
			"capacity": whole(int64(b.GetCapacityPercent())), "voltage_now": whole(b.GetVoltageUv()),
			"current_now": whole(b.GetCurrentUa()), "temp": whole(int64(b.GetTemperatureDecicelsius())),
			"charge_full": whole(b.GetChargeFullUah()), "charge_full_design": whole(b.GetChargeFullDesignUah()),
			"cycle_count": whole(int64(b.GetCycles())),
		}),
		plug(filepath.Join(t.sys, "class/power_supply/charger"), map[string]string{"type": "Mains", "online": online}),
	)
}

// plug writes files, each as a whole.
func plug(dir string, files map[string]string) error {
	err := os.MkdirAll(dir, 0o700)
	for name, content := range files {
		file, next := filepath.Join(dir, name), filepath.Join(filepath.Dir(dir), "."+name)
		err = errors.Join(err, os.WriteFile(next, []byte(content+"\n"), 0o600), os.Rename(next, file))
	}
	return err
}

// receive has the modem answer what it receives: 3GPP TS 27.007, and Quectel's EC25&EC21 AT Commands Manual.
func (t *terminal) receive(m *wire.Modem, wallMs int64) {
	const technology = 7 // E-UTRAN
	t.modem.Answer("AT+CEREG?", fmt.Sprintf(`+CEREG: 2,%d,"%X","%X",%d`, m.GetRegistration(), m.GetAreaCode(), m.GetCellId(), technology), "OK")
	t.modem.Answer("AT+COPS?", fmt.Sprintf(`+COPS: 0,0,%q,%d`, m.GetOperator(), technology), "OK")
	t.modem.Answer("AT+CCLK?", fmt.Sprintf(`+CCLK: "%s+00"`, time.UnixMilli(wallMs).UTC().Format("06/01/02,15:04:05")), "OK")
	t.modem.Answer(`AT+QENG="servingcell"`, fmt.Sprintf(`+QENG: "servingcell","NOCONN","LTE","FDD",262,01,%X,188,6300,20,3,3,%X,%d,%d,%d,%d,23`,
		m.GetCellId(), m.GetAreaCode(), m.GetRsrpDecidbm()/10, m.GetRsrqDecidb()/10, m.GetRssiDbm(), m.GetSinrDecidb()/10), "OK")
	t.modem.Answer("AT+QTEMP", fmt.Sprintf("+QTEMP: %[1]d,%[1]d,%[1]d", m.GetTemperatureDecicelsius()/10), "OK")
}
