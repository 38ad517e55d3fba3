package transport

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// UnmarshalJSON reads a request's body, as [Request.Body] writes it. Tools,
// system and messages are kept as they came, with the cache_control marks that
// stand in them; "stream" is left out, since it is no property of a Request.
// Written again, such a request has the bytes that it was read from.
func (r *Request) UnmarshalJSON(data []byte) error {
	data = rawjson.Trim(append([]byte(nil), data...))
	if !rawjson.Valid(data) || len(data) == 0 || data[0] != '{' {
		return errNotObject("request", data)
	}
	var to Request
	for key, v := range rawjson.Members(data) {
		if rawjson.IsNull(v) {
			continue
		}
		if err := to.set(key, v); err != nil {
			return fmt.Errorf("request: %s: %w", key, err)
		}
		if objectMembers[key] != nil && slices.Contains(ownMembers, key) {
			to.addExtra(key, unknownMembers(key, v))
		}
	}
	*r = to
	return nil
}

func (r *Request) set(key string, v []byte) (err error) {
	switch key {
	case "stream":
	case "model":
		return json.Unmarshal(v, &r.Model)
	case "max_tokens":
		return json.Unmarshal(v, &r.MaxTokens)
	case "tools":
		for e := range rawjson.Elements(v) {
			t, err := ParseToolDefinition(e)
			if err != nil {
				return err
			}
			r.Tools = append(r.Tools, t)
		}
	case "system":
		r.System, err = parseContent(v)
	case "messages":
		return json.Unmarshal(v, &r.Messages)
	case "tool_choice":
		return json.Unmarshal(v, &r.ToolChoice)
	case "thinking":
		return json.Unmarshal(v, &r.Thinking)
	case "output_config":
		return json.Unmarshal(v, &r.OutputConfig)
	case "cache_control":
		if typ := rawjson.GetString(v, "type"); typ != "" && typ != "ephemeral" {
			return fmt.Errorf("there is no mark of type %q", typ)
		}
		r.CacheControl = &CacheControl{TTL: TTL(rawjson.GetString(v, "ttl"))}
	case "stop_sequences":
		return json.Unmarshal(v, &r.StopSequences)
	case "metadata":
		r.UserID = rawjson.GetString(v, "user_id")
	case "service_tier":
		return json.Unmarshal(v, &r.ServiceTier)
	case "speed":
		return json.Unmarshal(v, &r.Speed)
	case "inference_geo":
		return json.Unmarshal(v, &r.InferenceGeo)
	case "temperature":
		return json.Unmarshal(v, &r.Temperature)
	case "top_p":
		return json.Unmarshal(v, &r.TopP)
	case "top_k":
		return json.Unmarshal(v, &r.TopK)
	case "container":
		r.Container = v
	case "context_management":
		r.ContextManagement = v
	case "compaction":
		r.Compaction = v
	case "mcp_servers":
		r.MCPServers = v
	case "fallbacks":
		r.Fallbacks = v
	case "thread":
		switch t := rawjson.GetString(v, "type"); t {
		case "create", "continue":
			r.Thread = &Thread{PreviousMessageID: rawjson.GetString(v, "previous_message_id")}
		default:
			return fmt.Errorf("there is no thread of type %q", t)
		}
	case "diagnostics":
		r.Diagnostics = &Diagnostics{PreviousMessageID: rawjson.GetString(v, "previous_message_id")}
	default:
		r.addExtra(key, v)
	}
	return err
}

func (r *Request) addExtra(key string, v []byte) {
	if len(v) == 0 {
		return
	}
	if r.Extra == nil {
		r.Extra = make(map[string]json.RawMessage)
	}
	r.Extra[key] = v
}
