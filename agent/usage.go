// What the agent says about the fields of a request, in the words of the flags that people typed.

package main

import (
	"strings"

	"github.com/stampd/stampd/uplink/wire"
)

// fieldFlags returns the flag behind each field that an ErrorDetail may name.
func fieldFlags() map[string]string {
	return map[string]string{
		"payment.idempotency_key":         "--key",
		"payment.kind":                    "--kind",
		"payment.amount_minor":            "--amount",
		"payment.currency":                "--currency",
		"payment.auth_mode":               "--auth-mode",
		"payment.tip_minor":               "--tip",
		"payment.surcharge_minor":         "--surcharge",
		"payment.base_minor":              "--base",
		"payment.batch_no":                "--batch-no",
		"payment.acquirer_ref":            "--acquirer-ref",
		"payment.emv":                     "--emv",
		"payment.card.bin6":               "--card-bin6",
		"payment.card.funding":            "--card-funding",
		"payment.cashback_minor":          "--cashback",
		"payment.entry_mode":              "--entry-mode",
		"payment.cardholder_verification": "--verification",
		"payment.original_key":            "--original-key",
		"payment.order_ref":               "--order-ref",
		"payment.stan":                    "--stan",
		"payment.rrn":                     "--rrn",
		"payment.auth_code":               "--auth-code",
		"payment.response_code":           "--response-code",
		"payment.card.brand":              "--card-brand",
		"payment.card.last4":              "--card-last4",
		"payment.card.par":                "--card-par",
		"payment.card.token":              "--card-token",

		"idempotency_key": "--key",
		"phone":           "--phone",
		"stamps":          "--stamps",
		"order_ref":       "--order-ref",
		"payment_key":     "--payment-key",
		"par":             "--par",
		"token":           "--token",
		"spend_minor":     "--spend",
		"spend_currency":  "--currency",
		"items":           "--items",
		"manual":          "--manual",
		"operator_ref":    "--operator",

		"member.phone": "--phone",
		"member.par":   "--par",
		"member.token": "--token",
		"other.phone":  "--other-phone",
		"other.par":    "--other-par",
		"other.token":  "--other-token",
		"reward_id":    "--reward",
		"hold":         "--hold",
		"hold_key":     "--hold-key",
		"award_key":    "--award-key",
		"redeem_key":   "--redeem-key",
		"seq":          "--seq",
		"epoch":        "--epoch",
		"terminal_id":  "--terminal",
		"kind":         "--kind",
		"reason":       "--reason",
		"confirmed":    "--confirmed",
		"granted":      "--granted",

		"consents.purpose":     "--consent",
		"consents.text_sha256": "--text-sha256",
		"consents.language":    "--language",
		"consents.method":      "--method",
		"consent.purpose":      "--purpose",
		"consent.text_sha256":  "--text-sha256",
		"consent.language":     "--language",
		"consent.method":       "--method",

		"wait_ms": "--timeout",
	}
}

// inFlags returns the text and the detail of an error with flags for the fields of the schema.
func inFlags(text string, d *wire.ErrorDetail) (problem, field, hint string) {
	field = d.GetField()
	if flag := fieldFlags()[field]; flag != "" {
		text = strings.Replace(text, "cannot accept "+field, "cannot accept "+flag, 1)
		field = flag
	}
	hint = strings.NewReplacer(
		"minor units from 0 to amount_minor", "0 to --amount",
		"minor units from 0 to 10^12", "at most 10^12 minor units",
		"card.last4, card.par or a token", "--card-last4, --card-par or --card-token",
		"send 1 to 1,", "send 1,",
	).Replace(d.GetHint())
	return text, field, hint
}
