package gateway

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/packing"
	"github.com/stampd/stampd/uplink/wire"
)

const (
	// helloWait is how long a stream may take to say Hello.
	helloWait = 20 * time.Second
	// inFlight is how many received batches of a stream wait while one commit is on its way; they share the next.
	inFlight = 4
)

// stream is one terminal's stream.
type stream struct {
	*Gateway
	server   wire.UplinkService_StreamServer
	logger   zerolog.Logger
	leaf     *x509.Certificate // the terminal's, verified
	id       identity.ID
	version  string
	lanes    []eventlog.LaneKey
	unpack   []packing.Unpacker     // one for each of lanes
	told     []told                 // the same
	received <-chan *wire.ToBackend // closed after the last message
	end      error                  // why it was closed; read only after that
	alarmed  bool                   // a chain that differs was logged
	stored   int                    // new records
	down     *down                  // nil for a terminal that takes no cards
	has      *wire.SettingsState    // what it has by now; nil for a terminal that takes no settings

	boot     *eventlog.BootClock // the terminal's clock since boot; nil when it told nothing of it
	greeted  time.Time           // when Hello came
	welcomed time.Time           // when it was answered
	refined  bool                // the round trip is in boot
	kept     bool                // boot is in the log
}

// Stream serves one terminal until either side ends the stream.
func (g *Gateway) Stream(server wire.UplinkService_StreamServer) (err error) {
	s := &stream{Gateway: g, server: server, logger: g.logger}
	defer func() {
		if p := recover(); p != nil {
			// A fault on one terminal's behalf must not end the others' streams.
			s.logger.Error().Interface("panic", p).Bytes("stack", debug.Stack()).Msg("stream failed")
			err = status.Error(codes.Internal, "the backend failed")
		}
	}()
	if err := s.identify(); err != nil {
		return err
	}
	changed, err := s.allowed()
	if err != nil {
		return s.refuse(err)
	}
	s.receive()
	hello, err := s.hello()
	if err != nil {
		return s.refuse(err)
	}
	replaced := g.enter(s.id)
	defer g.leave(s.id, replaced)
	if err := s.welcome(hello); err != nil {
		return s.refuse(err)
	}
	s.logger.Info().Str("agent_version", s.version).Int("lanes", len(s.lanes)).Msg("stream opened")
	s.lead(hello.Loyalty)
	defer s.down.finish()
	expired := time.NewTimer(time.Until(s.leaf.NotAfter))
	defer expired.Stop()
	err = s.serve(changed, replaced, expired.C)
	s.keepBoot()
	s.logger.Info().Int("stored", s.stored).AnErr("reason", err).Msg("stream ended")
	return err
}

// identify takes the terminal's identity from its verified certificate.
func (s *stream) identify() error {
	p, ok := peer.FromContext(s.server.Context())
	if !ok {
		return status.Error(codes.PermissionDenied, "no certificate")
	}
	s.logger = s.logger.With().Stringer("remote", p.Addr).Logger()
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return status.Error(codes.PermissionDenied, "no certificate")
	}
	s.leaf = info.State.VerifiedChains[0][0]
	var err error
	if s.id, err = identity.FromCertificate(s.leaf); err != nil {
		return s.refuse(status.Error(codes.PermissionDenied, err.Error()))
	}
	s.logger = s.logger.With().Str("merchant", s.id.Merchant).Str("terminal", s.id.Terminal).Logger()
	return nil
}

// allowed returns an error when the terminal is on the deny list, and else a channel that is closed when the list changes.
func (s *stream) allowed() (changed <-chan struct{}, err error) {
	changed = s.deny.Changed()
	if s.deny.Denies(s.id, s.leaf.SerialNumber) {
		return nil, status.Error(codes.PermissionDenied, "this terminal, or its certificate, is on the backend's deny list")
	}
	return changed, nil
}

// receive starts to receive messages. It goes on until the stream's context ends, which is when Stream returns.
func (s *stream) receive() {
	received := make(chan *wire.ToBackend, inFlight)
	s.received = received
	go func() {
		defer close(received)
		for {
			message, err := s.server.Recv()
			if err != nil {
				s.end = err
				return
			}
			select {
			case received <- message:
			case <-s.server.Context().Done():
				s.end = s.server.Context().Err()
				return
			}
		}
	}()
}

// hello waits for the first message and checks it.
func (s *stream) hello() (*wire.Hello, error) {
	late := time.NewTimer(helloWait)
	defer late.Stop()
	select {
	case <-s.stopping:
		return nil, errStopping()
	case <-late.C:
		return nil, status.Error(codes.InvalidArgument, "no Hello came")
	case m, ok := <-s.received:
		if !ok {
			return nil, received(s.end)
		}
		hello := m.GetHello()
		if hello == nil {
			return nil, status.Error(codes.InvalidArgument, "the first message is not Hello")
		}
		if hello.TerminalId != s.id.Terminal {
			return nil, status.Error(codes.PermissionDenied, "Hello names another terminal than the certificate")
		}
		lanes, err := lanesOf(hello)
		if err != nil {
			return nil, status.Error(codes.InvalidArgument, "Hello: "+err.Error())
		}
		s.lanes, s.version, s.has = lanes, hello.AgentVersion, hello.Settings
		s.unpack, s.told = make([]packing.Unpacker, len(lanes)), make([]told, len(lanes))
		s.greet(hello, s.now())
		return hello, nil
	}
}

// welcome answers Hello with what is stored.
func (s *stream) welcome(hello *wire.Hello) error {
	marks, err := s.log.Watermarks(s.id, s.lanes)
	if err != nil {
		s.logger.Error().Err(err).Msg("cannot serve")
		return status.Error(codes.Unavailable, "the backend can't read what it has stored")
	}
	welcome := &wire.Welcome{ServerUnixMs: s.now().UnixMilli(), Packing: 1}
	for i, m := range marks {
		w := &wire.Watermark{Through: m.Through}
		if m.Through > 0 {
			w.Chain = short(s.lanes[i].Lane, m.Chain)
		}
		welcome.Watermarks = append(welcome.Watermarks, w)
		lane := hello.Lanes[i]
		if lane.Lane == wire.Lane_LANE_LEDGER && (lane.Oldest > m.Through+1 || lane.Next <= m.Through) {
			s.logger.Warn().Hex("epoch", lane.Epoch).Uint64("oldest", lane.Oldest).Uint64("next", lane.Next).
				Uint64("through", m.Through).Msg("terminal's ledger does not follow on what is stored")
		}
	}
	if hello.Loyalty != nil && s.cards != nil {
		welcome.Cards = 1
	}
	s.welcomed = s.now()
	return s.server.Send(&wire.ToTerminal{Message: &wire.ToTerminal_Welcome{Welcome: welcome}})
}

// serve stores batches and acknowledges them until the stream is to end, and returns what the terminal is told.
func (s *stream) serve(changed, replaced <-chan struct{}, expired <-chan time.Time) (err error) {
	settings, err := s.sendSettings()
	if err != nil {
		return err
	}
	for {
		select {
		case <-changed:
			if changed, err = s.allowed(); err != nil {
				return err
			}
		case <-settings:
			if settings, err = s.sendSettings(); err != nil {
				return err
			}
		case <-s.stopping:
			return errStopping()
		case <-replaced:
			return status.Error(codes.Aborted, "a newer stream of this terminal took its place")
		case <-expired:
			return status.Error(codes.Unavailable, "the terminal's certificate has expired")
		case m, ok := <-s.received:
			if !ok {
				return received(s.end)
			}
			if err := s.take(m); err != nil {
				return err
			}
		}
	}
}

// take stores a message's batch, and with it those that came meanwhile, and acknowledges them. What is asked is answered
// by what is stored then.
func (s *stream) take(m *wire.ToBackend) error {
	var batches []eventlog.Batch
	var places []uint32
	var asked []*wire.LeaseRequest
	var refused error
	for ok := true; ok && refused == nil; {
		if r := m.GetLeaseRequest(); r != nil && s.down != nil {
			asked = append(asked, r)
		} else if r := m.GetRowsTaken(); r != nil && s.down != nil {
			s.down.credit(r.Messages)
		} else {
			var b eventlog.Batch
			s.refine(m.GetBatch())
			if b, refused = s.batch(m.GetBatch()); refused == nil {
				batches = append(batches, b)
				places = append(places, m.GetBatch().LaneIndex)
			}
		}
		select {
		case m, ok = <-s.received:
		default:
			ok = false
		}
	}
	// A commit that is on its way is not given up when the terminal goes: what came is stored.
	var results []eventlog.Result
	var err error
	if len(batches) > 0 {
		results, err = s.log.Append(context.WithoutCancel(s.server.Context()), batches...)
	}
	s.kept = s.kept || len(results) > 0
	if sendErr := s.acknowledge(batches, places, results); sendErr != nil {
		return sendErr
	}
	if err != nil {
		refused = refusal(err)
	}
	for _, r := range asked {
		s.down.ask(r)
	}
	if refused != nil {
		s.logger.Warn().Err(refused).Msg("batch refused")
	}
	return refused
}

// batch reads a batch off the wire.
func (s *stream) batch(b *wire.Batch) (eventlog.Batch, error) {
	if b == nil {
		return eventlog.Batch{}, status.Error(codes.InvalidArgument, "a message after Hello is not a batch")
	}
	if b.LaneIndex >= uint32(len(s.lanes)) {
		return eventlog.Batch{}, status.Error(codes.InvalidArgument, "lane_index is not in Hello's list")
	}
	records, err := s.records(b)
	if err != nil {
		return eventlog.Batch{}, err
	}
	lane := s.lanes[b.LaneIndex]
	out := eventlog.Batch{
		ID:           s.id,
		Epoch:        lane.Epoch,
		Lane:         lane.Lane,
		FirstSeq:     b.FirstSeq,
		Records:      records,
		Chain:        b.Chain,
		Boot:         s.boot,
		Received:     s.now(),
		Gateway:      s.name,
		AgentVersion: s.version,
	}
	for _, r := range b.Lost {
		out.Lost = append(out.Lost, eventlog.Range{From: r.GetFrom(), To: r.GetTo()})
	}
	return out, nil
}

// records returns the records of a batch, packed or not.
func (s *stream) records(b *wire.Batch) ([][]byte, error) {
	unpack, ledger := &s.unpack[b.LaneIndex], s.lanes[b.LaneIndex].Lane == wire.Lane_LANE_LEDGER
	switch {
	case len(b.Packed) == 0 && ledger:
		unpack.Skip(b.Records)
		fallthrough
	case len(b.Packed) == 0:
		return b.Records, nil
	case len(b.Records) > 0 || !ledger:
		return nil, status.Error(codes.InvalidArgument, "a batch is packed that may not be")
	}
	s.told[b.LaneIndex].sparing = true
	records, err := unpack.Unpack(b.Packed, eventlog.MaxRecords, maxMessage)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, "a batch can't be unpacked")
	}
	return records, nil
}

// acknowledge sends one ack for each lane that has results.
func (s *stream) acknowledge(batches []eventlog.Batch, places []uint32, results []eventlog.Result) error {
	acks := make([]*wire.Ack, len(s.lanes))
	last := make([]int, len(s.lanes)) // of the results that a lane's ack is for
	for i, r := range results {
		place := places[i]
		ack := acks[place]
		if ack == nil {
			ack = &wire.Ack{LaneIndex: place}
			acks[place] = ack
		}
		ack.Through, last[place] = r.Through, i
		for _, reject := range r.Rejects {
			ack.Rejects = append(ack.Rejects, &wire.Reject{Seq: reject.Seq, Reason: reject.Reason})
		}
		s.stored += r.Stored
		if n := len(r.Rejects); n > 0 {
			s.logger.Warn().Int("records", n).Uint64("first_seq", r.Rejects[0].Seq).Msg("records can't be read; they are kept as rejected")
		}
		if r.ChainDiffers && !s.alarmed {
			s.alarmed = true
			s.logger.Error().Uint64("through", r.Through).Msg("terminal's hash chain differs from the backend's")
		}
	}
	for place, ack := range acks {
		if ack == nil {
			continue
		}
		i := last[place]
		ack.Chain = s.told[place].chain(batches[i].Chain, short(s.lanes[place].Lane, results[i].Chain))
		if err := s.send(&wire.ToTerminal{Message: &wire.ToTerminal_Ack{Ack: ack}}); err != nil {
			return err
		}
	}
	return nil
}

// refuse logs why a stream was not taken, and returns it.
func (s *stream) refuse(err error) error {
	s.logger.Warn().Err(err).Msg("stream refused")
	return err
}

// refusal returns what a terminal is told when its batch was not stored.
func refusal(err error) error {
	if gap, ok := errors.AsType[*eventlog.GapError](err); ok {
		return status.Error(codes.FailedPrecondition, gap.Error())
	}
	if bad, ok := errors.AsType[*eventlog.InvalidError](err); ok {
		return status.Error(codes.InvalidArgument, bad.Error())
	}
	return status.Error(codes.Unavailable, "the backend can't store")
}

// received returns what a terminal is told when nothing more can be received from it.
func received(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case status.Code(err) == codes.Internal:
		return status.Error(codes.InvalidArgument, "a message can't be read")
	}
	return err
}

func errStopping() error { return status.Error(codes.Unavailable, "the backend is stopping") }
