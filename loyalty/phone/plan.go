package phone

import "strings"

// plan is how numbers are dialled in a region, and what they look like there.
type plan struct {
	regions      string // ISO 3166-1, two letters each; the first one's numbers are checked for all
	code         string // country code
	trunk        string // what is dialled before a number within the country, and is no part of it
	abroad       string // what is dialled before a country code; empty: a carrier is chosen with it, so "+" has to be written
	fewest, most int    // digits of a person's or a shop's number, without country code and trunk prefix
	local        bool   // a number may be dialled without its area code and can then be as long as one that has it
	zero         bool   // numbers may begin with 0
}

// plans are the regions that a number can be typed in without its country code: the North American Numbering Plan, and
// those of the countries with the most small shops. Their source is each country's national numbering plan as given to the
// ITU (itu.int/oth/T0202, Recommendation E.164) for lengths, and the list of dialling procedures (annex to the ITU
// Operational Bulletin, Recommendation E.164 and E.129) for prefixes; both were compared with libphonenumber's metadata.
//
// Left out: Argentina and Russia, where one number is written in several ways that all look right.
var plans = [...]plan{
	{regions: "US CA PR DO JM TT BS BB BM AG AI AS DM GD GU KN KY LC MP MS SX TC VC VG VI", code: "1", trunk: "1", abroad: "011", fewest: 10, most: 10},

	{regions: "MX", code: "52", abroad: "00", fewest: 10, most: 10},
	{regions: "BR", code: "55", trunk: "0", fewest: 10, most: 11},
	{regions: "CO", code: "57", fewest: 10, most: 10},
	{regions: "CL", code: "56", fewest: 9, most: 9},
	{regions: "PE", code: "51", trunk: "0", abroad: "00", fewest: 8, most: 9},

	{regions: "GB GG IM JE", code: "44", trunk: "0", abroad: "00", fewest: 9, most: 10},
	{regions: "IE", code: "353", trunk: "0", abroad: "00", fewest: 7, most: 9, local: true},
	{regions: "FR", code: "33", trunk: "0", abroad: "00", fewest: 9, most: 9},
	{regions: "DE", code: "49", trunk: "0", abroad: "00", fewest: 6, most: 13, local: true},
	{regions: "AT", code: "43", trunk: "0", abroad: "00", fewest: 6, most: 13, local: true},
	{regions: "CH", code: "41", trunk: "0", abroad: "00", fewest: 9, most: 9},
	{regions: "NL", code: "31", trunk: "0", abroad: "00", fewest: 9, most: 9},
	{regions: "BE", code: "32", trunk: "0", abroad: "00", fewest: 8, most: 9},
	{regions: "LU", code: "352", abroad: "00", fewest: 6, most: 11},
	{regions: "ES", code: "34", abroad: "00", fewest: 9, most: 9},
	{regions: "PT", code: "351", abroad: "00", fewest: 9, most: 9},
	{regions: "IT VA", code: "39", abroad: "00", fewest: 6, most: 11, zero: true},
	{regions: "DK", code: "45", abroad: "00", fewest: 8, most: 8},
	{regions: "NO SJ", code: "47", abroad: "00", fewest: 8, most: 8},
	{regions: "SE", code: "46", trunk: "0", abroad: "00", fewest: 7, most: 9, local: true},
	{regions: "FI AX", code: "358", trunk: "0", abroad: "00", fewest: 6, most: 11, local: true},
	{regions: "PL", code: "48", abroad: "00", fewest: 9, most: 9},
	{regions: "CZ", code: "420", abroad: "00", fewest: 9, most: 9},
	{regions: "SK", code: "421", trunk: "0", abroad: "00", fewest: 9, most: 9},
	{regions: "HU", code: "36", trunk: "06", abroad: "00", fewest: 8, most: 9},
	{regions: "RO", code: "40", trunk: "0", abroad: "00", fewest: 9, most: 9},
	{regions: "BG", code: "359", trunk: "0", abroad: "00", fewest: 7, most: 9, local: true},
	{regions: "GR", code: "30", abroad: "00", fewest: 10, most: 10},
	{regions: "TR", code: "90", trunk: "0", abroad: "00", fewest: 10, most: 10},
	{regions: "UA", code: "380", trunk: "0", abroad: "00", fewest: 9, most: 9},

	{regions: "AU CC CX", code: "61", trunk: "0", abroad: "0011", fewest: 9, most: 9},
	{regions: "NZ", code: "64", trunk: "0", abroad: "00", fewest: 8, most: 10},
	{regions: "JP", code: "81", trunk: "0", abroad: "010", fewest: 9, most: 10},
	{regions: "KR", code: "82", trunk: "0", abroad: "001 002 005 006 008", fewest: 8, most: 10, local: true},
	{regions: "IN", code: "91", trunk: "0", abroad: "00", fewest: 10, most: 10},
	{regions: "SG", code: "65", abroad: "001 002 008", fewest: 8, most: 8},
	{regions: "HK", code: "852", abroad: "001", fewest: 8, most: 8},
	{regions: "MY", code: "60", trunk: "0", abroad: "00", fewest: 8, most: 10, local: true},
	{regions: "PH", code: "63", trunk: "0", abroad: "00", fewest: 9, most: 10},
	{regions: "ID", code: "62", trunk: "0", abroad: "001 007 008", fewest: 8, most: 12, local: true},
	{regions: "TH", code: "66", trunk: "0", abroad: "001", fewest: 8, most: 9},
	{regions: "VN", code: "84", trunk: "0", abroad: "00", fewest: 9, most: 10},

	{regions: "ZA", code: "27", trunk: "0", abroad: "00", fewest: 9, most: 9},
	{regions: "AE", code: "971", trunk: "0", abroad: "00", fewest: 8, most: 9},
	{regions: "IL", code: "972", trunk: "0", abroad: "00", fewest: 8, most: 9},
	{regions: "SA", code: "966", trunk: "0", abroad: "00", fewest: 9, most: 9},
	{regions: "EG", code: "20", trunk: "0", abroad: "00", fewest: 8, most: 10, local: true},
	{regions: "NG", code: "234", trunk: "0", abroad: "009", fewest: 8, most: 10},
	{regions: "KE", code: "254", trunk: "0", abroad: "000", fewest: 7, most: 9, local: true},
}

// Regions returns the regions that a number can be dialled in, in no order that means anything: ISO 3166-1, two capital
// letters each.
func Regions() []string {
	var all []string
	for _, p := range plans {
		all = append(all, strings.Fields(p.regions)...)
	}
	return all
}

// planOf returns the plan of a region.
func planOf(region string) (plan, bool) {
	for _, p := range plans {
		if len(region) == 2 && strings.Contains(" "+p.regions+" ", " "+region+" ") {
			return p, true
		}
	}
	return plan{}, false
}

// planWith returns the plan of the country with this code.
func planWith(code string) (plan, bool) {
	for _, p := range plans {
		if p.code == code {
			return p, true
		}
	}
	return plan{}, false
}
