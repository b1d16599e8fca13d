package collect

import (
	"slices"
	"strings"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// trouble is what is wrong with the terminal: any of the bits below.
type trouble uint16

const (
	troubleOffline      trouble = 1 << 0 // the backend can't be reached for longer than offlineAfter
	troubleRegistration trouble = 1 << 1 // a modem is not registered with a network
	troubleSIM          trouble = 1 << 2 // a SIM is missing, locked or broken
	troubleModemGone    trouble = 1 << 3 // a modem that was there can't be read
	troubleBatteryHot   trouble = 1 << 4
	troubleBatteryFault trouble = 1 << 5 // the gauge says that the battery is not well
	troubleBatteryGone  trouble = 1 << 6 // a battery that was there can't be read
	troubleHostHot      trouble = 1 << 7
	troubleDisk         trouble = 1 << 8 // next to no space is left where the queue is
)

// What hangs together: while one of these is wrong, the sources that concern them are read faster.
const (
	ofModem   = troubleRegistration | troubleSIM
	ofBattery = troubleBatteryHot | troubleBatteryFault
	ofHost    = troubleHostHot | troubleDisk
	ofParts   = troubleModemGone | troubleBatteryGone

	concernsLink  = troubleOffline | ofModem | troubleModemGone
	concernsPower = ofBattery | troubleBatteryGone | troubleHostHot
	concernsHost  = ofHost | troubleBatteryHot
)

// Where trouble begins, and where it is over again: what is measured flickers.
const (
	offlineAfter = 5 * time.Minute // a cell that is left, a gateway that restarts

	batteryHot, batteryCooled = 600, 550 // tenths of a degree: what most cells may have at most while they give charge
	hostHot, hostCooled       = 800, 750 // tenths of a degree: where boards hold their processor back

	diskFull, diskFreed = 20, 12 // what is free is less than one part in twenty, and more than one in twelve
)

// String names what is wrong.
func (t trouble) String() string {
	var names []string
	for i, name := range []string{
		"offline", "not registered", "SIM", "modem gone", "battery hot", "battery unwell", "battery gone", "processor hot", "disk full",
	} {
		if t&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// judgeBatteries returns what is wrong after a look at the batteries. What they do not say stays as it was.
func judgeBatteries(before trouble, readings []*wire.Battery) trouble {
	var hottest *int32
	var words []string
	for _, r := range readings {
		if t := r.TemperatureDecicelsius; t != nil && (hottest == nil || *t > *hottest) {
			hottest = t
		}
		if r.Health != "" {
			words = append(words, r.Health)
		}
	}
	now := before
	if hottest != nil {
		now = now.set(troubleBatteryHot, *hottest >= batteryHot, *hottest < batteryCooled)
	}
	if len(words) > 0 {
		ill := slices.ContainsFunc(words, unwell)
		now = now.set(troubleBatteryFault, ill, !ill)
	}
	return now
}

// unwell reports whether the kernel's word for a battery's health is one for a battery that must not go on so
// (POWER_SUPPLY_HEALTH_TEXT, drivers/power/supply/power_supply_sysfs.c). Words that no kernel has mean nothing.
func unwell(health string) bool {
	return slices.Contains([]string{
		"Overheat", "Hot", "Dead", "Over voltage", "Under voltage", "Unspecified failure", "Cold", "Watchdog timer expire",
		"Safety timer expire", "Over current", "Blown fuse", "Cell imbalance",
	}, health)
}

// judgeModems returns what is wrong after the modems were read.
func judgeModems(before trouble, readings []*wire.Modem) trouble {
	var lost, registered, bad, good bool
	for _, r := range readings {
		switch {
		case r.Registration == nil, r.RadioOn != nil && !*r.RadioOn: // unknown, or switched off on purpose
		case slices.Contains([]uint32{0, 2, 3, 4, 8}, *r.Registration): // TS 27.007, clause 10.1.22: none, searching, denied, unknown, emergency
			lost = true
		default:
			registered = true
		}
		switch r.Sim {
		case wire.SimState_SIM_STATE_UNSPECIFIED, wire.SimState_SIM_STATE_BUSY:
		case wire.SimState_SIM_STATE_READY:
			good = true
		default:
			bad = true
		}
	}
	return before.set(troubleRegistration, lost, registered && !lost).set(troubleSIM, bad, good && !bad)
}

// judgeHost returns what is wrong after the host was read.
func judgeHost(before trouble, r *wire.Host) trouble {
	now := before
	if t := r.TemperatureDecicelsius; t != nil {
		now = now.set(troubleHostHot, *t >= hostHot, *t < hostCooled)
	}
	if r.DiskFreeBytes != nil && r.DiskTotalBytes != nil {
		free, total := *r.DiskFreeBytes, *r.DiskTotalBytes
		now = now.set(troubleDisk, free < total/diskFull, free > total/diskFreed)
	}
	return now
}

// judgeParts returns what is wrong when these parts are missing that were there.
func judgeParts(before trouble, missing []string) trouble {
	now := before &^ ofParts
	for _, part := range missing {
		switch kind, _, _ := strings.Cut(part, "/"); kind {
		case "modem":
			now |= troubleModemGone
		case "battery":
			now |= troubleBatteryGone
		}
	}
	return now
}

// judgeLink returns what is wrong after the backend could not be reached for so long; zero means that it can be.
func judgeLink(before trouble, offline time.Duration) trouble {
	return before.set(troubleOffline, offline >= offlineAfter, offline == 0)
}

// set returns the troubles with one more when it begins, and with one less when it ends.
func (t trouble) set(one trouble, begins, ends bool) trouble {
	switch {
	case begins:
		return t | one
	case ends:
		return t &^ one
	}
	return t
}
