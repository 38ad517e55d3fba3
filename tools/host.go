package tools

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/whorl-go/whorl/transport"
)

// A Host is what a running tool may ask of the run that called it. The agent
// fills it; [HostOf] finds it.
//
// The agent records what a Host is given in the conversation's log under the call,
// so that it outlives the process. A call that was interrupted, or that waits for
// an answer, runs again from its beginning, with the same [CallInfo.Key]: what it
// asked for before is then answered from the log. A tool that uses a Host must
// therefore ask for the same things in the same order when it is given the same
// answers, and must do what can't be repeated inside a call of another tool or
// after a note.
//
// All methods may be used by several goroutines; they return an error when the
// call's context has ended.
type Host interface {
	// CallTool calls another tool: one of the run's, or one of [Nesting.InnerTools].
	// The call goes through the gate, the limits, the middleware, the traces and the
	// budget like one of the model's, and is recorded.
	//
	// call.ID distinguishes this call's inner calls and must be the same when the call
	// runs again; if it is empty they are numbered in the order in which they are
	// made. An inner call that has a result in the log is not run again: its result is
	// returned, or a [*DivergedError] if it was a call of another tool or with other
	// arguments.
	//
	// A tool's failure is a Result with IsError. The error is for what ends this
	// call too: it matches [ErrWaiting] while the inner call waits for an approval
	// or an answer, and the tool must return it.
	CallTool(ctx context.Context, call transport.ToolCall) (Result, error)

	// Ask puts a question to somebody outside of the run: a person, a browser, a
	// webhook. The first time it returns an error that matches [ErrWaiting], and the
	// tool must return that error (or one that wraps it). The question is then in
	// the log, and the call stays open without a goroutine. Once the answer is
	// recorded, by any process, the tool is called again, and Ask returns the answer.
	//
	// A tool may ask several questions before it returns; all of them are then open
	// at once.
	//
	// An error matches [ErrDeclined] or [ErrExpired] if there will be no answer, or is
	// an [*AnswerError] if the Default is none that the question allows.
	Ask(ctx context.Context, q Question) (Answer, error)

	// Note records data, a JSON value, under the call, for people, for programs and
	// for the tool itself, such as the id of a task at a server. The model doesn't see
	// it. The name is chosen by the tool.
	Note(ctx context.Context, name string, data json.RawMessage) error
	// Notes returns what the call has noted under name, oldest first. When the call
	// runs again, it has the notes from before.
	Notes(ctx context.Context, name string) ([]json.RawMessage, error)

	// Keep stores bytes beside the log and returns a reference, by which [Host].Kept
	// gives them back as long as the conversation exists. The same bytes have the
	// same reference. mediaType may be empty.
	Keep(ctx context.Context, data []byte, mediaType string) (ref string, err error)
	// Kept returns bytes that a tool of this conversation has kept.
	Kept(ctx context.Context, ref string) (data []byte, mediaType string, err error)
}

// HostOf returns the Host of the call that ctx belongs to. It reports false when a
// tool is called outside of a run.
func HostOf(ctx context.Context) (Host, bool) {
	h := CallOf(ctx).Host
	return h, h != nil
}

// Nesting is a Callable that calls other tools through its [Host]. The agent
// finds it with [As].
type Nesting interface {
	// InnerTools are tools that this one calls and the model doesn't see. It is asked
	// for once, when the tool is registered.
	InnerTools() []Tool
}

// A Question is what a tool asks through [Host.Ask]. It is plain JSON data: it is
// stored in the log, shown on pages and sent to browsers.
type Question struct {
	// Key distinguishes the questions of one call. It must be the same when the call
	// runs again. Empty means the number of the question in the call.
	Key string `json:"key,omitempty"`
	// Kind names who can answer, for programs that route questions: the tool's own
	// choice, such as "user", "webhook", "elicitation" or "timer".
	Kind string `json:"kind,omitempty"`
	// Prompt is the question in words.
	Prompt string `json:"prompt,omitempty"`
	// Choices are the answers to choose from; none means that any answer which fits
	// Schema will do. The answer is the chosen one's Value, or with Several a JSON
	// array of Values. If Open is set, other answers are allowed as well.
	Choices []Choice `json:"choices,omitempty"`
	Several bool     `json:"several,omitempty"`
	Open    bool     `json:"open,omitempty"`
	// Schema is the JSON Schema (draft 2020-12) that an answer has to fit. An answer
	// that doesn't is refused where it is given, and the question stays open. Nil
	// means any JSON value.
	Schema json.RawMessage `json:"schema,omitempty"`
	// MaxBytes is the most bytes of an answer; 0 means 1 MiB. A bigger one is refused
	// where it is given.
	MaxBytes int `json:"max_bytes,omitempty"`
	// Data is for the program that answers: a URL to open, a state to send back.
	Data json.RawMessage `json:"data,omitempty"`
	// Deadline is when the question stops waiting; zero means never. Default is then
	// the answer, or without one Ask returns [ErrExpired]. A Deadline that is past when
	// the question is asked has come at once.
	Deadline time.Time       `json:"deadline,omitzero"`
	Default  json.RawMessage `json:"default,omitempty"`
}

// A Choice is one of a [Question]'s answers to choose from.
type Choice struct {
	Value json.RawMessage `json:"value"`
	Label string          `json:"label,omitempty"` // what people are shown; empty means Value
}

// An Answer is what came back for a [Question].
type Answer struct {
	Value json.RawMessage `json:"value"`
	// By is who answered, as given by the program that took the answer; empty if not
	// given.
	By string `json:"by,omitempty"`
	// Expired is set if nobody answered in time and Value is the question's Default.
	Expired bool `json:"expired,omitempty"`
}

var (
	// ErrWaiting means that a call can't go on before something outside of the run has
	// happened. A tool that returns it, wrapped or not, leaves its call open; the tool
	// is called again when the answer is there. Only an error of a [Host] may match
	// it: a call that waits for nothing would wait for ever, so the agent answers it
	// with an error.
	ErrWaiting = errors.New("the call waits for an answer")
	// ErrDeclined means that whoever was asked will not answer, or that the question
	// was withdrawn.
	ErrDeclined = errors.New("the question was declined")
	// ErrExpired means that a question without a default was not answered before its
	// deadline.
	ErrExpired = errors.New("the question was not answered in time")
)

// NoteResumable is the name of a note by which a tool says that its call can be run
// again whatever it is interrupted by: it goes on from what it has noted, such as the id
// of a task at a server. A call that is interrupted before it has such a note is run
// again only if its tool is Repeatable or ReadOnly.
const NoteResumable = "resumable"

// A DivergedError reports that a call which ran again asked for something else than
// the log has at that place.
type DivergedError struct {
	Call     string // the ID of the inner call, or the Key of the question
	Recorded string // what the log has there, shortened
	Got      string // what was asked for now, shortened
}

// Error names the place and both sides.
func (e *DivergedError) Error() string {
	return "call " + e.Call + " differs from the one that was recorded: it was " + e.Recorded + ", now it is " + e.Got +
		"; a tool has to ask for the same things in the same order when it runs again"
}
