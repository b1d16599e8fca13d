package localapi

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/uplink/wire"
)

func TestAlarmsAreRare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAlarms()
		if !a.due("one") || a.due("one") || !a.due("two") {
			t.Error("the first alarm of a name is due, and no second one")
		}
		time.Sleep(alarmEvery - time.Nanosecond)
		if a.due("one") {
			t.Error("due before its time")
		}
		time.Sleep(time.Nanosecond)
		if !a.due("one") {
			t.Error("not due when it is time")
		}
	})
}

func TestAlarmsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAlarms()
		for i := range 10 * maxAlarms {
			a.due(fmt.Sprint(i))
		}
		if len(a.raised) != maxAlarms {
			t.Errorf("remembers %d alarms, want %d", len(a.raised), maxAlarms)
		}
		time.Sleep(alarmEvery)
		if !a.due("later") {
			t.Error("old alarms still take the place of new ones")
		}
	})
}

func TestTimeLimit(t *testing.T) {
	tests := []struct {
		header, value string
		want          time.Duration
		ok            bool
	}{
		{"", "", noLimit, true},
		{"Connect-Timeout-Ms", "0", 0, true},
		{"Connect-Timeout-Ms", "1500", 1500 * time.Millisecond, true},
		{"Connect-Timeout-Ms", "9999999999", 9999999999 * time.Millisecond, true},
		{"Connect-Timeout-Ms", "10000000000", 0, false},
		{"Connect-Timeout-Ms", "-1", 0, false},
		{"Connect-Timeout-Ms", "+1", 0, false},
		{"Connect-Timeout-Ms", "1.5", 0, false},
		{"Grpc-Timeout", "5S", 5 * time.Second, true},
		{"Grpc-Timeout", "100m", 100 * time.Millisecond, true},
		{"Grpc-Timeout", "7u", 7 * time.Microsecond, true},
		{"Grpc-Timeout", "7n", 7, true},
		{"Grpc-Timeout", "2M", 2 * time.Minute, true},
		{"Grpc-Timeout", "99999999H", noLimit, true},
		{"Grpc-Timeout", "5", 0, false},
		{"Grpc-Timeout", "S", 0, false},
		{"Grpc-Timeout", "5s", 0, false},
	}
	for _, tt := range tests {
		h := http.Header{}
		if tt.header != "" {
			h.Set(tt.header, tt.value)
		}
		if got, ok := timeLimitIn(h); got != tt.want || ok != tt.ok {
			t.Errorf("%s %q = %v, %v, want %v, %v", tt.header, tt.value, got, ok, tt.want, tt.ok)
		}
	}
}

// TestOverload fills every slot of the caller's role.
func TestOverload(t *testing.T) {
	a := startAgent(t)
	client := a.http1(t)
	for range cap(a.slots[roleAdmin]) {
		a.slots[roleAdmin] <- struct{}{}
	}
	checkRefusal(t, a.post(t, client, "RecordPayment", goodPayment), "unavailable", "OVERLOADED")
	<-a.slots[roleAdmin]
	if got := a.post(t, client, "RecordPayment", goodPayment); got.status != http.StatusOK {
		t.Errorf("with a slot free: %s", got.body)
	}
	if got := len(a.slots[roleAdmin]); got != cap(a.slots[roleAdmin])-1 {
		t.Errorf("%d slots taken, want the call's to be free again", got)
	}
}

// TestPanic makes a call whose handler panics with what it was given.
func TestPanic(t *testing.T) {
	const call = "/stampd.v1.LocalService/Flush"
	a := startOtherAgent(t, func(*Options) {}, func(s *Server) {
		add(s, s.routes, call, rolePOS, callTimeout, func(context.Context, *wire.FlushRequest) (*wire.FlushResponse, error) { panic(secret) })
	})
	checkRefusal(t, a.post(t, a.http1(t), "Flush", `{}`), "internal", "INTERNAL")
	a.alive(t)
	a.end()
	if log := a.log.String(); strings.Contains(log, secret) || !strings.Contains(log, "TestPanic") {
		t.Errorf("log = %s, want the place of the panic and not its value", log)
	}
}

func TestErrorLog(t *testing.T) {
	tests := []struct{ line, want string }{
		{"http: Accept error: accept unix: too many open files; retrying in 5ms\n", "too many open files"},
		{"http: panic serving @: " + secret + "\n", "panicked"},
		{"http2: server: error reading preface from client: bogus greeting " + secret + "\n", "protocol error"},
	}
	for _, tt := range tests {
		var out bytes.Buffer
		if n, err := (errorLog{zerolog.New(&out)}).Write([]byte(tt.line)); n != len(tt.line) || err != nil {
			t.Errorf("Write = %d, %v", n, err)
		}
		if got := out.String(); !strings.Contains(got, tt.want) || strings.Contains(got, secret) {
			t.Errorf("%q is logged as %s", tt.line, got)
		}
	}
}

// Callers who begin a request and never end it hold connections, and nobody's place among the calls.
func TestHalfSentBodiesTakeNoSlot(t *testing.T) {
	a := startAgent(t)
	for range maxAdminCalls + 20 {
		c, err := a.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = io.WriteString(c, "POST /stampd.v1.LocalService/Status HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
		if err != nil {
			t.Fatal(err)
		}
	}
	a.alive(t)
}
