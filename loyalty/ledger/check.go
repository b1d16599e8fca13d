package ledger

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/wire"
)

// Why a field is not valid, for programs.
const (
	ReasonMissing = "MISSING"
	ReasonRange   = "OUT_OF_RANGE"
	ReasonFormat  = "BAD_FORMAT"
	ReasonUnknown = "UNKNOWN_VALUE"
)

// Invalid says which field of a request can't be taken, and what to send instead. It never holds the field's value.
type Invalid struct {
	Field  string // path, such as payment.currency
	Reason string // one of the Reason constants
	Hint   string // what to do
}

// Error returns field and hint.
func (e *Invalid) Error() string { return fmt.Sprintf("%s can't be taken: %s", e.Field, e.Hint) }

// maxAmount bounds every amount, in minor units: no card number fits under it.
const maxAmount = 1_000_000_000_000

// checkPayment holds every field to its type, charset and length, so that no card number has room (facts: ISO 8583
// fields 11, 37, 38 and 39; ISO 4217; EMVCo PAR).
func checkPayment(p *wire.Payment) error {
	if p == nil {
		return &Invalid{"payment", ReasonMissing, "send the payment"}
	}
	if err := checkEnums(p.ProtoReflect(), "payment"); err != nil {
		return err
	}
	if err := checkKey("payment.idempotency_key", p.GetIdempotencyKey()); err != nil {
		return err
	}
	if p.GetKind() == wire.PaymentKind_PAYMENT_KIND_UNSPECIFIED {
		return &Invalid{"payment.kind", ReasonMissing, "say what happened, such as PAYMENT_KIND_AUTHORISED"}
	}
	if err := checkAmounts(p); err != nil {
		return err
	}
	if _, ok := loyalty.Exponent(p.GetCurrency()); !ok {
		return &Invalid{"payment.currency", ReasonUnknown, "use an ISO 4217 code in capitals, such as EUR"}
	}
	card := p.GetCard()
	for _, f := range []struct {
		field, value string
		ok           func(string) bool
		hint         string
	}{
		{"stan", p.GetStan(), exactly(6, digit), "send 6 digits"},
		{"rrn", p.GetRrn(), exactly(12, alphanumeric), "send 12 letters or digits"},
		{"auth_code", p.GetAuthCode(), upTo(6, alphanumeric), "send up to 6 letters or digits"},
		{"response_code", p.GetResponseCode(), exactly(2, alphanumeric), "send 2 letters or digits"},
		{"original_key", p.GetOriginalKey(), upTo(128, printable), "send up to 128 printable ASCII characters"},
		{"order_ref", p.GetOrderRef(), upTo(64, printable), "send up to 64 printable ASCII characters"},
		{"card.brand", card.GetBrand(), upTo(16, lowerAlphanumeric), "send up to 16 lower-case letters or digits, such as visa"},
		{"card.last4", card.GetLast4(), exactly(4, digit), "send 4 digits"},
		{"card.par", card.GetPar(), exactly(29, capitalAlphanumeric), "send 29 capital letters or digits"},
		{"card.token", card.GetToken(), token, "send up to 64 printable ASCII characters that are not all digits"},
	} {
		if f.value != "" && !f.ok(f.value) {
			return &Invalid{"payment." + f.field, ReasonFormat, f.hint}
		}
	}
	return nil
}

func checkAmounts(p *wire.Payment) error {
	for _, f := range []struct {
		field string
		value int64
		max   int64
	}{
		{"amount_minor", p.GetAmountMinor(), maxAmount},
		{"cashback_minor", p.GetCashbackMinor(), maxAmount},
		{"tip_minor", p.GetTipMinor(), p.GetAmountMinor()},
		{"surcharge_minor", p.GetSurchargeMinor(), p.GetAmountMinor()},
	} {
		if f.value < 0 || f.value > f.max {
			hint := "send minor units from 0 to 10^12; a refund has its own kind and a positive amount"
			if f.max != maxAmount {
				hint = "send minor units from 0 to amount_minor, which includes it"
			}
			return &Invalid{"payment." + f.field, ReasonRange, hint}
		}
	}
	if p.GetTipMinor()+p.GetSurchargeMinor() > p.GetAmountMinor() {
		return &Invalid{"payment.amount_minor", ReasonRange, "send the total, tip and surcharge included"}
	}
	return nil
}

func (l *Ledger) checkAward(req *wire.AwardStampsRequest) error {
	if err := checkKey("idempotency_key", req.GetIdempotencyKey()); err != nil {
		return err
	}
	if n := awarded(req); n < 1 || n > l.Programme.MaxStampsPerPurchase {
		return &Invalid{"stamps", ReasonRange, "send " + upToLimit(l.Programme.MaxStampsPerPurchase) + ", the programme's limit per purchase"}
	}
	if !upTo(64, printable)(req.GetOrderRef()) {
		return &Invalid{"order_ref", ReasonFormat, "send up to 64 printable ASCII characters"}
	}
	if !upTo(128, printable)(req.GetPaymentKey()) {
		return &Invalid{"payment_key", ReasonFormat, "send up to 128 printable ASCII characters"}
	}
	return nil
}

func upToLimit(n int32) string {
	if n == 1 {
		return "1"
	}
	return fmt.Sprintf("1 to %d", n)
}

func checkKey(field, key string) error {
	if key == "" {
		return &Invalid{field, ReasonMissing, "send a key of your own, the same one when you repeat the call"}
	}
	if !upTo(128, printable)(key) {
		return &Invalid{field, ReasonFormat, "send 1 to 128 printable ASCII characters"}
	}
	return nil
}

// checkEnums refuses numbers that the schema gives no name to, at any depth.
func checkEnums(m protoreflect.Message, path string) error {
	var err error
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		name := path + "." + string(f.Name())
		switch {
		case f.Enum() != nil && f.Enum().Values().ByNumber(v.Enum()) == nil:
			err = &Invalid{name, ReasonUnknown, "use one of the values in the schema"}
		case f.Message() != nil:
			err = checkEnums(v.Message(), name)
		}
		return err == nil
	})
	return err
}

func exactly(n int, class func(byte) bool) func(string) bool {
	return func(s string) bool { return len(s) == n && all(s, class) }
}

func upTo(n int, class func(byte) bool) func(string) bool {
	return func(s string) bool { return len(s) <= n && all(s, class) }
}

func all(s string, class func(byte) bool) bool {
	for i := range len(s) {
		if !class(s[i]) {
			return false
		}
	}
	return true
}

func token(s string) bool {
	return upTo(64, printable)(s) && strings.Trim(s, "0123456789") != ""
}

func digit(c byte) bool               { return '0' <= c && c <= '9' }
func printable(c byte) bool           { return ' ' <= c && c <= '~' }
func capitalAlphanumeric(c byte) bool { return digit(c) || 'A' <= c && c <= 'Z' }
func lowerAlphanumeric(c byte) bool   { return digit(c) || 'a' <= c && c <= 'z' }
func alphanumeric(c byte) bool        { return capitalAlphanumeric(c) || 'a' <= c && c <= 'z' }
