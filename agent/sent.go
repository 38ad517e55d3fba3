package agent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	sentdata "github.com/whorl-go/whorl/agent/internal/sent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A request is a function of the log, the agent and the clock. So that the log
// alone can tell later what was sent, it is told of the other two: a run's first
// record holds the part of the request that is the same in all of its steps, if
// it isn't that of the run before, and a response's record holds where the
// request was marked, and what it asked to be diagnosed.

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

// sentWith is what the response to req is recorded with: a sentdata.Data.
func (a *Agent) sentWith(req *transport.Request) []byte {
	var room [256]byte
	out := append(room[:0], '{')
	for i, b := range req.Breakpoints {
		if i == 0 {
			out = append(out, `"breakpoints":["`...)
		} else {
			out = append(out, `","`...)
		}
		out = sentdata.AppendPlace(out, b)
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
	s.Request.Breakpoints, err = sentdata.Breakpoints(rec.Data)
	if err != nil {
		return nil, fmt.Errorf("record %d: %w", n, err)
	}
	var d sentdata.Data
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
