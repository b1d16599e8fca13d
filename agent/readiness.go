package main

import (
	"github.com/stampd/stampd/agent/readiness"
	"github.com/stampd/stampd/pci"
)

// keysNow returns whether the next start finds the keys that this one found.
func (a *agent) keysNow() (queue, member readiness.Key) {
	queue, member = readiness.Present, readiness.Present
	if _, err := pci.LoadKey(a.cfg.Queue.KeyFile); err != nil {
		queue = readiness.Gone
	}
	if a.ledger.Refs == nil {
		member = readiness.Missing
	} else if _, err := pci.LoadKey(a.cfg.Loyalty.MemberKeyFile); err != nil {
		member = readiness.Gone
	}
	return queue, member
}
