package main

import (
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// notify tells systemd that the agent is ready, and from then on that it is alive, as often as the unit's WatchdogSec
// asks (sd_notify(3)). Alive means that the queue answers: a hung disk or a deadlock ends in a restart. The function
// that it returns says that the agent is stopping, unless it starts again. Without systemd nothing happens.
func (a *agent) notify() (stop func(again bool)) {
	_, _ = daemon.SdNotify(false, daemon.SdNotifyReady)
	every, err := daemon.SdWatchdogEnabled(false)
	done := make(chan struct{})
	if err == nil && every > 0 {
		go a.keepWatchdog(every/2, done)
	}
	return func(again bool) {
		close(done)
		if !again {
			_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping)
		}
	}
}

func (a *agent) keepWatchdog(every time.Duration, done <-chan struct{}) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			a.queue.Stats() // does not return while the queue hangs
			_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog)
		}
	}
}
