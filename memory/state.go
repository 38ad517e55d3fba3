package memory

import (
	"slices"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/omit"
	"github.com/whorl-go/whorl/transport/wire"
)

// State summarizes a log's records, for choosing what to do next.
type State struct {
	// Messages is the number of messages in the next request.
	Messages int
	// Edits is how often messages were taken away or changed: by a summary, by an
	// omission, and by the refusal of a turn that had paused.
	Edits int
	// Sent is how many of them the request held that brought the newest response,
	// and Before how many the one before that. 0 where there was none.
	Sent, Before int

	// Container is the id of the container that the next request has to name: the newest
	// that a response named, unless an omission leaves it out.
	Container string
	// Omitted are the containers and MCP servers that omissions leave out of all later
	// requests. The slices are shared; the caller must not modify them.
	Omitted omit.Omission

	// Response is the newest response, or nil.
	Response *transport.Response
	// Input is true if an input stands behind the newest response: the model has
	// not seen it yet.
	Input bool
	// Pending is true if the service has a call of its own to finish: an input waits
	// until it has.
	Pending bool
	// Waiting is true if inputs wait for a place where they may stand.
	Waiting bool

	// Open are the tool calls that have no result yet, in order.
	Open []OpenCall
	// Final is true if a tool that ends the run has succeeded in this run.
	Final bool

	// Background are the sessions of sub-agents that work in the background and have
	// not ended. A fork has those of its origin. The slice is shared; the caller must
	// not modify it.
	Background []string

	// Limits are those of the newest run; nil if no run has begun.
	Limits *Limits
	// Counts are of the newest run.
	Counts Counts

	// Requests are the requests that were answered, oldest first. The slice is shared;
	// the caller must not modify it.
	Requests []Request
	// Configs are what the configurations of all runs mean to the prompt cache, each
	// of them once. The slice is shared.
	Configs []wire.CacheKey

	// Queued is the number of the newest message of the session's inbox that is in
	// the log; 0 if there is none. See [Inbox].
	Queued int64
}

// A Request is a request that was answered, in brief: enough to tell what the
// prompt cache holds of the conversation.
type Request struct {
	// At is when it was sent, the time of the record before its response, or when it
	// was last sent again to keep the cache warm.
	At time.Time
	// Messages is how many it held.
	Messages int
	// Prompt is the size of its prompt in tokens; Read, Written5m and Written1h are
	// the parts that the cache had or got.
	Prompt, Read, Written5m, Written1h int64
	// Sums is true if the service sampled several times and reported only the sums, so
	// that these are more than the size of one prompt.
	Sums bool
	// Config is the place in State.Configs, counted from 1, of the configuration that
	// it was sent with; 0 if that is unknown.
	Config int32
}

// addRequest adds the request that a response answers.
func (c *conversation) addRequest(sentAt time.Time, r *transport.Response) {
	c.requests = grown(c.requests, newRequest(sentAt, len(c.messages), c.config, r))
}

func newRequest(at time.Time, messages int, config int32, r *transport.Response) Request {
	last, one := wire.LastSampling(r)
	s := Request{
		At: at, Messages: messages, Sums: !one, Config: config,
		Prompt:    last.InputTokens + last.CacheCreationInputTokens + last.CacheReadInputTokens,
		Read:      last.CacheReadInputTokens,
		Written1h: min(last.CacheCreation.Ephemeral1hInputTokens, last.CacheCreationInputTokens),
	}
	s.Written5m = last.CacheCreationInputTokens - s.Written1h
	return s
}

// An OpenCall is a tool call without a result.
type OpenCall struct {
	transport.ToolCall
	// Started is true if the call may have been run.
	Started bool
	// ApprovalRequest is set if the call waits for approval, or did; Decision once there is one.
	ApprovalRequest *ApprovalRequest
	Decision        *Decision
}

// Counts are sums over a run.
type Counts struct {
	Steps  int // responses
	Pauses int // responses in a row, up to the newest, that paused
	Cuts   int // responses in a row, up to the newest, that were cut inside a tool call
	// Malformed are responses in a row, up to the newest whose calls are answered, with a
	// call that failed because its arguments are no JSON ([transport.InvalidJSON]).
	Malformed int
	// Empty are responses in a row, up to the newest, that go on, by their stop reason,
	// and hold nothing to go on from: no call, and no tool of the service in the turn.
	Empty int
}

func (n *Counts) add(r *transport.Response, stuck bool) {
	n.Steps++
	calls := r.HasToolCalls()
	count(&n.Pauses, r.StopReason == transport.StopPauseTurn)
	count(&n.Cuts, r.HasCutCalls())
	count(&n.Empty, stuck || !calls && r.StopReason == transport.StopToolUse)
}

func count(n *int, more bool) {
	if *n++; !more {
		*n = 0
	}
}

func (c *conversation) state() State {
	s := State{
		Messages: len(c.messages), Edits: c.edits, Sent: c.sent, Before: c.prev,
		Response: c.last, Input: c.input, Pending: c.pending, Waiting: len(c.waiting)+len(c.deferred) > 0,
		Container: c.container, Omitted: c.omitted,
		Final: c.final, Limits: c.limits, Counts: c.counts, Queued: c.queued, Background: c.background,
		Requests: slices.Clip(c.requests), Configs: c.configs,
	}
	if c.open > 0 {
		s.Open = make([]OpenCall, 0, c.open)
		for i := range c.calls {
			if cl := &c.calls[i]; cl.result.IsZero() {
				s.Open = append(s.Open, OpenCall{ToolCall: *cl.ToolCall, Started: cl.started, ApprovalRequest: cl.ask, Decision: cl.decision})
			}
		}
	}
	return s
}
