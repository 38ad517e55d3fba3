// Package wire holds what the packages above transport need of it and programs
// don't: no compatibility is promised here.
package wire

import "github.com/whorl-go/whorl/transport/internal/seam"

// As finds a T in v or behind what wraps it, where S is the interface that all
// of them implement. It asks v itself. Then it follows Unwrap, a method without
// parameters that returns one value. A type without Unwrap that is a struct, or a
// pointer to one, is searched for embedded interfaces: embedding promotes the
// methods of the interface only, and As finds the others. What Unwrap returns and
// what is embedded must be an S.
//
// As doesn't panic: behind a nil value, a nil pointer, an Unwrap that panics, or
// more than 64 wrappers there is nothing.
func As[T, S any](v S) (T, bool) { return seam.As[T](v) }
