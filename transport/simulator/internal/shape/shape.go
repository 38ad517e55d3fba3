// Package shape checks the shape of request bodies: types, ranges, patterns,
// closed objects, and which beta header unlocks which member. Its tables are
// made from the service's OpenAPI document by the generator next to it; what
// they refuse is worded as the service words it (wire §7.2, §7.3).
package shape

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/whorl-go/whorl/transport/rawjson"
)

//go:generate go run ./generate

// Terms are what the headers of a request say of its body.
type Terms struct {
	Version string                  // anthropic-version
	Beta    func(value string) bool // whether anthropic-beta has the value
}

// Check checks raw, a valid JSON value, against the named object of the tables.
// path is where it stands in the body: "" for the body itself. It returns ""
// or the message of the first thing that is wrong.
func Check(object, path string, raw []byte, terms Terms) string {
	c := checker{terms: terms}
	ref(object).check(&c, path, raw)
	return c.message
}

// CheckMember checks one member of the named object.
func CheckMember(object, name, path string, raw []byte, terms Terms) string {
	c := checker{terms: terms}
	for _, f := range objects[object].fields {
		if f.name == name {
			f.is.check(&c, path, raw)
		}
	}
	return c.message
}

// CheckElement checks one element of a member of the named object that is a list.
func CheckElement(object, name, path string, raw []byte, terms Terms) string {
	c := checker{terms: terms}
	for _, f := range objects[object].fields {
		if l, ok := terms.of(f.is).(list); ok && f.name == name {
			l.of.check(&c, path, raw)
		}
	}
	return c.message
}

// Fields calls see for every member of the named object that the terms admit,
// in the order in which the service checks them.
func Fields(object string, terms Terms, see func(name string, required bool)) {
	for _, f := range objects[object].fields {
		if terms.of(f.is) != nil {
			see(f.name, f.required)
		}
	}
}

// of finds what a shape is for a request of these terms: nil if it has none.
func (t Terms) of(s shape) shape {
	switch s := s.(type) {
	case beta:
		if !s.unlocked(t) {
			return nil
		}
		return t.of(s.is)
	case until:
		if t.Version >= s.version {
			return nil
		}
		return t.of(s.is)
	case changed:
		if t.Version >= s.version {
			return t.of(s.after)
		}
		return t.of(s.before)
	}
	return s
}

// A shape is what a value may look like.
type shape interface {
	// check notes in c what is wrong with the value v at path.
	check(c *checker, path string, v []byte)
	// takes reports whether the shape could be that of v, going by the kind of value.
	takes(v []byte) bool
}

type checker struct {
	terms   Terms
	message string // of the first error
}

func (c *checker) fail(path, format string, args ...any) {
	if c.message == "" {
		c.message = path + ": " + fmt.Sprintf(format, args...)
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// kind is the first byte of a value, which tells what it is.
func kind(v []byte) byte {
	if len(v) == 0 {
		return 'n'
	}
	return v[0]
}

func isNumber(v []byte) bool { k := kind(v); return k == '-' || k >= '0' && k <= '9' }

const mismatch = "Input does not match the expected shape."

type object struct {
	fields []field
	open   bool // other members are allowed
}

type field struct {
	name     string
	is       shape
	required bool
}

func closed(fields ...field) object   { return object{fields: fields} }
func open(fields ...field) object     { return object{fields: fields, open: true} }
func need(name string, s shape) field { return field{name, s, true} }
func may(name string, s shape) field  { return field{name, s, false} }

// ref is a named object of the tables.
type ref string

func (r ref) takes(v []byte) bool { return kind(v) == '{' }

func (r ref) check(c *checker, path string, v []byte) {
	o, ok := objects[string(r)]
	if !ok {
		panic("shape: no object " + string(r)) // a test goes through all of them
	}
	if kind(v) != '{' {
		c.fail(path, mismatch)
		return
	}
	// Members are checked in the table's order, unknown ones last.
	for _, f := range o.fields {
		value := rawjson.Get(v, f.name)
		is := c.terms.of(f.is)
		if is == nil {
			continue // reported as unknown below
		}
		if value == nil {
			if f.required {
				c.fail(join(path, f.name), "Field required")
			}
		} else {
			is.check(c, join(path, f.name), value)
		}
		if c.message != "" {
			return
		}
	}
	if o.open {
		return
	}
	for key := range rawjson.Members(v) {
		if !o.knows(key, c.terms) {
			c.fail(join(path, key), "Extra inputs are not permitted")
			return
		}
	}
}

func (o object) knows(key string, terms Terms) bool {
	for _, f := range o.fields {
		if f.name == key {
			return terms.of(f.is) != nil
		}
	}
	return false
}

// beta is a shape that exists only for requests with one of the header values.
type beta struct {
	values string // separated by spaces
	is     shape
}

func (b beta) unlocked(terms Terms) bool {
	for v := range strings.FieldsSeq(b.values) {
		if terms.Beta(v) {
			return true
		}
	}
	return false
}

func (b beta) takes(v []byte) bool                     { return b.is.takes(v) }
func (b beta) check(c *checker, path string, v []byte) { b.is.check(c, path, v) }

// until is a shape that exists only before a version of the API.
type until struct {
	version string
	is      shape
}

func (s until) takes(v []byte) bool                     { return s.is.takes(v) }
func (s until) check(c *checker, path string, v []byte) { s.is.check(c, path, v) }

// changed is a shape that a version of the API has changed.
type changed struct {
	version       string
	before, after shape
}

func (s changed) takes(v []byte) bool                     { return s.before.takes(v) || s.after.takes(v) }
func (s changed) check(c *checker, path string, v []byte) { c.terms.of(s).check(c, path, v) }

// byRole is a union of messages that their "role" tells apart. The role is no
// part of the paths in refusals, as details.paths shows (wire §1.12).
type byRole []tag

func (s byRole) takes(v []byte) bool { return kind(v) == '{' }

func (s byRole) check(c *checker, path string, v []byte) {
	if kind(v) != '{' {
		c.fail(path, mismatch)
		return
	}
	var roles enum
	role := rawjson.Get(v, "role")
	for _, t := range s {
		if kind(role) == '"' && rawjson.Unquote(role) == t.name {
			t.is.check(c, path, v)
			return
		}
		roles = append(roles, t.name)
	}
	if role == nil {
		c.fail(join(path, "role"), "Field required")
		return
	}
	roles.check(c, join(path, "role"), role)
}

// orNull takes null as well.
type orNull struct{ is shape }

func (s orNull) takes(v []byte) bool { return rawjson.IsNull(v) || s.is.takes(v) }
func (s orNull) check(c *checker, path string, v []byte) {
	if !rawjson.IsNull(v) {
		s.is.check(c, path, v)
	}
}

// str is a string; lengths are in characters, 0 for no limit.
type str struct {
	min, max int
	pattern  string
}

func (s str) takes(v []byte) bool { return kind(v) == '"' }

func (s str) check(c *checker, path string, v []byte) {
	if kind(v) != '"' {
		c.fail(path, "Input should be a valid string")
		return
	}
	if s.min == 0 && s.max == 0 && s.pattern == "" {
		return
	}
	text := rawjson.Unquote(v)
	n := utf8.RuneCountInString(text)
	switch {
	case n < s.min:
		c.fail(path, "String should have at least %s", count(s.min, "character"))
	case s.max > 0 && n > s.max:
		c.fail(path, "String should have at most %s", count(s.max, "character"))
	case s.pattern != "" && !patterns[s.pattern].MatchString(text):
		c.fail(path, "String should match pattern '%s'", s.pattern)
	}
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

// unicodeEscape is how the document spells a character that Go spells \x{2028}.
var unicodeEscape = regexp.MustCompile(`\\u([0-9a-fA-F]{4})`)

// compileAll compiles the patterns of the tables.
func compileAll(list ...string) map[string]*regexp.Regexp {
	m := make(map[string]*regexp.Regexp, len(list))
	for _, p := range list {
		m[p] = regexp.MustCompile(unicodeEscape.ReplaceAllString(p, `\x{$1}`))
	}
	return m
}

// integer and number are numbers within a range: "0..", ">0", "0..1" or "".
type integer string

func (s integer) takes(v []byte) bool { return isNumber(v) }

func (s integer) check(c *checker, path string, v []byte) {
	f, err := strconv.ParseFloat(string(v), 64)
	switch {
	case !isNumber(v) || err != nil:
		c.fail(path, "Input should be a valid integer")
	case f != math.Trunc(f):
		c.fail(path, "Input should be a valid integer, got a number with a fractional part")
	default:
		within(c, path, string(s), f)
	}
}

type number string

func (s number) takes(v []byte) bool { return isNumber(v) }

func (s number) check(c *checker, path string, v []byte) {
	f, err := strconv.ParseFloat(string(v), 64)
	if !isNumber(v) || err != nil {
		c.fail(path, "Input should be a valid number")
		return
	}
	if least, most, ok := strings.Cut(string(s), ".."); ok && least != "" && most != "" {
		if f < parse(least) || f > parse(most) {
			c.fail(path, "range: %s", string(s)) // recorded for temperature
		}
		return
	}
	within(c, path, string(s), f)
}

func parse(s string) float64 {
	f, _ := strconv.ParseFloat(s, 64)
	return f
}

func within(c *checker, path, limits string, f float64) {
	if above, ok := strings.CutPrefix(limits, ">"); ok {
		if f <= parse(above) {
			c.fail(path, "Input should be greater than %s", above)
		}
		return
	}
	least, most, _ := strings.Cut(limits, "..")
	if least != "" && f < parse(least) {
		c.fail(path, "Input should be greater than or equal to %s", least)
	}
	if most != "" && f > parse(most) {
		c.fail(path, "Input should be less than or equal to %s", most)
	}
}

type boolean struct{}

func (boolean) takes(v []byte) bool { return kind(v) == 't' || kind(v) == 'f' }
func (s boolean) check(c *checker, path string, v []byte) {
	if !s.takes(v) {
		c.fail(path, "Input should be a valid boolean")
	}
}

// anything is any JSON value.
type anything struct{}

func (anything) takes([]byte) bool              { return true }
func (anything) check(*checker, string, []byte) {}

// enum is one of some strings. A value followed by "@" and a beta header's
// value needs that.
type enum []string

func is(values ...string) enum { return values }

func (s enum) takes(v []byte) bool { return kind(v) == '"' }

func (s enum) check(c *checker, path string, v []byte) {
	text := rawjson.Unquote(v)
	var names []string
	for _, value := range s {
		name, needs, locked := strings.Cut(value, "@")
		if locked && !c.terms.Beta(needs) {
			continue
		}
		if kind(v) == '"' && name == text {
			return
		}
		names = append(names, "'"+name+"'")
	}
	list := names[0]
	if n := len(names); n > 1 {
		list = strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
	c.fail(path, "Input should be %s", list)
}

// list is an array of at least min and at most max values; 0 for no limit.
type list struct {
	of       shape
	min, max int
}

func (s list) takes(v []byte) bool { return kind(v) == '[' }

func (s list) check(c *checker, path string, v []byte) {
	if kind(v) != '[' {
		c.fail(path, "Input should be a valid list")
		return
	}
	n := 0
	for e := range rawjson.Elements(v) {
		s.of.check(c, join(path, strconv.Itoa(n)), e)
		if c.message != "" {
			return
		}
		n++
	}
	switch {
	case n < s.min:
		c.fail(path, "List should have at least %s after validation, not %d", count(s.min, "item"), n)
	case s.max > 0 && n > s.max:
		c.fail(path, "List should have at most %s after validation, not %d", count(s.max, "item"), n)
	}
}

// dict is an object with any keys.
type dict struct{ of shape }

func (s dict) takes(v []byte) bool { return kind(v) == '{' }

func (s dict) check(c *checker, path string, v []byte) {
	if kind(v) != '{' {
		c.fail(path, "Input should be a valid dictionary")
		return
	}
	for key, value := range rawjson.Members(v) {
		s.of.check(c, join(path, key), value)
		if c.message != "" {
			return
		}
	}
}

// tagged is a union of objects that their "type" tells apart.
type tagged []tag

type tag struct {
	name string
	is   shape
}

func (s tagged) takes(v []byte) bool { return kind(v) == '{' }

func (s tagged) check(c *checker, path string, v []byte) {
	if kind(v) != '{' {
		c.fail(path, mismatch)
		return
	}
	typ := rawjson.Get(v, "type")
	name := rawjson.Unquote(typ)
	if rawjson.IsNull(typ) {
		if !s.has("custom") {
			c.fail(join(path, "type"), "Field required")
			return
		}
		name = "custom"
	}
	var expected []string
	for _, t := range s {
		is := c.terms.of(t.is)
		if is == nil {
			continue
		}
		if t.name == name {
			is.check(c, join(path, name), v)
			return
		}
		if !strings.HasPrefix(t.name, "simulator_") {
			expected = append(expected, "'"+t.name+"'")
		}
	}
	c.fail(path, "Input tag '%s' found using 'type' does not match any of the expected tags: %s", name, strings.Join(expected, ", "))
}

func (s tagged) has(name string) bool {
	for _, t := range s {
		if t.name == name {
			return true
		}
	}
	return false
}

// either is a union that the kind of value tells apart, or, of objects, the
// constant that their "type" must be.
type either []shape

func (s either) takes(v []byte) bool {
	for _, alt := range s {
		if alt.takes(v) {
			return true
		}
	}
	return false
}

func (s either) check(c *checker, path string, v []byte) {
	var fits shape
	for _, alt := range s {
		if !alt.takes(v) {
			continue
		}
		if r, ok := alt.(ref); ok && !r.hasType(rawjson.Get(v, "type")) {
			if fits == nil {
				fits = alt
			}
			continue
		}
		fits = alt
		break
	}
	if fits == nil {
		fits = s[len(s)-1]
	}
	fits.check(c, path, v)
}

// hasType reports whether typ is what the object's "type" must be.
func (r ref) hasType(typ []byte) bool {
	for _, f := range objects[string(r)].fields {
		if e, ok := f.is.(enum); ok && f.name == "type" {
			return bytes.Equal(typ, mustQuote(e[0]))
		}
	}
	return true
}

func mustQuote(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings always encode
	}
	return b
}
