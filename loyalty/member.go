package loyalty

// Enrol makes an account a member's. The oldest one of a group of merged accounts says which of them survives.
type Enrol struct{}

// Link says that a payment card is the member's. When the card is another account's already, it is pending until it is
// confirmed.
type Link struct {
	Card      Ref
	Confirmed bool // the member proved to be the holder of the account, by a one-time password
}

// Unlink says that a payment card is nobody's any more.
type Unlink struct{ Card Ref }

// Merge says that two accounts are one member's. Which is named first makes no difference.
type Merge struct{ Other Ref }

// Consent grants or revokes the use of a member's data for a purpose.
type Consent struct {
	Purpose  Purpose
	Granted  bool
	TextHash [32]byte // SHA-256 of the text that the member agreed to; zero means unknown
}

// Erase makes an account forgotten: see [State].
type Erase struct{}

// Purpose is what a member's data may be used for. The values reach the disk and the wire.
type Purpose uint8

// All purposes.
const (
	PurposeLoyalty      Purpose = 1 // keeping the card
	PurposeSMSMarketing Purpose = 2 // advertising by text message

	purposes = 3
)

// ConsentState is what a member last said about a purpose.
type ConsentState uint8

// All states of consent. The zero value means that the member was not asked.
const (
	ConsentUnknown ConsentState = 0
	ConsentGranted ConsentState = 1
	ConsentRevoked ConsentState = 2
)

// Kind returns KindEnrol.
func (Enrol) Kind() Kind { return KindEnrol }

// Kind returns KindLink.
func (Link) Kind() Kind { return KindLink }

// Kind returns KindUnlink.
func (Unlink) Kind() Kind { return KindUnlink }

// Kind returns KindMerge.
func (Merge) Kind() Kind { return KindMerge }

// Kind returns KindConsentGrant or KindConsentRevoke.
func (b Consent) Kind() Kind {
	if b.Granted {
		return KindConsentGrant
	}
	return KindConsentRevoke
}

// Kind returns KindErase.
func (Erase) Kind() Kind { return KindErase }

func (Enrol) problem() string { return "" }
func (Erase) problem() string { return "" }

func (b Link) problem() string   { return some(b.Card) }
func (b Unlink) problem() string { return some(b.Card) }
func (b Merge) problem() string  { return some(b.Other) }

func (b Consent) problem() string {
	if b.Purpose < 1 || b.Purpose >= purposes {
		return "consent to an unknown purpose"
	}
	return ""
}

func some(r Ref) string {
	if r == (Ref{}) {
		return "entry names no second account or card"
	}
	return ""
}
