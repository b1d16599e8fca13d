package localapi

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/wire"
)

// inEnvelope returns a message as Connect's streams carry it: a byte of flags, its length, and itself.
func inEnvelope(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

// watcher reads a stream of WatchStatus over Connect, as curl gets it.
type watcher struct {
	codec string
	body  io.ReadCloser
}

// watch opens a stream.
func (a *agent) watch(t testing.TB, c *http.Client, codec string, request []byte) *watcher {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://stampd"+localService+"WatchStatus", bytes.NewReader(inEnvelope(request)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/connect+"+codec)
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "application/connect+"+codec {
		t.Fatalf("answer = %s, %q", res.Status, res.Header.Get("Content-Type"))
	}
	return &watcher{codec, res.Body}
}

// read returns the next envelope's flags and contents.
func (w *watcher) read(t testing.TB) (flags byte, contents []byte) {
	t.Helper()
	head := make([]byte, envelopeHeader)
	if _, err := io.ReadFull(w.body, head); err != nil {
		t.Fatalf("reading the stream: %v", err)
	}
	contents = make([]byte, binary.BigEndian.Uint32(head[1:]))
	if _, err := io.ReadFull(w.body, contents); err != nil {
		t.Fatalf("reading the stream: %v", err)
	}
	return head[0], contents
}

// next returns the next message.
func (w *watcher) next(t testing.TB) *wire.WatchStatusResponse {
	t.Helper()
	flags, contents := w.read(t)
	unmarshal := proto.Unmarshal
	if w.codec == "json" {
		unmarshal = protojson.Unmarshal
	}
	m := new(wire.WatchStatusResponse)
	if err := unmarshal(contents, m); err != nil || flags != 0 {
		t.Fatalf("envelope %d %q: %v, want a message", flags, contents, err)
	}
	return m
}

// end reads to the end of the stream and returns the error that it ends with.
func (w *watcher) end(t testing.TB) answer {
	t.Helper()
	const endOfStream = 2 // flag of Connect's EndStreamResponse
	for {
		flags, contents := w.read(t)
		if flags&endOfStream == 0 {
			continue
		}
		last := struct{ Error answer }{}
		if err := json.Unmarshal(contents, &last); err != nil {
			t.Fatalf("end of the stream %q: %v", contents, err)
		}
		last.Error.body = string(contents)
		if n, err := w.body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("after the end: %d, %v, want nothing", n, err)
		}
		return last.Error
	}
}

func TestWatchTellsAtOnceAndOnChange(t *testing.T) {
	a := startAgent(t)
	for _, codec := range []string{"json", "proto"} {
		w := a.watch(t, a.http1(t), codec, map[string][]byte{"json": []byte("{}")}[codec])
		before := w.next(t)
		if before.GetUplink() != wire.UplinkState_UPLINK_STATE_DISABLED || before.Ledger == nil || before.Telemetry == nil || len(before.GetAlarms()) != 0 {
			t.Errorf("first message = %v", before)
		}
		start := time.Now()
		body := strings.Replace(goodPayment, "k-1", "watch-"+codec, 1)
		if got := a.post(t, a.http1(t), "RecordPayment", body); got.status != http.StatusOK {
			t.Fatal(got.body)
		}
		after := w.next(t)
		if got := after.GetLedger().GetRecords(); got != before.GetLedger().GetRecords()+1 || after.GetLedger().OldestAgeMs == nil {
			t.Errorf("after a payment: %v, before: %v", after, before)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("told after %v", took)
		}
	}
}

// TestWatchOverGRPC watches as a generated client does, until its time is over.
func TestWatchOverGRPC(t *testing.T) {
	a := startAgent(t)
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	s, err := a.grpc(t).WatchStatus(ctx, &wire.WatchStatusRequest{EverySeconds: 1})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // at once, and a second later
		if _, err := s.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	if m, err := s.Recv(); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("third message = %v, %v, want that the time is over", m, err)
	}
}

func TestWatchTimeOver(t *testing.T) {
	a := startAgent(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://stampd"+localService+"WatchStatus", bytes.NewReader(inEnvelope([]byte("{}"))))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/connect+json")
	req.Header.Set("Connect-Timeout-Ms", "50")
	res, err := a.http1(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	w := &watcher{"json", res.Body}
	w.next(t)
	checkRefusal(t, w.end(t), "deadline_exceeded", "TIME_OVER")
}

// TestWatchIsCoalesced records payments as fast as it can.
func TestWatchIsCoalesced(t *testing.T) {
	a := startAgent(t)
	w := a.watch(t, a.http1(t), "json", []byte("{}"))
	w.next(t)
	start, client := time.Now(), a.http1(t)
	const payments = 100
	for i := range payments {
		a.post(t, client, "RecordPayment", strings.Replace(goodPayment, "k-1", "k-"+string(rune('A'+i/26))+string(rune('A'+i%26)), 1))
	}
	messages := 0
	for w.next(t).GetLedger().GetRecords() < payments {
		messages++
	}
	if most := int(time.Since(start)/watchPeriod) + 1; messages > most {
		t.Errorf("%d messages before the last in %v, want at most %d", messages, time.Since(start), most)
	}
}

// TestWatchUplink watches an uplink that finds no backend.
func TestWatchUplink(t *testing.T) {
	sending, stop := context.WithCancel(t.Context())
	sent := make(chan struct{})
	a := startOtherAgent(t, func(o *Options) {
		o.Uplink = uplink.New(uplink.Options{
			Queue: o.Queue, Backend: "127.0.0.1:1", Clock: hal.NewClock("/proc"), Log: zerolog.Nop(), BackoffMin: time.Hour, BackoffMax: time.Hour,
		})
	}, func(*Server) {})
	w := a.watch(t, a.http1(t), "json", []byte(`{"everySeconds":3600}`))
	if got := w.next(t).GetUplink(); got != wire.UplinkState_UPLINK_STATE_CONNECTING {
		t.Errorf("before: %v", got)
	}
	go func() { defer close(sent); _ = a.Uplink.Run(sending) }()
	defer func() { stop(); <-sent }()
	for {
		m := w.next(t)
		if m.GetUplink() == wire.UplinkState_UPLINK_STATE_WAITING && m.GetLastError() != "" {
			if m.GetHint() == "" || m.NextAttemptInMs == nil {
				t.Errorf("message = %v, want a hint and the next attempt", m)
			}
			return
		}
	}
}

func TestWatchAlarms(t *testing.T) {
	a := startOtherAgent(t, func(o *Options) { o.Ledger.Refs = nil }, func(*Server) {})
	w := a.watch(t, a.http1(t), "json", []byte(`{"everySeconds":3600}`))
	kinds := func(m *wire.WatchStatusResponse) (k []wire.StatusAlarmKind) {
		for _, alarm := range m.GetAlarms() {
			if alarm.GetText() == "" || alarm.GetHint() == "" {
				t.Errorf("alarm = %v, want words for people", alarm)
			}
			k = append(k, alarm.GetKind())
		}
		return k
	}
	if got := kinds(w.next(t)); len(got) != 1 || got[0] != wire.StatusAlarmKind_STATUS_ALARM_KIND_MEMBER_KEY {
		t.Errorf("alarms = %v, want that of the member key", got)
	}
	a.post(t, a.http1(t), "RecordPayment", strings.Replace(goodPayment, "k-1", testPAN, 1))
	if got := kinds(w.next(t)); len(got) != 2 || got[0] != wire.StatusAlarmKind_STATUS_ALARM_KIND_CARDHOLDER_DATA {
		t.Errorf("alarms = %v, want that of cardholder data", got)
	}
	// The alarm that is recorded comes in a message of its own, or in the same.
	if err := a.Queue.Close(); err != nil {
		t.Fatal(err)
	}
	checkRefusal(t, a.post(t, a.http1(t), "RecordPayment", goodPayment), "unavailable", "STOPPING")
	for kinds(w.next(t))[0] != wire.StatusAlarmKind_STATUS_ALARM_KIND_QUEUE {
	}
}

func TestWatchRefusals(t *testing.T) {
	a := startAgent(t)
	client := a.http1(t)
	checkRefusal(t, a.watch(t, client, "json", []byte(`{"everySeconds":3601}`)).end(t), "invalid_argument", "OUT_OF_RANGE")
	checkRefusal(t, a.watch(t, client, "json", []byte(`{"`+secret+`":1}`)).end(t), "invalid_argument", "UNKNOWN_FIELD")
	checkRefusal(t, a.watch(t, client, "json", []byte("[]")).end(t), "invalid_argument", "MALFORMED")
	checkRefusal(t, a.watch(t, client, "proto", []byte("\xff"+secret)).end(t), "invalid_argument", "MALFORMED")
	checkRefusal(t, a.post(t, client, "WatchStatus", `{}`), "invalid_argument", "CONTENT_TYPE")
}

// TestWatchEndsAtShutdown stops an agent that is watched in every way.
func TestWatchEndsAtShutdown(t *testing.T) {
	a := startAgent(t)
	w := a.watch(t, a.http1(t), "json", []byte("{}"))
	w.next(t)
	s, err := a.grpc(t).WatchStatus(t.Context(), &wire.WatchStatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	a.end()
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("stopped after %v", took)
	}
	checkRefusal(t, w.end(t), "unavailable", "STOPPING")
	if m, err := s.Recv(); status.Code(err) != codes.Unavailable || !strings.Contains(status.Convert(err).Message(), "stopping") {
		t.Errorf("gRPC stream ends with %v, %v", m, err)
	}
}
