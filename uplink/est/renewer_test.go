package est

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/backend/deny"
	"github.com/stampd/stampd/uplink/keypair"
	"github.com/stampd/stampd/uplink/wire"
)

const (
	day  = 24 * time.Hour
	life = 90 * day

	// rarely is how often the files are looked at, so that months take seconds.
	rarely = time.Hour
)

// watched is a renewer at work on an enrolled terminal, in a bubble of synctest: its days are over at once.
type watched struct {
	*Renewer
	*server
	files  keypair.Files
	asked  atomic.Int64                  // connections to the server
	down   atomic.Bool                   // the network is
	clock  atomic.Pointer[time.Duration] // by how much the wall clock is wrong; nil: it is not known
	events []string                      // belongs to the renewer's goroutine; read after synctest.Wait
}

func watch(t *testing.T, s *server) *watched {
	t.Helper()
	w := &watched{server: s, files: s.enrolled()}
	w.clock.Store(new(time.Duration(0)))
	w.Renewer = NewRenewer(RenewerOptions{
		Files: w.files, Identity: shop, Server: s.addr, CA: s.file(ca.CertFile),
		Clock: func() (time.Time, bool) {
			if off := w.clock.Load(); off != nil {
				return time.Now().Add(*off), true
			}
			return time.Time{}, false
		},
		Audit: func(a *wire.Audit) {
			w.events = append(w.events, strings.TrimSpace(strings.TrimPrefix(a.GetKind().String(), "AUDIT_KIND_CERTIFICATE_")+" "+a.GetFound()))
		},
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			w.asked.Add(1)
			if w.down.Load() {
				return nil, errors.New("network is unreachable")
			}
			return s.dial(ctx, network, addr)
		},
		Log: zerolog.Nop(),
	})
	w.every = rarely
	go w.Run(t.Context())
	synctest.Wait()
	return w
}

// is checks the state and the events so far.
func (w *watched) is(t *testing.T, state wire.CertificateState, events ...string) {
	t.Helper()
	synctest.Wait()
	if got := w.Status().GetState(); got != state {
		t.Errorf("state %v (%s), want %v", got, w.Status().GetLastError(), state)
	}
	if got, want := strings.Join(w.events, ", "), strings.Join(events, ", "); got != want {
		t.Errorf("events %q, want %q", got, want)
	}
}

const (
	valid   = wire.CertificateState_CERTIFICATE_STATE_VALID
	due     = wire.CertificateState_CERTIFICATE_STATE_DUE
	expired = wire.CertificateState_CERTIFICATE_STATE_EXPIRED
	unknown = wire.CertificateState_CERTIFICATE_STATE_CLOCK_UNKNOWN
	none    = wire.CertificateState_CERTIFICATE_STATE_NONE
)

func TestRenewsAtTwoThirds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, startPipes(t, 0))
		for round := range 2 {
			before, err := w.files.Load()
			if err != nil {
				t.Fatal(err)
			}
			events := make([]string, round)
			for i := range events {
				events[i] = "RENEWED"
			}
			w.is(t, valid, events...)
			if got := w.Status(); got.GetSerial() != Serial(before.Leaf) || got.GetNotAfterUnixMs() != before.Leaf.NotAfter.UnixMilli() ||
				got.GetRenewUnixMs() != Due(before.Leaf).UnixMilli() {
				t.Errorf("status %v does not tell of the certificate that is there", got)
			}
			time.Sleep(time.Until(before.Leaf.NotBefore.Add(life * 2 / 3)))
			synctest.Wait()
			if serial(t, w.files) != Serial(before.Leaf) {
				t.Fatal("renewed before two thirds of its life")
			}
			must(t, ca.IssueServer(w.certs, []string{"127.0.0.1"}, w.certs)) // its own does not last for ever either
			time.Sleep(life/20 + time.Hour)
			synctest.Wait()
			after, err := w.files.Load()
			if err != nil {
				t.Fatal(err)
			}
			if after.Leaf.Equal(before.Leaf) {
				t.Fatal("not renewed after two thirds of its life and a twentieth")
			}
			if before.PrivateKey.(crypto.Signer).Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(after.Leaf.PublicKey) {
				t.Error("renewed with the old key")
			}
		}
		if n := w.asked.Load(); n != 2 {
			t.Errorf("%d connections, want one for each renewal", n)
		}
	})
}

// Terminals that are enrolled together are not renewed together.
func TestDueIsSpread(t *testing.T) {
	s := startTCP(t)
	var first, last time.Duration
	for i := range 32 {
		cert, err := s.ca.Sign(shop, &newKey(t).PublicKey, 0)
		if err != nil {
			t.Fatal(err)
		}
		share := Due(cert).Sub(cert.NotBefore) * 1000 / cert.NotAfter.Sub(cert.NotBefore)
		if share < 666 || share > 717 {
			t.Errorf("due after %d thousandths of its life, want 666 to 717", share)
		}
		if i == 0 {
			first, last = share, share
		}
		first, last = min(first, share), max(last, share)
	}
	if last-first < 20 {
		t.Errorf("32 certificates are due within %d thousandths of their life", last-first)
	}
}

func TestServerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, startPipes(t, 0))
		w.down.Store(true)
		end := leaf(t, w.files).NotAfter
		time.Sleep(time.Until(end.Add(-life/6)) - time.Hour)
		w.is(t, due)
		if !strings.Contains(w.Status().GetLastError(), "network is unreachable") {
			t.Errorf("last error %q", w.Status().GetLastError())
		}
		time.Sleep(7 * time.Hour)
		w.is(t, due, "NOT_RENEWED late")
		time.Sleep(time.Until(end) + time.Hour)
		w.is(t, expired, "NOT_RENEWED late", "NOT_RENEWED expired")
		attempts := w.asked.Load()
		if attempts < 80 || attempts > 400 {
			t.Errorf("%d attempts in 30 days, want some hundred", attempts)
		}
		// What has expired is not tried again, not even when the network is back.
		w.down.Store(false)
		time.Sleep(30 * day)
		if n := w.asked.Load() - attempts; n != 0 {
			t.Errorf("%d attempts after the end", n)
		}
		// A person enrols the terminal anew, and all is well.
		must(t, ca.IssueServer(w.certs, []string{"127.0.0.1"}, w.certs))
		fresh := w.enrolled()
		for from, to := range map[string]string{fresh.Key: w.files.Key, fresh.Cert: w.files.Cert} {
			must(t, os.Rename(from, to))
		}
		time.Sleep(2 * rarely)
		w.is(t, valid, "NOT_RENEWED late", "NOT_RENEWED expired")
	})
}

func TestNetworkComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, startPipes(t, 0))
		w.down.Store(true)
		time.Sleep(life * 8 / 10)
		w.is(t, due)
		w.down.Store(false)
		time.Sleep(pauseMax)
		w.is(t, valid, "RENEWED")
	})
}

func TestRefusedRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, startPipes(t, 0))
		if _, err := w.deny.Add(deny.Terminal(shop)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(life * 3 / 4)
		w.is(t, due, "NOT_RENEWED refused")
		if !strings.Contains(w.Status().GetLastError(), "on the backend's deny list") {
			t.Errorf("last error %q", w.Status().GetLastError())
		}
		if _, err := w.deny.Remove(deny.Terminal(shop)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(pauseMax)
		w.is(t, valid, "NOT_RENEWED refused", "RENEWED")
	})
}

// A clock that nobody knows, or that is wrong by years, brings no storm, and harms no certificate that is there.
func TestWrongClock(t *testing.T) {
	tests := map[string]struct {
		off   *time.Duration
		state wire.CertificateState
		event string
	}{
		"not set":         {nil, unknown, ""},
		"1970":            {new(-30 * 365 * day), valid, ""}, // bubbles begin in 2000
		"2038":            {new(38 * 365 * day), expired, "NOT_RENEWED expired"},
		"two months fast": {new(70 * day), due, ""},
		"two hours slow":  {new(-2 * time.Hour), valid, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := watch(t, startPipes(t, 0))
				first := serial(t, w.files)
				w.clock.Store(tt.off)
				time.Sleep(2 * day)
				synctest.Wait()
				if got := w.Status().GetState(); got != tt.state {
					t.Errorf("state %v (%s), want %v", got, w.Status().GetLastError(), tt.state)
				}
				if n := w.asked.Load(); n > 20 {
					t.Errorf("%d connections in two days", n)
				}
				if tt.state != due && serial(t, w.files) != first {
					t.Error("the certificate was renewed by a clock that is wrong")
				}
				w.clock.Store(new(time.Duration(0)))
				time.Sleep(day)
				synctest.Wait()
				if got := w.Status().GetState(); got != valid {
					t.Errorf("with the right time: state %v (%s), want valid", got, w.Status().GetLastError())
				}
			})
		})
	}
}

// An authority near its end gives nothing that lasts longer; the old certificate stays, and a person is told.
func TestAuthorityEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startPipes(t, 0)
		time.Sleep(time.Until(s.ca.Certificate().NotAfter) - 80*day)
		must(t, ca.IssueServer(s.certs, []string{"127.0.0.1"}, s.certs))
		w := watch(t, s)
		first := serial(t, w.files)
		time.Sleep(79 * day)
		w.is(t, due, "NOT_RENEWED late")
		if serial(t, w.files) != first || !strings.Contains(w.Status().GetLastError(), "ends no later") {
			t.Errorf("certificate %s, last error %q; want the first, and the reason", serial(t, w.files), w.Status().GetLastError())
		}
	})
}

func TestNoCertificate(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, w *watched)
		want  string
	}{
		"none":       {func(t *testing.T, w *watched) { must(t, os.Remove(w.files.Cert)) }, "no such file"},
		"garbage":    {func(t *testing.T, w *watched) { must(t, os.WriteFile(w.files.Cert, []byte("x"), 0o600)) }, "not PEM"},
		"another id": {func(_ *testing.T, w *watched) { w.Identity.Terminal = "t2" }, `it is for terminal "t1"`},
	} {
		t.Run(name, func(t *testing.T) {
			s := startTCP(t)
			w := &watched{server: s, files: s.enrolled()}
			w.Renewer = NewRenewer(RenewerOptions{Files: w.files, Identity: shop, Server: s.addr, Clock: func() (time.Time, bool) { return time.Now(), true }})
			tt.spoil(t, w)
			w.look(t.Context())
			if got := w.Status(); got.GetState() != none || !strings.Contains(got.GetLastError(), tt.want) {
				t.Errorf("status %v, want none and %q", got, tt.want)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Without a server the certificate is watched all the same.
func TestNoServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startPipes(t, 0)
		files := s.enrolled()
		var log bytes.Buffer
		r := NewRenewer(RenewerOptions{
			Files: files, Identity: shop, Clock: func() (time.Time, bool) { return time.Now(), true },
			Audit: func(*wire.Audit) {}, Log: zerolog.New(&log),
		})
		r.every = rarely
		go r.Run(t.Context())
		for _, tt := range []struct {
			share int
			state wire.CertificateState
		}{{50, valid}, {75, due}, {101, expired}} {
			time.Sleep(time.Until(leaf(t, files).NotBefore.Add(life * time.Duration(tt.share) / 100)))
			synctest.Wait()
			if got := r.Status(); got.GetState() != tt.state || got.RenewUnixMs != nil {
				t.Errorf("after %d %% of its life: %v, want %v and no renewal", tt.share, got, tt.state)
			}
		}
	})
}
