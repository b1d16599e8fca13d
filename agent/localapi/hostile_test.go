package localapi

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// secret stands for what must never be quoted: it is no card number, so that the guard leaves it to the decoder.
const secret = "5ecre7-c0ntent5"

func TestHostileBodies(t *testing.T) {
	a := startAgent(t)
	client := a.http1(t)
	if got := a.post(t, client, "RecordPayment", goodPayment); got.status != http.StatusOK {
		t.Fatalf("good payment: %d %s", got.status, got.body)
	}
	payment := func(change ...string) string { return strings.NewReplacer(change...).Replace(goodPayment) }
	tests := []struct {
		name, call, body string
		status           int
		code, reason     string
		field            string
	}{
		{"empty", "RecordPayment", "", 400, "invalid_argument", "MALFORMED", ""},
		{"no object", "RecordPayment", `{}`, 400, "invalid_argument", "MISSING", "payment"},
		{"not JSON", "RecordPayment", secret, 400, "invalid_argument", "MALFORMED", ""},
		{"half of it", "RecordPayment", goodPayment[:40], 400, "invalid_argument", "MALFORMED", ""},
		{"more than one", "RecordPayment", goodPayment + goodPayment, 400, "invalid_argument", "MALFORMED", ""},
		{"an array", "RecordPayment", `["` + secret + `"]`, 400, "invalid_argument", "MALFORMED", ""},
		{"nested deep", "RecordPayment", strings.Repeat(`{"payment":`, 5000), 400, "invalid_argument", "UNKNOWN_FIELD", ""},
		{"binary", "RecordPayment", "\x00\xff\xfe" + secret, 400, "invalid_argument", "MALFORMED", ""},
		{"not UTF-8", "RecordPayment", payment("k-1", "k\xff"+secret), 400, "invalid_argument", "MALFORMED", ""},
		{"unknown field", "RecordPayment", payment(`"currency"`, `"`+secret+`":1,"currency"`), 400, "invalid_argument", "UNKNOWN_FIELD", ""},
		{"field twice", "RecordPayment", payment(`"currency"`, `"currency":"`+secret+`","currency"`), 400, "invalid_argument", "MALFORMED", ""},
		{"amount in words", "RecordPayment", payment(`"1250"`, `"`+secret+`"`), 400, "invalid_argument", "BAD_VALUE", ""},
		{"amount with decimals", "RecordPayment", payment(`"1250"`, `12.50`), 400, "invalid_argument", "BAD_VALUE", ""},
		{"unknown kind", "RecordPayment", payment(`PAYMENT_KIND_AUTHORISED`, secret), 400, "invalid_argument", "BAD_VALUE", ""},
		{"kind out of range", "RecordPayment", payment(`"PAYMENT_KIND_AUTHORISED"`, `99`), 400, "invalid_argument", "UNKNOWN_VALUE", "payment.kind"},
		{"no kind", "RecordPayment", payment(`PAYMENT_KIND_AUTHORISED`, `PAYMENT_KIND_UNSPECIFIED`), 400, "invalid_argument", "MISSING", "payment.kind"},
		{"negative amount", "RecordPayment", payment(`"1250"`, `"-1250"`), 400, "invalid_argument", "OUT_OF_RANGE", "payment.amount_minor"},
		{"amount over 64 bits", "RecordPayment", payment(`"1250"`, `"99999999999999999999"`), 400, "invalid_argument", "BAD_VALUE", ""},
		{"unknown currency", "RecordPayment", payment(`EUR`, `ZZZ`), 400, "invalid_argument", "UNKNOWN_VALUE", "payment.currency"},
		{"currency in small letters", "RecordPayment", payment(`EUR`, `eur`), 400, "invalid_argument", "UNKNOWN_VALUE", "payment.currency"},
		{"no key", "RecordPayment", payment(`k-1`, ``), 400, "invalid_argument", "MISSING", "payment.idempotency_key"},
		{"key too long", "RecordPayment", payment(`k-1`, strings.Repeat("k", 129)), 400, "invalid_argument", "BAD_FORMAT", "payment.idempotency_key"},
		{"key of another payment", "RecordPayment", payment(`1250`, `1251`), 409, "already_exists", "KEY_REUSED", ""},
		{"no phone", "AwardStamps", `{"idempotencyKey":"s-1"}`, 400, "invalid_argument", "MISSING", "phone"},
		{"phone in words", "AwardStamps", `{"idempotencyKey":"s-1","phone":"` + secret + `"}`, 400, "invalid_argument", "LETTERS", "phone"},
		{"no stamps", "AwardStamps", `{"idempotencyKey":"s-1","phone":"+14155551234","stamps":0}`, 400, "invalid_argument", "OUT_OF_RANGE", "stamps"},
		{"too many stamps", "AwardStamps", `{"idempotencyKey":"s-1","phone":"+14155551234","stamps":5}`, 400, "invalid_argument", "OUT_OF_RANGE", "stamps"},
		{"card of nobody", "GetCard", `{}`, 400, "invalid_argument", "MISSING", "phone"},
		{"endless flush", "Flush", `{"waitMs":600001}`, 400, "invalid_argument", "OUT_OF_RANGE", "wait_ms"},
		{"10 MB", "RecordPayment", payment(`k-1`, strings.Repeat(secret, 10<<20/len(secret))), 429, "resource_exhausted", "TOO_LARGE", ""},
		{"65 KiB", "RecordPayment", payment(`k-1`, strings.Repeat("k", 65<<10)), 429, "resource_exhausted", "TOO_LARGE", ""},
		{"no such call", "GiveReward", `{}`, 501, "unimplemented", "NO_SUCH_CALL", ""},
		{"no such path", "../../" + secret, `{}`, 501, "unimplemented", "NO_SUCH_CALL", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := a.post(t, client, tt.call, tt.body)
			checkRefusal(t, got, tt.code, tt.reason)
			if got.status != tt.status {
				t.Errorf("status = %d, want %d", got.status, tt.status)
			}
			if got.field() != tt.field {
				t.Errorf("field = %q, want %q", got.field(), tt.field)
			}
		})
	}
	if n := a.recorded(t); n != 1 {
		t.Errorf("%d records, want the 1 of the good payment", n)
	}
	a.alive(t)
	a.end()
	if strings.Contains(a.log.String(), secret) {
		t.Errorf("the log quotes a request:\n%s", a.log)
	}
}

// checkRefusal fails unless got has the code, the reason and a hint, and quotes nothing.
func checkRefusal(t *testing.T, got answer, code, reason string) {
	t.Helper()
	if got.Code != code || got.reason() != reason {
		t.Errorf("answer = %s %s, want %s %s:\n%s", got.Code, got.reason(), code, reason, got.body)
	}
	if len(got.Detail) != 1 || got.Detail[0].Debug.Hint == "" || got.Text == "" {
		t.Errorf("no text or no hint: %s", got.body)
	}
	if strings.Contains(got.body, secret) {
		t.Errorf("answer quotes the request: %s", got.body)
	}
}

func TestHostileHeaders(t *testing.T) {
	a := startAgent(t)
	client := a.http1(t)
	tests := []struct {
		name, method, header, value string
		code, reason                string
	}{
		{"curl without content type", "POST", "Content-Type", "application/x-www-form-urlencoded", "invalid_argument", "CONTENT_TYPE"},
		{"content type of a browser", "POST", "Content-Type", "text/" + secret, "invalid_argument", "CONTENT_TYPE"},
		{"malformed content type", "POST", "Content-Type", "application/json; " + secret + "=\"", "invalid_argument", "CONTENT_TYPE"},
		{"compressed", "POST", "Content-Encoding", "gzip", "unimplemented", "COMPRESSED"},
		{"compressed somehow", "POST", "Content-Encoding", secret, "unimplemented", "COMPRESSED"},
		{"time limit in words", "POST", "Connect-Timeout-Ms", secret, "invalid_argument", "BAD_TIMEOUT"},
		{"negative time limit", "POST", "Connect-Timeout-Ms", "-1", "invalid_argument", "BAD_TIMEOUT"},
		{"time limit of eleven digits", "POST", "Connect-Timeout-Ms", "12345678901", "invalid_argument", "BAD_TIMEOUT"},
		{"time limit of another protocol", "POST", "Grpc-Timeout", "5", "invalid_argument", "BAD_TIMEOUT"},
		{"no time left", "POST", "Connect-Timeout-Ms", "0", "deadline_exceeded", "TIMEOUT"},
		{"GET", "GET", "X-Nothing", secret, "unimplemented", "NO_SUCH_CALL"},
		{"DELETE", "DELETE", "X-Nothing", secret, "unimplemented", "NO_SUCH_CALL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url := "http://stampd/stampd.v1.LocalService/RecordPayment?message=" + secret
			req, err := http.NewRequestWithContext(t.Context(), tt.method, url, strings.NewReader(goodPayment))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set(tt.header, tt.value)
			checkRefusal(t, a.do(t, client, req), tt.code, tt.reason)
		})
	}
	if n := a.recorded(t); n != 0 {
		t.Errorf("%d records, want none", n)
	}
	a.alive(t)
}

func TestProtocolVersionIsNotQuoted(t *testing.T) {
	a := startAgent(t)
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://stampd/stampd.v1.LocalService/Status", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("Connect-Protocol-Version", secret)
	req.Header.Set("Accept-Encoding", secret)
	if got := a.do(t, a.http1(t), req); got.status != http.StatusOK || strings.Contains(got.body, secret) {
		t.Errorf("answer = %d %s, want 200", got.status, got.body)
	}
}

func TestJSONPosition(t *testing.T) {
	a := startAgent(t)
	got := a.post(t, a.http1(t), "RecordPayment", "{\n  \"payment\": {\n    \"ammount\": 1\n  }\n}")
	if want := "no such field at line 3, column 5"; !strings.HasSuffix(got.Text, want) {
		t.Errorf("message = %q, want it to end in %q", got.Text, want)
	}
}

func TestManyRefusals(t *testing.T) {
	a := startAgent(t)
	client := a.http1(t)
	for i := range 200 {
		got := a.post(t, client, "RecordPayment", fmt.Sprintf(`{"payment":{"idempotencyKey":"4242424242424242","orderRef":"%d"}}`, i))
		checkRefusal(t, got, "invalid_argument", "CARDHOLDER_DATA")
	}
	if n := len(a.events(t)); n != 1 {
		t.Errorf("%d audit records for one field in one minute, want 1", n)
	}
	if got := a.Guard.Refused(); got != 200 {
		t.Errorf("refused = %d, want 200", got)
	}
}
