// The agent's calls that commands make, and how one is made.

package main

import (
	"bytes"
	"context"
	"iter"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/wire"
	"github.com/stampd/stampd/uplink/wire/wireconnect"
)

// call is the name of a procedure of the agent, and the types of its messages. The generated client has a generic type
// compiled for each, which adds 38 KB to the agent; these are names and no more.
type call[Req, Res proto.Message] string

const (
	callRecordPayment    = call[*wire.RecordPaymentRequest, *wire.RecordPaymentResponse](wireconnect.LocalServiceRecordPaymentProcedure)
	callAwardStamps      = call[*wire.AwardStampsRequest, *wire.AwardStampsResponse](wireconnect.LocalServiceAwardStampsProcedure)
	callRedeemReward     = call[*wire.RedeemRewardRequest, *wire.EntryResponse](wireconnect.LocalServiceRedeemRewardProcedure)
	callVoidEntry        = call[*wire.VoidEntryRequest, *wire.EntryResponse](wireconnect.LocalServiceVoidEntryProcedure)
	callEnrolMember      = call[*wire.EnrolMemberRequest, *wire.EntryResponse](wireconnect.LocalServiceEnrolMemberProcedure)
	callLinkCard         = call[*wire.LinkCardRequest, *wire.EntryResponse](wireconnect.LocalServiceLinkCardProcedure)
	callUnlinkCard       = call[*wire.UnlinkCardRequest, *wire.EntryResponse](wireconnect.LocalServiceUnlinkCardProcedure)
	callMergeMembers     = call[*wire.MergeMembersRequest, *wire.EntryResponse](wireconnect.LocalServiceMergeMembersProcedure)
	callSetConsent       = call[*wire.SetConsentRequest, *wire.EntryResponse](wireconnect.LocalServiceSetConsentProcedure)
	callEraseMember      = call[*wire.EraseMemberRequest, *wire.EntryResponse](wireconnect.LocalServiceEraseMemberProcedure)
	callGetCard          = call[*wire.GetCardRequest, *wire.GetCardResponse](wireconnect.LocalServiceGetCardProcedure)
	callOfflineReadiness = call[*wire.OfflineReadinessRequest, *wire.OfflineReadinessResponse](wireconnect.LocalServiceOfflineReadinessProcedure)
	callStatus           = call[*wire.StatusRequest, *wire.StatusResponse](wireconnect.LocalServiceStatusProcedure)
	callWatchStatus      = call[*wire.WatchStatusRequest, *wire.WatchStatusResponse](wireconnect.LocalServiceWatchStatusProcedure)
	callFlush            = call[*wire.FlushRequest, *wire.FlushResponse](wireconnect.LocalServiceFlushProcedure)
	callListQueue        = call[*wire.ListQueueRequest, *wire.ListQueueResponse](wireconnect.LocalServiceListQueueProcedure)
	callReadQueue        = call[*wire.ReadQueueRequest, *wire.ReadQueueResponse](wireconnect.LocalServiceReadQueueProcedure)
)

// ask makes a call and returns the answer.
func ask[Req, Res proto.Message](ctx context.Context, c *client, to call[Req, Res], req Req) (Res, error) {
	var none Res
	res := none.ProtoReflect().New().Interface()
	if err := c.ask(ctx, string(to), req, res); err != nil {
		return none, err
	}
	return res.(Res), nil
}

// watch makes a call that is answered with a stream, and returns its messages. What it ends with is the last, unless the agent
// ended it without an error.
func watch[Req, Res proto.Message](ctx context.Context, c *client, to call[Req, Res], req Req) iter.Seq2[Res, error] {
	return func(yield func(Res, error) bool) {
		var none Res
		for data, err := range c.watch(ctx, string(to), req) {
			if err != nil {
				yield(none, err)
				return
			}
			res := none.ProtoReflect().New().Interface()
			if proto.Unmarshal(data, res) != nil {
				yield(none, errNoAnswer)
				return
			}
			if !yield(res.(Res), nil) {
				return
			}
		}
	}
}

// client asks a running agent.
type client struct {
	http   *http.Client
	socket string
}

// ask makes a call whose answer goes into res.
func (c *client) ask(ctx context.Context, procedure string, req, res proto.Message) error {
	data, err := proto.Marshal(req)
	if err != nil {
		return err
	}
	answer, err := c.to(procedure).CallUnary(ctx, connect.NewRequest(&message{data}))
	if err != nil {
		return c.reach(err)
	}
	if proto.Unmarshal(answer.Msg.data, res) != nil {
		return errNoAnswer
	}
	return nil
}

// watch makes a call that is answered with a stream.
func (c *client) watch(ctx context.Context, procedure string, req proto.Message) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		data, err := proto.Marshal(req)
		if err != nil {
			yield(nil, err)
			return
		}
		stream, err := c.to(procedure).CallServerStream(ctx, connect.NewRequest(&message{data}))
		if err != nil {
			yield(nil, c.reach(err))
			return
		}
		defer stream.Close()
		for stream.Receive() {
			if !yield(stream.Msg().data, nil) {
				return
			}
		}
		if err := stream.Err(); err != nil {
			yield(nil, c.reach(err))
		}
	}
}

func (c *client) to(procedure string) *connect.Client[message, message] {
	return connect.NewClient[message, message](c.http, "http://stampd"+procedure, connect.WithCodec(messageCodec{}))
}

// message is a message as it is on the wire.
type message struct{ data []byte }

// messageCodec passes messages on as they are.
type messageCodec struct{}

func (messageCodec) Name() string { return "proto" }

func (messageCodec) Marshal(m any) ([]byte, error) { return m.(*message).data, nil }

func (messageCodec) Unmarshal(data []byte, m any) error {
	m.(*message).data = bytes.Clone(data)
	return nil
}
