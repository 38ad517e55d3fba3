package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/rawjson"
)

var notInKey = regexp.MustCompile(`[^a-zA-Z0-9_.-]+`)

// A serverTool is a tool of a server's whose arguments had to be renamed. The
// server's own names are refused, so that each argument can be given in one way
// only, the one that was judged.
type serverTool struct {
	*tools.FuncTool
	servers map[string]string // the server's names by the model's
}

// Unwrap gives the tool in which the arguments are checked; see [tools.As].
func (t *serverTool) Unwrap() tools.Tool { return t.FuncTool }

// Normalize implements [tools.Normalizer].
func (t *serverTool) Normalize(input json.RawMessage) (json.RawMessage, error) {
	normal, err := t.FuncTool.Normalize(input)
	if err != nil {
		return nil, err
	}
	return normal, t.refuse(normal)
}

// Call implements [tools.Callable].
func (t *serverTool) Call(ctx context.Context, input json.RawMessage) (tools.Result, error) {
	if err := t.refuse(input); err != nil {
		return tools.Result{}, err
	}
	return t.FuncTool.Call(ctx, input)
}

// refuse fails for arguments by names of the server's that were replaced.
func (t *serverTool) refuse(input json.RawMessage) error {
	var problems []tools.Problem
	for key := range rawjson.Members(input) {
		for ours, theirs := range t.servers {
			if key == theirs {
				problems = append(problems, tools.Problem{Path: key, Message: "unknown; this argument is called " + ours})
			}
		}
	}
	if problems == nil {
		return nil
	}
	return &tools.ArgumentError{Tool: t.Name(), Problems: problems}
}

// ArgumentNames returns the server's names of a tool's arguments, by those that
// the model uses, for the arguments whose names the Messages API doesn't take:
// "filter_id_" is "filter[id]". A rule about arguments is about the model's names.
// It is nil for tools of other packages, and where nothing was renamed.
func ArgumentNames(t tools.Tool) map[string]string {
	if s, ok := tools.As[*serverTool](t); ok {
		return maps.Clone(s.servers)
	}
	return nil
}

// safeKeys gives the arguments that a schema declares names that the Messages API
// takes, such as filter_id_ for filter[id], and returns the server's names for
// those that it changed. One bad name would make every request fail.
func safeKeys(schema json.RawMessage) (safe json.RawMessage, servers map[string]string) {
	properties := rawjson.Get(schema, "properties")
	names := map[string]string{} // the server's to ours
	taken := map[string]bool{}
	for key := range rawjson.Members(properties) {
		if cleanKey(key) == key {
			names[key], taken[key] = key, true
		}
	}
	servers = map[string]string{}
	for key := range rawjson.Members(properties) {
		if names[key] != "" {
			continue
		}
		name := cleanKey(key)
		for n := 2; taken[name]; n++ {
			number := fmt.Sprintf("_%d", n)
			name = cleanKey(key)
			name = name[:min(len(name), 64-len(number))] + number
		}
		names[key], taken[name], servers[name] = name, true, key
	}
	if len(servers) == 0 {
		return schema, nil
	}
	return rewrite(schema, func(key string, v []byte) (string, []byte) {
		switch key {
		case "properties":
			v = rewrite(v, func(key string, v []byte) (string, []byte) { return names[key], v })
		case "required":
			var list []string
			if json.Unmarshal(v, &list) == nil {
				for i, key := range list {
					if name, ok := names[key]; ok {
						list[i] = name
					}
				}
				if raw, err := json.Marshal(slices.Compact(list)); err == nil {
					v = raw
				}
			}
		}
		return key, v
	}), servers
}

func cleanKey(key string) string {
	key = notInKey.ReplaceAllString(key, "_")
	if key == "" {
		return "_"
	}
	return key[:min(len(key), 64)]
}

// serversArguments gives the arguments the server's names back. Their values stay
// as they are.
func serversArguments(input json.RawMessage, servers map[string]string) json.RawMessage {
	if len(servers) == 0 {
		return input
	}
	return rewrite(input, func(key string, v []byte) (string, []byte) {
		if name, ok := servers[key]; ok {
			key = name
		}
		return key, v
	})
}

// rewrite writes an object again with what change makes of its members.
func rewrite(object []byte, change func(key string, v []byte) (string, []byte)) []byte {
	out := []byte{'{'}
	for key, v := range rawjson.Members(object) {
		key, v = change(key, v)
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(rawjson.AppendString(out, key), ':'), v...)
	}
	return append(out, '}')
}
