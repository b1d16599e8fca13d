// Package uplink streams the queue to the backend: one stream over mutual TLS, held open, ledger first, in batches of
// which a bounded number is in flight, each acknowledged once the backend has stored it.
//
// The agent runs one [Client]. The package takes nothing out of the queue but what the backend has acknowledged, and
// knows nothing of what the records hold. wire holds the protocol, identity the names in certificates; backend is the
// other end.
package uplink

import (
	"net"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

// Options is what a client needs. Zero durations and sizes are not defaults: everything must be set, but Backend,
// Cards and Settings.
type Options struct {
	Queue        *buffer.Queue
	Backend      string // host:port; empty means that nothing is sent
	TLS          Files
	Identity     identity.ID // the certificate must bear it
	AgentVersion string
	Clock        *hal.Clock // the backend is told what it shows, and it is told what the backend's shows

	Window             int           // ledger batches in flight, at most
	BatchBytes         int           // payload of one batch, at most; a single larger record goes alone
	BackoffMin         time.Duration // the first wait after a failure is at most this
	BackoffMax         time.Duration // and no wait is longer than this
	FirstContactSpread time.Duration // the first attempt comes at a random moment within this
	StallAfter         time.Duration // a backend that owes an answer for longer is given up
	Keepalive          time.Duration // silence after which the link is probed: less than the carrier's NAT timeout

	TelemetryWindow Window         // the part of the day in which telemetry is sent
	TelemetryPerDay int64          // bytes that telemetry may cost in a day, about; 0 means any
	Zone            *time.Location // of the window and the day; nil means the system's

	TrafficFile string // what was sent and received by day is kept there over a restart; empty means nowhere

	Proxy    Proxy         // on the way to the backend; the zero Proxy is none
	ProxyCA  string        // PEM file of the authorities of an https proxy; empty means the system's
	Resolver *net.Resolver // looks names up; nil means the system's

	Cards    Cards             // keeps what the backend sends of cards and rules; nil: nothing is asked for
	Settings Settings          // takes what the backend sends of settings; nil: none is asked for
	Alarm    func(*wire.Audit) // told of a backend that contradicts the queue, or makes no sense
	Log      zerolog.Logger
}

// Files are the PEM files of the terminal's identity. They are read at each attempt, so that renewed ones are used
// without a restart.
type Files struct {
	Cert       string
	Key        string
	CA         string // the only roots that are trusted
	ServerName string // the name that the backend's certificate must bear
}
