package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// An Input is what a run is given: what to say, in which conversation, for whom,
// and within which bounds. One [Agent] serves many users, each with inputs of
// their own. All fields may be left out.
//
//	agent.Input{Prompt: "Do I need an umbrella?"}                            // a new conversation
//	agent.Input{Store: store, Session: "ann-1", Prompt: "And tomorrow?"}     // a session: begun, or continued
//	agent.Input{Store: store, Session: "ann-1"}                              // go on where the session was left
//	agent.Input{Log: res.Log, Prompt: "Are you sure?"}                       // a log that is at hand
//
// Without a Prompt and Messages the run goes on with what the log was in the
// middle of: after a kill, a cancel, or a wait for approval. What was done is not
// done again, and the limits that the run began with count on. If one of them has
// ended it, the run goes on once a higher one is given, in Limits or in the
// agent's Options, and counts from there. A log whose answer is there already
// gives that answer.
type Input struct {
	// Prompt is a user's message of one text. It stands behind Messages.
	Prompt string
	// Messages are appended to the log in this order. Tool calls that an earlier run
	// left open are then not run any more; the model is told so.
	Messages []transport.Message

	// Log is the conversation. Nil, and without a Store, means a new one in memory.
	Log *memory.Log
	// Store and Session name a session in the place of Log: it is loaded, or begun
	// if there is none of that id. The run fails with a [*memory.LeaseError] while
	// another process works on the session.
	Store   memory.Store
	Session string

	// Meta is what gates, StopWhen, tools and pages may know of the run, such as its
	// tenant. A session that the run begins gets it as its metadata.
	Meta map[string]string
	// User is an opaque id of the user. The service is told it as metadata.user_id;
	// it is Meta["user"] too, unless Meta has one.
	User string

	// Limits bound the run; fields that are 0 are the agent's.
	Limits Limits
	// Gate is asked besides the agent's; the stricter of the two decides.
	Gate Gate
	// Approver decides in place of the agent's.
	Approver func(context.Context, PendingCall) (Decision, error)
	// Budget bounds what the run costs, besides the agent's own Budget.
	Budget *Budget

	// ToolChoice is sent with each request of the run, in place of the agent's. One
	// of type "any" or "tool" leaves the model no way to end: such a run needs a tool
	// that is Final.
	ToolChoice *transport.ToolChoice
	// Output is the shape of the answer, which is then JSON: a [*tools.Output].
	// [Generate] sets it. A run that goes on keeps the shape that it began with.
	Output interface{ Format() json.RawMessage }
}

// messages are the messages of the input, with the prompt.
func (in *Input) messages() []transport.Message {
	if in.Prompt == "" {
		return in.Messages
	}
	return append(slices.Clip(in.Messages), transport.UserText(in.Prompt))
}

// log is the conversation that the input names. A session is not loaded yet.
func (in *Input) log() (*memory.Log, error) {
	switch {
	case in.Log != nil && (in.Store != nil || in.Session != ""):
		return in.Log, errors.New("Input has both a Log and a Session; give one of them")
	case in.Log != nil:
		return in.Log, nil
	case in.Store != nil && in.Session == "":
		return memory.NewLog(), errors.New("Input.Session is empty; give the session's id with its Store")
	case in.Store == nil && in.Session != "":
		return memory.NewLog(), errors.New("Input.Store is nil; give the store that has the session")
	case in.Store != nil:
		return memory.Create(in.Store, in.Session, &memory.Start{Meta: in.meta()})
	}
	return memory.NewLog(), nil
}

// open is the conversation that the input names, loaded.
func (in *Input) open(ctx context.Context) (*memory.Log, error) {
	log, err := in.log()
	if err != nil {
		return log, fmt.Errorf("agent: %w", err)
	}
	if err := log.Refresh(ctx); err != nil {
		return log, fmt.Errorf("load the session: %w", err)
	}
	return log, nil
}

// meta is Meta with the user.
func (in *Input) meta() map[string]string {
	if in.User == "" || in.Meta["user"] != "" {
		return in.Meta
	}
	meta := make(map[string]string, len(in.Meta)+1)
	for k, v := range in.Meta {
		meta[k] = v
	}
	meta["user"] = in.User
	return meta
}

// configure sets what the input says of requests. What it leaves out is taken
// from recorded, the configuration that the run began with, or nil.
func (r *Run) configure(in *Input, recorded []byte) error {
	if in.Output == nil && in.ToolChoice == nil && in.User == "" && recorded == nil {
		return nil
	}
	req := r.agent.request
	changed := false
	var format json.RawMessage
	if in.Output != nil {
		if format = in.Output.Format(); !rawjson.Valid(format) {
			return errors.New("agent: Input.Output has no valid Format; make it with tools.NewOutput")
		}
	} else if req.OutputConfig == nil || req.OutputConfig.Format == nil {
		format = rawjson.Get(rawjson.Get(recorded, "output_config"), "format")
	}
	if format != nil {
		oc := transport.OutputConfig{}
		if req.OutputConfig != nil {
			oc = *req.OutputConfig
		}
		oc.Format = format
		req.OutputConfig, changed = &oc, true
	}
	choice := in.ToolChoice
	if raw := rawjson.Get(recorded, "tool_choice"); choice == nil && req.ToolChoice == nil && raw != nil {
		choice = new(transport.ToolChoice)
		if err := json.Unmarshal(raw, choice); err != nil {
			return fmt.Errorf("the tool_choice that the run began with: %w", err)
		}
	}
	if choice != nil {
		req.ToolChoice, changed = choice, true
	}
	user := in.User
	if user == "" && req.UserID == "" {
		user = rawjson.GetString(rawjson.Get(recorded, "metadata"), "user_id")
	}
	if user != "" {
		req.UserID, changed = user, true
	}
	if changed {
		r.request, r.config = &req, sentConfig(req)
	}
	return nil
}
