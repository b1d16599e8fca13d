package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/agent/collect"
	"github.com/stampd/stampd/agent/localapi"
	"github.com/stampd/stampd/agent/settings"
	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/block"
	"github.com/stampd/stampd/uplink/est"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

// How long each part may take to stop. Together they stay under the 5 seconds that the init system and the docs promise.
const (
	apiPatience   = 1 * time.Second // for calls in progress
	flushPatience = 2 * time.Second // for one attempt to send what is queued
)

// trafficFile keeps what the uplink's days cost, beside the queue.
const trafficFile = "traffic.json"

// errSettings means that the agent has ended to be started again, with other settings.
var errSettings = errors.New("settings have changed")

// agent is everything that runs, in the order in which it is built.
type agent struct {
	cfg     Config
	log     zerolog.Logger
	version Version

	settings  *settings.Store // what the backend has a say in; nil when it has none
	clock     *hal.Clock
	guard     *pci.Guard
	queue     *buffer.Queue
	unopened  []unopened // what was set aside at the start because its key was not at hand
	ledger    *ledger.Ledger
	uplink    *uplink.Client
	renewer   *est.Renewer
	board     *hal.Board
	collector *collect.Collector
	api       *localapi.Server
}

// run builds the agent bottom-up, runs it until ctx ends, and stops it top-down. What is broken on the terminal (no
// battery, no certificate, no network, a damaged or unwritable queue) is reported by the running agent; an error here
// means that it can't run at all: another one does, its key can't be used, or its socket can't be made. It is [errSettings]
// when the agent is to be started again.
func run(ctx context.Context, cfg Config, store *settings.Store, log zerolog.Logger, version Version) error {
	a := &agent{cfg: cfg, settings: store, log: log, version: version}
	if err := a.build(); err != nil {
		return err
	}
	spareMemory()
	log.Info().Str("version", version.Version).Str("terminal", cfg.Terminal.ID).Str("socket", cfg.Local.Socket).Msg("stampd is ready")
	return errors.Join(a.serve(ctx), a.queue.Close())
}

func (a *agent) build() error {
	cfg := a.cfg
	a.clock = hal.NewClock(cfg.Hardware.ProcRoot)
	a.guard = pci.NewGuard(block.Encode)

	var err error
	if a.queue, err = a.openQueue(); err != nil {
		return err
	}
	own := identity.ID{Terminal: cfg.Terminal.ID, Merchant: cfg.Terminal.Merchant}
	if a.ledger, err = a.newLedger(); err != nil {
		return errors.Join(err, a.queue.Close())
	}
	a.uplink = uplink.New(uplink.Options{
		Queue:   a.queue,
		Backend: cfg.Uplink.Backend,
		TLS: uplink.Files{
			Cert: cfg.Uplink.Cert, Key: cfg.Uplink.Key, CA: cfg.Uplink.CA, ServerName: cfg.Uplink.serverName(),
		},
		Identity:           own,
		AgentVersion:       a.version.Version,
		Clock:              a.clock,
		Cards:              a.ledger,
		Window:             cfg.Uplink.Window,
		BatchBytes:         int(cfg.Uplink.BatchSize),
		BackoffMin:         cfg.Uplink.BackoffMin.Duration,
		BackoffMax:         cfg.Uplink.BackoffMax.Duration,
		FirstContactSpread: cfg.Uplink.FirstContactSpread.Duration,
		StallAfter:         cfg.Uplink.StallAfter.Duration,
		Keepalive:          cfg.Uplink.Keepalive.Duration,
		TelemetryWindow:    cfg.Uplink.TelemetryWindow,
		TelemetryPerDay:    int64(cfg.Uplink.TelemetryPerDay),
		Zone:               a.zone(),
		TrafficFile:        filepath.Join(filepath.Dir(cfg.Queue.Path), trafficFile),
		Proxy:              cfg.Uplink.Proxy,
		ProxyCA:            cfg.Uplink.ProxyCA,
		Settings:           a.uplinkSettings(),
		Alarm:              a.audit,
		Log:                a.log.With().Str("part", "uplink").Logger(),
	})
	a.renewer = a.newRenewer(own)
	a.board = hal.Open(a.profile())
	collecting := collectOptions(cfg)
	collecting.Board, collecting.Clock, collecting.Guard, collecting.Sink = a.board, a.clock, a.guard, a.queue
	collecting.Version = a.version.Version
	collecting.Awaited = a.awaited
	if cfg.Uplink.Backend != "" {
		collecting.Online, collecting.Uplink = a.uplink.Online, a.uplink.Status
	}
	collecting.Audit = a.audit
	collecting.Violated = a.violated
	collecting.Log = a.log.With().Str("part", "collect").Logger()
	a.collector = collect.New(collecting)
	a.api, err = localapi.Listen(localapi.Options{
		Socket:    cfg.Local.Socket,
		POSUIDs:   cfg.Local.POSUIDs,
		AdminUIDs: cfg.Local.AdminUIDs,
		Terminal:  own,
		Version:   a.version.Version,
		Ledger:    a.ledger,
		Guard:     a.guard,
		Queue:     a.queue,
		Uplink:    a.uplink,
		Renewer:   a.renewer,
		Board:     a.board,
		Report:    a.collector.Report,
		Settle:    a.collector.Flush,
		Keys:      a.keysNow,
		Log:       a.log.With().Str("part", "local API").Logger(),
	})
	if err != nil {
		return errors.Join(err, a.queue.Close())
	}
	return nil
}

// serve runs every part until ctx ends or the local API fails, and stops them: first what brings new records, then what
// sends them.
func (a *agent) serve(ctx context.Context) error {
	collecting, stopCollecting := context.WithCancel(context.Background())
	sending, stopSending := context.WithCancel(context.Background())
	defer stopCollecting()
	defer stopSending()
	var collector, sender sync.WaitGroup
	sender.Go(func() { _ = a.uplink.Run(sending) })
	if a.cfg.Uplink.Backend != "" {
		collector.Go(func() { a.renewer.Run(collecting) })
	}
	collector.Go(func() { a.collector.Run(collecting) })
	collector.Go(func() { a.watchClock(collecting) })
	collector.Go(func() { a.watchLimits(collecting) })
	collector.Go(func() { a.reportSetAside(collecting) })
	collector.Go(func() { a.watchSettings(collecting) })
	failed := make(chan error, 1)
	go func() { failed <- a.api.Serve() }()
	again := false
	stopNotifying := a.notify()
	defer func() { stopNotifying(again) }()

	var err error
	select {
	case <-a.settings.Changed():
		err = errSettings
	case <-ctx.Done():
	case err = <-failed:
		err = fmt.Errorf("local API ended: %w", err)
	}
	again = errors.Is(err, errSettings) && ctx.Err() == nil
	a.log.Info().Bool("again", again).Msg("stampd is stopping")

	shutdown, cancel := context.WithTimeout(context.Background(), apiPatience)
	defer cancel()
	err = errors.Join(err, a.api.Shutdown(shutdown))
	stopCollecting()
	collector.Wait()
	readings := a.collector.Stats()
	a.log.Info().Uint64("events", readings.Events).Uint64("refused", readings.Refused).Uint64("dropped", readings.Dropped).Msg("readings since the start")

	if !again { // else the next start is at once, and the POS app waits for it
		flush, cancel := context.WithTimeout(context.Background(), flushPatience)
		defer cancel()
		if waiting, complete := a.uplink.Flush(flush); !complete {
			a.log.Info().Uint64("waiting", waiting).Msg("what is still queued is kept for the next start")
		}
	}
	stopSending()
	sender.Wait()
	a.board.Close()
	return err
}

// zone returns the zone that telemetry is scheduled in.
func (a *agent) zone() *time.Location {
	name := a.cfg.Uplink.TimeZone
	if name == "" {
		return time.Local
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		a.log.Error().Err(err).Msg("time zone can't be used; the system's is")
		return time.Local
	}
	return zone
}

// awaited reports whether readings go to the backend as soon as they are in the queue.
func (a *agent) awaited() bool {
	return a.uplink.Online() && a.uplink.Status().GetHold() == wire.TelemetryHold_TELEMETRY_HOLD_UNSPECIFIED
}

// audit records a security event, and says so in the log if even that fails.
func (a *agent) audit(event *wire.Audit) {
	ctx, cancel := context.WithTimeout(context.Background(), apiPatience)
	defer cancel()
	if err := a.ledger.Audit(ctx, event); err != nil {
		a.log.Error().Err(err).Stringer("kind", event.GetKind()).Msg("security event can't be recorded")
	}
}

// violated records that a reading held what no reading may hold.
func (a *agent) violated(v *pci.Violation) {
	a.audit(&wire.Audit{Kind: wire.AuditKind_AUDIT_KIND_PAN_DETECTED, Subject: v.Field, Found: v.Kind})
}
