package localapi

import (
	"os"
	"testing"

	"github.com/stampd/stampd/uplink/wire"
)

func TestAccess(t *testing.T) {
	own := uint32(os.Geteuid())
	a := newAccess([]uint32{1000, 1001}, []uint32{2000, 1001})
	tests := map[string]struct {
		uid  uint32
		want role
	}{
		"root":            {0, roleAdmin},
		"agent":           {own, roleAdmin},
		"POS app":         {1000, rolePOS},
		"both":            {1001, roleAdmin},
		"admin":           {2000, roleAdmin},
		"somebody":        {3000, roleNone},
		"largest user id": {1<<32 - 1, roleNone},
	}
	for name, tt := range tests {
		if got := a.of(tt.uid); got != tt.want {
			t.Errorf("%s: role = %d, want %d", name, got, tt.want)
		}
	}
}

// TestRoutes holds the table to the schema: every call has a row, and no row is open to everybody.
func TestRoutes(t *testing.T) {
	s := newServer(newOptions(t, t.TempDir()))
	defer s.stop()
	methods := wire.File_local_proto.Services().ByName("LocalService").Methods()
	for i := range methods.Len() {
		name := "/stampd.v1.LocalService/" + string(methods.Get(i).Name())
		r, ok := s.routes[name]
		switch {
		case !ok:
			t.Errorf("%s can't be called", name)
		case r.least <= roleNone || r.least > roleAdmin || r.timeout <= 0 || r.handler == nil:
			t.Errorf("%s: row is incomplete: %+v", name, r)
		}
	}
	if want := methods.Len() + len(reflectionProcedures); len(s.routes) != want {
		t.Errorf("%d rows for %d calls", len(s.routes), want)
	}
}

func TestStranger(t *testing.T) {
	a := startOtherAgent(t, func(*Options) {}, func(s *Server) { s.access = access{} })
	client := a.http1(t)
	for call := range goodRequests() {
		checkRefusal(t, a.post(t, client, call, `{}`), "permission_denied", "NOT_ALLOWED")
	}
	checkRefusal(t, a.post(t, client, "RecordPayment", goodPayment), "permission_denied", "NOT_ALLOWED")
	if n := len(a.events(t)); n != 0 {
		t.Errorf("%d records, want none", n)
	}
}

// TestUnknownCaller makes a call whose connection the kernel said nothing about.
func TestUnknownCaller(t *testing.T) {
	s := newServer(newOptions(t, t.TempDir()))
	defer s.stop()
	checkRefusal(t, direct(t, s, t.Context(), "Status", "{}"), "permission_denied", "NOT_ALLOWED")
}
