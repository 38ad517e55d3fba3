package simulator

import (
	"slices"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// checkSchemas applies the rules on schemas: rows 90, 91 and 104 to 111 of
// docs/wire.md §7. Tools are checked once per list.
func (r *request) checkSchemas() *Refusal {
	if l := r.tools; l != nil {
		l.once.Do(func() { l.refusal = l.checkSchemas() })
		if l.refusal != nil {
			return l.refusal
		}
	}
	format, path := r.outputConfig.Format, "output_config.format.schema"
	if format == nil {
		return nil
	}
	if !r.has("output_config") || rawjson.IsNull(rawjson.Get(r.fields["output_config"], "format")) {
		path = "output_format.schema"
	}
	c := compiler{path: path}
	c.compile(rawjson.Get(format, "schema"))
	if c.refusal != nil {
		return c.refusal
	}
	return tooComplex(c)
}

func (l *toolList) checkSchemas() *Refusal {
	strict := 0
	var all []compiler
	for i := range l.tools {
		t := &l.tools[i]
		if t.typ != "custom" {
			continue
		}
		schema := rawjson.Get(t.raw, "input_schema")
		if why := checkInputSchema("tools."+strconv.Itoa(i)+".custom", schema); why != nil {
			return why
		}
		if string(rawjson.Get(t.raw, "strict")) != "true" {
			continue
		}
		strict++
		c := compiler{path: "tools." + strconv.Itoa(i) + ".custom"}
		c.compile(schema)
		all = append(all, c)
	}
	if strict > 20 {
		return refuse("Too many strict tools (%d). The maximum number of strict tools supported is 20. Try reducing the number of tools marked as strict.", strict)
	}
	for _, c := range all {
		if c.refusal != nil {
			return c.refusal
		}
	}
	return tooComplex(all...)
}

// checkInputSchema applies the rules on any tool's schema.
func checkInputSchema(path string, schema []byte) *Refusal {
	for key := range rawjson.Members(schema) {
		if key == "oneOf" || key == "allOf" || key == "anyOf" {
			return refuse("%s.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level", path)
		}
	}
	if !validSchema(schema) {
		return refuse("%s.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12 (https://json-schema.org/draft/2020-12). "+
			"Learn more about tool use at https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview.", path)
	}
	return nil
}

// tooComplex applies the limits on what is compiled together.
func tooComplex(all ...compiler) *Refusal {
	optional, unions, worst := 0, 0, false
	for _, c := range all {
		optional += c.optional
		unions += c.unions
		worst = worst || c.optional >= 24 || c.unions >= 16
	}
	switch {
	case optional > 24:
		return refuse("Schemas contains too many optional parameters (%d), which would make grammar compilation inefficient. "+
			"Reduce the number of optional parameters in your tool schemas (limit: 24).", optional)
	case unions > 16:
		return refuse("Schemas contains too many parameters with union types (%d parameters with type arrays or anyOf). This causes exponential compilation cost. "+
			"Reduce the number of nullable or union-typed parameters (limit: 16 parameters with unions).", unions)
	case worst:
		return refuse("Schema is too complex for compilation. Try reducing the number of tools or simplifying tool schemas.")
	}
	return nil
}

// A compiler walks a schema as the service's grammar compiler does.
type compiler struct {
	path             string
	defs             []byte // of the root
	optional, unions int
	refusal          *Refusal
}

func (c *compiler) fail(format string, args ...any) {
	if c.refusal == nil {
		c.refusal = refuse(c.path+": "+format, args...)
	}
}

func (c *compiler) compile(schema []byte) {
	if c.defs = rawjson.Get(schema, "$defs"); c.defs == nil {
		c.defs = rawjson.Get(schema, "definitions")
	}
	c.walk(schema, nil)
}

// formats are those that the compiler knows.
var formats = strings.Fields("date date-time time duration email hostname uri ipv4 ipv6 uuid")

// unsupported are the keywords that the compiler refuses, by the type they are for.
var unsupported = map[string][]string{
	"string":  {"minLength", "maxLength"},
	"integer": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
	"number":  {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
	"array":   {"maxItems", "uniqueItems", "contains", "prefixItems"},
	"object":  {"patternProperties", "propertyNames", "minProperties", "maxProperties", "if", "dependentRequired", "dependentSchemas"},
}

// walk checks one schema; trail is the names of the definitions it is inside of.
func (c *compiler) walk(schema []byte, trail []string) {
	if c.refusal != nil {
		return
	}
	if ref := rawjson.GetString(schema, "$ref"); ref != "" {
		name := ref[strings.LastIndexByte(ref, '/')+1:]
		if i := slices.Index(trail, name); i >= 0 {
			c.fail("Invalid schema: Circular reference detected in schema definitions: %s. "+
				"Self-referencing or mutually-referencing definitions are not supported.", strings.Join(append(trail[i:], name), " -> "))
			return
		}
		def := rawjson.Get(c.defs, name)
		if def == nil || !strings.HasPrefix(ref, "#/") {
			c.fail("Invalid schema: Reference '%s' could not be resolved.", ref)
			return
		}
		c.walk(def, append(trail[:len(trail):len(trail)], name))
		return
	}
	for _, key := range []string{"anyOf", "allOf"} {
		for e := range rawjson.Elements(rawjson.Get(schema, key)) {
			c.walk(e, trail)
		}
	}
	if rawjson.Get(schema, "oneOf") != nil {
		c.fail("Schema type 'oneOf' is not supported")
	}
	typ := rawjson.GetString(schema, "type")
	for _, key := range unsupported[typ] {
		if rawjson.Get(schema, key) != nil {
			c.fail("For '%s' type, property '%s' is not supported", typ, key)
			return
		}
	}
	switch typ {
	case "array":
		if n := rawjson.Get(schema, "minItems"); n != nil && string(n) != "0" && string(n) != "1" {
			c.fail("For 'array' type, 'minItems' values other than 0 or 1 are not supported")
		}
		c.walk(rawjson.Get(schema, "items"), trail)
	case "string":
		if f := rawjson.GetString(schema, "format"); f != "" && !slices.Contains(formats, f) {
			c.fail("For 'string' type, format '%s' is not supported", f)
		}
		if p := rawjson.GetString(schema, "pattern"); strings.Contains(p, "(?=") || strings.Contains(p, "(?!") || strings.Contains(p, "(?<") || strings.Contains(p, `\b`) || strings.Contains(p, `\1`) {
			c.fail("Unsupported regex feature in pattern field: %s", p)
		}
	case "object":
		c.object(schema, trail)
	}
}

func (c *compiler) object(schema []byte, trail []string) {
	properties := rawjson.Get(schema, "properties")
	for _, v := range rawjson.Members(properties) {
		if len(v) > 0 && v[0] != '{' {
			c.fail("For 'object' type, property 'properties' is not supported")
			return
		}
	}
	if string(rawjson.Get(schema, "additionalProperties")) != "false" {
		c.fail("For 'object' type, 'additionalProperties' must be explicitly set to false")
		return
	}
	var required []string
	for e := range rawjson.Elements(rawjson.Get(schema, "required")) {
		required = append(required, rawjson.Unquote(e))
	}
	for name, v := range rawjson.Members(properties) {
		if !slices.Contains(required, name) {
			c.optional++
		}
		if typ := rawjson.Get(v, "type"); len(typ) > 0 && typ[0] == '[' || rawjson.Get(v, "anyOf") != nil {
			c.unions++
		}
		c.walk(v, trail)
	}
}

// schemaKeywords says of the keywords of draft 2020-12 what their values must be.
var schemaKeywords = map[string]string{
	"$ref": "string", "$id": "string", "$schema": "string", "$anchor": "string", "title": "string", "description": "string",
	"format": "string", "pattern": "string",
	"required": "strings", "type": "type", "enum": "array",
	"properties": "schemas", "patternProperties": "schemas", "$defs": "schemas", "definitions": "schemas", "dependentSchemas": "schemas",
	"additionalProperties": "schema", "items": "schema", "contains": "schema", "propertyNames": "schema", "not": "schema",
	"if": "schema", "then": "schema", "else": "schema", "unevaluatedItems": "schema", "unevaluatedProperties": "schema",
	"anyOf": "list", "allOf": "list", "oneOf": "list", "prefixItems": "list",
	"minimum": "number", "maximum": "number", "exclusiveMinimum": "number", "exclusiveMaximum": "number", "multipleOf": "number",
	"minLength": "count", "maxLength": "count", "minItems": "count", "maxItems": "count", "minProperties": "count", "maxProperties": "count",
	"uniqueItems": "boolean",
}

var schemaTypes = []string{"null", "boolean", "object", "array", "number", "string", "integer"}

// validSchema reports whether raw is a schema of draft 2020-12, as far as its
// keywords' own values go.
func validSchema(raw []byte) bool {
	if len(raw) == 0 {
		return false
	}
	if raw[0] == 't' || raw[0] == 'f' {
		return true
	}
	if raw[0] != '{' {
		return false
	}
	for key, v := range rawjson.Members(raw) {
		if len(v) == 0 || !validKeyword(schemaKeywords[key], v) {
			return false
		}
	}
	return true
}

func validKeyword(want string, v []byte) bool {
	each := func(ok func([]byte) bool) bool {
		for e := range rawjson.Elements(v) {
			if !ok(e) {
				return false
			}
		}
		return v[0] == '['
	}
	isString := func(v []byte) bool { return v[0] == '"' }
	isType := func(v []byte) bool { return isString(v) && slices.Contains(schemaTypes, rawjson.Unquote(v)) }
	isNumber := v[0] == '-' || v[0] >= '0' && v[0] <= '9'
	switch want {
	case "string":
		return isString(v)
	case "strings":
		return rawjson.IsNull(v) || each(isString)
	case "type":
		return isType(v) || v[0] == '[' && each(isType)
	case "array":
		return v[0] == '['
	case "schema":
		return validSchema(v)
	case "list":
		return each(validSchema)
	case "schemas":
		for _, s := range rawjson.Members(v) {
			if !validSchema(s) {
				return false
			}
		}
		return v[0] == '{' || rawjson.IsNull(v)
	case "number":
		return isNumber
	case "count":
		return isNumber && v[0] != '-'
	case "boolean":
		return v[0] == 't' || v[0] == 'f'
	}
	return true
}
