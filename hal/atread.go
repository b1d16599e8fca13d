package hal

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/stampd/stampd/hal/at"
	"github.com/stampd/stampd/hal/cellular"
)

// asker is one reading of an [ATModem].
type asker struct {
	modem  *ATModem
	ctx    context.Context
	known  *atKnown
	misses int // questions in a row without an answer
}

// readOne asks all there is to ask of one modem: when the port was opened anew meanwhile, who answered may be another than
// at first, and all is asked again.
func (a *asker) readOne() (*cellular.Reading, error) {
	const tries = 3
	for range tries {
		reading, err := a.read()
		if opened, _ := a.modem.port.State(); opened == a.known.opened {
			return reading, err
		}
	}
	return nil, at.ErrGone
}

// read asks all there is to ask.
func (a *asker) read() (*cellular.Reading, error) {
	opened, err := a.modem.port.State()
	if opened != a.known.opened || a.known.refused == nil {
		*a.known = atKnown{opened: opened, refused: make(map[string]int)}
	}
	if a.known.profile == nil || a.known.identity.IMEI == "" || time.Since(a.known.asked) >= atIdentityEvery {
		if err = a.identify(); err != nil {
			return nil, err
		}
	}
	r := a.known.identity
	r.Doubts = slices.Clip(r.Doubts)
	p := a.known.profile
	for _, part := range []func(*cellular.Reading) error{
		a.sim,
		a.registrations,
		a.each(cellular.State()),
		a.signal,
		a.each([]cellular.Query{p.Temperature}),
	} {
		if err = part(&r); err != nil {
			break
		}
	}
	p.Translate(&r)
	return &r, err
}

// identify asks who the modem is, twice: what differs was garbled on its way, and is asked again at the next reading.
func (a *asker) identify() error {
	var r, again cellular.Reading
	if err := a.each(cellular.Identity())(&r); err != nil {
		return err
	}
	if err := a.each(cellular.Identity())(&again); err != nil {
		return err
	}
	a.known.asked = time.Now()
	for _, same := range []struct{ text, again *string }{
		{&r.Maker, &again.Maker}, {&r.Model, &again.Model}, {&r.Firmware, &again.Firmware}, {&r.IMEI, &again.IMEI},
	} {
		if *same.text != *same.again {
			*same.text, a.known.asked = "", time.Time{}
		}
	}
	profile, ok := cellular.ProfileNamed(a.modem.opts.Profile)
	if !ok {
		profile = cellular.ProfileOf(r.Maker, r.Model)
	}
	a.known.identity, a.known.profile, a.known.iccid = r, profile, ""
	return nil
}

// sim asks for the state of the SIM, and for its number when that is not known.
func (a *asker) sim(r *cellular.Reading) error {
	err := a.ask(cellular.SIMQuery(), r)
	if refused, ok := errors.AsType[*at.RefusedError](err); ok {
		r.SIM = cellular.SIMOfError(refused.Final.CMECode())
		err = nil
	}
	if err != nil {
		return err
	}
	m := a.modem
	m.mu.Lock()
	sims := m.sims
	m.mu.Unlock()
	switch {
	case r.SIM == cellular.SIMAbsent || r.SIM == cellular.SIMFailed:
		a.known.iccid = ""
		return nil
	case a.known.iccid != "" && a.known.sims == sims:
		r.ICCID = a.known.iccid
		return nil
	}
	if err := a.iccid(r); err != nil {
		return err
	}
	a.known.iccid, a.known.sims = r.ICCID, sims
	return nil
}

// iccid asks for the number of the SIM, twice, since nothing in it tells whether a digit was lost.
func (a *asker) iccid(r *cellular.Reading) error {
	for _, q := range a.known.profile.ICCID {
		if err := tolerate(a.ask(q, r)); err != nil {
			return err
		}
		if r.ICCID == "" {
			continue
		}
		var again cellular.Reading
		if err := tolerate(a.ask(q, &again)); err != nil {
			return err
		}
		if again.ICCID != r.ICCID {
			r.ICCID = ""
		}
		return nil
	}
	return nil
}

// registrations asks for each network, until the modem is registered with one.
func (a *asker) registrations(r *cellular.Reading) error {
	for _, d := range cellular.Domains() {
		if err := tolerate(a.ask(cellular.RegistrationQuery(d), r)); err != nil {
			return err
		}
		if best := r.Registrations.Best(); best != nil && best.Registered() {
			return nil
		}
	}
	return nil
}

// signal asks for the signal, until nothing is left to ask.
func (a *asker) signal(r *cellular.Reading) error {
	for _, q := range a.known.profile.Signal {
		if err := tolerate(a.ask(q, r)); err != nil || r.Signal.Complete() {
			return err
		}
	}
	return nil
}

// each returns what asks questions one after the other.
func (a *asker) each(queries []cellular.Query) func(*cellular.Reading) error {
	return func(r *cellular.Reading) error {
		for _, q := range queries {
			if err := tolerate(a.ask(q, r)); err != nil {
				return err
			}
		}
		return nil
	}
}

// tolerate returns the errors that end a reading: a refusal does not.
func tolerate(err error) error {
	if _, refused := errors.AsType[*at.RefusedError](err); refused {
		return nil
	}
	return err
}

// ask asks one question and takes in the answer. What the modem always refuses is seldom asked. An answer that is missing
// is no error as long as the next one comes.
func (a *asker) ask(q cellular.Query, r *cellular.Reading) error {
	refused := a.known.refused
	if q.Text == "" {
		return nil
	}
	if n := refused[q.Text]; q.Prefix != "+CPIN:" && n >= atRefusals && n%atRetry != 0 {
		refused[q.Text]++
		return nil
	}
	answer, err := a.modem.port.Do(a.ctx, a.modem.command(q))
	var no *at.RefusedError
	switch {
	case err == nil:
		a.misses = 0
		delete(refused, q.Text)
		q.Take(r, answer.Lines)
		return nil
	case errors.As(err, &no):
		a.misses = 0
		if neverTakes(no.Final) {
			refused[q.Text]++
		}
		return err
	case errors.Is(err, at.ErrSilent), errors.Is(err, at.ErrGarbled):
		if a.misses++; a.misses < atMisses {
			return nil
		}
	}
	return err
}

// neverTakes reports whether a refusal may be for good: the modem does not know the command.
func neverTakes(f at.Final) bool {
	switch f.Kind {
	case at.Error, at.Unsupported:
		return true
	}
	code := f.CMECode()
	return code == at.CodeNotAllowed || code == at.CodeNotSupported
}
