package dialect

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// references drops the references that lead nowhere: to another document, to
// what is not there, or round in a circle. What stands beside one stays.
func (t *translator) references(root []byte) []byte {
	id := strings.TrimSuffix(rawjson.GetString(root, "$id"), "#")
	return t.relink(root, "#", func(ref string) (string, string) {
		address, fragment, _ := strings.Cut(ref, "#")
		if address != "" && address == id {
			ref = "#" + fragment
		} else if place, ok := t.ids[address]; ok && address != "" && (fragment == "" || fragment[0] == '/') {
			ref = place + fragment
		}
		local := ref
		seen := map[string]bool{}
		for {
			if seen[ref] || len(seen) > 50 {
				return "", "leads round in a circle"
			}
			seen[ref] = true
			target, ok := t.target(root, ref)
			if !ok {
				return "", "leads nowhere; a schema may refer to its own $defs only"
			}
			next := rawjson.GetString(target, "$ref")
			if next == "" {
				return local, ""
			}
			ref = next
		}
	})
}

// target finds the schema that a reference leads to.
func (t *translator) target(root []byte, ref string) ([]byte, bool) {
	fragment, ok := strings.CutPrefix(ref, "#")
	switch {
	case !ok:
		return nil, false
	case fragment == "":
		return root, true
	case fragment[0] != '/':
		return findAnchor(root, fragment)
	}
	if u, err := url.PathUnescape(fragment); err == nil {
		fragment = u
	}
	at := root
	for token := range strings.SplitSeq(fragment[1:], "/") {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch {
		case len(at) > 0 && at[0] == '{':
			at = rawjson.Get(at, token)
		case len(at) > 0 && at[0] == '[':
			i, err := strconv.Atoi(token)
			if err != nil {
				return nil, false
			}
			all := slices.Collect(rawjson.Elements(at))
			if i < 0 || i >= len(all) {
				return nil, false
			}
			at = all[i]
		default:
			return nil, false
		}
	}
	return at, len(at) > 0 && (at[0] == '{' || at[0] == 't' || at[0] == 'f')
}

func findAnchor(raw []byte, name string) ([]byte, bool) {
	if len(raw) == 0 {
		return nil, false
	}
	if raw[0] == '{' && (rawjson.GetString(raw, "$anchor") == name || rawjson.GetString(raw, "$dynamicAnchor") == name) {
		return raw, true
	}
	for _, v := range rawjson.Members(raw) {
		if found, ok := findAnchor(v, name); ok {
			return found, true
		}
	}
	for v := range rawjson.Elements(raw) {
		if found, ok := findAnchor(v, name); ok {
			return found, true
		}
	}
	return nil, false
}

// relink asks right for each reference below raw, and drops those with which
// something is wrong.
func (t *translator) relink(raw []byte, path string, right func(ref string) (is, wrong string)) []byte {
	return walk(raw, path, func(o *object, path string) {
		for _, key := range []string{"$ref", "$dynamicRef"} {
			if v := o.get(key); v != nil {
				is, wrong := right(rawjson.Unquote(v))
				if wrong != "" {
					t.mistake(path, key, wrong+": "+short(v))
					o.drop(key)
				} else if is != rawjson.Unquote(v) {
					t.change(path, key, short(v)+" became "+is)
					o.set(key, rawjson.AppendString(nil, is))
				}
			}
		}
	})
}

// walk calls visit for each schema in raw, parts first, and writes what it
// changes.
func walk(raw []byte, path string, visit func(o *object, path string)) []byte {
	if len(raw) == 0 || raw[0] != '{' {
		return raw
	}
	o := parse(raw)
	for _, m := range slices.Clone(o.members) {
		switch {
		case slices.Contains(oneSchema, m.key):
			o.set(m.key, walk(m.value, at(path, m.key), visit))
		case slices.Contains(namedSchemas, m.key) && m.value[0] == '{':
			inner := parse(m.value)
			for _, sub := range slices.Clone(inner.members) {
				inner.set(sub.key, walk(sub.value, at(at(path, m.key), sub.key), visit))
			}
			o.set(m.key, inner.bytes(m.value))
		case slices.Contains(listSchemas, m.key) && m.value[0] == '[':
			out, n, changed := []byte{'['}, 0, false
			for e := range rawjson.Elements(m.value) {
				sub := walk(e, at(at(path, m.key), strconv.Itoa(n)), visit)
				changed = changed || string(sub) != string(e)
				if n++; n > 1 {
					out = append(out, ',')
				}
				out = append(out, sub...)
			}
			if changed {
				o.set(m.key, append(out, ']'))
			}
		}
	}
	visit(o, path)
	return o.bytes(raw)
}
