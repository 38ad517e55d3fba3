package agent

import (
	"context"
	"encoding/json"
	"time"

	"github.com/whorl-go/whorl/agent/internal/hook"
	"github.com/whorl-go/whorl/transport"
)

// EventType specifies what an [Event] is about.
type EventType string

// The events of a run. Those of one step come in this order.
const (
	// EventStep: a request is about to be sent. Step.
	EventStep EventType = "step"
	// EventStream: an event of the model's stream. Stream.
	EventStream EventType = "stream"
	// EventResponse: the response is complete and in the log. Response, Cost, Miss, Took.
	EventResponse EventType = "response"
	// EventSummary: the conversation so far was summarized, or could not be; see
	// [Compaction]. Response, Cost, Took.
	EventSummary EventType = "summary"
	// EventWait: a tool call begins to wait for a decision, or for an answer to what its
	// tool asks. Call, Pending or Question.
	EventWait EventType = "wait"
	// EventDecided: a call that waited has been decided on, or its question was
	// answered or not. Call, and Decision or Question.
	EventDecided EventType = "decided"
	// EventToolStart: a tool call is about to be run. Call. A call of a read-only tool
	// may start while the model still writes, before EventResponse; if that response
	// turns out to be void, the call has no EventToolEnd.
	EventToolStart EventType = "tool_start"
	// EventToolProgress: a running tool reports. Call, Progress. These come as they
	// are made, in no order among calls.
	EventToolProgress EventType = "tool_progress"
	// EventToolEnd: a tool call is answered. Call, Result, IsError, Took. These come
	// in the order of the calls, whichever was done first.
	EventToolEnd EventType = "tool_end"
)

// An Event is something that happened in a run. It is valid until the next
// event is asked for; what it points to may be kept.
type Event struct {
	Type EventType
	Step int // counts the run's model calls from 1

	Stream   transport.Event
	Response *transport.Response
	Cost     Cost  // of this step
	Miss     *Miss // of the cache; nil if there was none

	Call     transport.ToolCall
	Pending  *PendingCall     // what waits for a decision; decide on it from anywhere
	Question *PendingQuestion // what waits for an answer; answer it from anywhere
	Decision *Decision        // Allow or Deny
	Progress string
	Result   transport.Block // the tool_result
	IsError  bool

	Took time.Duration
}

// Text is what a stream event adds to the answer that a person reads, or "".
func (e Event) Text() string { return e.delta(transport.DeltaText) }

// Thinking is what a stream event adds to the model's thinking, or "".
func (e Event) Thinking() string { return e.delta(transport.DeltaThinking) }

// delta is the text of a stream event's delta of a type, or "".
func (e Event) delta(typ transport.DeltaType) string {
	if e.Type == EventStream && e.Stream.Delta.Type == typ {
		return e.Stream.Delta.Text()
	}
	return ""
}

// MarshalJSON gives the event as one JSON object, with the members that its type uses.
func (e Event) MarshalJSON() ([]byte, error) {
	w := struct {
		Type     EventType        `json:"type"`
		Step     int              `json:"step"`
		Event    json.RawMessage  `json:"event,omitempty"`
		Response json.RawMessage  `json:"response,omitempty"`
		CostUSD  *float64         `json:"cost_usd,omitempty"`
		Sent     int64            `json:"sent_bytes,omitempty"`
		Miss     *missJSON        `json:"cache_miss,omitempty"`
		CallID   string           `json:"call_id,omitempty"`
		Pending  *PendingCall     `json:"pending,omitempty"`
		Question *PendingQuestion `json:"question,omitempty"`
		Decision Permission       `json:"decision,omitempty"`
		Reason   string           `json:"reason,omitempty"`
		Tool     string           `json:"tool,omitempty"`
		Input    json.RawMessage  `json:"input,omitempty"`
		Progress string           `json:"progress,omitempty"`
		Result   json.RawMessage  `json:"result,omitempty"`
		IsError  bool             `json:"is_error,omitempty"`
		TookMS   float64          `json:"took_ms,omitempty"`
	}{
		Type: e.Type, Step: e.Step, Event: e.Stream.Raw, CallID: e.Call.ID, Tool: e.Call.Name, Input: e.Call.Input,
		Progress: e.Progress, Result: e.Result.Raw(), IsError: e.IsError, TookMS: float64(e.Took.Microseconds()) / 1000,
	}
	w.Pending, w.Question = e.Pending, e.Question
	if e.Decision != nil {
		w.Decision, w.Reason = e.Decision.Permission, e.Decision.Reason
	}
	if e.Type == EventStream && w.Event == nil {
		w.Event, _ = json.Marshal(map[string]string{"type": string(e.Stream.Type)})
	}
	if e.Response != nil {
		w.Response, w.Sent = e.Response.Raw(), e.Response.Meta.Sent
		if !e.Cost.Incomplete {
			w.CostUSD = &e.Cost.USD
		}
	}
	if m := e.Miss; m != nil {
		w.Miss = &missJSON{Reason: m.Reason, Tokens: m.Tokens}
		if !m.Cost.Incomplete {
			w.Miss.CostUSD = &m.Cost.USD
		}
	}
	return json.Marshal(w)
}

type missJSON struct {
	Reason  string   `json:"reason"`
	Tokens  int64    `json:"tokens"`
	CostUSD *float64 `json:"cost_usd,omitempty"`
}

// watched makes emit tell those who watch the run, too: see package feed. ended
// tells them of its end. Nothing is made where nobody watches.
func (r *Run) watched(ctx context.Context, emit func(Event) bool) (_ func(Event) bool, ended func()) {
	tell := hook.Of[Event](ctx)
	if tell == nil {
		return emit, func() {}
	}
	report := hook.Report[Event]{Log: r.log}
	if caller := runOf(ctx); caller != nil {
		report.Caller = caller.log
	}
	tell(report)
	var seen Event
	emitSeen := func(ev Event) bool {
		seen = ev
		report.Event = &seen
		tell(report)
		return emit(ev)
	}
	return emitSeen, func() {
		report.Event, report.Over, report.Err = nil, true, r.err
		tell(report)
	}
}

// emitStep, emitToolStart, emitRestarted and emitResponse report what they are named for. They are not
// inlined: an Event is large, and would lie on the stack while a response is waited for.
//
//go:noinline
func emitStep(emit func(Event) bool, step int) bool {
	return emit(Event{Type: EventStep, Step: step})
}

//go:noinline
func emitToolStart(emit func(Event) bool, step int, j *job) bool {
	return emit(Event{Type: EventToolStart, Step: step, Call: j.call.ToolCall})
}

//go:noinline
func emitRestarted(emit func(transport.Event) bool, tries *attempts) bool {
	ev := transport.Event{Type: transport.EventRestarted}
	tries.observe(ev)
	return emit(ev)
}

//go:noinline
func (r *Run) emitResponse(emit func(Event) bool, resp *transport.Response, bill *Bill, miss *Miss) bool {
	return emit(Event{Type: EventResponse, Step: r.result.Steps, Response: resp, Cost: bill.Cost, Miss: miss, Took: resp.Meta.Duration})
}
