package uplink

import (
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/stampd/stampd/uplink/wire"
)

// tell puts the terminal's clocks into a Hello that is about to go out.
func (s *session) tell(hello *wire.Hello) {
	hello.Clock = s.Clock.Now()
	hello.Clock.BootId = nil // it is in the Hello
	s.asked = hello.Clock.BootMs
}

// learn takes the backend's time from a Welcome that has just come. Time that a certificate of the backend's contradicts
// is not believed: it shows that the backend's own clock is wrong.
func (s *session) learn(w *wire.Welcome) {
	if s.asked == nil {
		return
	}
	boot, known := s.Clock.SinceBoot()
	if !known {
		return
	}
	took := boot - time.Duration(*s.asked)*time.Millisecond
	s.roundTrip = new(uint32(took.Milliseconds() + 1))
	server := time.UnixMilli(w.GetServerUnixMs())
	if !s.certified(server) || !s.Clock.SetServerTime(server, took) {
		s.Log.Warn().Time("server", server).Msg("backend's time can't be right; it is not used")
	}
}

// certified reports whether the backend's certificate is valid at the time.
func (s *session) certified(at time.Time) bool {
	p, ok := peer.FromContext(s.stream.Context())
	if !ok {
		return false
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.PeerCertificates) == 0 {
		return false
	}
	leaf := info.State.PeerCertificates[0]
	return !at.Before(leaf.NotBefore) && !at.After(leaf.NotAfter)
}
