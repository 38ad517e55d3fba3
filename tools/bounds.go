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

// hasHugeNumber finds a number that no Go number holds, such as 1e999999999, with
// which exact arithmetic would take the machine's memory.
func hasHugeNumber(v any) bool {
	switch v := v.(type) {
	case json.Number:
		return isHuge(string(v))
	case []any:
		return slices.ContainsFunc(v, hasHugeNumber)
	case map[string]any:
		for _, e := range v {
			if hasHugeNumber(e) {
				return true
			}
		}
	}
	return false
}

func isHuge(number string) bool {
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

// hugeNumber says where the number is that hasHugeNumber has found.
func hugeNumber(v any, path string) Problem {
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			if hasHugeNumber(e) {
				return hugeNumber(e, joinPath(path, "["+strconv.Itoa(i)+"]"))
			}
		}
	case map[string]any:
		for _, key := range sortedKeys(v) {
			if hasHugeNumber(v[key]) {
				return hugeNumber(v[key], joinPath(path, shorten(key)))
			}
		}
	}
	return Problem{path, "the number " + shorten(fmt.Sprint(v)) + " is out of range"}
}
