package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/whorl-go/whorl/agent/internal/cacheplan"
	"github.com/whorl-go/whorl/agent/internal/observe"
	"github.com/whorl-go/whorl/agent/internal/pricing"
	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/view"
	"github.com/whorl-go/whorl/transport/wire"
)

// Compaction specifies when a long conversation is replaced by a summary of it.
// That is done between two steps, where the expected saving is more than the
// summary costs: soonest after a pause, when the prompt would have to be written to
// the cache again anyway. A prompt that comes near the end of the context window is
// summarized in any case.
//
// If the model and the endpoint support it, the service makes the summary
// (compact-2026-09-04): thinking stays valid, and the request for it reads the
// cache. The newest step is kept as it is. Elsewhere the model is asked with
// Prompt, and all that was said gives way to the one message with its answer, the
// only shape that keeps thinking valid (wire §10.4).
//
// The summarized messages stay in the log. A summary that fails changes nothing,
// and is tried again: at the next step if the failure may pass, else once the
// prompt has grown. It waits while a turn pauses.
type Compaction struct {
	// Over is the size of the prompt, in tokens, below which nothing is summarized; 0
	// means 150,000. After a pause that has emptied the cache, half of it is enough.
	Over int64
	// Steps is how many more model calls are expected; 0 means as many as there were.
	Steps int
	// Instructions replace the service's own for the summary, at most 16,384 characters.
	Instructions string
	// Prompt is what the model is told where the service makes no summaries, such as
	// "Sum up all of the above, so that the work can go on from your summary alone."
	// Empty means that nothing is summarized there.
	Prompt string
}

const (
	defaultCompactOver = 150_000
	summaryMaxTokens   = 16_000
)

// wasUnsummarized reads such a note.
func wasUnsummarized(note memory.Record) summaryTry {
	t := summaryTry{failed: true}
	_, _ = fmt.Sscan(string(rawjson.Get(note.Data, "prompt_tokens")), &t.size)
	return t
}

// A summaryTry is what came of the newest request for a summary in this run.
type summaryTry struct {
	failed bool
	size   int64 // of the prompt then; 0 if what was wrong may have passed by now
}

// again reports whether a summary is to be tried, after one that failed: at the next
// place where one may stand if the failure may pass; else once the prompt has
// become larger by an eighth, or by a 32nd where the window is nearly full.
func (t summaryTry) again(size int64, full bool) bool {
	part := int64(8)
	if full {
		part = 32
	}
	return !t.failed || size >= t.size+t.size/part
}

// compact shortens the conversation if that pays, by Options.Context.Compaction.
func (r *Run) compact(ctx context.Context, emit func(Event) bool) (err error) {
	c := r.agent.opts.Context.Compaction
	var s memory.State
	written := r.write(&s)
	if r.lastStep != nil || s.Pending || s.Input && s.Response == nil || len(s.Requests) == 0 {
		return nil
	}
	req := r.nextRequest()
	p := r.agent.prompt(req, r.key, &r.seen, &s)
	h := cacheplan.Observe(&p)
	size := h.Size(&p)
	isFull := full(r.agent.model, req, size)
	if !isFull && !c.pays(h.Outlook(&p, c.Steps, p.NewTokens(s.Sent))) || !r.summary.again(size, isFull) {
		return nil
	}
	summary, n := r.summaryRequest(*req, s, h)
	if summary == nil {
		return nil
	}
	held, err := r.reserveSummary(ctx, r.quote(summary, s), isFull)
	if held == nil {
		return err
	}
	defer func() { err = joined(err, held.release(ctx)) }()
	chat := r.startChat(ctx, summary, observe.Summary)
	var tries attempts
	resp, err := r.stream(chat, summary, &tries, func(ev transport.Event) bool {
		r.observed.SawEvent(chat, &r.chat, ev.Type)
		return true
	})
	at := time.Now()
	var bill Bill
	if resp != nil {
		r.price(&bill, summary, resp, at)
	}
	r.endChat(chat, resp, &bill, err)
	if err != nil {
		if mayPass(err) {
			size = 0
		}
		tries.failed(err)
		if e := r.append(ctx, append(r.recordFailed(held, &tries), r.unsummarized(size))...); e != nil {
			return e
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		r.warn(ctx, "the conversation was not summarized", "error_type", errorType(err))
		return nil
	}
	records := append(r.recordFailed(held, &tries), memory.Record{Kind: memory.KindNote, Note: notes.Aside, Time: at, Data: pricing.NoteData(resp)})
	booked := held.spend(ctx, &bill)
	r.spend(&bill)
	if m, ok := summaryOf(resp); ok {
		r.summary = summaryTry{}
		inLog := written.InLog(n)
		records = append(records, memory.Record{Kind: memory.KindSummary, Message: m, Replaces: inLog})
		records = append(records, stillInForce(r.log.Messages(), inLog, resp.StopReason == transport.StopCompaction)...)
	} else {
		records = append(records, r.unsummarized(size))
		r.warn(ctx, "the conversation was not summarized", "stop_reason", string(resp.StopReason))
	}
	if err := joined(r.append(ctx, records...), booked); err != nil {
		return err
	}
	if !emit(Event{Type: EventSummary, Step: r.result.Steps, Response: resp, Cost: bill.Cost, Took: resp.Meta.Duration}) {
		return ErrStopped
	}
	return nil
}

// unsummarized notes that a summary failed, and by how large the prompt was then when
// it is to be tried again, whichever process goes on with the run; see [summaryTry].
func (r *Run) unsummarized(size int64) memory.Record {
	r.summary = summaryTry{failed: true, size: size}
	return memory.Record{Kind: memory.KindNote, Note: notes.Unsummarized, Data: fmt.Appendf(nil, `{"prompt_tokens":%d}`, size)}
}

// reserveSummary sets aside what a request for a summary may cost. It gives nil if
// that is not there, or not now; near the end of the window it waits for calls under
// way that may leave enough.
func (r *Run) reserveSummary(ctx context.Context, q quote, isFull bool) (*reservation, error) {
	for {
		held, wait, err := r.reserveAll(ctx, q)
		var short *BudgetError
		if held != nil || errors.As(err, &short) || wait != nil && !isFull {
			return held, nil
		}
		if err != nil {
			return nil, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// full reports whether the prompt leaves too little of the context window.
func full(m models.Model, req *transport.Request, size int64) bool {
	return m.Limits.ContextTokens > 0 && size+int64(req.MaxTokens)+summaryMaxTokens > int64(m.Limits.ContextTokens)
}

// pays judges whether a summary is worth it now.
func (c *Compaction) pays(o cacheplan.Outlook) bool {
	over := cmp.Or(c.Over, defaultCompactOver)
	if o.Cold() {
		over /= 2
	}
	return o.Size >= over && o.Summarized() < o.AsIs()
}

// summaryRequest makes the request for a summary, and tells how many messages
// that takes the place of. It is nil if there is no way.
func (r *Run) summaryRequest(req transport.Request, s memory.State, h cacheplan.History) (*transport.Request, int) {
	c := r.agent.opts.Context.Compaction
	n := 0
	if r.agent.features.Compaction && r.agent.model.Supports.Compaction == models.Supported {
		n = ownSummary(req.Messages, s)
	}
	switch {
	case n > 0:
		req.Messages = req.Messages[:n]
		spec := struct {
			Type         string `json:"type"`
			Instructions string `json:"instructions,omitempty"`
		}{"summarize", c.Instructions}
		raw, err := json.Marshal(spec)
		if err != nil {
			return nil, 0
		}
		req.Compaction, req.ContextManagement = raw, nil
	case c.Prompt != "":
		for n = len(req.Messages); n > 0 && (cacheplan.IsInput(req.Messages, n) || req.Messages[n-1].Role == transport.RoleSystem); {
			n-- // new inputs are kept
		}
		if n < 2 {
			return nil, 0
		}
		req.Messages = append(slices.Clip(req.Messages[:n]), transport.UserText(c.Prompt))
	default:
		return nil, 0
	}
	// A summary has nothing of the answer's shape.
	req.StopSequences = nil
	if o := req.OutputConfig; o != nil && o.Format != nil {
		plain := *o
		plain.Format = nil
		req.OutputConfig = &plain
	}
	if t := req.ToolChoice; t != nil && (t.Type == "any" || t.Type == "tool") {
		req.ToolChoice = nil
	}
	req.MaxTokens = min(req.MaxTokens, summaryMaxTokens)
	if req.Breakpoints = nil; h.Readable > 0 && req.CacheControl == nil {
		p := r.agent.prompt(&req, r.key, nil, &s)
		p.Messages = p.Messages[:min(n, len(p.Messages))]
		req.Breakpoints = cacheplan.Plan(&p, r.agent.opts.Cache.options())
	}
	return &req, n
}

// ownSummary is how many messages the service can sum up, or 0: those that were sent
// with the newest request that did not go on from a paused turn, as they are in the
// cache, or were. What follows is kept: it must begin with another role than what goes
// ends with, and what goes must be complete (wire §10.4), with the results of all calls
// in it: that of a server tool may come in a later response.
func ownSummary(messages []transport.Message, s memory.State) int {
	for i := len(s.Requests) - 1; i >= 0; i-- {
		n := s.Requests[i].Messages
		if n > 0 && n < len(messages) && messages[n].Role == transport.RoleAssistant && messages[n-1].Role != transport.RoleAssistant && isWhole(messages[n:]) {
			return n
		}
	}
	return 0
}

// isWhole reports whether messages have the call of each result of a server tool in them.
func isWhole(messages []transport.Message) bool {
	calls := make(map[string]bool)
	for i := range messages {
		for _, b := range messages[i].Content {
			if wire.IsServerResult(b.Type()) && !calls[b.ToolUseID()] {
				return false
			}
			if id := rawjson.GetString(b.Raw(), "id"); id != "" {
				calls[id] = true
			}
		}
	}
	return true
}

// summaryOf is the message that stands for what was summarized. It is false if
// there is no summary: the service then answers with another stop reason, an
// empty block or calls of tools (wire §10.4).
func summaryOf(resp *transport.Response) (transport.Message, bool) {
	switch resp.StopReason {
	case transport.StopCompaction:
		for _, b := range resp.Content {
			if b.Type() == view.TypeCompaction && !rawjson.IsNull(rawjson.Get(b.Raw(), "content")) {
				return transport.Message{Role: transport.RoleAssistant, Content: []transport.Block{b}}, true
			}
		}
	case transport.StopEndTurn:
		if text := resp.Text(); strings.TrimSpace(text) != "" && len(resp.ToolCalls()) == 0 {
			return transport.UserText(text), true
		}
	}
	return transport.Message{}, false
}

// stillInForce are the instructions and the changes of tools among the first n
// messages. A summary loses them, so they are given again; but one by the service
// keeps the changes (wire §10.4). Then those behind the first n are said once more,
// as the newest word on a matter is the one in force; and no word twice.
func stillInForce(messages []transport.Message, n int, keepsChanges bool) []memory.Record {
	if messages[len(messages)-1].Role == transport.RoleAssistant {
		return nil
	}
	var again []memory.Record
	lost := false
	for i, m := range messages {
		if m.Role != transport.RoleSystem || m.ClearAt != "" || i >= n && !lost {
			continue
		}
		text := m
		text.Content = slices.DeleteFunc(slices.Clone(m.Content), func(b transport.Block) bool { return keepsChanges && b.Type() != transport.TypeText })
		if len(text.Content) == 0 {
			continue
		}
		lost = true
		again = slices.DeleteFunc(again, func(r memory.Record) bool { return sameMessage(&r.Message, &text) })
		again = append(again, memory.Record{Kind: memory.KindInput, Message: text})
	}
	return again
}
