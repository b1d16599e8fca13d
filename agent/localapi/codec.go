package localapi

import (
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// request is a message as it came in. What can't be decoded is no error of the codec: Connect would answer with the
// decoder's text, which quotes the request, and without a detail.
type request[M any] struct {
	message M
	refusal *refusal // why it can't be used; nil when it can
}

func (r *request[M]) decode(unmarshal func(proto.Message) *refusal) {
	r.refusal = unmarshal(any(&r.message).(proto.Message))
}

// decodable is every *request.
type decodable interface {
	decode(unmarshal func(proto.Message) *refusal)
}

// protoCodec is protobuf's binary encoding. Fields that are not in the schema are kept for the guard to refuse.
type protoCodec struct{}

var _, _ connect.Codec = protoCodec{}, jsonCodec{}

func (protoCodec) Name() string { return "proto" }

func (protoCodec) Marshal(m any) ([]byte, error) { return proto.Marshal(m.(proto.Message)) }

func (protoCodec) Unmarshal(data []byte, m any) error {
	m.(decodable).decode(func(m proto.Message) *refusal {
		if proto.Unmarshal(data, m) != nil {
			return &refusal{
				code: connect.CodeInvalidArgument, reason: "MALFORMED",
				text: "cannot read the request: it is not the protobuf message of this call",
				hint: "generate the client from local.proto, and send text as UTF-8",
			}
		}
		return nil
	})
	return nil
}

// jsonCodec is protobuf's JSON mapping. Fields that are not in the schema are refused: a mistyped name would otherwise
// be a payment without it.
type jsonCodec struct{}

func (jsonCodec) Name() string { return "json" }

func (jsonCodec) Marshal(m any) ([]byte, error) {
	return protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m.(proto.Message))
}

func (jsonCodec) Unmarshal(data []byte, m any) error {
	m.(decodable).decode(func(m proto.Message) *refusal {
		if len(data) == 0 {
			return &refusal{
				code: connect.CodeInvalidArgument, reason: "MALFORMED",
				text: "cannot read the request: it is empty",
				hint: "send a JSON object, at least {}",
			}
		}
		if err := protojson.Unmarshal(data, m); err != nil {
			return refuseJSON(err, len(data))
		}
		return nil
	})
	return nil
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
