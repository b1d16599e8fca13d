package main

import "github.com/stampd/stampd/agent/collect"

// collectOptions returns what the settings say of when and how the terminal is read.
func collectOptions(cfg Config) collect.Options {
	t := cfg.Telemetry
	return collect.Options{
		BatteryEvery:      t.BatteryEvery.Duration,
		HostEvery:         t.HostEvery.Duration,
		ModemEvery:        t.ModemEvery.Duration,
		AppEvery:          t.AppEvery.Duration,
		AppReportEvery:    t.AppReportEvery.Duration,
		NetworkEvery:      t.NetworkEvery.Duration,
		ConnectionEvery:   t.ConnectionEvery.Duration,
		Jitter:            t.Jitter,
		BlockEvery:        t.BlockEvery.Duration,
		UnawaitedEvery:    t.BlockOffline.Duration,
		SpillBelowPercent: cfg.Queue.SpillBelow,
		SlowBelowPercent:  t.SlowBelow,
		FastFor:           t.FastFor.Duration,
	}
}
