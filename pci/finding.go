package pci

// finding is what a scan found, the more telling the higher.
type finding uint8

const (
	nothing finding = 0
	// panIfLabelled is a card number only in a field that is there for a card: 13 digits, or a range that is too wide.
	panIfLabelled finding = 1
	pan           finding = 2
	cvv           finding = 3
	track2        finding = 4
	track1        finding = 5
	uncheckable   finding = 6
)

// kind returns the word for it, or "" for what is not certain.
func (f finding) kind() string {
	switch f {
	case nothing, panIfLabelled:
		return ""
	case pan:
		return KindPAN
	case cvv:
		return KindCVV
	case track2:
		return KindTrack2
	case track1:
		return KindTrack1
	}
	return KindUncheckable
}
