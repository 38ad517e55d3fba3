package agent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A request is a function of the log, the agent and the clock. So that the log
// alone can tell later what was sent, it is told of the other two: a run's first
// record holds the part of the request that is the same in all of its steps, if
// it isn't that of the run before, and a response's record holds where the
// request was marked, and what it asked to be diagnosed.

// sentData is what a response's record holds of its request.
type sentData struct {
	// Breakpoints are places such as "system.0" or "messages.4.content.1", those that
	// live for an hour with "=1h" behind.
	Breakpoints []string `json:"breakpoints,omitempty"`
	// MaxTokens is that of a request which a budget made shorter; 0 for the configured one.
	MaxTokens int `json:"max_tokens,omitempty"`
	// Previous is diagnostics.previous_message_id; nil if no diagnosis was asked for.
	Previous *string `json:"previous_message_id,omitempty"`
}

// sentConfig is the request without messages and marks, and without secrets.
func sentConfig(r transport.Request) []byte {
	r.Messages, r.Breakpoints, r.Diagnostics, r.Container = nil, nil, nil, nil
	r.MCPServers = withoutTokens(r.MCPServers)
	body, err := r.StreamBody()
	if err != nil {
		return nil // the first request will fail, and say why
	}
	return body.Bytes()
}

// withoutTokens blanks the authorization_token of each MCP server.
func withoutTokens(servers json.RawMessage) json.RawMessage {
	if !strings.Contains(string(servers), "authorization_token") {
		return servers
	}
	out := []byte{'['}
	for e := range rawjson.Elements(servers) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		if rawjson.Get(e, "authorization_token") != nil {
			e = rawjson.Merge(e, []byte(`{"authorization_token":"[left out]"}`))
		}
		out = append(out, e...)
	}
	return append(out, ']')
}

// newestConfig is the configuration of the newest run in front of record n.
func newestConfig(log *memory.Log, n int) []byte {
	var config []byte
	for i, r := range log.Records(0) {
		if i >= n {
			break
		}
		if r.Kind == memory.KindRun && r.Data != nil {
			config = r.Data
		}
	}
	return config
}

// sentWith is what the response to req is recorded with: a sentData.
func (a *Agent) sentWith(req *transport.Request) []byte {
	var room [256]byte
	out := append(room[:0], '{')
	for i, b := range req.Breakpoints {
		if i == 0 {
			out = append(out, `"breakpoints":["`...)
		} else {
			out = append(out, `","`...)
		}
		out = appendPlace(out, b)
	}
	if len(req.Breakpoints) > 0 {
		out = append(out, `"]`...)
	}
	if req.MaxTokens != a.request.MaxTokens {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(append(out, `"max_tokens":`...), int64(req.MaxTokens), 10)
	}
	if req.Diagnostics != nil {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, `"previous_message_id":`...)
		out = rawjson.AppendString(out, req.Diagnostics.PreviousMessageID)
	}
	return bytes.Clone(append(out, '}')) // as many bytes as it has: it is kept for long
}

// appendPlace appends the place of b as it stands in sentData.
func appendPlace(dst []byte, b transport.Breakpoint) []byte {
	switch b.Part {
	case transport.PartTools:
		dst = strconv.AppendInt(append(dst, "tools."...), int64(b.Index), 10)
	case transport.PartSystem:
		dst = strconv.AppendInt(append(dst, "system."...), int64(b.Index), 10)
	default:
		dst = strconv.AppendInt(append(dst, "messages."...), int64(b.Index), 10)
		dst = strconv.AppendInt(append(dst, ".content."...), int64(b.Block), 10)
	}
	if b.TTL != "" {
		dst = append(append(dst, '='), b.TTL...)
	}
	return dst
}

// parsePlace reads what appendPlace writes.
func parsePlace(s string) (b transport.Breakpoint, err error) {
	place, ttl, _ := strings.Cut(s, "=")
	b.TTL = transport.TTL(ttl)
	parts := strings.Split(place, ".")
	i := slices.Index([]string{"tools", "system", "messages"}, parts[0])
	if i < 0 || len(parts) != 2 && (len(parts) != 4 || parts[2] != "content") {
		return b, fmt.Errorf("breakpoint %q is no place in a request", s)
	}
	b.Part = []transport.Part{transport.PartTools, transport.PartSystem, transport.PartMessages}[i]
	if b.Index, err = strconv.Atoi(parts[1]); err == nil && len(parts) == 4 {
		b.Block, err = strconv.Atoi(parts[3])
	}
	return b, err
}

// A Sent is a request that was answered, as the log tells of it.
type Sent struct {
	// Request is what was sent, but for credentials of MCP servers.
	Request *transport.Request
	// Configured is false if the log does not tell the configuration: it was written
	// by something else than an Agent. Request then holds messages only.
	Configured bool
}

// SentRequest returns the request that brought the response at record n of a
// log: body for body what went over the wire. It fails if record n is no
// response.
func SentRequest(log *memory.Log, n int) (*Sent, error) {
	before, err := log.ForkAt(n)
	if err != nil {
		return nil, err
	}
	var rec memory.Record
	for _, rec = range log.Records(n) {
		break
	}
	if rec.Kind != memory.KindResponse {
		return nil, fmt.Errorf("record %d is no response, so no request was sent for it", n)
	}
	s := &Sent{Request: new(transport.Request)}
	if config := newestConfig(before, n); config != nil {
		if err := json.Unmarshal(config, s.Request); err != nil {
			return nil, fmt.Errorf("the configuration in front of record %d: %w", n, err)
		}
		s.Configured = true
	}
	s.Request.Messages = before.Messages()
	if c := containerOf(before.State().Response); c != nil {
		s.Request.Container = c
	}
	s.Request.Breakpoints, err = SentBreakpoints(rec)
	if err != nil {
		return nil, fmt.Errorf("record %d: %w", n, err)
	}
	var d sentData
	if json.Unmarshal(rec.Data, &d) == nil {
		if d.Previous != nil {
			s.Request.Diagnostics = &transport.Diagnostics{PreviousMessageID: *d.Previous}
		}
		if d.MaxTokens != 0 {
			s.Request.MaxTokens = d.MaxTokens
		}
	}
	return s, nil
}

// SentBreakpoints tells where the request was marked that brought a response.
func SentBreakpoints(response memory.Record) ([]transport.Breakpoint, error) {
	var d sentData
	if len(response.Data) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(response.Data, &d); err != nil {
		return nil, err
	}
	marks := make([]transport.Breakpoint, len(d.Breakpoints))
	for i, s := range d.Breakpoints {
		b, err := parsePlace(s)
		if err != nil {
			return nil, err
		}
		marks[i] = b
	}
	return marks, nil
}
