package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/wire"
)

func newStampCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stamp",
		Short: "Give stamps, or show a member's card",
		Example: `  stampd stamp award --key order-17/stamp --phone +4915112345678
  stampd stamp show --phone +4915112345678`,
	}
	cmd.AddCommand(newStampAwardCommand(), newStampShowCommand())
	return cmd
}

func newStampAwardCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "award",
		Short: "Give stamps to a member's card",
		Long: `Give stamps to a member's card. The same --key with the same request gives the
same answer and no second stamp; with another request it is refused.`,
		Example: `  stampd stamp award --key order-17/stamp --phone +4915112345678
  stampd stamp award --key order-18/stamp --phone - --payment-key order-18/auth`,
	}
	addClientFlags(cmd)
	var req wire.AwardStampsRequest
	cmd.Flags().StringVar(&req.IdempotencyKey, "key", "", "your name for this award, unique on this terminal (required)")
	phone := addPhoneFlag(cmd)
	stamps := cmd.Flags().Int32("stamps", 0, "stamps to give (default: the agent's, 1)")
	cmd.Flags().StringVar(&req.OrderRef, "order-ref", "", "the shop's order number")
	cmd.Flags().StringVar(&req.PaymentKey, "payment-key", "", "the key of the payment that earned it")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if err := cli.Require(cmd, "key", "phone"); err != nil {
			return err
		}
		if req.Phone, err = readPhone(cmd.InOrStdin(), *phone); err != nil {
			return err
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

func newStampShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show",
		Short:   "Show a member's card as this terminal knows it",
		Example: "  stampd stamp show --phone +4915112345678\n  echo +4915112345678 | stampd stamp show --phone - --json",
	}
	addClientFlags(cmd)
	phone := addPhoneFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := cli.Require(cmd, "phone"); err != nil {
			return err
		}
		number, err := readPhone(cmd.InOrStdin(), *phone)
		if err != nil {
			return err
		}
		ctx, cancel, c, err := newClient(cmd, answerTimeout)
		if err != nil {
			return err
		}
		defer cancel()
		res, err := ask(ctx, c, callGetCard, &wire.GetCardRequest{Phone: number})
		if err != nil {
			return err
		}
		if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
			return printJSON(cmd.OutOrStdout(), res)
		}
		printCard(cmd.OutOrStdout(), res.GetCard())
		return nil
	}
	return cmd
}

func addPhoneFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("phone", "", "the member's phone number, + and country code first; - reads it from standard input (required)")
}

// readPhone returns the number, or the first line of in for "-", so that a number need not show in the list of processes.
func readPhone(in io.Reader, phone string) (string, error) {
	if phone != "-" {
		return phone, nil
	}
	line, err := bufio.NewReader(io.LimitReader(in, 256)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("cannot read the phone number from standard input: %w", err)
	}
	return strings.TrimSpace(line), nil
}

// printRecorded says where a payment or a stamp is stored.
func printRecorded(w io.Writer, seq uint64, duplicate bool) {
	if duplicate {
		fmt.Fprintf(w, "known already as record %d: nothing new was recorded\n", seq)
		return
	}
	fmt.Fprintf(w, "recorded as record %d\n", seq)
}

func printCard(w io.Writer, c *wire.Card) {
	fmt.Fprintf(w, "%d of %d stamps, rewards earned: %d, as of %s\n", c.GetProgress(), c.GetOf(), c.GetEarned(),
		time.UnixMilli(c.GetAsOfUnixMs()).Format("2006-01-02 15:04:05 -0700"))
	fmt.Fprintln(w, "this terminal's view: stamps given elsewhere are not in it")
}
