package evals

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Call describes a tool call that is expected: its tool is Name, and its arguments
// contain all of Input, compared as [JSON] does. An empty Input matches any arguments.
type Call struct {
	Name  string
	Input string // JSON
}

// An Order specifies how expected calls are compared with those that were made.
type Order string

// The orders.
const (
	Exact   Order = "exact"    // these calls, in this order, and no other
	InOrder Order = "in order" // these calls in this order; other calls may come between them
	All     Order = "all"      // these calls, in any order; other calls may be made too
	Only    Order = "only"     // no other calls; each at most as often as it is listed
	Same    Order = "same"     // exactly these calls, in any order
)

// Calls passes if the case's tool calls match calls, compared as order says. Otherwise
// the score is the F1 measure of the expected calls that were made, in the same order
// for [InOrder], or 0 for [Exact].
func Calls(order Order, calls ...Call) Check {
	return simple("calls "+string(order), func(o *Outcome) Verdict {
		for _, c := range calls {
			if c.Input != "" && !json.Valid([]byte(c.Input)) {
				return verdict(false, "the check can't be made: the input of %s is no JSON: %s", c.Name, c.Input)
			}
		}
		switch order {
		case Exact:
			return exactly(o, calls)
		case InOrder:
			v := inOrder(o, calls)
			if !v.Pass {
				v.Score = f1(longest(o, calls), o, calls)
			}
			return v
		case All, Only, Same:
			return matching(o, calls, order)
		}
		return verdict(false, "the check can't be made: there is no order %q; there are exact, in order, all, only and same", order)
	})
}

// matches says why a call is not the one that is wanted, or "".
func (c Call) matches(got Called) string {
	if c.Name != got.Name {
		return fmt.Sprintf("it calls %s, not %s", got.Name, c.Name)
	}
	if c.Input == "" {
		return ""
	}
	want, _ := decode([]byte(c.Input))
	have, err := decode(got.Input)
	if err != nil {
		return "the arguments are no JSON: " + short(string(got.Input))
	}
	if d := subset("", want, have); d != "" {
		return "the arguments of " + c.Name + " differ: " + d
	}
	return ""
}

func exactly(o *Outcome, calls []Call) Verdict {
	for i, c := range calls {
		if i >= len(o.Calls) {
			return verdict(false, "call %d, %s, was not made; there were %s", i+1, c.Name, o.trajectory())
		}
		if d := c.matches(o.Calls[i]); d != "" {
			return verdict(false, "call %d: %s; there were %s", i+1, d, o.trajectory())
		}
	}
	if n := len(calls); len(o.Calls) > n {
		return verdict(false, "call %d, %s, is one too many; there were %s", n+1, o.Calls[n].Name, o.trajectory())
	}
	return verdict(true, "")
}

func inOrder(o *Outcome, calls []Call) Verdict {
	at := 0
	for i, c := range calls {
		nearest := ""
		for ; at < len(o.Calls); at++ {
			d := c.matches(o.Calls[at])
			if d == "" {
				break
			}
			if c.Name == o.Calls[at].Name {
				nearest = "; " + d
			}
		}
		if at++; at > len(o.Calls) {
			return verdict(false, "call %d, %s, was not made in its place%s; there were %s", i+1, c.Name, nearest, o.trajectory())
		}
	}
	return verdict(true, "")
}

// longest is the number of wanted calls that were made in their order, at most.
func longest(o *Outcome, calls []Call) int {
	row := make([]int, len(o.Calls)+1) // by the calls that were made, so far
	for _, c := range calls {
		left := 0
		for m, got := range o.Calls {
			over := row[m+1]
			if c.matches(got) == "" {
				row[m+1] = left + 1
			} else {
				row[m+1] = max(over, row[m])
			}
			left = over
		}
	}
	return row[len(o.Calls)]
}

// f1 is the harmonic mean of pairs as a share of the calls that were made and of those
// that were wanted.
func f1(pairs int, o *Outcome, calls []Call) float64 {
	if n := len(o.Calls) + len(calls); n > 0 {
		return 2 * float64(pairs) / float64(n)
	}
	return 0
}

// matching compares without order, by as many pairs as there can be.
func matching(o *Outcome, calls []Call, order Order) Verdict {
	owner := make([]int, len(o.Calls)) // the wanted call that has a made one, plus 1
	var take func(w int, seen []bool) bool
	take = func(w int, seen []bool) bool {
		for m, got := range o.Calls {
			if seen[m] || calls[w].matches(got) != "" {
				continue
			}
			seen[m] = true
			if owner[m] == 0 || take(owner[m]-1, seen) {
				owner[m] = w + 1
				return true
			}
		}
		return false
	}
	pairs, v := 0, verdict(true, "")
	for w, c := range calls {
		if take(w, make([]bool, len(o.Calls))) {
			pairs++
			continue
		}
		if order == Only || !v.Pass {
			continue
		}
		nearest := ""
		for _, got := range o.Calls {
			if got.Name == c.Name {
				nearest = "; " + c.matches(got)
			}
		}
		v = verdict(false, "%s was not called as wanted%s; there were %s", c.Name, nearest, o.trajectory())
	}
	if i := slices.Index(owner, 0); i >= 0 && order != All && v.Pass {
		v = verdict(false, "call %d, %s %s, is not one of those wanted; there were %s", i+1, o.Calls[i].Name, short(string(o.Calls[i].Input)), o.trajectory())
	}
	if !v.Pass {
		v.Score = f1(pairs, o, calls)
	}
	return v
}

// trajectory are the names of the calls.
func (o *Outcome) trajectory() string {
	if len(o.Calls) == 0 {
		return "no calls"
	}
	return strings.Join(o.tools(), ", ")
}

func (o *Outcome) tools() []string {
	names := make([]string, len(o.Calls))
	for i, c := range o.Calls {
		names[i] = c.Name
	}
	return names
}

// Never passes if none of the named tools is called.
func Never(names ...string) Check {
	return simple("never calls "+strings.Join(names, ", "), func(o *Outcome) Verdict {
		for i, c := range o.Calls {
			if slices.Contains(names, c.Name) {
				return verdict(false, "call %d is of %s: %s", i+1, c.Name, short(string(c.Input)))
			}
		}
		return verdict(true, "")
	})
}

// AsksBefore passes if there was at least one call of the tools, and each waited for
// approval.
func AsksBefore(names ...string) Check {
	return simple("asks before "+strings.Join(names, ", "), func(o *Outcome) Verdict {
		n := 0
		for i, c := range o.Calls {
			if !slices.Contains(names, c.Name) {
				continue
			}
			if n++; !c.Asked {
				return verdict(false, "call %d, %s, did not wait for an approval", i+1, c.Name)
			}
		}
		return verdict(n > 0, "none of %s was called; there were %s", strings.Join(names, ", "), o.trajectory())
	})
}

// StepsAtMost passes if the model was called at most n times.
func StepsAtMost(n int) Check {
	return simple(fmt.Sprintf("at most %d steps", n), func(o *Outcome) Verdict {
		return verdict(o.Steps <= n, "it took %d steps: %s", o.Steps, o.trajectory())
	})
}

// CostAtMost passes if the cost of the case is known, and is at most usd.
func CostAtMost(usd float64) Check {
	return simple(fmt.Sprintf("at most $%g", usd), func(o *Outcome) Verdict {
		if o.Bill.Cost.Incomplete {
			return verdict(false, "what it cost is not known: %v; models without a price: %s", o.Bill.Cost, strings.Join(o.Bill.Unpriced, ", "))
		}
		return verdict(o.Bill.Cost.USD <= usd, "it cost %v", o.Bill.Cost)
	})
}

// TokensAtMost passes if prompts and answers together had at most n tokens.
func TokensAtMost(n int64) Check {
	return simple(fmt.Sprintf("at most %d tokens", n), func(o *Outcome) Verdict {
		return verdict(o.Bill.Tokens <= n, "it took %d tokens", o.Bill.Tokens)
	})
}

// CacheReadAtLeast passes if at least share, from 0 to 1, of the prompts' tokens came
// from the cache.
func CacheReadAtLeast(share float64) Check {
	return simple(fmt.Sprintf("at least %g from the cache", share), func(o *Outcome) Verdict {
		return verdict(o.CacheRead >= share, "%.3f of the prompts' tokens came from the cache", o.CacheRead)
	})
}

// FirstTokenWithin passes if the first text came within d. It is meaningful for live
// runs only: a cassette doesn't hold the service's times.
func FirstTokenWithin(d time.Duration) Check {
	return simple(fmt.Sprintf("first text within %v", d), func(o *Outcome) Verdict {
		return verdict(o.FirstToken > 0 && o.FirstToken <= d, "the first text came after %v", o.FirstToken)
	})
}
