// Package wire has what other packages of this module need of transport and programs
// don't. Its API may change without notice.
package wire

import "github.com/whorl-go/whorl/transport/internal/seam"

// As finds a T in v or in the values that it wraps, all of which implement the
// interface S. It tries v itself first. Then it follows Unwrap, a method without
// parameters that returns one value. If a type has no Unwrap and is a struct, or a
// pointer to one, As looks into its embedded interfaces: embedding promotes only the
// methods of the interface, and As finds the others. The result of Unwrap and the
// embedded value must be an S.
//
// As doesn't panic. It returns false if it meets a nil value, a nil pointer, an Unwrap
// that panics, or more than 64 wrappers.
func As[T, S any](v S) (T, bool) { return seam.As[T](v) }
