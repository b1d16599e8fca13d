package localapi

import (
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/stampd/stampd/uplink/wire/wireconnect"
)

// Field numbers of grpc.reflection.v1 (reflection.proto), the same in v1alpha.
const (
	askFile       = 3 // ServerReflectionRequest.file_by_filename
	askSymbol     = 4 // .file_containing_symbol
	askExtension  = 5 // .file_containing_extension
	askExtensions = 6 // .all_extension_numbers_of_type
	askServices   = 7 // .list_services

	tellFiles    = 4 // ServerReflectionResponse.file_descriptor_response
	tellServices = 6 // .list_services_response
	tellError    = 7 // .error_response

	onlyField    = 1 // FileDescriptorResponse.file_descriptor_proto, ListServiceResponse.service, ServiceResponse.name
	errorCode    = 1 // ErrorResponse.error_code
	errorMessage = 2 // .error_message
)

// answerReflection returns the ServerReflectionResponse to a ServerReflectionRequest. It repeats nothing of the request: the
// optional valid_host and original_request are left out.
func answerReflection(request []byte, files []schemaFile) ([]byte, *refusal) {
	var asked protowire.Number
	var name string
	for len(request) > 0 {
		number, kind, n := protowire.ConsumeField(request)
		if n < 0 {
			return nil, &refusal{connect.CodeInvalidArgument, "MALFORMED", "", "cannot read the request: it is not one of gRPC's server reflection",
				"use a client of grpc.reflection.v1 or v1alpha"}
		}
		field := request[:n]
		request = request[n:]
		if number < askFile || number > askServices || kind != protowire.BytesType {
			continue
		}
		_, _, tag := protowire.ConsumeTag(field)
		value, _ := protowire.ConsumeBytes(field[tag:])
		asked, name = number, string(value)
	}
	switch asked {
	case askServices:
		return tellServiceNames(), nil
	case askFile, askSymbol:
		if i := indexOfFile(files, asked, name); i >= 0 {
			return tellFilesFor(files, i), nil
		}
		return tellFailure(connect.CodeNotFound, "no such file or symbol in the schema of the local API"), nil
	case askExtension, askExtensions:
		return tellFailure(connect.CodeNotFound, "the schema has no extensions"), nil
	}
	return tellFailure(connect.CodeUnimplemented, "no such question"), nil
}

// indexOfFile returns which file has a name or declares a symbol, or -1.
func indexOfFile(files []schemaFile, asked protowire.Number, name string) int {
	if asked == askSymbol {
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.TrimPrefix(name, ".")))
		if err != nil {
			return -1
		}
		name = d.ParentFile().Path()
	}
	for i, f := range files {
		if f.Path() == name {
			return i
		}
	}
	return -1
}

// tellFilesFor answers with a file and all that come before it, which are all that it needs, so that nobody has to ask again.
func tellFilesFor(files []schemaFile, i int) []byte {
	var list []byte
	for _, f := range append([]schemaFile{files[i]}, files[:i]...) {
		list = protowire.AppendTag(list, onlyField, protowire.BytesType)
		list = protowire.AppendBytes(list, f.encoded)
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, tellFiles, protowire.BytesType), list)
}

func tellServiceNames() []byte {
	var list []byte
	service := protowire.AppendString(protowire.AppendTag(nil, onlyField, protowire.BytesType), wireconnect.LocalServiceName)
	list = protowire.AppendBytes(protowire.AppendTag(list, onlyField, protowire.BytesType), service)
	return protowire.AppendBytes(protowire.AppendTag(nil, tellServices, protowire.BytesType), list)
}

func tellFailure(code connect.Code, text string) []byte {
	failure := protowire.AppendVarint(protowire.AppendTag(nil, errorCode, protowire.VarintType), uint64(code))
	failure = protowire.AppendString(protowire.AppendTag(failure, errorMessage, protowire.BytesType), text)
	return protowire.AppendBytes(protowire.AppendTag(nil, tellError, protowire.BytesType), failure)
}
