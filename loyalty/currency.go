package loyalty

import "strings"

// Currencies by their decimals.
const (
	noDecimals  = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
	twoDecimals = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY " +
		"COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS " +
		"INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR " +
		"MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP " +
		"STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG"
	threeDecimals = "BHD IQD JOD KWD LYD OMR TND"
	fourDecimals  = "CLF UYW"
)

// Exponent returns how many decimals the currency with this ISO 4217 alphabetic code has: an amount in its minor unit
// is the amount times ten to that power. It returns false for a code that is not among the active currencies and funds
// of ISO 4217 list one as of 2026, and for the codes that have no minor unit: precious metals, XDR, XSU, XUA, XTS, XXX.
//
// Codes are in capital letters. MGA and MRU divide by five, and ISO gives them two decimals all the same.
func Exponent(code string) (int, bool) {
	if len(code) != 3 || strings.Contains(code, " ") {
		return 0, false
	}
	switch {
	case strings.Contains(twoDecimals, code):
		return 2, true
	case strings.Contains(noDecimals, code):
		return 0, true
	case strings.Contains(threeDecimals, code):
		return 3, true
	case strings.Contains(fourDecimals, code):
		return 4, true
	}
	return 0, false
}
