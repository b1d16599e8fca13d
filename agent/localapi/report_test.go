package localapi

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/agent/collect"
	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// reporting is an agent whose collector is real, and what that told.
type reporting struct {
	*agent
	t      *testing.T
	client *http.Client
}

func startReporting(t *testing.T) *reporting {
	t.Helper()
	a := startAgent(t)
	return &reporting{agent: a, t: t, client: a.http1(t)}
}

// report makes a call, and fails the test unless the answer is yes.
func (r *reporting) report(body string) answer {
	r.t.Helper()
	got := r.post(r.t, r.client, "ReportAppPerformance", body)
	if got.status != http.StatusOK {
		r.t.Errorf("%s: %d %s", body, got.status, got.body)
	}
	return got
}

// told returns what the telemetry lane was told at once.
func (r *reporting) told() (crashes []*wire.AppCrash) {
	r.t.Helper()
	for _, e := range r.telemetry(r.t) {
		if c := e.GetAppCrash(); c != nil {
			crashes = append(crashes, c)
		}
	}
	return crashes
}

func TestReport(t *testing.T) {
	r := startReporting(t)
	for _, body := range []string{
		`{"app":"pos","operations":[{"name":"sale","durationsUs":[181000,240500],"errors":1}]}`,
		`{"app":"com.example.pos_2","version":"4.2.0-rc.1+build:7~x","operations":[{"name":"card/read:chip","errors":4294967295},{"name":"card/read:chip"}]}`,
		`{"app":"pos","operations":[{"name":"spells.a.number","durationsUs":[4242,4242,4242,4242]}]}`,
		`{"app":"pos","operations":[{"name":"x","sketch":"` + base64.StdEncoding.EncodeToString([]byte{1, 16, 4, 2, 4, 2, 4, 2, 4, 2, 4, 2, 4, 2, 4, 2, 4, 2}) + `"}]}`,
		`{"app":"pos","crash":{}}`,
		`{"app":"pos","operations":[{"name":"many","durationsUs":[` + strings.Repeat("7,", 4095) + `7]}]}`,
	} {
		if got := r.report(body); strings.Contains(got.body, `"duplicate":true`) {
			t.Errorf("%s is a duplicate", body)
		}
	}
	r.alive(t)
}

func TestReportRefused(t *testing.T) {
	r := startReporting(t)
	sketch64 := func(b ...byte) string { return base64.StdEncoding.EncodeToString(b) }
	one := `"operations":[{"name":"sale"}]`
	for name, test := range map[string]struct{ body, reason, field string }{
		"nothing":           {`{}`, "MISSING", "app"},
		"no news":           {`{"app":"pos"}`, "MISSING", "operations"},
		"app with a blank":  {`{"app":"p os",` + one + `}`, "BAD_FORMAT", "app"},
		"long app":          {`{"app":"` + strings.Repeat("a", 65) + `",` + one + `}`, "BAD_FORMAT", "app"},
		"the agent itself":  {`{"app":"stampd",` + one + `}`, "UNKNOWN_VALUE", "app"},
		"version":           {`{"app":"pos","version":"4 2",` + one + `}`, "BAD_FORMAT", "version"},
		"key":               {`{"app":"pos","idempotencyKey":"ä",` + one + `}`, "BAD_FORMAT", "idempotency_key"},
		"long key":          {`{"app":"pos","idempotencyKey":"` + strings.Repeat("k", 129) + `",` + one + `}`, "BAD_FORMAT", "idempotency_key"},
		"no name":           {`{"app":"pos","operations":[{}]}`, "BAD_FORMAT", "operations[0].name"},
		"name with a query": {`{"app":"pos","operations":[{"name":"a"},{"name":"/pay?id=1"}]}`, "BAD_FORMAT", "operations[1].name"},
		"name with a PAN":   {`{"app":"pos","operations":[{"name":"pay/4242424242424242"}]}`, "CARDHOLDER_DATA", "operations[0].name"},
		"many operations":   {`{"app":"pos","operations":[` + strings.Repeat(`{"name":"a"},`, 64) + `{"name":"a"}]}`, "OUT_OF_RANGE", "operations"},
		"many durations":    {`{"app":"pos","operations":[{"name":"a","durationsUs":[` + strings.Repeat("1,", 4096) + `1]}]}`, "OUT_OF_RANGE", "operations[0].durations_us"},
		"negative":          {`{"app":"pos","operations":[{"name":"a","durationsUs":[-1]}]}`, "BAD_VALUE", ""},
		"broken sketch":     {`{"app":"pos","operations":[{"name":"a","sketch":"` + sketch64(1, 2, 5, 1) + `"}]}`, "BAD_FORMAT", "operations[0].sketch"},
		"long sketch":       {`{"app":"pos","operations":[{"name":"a","sketch":"` + sketch64(make([]byte, 8193)...) + `"}]}`, "OUT_OF_RANGE", "operations[0].sketch"},
		"PAN as a sketch":   {`{"app":"pos","operations":[{"name":"a","sketch":"` + sketch64([]byte("4242424242424242")...) + `"}]}`, "CARDHOLDER_DATA", "operations[0].sketch"},
		"unknown field":     {`{"app":"pos","latency":7}`, "UNKNOWN_FIELD", ""},
	} {
		got := r.post(t, r.client, "ReportAppPerformance", test.body)
		if got.reason() != test.reason || got.field() != test.field || got.status == http.StatusOK || got.Detail[0].Debug.Hint == "" {
			t.Errorf("%s: %s", name, got.body)
		}
	}
	r.alive(t)
}

// The same key counts once, and is refused with another report; an application that makes up names is stopped.
func TestReportTwice(t *testing.T) {
	r := startReporting(t)
	const body = `{"app":"pos","idempotencyKey":"r-1","operations":[{"name":"sale","durationsUs":[1]}]}`
	for i, want := range []string{`"duplicate":false`, `"duplicate":true`, `"duplicate":true`} {
		if got := r.report(body); !strings.Contains(strings.ReplaceAll(got.body, " ", ""), want) {
			t.Errorf("call %d: %s, want %s", i, got.body, want)
		}
	}
	if got := r.post(t, r.client, "ReportAppPerformance", strings.Replace(body, "[1]", "[2]", 1)); got.reason() != "KEY_REUSED" {
		t.Errorf("another report under the key: %s", got.body)
	}
	for i := range 500 {
		got := r.post(t, r.client, "ReportAppPerformance", fmt.Sprintf(`{"app":"pos","operations":[{"name":"order/%d"}]}`, i))
		if got.status != http.StatusOK {
			if got.reason() != "TOO_MANY" || got.field() != "operations" || i < 100 {
				t.Errorf("name %d: %s", i, got.body)
			}
			return
		}
	}
	t.Error("500 names were taken")
}

// A crash is never lost for what is said of it, and what must not be kept is not.
func TestReportCrash(t *testing.T) {
	for name, test := range map[string]struct {
		crash, want string
		masked      bool
	}{
		"plain":         {`{"reason":"java.lang.IllegalStateException: no printer"}`, "java.lang.IllegalStateException: no printer", false},
		"none":          {`{}`, "", false},
		"lines":         {`{"reason":"\n  \r\nout of\tmemory\n\tat Main.java:12\n"}`, "out of memory", false},
		"card number":   {`{"reason":"bad card 4242 4242 4242 4242"}`, maskedReason, true},
		"track":         {`{"reason":"read ;4242424242424242=17122011252345100000?"}`, maskedReason, true},
		"in a trace":    {`{"reason":"failed\n card=4242424242424242"}`, maskedReason, true},
		"phone":         {`{"reason":"no member +1 415-555-0100 at line 12"}`, "no member +# at line 12", false},
		"colons":        {`{"reason":"card 4242:4242:4242:4242 at 12:30"}`, "card # at 12:30", false},
		"quotes":        {`{"reason":"card '4242'4242'4242'4242'"}`, "card '#'", false},
		"bars":          {`{"reason":"card 4242 | 4242 | 4242 | 4242"}`, "card #", false},
		"stars":         {`{"reason":"card 424242******4242"}`, "card #", false},
		"hashes":        {`{"reason":"card 4242#4242#4242#4242"}`, "card #", false},
		"code":          {`{"reason":"declined: cvv 123, PIN=1234, spinner 12"}`, "declined: cvv #, PIN=#, spinner 12", false},
		"list":          {`{"reason":"[4, 2, 4, 2, 4, 2] in Main.java:12"}`, "[#] in Main.java:12", false},
		"address":       {`{"reason":"SIGSEGV at 0x7fA31200b8 in thread 4"}`, "SIGSEGV at 0x# in thread 4", false},
		"mail":          {`{"reason":"cannot greet jane.doe@example.com now"}`, "cannot greet # now", false},
		"impossible":    {`{"reason":"x","crashedUnixMs":"4242424242424242"}`, "x", false},
		"before 1970":   {`{"reason":"x","crashedUnixMs":"-1"}`, "x", false},
		"no characters": {`{"reason":"a\u0000\u001b[31m\u202eb"}`, "a [31m b", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := startReporting(t)
			got := r.report(`{"app":"pos","version":"1.0","crash":` + test.crash + `}`)
			if masked := strings.Contains(strings.ReplaceAll(got.body, " ", ""), `"reasonMasked":true`); masked != test.masked {
				t.Errorf("answer is %s", got.body)
			}
			told := r.told()
			if len(told) != 1 || !proto.Equal(told[0], &wire.AppCrash{App: "pos", Version: "1.0", Reason: test.want, Count: 1}) {
				t.Errorf("told %v, want the reason %q", told, test.want)
			}
			alarms := 0
			for _, e := range r.events(t) {
				if a := e.GetAudit(); a.GetKind() == wire.AuditKind_AUDIT_KIND_PAN_DETECTED && a.GetSubject() == "crash.reason" {
					alarms++
				}
			}
			if want := map[bool]int{true: 1}[test.masked]; alarms != want {
				t.Errorf("%d alarms, want %d", alarms, want)
			}
		})
	}
}

func TestReportCrashTime(t *testing.T) {
	r := startReporting(t)
	r.report(`{"app":"pos","crash":{"reason":"x","crashedUnixMs":"1777636800000"}}`)
	if told := r.told(); len(told) != 1 || told[0].GetCrashedUnixMs() != 1777636800000 {
		t.Errorf("told %v", told)
	}
}

// Whatever is said of a crash, what is kept is one line that the guard lets pass, and to scrub it again changes nothing.
func FuzzScrub(f *testing.F) {
	for _, s := range []string{"", "a\nb", "x 4242 4242 4242 4242", "0x12345 1.2.3.4.5", "a@b 12-34-5\u2028", strings.Repeat("9 ", 300), "٤٢٤٢٤", "\xff\xfe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := scrub(text)
		if utf8.RuneCountInString(got) > maxReason || strings.ContainsAny(got, "\n\r\t\x00@") || !utf8.ValidString(got) || scrub(got) != got {
			t.Errorf("%q becomes %q, and then %q", text, got, scrub(got))
		}
		if regexp.MustCompile(`\d{5}`).MatchString(got) {
			t.Errorf("%q becomes %q, with a number in it", text, got)
		}
	})
}

// newReport returns where the reports of tests go: a collector whose events go into the queue of o.
func newReport(o Options) func(*collect.AppReport) (bool, error) {
	return collect.New(collect.Options{
		Board: o.Board, Clock: hal.NewClock("/proc"), Guard: pci.NewGuard(plainBlock), Sink: o.Queue,
	}).Report
}

// plainBlock packs events in the plain form.
func plainBlock(events [][]byte) ([]byte, error) {
	return proto.Marshal(&wire.TelemetryBlock{Events: events})
}
