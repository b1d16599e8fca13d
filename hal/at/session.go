package at

import (
	"bytes"
	"context"
	"errors"
	"time"
)

const (
	// syncTimeout is how long a modem may take for AT: it asks nothing of the network.
	syncTimeout = time.Second
	// syncTries is how often AT is tried in a row before the port is opened anew.
	syncTries = 3
	// maxMisses is how many commands in a row may go without an answer before the modem must answer AT again.
	maxMisses = 3
	// quiet is how long nothing may come after an answer that was late, until the next command is asked.
	quiet = 50 * time.Millisecond
	// quietLimit is how long that is waited for.
	quietLimit = 500 * time.Millisecond
	// writeLimit is how long a command may take to be sent: the tty takes it at once unless nobody reads.
	writeLimit = time.Second
	// maxEmpty is how many reads in a row may bring nothing.
	maxEmpty = 100
	// maxRate is how much may come within ratePeriod. More is no modem, or a broken one.
	maxRate    = 256 << 10
	ratePeriod = 10 * time.Second
)

// errFlood means that more comes than a modem has to say.
var errFlood = errors.Join(ErrGarbled, errors.New("too much comes"))

// session is one time that the port is open.
type session struct {
	stream   Stream
	opts     *Options
	scanner  Scanner
	dialogue Dialogue

	chunks chan []byte // what was read
	failed chan error  // why no more is read

	misses int  // commands in a row without an answer
	late   bool // an answer may still be on its way
	slips  bool // an answer was late since the port was opened

	came   int // bytes since
	period time.Time
}

func newSession(stream Stream, opts *Options) *session {
	return &session{
		stream: stream,
		opts:   opts,
		chunks: make(chan []byte),
		failed: make(chan error, 1),
	}
}

// run speaks with the modem until the port fails, the modem stops answering, or ctx ends. It calls up once the modem
// answers. When it returns, the stream is closed and nothing reads from it any more.
func (s *session) run(ctx context.Context, requests <-chan *request, up func()) error {
	reading, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.read(reading)
	}()
	defer func() {
		stop()
		_ = s.stream.Close()
		<-done
	}()
	if err := s.sync(ctx); err != nil {
		return err
	}
	up()
	return s.serve(ctx, requests)
}

// read hands on what comes until ctx ends or the stream fails.
func (s *session) read(ctx context.Context) {
	var buf [1024]byte
	empty := 0
	for {
		n, err := s.stream.Read(buf[:])
		if n > 0 {
			select {
			case s.chunks <- bytes.Clone(buf[:n]):
			case <-ctx.Done():
				return
			}
		}
		if empty++; n > 0 {
			empty = 0
		}
		if err == nil && empty > maxEmpty {
			err = ErrGone // what was hung up may read as nothing for ever
		}
		if err != nil {
			s.failed <- err
			return
		}
	}
}

// serve answers requests, one at a time.
func (s *session) serve(ctx context.Context, requests <-chan *request) error {
	for {
		r, err := s.idle(ctx, requests)
		if err != nil {
			return err
		}
		if s.late {
			if err := s.settle(ctx); err != nil {
				r.reply <- reply{err: classify(err)}
				return err
			}
		}
		answer, err := s.ask(ctx, r.command)
		switch {
		case err == nil:
			err = refused(answer)
			r.reply <- reply{answer: answer, err: err}
			if answer.Final.Kind == Connect { // data mode: only the end of the connection ends it for sure
				return ErrGarbled
			}
			// An OK without what it is for may be that of an earlier command.
			s.late = s.late || s.slips && r.command.Prefix != "" && len(answer.Lines) == 0
			continue
		case errors.Is(err, ErrSilent), errors.Is(err, ErrGarbled):
			r.reply <- reply{err: classify(err)}
		default:
			r.reply <- reply{err: classify(err)}
			return err
		}
		if s.misses >= maxMisses {
			if err := s.sync(ctx); err != nil {
				return err
			}
		}
	}
}

// refused returns the error of an answer that is not OK.
func refused(a Answer) error {
	if a.Final.Kind == OK {
		return nil
	}
	return &RefusedError{Final: a.Final}
}

// sync makes the modem listen: it answers AT, sends no echo, and gives numbers for errors. ESC ends a prompt that an
// earlier program left. Who asks meanwhile waits.
func (s *session) sync(ctx context.Context) error {
	var err error
	for try := range syncTries {
		if try > 0 {
			if err := s.write("\x1b\r"); err != nil {
				return err
			}
			if err := s.drain(ctx); err != nil {
				return err
			}
		}
		_, err = s.ask(ctx, Command{Text: "AT", Timeout: syncTimeout})
		if err == nil {
			break
		}
		if !errors.Is(err, ErrSilent) && !errors.Is(err, ErrGarbled) {
			return err
		}
	}
	if err != nil {
		return err
	}
	if s.late {
		if err := s.drain(ctx); err != nil {
			return err
		}
	}
	s.late = false
	setup := append([]Command{{Text: "ATE0"}, {Text: "AT+CMEE=1"}}, s.opts.Setup...)
	for _, c := range setup {
		if c.Timeout <= 0 {
			c.Timeout = DefaultTimeout
		}
		_, err := s.ask(ctx, c)
		if err != nil {
			return err
		}
	}
	return nil
}

// settle waits until a late answer has come or can't come any more, and sees that the modem answers to what is asked.
func (s *session) settle(ctx context.Context) error {
	if err := s.drain(ctx); err != nil {
		return err
	}
	_, err := s.ask(ctx, Command{Text: "AT", Timeout: syncTimeout})
	if errors.Is(err, ErrSilent) || errors.Is(err, ErrGarbled) {
		return nil // the command will tell
	}
	if err != nil {
		return err
	}
	s.late = false
	return s.drain(ctx)
}

// ask sends a command and takes in what comes until it is answered.
func (s *session) ask(ctx context.Context, c Command) (Answer, error) {
	if err := s.write(c.Text + "\r"); err != nil {
		return Answer{}, err
	}
	s.dialogue.Ask(c)
	defer s.dialogue.Give()
	limit := time.NewTimer(c.Timeout)
	defer limit.Stop()
	for {
		select {
		case chunk := <-s.chunks:
			answer, done, err := s.take(chunk)
			if err != nil {
				return Answer{}, err
			}
			if done {
				s.misses = 0
				if answer.Final.Kind == Prompt {
					s.late = true
					err = s.write("\x1b")
				}
				return answer, err
			}
		case err := <-s.failed:
			return Answer{}, err
		case <-limit.C:
			s.misses++
			s.late, s.slips = true, true
			if s.dialogue.heard {
				return Answer{}, ErrGarbled
			}
			return Answer{}, ErrSilent
		case <-ctx.Done():
			return Answer{}, ErrClosed
		}
	}
}

// idle takes in what comes until somebody asks.
func (s *session) idle(ctx context.Context, requests <-chan *request) (*request, error) {
	for {
		select {
		case chunk := <-s.chunks:
			if _, _, err := s.take(chunk); err != nil {
				return nil, err
			}
		case r := <-requests:
			return r, nil
		case err := <-s.failed:
			return nil, err
		case <-ctx.Done():
			return nil, ErrClosed
		}
	}
}

// drain takes in what comes until nothing more does.
func (s *session) drain(ctx context.Context) error {
	end := time.NewTimer(quietLimit)
	defer end.Stop()
	pause := time.NewTimer(quiet)
	defer pause.Stop()
	for {
		select {
		case chunk := <-s.chunks:
			if _, _, err := s.take(chunk); err != nil {
				return err
			}
			pause.Reset(quiet)
		case <-pause.C:
			return nil
		case <-end.C:
			return nil
		case err := <-s.failed:
			return err
		case <-ctx.Done():
			return ErrClosed
		}
	}
}

// take splits what came into lines, and returns the answer that ends in it. What comes after the answer is unsolicited.
func (s *session) take(chunk []byte) (answer Answer, done bool, err error) {
	if now := time.Now(); now.Sub(s.period) > ratePeriod {
		s.period, s.came = now, 0
	}
	s.came += len(chunk)
	s.scanner.Scan(chunk, func(line string) {
		a, end, unsolicited := s.dialogue.Line(line)
		if end {
			answer, done = a, true
		}
		if unsolicited {
			s.opts.Unsolicited(line)
		}
	})
	if s.dialogue.flooded || s.came > maxRate {
		err = errFlood
	}
	return answer, done, err
}

// write sends bytes.
func (s *session) write(text string) error {
	if err := s.stream.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return err
	}
	_, err := s.stream.Write([]byte(text))
	if isTimeout(err) {
		return ErrSilent // nobody reads: the modem hangs
	}
	return err
}

// isTimeout reports whether an error says that a deadline is over.
func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
