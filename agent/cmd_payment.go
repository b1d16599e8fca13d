package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/wire"
)

func newPaymentCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "payment",
		Short: "Record a payment",
		Example: `  stampd payment record --key order-17/auth --kind authorised --amount 12.50 --currency EUR
  stampd payment refund --key order-17/refund --original-key order-17/auth --amount 3 --currency EUR`,
	}
	cmd.AddCommand(
		newPaymentRecordCommand(),
		newPaymentUndoCommand("void", "Record that a payment was taken back before it was settled", wire.PaymentKind_PAYMENT_KIND_VOIDED),
		newPaymentUndoCommand("refund", "Record that money of a payment was given back", wire.PaymentKind_PAYMENT_KIND_REFUNDED),
	)
	return cmd
}

func newPaymentRecordCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "record",
		Short: "Record one step of a payment",
		Long: `Record one step in the life of a payment. When it exits with 0 the step is on disk
and stays there until the backend has stored it. The same --key with the same
request gives the same answer and records nothing new; with another request it
is refused.

Amounts are decimal numbers in the currency's own decimals: 12.50 EUR, 1250 JPY,
12.500 KWD. Never give a card's number: it is refused, and the attempt is audited.`,
		Example: `  stampd payment record --key order-17/auth --kind authorised --auth-mode online \
      --amount 12.50 --currency EUR --card-brand visa --card-last4 4242
  stampd payment record --key order-17/refund --kind refunded --original-key order-17/auth \
      --amount 3 --currency EUR --json`,
	}
	addClientFlags(cmd)
	f := addPaymentFlags(cmd)
	cmd.Flags().Var(f.kind, "kind", "what happened: "+cli.OrList(f.kind.Names())+" (required)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return recordPayment(cmd, f, "key", "kind", "amount", "currency")
	}
	return cmd
}

// newPaymentUndoCommand returns a command for the steps that undo another one.
func newPaymentUndoCommand(name, short string, kind wire.PaymentKind) *cobra.Command {
	cmd := &cobra.Command{
		Use:   name,
		Short: short,
		Long: short + `. The step that it undoes is
named by its key. What does not fit with what the terminal knows of the payment is
recorded all the same, and told.`,
		Example: fmt.Sprintf("  stampd payment %s --key order-17/%[1]s --original-key order-17/auth --amount 12.50 --currency EUR", name),
	}
	addClientFlags(cmd)
	f := addPaymentFlags(cmd)
	f.kind.value = kind.Number()
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return recordPayment(cmd, f, "key", "original-key", "amount", "currency")
	}
	return cmd
}

// recordPayment records what the flags say, of which some must be given.
func recordPayment(cmd *cobra.Command, f *paymentFlags, required ...string) error {
	if err := cli.Require(cmd, required...); err != nil {
		return err
	}
	if err := readPrivate(cmd); err != nil {
		return err
	}
	payment, err := f.payment(cmd)
	if err != nil {
		return err
	}
	ctx, cancel, c, err := newClient(cmd, answerTimeout)
	if err != nil {
		return err
	}
	defer cancel()
	res, err := ask(ctx, c, callRecordPayment, &wire.RecordPaymentRequest{Payment: payment})
	if err != nil {
		return err
	}
	if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
		return printJSON(cmd.OutOrStdout(), res)
	}
	printRecorded(cmd.OutOrStdout(), res.GetSeq(), res.GetDuplicate())
	printFound(cmd.OutOrStdout(), res)
	return nil
}

// printFound says what the terminal found in a payment: nothing, most of the time.
func printFound(w io.Writer, res *wire.RecordPaymentResponse) {
	for _, a := range res.GetAnomalies() {
		fmt.Fprintf(w, "does not fit: %s\n", enumName(a))
	}
	if r := res.GetRisk(); r != nil {
		fmt.Fprintf(w, "stored at the merchant's risk: %s\n", count(uint64(r.GetStoredCount()), "payment"))
		for _, l := range r.GetLimits() {
			fmt.Fprintf(w, "limit of the %s: %d percent\n", enumName(l.GetKind()), l.GetPercent())
		}
	}
}

// paymentFlags are the flags that make a payment.
type paymentFlags struct {
	kind, authMode, entryMode, verification *enumFlag
	funding                                 *enumFlag
	text                                    wire.Payment // what is taken as it is given
	card                                    wire.PaymentCard
}

func addPaymentFlags(cmd *cobra.Command) *paymentFlags {
	f := &paymentFlags{
		kind:         newEnumFlag(wire.PaymentKind_PAYMENT_KIND_UNSPECIFIED),
		authMode:     newEnumFlag(wire.AuthMode_AUTH_MODE_UNSPECIFIED),
		entryMode:    newEnumFlag(wire.EntryMode_ENTRY_MODE_UNSPECIFIED),
		verification: newEnumFlag(wire.CardholderVerification_CARDHOLDER_VERIFICATION_UNSPECIFIED),
		funding:      newEnumFlag(wire.CardFunding_CARD_FUNDING_UNSPECIFIED),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.text.IdempotencyKey, "key", "", "your name for this step, unique on this terminal (required)")
	flags.String("amount", "", "total, tip and surcharge included (required)")
	flags.StringVar(&f.text.Currency, "currency", "", "ISO 4217 code, such as EUR (required)")
	flags.Var(f.authMode, "auth-mode", "who decided: "+cli.OrList(f.authMode.Names()))
	flags.String("base", "", "what is left of the amount without tip and surcharge")
	flags.String("tip", "", "tip inside the amount")
	flags.String("surcharge", "", "surcharge inside the amount")
	flags.String("cashback", "", "cash handed out beside the amount")
	flags.Var(f.entryMode, "entry-mode", "how the card was read: "+cli.OrList(f.entryMode.Names()))
	flags.Var(f.verification, "verification", "how the cardholder was verified: "+cli.OrList(f.verification.Names()))
	flags.StringVar(&f.text.OriginalKey, "original-key", "", "the key of the step that this one voids, refunds, reverses or settles")
	flags.StringVar(&f.text.OrderRef, "order-ref", "", "the shop's order number")
	flags.StringVar(&f.text.Stan, "stan", "", "system trace audit number, 6 digits")
	flags.StringVar(&f.text.Rrn, "rrn", "", "retrieval reference number, 12 letters or digits")
	flags.StringVar(&f.text.AuthCode, "auth-code", "", "authorisation code, up to 6 letters or digits")
	flags.StringVar(&f.text.ResponseCode, "response-code", "", "response code, 2 letters or digits")
	flags.StringVar(&f.text.BatchNo, "batch-no", "", "number of the batch, up to 6 letters or digits")
	flags.StringVar(&f.text.AcquirerRef, "acquirer-ref", "", "the acquirer's name for it, up to 12 letters or digits")
	flags.BytesHexVar(&f.text.Emv, "emv", nil, "EMV data objects in hexadecimal; what may not be kept is left out")
	flags.StringVar(&f.card.Brand, "card-brand", "", "card scheme, such as visa")
	flags.StringVar(&f.card.Last4, "card-last4", "", "last four digits of the card's number")
	flags.StringVar(&f.card.Bin6, "card-bin6", "", "first six digits of the card's number, where the agent's settings let them be kept")
	flags.Var(f.funding, "card-funding", "whose money the card spends: "+cli.OrList(f.funding.Names()))
	addPrivateFlag(flags, &f.card.Par, "card-par", "Payment Account Reference")
	addPrivateFlag(flags, &f.card.Token, "card-token", "the acquirer's token for the card")
	return f
}

// payment returns what the flags say. Amounts are the only thing that is judged here: the rest is the agent's to refuse.
func (f *paymentFlags) payment(cmd *cobra.Command) (*wire.Payment, error) {
	decimals, ok := loyalty.Exponent(f.text.Currency)
	if !ok {
		return nil, &cli.UsageError{Problem: "--currency is not an ISO 4217 code", Remedy: "give three capital letters, such as EUR"}
	}
	amounts := map[string]*int64{}
	for _, name := range []string{"amount", "base", "tip", "surcharge", "cashback"} {
		if !cmd.Flags().Changed(name) {
			continue
		}
		text, _ := cmd.Flags().GetString(name)
		v, err := parseAmount(text, decimals)
		if err != nil {
			return nil, &cli.UsageError{Problem: fmt.Sprintf("cannot read --%s: %v", name, err), Remedy: "such as --" + name + " " + exampleAmount(decimals)}
		}
		amounts[name] = &v
	}
	p := &f.text
	p.Kind = wire.PaymentKind(f.kind.value)
	p.AuthMode = wire.AuthMode(f.authMode.value)
	p.EntryMode = wire.EntryMode(f.entryMode.value)
	p.CardholderVerification = wire.CardholderVerification(f.verification.value)
	p.AmountMinor = *amounts["amount"]
	p.BaseMinor = amounts["base"]
	p.TipMinor, p.SurchargeMinor, p.CashbackMinor = amounts["tip"], amounts["surcharge"], amounts["cashback"]
	f.card.Funding = wire.CardFunding(f.funding.value)
	if c := &f.card; c.Brand+c.Last4+c.Bin6+c.Par+c.Token != "" || c.Funding != 0 {
		p.Card = c
	}
	return p, nil
}
