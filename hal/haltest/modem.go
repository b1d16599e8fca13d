package haltest

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fault is how a [Modem] misbehaves.
type Fault string

// The faults of modems, as they are met.
const (
	NoFault Fault = ""
	Hang    Fault = "hang"    // takes commands, and answers nothing
	Deaf    Fault = "deaf"    // does not even read
	Garbage Fault = "garbage" // answers bytes that are no lines of AT
	Flood   Fault = "flood"   // writes lines without end
	Cut     Fault = "cut"     // stops in the middle of each answer
	Lie     Fault = "lie"     // answers OK and nothing else, to whatever is asked
	Refuse  Fault = "refuse"  // answers ERROR, to whatever is asked
	Noise   Fault = "noise"   // drops, doubles and changes some of the bytes that it writes
	Late    Fault = "late"    // answers when nobody waits any more: after LateBy
)

// maxAsked is how many commands are remembered.
const maxAsked = 1000

// LateBy is how long a modem with the fault Late takes for an answer.
const LateBy = 2500 * time.Millisecond

// Modem is a modem that speaks AT on any stream and does as it is told. What it answers comes from a [Transcript]; what
// is not in there is an ERROR. It is safe for concurrent use.
type Modem struct {
	mu      sync.Mutex // guards all below
	answers map[string][]string
	echo    bool
	delay   time.Duration
	inside  []string // unsolicited lines that come within each answer
	fault   Fault
	changed chan struct{} // closed when the fault changes
	asked   []string
	streams map[*speaker]struct{}
}

// speaker is one stream that the modem speaks on.
type speaker struct {
	mu sync.Mutex // guards w: one line at a time
	w  io.Writer
}

func (s *speaker) write(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.w.Write(b)
	return err
}

// NewModem returns a modem that answers as in the transcript, and echoes what it is sent until it is told not to.
func NewModem(t *Transcript) *Modem {
	m := &Modem{
		answers: make(map[string][]string),
		echo:    true,
		changed: make(chan struct{}),
		streams: make(map[*speaker]struct{}),
	}
	for command, answer := range t.answers {
		m.answers[command] = slices.Clone(answer)
	}
	return m
}

// Answer makes the modem answer a command with these lines from now on; the last is the final one.
func (m *Modem) Answer(command string, lines ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answers[strings.ToUpper(command)] = lines
}

// Echo tells the modem whether to send back what it is sent. ATE0 and ATE1 do so too.
func (m *Modem) Echo(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.echo = on
}

// Delay makes the modem think before it answers.
func (m *Modem) Delay(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.delay = d
}

// Interrupt makes the modem put unsolicited lines before and into each answer.
func (m *Modem) Interrupt(lines ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inside = lines
}

// Fault makes the modem misbehave from now on. Fault(NoFault) cures it.
func (m *Modem) Fault(f Fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = f
	close(m.changed)
	m.changed = make(chan struct{})
}

// Say makes the modem send a line by itself, on each stream that it speaks on.
func (m *Modem) Say(line string) {
	m.mu.Lock()
	speakers := make([]*speaker, 0, len(m.streams))
	for s := range m.streams {
		speakers = append(speakers, s)
	}
	m.mu.Unlock()
	for _, s := range speakers {
		_ = s.write([]byte("\r\n" + line + "\r\n")) // who has gone hears nothing
	}
}

// Asked returns the commands that the modem was given, the last maxAsked of them.
func (m *Modem) Asked() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.asked)
}

// Serve speaks on a stream until reading or writing fails, or ctx ends and the stream is closed.
func (m *Modem) Serve(ctx context.Context, stream io.ReadWriter) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &speaker{w: stream}
	m.mu.Lock()
	m.streams[s] = struct{}{}
	m.mu.Unlock()
	var talk sync.WaitGroup
	defer talk.Wait()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.streams, s)
	}()
	talk.Go(func() { m.flood(ctx, s) })
	defer cancel()
	var command []byte
	buf := make([]byte, 256)
	for {
		if !m.listening(ctx) {
			return
		}
		n, err := stream.Read(buf)
		if err != nil {
			return
		}
		for _, b := range buf[:n] {
			switch b {
			case '\r':
				if m.answer(ctx, s, string(command)) != nil {
					return
				}
				command = command[:0]
			case '\n', 0x1B:
			default:
				command = append(command, b)
			}
		}
	}
}

// listening waits while the modem is deaf, and reports whether it is to go on.
func (m *Modem) listening(ctx context.Context) bool {
	for {
		m.mu.Lock()
		deaf, changed := m.fault == Deaf, m.changed
		m.mu.Unlock()
		if !deaf {
			return ctx.Err() == nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// flood writes lines while the modem has that fault.
func (m *Modem) flood(ctx context.Context, s *speaker) {
	for ctx.Err() == nil {
		m.mu.Lock()
		flooding, changed := m.fault == Flood, m.changed
		m.mu.Unlock()
		if !flooding {
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		if s.write(bytes.Repeat([]byte("\r\n+CREG: 1\r\n"), 64)) != nil {
			return
		}
	}
}

// answer answers one command.
func (m *Modem) answer(ctx context.Context, s *speaker, command string) error {
	m.mu.Lock()
	fault, echo, delay, inside := m.fault, m.echo, m.delay, m.inside
	upper := strings.ToUpper(strings.TrimSpace(command))
	if upper != "" {
		m.asked = append(m.asked[max(0, len(m.asked)-maxAsked):], upper)
	}
	lines, known := m.answers[upper]
	switch {
	case upper == "":
		lines = nil
	case upper == "ATE0" || upper == "ATE1":
		m.echo = upper == "ATE1"
		lines = []string{"OK"}
	case known:
	case upper == "AT" || upper == "AT+CMEE=1":
		lines = []string{"OK"}
	case upper == "AT+CMEE?":
		lines = []string{"+CMEE: 1", "OK"}
	case upper == "AT+CSCS?":
		lines = []string{`+CSCS: "IRA"`, "OK"}
	default:
		lines = []string{"ERROR"}
	}
	m.mu.Unlock()

	var out bytes.Buffer
	if echo && upper != "" {
		out.WriteString(command + "\r")
	}
	switch fault {
	case Hang, Deaf, Flood:
		return nil
	case Garbage:
		return s.write([]byte("\x7f\xfe\xc3(\r\n}}~ +CS\r\x00\x00Q: ,,\"\r\n+CSQ: 1\r\n+COPS: \"\r\nO K\r\n"))
	case Lie:
		lines = []string{"OK"}
	case Refuse:
		lines = []string{"ERROR"}
	case Late:
		delay = LateBy
	}
	for i, line := range lines {
		for _, u := range inside {
			out.WriteString("\r\n" + u + "\r\n")
		}
		if fault == Cut && i == len(lines)-1 {
			out.WriteString(line[:len(line)/2])
			break
		}
		out.WriteString("\r\n" + line + "\r\n")
	}
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	answer := out.Bytes()
	if fault == Noise {
		answer = noisy(answer)
	}
	if len(answer) == 0 {
		return nil
	}
	return s.write(answer)
}

// noisy returns what a bad line makes of bytes: about one in fifty is lost, doubled or another.
func noisy(b []byte) []byte {
	var out []byte
	for _, c := range b {
		switch rand.IntN(150) {
		case 0:
		case 1:
			out = append(out, c, c)
		case 2:
			out = append(out, c^1<<rand.IntN(8))
		default:
			out = append(out, c)
		}
	}
	return out
}
