package at_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stampd/stampd/hal/at"
)

// rude is a modem that answers each command as a function says, and whenever it likes. It lives in a bubble.
type rude struct {
	answer func(r *rude, command string) // called from the modem's own goroutine; nil means as it should

	mu    sync.Mutex
	line  net.Conn    // the one that is plugged in
	out   chan string // what goes over it, in turn
	asked []string
}

// manners are the answers that are right.
var manners = map[string]string{
	"AT+CGMI":  "Quectel",
	"AT+CGMM":  "EC25",
	"AT+CGMR":  "EC25EFAR06A08M4G",
	"AT+CGSN":  "352099001761481",
	"AT+CSQ":   "+CSQ: 18,99",
	"AT+CESQ":  "+CESQ: 99,99,255,255,20,80",
	"AT+COPS?": `+COPS: 0,0,"Orange",7`,
	"AT+CPIN?": "+CPIN: READY",
	"AT+CMEE?": "+CMEE: 1",
	"AT+CSCS?": `+CSCS: "IRA"`,
}

// questions are what is asked of it.
func questions() []at.Command {
	return []at.Command{
		{Text: "AT+CGMI"},
		{Text: "AT+CGMM"},
		{Text: "AT+CGMR"},
		{Text: "AT+CGSN"},
		{Text: "AT+CSQ", Prefix: "+CSQ:"},
		{Text: "AT+CESQ", Prefix: "+CESQ:"},
		{Text: "AT+COPS?", Prefix: "+COPS:"},
		{Text: "AT+CPIN?", Prefix: "+CPIN:"},
	}
}

// open plugs the modem in anew.
func (r *rude) open() (at.Stream, error) {
	ours, theirs := net.Pipe()
	out := make(chan string, 1000)
	r.mu.Lock()
	r.line, r.out = theirs, out
	r.mu.Unlock()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		r.serve(theirs)
	}()
	go func() {
		for {
			select {
			case text := <-out:
				_, _ = theirs.Write([]byte(text)) // who has gone hears nothing
			case <-gone:
				return
			}
		}
	}()
	return ours, nil
}

func (r *rude) serve(w net.Conn) {
	var command []byte
	buf := make([]byte, 64)
	for {
		n, err := w.Read(buf)
		if err != nil {
			return
		}
		for _, b := range buf[:n] {
			switch {
			case b == '\r' && len(command) > 0:
				r.mu.Lock()
				r.asked = append(r.asked, string(command))
				answer := r.answer
				r.mu.Unlock()
				if answer == nil {
					answer = (*rude).right
				}
				answer(r, string(command))
				command = command[:0]
			case b >= ' ':
				command = append(command, b)
			}
		}
	}
}

// say writes a text.
func (r *rude) say(text string) {
	r.mu.Lock()
	out := r.out
	r.mu.Unlock()
	select {
	case out <- text:
	default: // nobody listens
	}
}

// hangUp ends the line.
func (r *rude) hangUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.line.Close()
}

// right answers as it should.
func (r *rude) right(command string) {
	if line, ok := manners[command]; ok {
		r.say("\r\n" + line + "\r\n")
	}
	r.say("\r\nOK\r\n")
}

// behave sets how it answers from now on.
func (r *rude) behave(answer func(r *rude, command string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// rudely runs a test with a port and a rude modem, in a bubble.
func rudely(t *testing.T, test func(t *testing.T, p *at.Port, r *rude)) {
	synctest.Test(t, func(t *testing.T) {
		r := new(rude)
		p := at.NewPort(at.Options{Open: r.open})
		defer p.Close()
		synctest.Wait()
		test(t, p, r)
	})
}

// ask asks everything, and fails the test when an answer is not the one to its question. It returns how many were answered.
func askAll(t *testing.T, p *at.Port, how string) int {
	t.Helper()
	answered := 0
	for _, c := range questions() {
		started := time.Now()
		a, err := p.Do(t.Context(), c)
		if took := time.Since(started); took > 6*time.Second {
			t.Errorf("%s: %s took %v", how, c.Text, took)
		}
		if err != nil || len(a.Lines) == 0 {
			continue
		}
		answered++
		if !slices.Equal(a.Lines, []string{manners[c.Text]}) {
			t.Errorf("%s: %s got %q, want %q", how, c.Text, a.Lines, manners[c.Text])
		}
	}
	return answered
}

// inStep fails the test unless all is answered again within the time.
func inStep(t *testing.T, p *at.Port, how string, within time.Duration) {
	t.Helper()
	for started := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		n := askAll(t, p, how)
		if n == len(questions()) {
			return
		}
		if time.Since(started) > within {
			t.Fatalf("%s: after %v %d of %d are answered", how, time.Since(started), n, len(questions()))
		}
	}
}

// What is late is never taken for the answer to another command, however late it is, and whether the modem answers in turn
// or not.
func TestPortRudeLate(t *testing.T) {
	for _, inTurn := range []bool{true, false} {
		for by := 1900 * time.Millisecond; by < 20*time.Second; by += 307 * time.Millisecond {
			how := fmt.Sprintf("late by %v, in turn %v", by, inTurn)
			rudely(t, func(t *testing.T, p *at.Port, r *rude) {
				var once sync.Map
				r.behave(func(r *rude, command string) {
					late := false
					if command == "AT+CGMM" || command == "AT+CSQ" {
						_, known := once.LoadOrStore(command, true)
						late = !known
					}
					switch {
					case !late:
						r.right(command)
					case inTurn:
						time.Sleep(by)
						r.right(command)
					default:
						time.AfterFunc(by, func() { r.right(command) })
					}
				})
				inStep(t, p, how, time.Minute)
				time.Sleep(time.Minute) // until nothing is on its way
			})
		}
	}
}

// A modem that is slow in all answers is told of, and what it answers is never mixed up.
func TestPortRudeSlow(t *testing.T) {
	for _, by := range []time.Duration{300 * time.Millisecond, 1100 * time.Millisecond, 1990 * time.Millisecond, 2100 * time.Millisecond, 7 * time.Second} {
		rudely(t, func(t *testing.T, p *at.Port, r *rude) {
			r.behave(func(r *rude, command string) {
				time.Sleep(by)
				r.right(command)
			})
			for range 10 {
				askAll(t, p, fmt.Sprintf("slow by %v", by))
			}
			r.behave(nil)
			time.Sleep(2 * time.Minute)
			inStep(t, p, fmt.Sprintf("slow by %v", by), 10*time.Second)
		})
	}
}

// Each of these is over at once: the next commands are answered.
func TestPortRudeOnce(t *testing.T) {
	for _, test := range []struct {
		name   string
		within time.Duration // until all is answered again
		answer func(r *rude, command string)
	}{
		{"two ends", time.Second, func(r *rude, c string) { r.right(c); r.say("\r\nOK\r\n") }},
		{"a second end, later", time.Second, func(r *rude, c string) {
			r.right(c)
			time.AfterFunc(30*time.Millisecond, func() { r.say("\r\nOK\r\n") })
		}},
		{"a second end that is an error", time.Second, func(r *rude, c string) { r.right(c); time.Sleep(10 * time.Millisecond); r.say("\r\nERROR\r\n") }},
		{"an end before", time.Second, func(r *rude, c string) { r.say("\r\nOK\r\n"); time.Sleep(20 * time.Millisecond); r.right(c) }},
		{"an error before", time.Second, func(r *rude, c string) { r.say("\r\nERROR\r\n"); time.Sleep(20 * time.Millisecond); r.right(c) }},
		{"the answer to another", time.Second, func(r *rude, c string) {
			r.say("\r\n+CPSI: NO SERVICE,Online\r\n\r\nOK\r\n")
			time.Sleep(20 * time.Millisecond)
			r.right(c)
		}},
		{"nothing", 3 * time.Second, func(*rude, string) {}},
		{"half a line", 3 * time.Second, func(r *rude, _ string) { r.say("\r\n+CS") }},
		{"a line and no end", 3 * time.Second, func(r *rude, c string) { r.say("\r\n" + manners[c] + "\r\n") }},
		{"a prompt", time.Second, func(r *rude, _ string) { r.say("\r\n> ") }},
		{"a prompt and then the answer", time.Second, func(r *rude, c string) { r.say("\r\n> "); r.right(c) }},
		{"data mode", 5 * time.Second, func(r *rude, _ string) { r.say("\r\nCONNECT 115200\r\n~\xff}#\xc0!}!}!}") }},
		{"the line is dead", time.Second, func(r *rude, c string) { r.say("\r\nNO CARRIER\r\n"); r.right(c) }},
		{"NUL", time.Second, func(r *rude, c string) { r.say(strings.Repeat("\x00", 60_000)); r.right(c) }},
		{"all ones", time.Second, func(r *rude, c string) { r.say(strings.Repeat("\xff", 60_000)); r.right(c) }},
		{"a flood of ones", 5 * time.Second, func(r *rude, _ string) { r.say(strings.Repeat("\xff", 300_000)) }},
		{"a start", 0, func(r *rude, c string) {
			r.say("\r\nRDY\r\n\r\n+CFUN: 1\r\n\r\n+QUSIM: 1\r\n\r\n+QIND: PB DONE\r\n")
			r.right(c)
		}},
		{"it restarts instead", 3 * time.Second, func(r *rude, _ string) { r.say("\r\nPOWERED DOWN\r\n\x00\r\nRDY\r\n") }},
		{"it hangs up", 5 * time.Second, func(r *rude, _ string) { r.hangUp() }},
		{"echo", 0, func(r *rude, c string) { r.say(c + "\r"); r.right(c) }},
		{"a garbled echo", 0, func(r *rude, c string) { r.say("A" + c[2:] + "\r"); r.right(c) }},
		{"an echo with a wrong letter", 0, func(r *rude, c string) { r.say(c[:3] + "\x7f" + c[4:] + "\r"); r.right(c) }},
	} {
		for _, victim := range questions() {
			t.Run(test.name+"/"+victim.Text, func(t *testing.T) {
				rudely(t, func(t *testing.T, p *at.Port, r *rude) {
					if n := askAll(t, p, "at first"); n != len(questions()) {
						t.Fatalf("%d are answered", n)
					}
					var done atomic.Bool
					r.behave(func(r *rude, command string) {
						if command == victim.Text && !done.Swap(true) {
							test.answer(r, command)
							return
						}
						r.right(command)
					})
					askAll(t, p, test.name)
					time.Sleep(test.within)
					inStep(t, p, test.name, 0)
				})
			})
		}
	}
}

// A modem that writes a byte a second is silent: nothing of it is mixed up, and it is asked again when it is well.
func TestPortRudeByteASecond(t *testing.T) {
	rudely(t, func(t *testing.T, p *at.Port, r *rude) {
		r.behave(func(r *rude, command string) {
			for _, b := range "\r\n" + manners[command] + "\r\n\r\nOK\r\n" {
				time.Sleep(time.Second)
				r.say(string(b))
			}
		})
		for range 40 {
			askAll(t, p, "a byte a second")
		}
		r.behave(nil)
		time.Sleep(2 * time.Minute)
		inStep(t, p, "a byte a second", 10*time.Second)
	})
}

// Garbage without end closes the port, again and again and ever less often, and costs next to nothing.
func TestPortRudeGarbageWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		opens, wrote, quiet := 0, 0, false
		r := new(rude)
		p := at.NewPort(at.Options{Open: func() (at.Stream, error) {
			mu.Lock()
			defer mu.Unlock()
			opens++
			if quiet {
				return r.open()
			}
			ours, theirs := net.Pipe()
			go func() {
				noise := bytes.Repeat([]byte("\xf0\r\n+CSQ: 4\x00,~"), 80)
				for {
					n, err := theirs.Write(noise)
					mu.Lock()
					wrote += n
					mu.Unlock()
					if err != nil {
						return
					}
				}
			}()
			go func() { _, _ = bytes.NewBuffer(nil).ReadFrom(theirs) }()
			return ours, nil
		}})
		defer p.Close()
		for started := time.Now(); time.Since(started) < time.Hour; time.Sleep(time.Minute) {
			if _, err := p.Do(t.Context(), csq); !errors.Is(err, at.ErrGarbled) && !errors.Is(err, at.ErrSilent) {
				t.Errorf("error is %v", err)
			}
		}
		mu.Lock()
		if opens > 200 || wrote > opens*300<<10 {
			t.Errorf("opened %d times within an hour, took in %d bytes", opens, wrote)
		}
		quiet = true
		mu.Unlock()
		time.Sleep(time.Minute)
		inStep(t, p, "after garbage", 0)
	})
}

// Whatever goes wrong at random, what is answered is answered right, and all is again soon after.
func TestPortRudeAtRandom(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rudely(t, func(t *testing.T, p *at.Port, r *rude) {
				var mu sync.Mutex                        // for random: the modem may be on two lines for a moment
				random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // nothing is secret here
				chance := func(n int) int {
					mu.Lock()
					defer mu.Unlock()
					return random.IntN(n)
				}
				r.behave(func(r *rude, command string) {
					switch chance(12) {
					case 0:
						time.Sleep(time.Duration(chance(6000)) * time.Millisecond)
					case 1:
						return
					case 2:
						r.say("\r\nOK\r\n")
					case 3:
						r.say("\r\n+CREG: 5\r\n\r\n+CMTI: \"ME\",1\r\n")
					case 4:
						r.say(command + "\r")
					case 5:
						r.say("\r\n\xff\xfe\x00~~\r\n")
					case 6:
						defer time.Sleep(5 * time.Millisecond)
						defer r.say("\r\nOK\r\n")
					}
					r.right(command)
				})
				for range 8 {
					askAll(t, p, "at random")
					time.Sleep(time.Duration(chance(3000)) * time.Millisecond)
				}
				r.behave(nil)
				time.Sleep(2 * time.Minute)
				inStep(t, p, "after that", 10*time.Second)
			})
		})
	}
}

// A command that the modem hangs on when it is set up keeps nobody from asking others.
func TestPortRudeSetup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rude{answer: func(r *rude, command string) {
			if command != "AT+C5GREG=2" {
				r.right(command)
			}
		}}
		p := at.NewPort(at.Options{Open: r.open, Setup: []at.Command{{Text: "AT+CREG=2"}, {Text: "AT+C5GREG=2"}, {Text: "AT+CEREG=2"}}})
		defer p.Close()
		time.Sleep(4 * time.Second)
		inStep(t, p, "set up", 0)
		r.mu.Lock()
		defer r.mu.Unlock()
		if !slices.Contains(r.asked, "AT+CEREG=2") {
			t.Errorf("asked %q", r.asked)
		}
	})
}

// A port that is back is opened within two seconds, whatever it was that kept it away, for how long, and whether there is a
// watch that tells: a node may stay where it is while its device fails.
func TestPortBackSoon(t *testing.T) {
	for _, test := range []struct {
		name  string
		kind  error
		err   error
		tells bool // the watch tells when it is back
	}{
		{"not there", at.ErrGone, os.ErrNotExist, true},
		{"I/O error", at.ErrGone, syscall.EIO, false},
		{"no such device or address", at.ErrGone, syscall.ENXIO, false},
		{"no such device", at.ErrGone, syscall.ENODEV, false},
		{"may not be opened", at.ErrBusy, syscall.EACCES, false},
		{"taken", at.ErrBusy, syscall.EBUSY, false},
		{"no descriptor left", at.ErrBusy, syscall.EMFILE, false},
	} {
		for _, away := range []time.Duration{0, time.Second, 10 * time.Minute} {
			t.Run(fmt.Sprint(test.name, " for ", away), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var back atomic.Bool
					events := make(chan struct{}, 1)
					r := new(rude)
					p := at.NewPort(at.Options{
						Open: func() (at.Stream, error) {
							if back.Load() {
								return r.open()
							}
							return nil, errors.Join(test.kind, test.err) // as OpenSerial does
						},
						Watch: func() (<-chan struct{}, func(), error) { return events, func() {}, nil },
					})
					defer p.Close()
					time.Sleep(away)
					back.Store(true)
					if test.tells {
						events <- struct{}{}
					}
					time.Sleep(2 * time.Second)
					if _, err := p.State(); err != nil {
						t.Errorf("two seconds after its return: %v", err)
					}
				})
			})
		}
	}
}

// A modem that starts takes its time until it answers: it is asked for it, though its port was away for long.
func TestPortBackAndSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var back atomic.Bool
		events := make(chan struct{}, 1)
		r := &rude{answer: func(*rude, string) {}}
		p := at.NewPort(at.Options{
			Open: func() (at.Stream, error) {
				if back.Load() {
					return r.open()
				}
				return nil, os.ErrNotExist
			},
			Watch: func() (<-chan struct{}, func(), error) { return events, func() {}, nil },
		})
		defer p.Close()
		time.Sleep(time.Hour)
		back.Store(true)
		events <- struct{}{}
		time.Sleep(8 * time.Second) // it starts
		r.behave(nil)
		time.Sleep(5 * time.Second)
		inStep(t, p, "started", 0)
	})
}
