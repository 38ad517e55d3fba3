package acp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	sdk "github.com/coder/acp-go-sdk"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
)

// A Problem is what an editor is told of an error: the data of a JSON-RPC error.
type Problem struct {
	// Type is a word for the kind of problem; programs go by it. It is "busy" if a prompt
	// is being answered, or another process works on the session; "no_session",
	// "bad_message" (a request, a path, a cursor, a picture that can't be taken), "bad_mode",
	// "budget", "stopped_early", "closing" and "failed" (any other error of a run).
	Type string `json:"type"`
	// Detail says what happened, and what to do.
	Detail string `json:"detail,omitempty"`

	code  int
	cause error
}

// Codes of JSON-RPC and of the protocol.
const (
	codeParse          = -32700
	codeInvalidRequest = -32600
	codeInvalidParams  = -32602
	codeInternal       = -32603
	codeNotFound       = -32002
)

// Error implements error.
func (p *Problem) Error() string { return "acp: " + p.Type + ": " + p.Detail }

// Unwrap returns the error that was the reason; nil on the editor's side.
func (p *Problem) Unwrap() error { return p.cause }

func problem(code int, kind, format string, args ...any) *Problem {
	return &Problem{Type: kind, Detail: fmt.Sprintf(format, args...), code: code}
}

func bad(format string, args ...any) *Problem {
	return problem(codeInvalidParams, "bad_message", format, args...)
}

func busy(id string) *Problem {
	return problem(codeInvalidRequest, "busy", "session %s answers a prompt already; wait for its end, or cancel it", id)
}

func noSession(id string) *Problem {
	return problem(codeNotFound, "no_session", "there is no session %q; begin one with session/new, or look at session/list", id)
}

// ProblemOf is the problem that an error of a client's connection tells; false if the
// agent gave none.
func ProblemOf(err error) (*Problem, bool) {
	var p *Problem
	if errors.As(err, &p) {
		return p, true
	}
	var e *sdk.RequestError
	if !errors.As(err, &e) {
		return nil, false
	}
	raw, err := json.Marshal(e.Data)
	if err != nil {
		return nil, false
	}
	p = &Problem{code: e.Code}
	if json.Unmarshal(raw, p) != nil || p.Type == "" {
		return nil, false
	}
	return p, true
}

// problemOf is how an error is told.
func problemOf(err error) *Problem {
	var p *Problem
	var lease *memory.LeaseError
	var budget *agent.BudgetError
	var stop *agent.StopError
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, errClosed):
		p = problem(codeInternal, "closing", "the agent ends; load the session to go on")
	case errors.As(err, &lease), errors.Is(err, memory.ErrLeased):
		p = problem(codeInvalidRequest, "busy", "another process works on the session; wait for its end: %v", err)
	case errors.Is(err, memory.ErrNoSession), errors.Is(err, memory.ErrReplaced):
		p = problem(codeNotFound, "no_session", "the session is not there any more: %v", err)
	case errors.As(err, &budget):
		p = problem(codeInternal, "budget", "%v", err)
	case errors.As(err, &stop):
		p = problem(codeInternal, "stopped_early", "%v", err)
	default:
		p = problem(codeInternal, "failed", "%v", err)
	}
	p.cause = err
	return p
}

// answer is an error as the connection tells it.
func answer(ctx context.Context, err error) *sdk.RequestError {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return sdk.NewRequestCancelled(nil)
	}
	var e *sdk.RequestError
	if errors.As(err, &e) {
		return e
	}
	p := problemOf(err)
	message := map[string]string{
		"busy": "The session is busy.", "no_session": "There is no such session.", "bad_message": "The request can't be taken.",
		"bad_mode": "There is no such mode.", "budget": "The budget is used up.", "stopped_early": "The model could not finish.", "closing": "The agent ends.",
	}[p.Type]
	if message == "" {
		message = "The run failed."
	}
	// Editors show the message, and few of them the data.
	return &sdk.RequestError{Code: p.code, Message: message + " " + p.Detail, Data: p}
}
