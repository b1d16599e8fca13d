package at

import (
	"context"
	"errors"
	"io"
	"sync"
	"syscall"
	"time"
)

// Stream is an open port. What [OpenSerial] returns is one, and so is any net.Conn.
type Stream interface {
	io.ReadWriteCloser
	// SetReadDeadline and SetWriteDeadline make a read or a write that blocks return, as those of net.Conn do. Close
	// does so too.
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

// Options is what a [Port] is made of.
type Options struct {
	// Open opens the port. It may take its time; it is not called while the port is open.
	Open func() (Stream, error)
	// Watch starts to look for the port to come back. The channel gets something when it is worth while to try, until
	// stop is called. Nil, or an error, means that Open is tried once a second.
	Watch func() (back <-chan struct{}, stop func(), err error)
	// Setup are commands that the modem is given each time the port was opened. Whether it takes them is all the same.
	Setup []Command
	// Unsolicited is told each line that the modem sends by itself. It is called from the port's own goroutine, and must
	// return soon. Nil means that nobody wants to know.
	Unsolicited func(line string)
	// Changed is told when the port has been opened and the modem answers, and when that is over. It is called from the
	// port's own goroutine, and must return soon. Nil means that nobody wants to know.
	Changed func()
}

// Pauses before a port is opened again.
const (
	retryFirst = 50 * time.Millisecond // after a port that was good; doubles up to one of those below
	retryGone  = 30 * time.Second      // while it is not there and a watch tells when it is
	retryMost  = time.Second           // while there is no watch, or it is there and can't be opened
	retryHung  = 30 * time.Second      // while it is open and nothing usable comes
)

// doLimit is how long a command waits for its turn and for the port, beside its own time.
const doLimit = 3 * time.Second

// Port is the AT port of one modem. It keeps the port open, opens it again when it comes back, and makes the modem answer
// again when it lost its place. While nothing is asked and nothing comes it takes no processor time. Port is safe for
// concurrent use.
type Port struct {
	opts     Options
	requests chan *request
	cancel   context.CancelFunc
	done     chan struct{}

	mu     sync.Mutex // guards all below
	state  error      // nil while the port is open and the modem answers
	opened uint64     // how often it was opened
	known  bool       // the state is that of an attempt, not of the start
}

// request is a command that waits for its turn.
type request struct {
	command Command
	reply   chan reply // takes one
}

type reply struct {
	answer Answer
	err    error
}

// NewPort returns a port that opens itself, now and for as long as it is not closed.
func NewPort(opts Options) *Port {
	ctx, cancel := context.WithCancel(context.Background())
	if opts.Unsolicited == nil {
		opts.Unsolicited = func(string) {}
	}
	if opts.Changed == nil {
		opts.Changed = func() {}
	}
	p := &Port{
		opts:     opts,
		requests: make(chan *request),
		cancel:   cancel,
		done:     make(chan struct{}),
		state:    ErrGone,
	}
	go p.run(ctx)
	return p
}

// Close closes the port and ends its goroutines. When opening it hangs, that ends on its own later. Commands fail with
// ErrClosed from now on.
func (p *Port) Close() {
	p.cancel()
	limit := time.NewTimer(time.Second)
	defer limit.Stop()
	select {
	case <-p.done:
	case <-limit.C:
	}
}

// State returns nil while the port is open and the modem answers, else why not: ErrGone, ErrBusy, ErrSilent, ErrGarbled
// or ErrClosed. opened tells how often it was opened: what was learned from a modem holds for the same number alone.
func (p *Port) State() (opened uint64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened, p.state
}

// Do gives the modem a command and returns its answer. While the port is not there, Do fails at once. An answer other
// than OK is a *RefusedError; other errors wrap ErrGone, ErrBusy, ErrSilent, ErrGarbled or ErrClosed, or are ctx's. Do
// returns within the command's time and a few seconds, and at once when ctx ends.
func (p *Port) Do(ctx context.Context, c Command) (Answer, error) {
	if err := ctx.Err(); err != nil {
		return Answer{}, err
	}
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	limit := time.NewTimer(c.Timeout + doLimit)
	defer limit.Stop()
	r := &request{command: c, reply: make(chan reply, 1)}
	select {
	case p.requests <- r:
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	case <-p.done:
		return Answer{}, ErrClosed
	case <-limit.C:
		return Answer{}, ErrSilent
	}
	select {
	case got := <-r.reply:
		return got.answer, got.err
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	case <-limit.C:
		return Answer{}, ErrSilent
	}
}

// run opens the port again and again, until ctx ends.
func (p *Port) run(ctx context.Context) {
	defer close(p.done)
	defer p.enter(ErrClosed)
	var w watch
	defer w.stop()
	var last error // why the attempt before failed
	pause := retryFirst
	for ctx.Err() == nil {
		w.start(p.opts.Watch) // before the attempt, so that nothing is missed
		good, err := p.attempt(ctx, &w, unanswered(last))
		if ctx.Err() != nil {
			return
		}
		if good || !errors.Is(classify(err), classify(last)) {
			pause = retryFirst
		}
		last = err
		p.enter(classify(err))
		most := longest(err, w.back != nil)
		if back := p.wait(ctx, &w, min(pause, most)); back {
			pause = retryFirst
			continue
		}
		pause = min(2*pause, most)
	}
}

// errEnded is part of the error of an attempt that had opened the port.
var errEnded = errors.New("the port was open")

// attempt opens the port and speaks with the modem for as long as it can be. good tells that the modem answered.
func (p *Port) attempt(ctx context.Context, w *watch, late bool) (good bool, err error) {
	stream, err := p.opts.Open()
	if err != nil {
		return false, err
	}
	defer func() { _ = stream.Close() }()
	if ctx.Err() != nil {
		return false, ErrClosed
	}
	w.stop()
	err = newSession(stream, &p.opts, late).run(ctx, p.requests, func() {
		good = true
		p.enter(nil)
	})
	w.start(p.opts.Watch)
	return good, errors.Join(errEnded, err)
}

// longest returns how long to wait at most after an attempt that failed. What a watch tells of need not be tried often, but
// a watch tells nothing of a node that stays where it is while its device fails.
func longest(err error, watched bool) time.Duration {
	var errno syscall.Errno
	there := errors.Is(err, errEnded) || errors.As(err, &errno) && errno != syscall.ENOENT && errno != syscall.ENOTDIR
	switch {
	case unanswered(err):
		return retryHung
	case errors.Is(classify(err), ErrGone) && watched && !there:
		return retryGone
	}
	return retryMost
}

// enter changes the state of the port.
func (p *Port) enter(state error) {
	p.mu.Lock()
	changed := !errors.Is(state, p.state) || !p.known
	p.state, p.known = state, true
	if state == nil {
		p.opened++
	}
	p.mu.Unlock()
	if changed {
		p.opts.Changed()
	}
}

// wait waits for the port to come back, no longer than the pause, and reports whether it may be back. Who asks meanwhile is
// told why there is no answer.
func (p *Port) wait(ctx context.Context, w *watch, pause time.Duration) (back bool) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	_, state := p.State()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return false
		case <-w.back:
			w.stop() // what was watched may be gone itself, as /dev/serial/by-id is with the last port
			return true
		case r := <-p.requests:
			r.reply <- reply{err: state}
		}
	}
}

// classify returns the error of this package that an error is, ErrGone when it is none: a device that is unplugged gives
// EIO, ENODEV, ENXIO or the end of the file, as its driver likes.
func classify(err error) error {
	for _, known := range []error{ErrBusy, ErrSilent, ErrGarbled, ErrClosed} {
		if errors.Is(err, known) {
			return known
		}
	}
	return ErrGone
}

// watch is a watch for the port to come back, while it is started.
type watch struct {
	back <-chan struct{}
	end  func()
}

func (w *watch) start(open func() (<-chan struct{}, func(), error)) {
	if w.end != nil || open == nil {
		return
	}
	back, end, err := open()
	if err == nil {
		w.back, w.end = back, end
	}
}

func (w *watch) stop() {
	if w.end != nil {
		w.end()
	}
	*w = watch{}
}
