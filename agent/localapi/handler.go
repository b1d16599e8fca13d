package localapi

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// call is one procedure: the type of its requests, and what answers one.
type call struct {
	procedure string
	request   protoreflect.MessageType
	answer    func(context.Context, proto.Message) (proto.Message, error)
}

// newHandler returns the handler of a call.
func newHandler(s *Server, c call) http.Handler {
	serve := func(ctx context.Context, in *connect.Request[raw]) (*connect.Response[raw], error) {
		out, err := s.answer(ctx, c, in.Msg)
		if err != nil {
			return nil, err
		}
		return connect.NewResponse(out), nil
	}
	return connect.NewUnaryHandler(c.procedure, serve, encodings()...)
}

// answer decodes a request, shows it to the guard, makes the call, and turns every error into a refusal. A panic is an internal
// error of that one call.
func (s *Server) answer(ctx context.Context, c call, in *raw) (out *raw, err error) {
	defer func() {
		if r := recover(); r != nil {
			out, err = nil, s.panicked(c.procedure)
		}
	}()
	req := c.request.New().Interface()
	if no := in.decode(req); no != nil {
		return nil, no.connectError()
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	if err := s.inspect(ctx, req); err != nil {
		return nil, s.refuse(ctx, c.procedure, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, s.refuse(ctx, c.procedure, err)
	}
	res, err := c.answer(ctx, req)
	if err == nil {
		out, err = in.answer(res)
	}
	if err != nil {
		return nil, s.refuse(ctx, c.procedure, err)
	}
	return out, nil
}

// refuse turns the error of a call into what the caller is told, and raises the alarm for cardholder data.
func (s *Server) refuse(ctx context.Context, procedure string, err error) *connect.Error {
	if v := new(pci.Violation); errors.As(err, &v) && isCardholderData(v) {
		s.alarm(ctx, v)
	}
	s.noted.wake() // a watcher may want to know
	r := refusalOf(err)
	if r.code == connect.CodeInternal {
		// The caller is told nothing of the cause.
		s.Log.Error().Str("call", procedure).Err(err).Msg("call failed")
	}
	return r.connectErrorWith(rulesDetail(err))
}

// alarm records that cardholder data was offered and refused (PCI DSS 12.10.7), once a minute for each field.
func (s *Server) alarm(ctx context.Context, v *pci.Violation) {
	if !s.alarms.due(v.Field + " " + v.Kind) {
		return
	}
	who, known := callerOf(ctx)
	s.Log.Warn().Str("field", v.Field).Str("kind", v.Kind).Uint32("uid", who.uid).Int32("pid", who.pid).Msg("refused cardholder data")
	// The alarm is raised whether or not the caller waits for it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	audit := &wire.Audit{Kind: wire.AuditKind_AUDIT_KIND_PAN_DETECTED, Subject: v.Field, Found: v.Kind}
	if known {
		audit.CallerUid = &who.uid
	}
	if err := s.Ledger.Audit(ctx, audit); err != nil {
		s.Log.Error().Err(err).Msg("cannot record that cardholder data was refused")
	}
}

// panicked logs where a call panicked, and returns what the caller is told. What was thrown may quote the request, and so
// may the arguments in a stack trace.
func (s *Server) panicked(procedure string) error {
	s.Log.Error().Str("call", procedure).Strs("at", whereabouts()).Msg("call panicked")
	return refuseInternal().connectError()
}

// whereabouts returns the innermost calls that led to a panic, as function:line.
func whereabouts() []string {
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(4, pcs)])
	var at []string
	for more := true; more; {
		var f runtime.Frame
		if f, more = frames.Next(); !strings.HasPrefix(f.Function, "runtime.") {
			at = append(at, f.Function+":"+strconv.Itoa(f.Line))
		}
	}
	return at
}
