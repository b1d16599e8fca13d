package localapi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect"
)

// serveHTTP lets a request in, or says why not. The handler behind it sees a complete body of bounded size and headers
// that were checked, so that every refusal is made here or in the handler, by this package, and none by a library that
// would quote the request.
func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	// The caller has so long to send the request and to take a refusal.
	giveTime(w, s.patience, s.patience+responseTimeout)
	route, role, no := s.admit(r)
	if no == nil {
		no = s.serve(w, r, route, s.slots[role])
	}
	if no != nil {
		// Nobody is left to be told when this fails.
		_ = connect.NewErrorWriter().Write(w, r, no.connectError())
	}
}

// admit decides by who is calling, and what.
func (s *Server) admit(r *http.Request) (route, role, *refusal) {
	route, ok := s.routes[r.URL.Path]
	if !ok || r.Method != http.MethodPost {
		return route, roleNone, &refusal{connect.CodeUnimplemented, "NO_SUCH_CALL", "", "there is no such call",
			"calls are POST /stampd.v1.LocalService/ and a name of local.proto; local.md has one of each"}
	}
	role := roleNone
	if who, known := callerOf(r.Context()); known {
		role = s.access.of(who.uid)
	}
	if role < route.least {
		return route, role, &refusal{connect.CodePermissionDenied, "NOT_ALLOWED", "", "this user may not make this call",
			"add the user's id to local.pos_uids or local.admin_uids and start the agent again, or call as root"}
	}
	return route, role, nil
}

// serve reads the request, takes a slot and hands the request to its handler, or returns why it can't. Who sends slowly
// holds a connection meanwhile, and nobody's slot.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, route route, slots chan struct{}) *refusal {
	header, asked, no := checkHeader(r.Header, route.shape)
	if no != nil {
		return no
	}
	admitted := r.WithContext(withTimeLimit(r.Context(), min(asked, route.timeout)))
	admitted.Header = header
	if route.shape == dialogue && r.ProtoMajor < 2 {
		return &refusal{connect.CodeUnimplemented, "HTTP_2_NEEDED", "", "this call needs HTTP/2", "use a gRPC client"}
	}
	if route.shape == dialogue {
		return s.serveStream(w, admitted, route.handler)
	}
	body, no := readBody(r)
	if no == nil && isEnveloped(header) {
		no = checkEnvelope(body)
	}
	if no != nil {
		return no
	}
	admitted.Body, admitted.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if route.shape == stream {
		return s.serveStream(w, admitted, route.handler)
	}
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	default:
		return &refusal{connect.CodeUnavailable, "OVERLOADED", "", "too many calls at a time, and nothing was recorded",
			"make fewer at a time; " + hintSameKey}
	}
	giveTime(w, 0, route.timeout+responseTimeout)
	route.handler.ServeHTTP(w, admitted)
	return nil
}

// giveTime says how long the rest of the request may take to arrive, and its answer to be taken; 0 is for ever. What it
// can't set is a connection that is gone.
func giveTime(w http.ResponseWriter, read, write time.Duration) {
	setDeadlines(http.NewResponseController(w), read, write)
}

func setDeadlines(c *http.ResponseController, read, write time.Duration) {
	deadline := func(d time.Duration) time.Time {
		if d == 0 {
			return time.Time{}
		}
		return time.Now().Add(d)
	}
	_ = c.SetReadDeadline(deadline(read))
	_ = c.SetWriteDeadline(deadline(write))
}

// checkHeader returns the part of a request's header that the handlers need, with nothing in it but known words, and how
// long the caller waits.
func checkHeader(h http.Header, s shape) (http.Header, time.Duration, *refusal) {
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if s != unary && (err != nil || !isStreamType(media, s)) {
		return nil, 0, &refusal{connect.CodeInvalidArgument, "CONTENT_TYPE", "", "cannot read the request: unknown content type for a stream",
			"use gRPC; or with curl, add -H 'Content-Type: application/connect+json' and send the message in its envelope, as local.md shows"}
	}
	if s == unary && (err != nil || !isMediaType(media)) {
		return nil, 0, &refusal{connect.CodeInvalidArgument, "CONTENT_TYPE", "", "cannot read the request: unknown content type",
			"with curl, add -H 'Content-Type: application/json'; gRPC and application/proto are read too"}
	}
	for _, name := range []string{"Content-Encoding", "Grpc-Encoding"} {
		if v := h.Get(name); v != "" && v != "identity" {
			return nil, 0, &refusal{connect.CodeUnimplemented, "COMPRESSED", "", "cannot read the request: it is compressed", "send it as it is"}
		}
	}
	limit, ok := timeLimitIn(h)
	if !ok {
		return nil, 0, &refusal{connect.CodeInvalidArgument, "BAD_TIMEOUT", "", "cannot read the request: its time limit is malformed",
			"leave Connect-Timeout-Ms or grpc-timeout out, or give it as the protocol says"}
	}
	return http.Header{"Content-Type": {media}}, limit, nil
}

// isEnveloped reports whether each message of a request has an envelope: in gRPC, and in Connect's streams.
func isEnveloped(h http.Header) bool {
	media := h.Get("Content-Type")
	return strings.HasPrefix(media, "application/grpc") || strings.HasPrefix(media, "application/connect+")
}

// envelopeHeader is the length of an envelope, which precedes a message: a byte of flags, and the length.
const envelopeHeader = 5

// checkEnvelope checks that a body is exactly one message in its envelope, not compressed.
func checkEnvelope(body []byte) *refusal {
	if len(body) >= envelopeHeader && body[0] == 0 && uint64(binary.BigEndian.Uint32(body[1:])) == uint64(len(body)-envelopeHeader) {
		return nil
	}
	return &refusal{connect.CodeInvalidArgument, "MALFORMED", "", "cannot read the request: not one message in its envelope, uncompressed",
		"generate the client from local.proto; local.md shows how to send it with curl"}
}

// readBody returns the whole body of a request, which has to arrive in time.
func readBody(r *http.Request) ([]byte, *refusal) {
	tooLarge := &refusal{connect.CodeResourceExhausted, "TOO_LARGE", "", "the request is larger than 64 KiB, and nothing was recorded",
		"send one payment or one stamp a call"}
	if r.ContentLength > maxBody+envelopeHeader {
		drain(r)
		return nil, tooLarge
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+envelopeHeader+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &refusal{connect.CodeDeadlineExceeded, "SLOW_REQUEST", "", "the request did not arrive in time, and nothing was recorded", hintSameKey}
	case err != nil:
		return nil, &refusal{connect.CodeInvalidArgument, "INCOMPLETE", "", "the request broke off, and nothing was recorded", hintSameKey}
	case len(body) > maxBody+envelopeHeader:
		drain(r)
		return nil, tooLarge
	}
	return body, nil
}

// maxDrain is how much of a request that is too large is read and thrown away.
const maxDrain = 32 << 20

// drain reads what is left of a request that is refused, so that a caller that sends before it reads gets to the answer.
// A caller that asks before it sends is left to find the answer.
func drain(r *http.Request) {
	if r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, r.Body, maxDrain)
	}
}
