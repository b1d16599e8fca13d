package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/wire"
)

func newCardCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "card",
		Short: "Show a member's card, redeem its rewards, and link payment cards",
		Example: `  stampd card show --phone +4915112345678
  stampd card redeem --key order-17/reward --phone +4915112345678`,
	}
	cmd.AddCommand(newCardShowCommand(), newCardRedeemCommand(), newCardLinkCommand(), newCardUnlinkCommand())
	return cmd
}

func newCardShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show",
		Short:   "Show a member's card as this terminal knows it",
		Example: "  stampd card show --phone +4915112345678\n  echo +4915112345678 | stampd card show --phone - --json",
	}
	addClientFlags(cmd)
	var req wire.GetCardRequest
	addMemberFlags(cmd, &req.Phone, &req.Par, &req.Token)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := requireMember(cmd); err != nil {
			return err
		}
		if err := readPrivate(cmd); err != nil {
			return err
		}
		ctx, cancel, c, err := newClient(cmd, answerTimeout)
		if err != nil {
			return err
		}
		defer cancel()
		res, err := ask(ctx, c, callGetCard, &req)
		if err != nil {
			return err
		}
		if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
			return printJSON(cmd.OutOrStdout(), res)
		}
		printMember(cmd.OutOrStdout(), res)
		return nil
	}
	return cmd
}

// printMember writes what the terminal knows of a member.
func printMember(w io.Writer, res *wire.GetCardResponse) {
	printCard(w, res.GetCard())
	switch res.GetState() {
	case wire.MemberState_MEMBER_STATE_UNKNOWN:
		fmt.Fprintln(w, "this terminal knows nothing of the member")
	case wire.MemberState_MEMBER_STATE_ERASED:
		fmt.Fprintln(w, "the member was forgotten")
	}
	for _, c := range res.GetConsents() {
		said := "no longer agrees to"
		if c.GetGranted() {
			said = "agrees to"
		}
		fmt.Fprintf(w, "%s: %s\n", said, enumName(c.GetPurpose()))
	}
}

func newCardRedeemCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "redeem",
		Short: "Give a reward, or set stamps aside for one",
		Long: `Give a reward to a member, or set stamps aside for one that is given later. While
offline it takes a right that the backend granted before, or the programme's floor;
without either it is refused. The answer says by what right it was given.`,
		Example: `  stampd card redeem --key order-17/reward --phone +4915112345678
  stampd card redeem --key order-18/hold --phone - --hold
  stampd card redeem --key order-18/reward --phone - --hold-key order-18/hold`,
	}
	req := &wire.RedeemRewardRequest{Member: new(wire.Member)}
	addEntryFlags(cmd, &req.IdempotencyKey, &req.OperatorRef)
	addMemberFlags(cmd, &req.Member.Phone, &req.Member.Par, &req.Member.Token)
	cmd.Flags().StringVar(&req.RewardId, "reward", "", "the reward's id in the programme (default: the cheapest)")
	cmd.Flags().BoolVar(&req.Hold, "hold", false, "set stamps aside, and give the reward later")
	cmd.Flags().StringVar(&req.HoldKey, "hold-key", "", "the key of the call that set stamps aside for it")
	cmd.Flags().StringVar(&req.OrderRef, "order-ref", "", "the shop's order number")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := requireMember(cmd, "key"); err != nil {
			return err
		}
		if err := readPrivate(cmd); err != nil {
			return err
		}
		return writeEntry(cmd, callRedeemReward, req)
	}
	return cmd
}

// addCardFlags adds the flags that name a payment card.
func addCardFlags(cmd *cobra.Command, par, token *string) {
	addPrivateFlag(cmd.Flags(), par, "par", "the payment card's PAR; never a card's number")
	addPrivateFlag(cmd.Flags(), token, "token", "the acquirer's token for the payment card, where there is no PAR; never a card's number")
}

// requireCard fails when one of the flags is missing, or both that name a payment card.
func requireCard(cmd *cobra.Command, par, token string, flags ...string) error {
	if par+token == "" {
		return &cli.UsageError{Problem: "missing --par or --token", Remedy: cli.SeeHelp(cmd)}
	}
	return cli.Require(cmd, flags...)
}

func newCardLinkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "link",
		Short: "Let a payment card stand for a member",
		Example: `  stampd card link --key link-17 --phone +4915112345678 --token tok_9fK2mQ7LxT4v
  cat phone-and-par | stampd card link --key link-18 --phone - --par - --confirmed`,
	}
	req := new(wire.LinkCardRequest)
	addEntryFlags(cmd, &req.IdempotencyKey, &req.OperatorRef)
	addPrivateFlag(cmd.Flags(), &req.Phone, "phone", phoneUsage+" (required)")
	addCardFlags(cmd, &req.Par, &req.Token)
	cmd.Flags().BoolVar(&req.Confirmed, "confirmed", false, "the member proved to hold the number: a card of another member becomes theirs")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := requireCard(cmd, req.Par, req.Token, "key", "phone"); err != nil {
			return err
		}
		if err := readPrivate(cmd); err != nil {
			return err
		}
		return writeEntry(cmd, callLinkCard, req)
	}
	return cmd
}

func newCardUnlinkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "unlink",
		Short:   "Let a payment card stand for nobody",
		Example: "  stampd card unlink --key unlink-17 --token tok_9fK2mQ7LxT4v",
	}
	req := new(wire.UnlinkCardRequest)
	addEntryFlags(cmd, &req.IdempotencyKey, &req.OperatorRef)
	addCardFlags(cmd, &req.Par, &req.Token)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := requireCard(cmd, req.Par, req.Token, "key"); err != nil {
			return err
		}
		if err := readPrivate(cmd); err != nil {
			return err
		}
		return writeEntry(cmd, callUnlinkCard, req)
	}
	return cmd
}
