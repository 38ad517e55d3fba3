// Package snail models the growth of snails.
package snail

// A Whorl is one turn of a shell. It is laid on the whorls before it and never
// changes once it has been laid.
type Whorl struct {
	// Width is how wide the whorl is at its mouth, in millimetres.
	Width float64
}

// maxWhorls is the most whorls that a shell can have.
const maxWhorls = 7

// Grow lays a whorl on the shell. A shell stops growing when it has maxWhorls
// whorls, or when the snail is starved.
func (s *Shell) Grow(fed bool) bool {
	// A starved snail has no calcium to spare.
	if s.isStarved(fed) {
		return false
	}
	if len(s.whorls) == maxWhorls {
		return false
	}
	s.whorls = append(s.whorls, Whorl{Width: s.mouth()})
	return true
}

func (s *Shell) isStarved(fed bool) bool {
	return !fed && s.calcium < 3
}
