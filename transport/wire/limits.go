package wire

import "github.com/whorl-go/whorl/transport/internal/limits"

// MaxBreakpoints is the maximum number of cache_control marks in a request (wire §8.1).
const MaxBreakpoints = limits.Breakpoints

// Limits on the schemas of all strict tools of a request together (wire §11). A single
// schema that reaches one of the last two limits is refused.
const (
	MaxStrictTools    = limits.StrictTools
	MaxStrictOptional = limits.StrictOptional // parameters that aren't required
	MaxStrictUnions   = limits.StrictUnions   // parameters of several types
)
