package tools

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// repeated finds a member that its object has twice. encoding/json would decode
// both, and the check would see one.
func repeated(raw []byte) (path string, found bool) {
	var keys []string
	for key, value := range rawjson.Members(raw) {
		keys = append(keys, key)
		if value[0] == '{' || value[0] == '[' {
			if below, ok := repeated(value); ok {
				return joinPath(shorten(key), below), true
			}
		}
	}
	slices.Sort(keys)
	for i := 1; i < len(keys); i++ {
		if keys[i] == keys[i-1] {
			return shorten(keys[i]), true
		}
	}
	i := 0
	for value := range rawjson.Elements(raw) {
		if value[0] == '{' || value[0] == '[' {
			if below, ok := repeated(value); ok {
				return joinPath("["+strconv.Itoa(i)+"]", below), true
			}
		}
		i++
	}
	return "", false
}

// maxDepth bounds how deep arguments may be nested: working through them takes
// time with the depth.
const maxDepth = 200

// excessive finds a number that no Go number holds, such as 1e999999999, with
// which exact arithmetic would take the machine's memory, or a value nested too
// deep.
func excessive(v any, depth int) bool {
	switch v := v.(type) {
	case json.Number:
		return outOfRange(string(v))
	case []any:
		return depth > maxDepth || slices.ContainsFunc(v, func(e any) bool { return excessive(e, depth+1) })
	case map[string]any:
		if depth > maxDepth {
			return true
		}
		for _, e := range v {
			if excessive(e, depth+1) {
				return true
			}
		}
	}
	return false
}

func outOfRange(number string) bool {
	if len(number) > 400 {
		return true
	}
	i := strings.IndexAny(number, "eE")
	if i < 0 {
		return false
	}
	e, err := strconv.Atoi(number[i+1:])
	return err != nil || e > 400 || e < -400
}

// excess says where what excessive has found is.
func excess(v any, path string, depth int) Problem {
	switch v := v.(type) {
	case json.Number:
		return Problem{path, "the number " + shorten(string(v)) + " is out of range"}
	case []any:
		for i, e := range v {
			if depth <= maxDepth && excessive(e, depth+1) {
				return excess(e, joinPath(path, "["+strconv.Itoa(i)+"]"), depth+1)
			}
		}
	case map[string]any:
		for _, key := range sortedKeys(v) {
			if depth <= maxDepth && excessive(v[key], depth+1) {
				return excess(v[key], joinPath(path, shorten(key)), depth+1)
			}
		}
	}
	return Problem{shorten(path), fmt.Sprintf("nested deeper than %d", maxDepth)}
}
