package tools

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/whorl-go/whorl/transport"
)

// A Tool is something the model may call. A value that is only a Tool runs at the
// provider, or is not answered here; a tool that the agent runs is a [Callable].
type Tool interface {
	// Definition returns the tool's entry in a request's "tools". It is called when
	// the tool is registered, and by [Prepare] if the model wrote arguments that are
	// no JSON; an error describes what is wrong with the tool and how to fix it.
	Definition() (transport.ToolDefinition, error)
}

// A Callable is a Tool that runs here.
type Callable interface {
	Tool

	// Call runs the tool. input is the JSON object that the model wrote, or what the
	// tool's [Normalizer] has made of it. ctx ends at the tool's time limit or with
	// the run; [CallID], [Progress] and [HostOf] work on it.
	//
	// An error becomes an is_error result that the model reads, so it should say
	// what to do differently. Only an error wrapped by [Fatal] ends the run.
	Call(ctx context.Context, input json.RawMessage) (Result, error)

	// Traits returns how the tool may be run.
	Traits() Traits
}

// A Normalizer is a Callable that takes arguments in more than one spelling, or not
// all arguments. Code that judges a call by its arguments, or shows them to a
// person, must use what Normalize returns and not what the model wrote. [Prepare]
// finds it and calls it.
type Normalizer interface {
	// Normalize returns the arguments to call the tool with, or an error if it
	// doesn't take them; the call is then answered with the error and not run. It is
	// a pure function, and gives back unchanged what it has returned before.
	Normalize(input json.RawMessage) (json.RawMessage, error)
}

// Traits are the properties of a tool that the agent acts on. The zero value
// suits most tools: run in parallel with others, at most once, with the agent's
// limits.
type Traits struct {
	// Timeout is the most time that a call may take; 0 means the agent's limit. A
	// Callable of your own may give a negative one for no limit.
	Timeout time.Duration
	// MaxResultBytes is the most bytes of result that the model is sent; 0 means
	// the agent's limit.
	MaxResultBytes int
	// Group names calls that exclude each other: of one non-empty group, one call
	// runs at a time, in the order of the calls.
	Group string
	// ReadOnly means that a call changes nothing. It may then start while the model is
	// still writing, and is discarded if the response turns out to be void. It may be run
	// again, as one that is Repeatable.
	ReadOnly bool
	// Repeatable means that a call may be run again after a crash that left it unknown
	// whether it had run. Otherwise the model is told that the outcome is unknown.
	Repeatable bool
	// NeedsApproval makes the run wait for a decision before each call.
	NeedsApproval bool
	// Final ends the run when a call succeeds: its result is the run's.
	Final bool

	// Untrusted means that strangers may have written the results (pages, mail,
	// issues), and Private that not everybody may know them (files, records of
	// customers). Outside means that a call may bring something to where others can
	// read it: it sends, posts or pays, or asks for an address that the model chose. A
	// call of a tool with the first or the second labels the conversation, and rules
	// see all three: see docs/policies.md.
	Untrusted, Private, Outside bool
}

// A Result is what a tool call returns to the model.
type Result struct {
	// Content is text, image, document and search_result blocks. None means an
	// empty result.
	Content []transport.Block
	// IsError marks the call as failed for the model. The service then takes text
	// only.
	IsError bool
}

// Text makes a Result of one text. The service takes no empty text, so the Result
// of "" has no content.
func Text(text string) Result {
	if text == "" {
		return Result{}
	}
	return Result{Content: []transport.Block{transport.Text(text)}}
}

// ErrorText makes a Result that tells the model what went wrong.
func ErrorText(text string) Result {
	r := Text(text)
	r.IsError = true
	return r
}

type fatalError struct{ err error }

func (e fatalError) Error() string { return e.err.Error() }
func (e fatalError) Unwrap() error { return e.err }

// Fatal marks err as one that ends the run instead of going to the model. The
// call is still answered, so that the log stays valid. Fatal(nil) is nil.
func Fatal(err error) error {
	if err == nil {
		return nil
	}
	return fatalError{err}
}

// IsFatal reports whether err or an error that it wraps was made by [Fatal]. An
// error whose methods panic is not, unless Fatal stands in front of it.
func IsFatal(err error) (fatal bool) {
	if err == nil {
		return false
	}
	_ = guard("Unwrap", func() error {
		var f fatalError
		fatal = errors.As(err, &f)
		return nil
	})
	return fatal
}
