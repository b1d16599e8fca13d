package pci

// emvTag is a data object that may be kept.
type emvTag struct {
	tag         uint32
	least, most int  // bytes of its value
	random      bool // made by a cipher: chance makes it look like a card number once in 50,000 times, and it is dropped then
	capital     bool // capital letters and digits only
}

// emvTags are all data objects that may be kept, and their lengths (EMV Book 3, annex A; for 9F24 EMVCo's payment account
// reference). There are no others: one tag means one thing to one kernel and another to the next.
var emvTags = [...]emvTag{
	{tag: 0x4F, least: 5, most: 16},                   // application identifier
	{tag: 0x50, least: 1, most: 16},                   // application label
	{tag: 0x82, least: 2, most: 2},                    // application interchange profile
	{tag: 0x84, least: 5, most: 16},                   // dedicated file name
	{tag: 0x8A, least: 2, most: 2},                    // authorisation response code
	{tag: 0x95, least: 5, most: 5},                    // terminal verification results
	{tag: 0x9A, least: 3, most: 3},                    // transaction date
	{tag: 0x9B, least: 2, most: 2},                    // transaction status information
	{tag: 0x9C, least: 1, most: 1},                    // transaction type
	{tag: 0x5F2A, least: 2, most: 2},                  // transaction currency
	{tag: 0x9F02, least: 6, most: 6},                  // amount, authorised
	{tag: 0x9F03, least: 6, most: 6},                  // amount, other
	{tag: 0x9F1A, least: 2, most: 2},                  // terminal country
	{tag: 0x9F21, least: 3, most: 3},                  // transaction time
	{tag: 0x9F24, least: 29, most: 29, capital: true}, // payment account reference
	{tag: 0x9F26, least: 8, most: 8, random: true},    // application cryptogram
	{tag: 0x9F27, least: 1, most: 1},                  // cryptogram information data
	{tag: 0x9F33, least: 3, most: 3},                  // terminal capabilities
	{tag: 0x9F34, least: 3, most: 3},                  // cardholder verification method results
	{tag: 0x9F35, least: 1, most: 1},                  // terminal type
	{tag: 0x9F36, least: 2, most: 2},                  // application transaction counter
	{tag: 0x9F37, least: 4, most: 4},                  // unpredictable number
	{tag: 0x9F39, least: 1, most: 1},                  // point-of-service entry mode
}

// emvAllowed returns the place of a tag in emvTags.
func emvAllowed(tag uint32) (int, bool) {
	for i := range emvTags {
		if emvTags[i].tag == tag {
			return i, true
		}
	}
	return 0, false
}

// fits reports whether a value is of the tag's length and characters.
func (t emvTag) fits(v []byte) bool {
	if len(v) < t.least || len(v) > t.most {
		return false
	}
	for _, c := range v {
		if t.capital && (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// emvForbidden returns what a tag says that its value holds, or "": what may not be kept even encrypted (PCI DSS 3.3.1),
// and the card's number.
func emvForbidden(tag uint32) string {
	switch tag {
	case 0x5A:
		return KindPAN
	case 0x56, 0x9F1F: // track 1 equivalent, track 1 discretionary data
		return KindTrack1
	case 0x57, 0x9F6B, 0x9F20: // track 2 equivalent, the same of a contactless stripe, track 2 discretionary data
		return KindTrack2
	case 0x9F60, 0x9F61: // CVC3 of track 1 and 2
		return KindCVV
	case 0x99: // transaction PIN data
		return KindPIN
	}
	return ""
}
