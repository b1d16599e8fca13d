package localapi

import (
	"bytes"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// raw is a message as it is on the wire. All calls have this one type: Connect's handlers are generic, and those of messages'
// own types would add 15 KB to the agent with each call.
type raw struct {
	data []byte
	json bool // protobuf's JSON mapping, else its binary encoding
}

// codec passes messages on as they are, for [raw.decode]: what can't be decoded is no error of the codec, since Connect would
// answer with the decoder's text, which quotes the request, and without a detail.
type codec struct{ name string }

// Names of encodings, as they are in content types.
const (
	nameProto = "proto"
	nameJSON  = "json"
)

func (c codec) Name() string { return c.name }

func (codec) Marshal(m any) ([]byte, error) {
	if r, ok := m.(*raw); ok {
		return r.data, nil
	}
	return proto.Marshal(m.(proto.Message)) // Connect's own: an error and its details, in gRPC
}

func (c codec) Unmarshal(data []byte, m any) error {
	*m.(*raw) = raw{data: bytes.Clone(data), json: c.name == nameJSON}
	return nil
}

// encodings returns what a handler needs to speak both.
func encodings() []connect.HandlerOption {
	return []connect.HandlerOption{
		connect.WithCodec(codec{nameProto}), connect.WithCodec(codec{nameJSON}),
		connect.WithCompression("gzip", nil, nil), // the socket is faster, and 64 KiB of it can't become more
	}
}

// decode reads a request into m, or says why it can't be used.
func (r *raw) decode(m proto.Message) *refusal {
	if r.json {
		return r.decodeJSON(m)
	}
	// Fields that are not in the schema are kept for the guard to refuse.
	if proto.Unmarshal(r.data, m) != nil {
		return &refusal{
			code: connect.CodeInvalidArgument, reason: "MALFORMED",
			text: "cannot read the request: it is not the protobuf message of this call",
			hint: "generate the client from local.proto, and send text as UTF-8",
		}
	}
	return nil
}

// decodeJSON refuses fields that are not in the schema: a mistyped name would otherwise be a payment without it.
func (r *raw) decodeJSON(m proto.Message) *refusal {
	if len(r.data) == 0 {
		return &refusal{
			code: connect.CodeInvalidArgument, reason: "MALFORMED",
			text: "cannot read the request: it is empty",
			hint: "send a JSON object, at least {}",
		}
	}
	if err := protojson.Unmarshal(r.data, m); err != nil {
		return refuseJSON(err, len(r.data))
	}
	return nil
}

// answer returns m as the answer to r, in the same encoding.
func (r *raw) answer(m proto.Message) (*raw, error) {
	a := &raw{json: r.json}
	var err error
	if r.json {
		a.data, err = protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
	} else {
		a.data, err = proto.Marshal(m)
	}
	return a, err
}

// isStreamType reports whether a media type is one that the codecs read in a stream of this shape.
func isStreamType(t string, s shape) bool {
	switch t {
	case "application/connect+proto", "application/grpc", "application/grpc+proto":
		return true
	case "application/connect+json", "application/grpc+json":
		return s == stream
	}
	return false
}

// isMediaType reports whether a media type is one that the codecs read in a unary call.
func isMediaType(t string) bool {
	switch strings.TrimPrefix(t, "application/") {
	case "json", "proto", "grpc", "grpc+proto", "grpc+json":
		return strings.HasPrefix(t, "application/")
	}
	return false
}
