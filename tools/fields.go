package tools

import (
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// A field is a member of a JSON object as encoding/json sees a struct: fields of
// embedded structs included, hidden and ignored ones left out.
type field struct {
	reflect.StructField
	name     string // in JSON
	tagged   bool   // the name stands in a tag
	quoted   bool   // the tag has the option "string", and the type is one it works on
	optional bool   // omitempty, omitzero or a pointer: the model may leave it out
	owner    reflect.Type
	index    []int
	through  reflect.Type // the unexported struct that it is embedded in by pointer, which encoding/json can't allocate
}

// visibleFields lists the fields of struct t that encoding/json decodes, in the
// order in which it encodes them. The rules are those of encoding/json: of
// several fields with one name the least nested wins, among those the tagged
// one, and if that decides nothing none is used.
func visibleFields(t reflect.Type) []field {
	type level struct {
		typ      reflect.Type
		index    []int
		optional bool
		through  reflect.Type
	}
	var found []field
	visited := map[reflect.Type]bool{}
	for next := []level{{typ: t}}; len(next) > 0; {
		current := next
		next = nil
		count := map[reflect.Type]int{}
		for _, l := range current {
			count[l.typ]++
		}
		for _, l := range current {
			if visited[l.typ] {
				continue
			}
			visited[l.typ] = true
			for i := range l.typ.NumField() {
				sf := l.typ.Field(i)
				index := append(slices.Clone(l.index), i)
				f, embedded := jsonField(sf)
				if embedded != nil {
					sub := level{embedded, index, l.optional, l.through}
					if sf.Type.Kind() == reflect.Pointer {
						sub.optional = true
						if !sf.IsExported() {
							sub.through = embedded
						}
					}
					next = append(next, sub)
					continue
				}
				if f.name == "" {
					continue
				}
				f.owner, f.index, f.through = l.typ, index, l.through
				f.optional = f.optional || l.optional
				found = append(found, f)
				if count[l.typ] > 1 {
					found = append(found, f) // embedded twice at this depth: the two hide each other
				}
			}
		}
	}
	return dominant(found)
}

// jsonField reads what encoding/json makes of one struct field: a member, an
// embedded struct to descend into, or (both zero) nothing.
func jsonField(sf reflect.StructField) (f field, embedded reflect.Type) {
	typ := sf.Type
	if typ.Name() == "" && typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if sf.Anonymous {
		if !sf.IsExported() && typ.Kind() != reflect.Struct {
			return f, nil
		}
	} else if !sf.IsExported() {
		return f, nil
	}
	tag := sf.Tag.Get("json")
	if tag == "-" {
		return f, nil
	}
	name, options, _ := strings.Cut(tag, ",")
	if !validName(name) {
		name = ""
	}
	if name == "" && sf.Anonymous && typ.Kind() == reflect.Struct {
		return f, typ
	}
	f = field{StructField: sf, name: name, tagged: name != ""}
	if name == "" {
		f.name = sf.Name
	}
	f.optional = sf.Type.Kind() == reflect.Pointer
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitempty", "omitzero":
			f.optional = true
		case "string":
			switch typ.Kind() {
			case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
				reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
				reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
				f.quoted = true
			}
		}
	}
	return f, nil
}

// dominant keeps of the fields of one name the one that encoding/json uses.
func dominant(found []field) []field {
	byName := map[string][]field{}
	for _, f := range found {
		byName[f.name] = append(byName[f.name], f)
	}
	var kept []field
	for _, same := range byName {
		slices.SortStableFunc(same, func(a, b field) int {
			if d := len(a.index) - len(b.index); d != 0 {
				return d
			}
			switch {
			case a.tagged == b.tagged:
				return 0
			case a.tagged:
				return -1
			}
			return 1
		})
		if len(same) > 1 && len(same[0].index) == len(same[1].index) && same[0].tagged == same[1].tagged {
			continue
		}
		kept = append(kept, same[0])
	}
	slices.SortFunc(kept, func(a, b field) int { return slices.Compare(a.index, b.index) })
	return kept
}

// validName reports whether encoding/json accepts name in a tag.
func validName(name string) bool {
	for _, c := range name {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", c) && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return false
		}
	}
	return name != ""
}
