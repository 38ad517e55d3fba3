package tools

import (
	"slices"
	"strconv"
	"strings"

	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

// placesOf are where a name stands that doesn't fit. The validator's own place of
// such an error is overwritten by what it looks at next: only its depth holds, and the
// property of the schema in which the names are bound.
func placesOf(name string, e *validator.ValidationError, value any) [][]string {
	var found [][]string
	var visit func(v any, trail []string)
	visit = func(v any, trail []string) {
		object, _ := v.(map[string]any)
		if len(trail) == len(e.InstanceLocation) {
			if _, ok := object[name]; ok {
				found = append(found, slices.Clone(trail))
			}
			return
		}
		for key, member := range object {
			visit(member, append(trail, key))
		}
		if list, ok := v.([]any); ok {
			for i, element := range list {
				visit(element, append(trail, strconv.Itoa(i)))
			}
		}
	}
	visit(value, nil)
	_, pointer, _ := strings.Cut(e.SchemaURL, "#")
	tokens := strings.Split(pointer, "/")
	if n := len(tokens); n >= 3 && tokens[n-3] == "properties" && len(e.InstanceLocation) > 0 {
		property := strings.NewReplacer("~1", "/", "~0", "~").Replace(unescapePercent(tokens[n-2]))
		named := slices.DeleteFunc(slices.Clone(found), func(place []string) bool { return place[len(place)-1] != property })
		if len(named) > 0 {
			return named
		}
	}
	return found
}
