// Package limits holds bounds of the service that several packages keep to.
package limits

// Breakpoints is the most cache_control marks that a request may have (wire
// §8.1).
const Breakpoints = 4

// What the service compiles into a grammar for one request (wire §11). One
// schema that uses them up alone is refused as too complex.
const (
	StrictTools    = 20
	StrictOptional = 24 // parameters that aren't required, of all strict tools
	StrictUnions   = 16 // parameters of several types, likewise
)
