// What the commands that write an entry of the loyalty ledger have in common.

package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/wire"
)

// addEntryFlags adds the flags of every command that writes an entry.
func addEntryFlags(cmd *cobra.Command, key, operator *string) {
	addClientFlags(cmd)
	cmd.Flags().StringVar(key, "key", "", "your name for this call, unique on this terminal (required)")
	cmd.Flags().StringVar(operator, "operator", "", "who works the terminal, by a number or a word, no name")
}

// writeEntry makes a call that writes an entry, and prints what it came to.
func writeEntry[Req proto.Message](cmd *cobra.Command, to call[Req, *wire.EntryResponse], req Req) error {
	ctx, cancel, c, err := newClient(cmd, answerTimeout)
	if err != nil {
		return err
	}
	defer cancel()
	res, err := ask(ctx, c, to, req)
	if err != nil {
		return err
	}
	if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
		return printJSON(cmd.OutOrStdout(), res)
	}
	printEntry(cmd.OutOrStdout(), res)
	return nil
}

// printEntry writes what a call came to.
func printEntry(w io.Writer, res *wire.EntryResponse) {
	printRecorded(w, res.GetSeq(), res.GetDuplicate())
	if res.GetRight() != wire.RedeemRight_REDEEM_RIGHT_UNSPECIFIED {
		right := "given by right of: " + enumName(res.GetRight())
		if res.GetNotConfirmed() != wire.ConfirmFailure_CONFIRM_FAILURE_UNSPECIFIED {
			right += "; the backend did not confirm it: " + enumName(res.GetNotConfirmed())
		}
		fmt.Fprintln(w, right)
	}
	if res.GetPending() {
		fmt.Fprintln(w, "pending: it waits for an entry that is not known here, or to be confirmed")
	}
	if res.GetAlready() {
		fmt.Fprintln(w, "there was nothing left to do: it was so already")
	}
	printCard(w, res.GetCard())
}

// printCard writes a card, or nothing where there is none.
func printCard(w io.Writer, c *wire.Card) {
	if c == nil {
		return
	}
	least := ""
	if c.GetAtLeast() {
		least = " at least"
	}
	fmt.Fprintf(w, "%d of %d stamps%s, rewards available: %d, earned: %d", c.GetProgress(), c.GetOf(), least, max(c.GetAvailable(), 0), c.GetEarned())
	if c.GetHeld() > 0 {
		fmt.Fprintf(w, ", set aside: %d", c.GetHeld())
	}
	fmt.Fprintf(w, ", as of %s\n", time.UnixMilli(c.GetAsOfUnixMs()).Format("2006-01-02 15:04:05 -0700"))
	if c.ExpiresUnixMs != nil {
		fmt.Fprintf(w, "%s will expire on %s\n", count(uint64(c.GetExpiring()), "stamp"), time.UnixMilli(c.GetExpiresUnixMs()).Format(time.DateOnly))
	}
	if c.GetPending() > 0 {
		fmt.Fprintf(w, "undone entries that are not known here: %d; the card may be off by them\n", c.GetPending())
	}
	if c.GetOffline() {
		fmt.Fprintln(w, "offline: what other terminals gave since is not in it")
	}
}
