package ledger

import (
	"errors"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// maxAmount bounds every amount, in minor units: no card number fits under it.
const maxAmount = 1_000_000_000_000

// maxEMV bounds a chip's data objects, in bytes.
const maxEMV = 1024

// checkPayment holds every field to its type, charset and length, so that no card number has room (ISO 8583 fields 11, 37, 38
// and 39; ISO 4217; EMVCo PAR), and returns the payment as it may be recorded. p is left as it is.
func (l *Ledger) checkPayment(p *wire.Payment) (*wire.Payment, error) {
	if p == nil {
		return nil, &Invalid{"payment", ReasonMissing, "send the payment"}
	}
	if err := checkEnums(p.ProtoReflect(), "payment"); err != nil {
		return nil, err
	}
	if err := checkKey("payment.idempotency_key", p.GetIdempotencyKey()); err != nil {
		return nil, err
	}
	if p.GetKind() == wire.PaymentKind_PAYMENT_KIND_UNSPECIFIED {
		return nil, &Invalid{"payment.kind", ReasonMissing, "say what happened, such as PAYMENT_KIND_AUTHORISED"}
	}
	if err := checkAmounts(p); err != nil {
		return nil, err
	}
	if _, ok := loyalty.Exponent(p.GetCurrency()); !ok {
		return nil, &Invalid{"payment.currency", ReasonUnknown, "use an ISO 4217 code in capitals, such as EUR"}
	}
	if err := checkText(p); err != nil {
		return nil, err
	}
	if err := checkOurs(p); err != nil {
		return nil, err
	}
	return l.keptOf(p)
}

// checkText holds each text to its charset and length.
func checkText(p *wire.Payment) error {
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
		{"batch_no", p.GetBatchNo(), upTo(6, alphanumeric), "send up to 6 letters or digits"},
		{"acquirer_ref", p.GetAcquirerRef(), upTo(12, alphanumeric), "send up to 12 letters or digits"},
		{"card.brand", card.GetBrand(), upTo(16, lowerAlphanumeric), "send up to 16 lower-case letters or digits, such as visa"},
		{"card.last4", card.GetLast4(), exactly(4, digit), "send 4 digits"},
		{"card.bin6", card.GetBin6(), exactly(6, digit), "send 6 digits"},
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
		{"base_minor", p.GetBaseMinor(), p.GetAmountMinor()},
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
	switch more := p.GetTipMinor() + p.GetSurchargeMinor(); {
	case more > p.GetAmountMinor():
		return &Invalid{"payment.amount_minor", ReasonRange, "send the total, tip and surcharge included"}
	case p.BaseMinor != nil && p.GetBaseMinor()+more != p.GetAmountMinor():
		return &Invalid{"payment.amount_minor", ReasonRange, "send the sum of base_minor, tip_minor and surcharge_minor"}
	}
	return nil
}

// checkOurs refuses the fields that the agent sets.
func checkOurs(p *wire.Payment) error {
	for _, f := range []struct {
		field string
		set   bool
	}{
		{"emv_dropped", p.EmvDropped != nil},
		{"anomalies", len(p.GetAnomalies()) > 0},
		{"risk", p.GetRisk() != nil},
	} {
		if f.set {
			return &Invalid{"payment." + f.field, ReasonFormat, "leave it out: the agent sets it"}
		}
	}
	return nil
}

// keptOf returns the payment with what may be kept: of the chip's data what is allowed, and the first six digits of the card's
// number only where that is set.
func (l *Ledger) keptOf(p *wire.Payment) (*wire.Payment, error) {
	bin6 := p.GetCard().GetBin6() != "" && !l.KeepBIN6
	if len(p.GetEmv()) == 0 && !bin6 {
		return p, nil
	}
	p = proto.CloneOf(p)
	if bin6 {
		p.Card.Bin6 = ""
	}
	if len(p.GetEmv()) == 0 {
		return p, nil
	}
	if len(p.GetEmv()) > maxEMV {
		return nil, &Invalid{"payment.emv", ReasonRange, "send up to 1,024 bytes"}
	}
	kept, dropped, err := pci.KeepEMV(p.GetEmv())
	switch {
	case errors.Is(err, pci.ErrEMV):
		return nil, &Invalid{"payment.emv", ReasonFormat, "send EMV data objects in BER-TLV, such as 9F02 06 000000001250"}
	case err != nil:
		if v, ok := errors.AsType[*pci.Violation](err); ok {
			v.Field = "payment.emv"
		}
		return nil, err
	}
	p.Emv, p.EmvDropped = kept, proto.Uint32(uint32(dropped))
	return p, nil
}
