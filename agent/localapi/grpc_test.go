package localapi

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"

	"github.com/stampd/stampd/uplink/wire"
)

// grpc returns a gRPC client of the socket, as a POS app would have it.
func (a *agent) grpc(t *testing.T) wire.LocalServiceClient {
	t.Helper()
	cc, err := grpc.NewClient("unix:"+a.Socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	return wire.NewLocalServiceClient(cc)
}

func paymentOf(key string, minor int64) *wire.RecordPaymentRequest {
	return &wire.RecordPaymentRequest{Payment: &wire.Payment{
		IdempotencyKey: key, Kind: wire.PaymentKind_PAYMENT_KIND_AUTHORISED, AmountMinor: minor, Currency: "EUR",
	}}
}

func TestGRPC(t *testing.T) {
	a := startAgent(t)
	c := a.grpc(t)
	first, err := c.RecordPayment(t.Context(), paymentOf("k-1", 1250))
	if err != nil || first.GetSeq() != 1 || first.GetDuplicate() {
		t.Fatalf("RecordPayment = %v, %v", first, err)
	}
	again, err := c.RecordPayment(t.Context(), paymentOf("k-1", 1250))
	if err != nil || again.GetSeq() != 1 || !again.GetDuplicate() {
		t.Errorf("the same again = %v, %v", again, err)
	}
	award, err := c.AwardStamps(t.Context(), &wire.AwardStampsRequest{IdempotencyKey: "s-1", Phone: "+14155551234", Stamps: new(int32(4))})
	if err != nil || award.GetCard().GetStamps() != 4 {
		t.Errorf("AwardStamps = %v, %v", award, err)
	}
	card, err := c.GetCard(t.Context(), &wire.GetCardRequest{Phone: "+14155551234"})
	if err != nil || card.GetCard().GetProgress() != 4 || card.GetCard().GetOf() != 9 {
		t.Errorf("GetCard = %v, %v", card, err)
	}
	flushed, err := c.Flush(t.Context(), &wire.FlushRequest{})
	if err != nil || flushed.GetWaiting() != 2 || flushed.GetComplete() {
		t.Errorf("Flush = %v, %v", flushed, err)
	}
	st, err := c.Status(t.Context(), &wire.StatusRequest{})
	if err != nil || st.GetTerminalId() != "t-1" || st.GetMerchantId() != "m-1" || len(st.GetLanes()) == 0 || st.GetQueue().GetMaxBytes() != 64<<20 {
		t.Errorf("Status = %v, %v", st, err)
	}
}

func TestGRPCRefusals(t *testing.T) {
	a := startAgent(t)
	c := a.grpc(t)
	if _, err := c.RecordPayment(t.Context(), paymentOf("k-1", 1250)); err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	tests := []struct {
		name    string
		ctx     context.Context
		req     *wire.RecordPaymentRequest
		options []grpc.CallOption
		code    codes.Code
		reason  string // empty when the client itself refuses
	}{
		{"key reused", t.Context(), paymentOf("k-1", 1251), nil, codes.AlreadyExists, "KEY_REUSED"},
		{"negative", t.Context(), paymentOf("k-2", -1), nil, codes.InvalidArgument, "OUT_OF_RANGE"},
		{"card number", t.Context(), paymentOf(testPAN, 1), nil, codes.InvalidArgument, "CARDHOLDER_DATA"},
		{"nothing", t.Context(), &wire.RecordPaymentRequest{}, nil, codes.InvalidArgument, "MISSING"},
		{"too large", t.Context(), paymentOf(strings.Repeat("k", 10<<20), 1), nil, codes.ResourceExhausted, "TOO_LARGE"},
		{"compressed", t.Context(), paymentOf("k-3", 1), []grpc.CallOption{grpc.UseCompressor(gzip.Name)}, codes.Unimplemented, "COMPRESSED"},
		{"time over", over, paymentOf("k-4", 1), nil, codes.DeadlineExceeded, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := c.RecordPayment(tt.ctx, tt.req, tt.options...)
			got := status.Convert(err)
			if got.Code() != tt.code || strings.Contains(got.Message(), testPAN) {
				t.Errorf("error = %v, want %v", err, tt.code)
			}
			if tt.reason == "" {
				return
			}
			if len(got.Details()) != 1 {
				t.Fatalf("details = %v, want one", got.Details())
			}
			if d, ok := got.Details()[0].(*wire.ErrorDetail); !ok || d.GetReason() != tt.reason || d.GetHint() == "" {
				t.Errorf("detail = %v, want %s and a hint", got.Details()[0], tt.reason)
			}
		})
	}
	if n := a.recorded(t); n != 1 {
		t.Errorf("%d records, want 1", n)
	}
}

// TestShutdownWithOpenStreams stops an agent whose callers keep their connections and wait for a flush.
func TestShutdownWithOpenStreams(t *testing.T) {
	a := startAgent(t)
	c := a.grpc(t)
	if _, err := c.RecordPayment(t.Context(), paymentOf("k-1", 1250)); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	a.end()
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("stopped after %v", took)
	}
}
