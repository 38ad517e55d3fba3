package agent

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// grace is how long a tool that was told to stop has to return. After that its
// goroutine is left to itself: Go has no way to end it.
const grace = 500 * time.Millisecond

// errPanicked marks the error that stands for a tool's panic.
var errPanicked = errors.New("the tool crashed")

// outcome is what a tool returned.
type outcome struct {
	result tools.Result
	err    error
}

// perform runs one tool call and settles the job, whatever the tool does:
// return, fail, panic, hang, or give back too much.
func (r *Run) perform(ctx context.Context, j *job) {
	a := r.agent
	began := time.Now()
	ctx, span := r.startTool(ctx, j)
	o := a.call(ctx, j, r.news)
	j.took = time.Since(began)
	if tools.IsFatal(o.err) {
		j.fatal = o.err
	}
	o, j.spilled = a.spill(j, o)
	j.answer(a.limit(o, j.tool.traits.MaxResultBytes))
	r.endTool(ctx, span, j, o.err)
}

// call waits for the tool, for as long as it may take.
func (a *Agent) call(ctx context.Context, j *job, news chan<- progress) outcome {
	if ctx.Err() != nil {
		return outcome{err: errors.New("this call was not run: the run was cancelled")}
	}
	limit := j.tool.traits.Timeout
	if limit == 0 {
		limit = a.opts.Limits.ToolTime
	}
	tctx, cancel := ctx, context.CancelFunc(func() {})
	if limit > 0 {
		tctx, cancel = context.WithTimeout(ctx, limit)
	}
	defer cancel()
	tctx = tools.WithCall(withLog(tctx, j.log), tools.CallInfo{ID: j.call.ID, Name: j.call.Name, Progress: func(m string) {
		select {
		case news <- progress{j, m}:
		default: // the consumer is slow: a report is worth less than the tool's time
		}
	}})

	returned := make(chan outcome, 1)
	go func() { returned <- a.protect(tctx, j) }()
	select {
	case o := <-returned:
		return explain(ctx, tctx, o, limit)
	case <-tctx.Done():
	}
	hung := time.NewTimer(grace)
	defer hung.Stop()
	select {
	case o := <-returned:
		return explain(ctx, tctx, o, limit)
	case <-hung.C:
		o := outcome{err: errors.New("the tool did not return")}
		return explain(ctx, tctx, o, limit)
	}
}

// protect calls the tool and turns a panic into an error. The model is told the
// panic's value; the stack goes to the log.
func (a *Agent) protect(ctx context.Context, j *job) (o outcome) {
	defer func() {
		if v := recover(); v != nil {
			o = outcome{err: fmt.Errorf("%w: %v", errPanicked, v)}
			if a.telemetry.logger != nil {
				a.telemetry.logger.ErrorContext(ctx, "tool panicked", "tool", j.call.Name, "call_id", j.call.ID, "panic", v, "stack", string(debug.Stack()))
			}
		}
	}()
	o.result, o.err = j.tool.callable.Call(ctx, j.call.Input)
	return o
}

// explain puts the reason in place of a tool's own words where it was stopped.
func explain(run, call context.Context, o outcome, limit time.Duration) outcome {
	switch {
	case o.err == nil || tools.IsFatal(o.err):
	case run.Err() != nil:
		o.err = fmt.Errorf("the run was cancelled while this call ran; it may or may not have taken effect (%w)", o.err)
	case call.Err() != nil:
		o.err = fmt.Errorf("no result after %v, the time limit of this tool; ask for less at once (%w)", limit, o.err)
	}
	return o
}

// limit makes of an outcome what the model may be sent: no more text than the
// limit, no block that a result can't hold, and nothing but text in a failure
// (reference §3.2, §3.5).
func (a *Agent) limit(o outcome, most int) tools.Result {
	if o.err != nil {
		text := o.err.Error()
		if strings.TrimSpace(text) == "" {
			text = "the tool failed and did not say why"
		}
		o.result = tools.ErrorText(text)
	}
	if most == 0 {
		most = a.opts.Limits.ResultBytes
	}
	res := tools.Result{IsError: o.result.IsError}
	left, told := max(most, -1), false // bytes of text, -1 for no limit; whether a cut has been told
	for _, b := range o.result.Content {
		switch {
		case b.IsZero():
			continue
		case res.IsError && b.Type() != transport.TypeText:
			b = transport.Text(fmt.Sprintf("[%s left out: an error can hold text only]", b.Type()))
		case !inResult(b):
			b = transport.Text(fmt.Sprintf("[%s left out: a tool result can't hold it]", b.Type()))
		}
		if b.Type() == transport.TypeText {
			if !b.Markable() || told {
				continue // the service takes no blank text; and what is behind a cut is left out
			}
			b, left, told = cut(b, left)
		}
		res.Content = append(res.Content, b)
	}
	return res
}

// inResult reports whether the service may take the block in a tool result. A
// type that nobody knows yet passes.
func inResult(b transport.Block) bool {
	switch b.Type() {
	case transport.TypeThinking, transport.TypeRedactedThinking, transport.TypeToolUse, transport.TypeServerToolUse,
		transport.TypeMCPToolUse, transport.TypeMCPToolListing, transport.TypeContainerUpload, transport.TypeCompaction,
		transport.TypeFallback, transport.TypeToolAddition, transport.TypeToolRemoval:
		return false
	}
	return !strings.HasSuffix(b.Type(), "tool_result")
}

// cut shortens a text block to left bytes, which are those that the limit leaves
// it, and then says so in the text. It returns what is left for the next one.
func cut(b transport.Block, left int) (_ transport.Block, after int, told bool) {
	if left < 0 {
		return b, left, false
	}
	if len(b.Raw()) <= left {
		return b, left - len(b.Raw()), false
	}
	text := transport.Message{Content: []transport.Block{b}}.Text()
	if len(text) <= left {
		return b, left - len(text), false
	}
	end := left
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return transport.Text(fmt.Sprintf("%s\n[cut: this text has %d bytes, the first %d are above, and what came behind it is left out; ask for a smaller part]", text[:end], len(text), end)), 0, true
}

// unknownTool is what the model is told that calls a tool which is not there.
func (a *Agent) unknownTool(name string) string {
	var known []string
	for i := range a.request.Tools {
		if t := a.tools[toolKey{name: a.request.Tools[i].Name()}]; t != nil && t.callable != nil {
			known = append(known, t.name)
		}
	}
	if len(known) == 0 {
		return fmt.Sprintf("There is no tool %q; no tools can be called here.", name)
	}
	const most = 30
	more := ""
	if len(known) > most {
		more = fmt.Sprintf(" and %d more", len(known)-most)
		known = known[:most]
	}
	return fmt.Sprintf("There is no tool %q. The tools are: %s%s.", name, strings.Join(known, ", "), more)
}
