package evals

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A Fork is a place in a recorded session: the point at which the model was called for
// the Step-th time. The case continues from there with the suite's agent, on a log in
// memory. The store is only read.
type Fork struct {
	Store   memory.Store
	Session string
	// Step counts the session's model calls from 1; a negative one counts from the
	// end, so that -1 is the last. 0 means 1.
	Step int
	// Redact changes records before the model sees them, also those behind the fork, from
	// which calls are answered. It can't drop one.
	Redact func(r *memory.Record) error
}

// Recorded returns a case for each session that q finds, forked at step; see [Fork].
// The cases have the same checks, and are named after the sessions' ids.
func Recorded(ctx context.Context, store memory.Store, q memory.Query, step int, checks ...Check) ([]Case, error) {
	var cases []Case
	for info, err := range store.List(ctx, q) {
		if err != nil {
			return nil, fmt.Errorf("evals: list the sessions: %w", err)
		}
		cases = append(cases, Case{Name: info.ID, From: &Fork{Store: store, Session: info.ID, Step: step}, Checks: checks})
	}
	return cases, nil
}

// A ForkError says that a session can't be forked where a case begins.
type ForkError struct {
	Session string
	Step    int
	Err     error
}

// Error returns the message, with the session and the step.
func (e *ForkError) Error() string {
	return fmt.Sprintf("session %q can't be forked at step %d: %v", e.Session, e.Step, e.Err)
}

// Unwrap returns the cause.
func (e *ForkError) Unwrap() error { return e.Err }

// open is the log up to the fork, and a middleware that answers what was called behind
// it.
func (f *Fork) open(ctx context.Context, list []tools.Tool) (*memory.Log, tools.Middleware, error) {
	wrong := func(err error) (*memory.Log, tools.Middleware, error) {
		return nil, nil, &ForkError{Session: f.Session, Step: f.Step, Err: err}
	}
	if f.Store == nil {
		return wrong(errors.New("Fork.Store is nil"))
	}
	whole, err := memory.Open(ctx, f.Store, f.Session)
	if err != nil {
		return wrong(err)
	}
	var responses []int
	for i, r := range whole.Records(0) {
		if r.Kind == memory.KindResponse {
			responses = append(responses, i)
		}
	}
	step := f.Step
	switch {
	case step == 0:
		step = 1
	case step < 0:
		step += len(responses) + 1
	}
	if step < 1 || step > len(responses) {
		return wrong(fmt.Errorf("the session has %d model calls; choose a step from 1 to that number, or a negative one, counted from the end", len(responses)))
	}
	n := responses[step-1]
	var log *memory.Log
	if f.Redact == nil {
		log, err = whole.ForkAt(n)
	} else {
		log = memory.NewLog()
		err = log.SetMeta(ctx, whole.Meta()) // as a fork has it: gates and tools look at it
	}
	if err != nil {
		return wrong(err)
	}
	recorded := newRecording(list)
	for i, r := range whole.Records(0) {
		if f.Redact == nil {
			recorded.add(r, r)
			continue
		}
		redacted := r
		if err := f.Redact(&redacted); err != nil {
			return wrong(fmt.Errorf("redact record %d: %w", i, err))
		}
		recorded.add(r, redacted) // also of what is behind the fork: the model is given its results
		if i >= n {
			continue
		}
		if err := log.Append(ctx, redacted); err != nil {
			return wrong(fmt.Errorf("record %d, as it was redacted: %w", i, err))
		}
	}
	return log, recorded.middleware, nil
}

// A recording has the calls of a session and what they were answered with.
type recording struct {
	readOnly map[string]bool
	open     map[string][]string // the keys of a call, by its id

	mu      sync.Mutex
	results map[string][]tools.Result
}

func newRecording(list []tools.Tool) *recording {
	r := &recording{readOnly: make(map[string]bool), open: make(map[string][]string), results: make(map[string][]tools.Result)}
	var see func(list []tools.Tool)
	see = func(list []tools.Tool) {
		for _, t := range list {
			c, ok := tools.As[tools.Callable](t)
			if !ok {
				continue
			}
			if def, err := t.Definition(); err == nil && c.Traits().ReadOnly {
				r.readOnly[def.Name()] = true
			}
			if nesting, ok := tools.As[tools.Nesting](t); ok {
				see(nesting.InnerTools())
			}
		}
	}
	see(list)
	return r
}

// add takes a record of the session, and what the model may see of it. A call is known by
// the arguments of both.
func (r *recording) add(rec, seen memory.Record) {
	switch {
	case rec.Kind == memory.KindResponse && seen.Kind == memory.KindResponse:
		for _, c := range rec.Response.ToolCalls() {
			r.open[c.ID] = []string{callKey(c.Name, c.Input)}
		}
		for _, c := range seen.Response.ToolCalls() {
			if key := callKey(c.Name, c.Input); !slices.Contains(r.open[c.ID], key) {
				r.open[c.ID] = append(r.open[c.ID], key)
			}
		}
	case rec.Kind == memory.KindResult && seen.Kind == memory.KindResult:
		for _, key := range r.open[rec.Block.ToolUseID()] {
			r.results[key] = append(r.results[key], resultOf(seen.Block))
		}
	}
}

// callKey is the same for calls of one tool with equal arguments, however they are
// written.
func callKey(name string, input []byte) string {
	v, err := decode(input)
	if err != nil {
		return name + " " + string(input)
	}
	b, _ := json.Marshal(asWritten(v))
	return name + " " + string(b)
}

// asWritten has fractions as floats, which have several spellings, and integers with all
// their digits: of two long ids a float would make one.
func asWritten(v any) any {
	switch v := v.(type) {
	case json.Number:
		if f, err := v.Float64(); err == nil && strings.ContainsAny(string(v), ".eE") {
			return f
		}
	case map[string]any:
		for key, e := range v {
			v[key] = asWritten(e)
		}
	case []any:
		for i, e := range v {
			v[i] = asWritten(e)
		}
	}
	return v
}

func resultOf(b transport.Block) tools.Result {
	res := tools.Result{IsError: string(rawjson.Get(b.Raw(), "is_error")) == "true"}
	content := rawjson.Get(b.Raw(), "content")
	if len(content) > 0 && content[0] == '"' {
		res.Content = tools.Text(rawjson.Unquote(content)).Content
		return res
	}
	for e := range rawjson.Elements(content) {
		if inner, err := transport.ParseBlock(e); err == nil {
			res.Content = append(res.Content, inner)
		}
	}
	return res
}

// resultText is the text of a tool_result.
func resultText(b transport.Block) (text string, isError bool) {
	res := resultOf(b)
	for _, c := range res.Content {
		text += rawjson.GetString(c.Raw(), "text")
	}
	return text, res.IsError
}

// middleware answers a call that the session had made with the result that it got
// then, in the order in which equal ones came. Another call is run if its tool only
// reads, and refused otherwise.
func (r *recording) middleware(next tools.CallFunc) tools.CallFunc {
	return func(ctx context.Context, input json.RawMessage) (tools.Result, error) {
		name := tools.CallOf(ctx).Name
		key := callKey(name, input)
		r.mu.Lock()
		list := r.results[key]
		if len(list) > 1 {
			r.results[key] = list[1:]
		}
		r.mu.Unlock()
		switch {
		case len(list) > 0:
			return list[0], nil
		case r.readOnly[name]:
			return next(ctx, input)
		}
		return tools.ErrorText(fmt.Sprintf("%s is not run in an evaluation: the recorded session has no such call, and the tool may change something.", name)), nil
	}
}
