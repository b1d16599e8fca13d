package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/wire"
)

func newCardCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "card",
		Short:   "Show a member's card",
		Example: "  stampd card show --phone +4915112345678",
	}
	cmd.AddCommand(newCardShowCommand())
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
		printCard(cmd.OutOrStdout(), res.GetCard())
		return nil
	}
	return cmd
}

func printCard(w io.Writer, c *wire.Card) {
	fmt.Fprintf(w, "%d of %d stamps, rewards earned: %d, as of %s\n", c.GetProgress(), c.GetOf(), c.GetEarned(),
		time.UnixMilli(c.GetAsOfUnixMs()).Format("2006-01-02 15:04:05 -0700"))
	fmt.Fprintln(w, "this terminal's view: stamps given elsewhere are not in it")
}
