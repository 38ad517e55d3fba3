package wire

import "github.com/whorl-go/whorl/transport/internal/limits"

// MaxBreakpoints is the most cache_control marks that a request may have (wire
// §8.1).
const MaxBreakpoints = limits.Breakpoints

// What the schemas of all strict tools of a request may add up to (wire §11).
// One schema that uses one of the last two up alone is refused.
const (
	MaxStrictTools    = limits.StrictTools
	MaxStrictOptional = limits.StrictOptional // parameters that aren't required
	MaxStrictUnions   = limits.StrictUnions   // parameters of several types
)
