package agent

import (
	"fmt"
	"time"

	"github.com/whorl-go/whorl/transport"
)

// Cost is money.
type Cost struct {
	USD float64
	// Known is false if the price of something in it is not known. USD is then what
	// is known of it, and less than the bill.
	Known bool
}

// String gives the cost with four decimals, or says that it is not known.
func (c Cost) String() string {
	switch {
	case c.Known:
		return fmt.Sprintf("$%.4f", c.USD)
	case c.USD > 0:
		return fmt.Sprintf("more than $%.4f", c.USD)
	}
	return "price unknown"
}

// add sums up. The first addend decides alone, since no cost at all is known.
func (c Cost) add(d Cost, first bool) Cost {
	if first {
		return d
	}
	return Cost{USD: c.USD + d.USD, Known: c.Known && d.Known}
}

// costOf is what a response costs; own corrects and extends the table of prices.
func costOf(req *transport.Request, resp *transport.Response, own ...transport.Model) Cost {
	cost, _ := priceResponse(resp, req.Model, time.Time{}, own)
	return cost
}
