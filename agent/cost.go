package agent

import "fmt"

// Cost is money. The zero Cost is nothing spent.
type Cost struct {
	USD float64
	// Incomplete says that something in it has a price that is not known, or a size:
	// the bill is then more than USD.
	Incomplete bool
}

// Add is the sum of two costs.
func (c Cost) Add(d Cost) Cost {
	return Cost{USD: c.USD + d.USD, Incomplete: c.Incomplete || d.Incomplete}
}

// String gives the cost with four decimals, such as "$0.0012" or "more than
// $0.0012".
func (c Cost) String() string {
	switch {
	case !c.Incomplete:
		return fmt.Sprintf("$%.4f", c.USD)
	case c.USD > 0:
		return fmt.Sprintf("more than $%.4f", c.USD)
	}
	return "price unknown"
}
