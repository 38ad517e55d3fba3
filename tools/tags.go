package tools

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"
)

// A keyword is one entry of a `jsonschema:"…"` tag.
type keyword struct{ name, value string }

// Keywords that invopop/jsonschema reads in a tag, by the schema type they work on.
var (
	anyKeywords     = []string{"title", "description", "type", "anchor", "oneof_required", "anyof_required", "oneof_ref", "oneof_type", "anyof_ref", "anyof_type"}
	stringKeywords  = []string{"minLength", "maxLength", "pattern", "format", "readOnly", "writeOnly", "default", "example", "enum"}
	numberKeywords  = []string{"multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "default", "example", "enum"}
	booleanKeywords = []string{"default"}
	arrayKeywords   = []string{"minItems", "maxItems", "uniqueItems", "default"}
)

// fieldTags is what the tags of a struct field say of its schema.
type fieldTags struct {
	ignored, required, nullable bool
	description                 string
	keywords                    []keyword // for the property
	items                       []keyword // for the elements of an array
	extras                      string
}

// readTags reads the tags of a field whose schema so far is s. It takes them as
// users of invopop/jsonschema write them, but doesn't end a description at its
// first comma, and reports what invopop passes over in silence: a keyword that
// is misspelt, that doesn't fit the type, or whose value isn't of its kind.
func readTags(tag reflect.StructTag, s *jsonschema.Schema) (fieldTags, error) {
	t := fieldTags{extras: tag.Get("jsonschema_extras")}
	text := tag.Get("jsonschema")
	if text == "-" {
		t.ignored = true
		return t, nil
	}
	entries := splitTag(text)
	typ := s.Type
	for _, e := range entries {
		if name, value, ok := strings.Cut(e, "="); ok && name == "type" {
			typ = value
		}
	}
	for _, e := range entries {
		name, value, hasValue := strings.Cut(e, "=")
		switch {
		case e == "":
		case e == "required":
			t.required = true
		case e == "nullable":
			t.nullable = true
		case e == "uniqueItems":
			t.keywords = append(t.keywords, keyword{"uniqueItems", "true"})
		case !hasValue:
			return t, fmt.Errorf(`unknown word %q in the jsonschema tag; write a description as jsonschema_description:"…"%s`, e, suggest(name, allKeywords()))
		case name == "description":
			t.description = value
		default:
			onItems, err := checkKeyword(name, value, typ, s)
			if err != nil {
				return t, err
			}
			if onItems {
				t.items = append(t.items, keyword{name, value})
			} else {
				t.keywords = append(t.keywords, keyword{name, value})
			}
		}
	}
	for _, name := range []string{"jsonschema_description", "description"} {
		if d := tag.Get(name); d != "" {
			t.description = d
		}
	}
	return t, nil
}

// splitTag splits at the commas that stand in front of another entry. Those in
// a description, or behind a backslash, are text.
func splitTag(text string) []string {
	if text == "" {
		return nil
	}
	var entries []string
	for _, piece := range strings.Split(text, ",") {
		if n := len(entries); n > 0 {
			last := entries[n-1]
			if strings.HasSuffix(last, `\`) {
				entries[n-1] = last[:len(last)-1] + "," + piece
				continue
			}
			prose := strings.HasPrefix(last, "description=") || strings.HasPrefix(last, "title=")
			if prose && !isEntry(piece) {
				entries[n-1] = last + "," + piece
				continue
			}
		}
		entries = append(entries, piece)
	}
	return entries
}

func isEntry(piece string) bool {
	name, _, hasValue := strings.Cut(piece, "=")
	if !hasValue {
		return piece == "required" || piece == "nullable"
	}
	return slices.Contains(allKeywords(), name)
}

func allKeywords() []string {
	return slices.Concat(anyKeywords, stringKeywords, numberKeywords, arrayKeywords)
}

// checkKeyword reports whether a keyword fits a schema of type typ, and if it
// is meant for the elements of an array.
func checkKeyword(name, value, typ string, s *jsonschema.Schema) (onItems bool, err error) {
	if slices.Contains(anyKeywords, name) {
		return false, nil
	}
	fits := func(typ string) bool {
		switch typ {
		case "string":
			return slices.Contains(stringKeywords, name)
		case "integer", "number":
			return slices.Contains(numberKeywords, name)
		case "boolean":
			return slices.Contains(booleanKeywords, name)
		}
		return false
	}
	switch {
	case typ == "array" && slices.Contains(arrayKeywords, name):
	case typ == "array" && s.Items != nil && fits(s.Items.Type):
		onItems, typ = true, s.Items.Type
	case !fits(typ):
		if !slices.Contains(allKeywords(), name) {
			return false, fmt.Errorf("unknown keyword %q in the jsonschema tag%s", name, suggest(name, allKeywords()))
		}
		if typ == "" {
			typ = "any"
		}
		return false, fmt.Errorf("keyword %q in the jsonschema tag does nothing on a schema of type %s", name, typ)
	}
	if err := checkValue(name, value, typ); err != nil {
		return false, fmt.Errorf("%s=%s in the jsonschema tag: %w", name, value, err)
	}
	return onItems, nil
}

func checkValue(name, value, typ string) error {
	switch name {
	case "minLength", "maxLength", "minItems", "maxItems":
		if _, err := strconv.ParseUint(value, 10, 63); err != nil {
			return errors.New("not a whole number")
		}
	case "readOnly", "writeOnly", "uniqueItems":
		if value != "true" {
			return errors.New(`the only value is "true"`)
		}
	case "pattern":
		_, err := regexp.Compile(value)
		return err
	case "format":
	default:
		switch typ {
		case "integer":
			if !isNumber(value) || strings.ContainsAny(value, ".eE") {
				return errors.New("not an integer")
			}
		case "number":
			if !isNumber(value) {
				return errors.New("not a number")
			}
		case "boolean":
			if value != "true" && value != "false" {
				return errors.New("neither true nor false")
			}
		}
	}
	return nil
}

// tagFor writes keywords as a struct tag for invopop/jsonschema to read.
func tagFor(name string, keywords []keyword, extras string) reflect.StructTag {
	var b strings.Builder
	for _, k := range keywords {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(k.name + "=" + strings.ReplaceAll(k.value, ",", `\,`))
	}
	tag := `json:` + strconv.Quote(name) + ` jsonschema:` + strconv.Quote(b.String())
	if extras != "" {
		tag += ` jsonschema_extras:` + strconv.Quote(extras)
	}
	return reflect.StructTag(tag)
}
