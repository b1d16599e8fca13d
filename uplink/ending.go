package uplink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stampd/stampd/uplink/wire"
)

// ended returns what really ended a session: of several errors, the one that came first.
func ended(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// explain turns what ended a session into one line for people.
func (s *session) explain(err error) error {
	f := &Failure{Stage: wire.UplinkStage_UPLINK_STAGE_GRPC, cause: err}
	if alert, ok := s.secure.alert(); ok {
		f.Problem = "the backend ends the connection: " + alert
		if remedy, ok := certificateRemedy(alert); ok {
			f.Stage = wire.UplinkStage_UPLINK_STAGE_IDENTITY
			f.Problem, f.Remedy = "the backend does not accept this terminal's certificate: "+alert, remedy
		}
		return f
	}
	st, ok := status.FromError(err)
	switch {
	case errors.Is(err, errNewLane):
		return err
	case errors.Is(err, errStalled):
		f.Problem, f.Remedy = err.Error(), "the network drops what is sent, or the backend hangs; what is queued is kept"
	case errors.Is(err, errFalseAck):
		f.Problem, f.Remedy = err.Error(), "nothing was deleted; the backend's log, or its store, needs somebody to look at it"
	case errors.Is(err, io.EOF):
		f.Problem = "the backend ended the stream"
	case ok:
		f.Problem = fmt.Sprintf("%s (%s)", oneLine(plain(st.Message())), st.Code())
		f.Stage, f.Remedy = refusal(st.Code())
		if st.Code() == codes.Unavailable && !s.secure.heard() {
			f.Remedy = "the connection was cut right after the handshake: the backend may not accept this terminal's certificate, and its log would say so"
		}
	default:
		f.Problem = err.Error()
	}
	return f
}

// refusal returns the stage that a status is about, and what to do.
func refusal(code codes.Code) (stage wire.UplinkStage, remedy string) {
	switch code {
	case codes.PermissionDenied, codes.Unauthenticated:
		return wire.UplinkStage_UPLINK_STAGE_IDENTITY, "the backend knows this terminal by its certificate, and does not want it: its log says why"
	case codes.Unimplemented:
		return wire.UplinkStage_UPLINK_STAGE_GRPC, "what answers is no stampd backend, or an older one: check backend in section [uplink]"
	}
	return wire.UplinkStage_UPLINK_STAGE_GRPC, ""
}

// plain takes off what gRPC puts around the error of a connection.
func plain(text string) string {
	desc, wrapped := strings.CutPrefix(text, "connection error: desc = ")
	if !wrapped {
		return text
	}
	inner, err := strconv.Unquote(desc)
	if err != nil {
		return text
	}
	return strings.TrimPrefix(strings.TrimPrefix(inner, "transport: "), "Error while dialing: ")
}

// oneLine returns what the other end has said as it may stand in an error: without control characters, and not too long.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if runes := []rune(text); len(runes) > 300 {
		return string(runes[:300]) + "…"
	}
	return text
}
