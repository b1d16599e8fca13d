package localapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/agent/readiness"
	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// agent is a server on a real socket, with a real queue and ledger behind it.
type agent struct {
	*Server
	log *bytes.Buffer // what it logged; to be read after stop
	end func()
}

// startAgent starts an agent as run.go does.
func startAgent(t testing.TB) *agent {
	t.Helper()
	return startOtherAgent(t, func(*Options) {}, func(*Server) {})
}

// startOtherAgent starts an agent with what change makes of its options, and prepare of the server before it serves.
func startOtherAgent(t testing.TB, change func(*Options), prepare func(*Server)) *agent {
	t.Helper()
	dir, err := os.MkdirTemp("", "stampd") // t.TempDir's paths are too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	a := &agent{log: new(bytes.Buffer)}
	o := newOptions(t, dir)
	o.Log = zerolog.New(zerolog.SyncWriter(a.log))
	change(&o)
	a.Server, err = Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	prepare(a.Server)
	served := make(chan error, 1)
	go func() { served <- a.Serve() }()
	stopped := false
	a.end = func() {
		if stopped {
			return
		}
		stopped = true
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := a.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
	t.Cleanup(a.end)
	return a
}

func newOptions(t testing.TB, dir string) Options {
	t.Helper()
	keys, err := pci.NewSealer([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	q, err := buffer.Open(buffer.Options{
		Path: filepath.Join(dir, "queue.db"), Terminal: "t-1", Keys: keys, MaxSize: 64 << 20, LedgerReserve: 16 << 20,
		TelemetryMemory: 1 << 20, SpillAfter: time.Hour, Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	guard := pci.NewGuard(nil)
	up := uplink.New(uplink.Options{Queue: q, Clock: hal.NewClock("/proc"), Log: zerolog.Nop()})
	l, err := ledger.New(ledger.Options{
		Queue:     q,
		Terminal:  "t-1",
		Guard:     guard,
		Programme: loyalty.Programme{ID: "coffee", Version: 1, StampsPerReward: 9, MaxStampsPerPurchase: 4, MinGap: new(time.Duration)},
		Refs:      pci.NewRefKey([32]byte{2}),
		Clock:     hal.NewClock("/proc"),
		Online:    up.Online,
	})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Socket:   filepath.Join(dir, "s.sock"),
		Terminal: identity.ID{Merchant: "m-1", Terminal: "t-1"},
		Version:  "test",
		Ledger:   l,
		Guard:    guard,
		Queue:    q,
		Uplink:   up,
		Board:    hal.Open(hal.Profile{SysRoot: filepath.Join(dir, "sys")}),
		Settle:   func() {},
		Keys:     func() (queue, member readiness.Key) { return readiness.Present, readiness.Present },
	}
	o.Report = newReport(o)
	return o
}

// http1 returns a client of the socket that speaks HTTP/1.1, as curl does.
func (a *agent) http1(t testing.TB) *http.Client {
	transport := &http.Transport{DialContext: a.dial, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

func (a *agent) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unix", a.Socket)
}

// answer is what came back for a request in JSON.
type answer struct {
	status int
	body   string
	Code   string `json:"code"`
	Text   string `json:"message"`
	Detail []struct {
		Debug struct{ Reason, Field, Hint string } `json:"debug"`
	} `json:"details"`
}

// reason returns the reason of a refusal, or "" for an answer that is none.
func (a answer) reason() string {
	if len(a.Detail) == 0 {
		return ""
	}
	return a.Detail[0].Debug.Reason
}

// field returns the field of a refusal.
func (a answer) field() string {
	if len(a.Detail) == 0 {
		return ""
	}
	return a.Detail[0].Debug.Field
}

// post makes a call as curl does.
func (a *agent) post(t testing.TB, c *http.Client, call, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://stampd/stampd.v1.LocalService/"+call, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	return a.do(t, c, req)
}

func (a *agent) do(t testing.TB, c *http.Client, req *http.Request) answer {
	t.Helper()
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := answer{status: res.StatusCode, body: string(body)}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatalf("answer is not JSON: %v\n%s", err, body)
	}
	return got
}

// events returns every event in the ledger lane.
func (a *agent) events(t testing.TB) []*wire.Event {
	t.Helper()
	var events []*wire.Event
	for _, lane := range a.Queue.Lanes() {
		if lane.Lane != buffer.Ledger {
			continue
		}
		for from := uint64(1); ; {
			records, err := a.Queue.Read(lane.LaneID, from, 1000, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if len(records) == 0 {
				break
			}
			for _, r := range records {
				e := new(wire.Event)
				if err := proto.Unmarshal(r.Payload, e); err != nil {
					t.Fatal(err)
				}
				events = append(events, e)
				from = r.Seq + 1
			}
		}
	}
	return events
}

// telemetry returns every event in the telemetry lane.
func (a *agent) telemetry(t testing.TB) (events []*wire.Event) {
	t.Helper()
	for _, lane := range a.Queue.Lanes() {
		if lane.Lane != buffer.Telemetry {
			continue
		}
		records, err := a.Queue.Read(lane.LaneID, 1, 1000, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			block := new(wire.TelemetryBlock)
			if err := proto.Unmarshal(r.Payload, block); err != nil {
				t.Fatal(err)
			}
			for _, b := range block.Events {
				e := new(wire.Event)
				if err := proto.Unmarshal(b, e); err != nil {
					t.Fatal(err)
				}
				events = append(events, e)
			}
		}
	}
	return events
}

// payments returns how many payments and stamps are recorded.
func (a *agent) recorded(t testing.TB) (n int) {
	t.Helper()
	for _, e := range a.events(t) {
		if e.GetPayment() != nil || e.GetStamp() != nil {
			n++
		}
	}
	return n
}

const goodPayment = `{"payment":{"idempotencyKey":"k-1","kind":"PAYMENT_KIND_AUTHORISED","amountMinor":"1250","currency":"EUR"}}`

// alive fails the test unless the agent still records a payment.
func (a *agent) alive(t testing.TB) {
	t.Helper()
	body := strings.Replace(goodPayment, "k-1", "alive-"+t.Name(), 1)
	if got := a.post(t, a.http1(t), "RecordPayment", body); got.status != http.StatusOK {
		t.Errorf("payment afterwards: %d %s", got.status, got.body)
	}
}

// localService is what the path of each call begins with.
const localService = "/stampd.v1.LocalService/"

var errNotRefused = errors.New("not refused")
