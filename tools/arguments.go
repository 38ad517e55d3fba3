package tools

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"

	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/whorl-go/whorl/tools/internal/dialect"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// An ArgumentError describes how a call's arguments don't fit the tool's schema.
// Its text is for the model: each problem has a path, what was expected there, and,
// for an unknown name, the nearest known one.
type ArgumentError struct {
	Tool     string
	Problems []Problem
	NotJSON  bool // the model wrote text that is no JSON object, all of which arrived
}

// A Problem is one place where arguments don't fit.
type Problem struct {
	Path    string // for instance filter.tags[2]; empty for the arguments as a whole
	Message string
}

// Error lists the problems, at most 10 of them.
func (e *ArgumentError) Error() string {
	const most = 10
	var b strings.Builder
	what := "don't match the schema of tool"
	if e.NotJSON {
		what = "are not a JSON object, as they must be for tool"
	}
	fmt.Fprintf(&b, "the arguments %s %q, which was not run:", what, e.Tool)
	for i, p := range e.Problems {
		if i == most {
			fmt.Fprintf(&b, "\n- and %d more", len(e.Problems)-most)
			break
		}
		b.WriteString("\n- ")
		if p.Path != "" {
			b.WriteString(p.Path + ": ")
		}
		b.WriteString(p.Message)
	}
	return b.String()
}

// An inputSchema checks arguments. It is compiled once.
type inputSchema struct {
	raw      json.RawMessage
	document any                               // raw, decoded
	compiled func() (*validator.Schema, error) // at the first call of it
	fast     fastChecker                       // spares most calls the rest
	branches bool                              // several subschemas may apply to one place
}

const schemaURL = "https://tool.invalid/schema"

// noLoader keeps a schema from fetching others.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, errors.New("a tool's schema may refer to its own $defs only")
}

// compileSchema checks what the service demands of an input_schema (wire
// §4.1, §7.6) and prepares the checking of arguments.
func compileSchema(raw json.RawMessage) (*inputSchema, error) {
	if tooDeep(raw) {
		return nil, fmt.Errorf("schema: nested deeper than %d", maxDepth)
	}
	doc, err := decodeExact(raw)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	object, ok := doc.(map[string]any)
	if !ok {
		return nil, errors.New("schema: not a JSON object")
	}
	if object["type"] != "object" {
		return nil, errors.New(`schema: the root must have "type":"object"`)
	}
	if err := noUnion(raw); err != nil {
		return nil, err
	}
	s := &inputSchema{raw: raw, document: doc, branches: hasBranches(doc)}
	return s, s.prepare(true)
}

// compileGiven is compileSchema for a schema that was not reflected. It may be of
// an older draft, and have patterns that Go doesn't know; its formats are
// annotations, as draft 2020-12 has it.
func compileGiven(raw json.RawMessage) (*inputSchema, error) {
	if err := noUnion(raw); err != nil {
		return nil, err
	}
	if typ := rawjson.Get(raw, "type"); typ != nil && string(typ) != `"object"` {
		return nil, errors.New(`schema: the root must have "type":"object"`)
	}
	given, err := dialect.Translate(raw)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	if wrong := given.Mistakes(); len(wrong) > 0 {
		var all []string
		for _, c := range wrong {
			all = append(all, c.String())
		}
		return nil, fmt.Errorf("schema: not valid JSON Schema: %s", strings.Join(all, "; "))
	}
	doc, err := decodeExact(given.Checked)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	s := &inputSchema{raw: given.Sent, document: doc, branches: hasBranches(doc)}
	return s, s.prepare(false)
}

func noUnion(raw []byte) error {
	for _, union := range []string{"oneOf", "anyOf", "allOf"} {
		if rawjson.Get(raw, union) != nil {
			return fmt.Errorf("schema: the service takes no %s at the root; put it inside a property", union)
		}
	}
	return nil
}

// prepare gets the checker ready; that of a simple schema can wait until the tool
// is called, which most tools are not.
func (s *inputSchema) prepare(formats bool) error {
	s.compiled = sync.OnceValues(func() (*validator.Schema, error) { return compile(s.document, "", formats) })
	if isSimple(s.document) {
		s.fast = newFastChecker(s.document)
		return nil
	}
	_, err := s.compiled()
	return err
}

// compile makes the checker of the schema at a pointer such as #/$defs/name, or
// of all of it. formats says that the formats of text are checked, too. It takes
// half a millisecond, most of it for checking the schema itself.
func compile(doc any, pointer string, formats bool) (*validator.Schema, error) {
	c := validator.NewCompiler()
	c.DefaultDraft(validator.Draft2020)
	c.UseLoader(noLoader{})
	if formats {
		c.AssertFormat()
		c.AssertContent()
	}
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	compiled, err := c.Compile(schemaURL + pointer)
	if err != nil {
		return nil, fmt.Errorf("schema: not valid JSON Schema of draft 2020-12: %s", strings.ReplaceAll(err.Error(), schemaURL, ""))
	}
	return compiled, nil
}

// validate checks a decoded value.
func (s *inputSchema) validate(value any) error {
	compiled, err := s.compiled()
	if err != nil {
		return err
	}
	return compiled.Validate(value)
}

// check validates input, and returns the problems.
func (s *inputSchema) check(input json.RawMessage) []Problem {
	if tooDeep(input) {
		return []Problem{{Message: fmt.Sprintf("nested deeper than %d", maxDepth)}}
	}
	if rawjson.Valid(input) && s.fast.accepts(rawjson.Trim(input)) {
		return nil
	}
	value, err := decodeExact(input)
	if err != nil {
		return []Problem{{Message: "not valid JSON: " + err.Error()}}
	}
	if hasHugeNumber(value) {
		return []Problem{hugeNumber(value, "")}
	}
	if path, ok := repeated(input); ok {
		return []Problem{{Path: path, Message: "given more than once"}}
	}
	if s.tooMuchWork(value) {
		return []Problem{{Message: fmt.Sprintf("too big for this tool's schema: checking it would take more than %d steps; send less at once", maxWork)}}
	}
	if err = s.validate(value); err == nil {
		return nil
	}
	var invalid *validator.ValidationError
	if !errors.As(err, &invalid) {
		return []Problem{{Message: err.Error()}}
	}
	var problems []Problem
	for _, e := range leaves(invalid) {
		problems = append(problems, s.explain(e, value)...)
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { // the validator goes through maps
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Message, b.Message))
	})
	return slices.Compact(problems)
}

// decodeExact decodes one JSON value with numbers as they are written.
func decodeExact(raw []byte) (any, error) {
	if rawjson.Valid(raw) {
		return exact(rawjson.Trim(raw)), nil
	}
	// encoding/json says what is wrong.
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

// exact is decodeExact for valid JSON without space around it. It is several
// times as fast as encoding/json, and runs for every tool call.
func exact(raw []byte) any {
	switch raw[0] {
	case '{':
		object := make(map[string]any)
		for key, value := range rawjson.Members(raw) {
			object[key] = exact(value)
		}
		return object
	case '[':
		list := []any{}
		for value := range rawjson.Elements(raw) {
			list = append(list, exact(value))
		}
		return list
	case '"':
		return rawjson.Unquote(raw)
	case 't':
		return true
	case 'f':
		return false
	case 'n':
		return nil
	}
	return json.Number(raw)
}

// leaves collects the errors that say something. Of the branches of a union it
// takes those of the one that fits best.
func leaves(e *validator.ValidationError) []*validator.ValidationError {
	switch e.ErrorKind.(type) {
	case *kind.PropertyNames: // its cause is about the name, and has no place
		return []*validator.ValidationError{e}
	case *kind.AnyOf, *kind.OneOf:
		if best := bestBranch(e); best != nil {
			return best
		}
		return []*validator.ValidationError{e}
	}
	if len(e.Causes) == 0 {
		return []*validator.ValidationError{e}
	}
	var found []*validator.ValidationError
	for _, cause := range e.Causes {
		found = append(found, leaves(cause)...)
	}
	return found
}

// bestBranch is the leaves of the only branch of a union that takes values of the
// type that came, or nil. It looks at each branch once: unions may stand in each
// other many deep.
func bestBranch(union *validator.ValidationError) []*validator.ValidationError {
	var best []*validator.ValidationError
	for _, branch := range union.Causes {
		found := leaves(branch)
		wrongType := slices.ContainsFunc(found, func(e *validator.ValidationError) bool {
			_, isType := e.ErrorKind.(*kind.Type)
			return isType && len(e.InstanceLocation) == len(union.InstanceLocation)
		})
		if wrongType {
			continue
		}
		if best != nil {
			return nil
		}
		best = found
	}
	return best
}

// explain turns one error into problems.
func (s *inputSchema) explain(e *validator.ValidationError, value any) []Problem {
	path, got := locate(value, e.InstanceLocation)
	schema := s.at(e.SchemaURL)
	one := func(format string, args ...any) []Problem {
		return []Problem{{Path: path, Message: fmt.Sprintf(format, args...)}}
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Type:
		return one("expected %s, got %s", strings.Join(k.Want, " or "), describe(got))
	case *kind.Required:
		var problems []Problem
		properties, _ := schema["properties"].(map[string]any)
		for _, name := range k.Missing {
			problems = append(problems, Problem{joinPath(path, name), "missing" + expectation(properties[name])})
		}
		return problems
	case *kind.AdditionalProperties:
		properties, _ := schema["properties"].(map[string]any)
		known := sortedKeys(properties)
		slices.Sort(k.Properties)
		var problems []Problem
		for _, name := range k.Properties {
			message := "unknown field " + quoteName(name) + suggest(name, known)
			if !strings.Contains(message, "did you mean") {
				message += "; the fields are " + list(known)
			}
			problems = append(problems, Problem{path, message})
		}
		return problems
	case *kind.PropertyNames:
		message := "the name " + quoteName(k.Property) + " is not one that fits here"
		if want, ok := schema["pattern"].(string); ok {
			message = fmt.Sprintf("expected names that match %s, got %s", want, quoteName(k.Property))
		}
		var problems []Problem
		for _, place := range placesOf(k.Property, e, value) {
			path, _ := locate(value, place)
			problems = append(problems, Problem{path, message})
		}
		return problems
	case *kind.Enum:
		return one("expected one of %s, got %s", jsonList(k.Want), describe(got)+suggestValue(got, k.Want))
	case *kind.Const:
		return one("expected %s, got %s", brief(k.Want), describe(got))
	case *kind.Pattern:
		return one("expected text that matches %s, got %s", k.Want, describe(got))
	case *kind.Format:
		return one("expected a %s, got %s", formatName(k.Want), describe(got))
	case *kind.ContentEncoding:
		return one("expected %s text: %v", k.Want, k.Err)
	case *kind.Minimum:
		return one("expected at least %s, got %s", number(k.Want), describe(got))
	case *kind.Maximum:
		return one("expected at most %s, got %s", number(k.Want), describe(got))
	case *kind.ExclusiveMinimum:
		return one("expected more than %s, got %s", number(k.Want), describe(got))
	case *kind.ExclusiveMaximum:
		return one("expected less than %s, got %s", number(k.Want), describe(got))
	case *kind.MultipleOf:
		return one("expected a multiple of %s, got %s", number(k.Want), describe(got))
	case *kind.MinItems:
		return one("expected at least %d items, got %d", k.Want, k.Got)
	case *kind.MaxItems:
		return one("expected at most %d items, got %d", k.Want, k.Got)
	case *kind.MinLength:
		return one("expected at least %d characters, got %d", k.Want, k.Got)
	case *kind.MaxLength:
		return one("expected at most %d characters, got %d", k.Want, k.Got)
	case *kind.AnyOf, *kind.OneOf:
		return one("fits none of the allowed forms%s, got %s", expectation(schema), describe(got))
	}
	return one("%s", e.ErrorKind.LocalizedString(printer))
}

// at returns the subschema at a location in the schema.
func (s *inputSchema) at(url string) map[string]any {
	_, pointer, _ := strings.Cut(url, "#")
	node := s.document
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if token == "" {
			break
		}
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(unescapePercent(token))
		switch n := node.(type) {
		case map[string]any:
			node = n[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i >= len(n) || i < 0 {
				return nil
			}
			node = n[i]
		default:
			return nil
		}
	}
	object, _ := node.(map[string]any)
	return object
}

// locate writes the path of a place in value, and returns what stands there.
func locate(value any, location []string) (path string, at any) {
	for _, token := range location {
		switch v := value.(type) {
		case []any:
			path += "[" + token + "]"
			if i, err := strconv.Atoi(token); err == nil && i < len(v) {
				value = v[i]
			}
		case map[string]any:
			path = joinPath(path, shorten(token))
			value = v[token]
		}
	}
	return path, value
}

func number(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	return strings.TrimRight(r.FloatString(12), "0")
}

func formatName(format string) string {
	if format == "date-time" {
		return "date-time such as 2026-01-31T12:00:00Z"
	}
	return format
}

func suggestValue(got any, want []any) string {
	text, ok := got.(string)
	if !ok {
		return ""
	}
	var names []string
	for _, w := range want {
		if s, ok := w.(string); ok {
			names = append(names, s)
		}
	}
	return suggest(text, names)
}

// describe tells what came, briefly.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return "the string " + brief(v)
	case bool, json.Number:
		return fmt.Sprint(v)
	case []any:
		return fmt.Sprintf("an array of %d", len(v))
	}
	return "an object"
}

// brief is v as JSON, shortened.
func brief(v any) string {
	raw, err := rawjson.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return shorten(string(raw))
}
