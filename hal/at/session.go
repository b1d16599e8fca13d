package at

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

const (
	// maxMisses is how many commands in a row may go without an answer before the modem must answer AT again.
	maxMisses = 3
	// slipLimit is for how long after a late answer others may come late.
	slipLimit = 30 * time.Second
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

	misses int       // commands in a row without an answer
	late   bool      // an answer may still be on its way
	slips  time.Time // when an answer was late last
	probes int       // see settle

	came   int // bytes since
	period time.Time
}

// newSession returns a session on an open port. late tells that answers may come to what was asked before it was opened.
func newSession(stream Stream, opts *Options, late bool) *session {
	return &session{
		stream: stream,
		opts:   opts,
		late:   late,
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
		var answer Answer
		if s.late {
			err = s.settle(ctx)
		}
		if err == nil {
			answer, err = s.ask(ctx, r.command)
		}
		if err == nil && s.doubtful(r.command) {
			answer, err = s.again(ctx, r.command, answer)
		}
		switch {
		case err == nil:
			r.reply <- reply{answer: answer, err: refused(answer)}
			if answer.Final.Kind == Connect { // data mode: only the end of the connection ends it for sure
				return ErrGarbled
			}
			s.late = s.late || s.strange(r.command, answer)
			continue
		case unanswered(err):
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

// unanswered reports whether an error says that a command has no answer, and nothing worse.
func unanswered(err error) bool { return errors.Is(err, ErrSilent) || errors.Is(err, ErrGarbled) }

// tells reports whether the answer to a command has lines.
func tells(c Command) bool {
	return c.Prefix != "" || strings.HasPrefix(c.Text, "AT+") && !strings.Contains(c.Text, "=")
}

// strange reports whether an answer may be that of another command: it ends without what it is for.
func (s *session) strange(c Command, a Answer) bool {
	return tells(c) && len(a.Lines) == 0 && (a.Final.Kind == OK || c.Prefix == "" || s.slipped())
}

// slipped reports whether an answer was late not long ago: one that was given up may still come.
func (s *session) slipped() bool { return !s.slips.IsZero() && time.Since(s.slips) < slipLimit }

// doubtful reports whether a late answer to another command would be taken for the answer to this one: it has no prefix.
func (s *session) doubtful(c Command) bool { return c.Prefix == "" && tells(c) && s.slipped() }

// again asks a command again that has been answered, and returns an answer if both are the same.
func (s *session) again(ctx context.Context, c Command, first Answer) (Answer, error) {
	second, err := s.ask(ctx, c)
	if err != nil {
		return Answer{}, err
	}
	if !slices.Equal(first.Lines, second.Lines) || first.Final != second.Final {
		s.late, s.slips = true, time.Now()
		return Answer{}, ErrGarbled
	}
	return second, nil
}

// refused returns the error of an answer that is not OK.
func refused(a Answer) error {
	if a.Final.Kind == OK {
		return nil
	}
	return &RefusedError{Final: a.Final}
}

// ask sends a command and takes in what comes until it is answered.
func (s *session) ask(ctx context.Context, c Command) (Answer, error) {
	if err := s.write(c.Text + "\r"); err != nil {
		return Answer{}, err
	}
	return s.await(ctx, c)
}

// await takes in what comes until a command is answered that has been sent.
func (s *session) await(ctx context.Context, c Command) (Answer, error) {
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
			s.late, s.slips = true, time.Now()
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
