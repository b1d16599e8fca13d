package main

import (
	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/wire"
)

func newMemberCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "member",
		Short: "Enrol members, record what they agree to, and forget them",
		Example: `  stampd member enrol --key enrol-17 --phone +4915112345678 --consent loyalty --method screen
  stampd member consent --key consent-17 --phone +4915112345678 --purpose sms-marketing --revoked`,
	}
	cmd.AddCommand(newMemberEnrolCommand(), newMemberConsentCommand(), newMemberMergeCommand(), newMemberEraseCommand())
	return cmd
}

func newMemberEnrolCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "enrol",
		Short: "Make a phone number a member's",
		Example: `  stampd member enrol --key enrol-17 --phone +4915112345678 --consent loyalty --method screen
  stampd member enrol --key enrol-18 --phone - --consent loyalty --consent sms-marketing --method paper --language de`,
	}
	req := new(wire.EnrolMemberRequest)
	addEntryFlags(cmd, &req.IdempotencyKey, &req.OperatorRef)
	addPrivateFlag(cmd.Flags(), &req.Phone, "phone", phoneUsage+" (required)")
	purposes := &enumsFlag{enumFlag: newEnumFlag(wire.ConsentPurpose_CONSENT_PURPOSE_UNSPECIFIED)}
	cmd.Flags().Var(purposes, "consent", "what the member agreed to, once for each: "+cli.OrList(purposes.Names()))
	how := addConsentFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := cli.Require(cmd, "key", "phone"); err != nil {
			return err
		}
		if err := readPrivate(cmd); err != nil {
			return err
		}
		for _, p := range purposes.values {
			req.Consents = append(req.Consents, how.consent(wire.ConsentPurpose(p)))
		}
		return writeEntry(cmd, callEnrolMember, req)
	}
	return cmd
}

func newMemberConsentCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "consent",
		Short: "Record that a member agrees to a use of their data, or no longer does",
		Example: `  stampd member consent --key consent-17 --phone +4915112345678 --purpose sms-marketing --granted --method spoken
  stampd member consent --key consent-18 --phone - --purpose sms-marketing --revoked`,
	}
	req := &wire.SetConsentRequest{Member: new(wire.Member)}
	addEntryFlags(cmd, &req.IdempotencyKey, &req.OperatorRef)
	addMemberFlags(cmd, &req.Member.Phone, &req.Member.Par, &req.Member.Token)
	purpose := newEnumFlag(wire.ConsentPurpose_CONSENT_PURPOSE_UNSPECIFIED)
	cmd.Flags().Var(purpose, "purpose", "what for: "+cli.OrList(purpose.Names())+" (required)")
	granted := cmd.Flags().Bool("granted", false, "the member agrees")
	revoked := cmd.Flags().Bool("revoked", false, "the member no longer agrees")
	how := addConsentFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := requireMember(cmd, "key", "purpose"); err != nil {
			return err
		}
		if *granted == *revoked {
			return &cli.UsageError{Problem: "want one of --granted and --revoked", Remedy: cli.SeeHelp(cmd)}
		}
		if err := readPrivate(cmd); err != nil {
			return err
		}
		req.Consent, req.Granted = how.consent(wire.ConsentPurpose(purpose.value)), granted
		return writeEntry(cmd, callSetConsent, req)
	}
	return cmd
}

func newMemberMergeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "merge",
		Short: "Make two members one, whose stamps add up",
		Example: `  stampd member merge --key merge-17 --phone +4915112345678 --other-phone +4915187654321
  cat both-numbers | stampd member merge --key merge-18 --phone - --other-phone -`,
	}
	req := &wire.MergeMembersRequest{Member: new(wire.Member), Other: new(wire.Member)}
	addEntryFlags(cmd, &req.IdempotencyKey, &req.OperatorRef)
	addMemberFlags(cmd, &req.Member.Phone, &req.Member.Par, &req.Member.Token)
	addPrivateFlag(cmd.Flags(), &req.Other.Phone, "other-phone", "the other member's phone number")
	addPrivateFlag(cmd.Flags(), &req.Other.Par, "other-par", "a linked payment card's PAR of the other member, in place of --other-phone")
	addPrivateFlag(cmd.Flags(), &req.Other.Token, "other-token", "the acquirer's token for a linked payment card of the other member, in place of --other-phone")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := requireMember(cmd, "key"); err != nil {
			return err
		}
		if req.Other.Phone+req.Other.Par+req.Other.Token == "" {
			return &cli.UsageError{Problem: "missing --other-phone", Remedy: cli.SeeHelp(cmd)}
		}
		if err := readPrivate(cmd); err != nil {
			return err
		}
		return writeEntry(cmd, callMergeMembers, req)
	}
	return cmd
}

func newMemberEraseCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "erase",
		Short: "Forget a member, for ever",
		Long: `Forget a member. When it exits with 0, what the terminal has of them is gone, what
is sent is anonymous, and the phone number can't have a card again. Nobody can undo it.`,
		Example: "  stampd member erase --key erase-17 --phone -",
	}
	req := &wire.EraseMemberRequest{Member: new(wire.Member)}
	addEntryFlags(cmd, &req.IdempotencyKey, &req.OperatorRef)
	addMemberFlags(cmd, &req.Member.Phone, &req.Member.Par, &req.Member.Token)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := requireMember(cmd, "key"); err != nil {
			return err
		}
		if err := readPrivate(cmd); err != nil {
			return err
		}
		return writeEntry(cmd, callEraseMember, req)
	}
	return cmd
}

// consentFlags are the flags that say how a member was asked.
type consentFlags struct {
	method   *enumFlag
	language string
	text     []byte
}

func addConsentFlags(cmd *cobra.Command) *consentFlags {
	f := &consentFlags{method: newEnumFlag(wire.ConsentMethod_CONSENT_METHOD_UNSPECIFIED)}
	cmd.Flags().Var(f.method, "method", "how the member said so: "+cli.OrList(f.method.Names()))
	cmd.Flags().StringVar(&f.language, "language", "", "language of the text that was shown, such as de or en-US")
	cmd.Flags().BytesHexVar(&f.text, "text-sha256", nil, "SHA-256 of the text that was shown, in hexadecimal")
	return f
}

func (f *consentFlags) consent(purpose wire.ConsentPurpose) *wire.Consent {
	return &wire.Consent{Purpose: purpose, Method: wire.ConsentMethod(f.method.value), Language: f.language, TextSha256: f.text}
}
