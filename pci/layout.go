package pci

// layout is a way in which card numbers are divided into groups.
type layout struct {
	starts      uint64 // bit i: a group begins at the digit i
	least, most int    // how many digits there are in all
}

// layouts are the ways in use: the gaps of braintree/credit-card-type src/lib/card-types.ts, and the older ones of 8
// and 6 digits.
var layouts = [...]layout{
	{starts: 1, least: shortestPAN, most: longestPAN},
	{starts: 1 | 1<<4 | 1<<8 | 1<<12, least: shortestPAN, most: longestPAN}, // 4242 4242 4242 4242, and fewer or more in the last
	{starts: 1 | 1<<4 | 1<<8 | 1<<12 | 1<<16, least: 17, most: longestPAN},  // 6799 9901 0000 0000 019
	{starts: 1 | 1<<4 | 1<<10, least: shortestFreePAN, most: 15},            // 3782 822463 10005
	{starts: 1 | 1<<8, least: 16, most: 16},                                 // 67596498 26438453
	{starts: 1 | 1<<6, least: longestPAN, most: longestPAN},                 // 679999 0100000000019
}

// isLayout reports whether card numbers of so many digits are divided in this way.
func isLayout(starts uint64, digits int) bool {
	for _, l := range layouts {
		if l.starts == starts && digits >= l.least && digits <= l.most {
			return true
		}
	}
	return false
}
