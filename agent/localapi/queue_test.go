package localapi

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/block"
	"github.com/stampd/stampd/uplink/wire"
)

// answered makes a call and reads its answer.
func answered[M proto.Message](t *testing.T, a *agent, call, body string, res M) M {
	t.Helper()
	got := a.post(t, a.http1(t), call, body)
	if err := protojson.Unmarshal([]byte(got.body), res); err != nil {
		t.Fatalf("%s: %s: %v", call, got.body, err)
	}
	return res
}

// fillQueue records seven payments, of which the backend refuses the second, and one reading.
func fillQueue(t *testing.T, a *agent) {
	t.Helper()
	for i := range 7 {
		answered(t, a, "RecordPayment", fmt.Sprintf(`{"payment":{"idempotencyKey":"k-%d","kind":1,"amountMinor":"%d","currency":"EUR"}}`, i, i),
			&wire.RecordPaymentResponse{})
	}
	if err := a.Queue.Ack(t.Context(), a.Queue.Lanes()[0].LaneID, 2, []buffer.Reject{{Seq: 2, Reason: 1}}); err != nil {
		t.Fatal(err)
	}
	guard := pci.NewGuard(block.Encode)
	c, err := guard.Check(&wire.Event{Clock: &wire.Clock{WallUnixMs: new(int64(5))}})
	if err != nil {
		t.Fatal(err)
	}
	if c, err = guard.Pack([]pci.Clean{c}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Queue.AppendTelemetry(c); err != nil {
		t.Fatal(err)
	}
}

func TestListQueue(t *testing.T) {
	a := startAgent(t)
	fillQueue(t, a)
	got := answered(t, a, "ListQueue", `{}`, &wire.ListQueueResponse{})
	if len(got.GetLanes()) != 2 || got.GetQuarantined() != 1 || got.GetTerminalId() != "t-1" {
		t.Fatalf("queue = %v, want two lanes and one refused record", got)
	}
	l, r := got.GetLanes()[0], got.GetLanes()[1]
	if l.GetLane() != wire.Lane_LANE_LEDGER || l.GetOldest() != 3 || l.GetNext() != 8 || l.GetAcked() != 2 || l.GetDepth() != 5 ||
		l.GetBytes() < 5*60 || l.GetOldestUnixMs() < 1_700_000_000_000 {
		t.Errorf("ledger = %v", l)
	}
	if r.GetLane() != wire.Lane_LANE_TELEMETRY || r.GetDepth() != 1 || r.GetInMemory() != 1 || r.GetOldestUnixMs() != 5 || r.GetBytes() == 0 {
		t.Errorf("telemetry = %v", r)
	}
	f := got.GetFile()
	if f.GetFormat() == 0 || f.GetUsedBytes() == 0 || f.GetUsedBytes() > f.GetSizeBytes() || f.GetMaxBytes() != 64<<20 || f.GetFault() != "" {
		t.Errorf("file = %v", f)
	}
}

func TestReadQueue(t *testing.T) {
	a := startAgent(t)
	fillQueue(t, a)
	epoch := a.Queue.Lanes()[0].Epoch.String()[:8]
	page := answered(t, a, "ReadQueue", fmt.Sprintf(`{"lane":1,"epoch":%q,"from":"4","maxRecords":2}`, epoch), &wire.ReadQueueResponse{})
	if len(page.GetRecords()) != 2 {
		t.Fatalf("page = %v, want two records", page)
	}
	for i, r := range page.GetRecords() {
		event := new(wire.Event)
		if err := proto.Unmarshal(r.GetPayload(), event); err != nil || r.GetSeq() != uint64(4+i) || event.GetPayment().GetAmountMinor() != int64(3+i) || len(r.GetChain()) != 8 {
			t.Errorf("record = %v, %v", r, err)
		}
	}
	if end := answered(t, a, "ReadQueue", fmt.Sprintf(`{"lane":1,"epoch":%q,"from":"8"}`, epoch), &wire.ReadQueueResponse{}); len(end.GetRecords()) != 0 {
		t.Errorf("after the last record: %v", end)
	}
	refused := answered(t, a, "ReadQueue", `{"quarantine":true}`, &wire.ReadQueueResponse{})
	if len(refused.GetRecords()) != 1 || refused.GetRecords()[0].GetSeq() != 2 || refused.GetRecords()[0].GetReason() != wire.RejectReason_REJECT_REASON_MALFORMED {
		t.Errorf("quarantine = %v", refused)
	}
	if rest := answered(t, a, "ReadQueue", `{"quarantine":true,"from":"1"}`, &wire.ReadQueueResponse{}); len(rest.GetRecords()) != 0 {
		t.Errorf("quarantine after its only record: %v", rest)
	}
}

func TestReadQueueRefuses(t *testing.T) {
	a := startAgent(t)
	client := a.http1(t)
	for name, tt := range map[string]struct{ body, reason string }{
		"no lane":        {`{}`, "MISSING"},
		"no epoch":       {`{"lane":1}`, "UNKNOWN_VALUE"},
		"no such epoch":  {`{"lane":1,"epoch":"00000000"}`, "UNKNOWN_VALUE"},
		"too many":       {`{"lane":1,"maxRecords":1001}`, "OUT_OF_RANGE"},
		"half an epoch":  {`{"lane":1,"epoch":"0000"}`, "UNKNOWN_VALUE"},
		"lane of no use": {`{"lane":9,"epoch":"00000000"}`, "UNKNOWN_VALUE"},
	} {
		t.Run(name, func(t *testing.T) {
			checkRefusal(t, a.post(t, client, "ReadQueue", tt.body), "invalid_argument", tt.reason)
		})
	}
}

// The POS app sees what it recorded, and not what lies in the queue.
func TestQueueIsForAdmins(t *testing.T) {
	a := startAgent(t)
	a.access = access{pos: a.access.admins}
	client := a.http1(t)
	if got := a.post(t, client, "Status", `{}`); got.status != 200 {
		t.Errorf("Status for the POS app: %s", got.body)
	}
	for _, call := range []string{"ListQueue", "ReadQueue"} {
		checkRefusal(t, a.post(t, client, call, `{}`), "permission_denied", "NOT_ALLOWED")
	}
}
