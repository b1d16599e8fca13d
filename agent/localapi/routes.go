package localapi

import (
	"context"
	"net/http"
	"time"

	"github.com/stampd/stampd/uplink/wire/wireconnect"
)

// route is one call: who may make it, how long it may take, how request and answer come, and what answers it.
type route struct {
	least   role
	timeout time.Duration
	shape   shape
	handler http.Handler
}

// table is every call that there is. What is not in it can't be called.
func (s *Server) table() map[string]route {
	t := map[string]route{}
	add(s, t, wireconnect.LocalServiceRecordPaymentProcedure, rolePOS, callTimeout, s.Ledger.RecordPayment)
	add(s, t, wireconnect.LocalServiceAwardStampsProcedure, rolePOS, callTimeout, s.Ledger.AwardStamps)
	add(s, t, wireconnect.LocalServiceGetCardProcedure, rolePOS, callTimeout, s.Ledger.GetCard)
	add(s, t, wireconnect.LocalServiceReportAppPerformanceProcedure, rolePOS, callTimeout, s.reportAppPerformance)
	add(s, t, wireconnect.LocalServiceStatusProcedure, rolePOS, callTimeout, s.status)
	addStream(s, t, wireconnect.LocalServiceWatchStatusProcedure, rolePOS, s.watchStatus)
	add(s, t, wireconnect.LocalServiceFlushProcedure, rolePOS, flushTimeout, s.flush)
	add(s, t, wireconnect.LocalServiceListQueueProcedure, roleAdmin, callTimeout, s.listQueue)
	add(s, t, wireconnect.LocalServiceReadQueueProcedure, roleAdmin, callTimeout, s.readQueue)
	addReflection(s, t, rolePOS)
	return t
}

// add adds one call to the table.
func add[Req, Res any](s *Server, t map[string]route, procedure string, least role, timeout time.Duration,
	call func(context.Context, *Req) (*Res, error)) {
	t[procedure] = route{least: least, timeout: timeout, handler: newHandler(s, procedure, call)}
}

// addStream adds one call that is answered with a stream. It lasts as long as the caller wants.
func addStream[Req, Res any](s *Server, t map[string]route, procedure string, least role,
	call func(context.Context, *Req, func(*Res) error) error) {
	t[procedure] = route{least: least, timeout: noLimit, shape: stream, handler: newStreamHandler(s, procedure, call)}
}

// addReflection adds gRPC's server reflection, in both versions that clients ask for.
func addReflection(s *Server, t map[string]route, least role) {
	for _, procedure := range reflectionProcedures {
		t[procedure] = route{least: least, timeout: noLimit, shape: dialogue, handler: newReflectionHandler(s, procedure)}
	}
}
