package localapi

import (
	"context"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

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
	add(s, t, wireconnect.LocalServiceRedeemRewardProcedure, rolePOS, callTimeout, s.Ledger.RedeemReward)
	add(s, t, wireconnect.LocalServiceVoidEntryProcedure, rolePOS, callTimeout, s.Ledger.VoidEntry)
	add(s, t, wireconnect.LocalServiceEnrolMemberProcedure, rolePOS, callTimeout, s.Ledger.EnrolMember)
	add(s, t, wireconnect.LocalServiceLinkCardProcedure, rolePOS, callTimeout, s.Ledger.LinkCard)
	add(s, t, wireconnect.LocalServiceUnlinkCardProcedure, rolePOS, callTimeout, s.Ledger.UnlinkCard)
	add(s, t, wireconnect.LocalServiceMergeMembersProcedure, rolePOS, callTimeout, s.Ledger.MergeMembers)
	add(s, t, wireconnect.LocalServiceSetConsentProcedure, rolePOS, callTimeout, s.Ledger.SetConsent)
	add(s, t, wireconnect.LocalServiceEraseMemberProcedure, rolePOS, callTimeout, s.Ledger.EraseMember)
	add(s, t, wireconnect.LocalServiceGetCardProcedure, rolePOS, callTimeout, s.Ledger.GetCard)
	add(s, t, wireconnect.LocalServiceReportAppPerformanceProcedure, rolePOS, callTimeout, s.reportAppPerformance)
	add(s, t, wireconnect.LocalServiceOfflineReadinessProcedure, rolePOS, callTimeout, s.offlineReadiness)
	add(s, t, wireconnect.LocalServiceStatusProcedure, rolePOS, callTimeout, s.status)
	addStream(s, t, wireconnect.LocalServiceWatchStatusProcedure, rolePOS, s.watchStatus)
	add(s, t, wireconnect.LocalServiceFlushProcedure, rolePOS, flushTimeout, s.flush)
	add(s, t, wireconnect.LocalServiceListQueueProcedure, roleAdmin, callTimeout, s.listQueue)
	add(s, t, wireconnect.LocalServiceReadQueueProcedure, roleAdmin, callTimeout, s.readQueue)
	addReflection(s, t, rolePOS)
	return t
}

// add adds one call to the table.
func add[Req, Res proto.Message](s *Server, t map[string]route, procedure string, least role, timeout time.Duration,
	answer func(context.Context, Req) (Res, error)) {
	c := call{procedure, typeOf[Req](), func(ctx context.Context, req proto.Message) (proto.Message, error) { return answer(ctx, req.(Req)) }}
	t[procedure] = route{least: least, timeout: timeout, handler: newHandler(s, c)}
}

// addStream adds one call that is answered with a stream. It lasts as long as the caller wants.
func addStream[Req, Res proto.Message](s *Server, t map[string]route, procedure string, least role,
	answer func(context.Context, Req, func(Res) error) error) {
	c := streamCall{procedure, typeOf[Req](), func(ctx context.Context, req proto.Message, send func(proto.Message) error) error {
		return answer(ctx, req.(Req), func(res Res) error { return send(res) })
	}}
	t[procedure] = route{least: least, timeout: noLimit, shape: stream, handler: newStreamHandler(s, c)}
}

// typeOf returns the type of a generated message, of which M is the pointer.
func typeOf[M proto.Message]() protoreflect.MessageType {
	var none M
	return none.ProtoReflect().Type()
}

// addReflection adds gRPC's server reflection, in both versions that clients ask for.
func addReflection(s *Server, t map[string]route, least role) {
	for _, procedure := range reflectionProcedures {
		t[procedure] = route{least: least, timeout: noLimit, shape: dialogue, handler: newReflectionHandler(s, procedure)}
	}
}
