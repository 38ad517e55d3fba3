package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/wire"
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
// Without a Prompt and Messages the run continues what the log was in the middle
// of: after a kill, a cancel, or a wait for approval. Completed work is not
// repeated, and the limits that the run began with keep counting. If one of them
// has ended it, the run goes on once a higher one is given, in Limits or in the
// agent's Options, and counts from there. A log whose answer is there already gives
// that answer.
type Input struct {
	// Prompt is a user's message of one text. It stands behind Messages.
	Prompt string
	// Messages are appended to the log in this order. Tool calls that an earlier run
	// left open are then not run any more; the model is told so. One of the assistant's
	// may begin a log, or follow a user's as a prefill, for models up to 4.5.
	Messages []transport.Message

	// Log is the conversation. Nil, and without a Store, means a new one in memory.
	Log *memory.Log
	// Store and Session name a session in the place of Log: it is loaded, or begun
	// if there is none of that id. The run fails with a [*memory.LeaseError] while
	// another process works on the session.
	Store   memory.Store
	Session string

	// Meta is what gates, StopWhen, tools and pages may know of the run, such as its
	// tenant. A session that the run begins gets it as its metadata; what a session has
	// as its metadata already is known too, where Meta doesn't say otherwise.
	Meta map[string]string
	// User is an opaque id of the user. It is sent as metadata.user_id; it is
	// Meta["user"] too, unless Meta has one.
	User string

	// Actions is how many actions of [Next] the run does at most; 0 means all that
	// there are. A run that has done them ends without an error, and Next returns what
	// is left to do. The next run continues: with Actions of 1, a worker, a durable
	// engine or a test does a run step by step, each in a process and with an Agent of
	// its own, and the log gets the records that one run gives it.
	//
	// A summary, an input, and messages that wait in the session's inbox belong to the
	// action that comes behind them. Each of the runs must be given what the log
	// doesn't hold, such as a Gate, a Budget or an Approver. Limits.Time is that of
	// each.
	Actions int
	// At, if it is not nil, is where the log has to end: the position at which an
	// earlier run left it; see [memory.Log.Position]. If it ends elsewhere, another
	// process has continued it: the run then changes nothing, and fails with
	// [memory.ErrConflict], or with [memory.ErrReplaced] if the session is another
	// one. The log of the result is up to date. The zero Position stands for a session
	// that is not there yet, so that an input which is given twice lands once.
	At *memory.Position

	// Limits bound the run; fields that are 0 are the agent's.
	Limits Limits
	// Gate is asked besides the agent's, and about the calls of sub-agents besides theirs;
	// the stricter of the two decides.
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

// messages are the messages of the input, with the prompt. They are copies: the caller
// may write the next input into the same lists.
func (in *Input) messages() []transport.Message {
	list := make([]transport.Message, len(in.Messages), len(in.Messages)+1)
	for i, m := range in.Messages {
		list[i] = wire.OwnMessage(m)
	}
	if in.Prompt != "" {
		list = append(list, transport.UserText(in.Prompt))
	}
	return list
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

// fence fails if the log doesn't end where the input says.
func (in *Input) fence(log *memory.Log) error {
	if in.At == nil {
		return nil
	}
	is := log.Position()
	switch {
	case in.At.Incarnation != "" && is.Incarnation != in.At.Incarnation && is.Records > 0:
		return fmt.Errorf("session %q is not the one of Input.At: %w", log.ID(), memory.ErrReplaced)
	case is.Records == 0 && in.At.Records > 0 && log.Store() != nil:
		return fmt.Errorf("session %q: %w", log.ID(), memory.ErrNoSession)
	case is.Records != in.At.Records:
		return fmt.Errorf("the log has %d records, and Input.At has %d: %w", is.Records, in.At.Records, memory.ErrConflict)
	}
	return nil
}

// withMeta is meta over the metadata of a session.
func withMeta(session, meta map[string]string) map[string]string {
	if len(session) == 0 {
		return meta
	}
	maps.Copy(session, meta)
	return session
}

// meta is a copy of Meta with the user: the map is the caller's.
func (in *Input) meta() map[string]string {
	if in.User == "" || in.Meta["user"] != "" {
		return maps.Clone(in.Meta)
	}
	meta := make(map[string]string, len(in.Meta)+1)
	maps.Copy(meta, in.Meta)
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
		var err error
		if format, err = guarded("Output", func() (json.RawMessage, error) { return in.Output.Format(), nil }); err != nil {
			return fmt.Errorf("agent: Input.Output: %w; make it with tools.NewOutput, and see to its error", err)
		}
		if !rawjson.Valid(format) {
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
	choice := copied(in.ToolChoice)
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
		r.key = wire.CacheKeyOf(r.config)
	}
	return nil
}

// Generate runs the agent and returns its final answer as a T: it is [Agent.Run]
// with Input.Output set to the shape of T. The model may call tools on the way; the
// service holds it to T's schema in the end. To watch or steer such a run, set
// Input.Output yourself and read Result.Text with [tools.Output.Parse].
//
// Changing the type of the answer inside one conversation costs a cache miss, so
// use a conversation of its own for each T. The result is never nil. If the run
// fails, or the answer doesn't fit T (a [*tools.AnswerError]), it holds what there
// is.
func Generate[T any](ctx context.Context, a *Agent, in Input) (T, *Result, error) {
	var zero T
	out, err := tools.NewOutput[T]()
	if err != nil {
		log, _ := in.log()
		return zero, &Result{Log: log}, err
	}
	in.Output = out
	res, err := a.Run(ctx, in)
	if err == nil && !Next(res.Log).Done() {
		err = ErrNotEnded // with Input.Actions
	}
	if err != nil {
		return zero, res, err
	}
	v, err := out.Parse(res.Text)
	return v, res, err
}

// typedText is the typed answer among what was said. The model may have said
// something before it called a tool of the service: then the answer is the text
// behind the last call, in the same response or in the one after a pause.
func typedText(said string, resp *transport.Response) string {
	if resp == nil || rawjson.Valid([]byte(strings.TrimSpace(said))) {
		return said
	}
	from := len(resp.Content)
	for from > 0 && resp.Content[from-1].Type() == transport.TypeText {
		from--
	}
	last := (transport.Message{Content: resp.Content[from:]}).Text()
	if !rawjson.Valid([]byte(strings.TrimSpace(last))) {
		return said
	}
	return last
}
