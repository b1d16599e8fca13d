package localapi

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/stampd/stampd/uplink/wire"
)

// TestErrorModel makes every call wrong in every way in every encoding: each answer has a code, a text, and one ErrorDetail
// with a reason and a hint.
func TestErrorModel(t *testing.T) {
	a := startAgent(t)
	stranger := startOtherAgent(t, func(*Options) {}, func(s *Server) { s.access = access{} })
	faults := []struct {
		name   string
		spoil  func(r *http.Request, body []byte) []byte
		agent  *agent
		reason string
	}{
		{"stranger", func(_ *http.Request, b []byte) []byte { return b }, stranger, "NOT_ALLOWED"},
		{"no such call", func(r *http.Request, b []byte) []byte { r.URL.Path += secret; return b }, a, "NO_SUCH_CALL"},
		{"time limit", func(r *http.Request, b []byte) []byte { r.Header.Set("Connect-Timeout-Ms", secret); return b }, a, "BAD_TIMEOUT"},
		{"compressed", func(r *http.Request, b []byte) []byte { r.Header.Set("Content-Encoding", "br"); return b }, a, "COMPRESSED"},
		{"too large", func(_ *http.Request, b []byte) []byte { return append(b, make([]byte, maxBody+envelopeHeader+1)...) }, a, "TOO_LARGE"},
		{"malformed", func(_ *http.Request, b []byte) []byte { return append(b[:len(b)-1], '\xff') }, a, "MALFORMED"},
	}
	for call, good := range goodRequests() {
		for _, media := range mediaOf(a.routes[localService+call].shape) {
			for _, fault := range faults {
				t.Run(call+"/"+media+"/"+fault.name, func(t *testing.T) {
					req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://stampd"+localService+call, nil)
					if err != nil {
						t.Fatal(err)
					}
					req.Header.Set("Content-Type", media)
					body := fault.spoil(req, encoded(t, media, good))
					req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
					code, text, details := fault.agent.wrong(t, req)
					if code == "" || text == "" || len(details) != 1 || details[0].GetReason() != fault.reason || details[0].GetHint() == "" {
						t.Errorf("error = %s %q %v, want %s", code, text, details, fault.reason)
					}
					if strings.Contains(text, secret) {
						t.Errorf("error quotes the request: %s", text)
					}
				})
			}
		}
	}
	if n := a.recorded(t) + stranger.recorded(t); n != 0 {
		t.Errorf("%d records, want none", n)
	}
}

// mediaOf returns the content types of requests of a shape.
func mediaOf(s shape) []string {
	grpc := []string{"application/grpc", "application/grpc+proto", "application/grpc+json"}
	if s == stream {
		return append(grpc, "application/connect+json", "application/connect+proto")
	}
	return append(grpc, "application/json", "application/proto")
}

// encoded returns a request as the content type has it. None is empty, so that it can be spoiled.
func encoded(t *testing.T, media string, m proto.Message) (body []byte) {
	t.Helper()
	var err error
	if strings.HasSuffix(media, "json") {
		body, err = protojson.Marshal(m)
	} else if body, err = proto.Marshal(m); len(body) == 0 {
		body = []byte{8, 0} // the first field, if it is a number, or one that there is none of
	}
	if err != nil {
		t.Fatal(err)
	}
	if isEnveloped(http.Header{"Content-Type": {media}}) {
		return inEnvelope(body)
	}
	return body
}

// wrong makes a call that is refused, over HTTP/2 for gRPC, and returns what is in the error.
func (a *agent) wrong(t *testing.T, req *http.Request) (code, text string, details []*wire.ErrorDetail) {
	t.Helper()
	media := req.Header.Get("Content-Type")
	grpc := strings.HasPrefix(media, "application/grpc")
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return a.dial(ctx, "", "") }, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(!grpc)
	transport.Protocols.SetUnencryptedHTTP2(grpc)
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if grpc {
		return inTrailers(t, res)
	}
	if strings.HasPrefix(media, "application/connect+") {
		body = body[envelopeHeader:]
	}
	return inJSON(t, body)
}

// inTrailers reads an error as gRPC has it (grpc-status-details-bin is a google.rpc.Status).
func inTrailers(t *testing.T, res *http.Response) (code, text string, details []*wire.ErrorDetail) {
	t.Helper()
	get := func(name string) string { return res.Header.Get(name) + res.Trailer.Get(name) }
	encoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(get("Grpc-Status-Details-Bin"), "="))
	if err != nil {
		t.Fatal(err)
	}
	of, err := protoregistry.GlobalTypes.FindMessageByName("google.rpc.Status")
	if err != nil {
		t.Fatal(err)
	}
	m := of.New().Interface()
	if err := proto.Unmarshal(encoded, m); err != nil {
		t.Fatal(err)
	}
	asJSON, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	s := struct {
		Message string
		Details []*wire.ErrorDetail
	}{}
	if err := json.Unmarshal(asJSON, &s); err != nil {
		t.Fatal(err)
	}
	return get("Grpc-Status"), s.Message, s.Details
}

// inJSON reads an error as Connect has it, in a body or at the end of a stream.
func inJSON(t *testing.T, body []byte) (code, text string, details []*wire.ErrorDetail) {
	t.Helper()
	type failure struct { // as the protocol has it
		Code, Message string
		Details       []struct{ Type, Value string }
		Error         *failure
	}
	f := new(failure)
	if err := json.Unmarshal(body, f); err != nil {
		t.Fatalf("error is not JSON: %v: %q", err, body)
	}
	if f.Error != nil {
		f = f.Error
	}
	for _, d := range f.Details {
		encoded, err := base64.RawStdEncoding.DecodeString(d.Value)
		if err != nil {
			t.Fatal(err)
		}
		m := new(wire.ErrorDetail)
		if err := proto.Unmarshal(encoded, m); err != nil {
			t.Fatal(err)
		}
		details = append(details, m)
	}
	return f.Code, f.Message, details
}
