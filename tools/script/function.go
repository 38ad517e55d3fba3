package script

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A function is a tool as programs see it.
type function struct {
	name        string // in programs
	tool        string // the tool's own name
	description string
	schema      json.RawMessage
}

// functions are the tools as programs see them, by the order of their names.
func functions(list []tools.Tool) ([]*function, error) {
	var all []*function
	for i, t := range list {
		if _, ok := tools.As[tools.Callable](t); !ok {
			return nil, fmt.Errorf("Tools[%d] does not run in this program; only tools that do can be called", i)
		}
		def, err := t.Definition()
		if err != nil {
			return nil, fmt.Errorf("Tools[%d]: %w", i, err)
		}
		f := &function{name: identifier(def.Name()), tool: def.Name(), schema: rawjson.Get(def.Raw(), "input_schema"), description: rawjson.GetString(def.Raw(), "description")}
		for _, other := range all {
			if other.name == f.name {
				return nil, fmt.Errorf("the tools %q and %q have the same name in programs, %s; rename one", other.tool, f.tool, f.name)
			}
		}
		if slices.Contains(reserved, f.name) || starlark.Universe.Has(f.name) {
			return nil, fmt.Errorf("the tool %q has the name of a function of the language; rename it", f.tool)
		}
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b *function) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

// reserved are the names of what programs have beside the language and the tools,
// and of keywords.
var reserved = []string{
	"help", "call", "gather", "attempt", "ask", "json", "math",
	"and", "break", "continue", "def", "elif", "else", "for", "if", "in", "lambda", "load", "not", "or", "pass", "return", "while",
	"as", "assert", "async", "await", "class", "del", "except", "finally", "from", "global", "import", "is", "nonlocal", "raise", "try", "with", "yield",
}

var notInIdentifiers = regexp.MustCompile(`[^A-Za-z0-9_]`)

// identifier is a tool's name as programs can write it.
func identifier(name string) string {
	name = notInIdentifiers.ReplaceAllString(name, "_")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name
}

// property is what a signature says about an argument.
type property struct {
	Type        any               `json:"type"`
	Enum        []json.RawMessage `json:"enum"`
	Default     json.RawMessage   `json:"default"`
	Description string            `json:"description"`
	Properties  json.RawMessage   `json:"properties"`
	Items       json.RawMessage   `json:"items"`
}

// help is what help(tool) prints: the tool's signature, what it does, its arguments,
// and the schema where the signature doesn't tell all.
func (f *function) help() string {
	var s struct {
		Properties map[string]json.RawMessage `json:"properties"`
		Required   []string                   `json:"required"`
	}
	if json.Unmarshal(f.schema, &s) != nil {
		return f.name + "(…)\n" + f.description + "\nschema: " + string(f.schema)
	}
	names := make([]string, 0, len(s.Properties))
	for name := range rawjson.Members(rawjson.Get(f.schema, "properties")) {
		names = append(names, name)
	}
	slices.SortStableFunc(names, func(a, b string) int {
		return rank(slices.Contains(s.Required, a)) - rank(slices.Contains(s.Required, b))
	})
	var sig, rest strings.Builder
	whole := true
	for i, name := range names {
		var p property
		if json.Unmarshal(s.Properties[name], &p) != nil {
			whole = false
		}
		if i > 0 {
			sig.WriteString(", ")
		}
		typ, told := p.Type.(string)
		if !told {
			typ = "any"
		}
		if whole = whole && told && p.Properties == nil && p.Items == nil; len(p.Enum) > 0 {
			values := make([]string, len(p.Enum))
			for i, e := range p.Enum {
				values[i] = string(e)
			}
			typ = strings.Join(values, "|")
		}
		sig.WriteString(name + ": " + typ)
		switch {
		case p.Default != nil:
			sig.WriteString(" = " + string(p.Default))
		case !slices.Contains(s.Required, name):
			sig.WriteString(" = None")
		}
		if p.Description != "" {
			fmt.Fprintf(&rest, "  %s: %s\n", name, p.Description)
		}
	}
	text := f.name + "(" + sig.String() + ")\n" + f.description + "\n" + rest.String()
	if !whole {
		text += "  schema: " + string(f.schema) + "\n"
	}
	return strings.TrimRight(text, "\n")
}

func rank(required bool) int {
	if required {
		return 0
	}
	return 1
}
