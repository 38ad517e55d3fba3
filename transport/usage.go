package transport

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// Usage is what a response was billed for, in tokens. The three input counts
// are apart from each other: the whole prompt is their sum.
//
// On a request with server tools the input counts are the sum over the
// service's own iterations, so they tell the bill, not the size of the context
// (reference §5.5).
type Usage struct {
	InputTokens              int64 `json:"input_tokens"` // neither read from the cache nor written to it
	CacheCreationInputTokens int64 `json:"cache_creation_input_tokens"`
	CacheReadInputTokens     int64 `json:"cache_read_input_tokens"`
	OutputTokens             int64 `json:"output_tokens"` // thinking included

	CacheCreation       CacheCreation       `json:"cache_creation"`
	OutputTokensDetails OutputTokensDetails `json:"output_tokens_details"`
	ServerToolUse       ServerToolUsage     `json:"server_tool_use"`
	ServiceTier         string              `json:"service_tier"`
	InferenceGeo        string              `json:"inference_geo"`
	Speed               string              `json:"speed"`

	// Iterations are the samplings that the request took. The counts above leave out
	// those of compaction, of the advisor and of models that refused, so the bill is
	// the sum of these where there are any (late 2026 §5.4).
	Iterations []Iteration `json:"iterations"`
}

// CacheCreation splits the tokens written to the cache by how long they live.
type CacheCreation struct {
	Ephemeral5mInputTokens int64 `json:"ephemeral_5m_input_tokens"`
	Ephemeral1hInputTokens int64 `json:"ephemeral_1h_input_tokens"`
}

// OutputTokensDetails splits the output.
type OutputTokensDetails struct {
	ThinkingTokens int64 `json:"thinking_tokens"`
}

// ServerToolUsage counts calls that are billed by the call.
type ServerToolUsage struct {
	WebSearchRequests int64 `json:"web_search_requests"`
	WebFetchRequests  int64 `json:"web_fetch_requests"`
}

// An Iteration is one sampling inside a request.
type Iteration struct {
	Type                     string        `json:"type"`  // "message", "compaction", "advisor_message", "fallback_message"
	Model                    string        `json:"model"` // where it is another than the response's
	InputTokens              int64         `json:"input_tokens"`
	CacheCreationInputTokens int64         `json:"cache_creation_input_tokens"`
	CacheReadInputTokens     int64         `json:"cache_read_input_tokens"`
	OutputTokens             int64         `json:"output_tokens"`
	CacheCreation            CacheCreation `json:"cache_creation"`
}

// PromptTokens is the size of the prompt that was billed: read, written and neither.
func (u Usage) PromptTokens() int64 {
	return u.InputTokens + u.CacheCreationInputTokens + u.CacheReadInputTokens
}

// Add returns the sum of two usages. Iterations are not kept: a sum over
// responses is no longer about one request.
func (u Usage) Add(v Usage) Usage {
	u.InputTokens += v.InputTokens
	u.CacheCreationInputTokens += v.CacheCreationInputTokens
	u.CacheReadInputTokens += v.CacheReadInputTokens
	u.OutputTokens += v.OutputTokens
	u.CacheCreation.Ephemeral5mInputTokens += v.CacheCreation.Ephemeral5mInputTokens
	u.CacheCreation.Ephemeral1hInputTokens += v.CacheCreation.Ephemeral1hInputTokens
	u.OutputTokensDetails.ThinkingTokens += v.OutputTokensDetails.ThinkingTokens
	u.ServerToolUse.WebSearchRequests += v.ServerToolUse.WebSearchRequests
	u.ServerToolUse.WebFetchRequests += v.ServerToolUse.WebFetchRequests
	u.Iterations = nil
	return u
}

// LastSampling is what the service sampled last for the response: the prompt
// that the next request begins with. It is false where the response has calls of
// server tools and the usage tells nothing but the sum over all samplings
// (reference §5.5); the Iteration is that sum then.
func (r *Response) LastSampling() (Iteration, bool) {
	u := &r.Usage
	for i := len(u.Iterations) - 1; i >= 0; i-- {
		if u.Iterations[i].Type == "message" {
			return u.Iterations[i], true
		}
	}
	sum := Iteration{
		Type: "message", Model: r.Model, InputTokens: u.InputTokens, CacheCreationInputTokens: u.CacheCreationInputTokens,
		CacheReadInputTokens: u.CacheReadInputTokens, OutputTokens: u.OutputTokens, CacheCreation: u.CacheCreation,
	}
	for _, b := range r.Content {
		if b.typ == TypeServerToolUse || b.typ == TypeMCPToolUse {
			return sum, false
		}
	}
	return sum, true
}

// parse reads a usage object. It agrees with encoding/json on what the service
// sends, and is there because every response holds two of them.
func (u *Usage) parse(raw []byte) error {
	return readObject(raw, func(key, v []byte) error {
		switch string(key) {
		case "input_tokens":
			return readInt(&u.InputTokens, v)
		case "cache_creation_input_tokens":
			return readInt(&u.CacheCreationInputTokens, v)
		case "cache_read_input_tokens":
			return readInt(&u.CacheReadInputTokens, v)
		case "output_tokens":
			return readInt(&u.OutputTokens, v)
		case "cache_creation":
			return readObject(v, func(key, v []byte) error {
				switch string(key) {
				case "ephemeral_5m_input_tokens":
					return readInt(&u.CacheCreation.Ephemeral5mInputTokens, v)
				case "ephemeral_1h_input_tokens":
					return readInt(&u.CacheCreation.Ephemeral1hInputTokens, v)
				}
				return nil
			})
		case "output_tokens_details":
			return json.Unmarshal(v, &u.OutputTokensDetails)
		case "server_tool_use":
			return json.Unmarshal(v, &u.ServerToolUse)
		case "service_tier":
			u.ServiceTier = rawjson.Unquote(v)
		case "inference_geo":
			u.InferenceGeo = rawjson.Unquote(v)
		case "speed":
			u.Speed = rawjson.Unquote(v)
		case "iterations":
			return json.Unmarshal(v, &u.Iterations)
		}
		return nil
	})
}

// readObject calls read for each member of an object that is not null.
func readObject(raw []byte, read func(key, value []byte) error) error {
	raw = rawjson.Trim(raw)
	if len(raw) == 0 || raw[0] != '{' {
		return fmt.Errorf("not an object: %s", brief(raw))
	}
	for key, v := range rawjson.Fields(raw) {
		if rawjson.IsNull(v) {
			continue
		}
		if err := read(key, v); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

func readInt(n *int64, v []byte) (err error) {
	*n, err = strconv.ParseInt(string(v), 10, 64)
	return err
}
