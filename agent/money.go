package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stampd/stampd/loyalty"
)

// parseAmount reads a decimal number such as "12.50" as an amount in the minor unit of a currency with so many decimals.
// It is exact: no decimals are rounded away, and none that the currency does not have are taken. The error does not hold
// the number.
func parseAmount(s string, decimals int) (int64, error) {
	whole, fraction, point := strings.Cut(s, ".")
	if !allDigits(whole) || point && !allDigits(fraction) {
		return 0, fmt.Errorf("want a decimal number such as %s: no sign, no exponent, no separators of thousands", exampleAmount(decimals))
	}
	if len(fraction) > decimals {
		if decimals == 0 {
			return 0, fmt.Errorf("the currency has no decimals")
		}
		return 0, fmt.Errorf("the currency has %d decimals, and the amount more", decimals)
	}
	fraction += strings.Repeat("0", decimals-len(fraction))
	v, err := strconv.ParseInt(whole+fraction, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the amount is too large")
	}
	return v, nil
}

// parseAmounts reads amounts such as "12.50 EUR" as minor units by currency, each above 0 and up to 10^12.
func parseAmounts(texts []string) (map[string]int64, error) {
	const most = 1_000_000_000_000
	amounts := map[string]int64{}
	for _, text := range texts {
		number, currency, _ := strings.Cut(text, " ")
		decimals, known := loyalty.Exponent(currency)
		if _, twice := amounts[currency]; !known || twice {
			return nil, fmt.Errorf("want a number and a currency, each currency once")
		}
		v, err := parseAmount(number, decimals)
		if err != nil {
			return nil, err
		}
		if v < 1 || v > most {
			return nil, fmt.Errorf("want an amount above 0")
		}
		amounts[currency] = v
	}
	return amounts, nil
}

func exampleAmount(decimals int) string {
	if decimals == 0 {
		return "1250"
	}
	return "12." + "5000"[:decimals]
}

// allDigits reports whether s is one or more of 0-9.
func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
