package agent

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	sentdata "github.com/whorl-go/whorl/agent/internal/sent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
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

// lacks is what the endpoint, or the model, doesn't take inside a conversation.
func (a *Agent) lacks() sentdata.Lacks {
	system := a.takesSystemMessages()
	compaction := a.features.Compaction && a.model.Supports.Compaction == models.Supported
	return sentdata.Lacks{
		System: !system, ToolChanges: !system || !a.features.InlineTools,
		Summaries: !compaction && a.request.ContextManagement == nil,
	}
}

// write makes of a log what is sent of it, and the state that goes with that. A log
// goes on with whichever model and endpoint it is given: it stays as it is, and what
// the endpoint lacks is written otherwise, each time a request is made.
func (a *Agent) write(log *memory.Log) (sentdata.Conversation, memory.State) {
	c := sentdata.Write(log.Messages(), a.lacks())
	return c, c.State(log.State())
}

// sentWith is what the response to req is recorded with: a sentdata.Data.
func (a *Agent) sentWith(req *transport.Request, thread string, log *memory.Log) []byte {
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
	if thread != "" {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(rawjson.AppendString(append(out, `"thread":`...), thread), `,"cache_control":`...)
		switch {
		case req.CacheControl == nil || req.Thread == nil || a.request.CacheControl != nil:
			out = append(out, "null"...)
		default:
			out = rawjson.AppendString(out, string(req.CacheControl.TTL))
		}
	}
	if lacks := a.lacks(); sentdata.Write(log.Messages(), lacks).Changed {
		for i, name := range lacks.Names() {
			switch {
			case i > 0:
				out = append(out, `","`...)
			case len(out) > 1:
				out = append(out, `,"without":["`...)
			default:
				out = append(out, `"without":["`...)
			}
			out = append(out, name...)
		}
		out = append(out, `"]`...)
	}
	return bytes.Clone(append(out, '}')) // as many bytes as it has: it is kept for long
}

// responseAt is the position of the newest response.
func (r *Run) responseAt() int {
	if r.record == 0 {
		r.record = newestResponse(r.log)
	}
	return r.record
}
