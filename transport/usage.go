package transport

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// Usage is what a response was billed for, in tokens. The three input counts
// are apart from each other: the whole prompt is their sum.
//
// On a request with server tools the input counts are the sum over the
// service's own iterations, so they tell the bill, not the size of the context
// (wire §5.5).
type Usage struct {
	InputTokens              int64 `json:"input_tokens"` // neither read from the cache nor written to it
	CacheCreationInputTokens int64 `json:"cache_creation_input_tokens"`
	CacheReadInputTokens     int64 `json:"cache_read_input_tokens"`
	OutputTokens             int64 `json:"output_tokens"` // thinking included

	CacheCreation       CacheCreation `json:"cache_creation"`
	OutputTokensDetails struct {
		ThinkingTokens int64 `json:"thinking_tokens"`
	} `json:"output_tokens_details"`
	ServerToolUse struct { // calls that are billed by the call
		WebSearchRequests int64 `json:"web_search_requests"`
		WebFetchRequests  int64 `json:"web_fetch_requests"`
	} `json:"server_tool_use"`
	ServiceTier  string `json:"service_tier"`
	InferenceGeo string `json:"inference_geo"`
	Speed        string `json:"speed"`

	// Iterations are the samplings that the request took. The counts above leave out
	// those of compaction, of the advisor and of models that refused, so the bill is
	// the sum of these where there are any (wire §5.5).
	Iterations []Iteration `json:"iterations"`
	// FallbackCredit is what became of a fallback_credit_token: {"status":{…}}, or nil.
	FallbackCredit json.RawMessage `json:"fallback_credit,omitempty"`
}

// CacheCreation splits the tokens written to the cache by how long they live.
type CacheCreation struct {
	Ephemeral5mInputTokens int64 `json:"ephemeral_5m_input_tokens"`
	Ephemeral1hInputTokens int64 `json:"ephemeral_1h_input_tokens"`
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

// PromptTokens is the size of the billed prompt: read, written and neither.
func (u Usage) PromptTokens() int64 {
	return u.InputTokens + u.CacheCreationInputTokens + u.CacheReadInputTokens
}

// Add returns the sum of two usages. Iterations and FallbackCredit are not kept: a
// sum over responses is no longer about one request.
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
	u.Iterations, u.FallbackCredit = nil, nil
	return u
}

// parse reads a usage object. A response is never lost for its bookkeeping: what
// is not of the documented form counts as not told, and counts that gateways
// write as "3" or 3.0 are read. Apart from that it agrees with encoding/json; it
// is there because every response holds two of these objects.
func (u *Usage) parse(raw []byte) {
	for key, v := range rawjson.Fields(raw) {
		switch string(key) {
		case "input_tokens":
			readInt(&u.InputTokens, v)
		case "cache_creation_input_tokens":
			readInt(&u.CacheCreationInputTokens, v)
		case "cache_read_input_tokens":
			readInt(&u.CacheReadInputTokens, v)
		case "output_tokens":
			readInt(&u.OutputTokens, v)
		case "cache_creation":
			u.CacheCreation.parse(v)
		case "output_tokens_details":
			readInt(&u.OutputTokensDetails.ThinkingTokens, rawjson.Get(v, "thinking_tokens"))
		case "server_tool_use":
			readInt(&u.ServerToolUse.WebSearchRequests, rawjson.Get(v, "web_search_requests"))
			readInt(&u.ServerToolUse.WebFetchRequests, rawjson.Get(v, "web_fetch_requests"))
		case "service_tier":
			u.ServiceTier = word(v)
		case "inference_geo":
			u.InferenceGeo = word(v)
		case "speed":
			u.Speed = word(v)
		case "fallback_credit":
			if !rawjson.IsNull(v) {
				u.FallbackCredit = v
			}
		case "iterations":
			for e := range rawjson.Elements(v) {
				u.Iterations = append(u.Iterations, parseIteration(e))
			}
		}
	}
}

func (c *CacheCreation) parse(raw []byte) {
	readInt(&c.Ephemeral5mInputTokens, rawjson.Get(raw, "ephemeral_5m_input_tokens"))
	readInt(&c.Ephemeral1hInputTokens, rawjson.Get(raw, "ephemeral_1h_input_tokens"))
}

func parseIteration(raw []byte) Iteration {
	it := Iteration{Type: rawjson.GetString(raw, "type"), Model: rawjson.GetString(raw, "model")}
	readInt(&it.InputTokens, rawjson.Get(raw, "input_tokens"))
	readInt(&it.CacheCreationInputTokens, rawjson.Get(raw, "cache_creation_input_tokens"))
	readInt(&it.CacheReadInputTokens, rawjson.Get(raw, "cache_read_input_tokens"))
	readInt(&it.OutputTokens, rawjson.Get(raw, "output_tokens"))
	it.CacheCreation.parse(rawjson.Get(raw, "cache_creation"))
	return it
}

// readInt reads a count. It leaves n as it is if v is none: nothing was ever
// counted less than 0.
func readInt(n *int64, v []byte) {
	if i, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		if i >= 0 {
			*n = i
		}
		return
	}
	if len(v) == 0 || v[0] == 'n' {
		return
	}
	if inner := rawjson.Inner(v); inner != nil {
		v = inner
	}
	if f, err := strconv.ParseFloat(string(v), 64); err == nil && f >= 0 && f < math.MaxInt64 {
		*n = int64(f)
	}
}
