package localapi

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/stampd/stampd/uplink/wire"
)

type (
	reflectionRequest  = grpc_reflection_v1.ServerReflectionRequest
	reflectionResponse = grpc_reflection_v1.ServerReflectionResponse
)

// reflecting opens a stream to the agent with gRPC's own client of version 1.
func (a *agent) reflecting(t *testing.T) grpc_reflection_v1.ServerReflection_ServerReflectionInfoClient {
	t.Helper()
	stream, err := grpc_reflection_v1.NewServerReflectionClient(a.conn(t)).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// conn returns a gRPC connection to the agent.
func (a *agent) conn(t *testing.T) *grpc.ClientConn {
	t.Helper()
	cc, err := grpc.NewClient("unix:"+a.Socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	return cc
}

func reflected(t *testing.T, s grpc_reflection_v1.ServerReflection_ServerReflectionInfoClient, req *reflectionRequest) *reflectionResponse {
	t.Helper()
	if err := s.Send(req); err != nil {
		t.Fatal(err)
	}
	res, err := s.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// TestReflection rebuilds the schema from what the agent tells alone, and finds every service, method and field in it.
func TestReflection(t *testing.T) {
	a := startAgent(t)
	s := a.reflecting(t)
	services := reflected(t, s, &reflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{}}).
		GetListServicesResponse().GetService()
	if len(services) != 1 || services[0].GetName() != "stampd.v1.LocalService" {
		t.Fatalf("services = %v, want the local API", services)
	}
	asks := map[string]*reflectionRequest{
		"symbol": {MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: services[0].GetName()}},
		"method": {MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: services[0].GetName() + ".Status"}},
		"file":   {MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileByFilename{FileByFilename: "local.proto"}},
	}
	for name, ask := range asks {
		t.Run(name, func(t *testing.T) {
			set := new(descriptorpb.FileDescriptorSet)
			for _, encoded := range reflected(t, s, ask).GetFileDescriptorResponse().GetFileDescriptorProto() {
				file := new(descriptorpb.FileDescriptorProto)
				if err := proto.Unmarshal(encoded, file); err != nil {
					t.Fatal(err)
				}
				set.File = append(set.File, file)
			}
			if got := set.GetFile()[0].GetName(); got != "local.proto" {
				t.Errorf("first file = %s, want the one that was asked for", got)
			}
			files, err := protodesc.NewFiles(set)
			if err != nil {
				t.Fatalf("the schema is not whole: %v", err)
			}
			for _, ours := range []protoreflect.FileDescriptor{wire.File_local_proto, wire.File_ledger_proto, wire.File_event_proto} {
				theirs, err := files.FindFileByPath(ours.Path())
				if err != nil {
					t.Fatal(err)
				}
				if got, want := namesIn(theirs), namesIn(ours); got != want || !strings.Contains(got, "stampd.v1.") {
					t.Errorf("%s: schema as told:\n%s\nand as it is:\n%s", ours.Path(), got, want)
				}
			}
		})
	}
}

// namesIn lists the methods and fields of a file.
func namesIn(file protoreflect.FileDescriptor) string {
	var b strings.Builder
	for i := range file.Services().Len() {
		methods := file.Services().Get(i).Methods()
		for j := range methods.Len() {
			m := methods.Get(j)
			fmt.Fprintln(&b, m.FullName(), m.Input().FullName(), m.Output().FullName(), m.IsStreamingServer())
		}
	}
	for i := range file.Messages().Len() {
		fields := file.Messages().Get(i).Fields()
		for j := range fields.Len() {
			fmt.Fprintln(&b, fields.Get(j).FullName(), fields.Get(j).Number(), fields.Get(j).Kind())
		}
	}
	return b.String()
}

func TestReflectionFindsNothing(t *testing.T) {
	a := startAgent(t)
	s := a.reflecting(t)
	tests := map[string]struct {
		ask  *reflectionRequest
		code codes.Code
	}{
		"no such symbol": {&reflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: secret}}, codes.NotFound},
		"symbol of another schema": {&reflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileContainingSymbol{
			FileContainingSymbol: "google.rpc.Status"}}, codes.NotFound},
		"no such file": {&reflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileByFilename{FileByFilename: secret}}, codes.NotFound},
		"extension":    {&reflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_AllExtensionNumbersOfType{AllExtensionNumbersOfType: secret}}, codes.NotFound},
		"nothing":      {&reflectionRequest{Host: secret}, codes.Unimplemented},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := reflected(t, s, tt.ask)
			if failure := got.GetErrorResponse(); codes.Code(failure.GetErrorCode()) != tt.code || failure.GetErrorMessage() == "" {
				t.Errorf("answer = %v, want %v", got, tt.code)
			}
			if strings.Contains(got.String(), secret) {
				t.Errorf("answer quotes the request: %v", got)
			}
		})
	}
}

// TestReflectionOfOldClients asks by the name that was used before version 1.
func TestReflectionOfOldClients(t *testing.T) {
	a := startAgent(t)
	s, err := a.conn(t).NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, reflectionProcedures[1])
	if err != nil {
		t.Fatal(err)
	}
	// The messages are those of version 1.
	if err := s.SendMsg(&reflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	res := new(reflectionResponse)
	if err := s.RecvMsg(res); err != nil || len(res.GetListServicesResponse().GetService()) != 1 {
		t.Errorf("services = %v, %v", res, err)
	}
}

func TestReflectionRefusals(t *testing.T) {
	a := startOtherAgent(t, func(*Options) {}, func(s *Server) { s.access = access{} })
	if _, err := a.reflecting(t).Recv(); status.Code(err) != codes.PermissionDenied {
		t.Errorf("stranger: %v", err)
	}
	b := startAgent(t)
	s := b.reflecting(t)
	if err := s.Send(&reflectionRequest{Host: strings.Repeat(secret, maxReflectionRequest)}); err != nil {
		t.Fatal(err)
	}
	_, err := s.Recv()
	if got := status.Convert(err); got.Code() != codes.InvalidArgument || len(got.Details()) != 1 || strings.Contains(err.Error(), secret) {
		t.Errorf("request of %d bytes: %v", maxReflectionRequest*len(secret), err)
	}
	s = b.reflecting(t)
	reflected(t, s, &reflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{}})
	b.end()
	if _, err := s.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("at the end of the agent: %v", err)
	}
}

// FuzzReflection answers anything with a message of reflection or a refusal.
func FuzzReflection(f *testing.F) {
	files, err := schemaFiles(wire.File_local_proto)
	if err != nil {
		f.Fatal(err)
	}
	for _, m := range []*reflectionRequest{
		{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{ListServices: "*"}},
		{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileByFilename{FileByFilename: "event.proto"}},
		{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: ".stampd.v1.Event"}},
		{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileContainingExtension{
			FileContainingExtension: &grpc_reflection_v1.ExtensionRequest{ContainingType: "x", ExtensionNumber: 1}}},
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, request []byte) {
		answer, no := answerReflection(request, files)
		if no != nil {
			if proto.Unmarshal(request, new(reflectionRequest)) == nil {
				t.Errorf("a good request is refused: %v", no)
			}
			return
		}
		m := new(reflectionResponse)
		if err := proto.Unmarshal(answer, m); err != nil || m.GetMessageResponse() == nil {
			t.Errorf("answer = %v, %v", m, err)
		}
	})
}
