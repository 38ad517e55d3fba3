package transport

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// A Response is a message that the service sent, streamed or whole. Its Raw
// form is the message object as a non-streamed response has it; the fields are
// views of it. It is immutable.
type Response struct {
	ID           string
	Model        string // the model that answered, which may be another than the one asked for
	Content      []Block
	StopReason   StopReason
	StopSequence string       // which of the stop sequences it met, if StopReason is stop_sequence
	StopDetails  *StopDetails // about a refusal; else nil
	Usage        Usage
	Container    *Container      // the code execution container in use, or nil
	Diagnostics  json.RawMessage // why the cache missed, if that was asked for; else nil

	// Cut names the tool calls whose input did not arrive whole. Their blocks hold
	// what there was, closed up so that it is valid JSON. They must not be run.
	Cut []string

	// Meta describes the exchange. It is not part of Raw.
	Meta Meta

	raw []byte
	// Of a streamed response the parts of Raw in front of and behind the elements of
	// "content"; raw is nil then.
	before, after []byte
}

// Meta describes the exchange that brought a response.
type Meta struct {
	RequestID, Endpoint string        // Endpoint is the name of the one of several that answered
	Attempts            int           // how many times the request was sent
	Lost                int           // attempts of which nothing came back, though they may have been billed
	FirstDelta          time.Duration // from sending to the first delta; 0 if there was none
	Duration            time.Duration // from sending to the end
	Sent                int64         // bytes of the request's body, those of all attempts
	RateLimit           *RateLimit    // nil if the service sent none
}

// RateLimit holds the limits that the service reported in the headers of a
// response. Fields that it did not report are zero.
type RateLimit struct {
	Requests, Tokens, InputTokens, OutputTokens Allowance
}

// An Allowance is one limit.
type Allowance struct {
	Limit, Remaining int64
	Reset            time.Time
}

// ParseResponse reads a message object. It keeps raw, not to be modified.
func ParseResponse(raw []byte) (*Response, error) {
	raw = rawjson.Trim(raw)
	if !rawjson.Valid(raw) || len(raw) == 0 || raw[0] != '{' {
		return nil, fmt.Errorf("response: not a JSON object: %s", brief(raw))
	}
	return parseResponse(raw)
}

// parseResponse reads a message object.
func parseResponse(raw []byte) (*Response, error) {
	r := &Response{raw: raw[:len(raw):len(raw)]}
	for key, v := range rawjson.Fields(raw) {
		if err := r.set(key, v, r); err != nil {
			return nil, err
		}
	}
	addIDs(r.Content, r.ID)
	return r, nil
}

// setAll reads the members of a message object. begun is as for set.
func (r *Response) setAll(members memberList, begun *Response) error {
	for _, m := range members {
		if err := r.set(m.key, m.value, begun); err != nil {
			return err
		}
	}
	return nil
}

// set reads one member. begun is the same message as it began, whose id and model are
// kept, or r itself.
func (r *Response) set(key, v []byte, begun *Response) (err error) {
	if rawjson.IsNull(v) {
		return nil
	}
	switch string(key) {
	case "id":
		r.ID = known(begun.ID, v)
	case "model":
		r.Model = known(begun.Model, v)
	case "stop_reason":
		r.StopReason = StopReason(word(v))
	case "stop_sequence":
		r.StopSequence = rawjson.Unquote(v)
	case "stop_details":
		r.StopDetails = parseStopDetails(v)
	case "usage":
		r.Usage.parse(v)
	case "container":
		r.Container = parseContainer(v)
	case "diagnostics":
		r.Diagnostics = v
	case "content":
		if r.Content, err = parseContent(v); err != nil {
			return fmt.Errorf("response %s: %w", r.ID, err)
		}
	}
	return nil
}

// known decodes a quoted string. If it is s it takes no memory.
func known(s string, quoted []byte) string {
	if in := rawjson.Inner(quoted); string(in) == s && bytes.IndexByte(in, '\\') < 0 {
		return s
	}
	return rawjson.Unquote(quoted)
}

// word decodes a quoted string. Those that nearly every response has take no memory.
func word(v []byte) string {
	switch string(v) {
	case `"tool_use"`:
		return "tool_use"
	case `"end_turn"`:
		return "end_turn"
	case `"standard"`:
		return "standard"
	case `"not_available"`:
		return "not_available"
	case `"global"`:
		return "global"
	}
	return rawjson.Unquote(v)
}

// Raw is the message object. The caller must not modify it. That of a streamed
// response is put together by each call.
func (r *Response) Raw() json.RawMessage {
	if r.raw != nil || r.before == nil {
		return r.raw
	}
	n := len(r.before) + len(r.after)
	for _, b := range r.Content {
		n += len(b.raw) + 1
	}
	out := append(make([]byte, 0, n), r.before...)
	for i, b := range r.Content {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, b.raw...)
	}
	return append(out, r.after...)
}

// Member is the JSON of a member of the message object, also of one that has no
// field here, or nil. It doesn't look at the content.
func (r *Response) Member(name string) json.RawMessage {
	if r.before == nil {
		return rawjson.Get(r.raw, name)
	}
	return rawjson.Get(append(r.before[:len(r.before):len(r.before)], r.after...), name)
}

// Text joins the text of the response's text blocks.
func (r *Response) Text() string { return joinText(r.Content) }

// A StopReason is the reason why the model stopped.
type StopReason string

// The stop reasons (wire §6.1).
const (
	StopEndTurn               StopReason = "end_turn"
	StopToolUse               StopReason = "tool_use"
	StopMaxTokens             StopReason = "max_tokens"
	StopStopSequence          StopReason = "stop_sequence"
	StopPauseTurn             StopReason = "pause_turn"
	StopRefusal               StopReason = "refusal"
	StopContextWindowExceeded StopReason = "model_context_window_exceeded"
	StopCompaction            StopReason = "compaction"
)

// StopDetails explains a refusal.
type StopDetails struct {
	Type             string `json:"type"`
	Category         string `json:"category"`    // "cyber", "bio" and so on; may be empty
	Explanation      string `json:"explanation"` // may be empty
	RecommendedModel string `json:"recommended_model"`
	// A token, valid for 5 minutes, for Extra["fallback_credit_token"] of the same request
	// to another model, and whether that may go on behind the partial answer.
	FallbackCreditToken     string `json:"fallback_credit_token"`
	FallbackHasPrefillClaim bool   `json:"fallback_has_prefill_claim"`
}

func parseStopDetails(raw []byte) *StopDetails {
	return &StopDetails{
		Type: rawjson.GetString(raw, "type"), Category: rawjson.GetString(raw, "category"),
		Explanation: rawjson.GetString(raw, "explanation"), RecommendedModel: rawjson.GetString(raw, "recommended_model"),
		FallbackCreditToken:     rawjson.GetString(raw, "fallback_credit_token"),
		FallbackHasPrefillClaim: string(rawjson.Get(raw, "fallback_has_prefill_claim")) == "true",
	}
}

// Container is a code execution container.
type Container struct {
	ID        string          `json:"id"`
	ExpiresAt time.Time       `json:"expires_at"`
	Skills    json.RawMessage `json:"skills"` // a list of {"type","skill_id","version"}, or nil
}

// parseContainer reads a container, or its bare id.
func parseContainer(raw []byte) *Container {
	if raw[0] == '"' {
		return &Container{ID: rawjson.Unquote(raw)}
	}
	c := &Container{ID: rawjson.GetString(raw, "id")}
	if t, err := time.Parse(time.RFC3339, rawjson.GetString(raw, "expires_at")); err == nil {
		c.ExpiresAt = t
	}
	if skills := rawjson.Get(raw, "skills"); !rawjson.IsNull(skills) {
		c.Skills = skills
	}
	return c
}
