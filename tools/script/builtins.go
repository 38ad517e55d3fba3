package script

import (
	"slices"
	"strings"

	"go.starlark.net/starlark"
)

// precheck tells the meter what a call of one of the language's own functions and
// methods will build and read, before it does. A function that it doesn't know is
// taken to read its arguments once.
func (m *meter) precheck(thread *starlark.Thread, f *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) error {
	recv := f.Receiver()
	all := args
	for _, kv := range kwargs {
		all = append(all[:len(all):len(all)], kv[1])
	}
	switch f.Name() {
	case "append", "get", "setdefault", "pop", "insert", "add", "discard", "remove", "index", "has_key", "hasattr", "getattr":
		if _, ok := recv.(starlark.String); ok {
			break // a text's index() reads it
		}
		if l, ok := recv.(*starlark.List); ok && (f.Name() == "remove" || f.Name() == "index") {
			if err := m.key(thread, l); err != nil {
				return err
			}
		}
		for _, a := range all {
			if f.Name() == "append" || f.Name() == "insert" {
				break
			}
			if err := m.key(thread, a); err != nil {
				return err
			}
		}
		return m.grow(thread, sizeOfEntry/4)
	case "len", "type", "bool", "range", "dir", "ord", "chr", "abs", "elems", "codepoints", "elem_ords", "codepoint_ords":
		return nil
	case "any", "all", "max", "min", "sorted", "list", "tuple", "reversed", "enumerate", "zip", "extend", "bytes":
		n := 0
		for _, a := range all {
			n += length(a, m.max)
		}
		if err := m.grow(thread, times(n, 3*sizeOfValue)); err != nil {
			return err
		}
		if f.Name() == "sorted" || f.Name() == "max" || f.Name() == "min" {
			for _, a := range all {
				w, err := weigh(thread, a, m.max)
				if err != nil {
					return err
				}
				read(thread, 20*w) // it compares each many times
			}
		}
		return nil
	case "dict", "set", "update", "union", "intersection", "difference", "symmetric_difference", "issubset", "issuperset",
		"items", "keys", "values", "intersection_update", "difference_update", "symmetric_difference_update":
		n := size(recv)
		for _, a := range all {
			if err := m.key(thread, a); err != nil {
				return err
			}
			n += times(length(a, m.max), sizeOfEntry)
		}
		return m.grow(thread, n)
	case "join":
		if len(args) == 1 {
			w, err := weigh(thread, args[0], m.max)
			if err != nil {
				return err
			}
			return m.grow(thread, w+times(length(args[0], m.max), size(recv)))
		}
	case "format":
		w, err := m.weighAll(thread, all)
		if err != nil {
			return err
		}
		format, _ := recv.(starlark.String)
		return m.grow(thread, len(format)+times(strings.Count(string(format), "{"), w))
	case "replace":
		s, _ := recv.(starlark.String)
		if len(args) >= 2 {
			old, _ := args[0].(starlark.String)
			fresh, _ := args[1].(starlark.String)
			n := len(s) + 1
			if old != "" {
				n = strings.Count(string(s), string(old))
			}
			read(thread, len(s))
			return m.grow(thread, len(s)+times(n, len(fresh)))
		}
	case "split", "rsplit", "splitlines":
		s, _ := recv.(starlark.String)
		n := 1 + strings.Count(string(s), " ") + strings.Count(string(s), "\n") + strings.Count(string(s), "\t")
		if len(args) > 0 {
			if sep, ok := args[0].(starlark.String); ok && sep != "" {
				n = 1 + strings.Count(string(s), string(sep))
			}
		}
		read(thread, len(s))
		return m.grow(thread, len(s)+times(n, 2*sizeOfValue))
	case "int":
		if len(args) > 0 {
			if s, ok := args[0].(starlark.String); ok && len(s) > maxBits/4 {
				return errNumber
			}
		}
		return nil
	}
	w, err := m.weighAll(thread, all)
	if err != nil {
		return err
	}
	return m.grow(thread, size(recv)+4*w)
}

func (m *meter) weighAll(thread *starlark.Thread, all starlark.Tuple) (int, error) {
	n := 0
	for _, a := range all {
		w, err := weigh(thread, a, m.max)
		if err != nil {
			return 0, err
		}
		n += w
	}
	return n, nil
}

// metered is f where f is called by the language itself, as the key of sorted is.
func (m *meter) metered(v starlark.Value) starlark.Value {
	f, ok := v.(*starlark.Builtin)
	if !ok || strings.HasPrefix(f.Name(), "$") {
		return v
	}
	return starlark.NewBuiltin(f.Name(), func(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		return m.call(thread, f, args, kwargs)
	})
}

// call calls a function of the program's, of the language's, or a tool.
func (m *meter) call(thread *starlark.Thread, f starlark.Value, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	b, ok := f.(*starlark.Builtin)
	if !ok {
		return starlark.Call(thread, f, args, kwargs)
	}
	if err := m.precheck(thread, b, args, kwargs); err != nil {
		return nil, err
	}
	switch b.Name() {
	case "sorted", "max", "min":
		args, kwargs = slices.Clone(args), slices.Clone(kwargs)
		for i, a := range args {
			args[i] = m.metered(a)
		}
		for i, kv := range kwargs {
			kwargs[i] = starlark.Tuple{kv[0], m.metered(kv[1])}
		}
	}
	return starlark.Call(thread, f, args, kwargs)
}
