// The flags that name a member.

package main

import (
	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/cli"
)

// phoneUsage is what the flag of a member's phone takes.
const phoneUsage = "the member's phone number, + and country code first, or as it is dialled in loyalty.region"

// addMemberFlags adds the flags that name a member: by phone, or by a payment card that is linked.
func addMemberFlags(cmd *cobra.Command, phone, par, token *string) {
	addPrivateFlag(cmd.Flags(), phone, "phone", phoneUsage+" (required, unless a payment card is named)")
	addPrivateFlag(cmd.Flags(), par, "par", "a linked payment card's PAR, in place of --phone; never a card's number")
	addPrivateFlag(cmd.Flags(), token, "token", "the acquirer's token for a linked payment card, in place of --phone; never a card's number")
}

// requireMember fails when one of the flags is missing, or everything that names a member.
func requireMember(cmd *cobra.Command, flags ...string) error {
	if cmd.Flags().Lookup("par").Value.String() == "" && cmd.Flags().Lookup("token").Value.String() == "" {
		flags = append(flags, "phone")
	}
	return cli.Require(cmd, flags...)
}
