// Package money writes amounts of money for people and models.
package money

import (
	"math"
	"strconv"
	"strings"
)

// USD is an amount with so many decimals, and with more where they would tell a small
// amount as nothing: "$0.25" and "$0.0042" of 2 decimals, "$0.0120" and "$0.000031" of 4.
func USD(usd float64, decimals int) string {
	sign := ""
	if usd < 0 {
		sign, usd = "-", -usd
	}
	if usd > 0 && usd < math.Pow10(-decimals) {
		for more := min(1-int(math.Floor(math.Log10(usd))), 12); more > decimals; more-- { // two digits
			if text := strconv.FormatFloat(usd, 'f', more, 64); !strings.HasSuffix(text, "0") {
				return sign + "$" + text
			}
		}
	}
	return sign + "$" + strconv.FormatFloat(usd, 'f', decimals, 64)
}
