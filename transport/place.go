package transport

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// maxIndex is the highest index of a block that a stream may name. Consumers make
// lists by it.
const maxIndex = 1 << 16

// errIndex is an index that nothing can be made of.
var errIndex = errors.New("the index is missing, or is no number from 0 to 65,536")

// An index is what an event says of the position of its block.
type index struct {
	n     int
	told  bool // there is one, perhaps as a string
	wrong bool // it is out of range or no number
}

func parseIndex(v []byte) index {
	if inner := rawjson.Inner(v); inner != nil {
		v = inner
	}
	n, err := strconv.Atoi(string(v))
	if err != nil {
		// Some gateways write 1.0.
		f, floatErr := strconv.ParseFloat(string(v), 64)
		if n = int(f); floatErr != nil || f != float64(n) {
			return index{told: true, wrong: true}
		}
	}
	return index{n: n, told: true, wrong: n < 0 || n > maxIndex}
}

// placeOf is the position that a new block gets: its index, if that is free, else
// the next one. The service itself has numbered a text like the result of the
// search in front of it, and some gateways number all blocks alike or not at all.
func (a *assembler) placeOf(i index) (int, error) {
	switch {
	case i.wrong:
		return 0, errIndex
	case !i.told || a.taken(i.n):
		return a.next, nil
	}
	return i.n, nil
}

// taken reports whether a block has the position already.
func (a *assembler) taken(place int) bool {
	for i := range a.open {
		if o := &a.open[i]; !o.start.IsZero() && o.place == place {
			return true
		}
	}
	for i := len(a.done) - 1; i >= 0; i-- {
		if a.done[i].place == place {
			return true
		}
	}
	return false
}

// find is the open block that an event is about: the one that came with its index
// last, or the only one if the event names none. It is nil if there is none.
func (a *assembler) find(i index) *openBlock {
	var found *openBlock
	for j := range a.open {
		o := &a.open[j]
		switch {
		case o.start.IsZero() || o.stray:
		case i.told && o.index != i.n:
		case found != nil && !i.told:
			return nil // one of several
		case found == nil || o.place > found.place:
			found = o
		}
	}
	return found
}

// strayOf is the open block that takes what came for o but is of the other kind.
func (a *assembler) strayOf(o *openBlock) *openBlock {
	for i := range a.open {
		if s := &a.open[i]; !s.start.IsZero() && s.stray && s.index == o.index {
			return s
		}
	}
	return nil
}

// unplaced is the error of an event whose block isn't there.
func unplaced(event EventType, i index) error {
	switch {
	case i.wrong:
		return fmt.Errorf("%s: %w", event, errIndex)
	case !i.told:
		return fmt.Errorf("%s without an index, and not exactly one block is open", event)
	}
	return fmt.Errorf("%s: no block %d is open", event, i.n)
}
