package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/whorl-go/whorl/internal/nearest"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// decodeBody decodes raw into v; strict, if all of its members have to be known. Its
// error is a [*Problem] that says in JSON's words which member is wrong and what it has
// to be. An empty body is an empty object.
func decodeBody(raw []byte, v any, strict bool) error {
	raw = rawjson.Trim(raw)
	if len(raw) == 0 {
		return nil
	}
	bad := func(title, detail string) error {
		return problem(http.StatusBadRequest, "bad_body", title, detail)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	var first json.RawMessage
	var syntax *json.SyntaxError
	switch err := d.Decode(&first); {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return bad("The body is no JSON: it ends in the middle.", "Send a JSON object.")
	case errors.As(err, &syntax):
		return bad(fmt.Sprintf("The body is no JSON: it can't be read on at byte %d.", syntax.Offset), "Send a JSON object.")
	case err != nil:
		return bad("The body is no JSON.", "Send a JSON object.")
	}
	if _, err := d.Token(); err != io.EOF {
		return bad("There is more behind the body's JSON.", "Send one JSON object.")
	}
	if detail := misfit(reflect.TypeOf(v), first, "", strict); detail != "" {
		return bad("The body is not what this request takes.", detail)
	}
	if err := json.Unmarshal(first, v); err != nil {
		return bad("The body is not what this request takes.", "docs/serve.md lists the requests and their bodies.")
	}
	return nil
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// misfit says which value of raw doesn't fit its place in t, and what has to be there;
// "" if all do. Path is the place of raw in the body.
func misfit(t reflect.Type, raw []byte, path string, strict bool) string {
	for t.Kind() == reflect.Pointer && !t.Implements(unmarshaler) {
		t = t.Elem()
	}
	raw = rawjson.Trim(raw)
	if rawjson.IsNull(raw) || t == reflect.TypeFor[json.RawMessage]() {
		return ""
	}
	if decodesItself := t.Implements(unmarshaler) || reflect.PointerTo(t).Implements(unmarshaler); decodesItself {
		if json.Unmarshal(raw, reflect.New(t).Interface()) == nil {
			return ""
		}
		if t == reflect.TypeFor[time.Time]() {
			return fmt.Sprintf("%s is no time; write it as \"2026-11-28T09:00:00Z\".", name(path))
		}
		return fmt.Sprintf("%s can't be read.", name(path))
	}
	is := kindOf(raw)
	wanted := func(kind string) string {
		if is == kind {
			return ""
		}
		found := is
		if is == "true or false" {
			found = string(raw)
		}
		return fmt.Sprintf("%s must be %s, not %s.", name(path), kind, found)
	}
	switch t.Kind() {
	case reflect.Struct:
		if wrong := wanted("an object"); wrong != "" {
			return wrong
		}
		return misfits(t, raw, path, strict)
	case reflect.Map:
		if wrong := wanted("an object"); wrong != "" {
			return wrong
		}
		for key, value := range rawjson.Members(raw) {
			if wrong := misfit(t.Elem(), value, join(path, key), strict); wrong != "" {
				return wrong
			}
		}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return wanted("a string")
		}
		if wrong := wanted("an array"); wrong != "" {
			return wrong
		}
		n := 0
		for value := range rawjson.Elements(raw) {
			if wrong := misfit(t.Elem(), value, join(path, strconv.Itoa(n)), strict); wrong != "" {
				return wrong
			}
			n++
		}
	case reflect.String:
		return wanted("a string")
	case reflect.Bool:
		return wanted("true or false")
	case reflect.Float64:
		return wanted("a number")
	case reflect.Int, reflect.Int64:
		if is == "a number" && json.Unmarshal(raw, reflect.New(t).Interface()) != nil {
			return fmt.Sprintf("%s must be a whole number.", name(path))
		}
		return wanted("a number")
	}
	return ""
}

// misfits is misfit of an object's members.
func misfits(t reflect.Type, raw []byte, path string, strict bool) string {
	var names []string
	fields := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		member, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if member == "-" || !f.IsExported() || f.Anonymous && member == "" {
			continue
		}
		if member == "" {
			member = f.Name
		}
		names = append(names, member)
		fields[strings.ToLower(member)] = f.Type
	}
	for key, value := range rawjson.Members(raw) {
		f, known := fields[strings.ToLower(key)]
		if !known && strict {
			where := ""
			if path != "" {
				where = " of " + path
			}
			if n := nearest.Name(key, names); n != "" {
				return fmt.Sprintf("There is no member %q%s. Did you mean %q?", key, where, n)
			}
			return fmt.Sprintf("There is no member %q%s. There are: %s.", key, where, strings.Join(names, ", "))
		}
		if known {
			if wrong := misfit(f, value, join(path, key), strict); wrong != "" {
				return wrong
			}
		}
	}
	return ""
}

func join(path, member string) string {
	if path == "" {
		return member
	}
	return path + "." + member
}

// name is how a place in the body is called.
func name(path string) string {
	if path == "" {
		return "The body"
	}
	return path
}

func kindOf(raw []byte) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "true or false"
	}
	return "a number"
}
