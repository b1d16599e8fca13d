package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/stampd/stampd/uplink/wire"
)

// TestCallsAreTheSchemas reads the list of calls, and looks for one whose messages are not those of its procedure.
func TestCallsAreTheSchemas(t *testing.T) {
	source, err := os.ReadFile("calls.go")
	if err != nil {
		t.Fatal(err)
	}
	inList := regexp.MustCompile(`(?m)^\tcall(\w+) += call\[\*wire\.(\w+), \*wire\.(\w+)\]\(wireconnect\.LocalService(\w+)Procedure\)$`)
	calls := inList.FindAllStringSubmatch(string(source), -1)
	if uses := strings.Count(string(source), "wireconnect.LocalService"); len(calls) == 0 || len(calls) != uses {
		t.Errorf("%d calls in the list, and the source names %d procedures", len(calls), uses)
	}
	service := wire.File_local_proto.Services().ByName("LocalService")
	for _, c := range calls {
		m := service.Methods().ByName(protoreflect.Name(c[4]))
		if c[1] != c[4] || string(m.Input().Name()) != c[2] || string(m.Output().Name()) != c[3] {
			t.Errorf("call%s takes %s, gives %s and is %s, which takes %s and gives %s", c[1], c[2], c[3], c[4], m.Input().Name(), m.Output().Name())
		}
	}
}
