package localapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// direct makes a call without a socket.
func direct(t testing.TB, s *Server, ctx context.Context, call, body string) answer {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/stampd.v1.LocalService/"+call, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	s.serveHTTP(w, r)
	got := answer{status: w.Code, body: w.Body.String()}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("answer is not JSON: %s", got.body)
	}
	return got
}

// saidOf is all that may be said of a request. Digits are those of a position.
var saidOf = regexp.MustCompile(`^(cannot read the request: (it is empty|not the JSON of this call|no such field|a field is given twice|value of the wrong type)( at line \d{1,5}, column \d{1,5})?` +
	`|cannot accept ([a-z0-9_.]+|message)(: it (holds cardholder data \([a-z0-9]+\)|has fields that are not in the schema|can't be checked for cardholder data))?` +
	`|the key was used for another request, and nothing was recorded` +
	`|the request is larger than 64 KiB, and nothing was recorded)$`)

// FuzzJSON holds every answer to a body that is not accepted to words of the agent's own: nothing of the body can be in
// them.
func FuzzJSON(f *testing.F) {
	f.Add("RecordPayment", goodPayment)
	f.Add("RecordPayment", strings.Replace(goodPayment, "k-1", testPAN, 1))
	f.Add("RecordPayment", `{"payment":{"(line 1:2): unknown field `+testPAN+`":1}}`)
	f.Add("RecordPayment", `(line 4242:4242): `+testPAN)
	f.Add("RecordPayment", "{\"payment\":{\"amountMinor\":\""+testPAN+"x\"}}")
	f.Add("AwardStamps", `{"idempotencyKey":"s","phone":"+14155551234","stamps":2}`)
	f.Add("GetCard", `{"phone":"`+testPAN+`"}`)
	f.Add("Status", `[]`)
	f.Add("Flush", `{"waitMs":1}`)
	s := newServer(newOptions(f, f.TempDir()))
	f.Cleanup(s.stop)
	fields := map[string]bool{"": true, "payment": true, "payment.kind": true, "payment.auth_mode": true, "payment.entry_mode": true,
		"payment.cardholder_verification": true, "stamps": true, "wait_ms": true}
	for _, m := range goodRequests() {
		eachField(m.ProtoReflect(), "", func(_ protoreflect.Message, _ protoreflect.FieldDescriptor, path string) { fields[path] = true })
	}
	ctx := context.WithValue(context.Background(), callerKey{}, caller{uid: 0})
	f.Fuzz(func(t *testing.T, call, body string) {
		if r, ok := s.routes[localService+call]; !ok || r.shape != unary || strings.ContainsAny(call, " \t\r\n?#%") {
			t.Skip()
		}
		got := direct(t, s, ctx, call, body)
		if got.status == http.StatusOK {
			return
		}
		if !saidOf.MatchString(got.Text) || !fields[got.field()] {
			t.Errorf("answer to %q: %s", body, got.body)
		}
	})
}
