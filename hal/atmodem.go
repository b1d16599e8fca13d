package hal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stampd/stampd/hal/at"
	"github.com/stampd/stampd/hal/cellular"
	"github.com/stampd/stampd/uplink/wire"
)

const (
	// atReadLimit is how long a whole reading may take.
	atReadLimit = 10 * time.Second
	// atMisses is how many questions in a row may stay without an answer before the reading is given up.
	atMisses = 2
	// atRefusals is how often in a row a question may be refused before it is asked in every atRetry-th reading alone.
	atRefusals, atRetry = 3, 16
	// atIdentityEvery is how often the modem is asked for what stays the same: a bad line may have changed it.
	atIdentityEvery = time.Hour
)

// ATOptions is what an [ATModem] is made of.
type ATOptions struct {
	// Name is what it is called: 1 to 57 characters.
	Name string
	// Open opens its port, and Watch tells when it is back; see at.Options.
	Open  func() (at.Stream, error)
	Watch func() (back <-chan struct{}, stop func(), err error)
	// Profile is the name of its profile in package cellular. Empty means that the modem is asked who made it.
	Profile string
	// Timeout is how long the modem may take for an answer that does not ask the network. Zero means 2 seconds.
	Timeout time.Duration
	// Changed is told when the modem says by itself that its registration or its SIM changed, and when it comes or goes.
	// It must return soon. Nil means that nobody wants to know.
	Changed func()
}

// ATModem is the driver for a modem that is asked with AT commands. It keeps the port open, since the modem tells of
// changes by itself. It is safe for concurrent use.
type ATModem struct {
	opts ATOptions
	port *at.Port

	reading sync.Mutex // held while the modem is read: guards what is known
	known   atKnown

	mu   sync.Mutex             // guards all below
	regs cellular.Registrations // as last told
	sims int                    // how often the modem told of its SIM by itself
}

// atKnown is what stays the same as long as the port is open.
type atKnown struct {
	opened   uint64
	asked    time.Time // when the identity was
	identity cellular.Reading
	profile  *cellular.Profile
	iccid    string         // of the SIM that was there when sims was
	sims     int            // see ATModem
	refused  map[string]int // by command, how often in a row
}

// NewATModem returns the modem. Its port is opened from now on whenever it is there, until Close.
func NewATModem(opts ATOptions) *ATModem {
	if opts.Changed == nil {
		opts.Changed = func() {}
	}
	m := &ATModem{opts: opts}
	var setup []at.Command
	for _, q := range cellular.Setup() {
		setup = append(setup, m.command(q))
	}
	m.port = at.NewPort(at.Options{
		Open:        opts.Open,
		Watch:       opts.Watch,
		Setup:       setup,
		Unsolicited: m.hear,
		Changed:     opts.Changed,
	})
	return m
}

// Name returns the name that it was given.
func (m *ATModem) Name() string { return m.opts.Name }

// Close lets go of the port.
func (m *ATModem) Close() { m.port.Close() }

// State returns nil while the modem answers, else why it can't be read. It asks nothing.
func (m *ATModem) State() error {
	_, err := m.port.State()
	return atError(err)
}

// hear takes in what the modem says by itself.
func (m *ATModem) hear(line string) {
	if r, ok := cellular.ParseRegistration(line); ok {
		if m.registered(r) {
			m.opts.Changed()
		}
		return
	}
	for _, prefix := range []string{"+CPIN:", "+QUSIM:", "+QSIMSTAT:", "+UUSIMSTAT:", "+SIMCARD:"} {
		if strings.HasPrefix(line, prefix) {
			m.mu.Lock()
			m.sims++
			m.mu.Unlock()
			m.opts.Changed()
			return
		}
	}
}

// registered takes in a registration and reports whether the state that is gone by has changed.
func (m *ATModem) registered(r cellular.Registration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.regs.Best()
	m.regs.Set(r)
	after := m.regs.Best()
	return before == nil || after == nil || before.State != after.State || before.Domain != after.Domain
}

// Read asks the modem for its state. What a refusal tells, as that there is no SIM, is taken in too.
func (m *ATModem) Read(ctx context.Context) (*wire.Modem, error) {
	m.reading.Lock()
	defer m.reading.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(ctx, atReadLimit)
	defer cancel()
	a := &asker{modem: m, ctx: within, known: &m.known}
	reading, err := a.readOne()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded) && reading != nil: // it answers, and slowly: what it said so far counts
	case err != nil:
		return nil, fmt.Errorf("cannot read modem %s: %w", m.opts.Name, atError(err))
	}
	m.mu.Lock()
	m.regs = slices.Clone(reading.Registrations) // what the modem tells meanwhile is not for the reader
	m.mu.Unlock()
	got := modemReading(m.opts.Name, reading)
	if !usefulModem(got) {
		return nil, fmt.Errorf("cannot read modem %s: %w", m.opts.Name, ErrUnusable)
	}
	return got, nil
}

// command returns a question as package at takes it.
func (m *ATModem) command(q cellular.Query) at.Command {
	c := at.Command{Text: q.Text, Prefix: q.Prefix, Mine: q.Mine, Timeout: q.Timeout}
	if c.Timeout == 0 {
		c.Timeout = m.opts.Timeout
	}
	return c
}

// atError returns the error of this package that one of package at is.
func atError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, at.ErrSilent), errors.Is(err, context.DeadlineExceeded):
		return ErrHung
	case errors.Is(err, at.ErrGarbled), errors.Is(err, at.ErrBusy):
		return ErrUnusable
	}
	return ErrGone
}
