package mcp

import (
	"encoding/json"
	"fmt"
	"log/slog"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// rawSchema is where mendList leaves a tool's schema as the server wrote it: the
// SDK decodes it, which loses the order of its members and digits of its numbers.
const rawSchema = "whorl/inputSchema"

// mendList makes of the result of tools/list one that the SDK can read: what is
// wrong in one tool costs that tool's field, or that tool, and no other.
func mendList(result []byte, log *slog.Logger) []byte {
	list := []byte{'['}
	for one := range rawjson.Elements(rawjson.Get(result, "tools")) {
		tool, err := mendTool(one)
		if err != nil {
			log.Warn("mcp: a tool of the server was left out", "reason", err.Error())
			continue
		}
		if len(list) > 1 {
			list = append(list, ',')
		}
		list = append(list, tool...)
	}
	list = append(list, ']')
	return listResult(result, "tools", list, &sdk.ListToolsResult{})
}

// mendItems is mendList for lists whose entries need no more than to be read.
func mendItems(result []byte, key string, into any, log *slog.Logger) []byte {
	list := []byte{'['}
	for one := range rawjson.Elements(rawjson.Get(result, key)) {
		with := append(append([]byte(`{"`+key+`":[`), one...), "]}"...)
		if err := json.Unmarshal(with, into); err != nil || rawjson.IsNull(one) {
			log.Warn("mcp: an entry of the server's list was left out", "list", key, "entry", runes.Cut(string(one), 60))
			continue
		}
		if len(list) > 1 {
			list = append(list, ',')
		}
		list = append(list, one...)
	}
	return listResult(result, key, append(list, ']'), into)
}

// listResult is the result of a list request with other entries.
func listResult(result []byte, key string, list []byte, into any) []byte {
	out := append([]byte(`{"`+key+`":`), list...)
	if cursor := rawjson.Get(result, "nextCursor"); len(cursor) > 0 && cursor[0] == '"' {
		out = append(append(out, `,"nextCursor":`...), cursor...)
	}
	return append(withMembers(out, result, into, "resultType", "ttlMs", "cacheScope", "requestState", "inputRequests"), '}')
}

// withMembers adds to out, an object without its end, those members of raw that
// can be read into a value.
func withMembers(out, raw []byte, into any, keys ...string) []byte {
	for _, key := range keys {
		if v := rawjson.Get(raw, key); len(v) > 0 && !rawjson.IsNull(v) {
			with := append(append(append(append([]byte{}, out...), `,"`+key+`":`...), v...), '}')
			if json.Unmarshal(with, into) == nil {
				out = with[:len(with)-1]
			}
		}
	}
	return out
}

// readableRequests reports whether the SDK can read what a server asks: it takes
// objects for granted.
func readableRequests(raw []byte) error {
	if len(raw) == 0 || rawjson.IsNull(raw) {
		return nil
	}
	if raw[0] != '{' {
		return fmt.Errorf("what the server asks can't be read: it is no object")
	}
	for id, one := range rawjson.Members(raw) {
		single := append(append(append(rawjson.AppendString([]byte{'{'}, id), ':'), one...), '}')
		if len(one) == 0 || one[0] != '{' || json.Unmarshal(single, &sdk.InputRequestMap{}) != nil {
			return fmt.Errorf("what the server asks as %q can't be read", id)
		}
	}
	return nil
}

// mendPrompt makes of the result of prompts/get one that the SDK can read.
func mendPrompt(result []byte) []byte {
	out := []byte(`{"messages":[`)
	for one := range rawjson.Elements(rawjson.Get(result, "messages")) {
		content := rawjson.Get(one, "content")
		items := [][]byte{content}
		if len(content) > 0 && content[0] == '[' { // one each is what the specification has
			items = nil
			for item := range rawjson.Elements(content) {
				items = append(items, item)
			}
		}
		for _, item := range items {
			if out[len(out)-1] != '[' {
				out = append(out, ',')
			}
			out = rawjson.AppendString(append(out, `{"role":`...), rawjson.GetString(one, "role"))
			out = append(append(append(out, `,"content":`...), mendContent(item)...), '}')
		}
	}
	return append(withMembers(append(out, ']'), result, &sdk.GetPromptResult{}, "description", "resultType", "inputRequests", "requestState"), '}')
}

// mendTool keeps of a tool what can be read.
func mendTool(raw []byte) ([]byte, error) {
	if len(raw) == 0 || raw[0] != '{' {
		return nil, fmt.Errorf("it is no object: %s", runes.Cut(string(raw), 60))
	}
	name := rawjson.Get(raw, "name")
	if len(name) == 0 || name[0] != '"' || rawjson.Unquote(name) == "" {
		return nil, fmt.Errorf("it has no name: %s", runes.Cut(string(raw), 60))
	}
	schema := rawjson.Get(raw, "inputSchema")
	out := append([]byte(`{"name":`), name...)
	if len(schema) > 0 && schema[0] == '{' {
		out = append(append(out, `,"inputSchema":`...), schema...)
	} else {
		out = append(out, `,"inputSchema":{"type":"object"}`...)
	}
	out = withMembers(out, raw, &sdk.Tool{}, "description", "title", "annotations", "icons")
	meta := []byte{'{'}
	for key, v := range rawjson.Members(rawjson.Get(raw, "_meta")) {
		if key != rawSchema {
			meta = append(append(append(rawjson.AppendString(meta, key), ':'), v...), ',')
		}
	}
	meta = append(rawjson.AppendString(meta, rawSchema), ':')
	meta = append(rawjson.AppendString(meta, string(schema)), '}')
	return append(append(append(out, `,"_meta":`...), meta...), '}'), nil
}

// mendResult makes of the result of tools/call one that the SDK can read. The
// structured content becomes a string that holds it as the server wrote it.
func mendResult(result []byte) []byte {
	if result[0] != '{' {
		return append(append([]byte(`{"content":[`), unknownContent(result)...), "]}"...)
	}
	if rawjson.GetString(result, "resultType") == "task" {
		return append(rawjson.AppendString([]byte(`{"content":[],"_meta":{"`+taskMember+`":`), string(result)), "}}"...)
	}
	if len(rawjson.Get(rawjson.Get(result, "_meta"), taskMember)) > 0 {
		result = rawjson.Drop(result, "_meta") // the server's own words must not stand for it
	}
	out := []byte(`{"content":[`)
	content := rawjson.Get(result, "content")
	switch {
	case len(content) == 0 || rawjson.IsNull(content):
	case content[0] == '[':
		first := true
		for one := range rawjson.Elements(content) {
			if !first {
				out = append(out, ',')
			}
			first = false
			out = append(out, mendContent(one)...)
		}
	default: // one that should be in a list
		out = append(out, mendContent(content)...)
	}
	out = append(out, ']')
	if s := rawjson.Get(result, "structuredContent"); len(s) > 0 && !rawjson.IsNull(s) {
		out = rawjson.AppendString(append(out, `,"structuredContent":`...), string(s))
	}
	if isTrue(rawjson.Get(result, "isError")) {
		out = append(out, `,"isError":true`...)
	}
	return append(withMembers(out, result, &sdk.CallToolResult{}, "_meta", "resultType", "inputRequests", "requestState"), '}')
}

// isTrue takes what servers write for true.
func isTrue(raw []byte) bool {
	switch string(raw) {
	case "true", `"true"`, `"True"`, `"TRUE"`, "1", `"1"`:
		return true
	}
	return false
}

func mendContent(one []byte) []byte {
	if json.Unmarshal(append(append([]byte(`{"content":[`), one...), "]}"...), &sdk.CallToolResult{}) == nil {
		switch rawjson.GetString(one, "type") {
		case "text", "image", "audio", "resource", "resource_link":
			return one
		}
	}
	return unknownContent(one)
}

// unknownContent is content in words. A long one is cut: it is data that nobody
// here can show.
func unknownContent(one []byte) []byte {
	const most = 4000
	text := string(one)
	switch {
	case len(one) > 0 && one[0] == '"':
		text = rawjson.Unquote(one)
	case rawjson.GetString(one, "text") != "":
		text = rawjson.GetString(one, "text")
	case len(text) > most:
		text = fmt.Sprintf("[content of type %q, %d bytes, of which the first are shown] %s", rawjson.GetString(one, "type"), len(one), runes.Cut(text, most))
	default:
		text = fmt.Sprintf("[content of type %q] %s", rawjson.GetString(one, "type"), text)
	}
	return append(rawjson.AppendString([]byte(`{"type":"text","text":`), text), '}')
}
