package pci

// What a [Violation] found. The words reach the audit trail, so they never change.
const (
	// KindPAN is a primary account number: the number of a payment card.
	KindPAN = "pan"
	// KindTrack1 is track 1 of a magnetic stripe (ISO/IEC 7813).
	KindTrack1 = "track1"
	// KindTrack2 is track 2 of a magnetic stripe, or its equivalent on a chip (EMV tag 57).
	KindTrack2 = "track2"
	// KindCVV is a card verification code with its label.
	KindCVV = "cvv"
	// KindPIN is a PIN or a PIN block, by its EMV tag.
	KindPIN = "pin"
	// KindUnknownFields is data that the schema has no field for, and that therefore can't be checked.
	KindUnknownFields = "unknown_fields"
	// KindUncheckable is a message or field that the guard can't look into.
	KindUncheckable = "uncheckable"
)

// Violation says that a message held what may not be kept, or could not be checked. It holds names only, never values.
type Violation struct {
	// Field is the path to the field from the message that was given, "payment.card.token"; an element of a list is
	// "names[2]", the key of a map "labels[key]". Empty means the message itself.
	Field string
	// Kind is what was found: one of the Kind constants.
	Kind string
}

// Error names the field and the kind.
func (v *Violation) Error() string {
	where := v.Field
	if where == "" {
		where = "message"
	}
	switch v.Kind {
	case KindUnknownFields:
		return "cannot accept " + where + ": it has fields that are not in the schema"
	case KindUncheckable:
		return "cannot accept " + where + ": it can't be checked for cardholder data"
	}
	return "cannot accept " + where + ": it holds cardholder data (" + v.Kind + ")"
}

// in puts the name of the enclosing field before the path.
func (v *Violation) in(name string) *Violation {
	switch {
	case v.Field == "":
		v.Field = name
	case v.Field[0] == '[':
		v.Field = name + v.Field
	default:
		v.Field = name + "." + v.Field
	}
	return v
}
