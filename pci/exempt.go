package pci

import (
	"math"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// exemption lets a value pass in which digits can look like a card number by chance. It holds only for values of the
// field's shape; any other value is judged like that of any field.
type exemption struct {
	shape func(protoreflect.Value) bool
	why   string
}

// exemptions are all fields in which a finding may be chance, by full name. There are no others.
//
// A number below 10^13 has fewer digits than any card number that is looked for outside fields for cards, so clocks,
// cells, sizes and counters need none: a larger number is either wrong or a card number.
var exemptions = map[protoreflect.FullName]exemption{
	"stampd.v1.Clock.boot_id": {
		randomBytes(16), "made by the kernel; a chance hit would refuse every event until the next boot",
	},
	"stampd.v1.Stamp.account_ref": {
		randomBytes(32), "an HMAC; a chance hit would refuse one member for ever",
	},
	"stampd.v1.Stamp.card_ref": {
		randomBytes(32), "an HMAC; a chance hit would refuse one payment card for ever",
	},
	"stampd.v1.Stamp.other_account_ref": {
		randomBytes(32), "an HMAC; a chance hit would refuse one member for ever",
	},
	"stampd.v1.Stamp.lease_id": {
		randomBytes(16), "made by the backend; a chance hit would refuse what was given by the lease",
	},
	"stampd.v1.EntryRef.epoch": {
		randomBytes(16), "made at random; a chance hit would refuse all that undoes entries of one queue file",
	},
	"stampd.v1.Consent.text_sha256": {
		randomBytes(32), "a hash; a chance hit would refuse every consent to one text",
	},
	"stampd.v1.Modem.iccid": {
		iccidText, "a SIM's number; where its issuer writes account numbers in hexadecimal, 14 digits can stand alone by chance",
	},
	"stampd.v1.AppOperation.sketch": {
		sketchBytes, "counts of durations; small ones in a row are digits of a number by chance",
	},
	"stampd.v1.OperationReport.sketch": {
		sketchBytes, "the same, as an application hands it over",
	},
	"stampd.v1.OperationReport.durations_us": {
		anyNumbers, "never kept, only counted; four durations of four digits spell a number by chance",
	},
	"stampd.v1.AwardStampsRequest.phone": {
		phoneText, "never kept; +62 and +37 numbers of 14 and 15 digits are in card ranges",
	},
	"stampd.v1.GetCardRequest.phone": {
		phoneText, "never kept; +62 and +37 numbers of 14 and 15 digits are in card ranges",
	},
	"stampd.v1.Member.phone": {
		phoneText, "never kept; +62 and +37 numbers of 14 and 15 digits are in card ranges",
	},
	"stampd.v1.EnrolMemberRequest.phone": {
		phoneText, "never kept; +62 and +37 numbers of 14 and 15 digits are in card ranges",
	},
	"stampd.v1.LinkCardRequest.phone": {
		phoneText, "never kept; +62 and +37 numbers of 14 and 15 digits are in card ranges",
	},
}

// exempt reports whether a finding in v may be put down to chance.
func exempt(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
	e, ok := exemptions[fd.FullName()]
	return ok && e.shape(v)
}

// randomBytes is the shape of n random bytes. Text is not of the shape, nor is anything that was padded to the length.
func randomBytes(n int) func(protoreflect.Value) bool {
	return func(v protoreflect.Value) bool {
		b := v.Bytes()
		if len(b) != n {
			return false
		}
		ascii, same := true, 1
		for i := range b {
			ascii = ascii && b[i] < 0x80
			if i > 0 && b[i] == b[i-1] {
				same++
			} else {
				same = 1
			}
			if same == 4 {
				return false
			}
		}
		return !ascii
	}
}

// anyNumbers is the shape of every list of numbers.
func anyNumbers(protoreflect.Value) bool { return true }

// sketchBytes is the shape of AppOperation.sketch: a 1, the sum of all counts, and the buckets with their counts to the last
// byte. A card number behind a 1 would have to add up.
func sketchBytes(v protoreflect.Value) bool {
	const lastBucket = 895
	b := v.Bytes()
	if len(b) == 0 || b[0] != 1 {
		return false
	}
	sum, n := protowire.ConsumeVarint(b[1:])
	if n < 0 {
		return false
	}
	var bucket, counted uint64
	for b = b[1+n:]; len(b) > 0; {
		gap, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return false
		}
		count, m := protowire.ConsumeVarint(b[n:])
		if m < 0 || gap > lastBucket || count > math.MaxUint32 {
			return false
		}
		b, bucket, counted = b[n+m:], bucket+gap, counted+count
	}
	return bucket <= lastBucket && counted == sum
}

// phoneText is the shape of a phone number in E.164, perhaps with separators between its digits.
func phoneText(v protoreflect.Value) bool {
	return isE164(strings.NewReplacer(" ", "", "-", "", ".", "", "(", "", ")", "").Replace(v.String()))
}

// iccidText is the shape of the number of a SIM that is not digits alone: 20 characters that begin with 89 and the number of
// a country and an issuer, after which the account number begins with a hexadecimal digit from A on. No more than 14
// digits follow.
func iccidText(v protoreflect.Value) bool {
	s := v.String()
	if len(s) != 20 || s[:2] != "89" || strings.Trim(s, "0123456789ABCDEF") != "" {
		return false
	}
	account := strings.IndexAny(s, "ABCDEF")
	return account >= 5 && account <= 7
}
