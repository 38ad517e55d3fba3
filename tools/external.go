package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// ExternalOptions are the properties of a tool that is answered from outside. The
// zero value suits most.
type ExternalOptions struct {
	Options

	// Output is the JSON Schema (draft 2020-12) of answers, of any type. An answer that
	// doesn't fit is refused where it is given, and the call goes on waiting. Nil means
	// any JSON value.
	Output json.RawMessage
	// Kind names who can answer, for programs that route questions; empty means
	// "external".
	Kind string
	// Deadline is how long a call waits; 0 means for ever. Default is then the answer;
	// without one the model is told that nobody answered in time.
	Deadline time.Duration
	Default  json.RawMessage
	// MaxBytes is the most bytes of an answer; 0 means 1 MiB.
	MaxBytes int
}

// External makes a tool that has no function: a browser, a webhook or a person
// answers its calls. A call waits without a goroutine, as a [Question] in the
// conversation's log whose Data are the call's arguments, and the run ends once
// there is nothing else to do. The answer may come from any process, on any day,
// once; run the session on then.
//
// schema is that of the arguments, an object; nil means that there are none. The
// model is sent an answer that is a JSON string as its text, and any other as JSON.
func External(name, description string, schema json.RawMessage, o ExternalOptions) *FuncTool {
	q := Question{Kind: o.Kind, Prompt: "What is the result of " + name + "?", Schema: o.Output, Default: o.Default, MaxBytes: o.MaxBytes}
	if q.Kind == "" {
		q.Kind = "external"
	}
	o.Repeatable = true // to ask has no effect, and what was asked is not asked twice
	t := RawWith(name, description, schema, func(ctx context.Context, input json.RawMessage) (Result, error) {
		q := q
		q.Data = input
		return ask(ctx, q, o.Deadline)
	}, o.Options)
	if err := checkQuestion(q, o.Deadline); err != nil && t.err == nil {
		t.err = fmt.Errorf("tool %q: %w", name, err)
	}
	return t
}

// checkQuestion finds mistakes in what a tool asks in each call.
func checkQuestion(q Question, deadline time.Duration) error {
	switch {
	case deadline < 0:
		return fmt.Errorf("options: Deadline is %v: give the time that a call may wait, or 0 for ever", deadline)
	case deadline == 0 && q.Default != nil:
		return errors.New("options: Default is given without a Deadline, so nothing would ever use it")
	case q.MaxBytes < 0:
		return errors.New("options: MaxBytes must not be negative")
	}
	if q.Schema != nil {
		if _, err := compileAnswer(q.Schema); err != nil {
			return fmt.Errorf("options: Output: %w", err)
		}
	}
	if q.Default != nil {
		if err := q.Check(q.Default); err != nil {
			return fmt.Errorf("options: Default: %w", err)
		}
	}
	return nil
}

// ask puts a tool's question, and makes a result of the answer.
func ask(ctx context.Context, q Question, deadline time.Duration) (Result, error) {
	h, ok := HostOf(ctx)
	if !ok {
		return Result{}, errors.New("this tool is answered from outside of a run, and there is no run here")
	}
	if deadline > 0 {
		q.Deadline = time.Now().Add(deadline)
	}
	a, err := h.Ask(ctx, q)
	if err != nil {
		return Result{}, err
	}
	if raw := rawjson.Trim(a.Value); len(raw) > 0 && raw[0] == '"' {
		return Text(rawjson.Unquote(raw)), nil
	}
	return Result{Content: []transport.Block{transport.Text(string(a.Value))}}, nil
}
