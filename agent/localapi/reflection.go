package localapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/stampd/stampd/uplink/wire"
)

// reflectionProcedures are gRPC's server reflection (grpc/doc/server-reflection.md): two names for the same messages. They
// are handled as bytes: generated types and the package descriptorpb would add a quarter of a megabyte to the agent.
var reflectionProcedures = [...]string{
	"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
	"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
}

// Limits of a reflection stream.
const (
	maxReflectionRequest = 4 << 10         // bytes
	reflectionPatience   = 2 * time.Minute // with the next request
)

// newReflectionHandler returns what tells clients the schema of the local API.
func newReflectionHandler(s *Server, procedure string) http.Handler {
	serve := func(ctx context.Context, in *connect.BidiStream[raw, raw]) (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = s.panicked(procedure)
			}
		}()
		if err := s.reflect(ctx, in); err != nil {
			return refusalOf(err).connectError()
		}
		return nil
	}
	return connect.NewBidiStreamHandler(procedure, serve, connect.WithCodec(codec{nameProto}),
		connect.WithCompression("gzip", nil, nil), connect.WithReadMaxBytes(maxReflectionRequest))
}

// reflect answers requests until there are no more.
func (s *Server) reflect(ctx context.Context, in *connect.BidiStream[raw, raw]) error {
	files, err := schemaFiles(wire.File_local_proto)
	if err != nil {
		return err
	}
	f := flowOf(ctx)
	for {
		f.give(reflectionPatience, 0)
		req, err := in.Receive()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case s.stopping.Err() != nil, ctx.Err() != nil:
			return s.ended(ctx, ctx.Err())
		case err != nil:
			return &refusal{connect.CodeInvalidArgument, "MALFORMED", "", "cannot read the request: not one of gRPC's server reflection, or not in time",
				"use a client of grpc.reflection.v1 or v1alpha"}
		}
		answer, no := answerReflection(req.data, files)
		if no != nil {
			return no
		}
		f.give(0, s.patience)
		if err := in.Send(&raw{data: answer}); err != nil {
			return fmt.Errorf("%w: %w", context.Canceled, err)
		}
	}
}

// schemaFile is a file of the schema, and its FileDescriptorProto.
type schemaFile struct {
	protoreflect.FileDescriptor
	encoded []byte
}

// schemaFiles returns a file of the schema and all that it imports, each after those that it imports itself.
func schemaFiles(file protoreflect.FileDescriptor) (files []schemaFile, err error) {
	seen := map[string]bool{}
	var visit func(protoreflect.FileDescriptor) error
	visit = func(fd protoreflect.FileDescriptor) error {
		if seen[fd.Path()] {
			return nil
		}
		seen[fd.Path()] = true
		for i := range fd.Imports().Len() {
			if err := visit(fd.Imports().Get(i).FileDescriptor); err != nil {
				return err
			}
		}
		encoded, err := encodedOf(fd)
		files = append(files, schemaFile{fd, encoded})
		return err
	}
	return files, visit(file)
}

// encodedOf returns a file's FileDescriptorProto, which the generated code of each of its messages holds in gzip's format.
func encodedOf(fd protoreflect.FileDescriptor) ([]byte, error) {
	t, err := protoregistry.GlobalTypes.FindMessageByName(fd.Messages().Get(0).FullName())
	if err != nil {
		return nil, fmt.Errorf("cannot find a message of %s: %w", fd.Path(), err)
	}
	m, ok := t.Zero().Interface().(interface{ Descriptor() ([]byte, []int) })
	if !ok {
		return nil, fmt.Errorf("cannot find the schema of %s", fd.Path())
	}
	zipped, _ := m.Descriptor()
	r, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		return nil, fmt.Errorf("cannot read the schema of %s: %w", fd.Path(), err)
	}
	return io.ReadAll(r)
}
