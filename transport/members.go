package transport

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// objectMembers are the members that have a field here, of those parameters that are
// objects and are written field by field, by their path. What else a request has in
// such an object stands in [Request.Extra], so that a request that was read is written
// again with all that it had.
var objectMembers = map[string][]string{
	"tool_choice":            {"type", "name", "disable_parallel_tool_use"},
	"thinking":               {"type", "budget_tokens", "display", "block_binding"},
	"thinking.block_binding": {"prefix_mismatch_behavior"},
	"output_config":          {"effort", "format", "task_budget"},
	"cache_control":          {"type", "ttl"},
	"metadata":               {"user_id"},
	"thread":                 {"type", "previous_message_id"},
	"diagnostics":            {"previous_message_id"},
}

// messageMembers are the members of a message that have a field.
var messageMembers = []string{"role", "content", "clear_at", "output_config"}

// unknownMembers is an object of the members of raw, the object at path, that have no
// field; nil if there are none.
func unknownMembers(path string, raw []byte) []byte {
	var out []byte
	for key, v := range rawjson.Members(raw) {
		if slices.Contains(objectMembers[path], key) {
			if v = unknownMembers(path+"."+key, v); objectMembers[path+"."+key] == nil || v == nil {
				continue
			}
		}
		out = appendMember(out, key, v)
	}
	if out == nil {
		return nil
	}
	out[0] = '{' // in place of the first comma
	return append(out, '}')
}

// addMembers adds those of extra to raw, the object at path, which may be empty for
// none. Members that have a field are refused.
func addMembers(path string, raw, extra []byte) ([]byte, *RequestError) {
	if !rawjson.Valid(extra) || rawjson.Trim(extra)[0] != '{' {
		return nil, wrong(path, "not a JSON object in Extra: "+brief(extra), "give the members that the field lacks")
	}
	var over []byte
	for key, v := range rawjson.Members(extra) {
		inner := path + "." + key
		switch {
		case objectMembers[inner] != nil:
			var e *RequestError
			if v, e = addMembers(inner, rawjson.Get(raw, key), v); e != nil {
				return nil, e
			}
		case slices.Contains(objectMembers[path], key):
			return nil, wrong(inner, "it is in Extra, and Request has a field for it", "set that")
		}
		over = appendMember(over, key, v)
	}
	if len(over) == 0 {
		return raw, nil
	}
	over[0] = '{' // in place of the first comma
	over = append(over, '}')
	if len(raw) == 0 {
		return over, nil
	}
	return rawjson.Merge(raw, over), nil
}

// object writes the parameter name: raw, if it isn't empty, with the members that
// Extra has for it.
func (w *headWriter) object(name string, raw []byte) {
	if extra := w.extra[name]; len(extra) > 0 {
		var e *RequestError
		if raw, e = addMembers(name, raw, extra); e != nil {
			w.err = cmp.Or(w.err, e)
			return
		}
	}
	if len(raw) > 0 {
		w.key(name)
		w.dst = append(w.dst, raw...)
	}
}

// writeObject writes a parameter that encoding/json encodes, if it is set.
func writeObject[T any](w *headWriter, name string, v *T) {
	var raw []byte
	if v != nil {
		var err error
		if raw, err = rawjson.Marshal(v); err != nil {
			w.err = cmp.Or(w.err, wrong(name, err.Error(), ""))
			return
		}
	}
	w.object(name, raw)
}

// checkMessages checks what is written as it was given and no block. The messages are
// those of the request from the given one on.
func checkMessages(messages []Message, from int) *RequestError {
	for i := range messages {
		m := &messages[i]
		i += from
		if len(m.OutputConfig) > 0 && !rawjson.Valid(m.OutputConfig) {
			return wrong(fmt.Sprintf("messages.%d.output_config", i), "not JSON: "+brief(m.OutputConfig), "")
		}
		if len(m.Extra) == 0 {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(m.Extra)) {
			place := fmt.Sprintf("messages.%d.%s", i, name)
			if slices.Contains(messageMembers, name) {
				return wrong(place, "it is in Extra, and Message has a field for it", "set that")
			}
			if !rawjson.Valid(m.Extra[name]) {
				return wrong(place, "not JSON: "+brief(m.Extra[name]), "")
			}
		}
	}
	return nil
}

// appendExtra appends the members of extra, sorted, each with a comma before it.
func appendExtra(dst []byte, extra map[string]json.RawMessage) []byte {
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		dst = appendMember(dst, name, extra[name])
	}
	return dst
}

// appendMember appends a member with a comma before it.
func appendMember(dst []byte, name string, value []byte) []byte {
	dst = append(rawjson.AppendString(append(dst, ','), name), ':')
	return append(dst, value...)
}
