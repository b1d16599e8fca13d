package localapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/stampd/stampd/uplink/wire"
	"github.com/stampd/stampd/uplink/wire/wireconnect"
)

// exampleSocket is where the agent listens that TestExample starts; in the field it is /run/stampd/stampd.sock.
var exampleSocket string

// A point-of-sale client: it connects to the agent's socket, records a payment under a key of its own, repeats it with the
// same key while the outcome is not known, and watches the status.
func Example() {
	var dialer net.Dialer
	client := wireconnect.NewLocalServiceClient(&http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", exampleSocket)
		},
		DisableKeepAlives: true,
	}}, "http://stampd")

	payment := &wire.RecordPaymentRequest{Payment: &wire.Payment{
		IdempotencyKey: "order-17/auth", // made before the first attempt, and kept with the order
		Kind:           wire.PaymentKind_PAYMENT_KIND_AUTHORISED,
		AuthMode:       wire.AuthMode_AUTH_MODE_ONLINE,
		AmountMinor:    1250,
		Currency:       "EUR",
	}}
	var recorded *connect.Response[wire.RecordPaymentResponse]
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
		var err error
		recorded, err = client.RecordPayment(ctx, connect.NewRequest(payment))
		cancel()
		if err == nil {
			break
		}
		switch connect.CodeOf(err) {
		case connect.CodeUnavailable, connect.CodeDeadlineExceeded, connect.CodeInternal, connect.CodeCanceled, connect.CodeUnknown:
			time.Sleep(wait) // the outcome is not known: the same again
		default:
			fmt.Println("refused:", err, reasonIn(err))
			return
		}
	}
	fmt.Println("recorded:", recorded.Msg.GetAuthMode(), "duplicate:", recorded.Msg.GetDuplicate())

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	status, err := client.WatchStatus(ctx, connect.NewRequest(&wire.WatchStatusRequest{EverySeconds: 30}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer status.Close()
	if status.Receive() { // an application goes on, and watches again when the stream ends
		fmt.Println("watched:", status.Msg().GetUplink(), "waiting:", status.Msg().GetLedger().GetRecords())
	}
}

// reasonIn returns the reason of a refusal, for programs.
func reasonIn(err error) string {
	if answer := new(connect.Error); errors.As(err, &answer) {
		for _, d := range answer.Details() {
			if m, err := d.Value(); err == nil {
				if detail, ok := m.(*wire.ErrorDetail); ok {
					return detail.GetReason()
				}
			}
		}
	}
	return ""
}

func TestExample(t *testing.T) {
	a := startAgent(t)
	exampleSocket = a.Socket
	Example()
	Example()
	if n := a.recorded(t); n != 1 {
		t.Errorf("%d records of a payment that was made twice, want 1", n)
	}
}
