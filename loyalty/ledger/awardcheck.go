package ledger

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/wire"
)

// maxItems bounds how many items a purchase has.
const maxItems = 10_000

func checkAward(req *wire.AwardStampsRequest, most int32) error {
	if err := checkKey("idempotency_key", req.GetIdempotencyKey()); err != nil {
		return err
	}
	if n := req.GetStamps(); req.Stamps != nil && (n < 1 || n > most) {
		return &Invalid{"stamps", ReasonRange, "send " + upToLimit(most) + ", the programme's limit per purchase"}
	}
	if err := checkTexts(
		text{"order_ref", req.GetOrderRef(), 64}, text{"payment_key", req.GetPaymentKey(), 128}, text{"operator_ref", req.GetOperatorRef(), 64},
	); err != nil {
		return err
	}
	if n := req.GetSpendMinor(); n < 0 || n > maxAmount {
		return &Invalid{"spend_minor", ReasonRange, "send minor units from 0 to 10^12, before tax and tip"}
	}
	if _, ok := loyalty.Exponent(req.GetSpendCurrency()); ok != (req.SpendMinor != nil) || !ok && req.GetSpendCurrency() != "" {
		return &Invalid{"spend_currency", ReasonUnknown, "send an ISO 4217 code in capitals, such as EUR, with spend_minor"}
	}
	if n := req.GetItems(); n < 0 || n > maxItems {
		return &Invalid{"items", ReasonRange, "send 0 to 10,000"}
	}
	return nil
}

// text is a field of printable characters.
type text struct {
	field, value string
	most         int
}

func checkTexts(fields ...text) error {
	for _, f := range fields {
		if !upTo(f.most, printable)(f.value) {
			return &Invalid{f.field, ReasonFormat, fmt.Sprintf("send up to %d printable ASCII characters", f.most)}
		}
	}
	return nil
}

func upToLimit(n int32) string {
	if n == 1 {
		return "1"
	}
	return fmt.Sprintf("1 to %d", n)
}

// awardCall returns the call as its key is known by. What the caller asked for is in it, and not what the programme made of
// it: that may change between a call and its repetition. The member is in it by reference, since a plain hash of a phone
// number could be searched for.
func awardCall(req *wire.AwardStampsRequest, w who) (request, error) {
	asked := proto.CloneOf(req)
	asked.Phone, asked.Par, asked.Token = "", "", ""
	if plain(req) && req.Stamps == nil {
		asked.Stamps = proto.Int32(1)
	}
	return newRequest(opAward, req.GetIdempotencyKey(), asked, w)
}

// plain reports whether a request has nothing but what formats 1 and 2 knew. An unset number of stamps meant one then.
func plain(req *wire.AwardStampsRequest) bool {
	return req.SpendMinor == nil && req.Items == nil && !req.GetManual() && req.GetOperatorRef() == "" && req.GetPhone() != ""
}

// recallStamp looks for the answer that was given to the call by formats 1 and 2.
func recallStamp(tx *buffer.Tx, req *wire.AwardStampsRequest, w who, answer proto.Message) (known bool, err error) {
	if tx.Get(buffer.Keys, keyRow(opStamp, req.GetIdempotencyKey())) == nil {
		return false, nil
	}
	asked := &wire.Stamp{
		IdempotencyKey: req.GetIdempotencyKey(), Kind: wire.StampKind_STAMP_KIND_STAMP, Stamps: 1,
		OrderRef: req.GetOrderRef(), PaymentKey: req.GetPaymentKey(),
	}
	if req.Stamps != nil {
		asked.Stamps = req.GetStamps()
	}
	for _, n := range w.names() {
		asked.AccountRef, asked.AccountKeyId = n.ref[:], n.keyID
		body, err := bodyHash(asked)
		if err != nil {
			return false, err
		}
		known, err = recall(tx, opStamp, req.GetIdempotencyKey(), body, answer)
		if err == nil && plain(req) {
			return known, nil
		}
	}
	return false, ErrKeyReused
}
