package localapi

import (
	"context"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Limits of streams. They hold nobody's place among the calls.
const (
	maxStreamsOfUser = 8                      // streams of one user at a time
	endTimeout       = 200 * time.Millisecond // to take the end of a stream when the agent stops
)

// How a call's request and answer come.
type shape int

const (
	unary    shape = 0 // one request, one answer
	stream   shape = 1 // one request, answers until the stream ends
	dialogue shape = 2 // requests, each with its answer
)

// streamCall is one procedure that is answered with a stream: answer hands each message to send, which sends it in time.
type streamCall struct {
	procedure string
	request   protoreflect.MessageType
	answer    func(ctx context.Context, req proto.Message, send func(proto.Message) error) error
}

// newStreamHandler returns the handler of a call.
func newStreamHandler(s *Server, c streamCall) http.Handler {
	serve := func(ctx context.Context, in *connect.Request[raw], out *connect.ServerStream[raw]) error {
		return s.answerStream(ctx, c, in.Msg, out.Send)
	}
	return connect.NewServerStreamHandler(c.procedure, serve, encodings()...)
}

// answerStream looks at a request as that of a unary call is looked at, and makes the call.
func (s *Server) answerStream(ctx context.Context, c streamCall, in *raw, out func(*raw) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = s.panicked(c.procedure)
		}
	}()
	req := c.request.New().Interface()
	if no := in.decode(req); no != nil {
		return no.connectError()
	}
	if err := s.Guard.Inspect(req); err != nil {
		return s.refuse(ctx, c.procedure, err)
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	f := flowOf(ctx)
	err = c.answer(ctx, req, func(m proto.Message) error {
		f.give(0, s.patience)
		defer f.give(0, 0)
		encoded, err := in.answer(m)
		if err != nil {
			return err
		}
		return out(encoded)
	})
	if err != nil {
		return s.refuse(ctx, c.procedure, err)
	}
	return nil
}

// serveStream hands a request to a handler that answers with a stream, or returns why it can't.
func (s *Server) serveStream(w http.ResponseWriter, r *http.Request, handler http.Handler) *refusal {
	who, _ := callerOf(r.Context())
	if !s.streams.take(who.uid) {
		return &refusal{connect.CodeResourceExhausted, "TOO_MANY_STREAMS", "", "too many streams of this user at a time",
			"end one first; one is enough for an application"}
	}
	defer s.streams.give(who.uid)
	f := &flow{control: http.NewResponseController(w), patience: s.patience}
	f.give(0, 0)
	// What is still to be sent when the handler has returned is the end of the stream.
	defer f.end()
	defer context.AfterFunc(s.stopping, f.stop)()
	handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), flowKey{}, f)))
	return nil
}

// streams counts the streams of each user. It is safe for concurrent use.
type streams struct {
	mu   sync.Mutex // guards open
	open map[uint32]int
}

// take counts one more, unless the user has too many.
func (s *streams) take(uid uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[uid] >= maxStreamsOfUser {
		return false
	}
	s.open[uid]++
	return true
}

// give forgets one that has ended.
func (s *streams) give(uid uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[uid]--; s.open[uid] == 0 {
		delete(s.open, uid)
	}
}

// flow is the time that the caller of a stream has, for the next message either way. It is safe for concurrent use.
type flow struct {
	mu      sync.Mutex // guards the fields below
	control *http.ResponseController
	last    bool // the time that was given is not to be changed any more

	patience time.Duration
}

type flowKey struct{}

// flowOf returns the flow of a stream's context.
func flowOf(ctx context.Context) *flow { return ctx.Value(flowKey{}).(*flow) }

// give gives so much time from now on to send the next message and to take one; 0 is for ever.
func (f *flow) give(read, write time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.last {
		setDeadlines(f.control, read, write)
	}
}

// stop waits for no other message, and gives the caller a moment to take the end of the stream, since the agent stops.
func (f *flow) stop() { f.giveLast(1, endTimeout) }

// end gives the caller the time for a message to take the end of the stream. The flow does nothing after it.
func (f *flow) end() { f.giveLast(0, f.patience) }

func (f *flow) giveLast(read, write time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.last {
		setDeadlines(f.control, read, write)
		f.last = true
	}
}
