package localapi

import (
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/stampd/stampd/uplink/wire"
)

// Test numbers of card schemes, which are nobody's.
const (
	testPAN    = "4242424242424242"
	testNumber = 4242424242424242
)

// goodRequests is one request of each call that is answered with yes, or refused by the rules alone.
func goodRequests() map[string]proto.Message {
	return map[string]proto.Message{
		"RecordPayment": &wire.RecordPaymentRequest{Payment: &wire.Payment{
			IdempotencyKey: "k-1", Kind: wire.PaymentKind_PAYMENT_KIND_AUTHORISED, AmountMinor: 1250, Currency: "EUR",
			Card: &wire.PaymentCard{Last4: "4242"},
		}},
		"AwardStamps":          &wire.AwardStampsRequest{IdempotencyKey: "s-1", Phone: "+14155551234"},
		"RedeemReward":         &wire.RedeemRewardRequest{IdempotencyKey: "r-1", Member: &wire.Member{Phone: "+14155551234"}, Hold: true},
		"VoidEntry":            &wire.VoidEntryRequest{IdempotencyKey: "v-1", AwardKey: "s-2", Member: &wire.Member{Phone: "+14155551234"}},
		"EnrolMember":          &wire.EnrolMemberRequest{IdempotencyKey: "e-1", Phone: "+14155551234"},
		"LinkCard":             &wire.LinkCardRequest{IdempotencyKey: "l-1", Phone: "+14155551234", Token: "tok-1"},
		"UnlinkCard":           &wire.UnlinkCardRequest{IdempotencyKey: "u-1", Token: "tok-1"},
		"MergeMembers":         &wire.MergeMembersRequest{IdempotencyKey: "m-1", Member: &wire.Member{Phone: "+14155551234"}, Other: &wire.Member{Phone: "+14155551235"}},
		"SetConsent":           &wire.SetConsentRequest{IdempotencyKey: "c-1", Member: &wire.Member{Phone: "+14155551234"}, Consent: &wire.Consent{Purpose: 1}, Granted: new(true)},
		"EraseMember":          &wire.EraseMemberRequest{IdempotencyKey: "x-1", Member: &wire.Member{Phone: "+14155551234"}},
		"GetCard":              &wire.GetCardRequest{Phone: "+14155551234"},
		"ReportAppPerformance": &wire.ReportAppPerformanceRequest{App: "pos", Operations: []*wire.OperationReport{{Name: "sale"}}},
		"OfflineReadiness":     &wire.OfflineReadinessRequest{},
		"Status":               &wire.StatusRequest{},
		"WatchStatus":          &wire.WatchStatusRequest{},
		"Flush":                &wire.FlushRequest{},
		"ListQueue":            &wire.ListQueueRequest{},
		"ReadQueue":            &wire.ReadQueueRequest{Quarantine: true},
	}
}

// eachField calls fn with every field of m that a card number fits into, and its path.
func eachField(m protoreflect.Message, path string, fn func(m protoreflect.Message, fd protoreflect.FieldDescriptor, path string)) {
	for i := range m.Descriptor().Fields().Len() {
		fd := m.Descriptor().Fields().Get(i)
		name := path + string(fd.Name())
		switch {
		case fd.IsList() && fd.Kind() == protoreflect.MessageKind:
			list := m.Mutable(fd).List()
			if list.Len() == 0 {
				list.AppendMutable()
			}
			eachField(list.Get(0).Message(), name+"[0].", fn)
			continue
		case fd.IsList():
			continue
		}
		switch fd.Kind() {
		case protoreflect.MessageKind:
			eachField(m.Mutable(fd).Message(), name+".", fn)
		case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.Int64Kind, protoreflect.Uint64Kind:
			fn(m, fd, name)
		}
	}
}

// holding returns text as the value of a field.
func holding(fd protoreflect.FieldDescriptor, text string) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(text))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(testNumber)
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(testNumber)
	}
	return protoreflect.ValueOfString(text)
}

// TestCardNumberInEveryField puts a card number into every field of every request in turn. A field that is added to the
// schema is tried without a change here.
func TestCardNumberInEveryField(t *testing.T) {
	a := startAgent(t)
	client := a.http1(t)
	for call := range a.routes {
		name, ours := strings.CutPrefix(call, localService)
		if _, ok := goodRequests()[name]; ours && !ok {
			t.Errorf("no good request for %s", call)
		}
	}
	spellings := []string{
		testPAN,
		"4242 4242 4242 4242",
		"no. 4242-4242-4242-4242.",
		";" + testPAN + "=17122011252345100000?",
		"%B" + testPAN + "^DOE/JANE ^37829821000123456789?",
	}
	fields := 0
	for call, good := range goodRequests() {
		eachField(proto.Clone(good).ProtoReflect(), "", func(_ protoreflect.Message, _ protoreflect.FieldDescriptor, path string) {
			fields++
			for _, spelling := range spellings {
				req := proto.Clone(good)
				eachField(req.ProtoReflect(), "", func(m protoreflect.Message, fd protoreflect.FieldDescriptor, p string) {
					if p == path {
						m.Set(fd, holding(fd, spelling))
					}
				})
				body, err := protojson.Marshal(req)
				if err != nil {
					t.Fatal(err)
				}
				got := a.post(t, client, call, string(body))
				if strings.HasPrefix(path, "crash.") && got.status == http.StatusOK && !strings.Contains(got.body, "4242") {
					continue // a crash counts all the same: TestReportCrash
				}
				if got.reason() != "CARDHOLDER_DATA" || got.field() != path || strings.Contains(got.body, "4242") {
					t.Errorf("%s with %q in %s: %s", call, spelling, path, got.body)
				}
			}
		})
	}
	if fields < 20 {
		t.Errorf("tried %d fields, and there are more", fields)
	}
	for _, e := range a.events(t) {
		if audit := e.GetAudit(); audit.GetKind() != wire.AuditKind_AUDIT_KIND_PAN_DETECTED || audit.CallerUid == nil {
			t.Errorf("recorded %T, want only alarms with their caller", e.GetBody())
		}
	}
	if n := len(a.events(t)); n < fields {
		t.Errorf("%d alarms for %d fields", n, fields)
	}
	a.alive(t)
	a.end()
	if strings.Contains(a.log.String(), "4242") {
		t.Errorf("the log quotes a card number:\n%s", a.log)
	}
}

// TestUnknownFieldsInBinary puts a card number where the schema has no field.
func TestUnknownFieldsInBinary(t *testing.T) {
	a := startAgent(t)
	for call, good := range goodRequests() {
		body, err := proto.Marshal(good)
		if err != nil {
			t.Fatal(err)
		}
		body = protowire.AppendTag(body, 15000, protowire.BytesType)
		body = protowire.AppendString(body, testPAN)
		got := a.postBinary(t, call, body)
		checkRefusal(t, got, "invalid_argument", "UNKNOWN_FIELD")
		if strings.Contains(got.body, testPAN) {
			t.Errorf("%s quotes what is in the field: %s", call, got.body)
		}
		checkRefusal(t, a.postBinary(t, call, []byte("\xff"+testPAN)), "invalid_argument", "MALFORMED")
	}
	if n := len(a.events(t)); n != 0 {
		t.Errorf("%d records, want none", n)
	}
}

func (a *agent) postBinary(t *testing.T, call string, body []byte) answer {
	t.Helper()
	if a.routes[localService+call].shape == stream {
		return a.watch(t, a.http1(t), "proto", body).end(t)
	}
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://stampd"+localService+call, strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/proto")
	return a.do(t, a.http1(t), req)
}
