package main

import (
	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/wire"
)

func newStampVoidCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "void",
		Short: "Take back stamps, undo a redemption, or give up a hold",
		Long: `Take back the stamps of an award, undo a redemption, or give up stamps that were set
aside. The entry is named by the key of its call on this terminal, or by its number and
epoch, and its terminal where that is another one.`,
		Example: `  stampd stamp void --key order-17/void --award-key order-17/stamp --reason refund
  stampd stamp void --key order-18/undo --redeem-key order-18/reward`,
	}
	req := &wire.VoidEntryRequest{Member: new(wire.Member)}
	addEntryFlags(cmd, &req.IdempotencyKey, &req.OperatorRef)
	cmd.Flags().StringVar(&req.AwardKey, "award-key", "", "the key of the award whose stamps are taken back")
	cmd.Flags().StringVar(&req.RedeemKey, "redeem-key", "", "the key of the redemption or hold that is undone")
	cmd.Flags().Uint64Var(&req.Seq, "seq", 0, "the entry's number; with --epoch")
	cmd.Flags().StringVar(&req.Epoch, "epoch", "", "the epoch of the number: 32 hexadecimal digits")
	cmd.Flags().StringVar(&req.TerminalId, "terminal", "", "the terminal that made it (default: this one)")
	kind, reason := newEnumFlag(wire.StampKind_STAMP_KIND_UNSPECIFIED), newEnumFlag(wire.StampReason_STAMP_REASON_UNSPECIFIED)
	cmd.Flags().Var(kind, "kind", "what an entry is that this terminal does not know: stamp, reward-hold or reward-redeem")
	cmd.Flags().Var(reason, "reason", "why: "+cli.OrList(reason.Names()))
	addPrivateFlag(cmd.Flags(), &req.Member.Phone, "phone", "the phone number of the member whose entry it is, where this terminal does not know")
	addPrivateFlag(cmd.Flags(), &req.Member.Par, "par", "a linked payment card's PAR, in place of --phone; never a card's number")
	addPrivateFlag(cmd.Flags(), &req.Member.Token, "token", "the acquirer's token for a linked payment card, in place of --phone; never a card's number")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := cli.Require(cmd, "key"); err != nil {
			return err
		}
		if req.AwardKey+req.RedeemKey == "" && req.Seq == 0 {
			return &cli.UsageError{Problem: "missing --award-key, --redeem-key or --seq", Remedy: cli.SeeHelp(cmd)}
		}
		if err := readPrivate(cmd); err != nil {
			return err
		}
		req.Kind, req.Reason = wire.StampKind(kind.value), wire.StampReason(reason.value)
		if m := req.Member; m.Phone+m.Par+m.Token == "" {
			req.Member = nil
		}
		return writeEntry(cmd, callVoidEntry, req)
	}
	return cmd
}
