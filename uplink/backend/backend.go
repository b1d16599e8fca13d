// Package backend is the reference backend in one process: gateway, log, cards and lander, built and started in one place.
//
// The command stampd-backend runs it, and end-to-end tests do. Read Open for what there is, and Run for how it starts
// and stops. It decides nothing about terminals: that is package gateway's, and what is stored is package eventlog's.
package backend

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"

	"github.com/stampd/stampd/uplink/backend/cards"
	"github.com/stampd/stampd/uplink/backend/deny"
	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/backend/gateway"
	"github.com/stampd/stampd/uplink/backend/land"
	"github.com/stampd/stampd/uplink/backend/programme"
	"github.com/stampd/stampd/uplink/backend/settings"
)

// How long each part may take to stop; the process is to end within 5 s.
const (
	streamsWait = time.Second
	landWait    = 3 * time.Second
	abortWait   = 500 * time.Millisecond
)

// Options is what a backend needs.
type Options struct {
	Listen string // address to serve terminals on, "host:port"
	Dir    string // folder of the log; made when it is missing

	CertFile string // the server's certificate, PEM
	KeyFile  string // its key, PEM
	CAFile   string // the authority that terminals' certificates must come from, PEM

	ESTListen string        // address to enrol terminals on, "host:port"; empty: none is enrolled
	CADir     string        // folder of the authority that issues their certificates; wanted with ESTListen
	CertLife  time.Duration // how long these last; the authority's default when 0

	LandDir   string        // folder to land Parquet files in; Dir/parquet when empty
	RollRows  int           // rows after which a file is begun anew; the lander's default when 0
	RollEvery time.Duration // how long a row waits to be landed; the lander's default when 0

	LeaseTTL  time.Duration // how long a terminal keeps the right to give a reward offline; 24 h when 0
	LeasesOff bool          // terminals get such rights only when they ask
	EchoAfter time.Duration // how long a terminal waits for what became of its own stamps; the gateway's default when 0

	Name    string         // the gateway's name, stored with every record
	Version string         // for the log
	Logger  zerolog.Logger // the zero Logger is silent
}

// Backend is a backend that is built, and listens, and serves nobody before Run.
type Backend struct {
	logger   zerolog.Logger
	version  string
	log      *eventlog.Log
	lander   *land.Runner
	deny     *deny.List
	rules    *programme.Store
	settings *settings.Store
	cards    *cards.Index
	enrol    *enrolment // nil when nobody is enrolled
	gateway  *gateway.Gateway
	server   *grpc.Server
	listener *gateway.Listener
}

// Open builds a backend. When it returns an error, a *[Problem] says what to do about it, and nothing is left open.
func Open(o Options) (_ *Backend, err error) {
	if o.LandDir == "" {
		o.LandDir = filepath.Join(o.Dir, "parquet")
	}
	b := &Backend{logger: o.Logger, version: o.Version}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	gatewayLog := o.Logger.With().Str("part", "gateway").Logger()
	cfg, err := gateway.LoadTLS(o.CertFile, o.KeyFile, o.CAFile, gatewayLog)
	if err != nil {
		return nil, certificateProblem(err)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, folderProblem(fmt.Errorf("cannot make data folder: %w", err), o.Dir, "--dir")
	}
	if b.log, err = eventlog.Open(filepath.Join(o.Dir, "log.db")); err != nil {
		return nil, folderProblem(err, o.Dir, "--dir")
	}
	b.lander, err = land.New(land.Options{
		Log: b.log, Dir: o.LandDir, RollRows: o.RollRows, RollEvery: o.RollEvery,
		Logger: o.Logger.With().Str("part", "land").Logger(),
	})
	if err != nil {
		return nil, folderProblem(err, o.LandDir, "--land-dir")
	}
	if b.deny, err = deny.Open(DenyDir(o.Dir)); err != nil {
		return nil, denyProblem(err, o.Dir)
	}
	cfg.VerifyConnection = b.deny.VerifyConnection
	if err := b.openCards(o); err != nil {
		return nil, err
	}
	if b.settings, err = settings.Open(SettingsDir(o.Dir)); err != nil {
		return nil, folderProblem(err, o.Dir, "--dir")
	}
	b.gateway = gateway.New(gateway.Options{
		Log: b.log, Name: o.Name, Logger: gatewayLog, Deny: b.deny, Cards: b.cards, Programmes: b.rules, Settings: b.settings, EchoAfter: o.EchoAfter,
	})
	b.server = gateway.NewServer(b.gateway, gateway.NewCredentials(cfg, gatewayLog))
	quiet := net.ListenConfig{KeepAlive: -1} // gRPC probes terminals that say nothing; TCP would do so every 15 s, and they pay for it
	listener, err := quiet.Listen(context.Background(), "tcp", o.Listen)
	if err != nil {
		return nil, listenProblem(fmt.Errorf("cannot serve terminals: %w", err), "--listen")
	}
	b.listener = gateway.NewListener(listener)
	if o.ESTListen != "" {
		if b.enrol, err = openEnrolment(o, cfg, b.deny); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// SettingsDir returns the folder of the terminals' settings of a backend whose log is in dir.
func SettingsDir(dir string) string { return filepath.Join(dir, "settings") }

// DenyDir returns the folder of the deny list of a backend whose log is in dir.
func DenyDir(dir string) string { return filepath.Join(dir, "deny") }

// Addr returns the address that terminals are served on.
func (b *Backend) Addr() net.Addr { return b.listener.Addr() }

// Run serves terminals and lands what they send until ctx ends; then it ends their streams, lands what the log has and
// returns nil, all within 5 s. An error is final: what a part of it had on the way to the disk is not known, and the
// process must be started anew. Call it once; nothing is left open afterwards.
func (b *Backend) Run(ctx context.Context) error {
	// The lander outlives the streams, so that it lands the last of what they bring.
	landing, stopLanding := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLanding()
	landed := make(chan error, 1)
	go func() { landed <- b.lander.Run(landing) }()
	go b.deny.Watch(landing, b.logger)
	go b.settings.Watch(landing)
	folded := b.fold(landing)
	served := make(chan error, 1)
	go func() { served <- b.server.Serve(b.listener) }()
	enrolled := b.enrol.serve()
	b.logger.Info().Stringer("address", b.Addr()).Str("version", b.version).Uint64("head", b.log.Head()).Msg("ready")

	var failure error
	select {
	case <-ctx.Done():
		b.logger.Info().Msg("stopping")
	case <-b.log.Failed():
		failure = errors.New("cannot store: the log's commit failed")
	case err := <-served:
		failure = fmt.Errorf("cannot serve: %w", err)
	case err := <-enrolled:
		failure = fmt.Errorf("cannot enrol: %w", err)
	case failure = <-landed:
		landed <- nil // it has ended
	}
	b.enrol.close()
	b.stopStreams()
	stopLanding()
	<-folded
	failure = errors.Join(failure, b.cards.Close())
	err, ended := await(landed, landWait)
	failure = errors.Join(failure, err)
	if err := b.log.Close(); err != nil {
		failure = errors.Join(failure, fmt.Errorf("cannot close log: %w", err))
	}
	if !ended {
		// Without its log the lander ends at once; what it was about is landed again after the next start.
		_, _ = await(landed, abortWait)
		b.logger.Warn().Msg("not all is landed; the rest follows after the next start")
	}
	if failure == nil {
		b.logger.Info().Msg("stopped")
	}
	return failure
}

// await returns what the lander returned, and whether it ended in time.
func await(landed <-chan error, patience time.Duration) (error, bool) {
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case err := <-landed:
		return err, true
	case <-late.C:
		return nil, false
	}
}

// stopStreams ends all streams, politely for a second. What they brought by then is stored.
func (b *Backend) stopStreams() {
	b.gateway.Stop()
	impolite := time.AfterFunc(streamsWait, func() {
		b.listener.CloseConns()
		b.server.Stop()
	})
	b.server.GracefulStop()
	impolite.Stop()
}

// close undoes Open.
func (b *Backend) close() {
	if b.server != nil {
		b.server.Stop()
	}
	if b.listener != nil {
		_ = b.listener.Close()
	}
	if b.cards != nil {
		_ = b.cards.Close()
	}
	if b.log != nil {
		_ = b.log.Close() // nothing was written
	}
}
