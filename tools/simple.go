package tools

import (
	"encoding/json"
	"slices"
	"strings"
)

// isSimple reports whether a decoded schema is made only of keywords and values
// that are surely valid, as those of most Go types are. Whatever could be a
// mistake, such as a pattern or a reference, makes it false. The checker of a
// simple schema is compiled at the first call, which most tools never get: it
// would take two thirds of the allocations of making a tool.
func isSimple(schema any) bool {
	object, ok := schema.(map[string]any)
	if !ok {
		return false
	}
	for key, value := range object {
		if !isSimpleKeyword(key, value) {
			return false
		}
	}
	return true
}

func isSimpleKeyword(key string, value any) bool {
	switch key {
	case "type":
		if list, ok := value.([]any); ok {
			return len(list) > 0 && areNames(list) && !slices.ContainsFunc(list, func(e any) bool { return !isTypeName(e) })
		}
		return isTypeName(value)
	case "title", "description", "format":
		_, ok := value.(string)
		return ok
	case "default":
		return true
	case "enum":
		_, ok := value.([]any)
		return ok
	case "minimum", "maximum":
		_, ok := value.(json.Number)
		return ok
	case "minLength", "maxLength", "minItems", "maxItems":
		n, ok := value.(json.Number)
		return ok && !strings.ContainsAny(n.String(), "-.eE")
	case "required":
		return areNames(value)
	case "properties":
		properties, ok := value.(map[string]any)
		for _, p := range properties {
			ok = ok && isSimple(p)
		}
		return ok
	case "items":
		return isSimple(value)
	case "additionalProperties":
		if _, ok := value.(bool); ok {
			return true
		}
		return isSimple(value)
	}
	return false
}

func isTypeName(value any) bool {
	switch value {
	case "object", "array", "string", "integer", "number", "boolean", "null":
		return true
	}
	return false
}

// areNames reports whether value is a list of strings, each there once.
func areNames(value any) bool {
	list, ok := value.([]any)
	seen := make(map[string]bool, len(list))
	for _, e := range list {
		name, isName := e.(string)
		ok = ok && isName && !seen[name]
		seen[name] = true
	}
	return ok
}
