package script

import (
	"errors"
	"fmt"
	"strings"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

const (
	sizeOfValue = 16      // bytes of an element of a list
	sizeOfEntry = 100     // bytes of an entry of a dict or a set
	maxBits     = 1 << 16 // of a number
	maxDepth    = 200     // of values in values
	bytesOfStep = 64      // bytes that are read in the time of a step
)

// A meter holds what a program has used of its memory. Its methods tell what an
// operation is about to build or to read, and fail if it may not.
type meter struct {
	max, used int
}

// grow takes n bytes for what is about to be built.
func (m *meter) grow(thread *starlark.Thread, n int) error {
	if n < 0 || n > m.max-m.used {
		return fmt.Errorf("the program builds more than %d bytes; work on less at a time, and keep what you need", m.max)
	}
	m.used += n
	read(thread, n)
	return nil
}

// read counts n bytes that are looked at as steps.
func read(thread *starlark.Thread, n int) { thread.Steps += uint64(n) / bytesOfStep }

// weigh returns the bytes that v takes when it is written out, with all that it
// holds, however often it holds it. It fails for more than limit, and for values that
// are nested too deep or hold themselves.
func weigh(thread *starlark.Thread, v starlark.Value, limit int) (int, error) {
	w := weigher{left: limit}
	w.add(v, 0)
	n := limit - w.left
	read(thread, n)
	switch {
	case w.deep:
		return 0, fmt.Errorf("a value is nested deeper than %d, or holds itself", maxDepth)
	case w.left < 0:
		return 0, fmt.Errorf("a value is larger than %d bytes when it is written out", limit)
	}
	return n, nil
}

type weigher struct {
	left int
	deep bool
}

func (w *weigher) add(v starlark.Value, depth int) {
	if w.left -= sizeOfValue; w.left < 0 || w.deep {
		return
	}
	if depth > maxDepth {
		w.deep = true
		return
	}
	switch v := v.(type) {
	case starlark.String:
		w.left -= len(v)
	case starlark.Bytes:
		w.left -= len(v)
	case starlark.Int:
		w.left -= bits(v) / 3
	case starlark.Tuple:
		for _, e := range v {
			if w.add(e, depth+1); w.left < 0 || w.deep {
				return
			}
		}
	case *starlark.List:
		for i := range v.Len() {
			if w.add(v.Index(i), depth+1); w.left < 0 || w.deep {
				return
			}
		}
	case *starlark.Dict:
		for k, e := range v.Entries() {
			w.add(k, depth+1)
			if w.add(e, depth+1); w.left < 0 || w.deep {
				return
			}
		}
	case *starlark.Set:
		for e := range v.Elements() {
			if w.add(e, depth+1); w.left < 0 || w.deep {
				return
			}
		}
	case starlark.Iterable: // a range, the letters of a text
		w.left -= sizeOfValue * length(v, w.left)
	}
}

func bits(i starlark.Int) int {
	if _, small := i.Int64(); small {
		return 64
	}
	return i.BigInt().BitLen()
}

// size is what v itself takes, without what it holds.
func size(v starlark.Value) int {
	switch v := v.(type) {
	case starlark.String:
		return len(v)
	case starlark.Bytes:
		return len(v)
	case starlark.Int:
		return bits(v) / 8
	case starlark.Tuple:
		return sizeOfValue * len(v)
	case *starlark.List:
		return sizeOfValue * v.Len()
	case *starlark.Dict:
		return sizeOfEntry * v.Len()
	case *starlark.Set:
		return sizeOfEntry * v.Len()
	}
	return sizeOfValue
}

// length is the number of elements that v yields, up to limit.
func length(v starlark.Value, limit int) int {
	if s, ok := v.(interface{ Len() int }); ok {
		return min(s.Len(), limit)
	}
	it, ok := v.(starlark.Iterable)
	if !ok {
		return 0
	}
	n := 0
	for range starlark.Elements(it) {
		if n++; n >= limit {
			break
		}
	}
	return n
}

// times is a*b, or the largest int if that is too large.
func times(a, b int) int {
	if a > 0 && b > 0 && a > int(^uint(0)>>1)/b {
		return int(^uint(0) >> 1)
	}
	return a * b
}

var errNumber = fmt.Errorf("a number has more than %d bits", maxBits)

// binary is what operators do.
func (m *meter) binary(thread *starlark.Thread, op syntax.Token, x, y starlark.Value) (starlark.Value, error) {
	switch op {
	case syntax.EQL, syntax.NEQ, syntax.LT, syntax.GT, syntax.LE, syntax.GE:
		if err := m.compares(thread, x, y); err != nil {
			return nil, err
		}
		ok, err := starlark.Compare(op, x, y)
		return starlark.Bool(ok), err
	case syntax.IN, syntax.NOT_IN:
		if err := m.contains(thread, x, y); err != nil {
			return nil, err
		}
		return starlark.Binary(op, x, y)
	}
	n := size(x) + size(y)
	switch op {
	case syntax.STAR:
		a, isInt := x.(starlark.Int)
		b, both := y.(starlark.Int)
		switch {
		case isInt && both && bits(a)+bits(b) > maxBits+128:
			return nil, errNumber
		case isInt && !both:
			n = repeated(y, a)
		case both && !isInt:
			n = repeated(x, b)
		}
	case syntax.PERCENT:
		if format, ok := x.(starlark.String); ok {
			w, err := weigh(thread, y, m.max)
			if err != nil {
				return nil, err
			}
			n = len(format) + times(strings.Count(string(format), "%"), w)
		}
	}
	if err := m.grow(thread, n); err != nil {
		return nil, err
	}
	z, err := starlark.Binary(op, x, y)
	if i, ok := z.(starlark.Int); ok && bits(i) > maxBits {
		return nil, errNumber
	}
	return z, err
}

// repeated is the size of a sequence n times over.
func repeated(seq starlark.Value, n starlark.Int) int {
	k, ok := n.Int64()
	if !ok || k > 1<<40 {
		return int(^uint(0) >> 1)
	}
	return times(size(seq), int(max(k, 0)))
}

// compares tells the meter of a comparison. Values of different types, and plain
// ones, are compared at once.
func (m *meter) compares(thread *starlark.Thread, x, y starlark.Value) error {
	if x.Type() != y.Type() {
		return nil
	}
	switch x := x.(type) {
	case starlark.String:
		read(thread, min(len(x), len(y.(starlark.String))))
		return nil
	case *starlark.List, starlark.Tuple, *starlark.Dict, *starlark.Set:
		if _, err := weigh(thread, x, m.max); err != nil {
			return err
		}
		_, err := weigh(thread, y, m.max)
		return err
	}
	return nil
}

// contains tells the meter of "x in y".
func (m *meter) contains(thread *starlark.Thread, x, y starlark.Value) error {
	switch y := y.(type) {
	case starlark.String, starlark.Bytes:
		read(thread, size(y))
		return nil
	case *starlark.List, starlark.Tuple:
		if _, err := weigh(thread, y, m.max); err != nil {
			return err
		}
	}
	return m.key(thread, x)
}

// key tells the meter that v is hashed or looked for.
func (m *meter) key(thread *starlark.Thread, v starlark.Value) error {
	switch v := v.(type) {
	case starlark.String:
		read(thread, len(v))
	case starlark.Tuple, *starlark.List, *starlark.Dict, *starlark.Set:
		_, err := weigh(thread, v, m.max)
		return err
	}
	return nil
}

// assign is "x op= y". A list is extended, not copied.
func (m *meter) assign(thread *starlark.Thread, op syntax.Token, x, y starlark.Value) (starlark.Value, error) {
	switch x := x.(type) {
	case *starlark.List:
		it, ok := y.(starlark.Iterable)
		if op != syntax.PLUS || !ok {
			break
		}
		if err := m.grow(thread, sizeOfValue*length(y, m.max)); err != nil {
			return nil, err
		}
		var list []starlark.Value // y may be x
		for v := range starlark.Elements(it) {
			list = append(list, v)
		}
		for _, v := range list {
			if err := x.Append(v); err != nil {
				return nil, err
			}
		}
		return x, nil
	case *starlark.Dict:
		other, ok := y.(*starlark.Dict)
		if op != syntax.PIPE || !ok {
			break
		}
		if err := m.grow(thread, size(other)); err != nil {
			return nil, err
		}
		for _, kv := range other.Items() {
			if err := x.SetKey(kv[0], kv[1]); err != nil {
				return nil, err
			}
		}
		return x, nil
	}
	return m.binary(thread, op, x, y)
}

// assignAt is "x[i] op= y".
func (m *meter) assignAt(thread *starlark.Thread, op syntax.Token, x, i, y starlark.Value) error {
	if err := m.key(thread, i); err != nil {
		return err
	}
	switch x := x.(type) {
	case *starlark.Dict:
		old, found, err := x.Get(i)
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("key %v not in dict", i)
		}
		z, err := m.assign(thread, op, old, y)
		if err != nil {
			return err
		}
		return x.SetKey(i, z)
	case *starlark.List:
		at, err := starlark.AsInt32(i)
		if err != nil {
			return fmt.Errorf("list index: %w", err)
		}
		if at < 0 {
			at += x.Len()
		}
		if at < 0 || at >= x.Len() {
			return fmt.Errorf("list index %v out of range: the list has %d elements", i, x.Len())
		}
		z, err := m.assign(thread, op, x.Index(at), y)
		if err != nil {
			return err
		}
		return x.SetIndex(at, z)
	}
	return errors.New(x.Type() + " value does not support item assignment")
}
