package backend

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/stampd/stampd/uplink/backend/deny"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

// Another program edits the list: the stream that is open ends within seconds, and none follows until the terminal is
// taken off the list again.
func TestDenyTakesEffectOnARunningBackend(t *testing.T) {
	o := newOptions(t)
	b, _ := start(t, o)
	m := newTerminal(t, o, "t1", 10)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := grpc.NewClient(b.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(m.cfg)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := wire.NewUplinkServiceClient(conn).Stream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	lane := &wire.LaneState{Lane: wire.Lane_LANE_LEDGER, Epoch: make([]byte, 16), Oldest: 1, Next: 1}
	hello := &wire.Hello{TerminalId: "t1", AgentVersion: "1", Lanes: []*wire.LaneState{lane}}
	if err := stream.Send(&wire.ToBackend{Message: &wire.ToBackend_Hello{Hello: hello}}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}

	list, err := deny.Open(DenyDir(o.Dir))
	if err != nil {
		t.Fatal(err)
	}
	entry := deny.Terminal(identity.ID{Merchant: "m1", Terminal: "t1"})
	if _, err := list.Add(entry); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := stream.Recv(); status.Code(err) != codes.PermissionDenied {
		t.Errorf("stream ended with %v, want PERMISSION_DENIED", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stream ended after %v", took)
	}
	if err := m.session(ctx, b.Addr().String()); err == nil {
		t.Error("a denied terminal was served")
	}
	if _, err := list.Remove(entry); err != nil {
		t.Fatal(err)
	}
	if err := m.run(ctx, b.Addr().String()); err != nil {
		t.Errorf("after it was taken off the list: %v", err)
	}
}
