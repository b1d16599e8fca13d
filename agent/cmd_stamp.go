package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/wire"
)

func newStampCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stamp",
		Short: "Give stamps to a member's card, and take them back",
		Example: `  stampd stamp give --key order-17/stamp --phone +4915112345678
  stampd stamp void --key order-17/void --award-key order-17/stamp --reason refund`,
	}
	cmd.AddCommand(newStampGiveCommand(), newStampVoidCommand())
	return cmd
}

func newStampGiveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "give",
		Aliases: []string{"award"},
		Short:   "Give stamps to a member's card",
		Long: `Give stamps to a member's card. The same --key with the same request gives the
same answer and no second stamp; with another request it is refused.`,
		Example: `  stampd stamp give --key order-17/stamp --phone +4915112345678
  stampd stamp give --key order-18/stamp --phone - --payment-key order-18/auth`,
	}
	addClientFlags(cmd)
	var req wire.AwardStampsRequest
	cmd.Flags().StringVar(&req.IdempotencyKey, "key", "", "your name for this award, unique on this terminal (required)")
	addMemberFlags(cmd, &req.Phone, &req.Par, &req.Token)
	stamps := cmd.Flags().Int32("stamps", 0, "stamps to give (default: what the programme gives for the purchase, or 1)")
	spend := cmd.Flags().String("spend", "", "what the purchase came to, before tax and tip, such as 12.50; with --currency")
	cmd.Flags().StringVar(&req.SpendCurrency, "currency", "", "currency of --spend, such as EUR")
	items := cmd.Flags().Int32("items", 0, "items that count")
	cmd.Flags().BoolVar(&req.Manual, "manual", false, "given by hand, for no sale")
	cmd.Flags().StringVar(&req.OperatorRef, "operator", "", "who works the terminal, by a number or a word, no name")
	cmd.Flags().StringVar(&req.OrderRef, "order-ref", "", "the shop's order number")
	cmd.Flags().StringVar(&req.PaymentKey, "payment-key", "", "the key of the payment that earned it")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if err := requireMember(cmd, "key"); err != nil {
			return err
		}
		if err := readPrivate(cmd); err != nil {
			return err
		}
		if req.SpendMinor, err = readSpend(*spend, req.SpendCurrency); err != nil {
			return err
		}
		if cmd.Flags().Changed("items") {
			req.Items = items
		}
		if cmd.Flags().Changed("stamps") {
			req.Stamps = stamps
		}
		ctx, cancel, c, err := newClient(cmd, answerTimeout)
		if err != nil {
			return err
		}
		defer cancel()
		res, err := ask(ctx, c, callAwardStamps, &req)
		if err != nil {
			return err
		}
		if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
			return printJSON(cmd.OutOrStdout(), res)
		}
		printRecorded(cmd.OutOrStdout(), res.GetSeq(), res.GetDuplicate())
		printCard(cmd.OutOrStdout(), res.GetCard())
		return nil
	}
	return cmd
}

// readSpend reads what a purchase came to; nothing is unknown.
func readSpend(amount, currency string) (*int64, error) {
	if amount == "" {
		return nil, nil
	}
	decimals, known := loyalty.Exponent(currency)
	if !known {
		return nil, &cli.UsageError{Problem: "--currency is not an ISO 4217 code", Remedy: "give three capital letters, such as EUR"}
	}
	v, err := parseAmount(amount, decimals)
	if err != nil {
		return nil, &cli.UsageError{Problem: fmt.Sprintf("cannot read --spend: %v", err), Remedy: "such as --spend " + exampleAmount(decimals)}
	}
	return &v, nil
}

// printRecorded says where a payment or a stamp is stored.
func printRecorded(w io.Writer, seq uint64, duplicate bool) {
	if duplicate {
		fmt.Fprintf(w, "known already as record %d: nothing new was recorded\n", seq)
		return
	}
	fmt.Fprintf(w, "recorded as record %d\n", seq)
}
