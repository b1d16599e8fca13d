package at

import (
	"context"
	"time"
)

const (
	// syncTimeout is how long a modem may take for AT: it asks nothing of the network.
	syncTimeout = time.Second
	// wakeTimeout is how long it may take for the first AT: what is sent to a port that was opened just now may be lost, and the
	// modem is to answer within two seconds of its return.
	wakeTimeout = 400 * time.Millisecond
	// syncTries is how often AT is tried in a row before the port is opened anew.
	syncTries = 3
	// quiet is how long nothing may come after an answer that was late, until the next command is asked.
	quiet = 50 * time.Millisecond
	// quietLimit is how long that is waited for.
	quietLimit = 500 * time.Millisecond
	// settleQuiet is how long no end of an answer may come from a modem that has no answer to a probe, until it is believed
	// that none is to come.
	settleQuiet = syncTimeout
	// settleLimit is how long that is waited for.
	settleLimit = 3 * time.Second
)

// sync makes the modem listen: it answers AT, sends no echo, and gives numbers for errors. ESC ends a prompt that an
// earlier program left. Who asks meanwhile waits.
func (s *session) sync(ctx context.Context) error {
	if err := s.wake(ctx); err != nil {
		return err
	}
	setup := append([]Command{{Text: "ATE0"}, {Text: "AT+CMEE=1"}}, s.opts.Setup...)
	for _, c := range setup {
		if c.Timeout <= 0 {
			c.Timeout = DefaultTimeout
		}
		_, err := s.ask(ctx, c)
		if unanswered(err) { // a modem may hang on a command that it does not know
			err = s.settle(ctx)
		}
		if err != nil {
			return err
		}
	}
	if s.late {
		return s.settle(ctx)
	}
	return nil
}

// wake asks AT until it is answered.
func (s *session) wake(ctx context.Context) error {
	var err error
	timeout := wakeTimeout
	for try := range syncTries {
		if try > 0 {
			timeout = syncTimeout
			if err := s.write("\x1b\r"); err != nil {
				return err
			}
			if err := s.drain(ctx); err != nil {
				return err
			}
		}
		_, err = s.ask(ctx, Command{Text: "AT", Timeout: timeout})
		if !unanswered(err) {
			return err
		}
	}
	return err
}

// probe returns the n-th question whose answer is mistaken for no other: nobody else asks it, and the next is another. Both
// are of 3GPP TS 27.007, clauses 9.1 and 5.5.
func probe(n int) Command {
	if n%2 == 0 {
		return Command{Text: "AT+CMEE?", Prefix: "+CMEE:"}
	}
	return Command{Text: "AT+CSCS?", Prefix: "+CSCS:"}
}

// settle waits until late answers have come, and sees that the modem answers what it is asked: AT would not tell, since
// the OK to it looks like any other. When it fails, the next answer may still be that of an earlier command.
func (s *session) settle(ctx context.Context) error {
	if err := s.drain(ctx); err != nil {
		return err
	}
	p := probe(s.probes)
	p.Timeout = syncTimeout
	s.probes++
	misses := s.misses
	answer, err := s.ask(ctx, p)
	for until := time.Now().Add(settleLimit); err == nil && len(answer.Lines) == 0; {
		// The end of an earlier answer, or the modem does not know the probe.
		p.Timeout = settleQuiet
		if answer, err = s.await(ctx, p); unanswered(err) {
			s.misses, err = 0, nil
			break
		}
		if time.Now().After(until) {
			s.misses, err = misses+1, ErrGarbled
		}
	}
	if err != nil {
		return err
	}
	s.late = false
	return s.drain(ctx)
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
