package tools

import "strings"

// maxWork is how many times one check may apply a subschema to a value. Honest
// schemas need a few per value; one with subschemas that double at each level
// needs more than there is time for.
const maxWork = 100_000

// A workMeter counts how often checking a value would apply a subschema, without
// doing it, and gives up above a limit.
type workMeter struct {
	schema *inputSchema
	limit  int
	done   int            // limit+1 if there is more to do
	refs   map[string]any // what references lead to
}

// tooMuchWork reports whether checking value against the schema would take more
// than maxWork steps. Schemas that can't apply two subschemas to one place need
// no counting.
func (s *inputSchema) tooMuchWork(value any) bool {
	if !s.branches {
		return false
	}
	m := newWorkMeter(s)
	m.apply(s.document, value, 0)
	return m.done > m.limit
}

func newWorkMeter(s *inputSchema) workMeter {
	return workMeter{schema: s, limit: maxWork, refs: map[string]any{}}
}

// branching are the keywords by which several subschemas apply to one place.
var branching = []string{"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "patternProperties", "$ref", "$dynamicRef", "contains", "unevaluatedProperties", "unevaluatedItems"}

// hasBranches reports whether any of the branching keywords is used in a schema,
// or may be.
func hasBranches(node any) bool {
	switch n := node.(type) {
	case map[string]any:
		for _, key := range branching {
			if _, ok := n[key]; ok {
				return true
			}
		}
		for _, v := range n {
			if hasBranches(v) {
				return true
			}
		}
	case []any:
		for _, v := range n {
			if hasBranches(v) {
				return true
			}
		}
	}
	return false
}

// apply counts one schema at one value, with all below it. refs is how many
// references led here without a step into the value.
func (m *workMeter) apply(node, value any, refs int) {
	if m.done > m.limit {
		return
	}
	m.done++
	schema, ok := node.(map[string]any)
	if !ok {
		return
	}
	for key, sub := range schema {
		switch key {
		case "allOf", "anyOf", "oneOf":
			branches, _ := sub.([]any)
			for _, b := range branches {
				m.apply(b, value, refs)
			}
		case "not", "if", "then", "else":
			m.apply(sub, value, refs)
		case "dependentSchemas":
			several, _ := sub.(map[string]any)
			for _, b := range several {
				m.apply(b, value, refs)
			}
		case "$ref", "$dynamicRef":
			ref, _ := sub.(string)
			if refs < len(m.schema.raw) { // a circle of references alone ends in the checker, too
				m.apply(m.target(ref), value, refs+1)
			}
		}
		switch v := value.(type) {
		case map[string]any:
			m.members(schema, key, sub, v)
		case []any:
			m.elements(key, sub, v)
		}
		if m.done > m.limit {
			return
		}
	}
}

func (m *workMeter) members(schema map[string]any, key string, sub any, object map[string]any) {
	switch key {
	case "properties":
		properties, _ := sub.(map[string]any)
		for name, p := range properties {
			if v, ok := object[name]; ok {
				m.apply(p, v, 0)
			}
		}
	case "patternProperties":
		patterns, _ := sub.(map[string]any)
		for _, p := range patterns {
			for _, v := range object {
				m.apply(p, v, 0)
			}
		}
	case "additionalProperties", "unevaluatedProperties":
		properties, _ := schema["properties"].(map[string]any)
		for name, v := range object {
			if _, known := properties[name]; !known {
				m.apply(sub, v, 0)
			}
		}
	case "propertyNames":
		for name := range object {
			m.apply(sub, name, 0)
		}
	}
}

func (m *workMeter) elements(key string, sub any, list []any) {
	switch key {
	case "items", "contains", "unevaluatedItems", "additionalItems":
		if several, ok := sub.([]any); ok {
			for i, v := range list[:min(len(list), len(several))] {
				m.apply(several[i], v, 0)
			}
			return
		}
		for _, v := range list {
			m.apply(sub, v, 0)
		}
	case "prefixItems":
		several, _ := sub.([]any)
		for i, v := range list[:min(len(list), len(several))] {
			m.apply(several[i], v, 0)
		}
	}
}

// target is the schema that a reference leads to, or the root where that can't be
// told.
func (m *workMeter) target(ref string) any {
	t, ok := m.refs[ref]
	if !ok {
		t = m.schema.document
		if strings.HasPrefix(ref, "#/") {
			t = m.schema.at(ref)
		}
		m.refs[ref] = t
	}
	return t
}

// tooDeep reports whether raw has arrays and objects in each other deeper than
// maxDepth. It looks at each byte once, whatever raw is.
func tooDeep(raw []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted:
			if c == '\\' {
				i++
			} else if c == '"' {
				quoted = false
			}
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
