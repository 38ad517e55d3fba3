package astool

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/internal/toolcall"
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Options configure the tool that New returns.
type Options struct {
	Agent             *agent.Agent
	Name, Description string
	// Store holds the sessions, one for each call. All processes that may continue a call
	// need the same Store. The sessions remain after the calls have ended.
	Store memory.Store
	// Prefix is the beginning of the sessions' ids; empty means "call-".
	Prefix string
	// Input returns the input of a call's run, such as its user, its budget or its gate.
	// It is called for each run of a call. The task, the store and the session are set
	// afterwards. Nil means the zero Input.
	Input func(ctx context.Context) agent.Input
}

// New returns the tool. Its argument is the task, and its result is the agent's answer.
func New(o Options) (tools.Tool, error) {
	switch {
	case o.Agent == nil:
		return nil, errors.New("astool: Options.Agent is nil; make one with agent.New")
	case o.Store == nil:
		return nil, errors.New("astool: Options.Store is nil; see package memory for stores")
	}
	if o.Prefix == "" {
		o.Prefix = "call-"
	}
	t := &agentTool{options: o}
	t.FuncTool = tools.Func(o.Name, o.Description, t.call)
	if _, err := t.Definition(); err != nil {
		return nil, fmt.Errorf("astool: %w", err)
	}
	return t, nil
}

type agentTool struct {
	*tools.FuncTool
	options Options
}

// Unwrap returns the tool in which the arguments are checked; see [tools.As].
func (t *agentTool) Unwrap() tools.Tool { return t.FuncTool }

// Traits implements [tools.Callable]. The agent has its own limits; what it reads and
// whom it writes to is not known here.
func (t *agentTool) Traits() tools.Traits {
	return tools.Traits{Timeout: -1, Repeatable: true, Untrusted: true, Private: true, Outside: true}
}

type task struct {
	Task string `json:"task" jsonschema_description:"What to do, with all that is needed to do it"`
}

const maxRounds = 100 // of questions in one call

func (t *agentTool) call(ctx context.Context, in task) (string, error) {
	if strings.TrimSpace(in.Task) == "" {
		return "", errors.New(`give the agent a task: {"task":"…"}`)
	}
	o := t.options
	info := tools.CallOf(ctx)
	key := info.Key
	if key == "" {
		key = info.ID
	}
	if key == "" {
		key = rand.Text()
	}
	session := o.Prefix + key
	host, _ := tools.HostOf(ctx)
	for range maxRounds {
		_, err := memory.Open(ctx, o.Store, session)
		begun := err == nil
		if !begun && !errors.Is(err, memory.ErrNoSession) {
			return "", fmt.Errorf("the agent's session can't be opened: %w", err)
		}
		if begun {
			items, err := waiting.List(ctx, o.Store, session)
			if err != nil {
				return "", err
			}
			if err := deal(ctx, o.Store, host, items); err != nil {
				return "", err
			}
		}
		res, err := t.run(ctx, session, in.Task, begun)
		switch {
		case err == nil:
			return res.Text, nil
		case !errors.Is(err, agent.ErrAwaitingApproval):
			return "", fmt.Errorf("the agent did not finish (%w). So far: %s", err, res.Text)
		}
	}
	return "", fmt.Errorf("the agent asked %d times in one call, which is the limit", maxRounds)
}

// run runs the agent as far as it comes.
func (t *agentTool) run(ctx context.Context, session, task string, begun bool) (*agent.Result, error) {
	var in agent.Input
	if t.options.Input != nil {
		in = t.options.Input(ctx)
	}
	in.Store, in.Session = t.options.Store, session
	in.Log, in.Prompt, in.Messages, in.At = nil, "", nil, nil
	if !begun {
		in.Prompt, in.At = task, &memory.Position{} // lands once, whoever else begins it
	}
	run := t.options.Agent.NewRun(in)
	for ev, err := range run.Events(ctx) {
		if err == nil && ev.Type == agent.EventToolStart {
			tools.Progress(ctx, ev.Call.Name)
		}
	}
	return run.Result()
}

// deal asks for what waits and records what was answered. It fails with an error that
// matches [tools.ErrWaiting] if something isn't answered yet.
func deal(ctx context.Context, store memory.Store, host tools.Host, items []waiting.Item) error {
	var wait error
	for _, it := range items {
		q := question(it)
		err := errNobody
		var answer tools.Answer
		if host != nil {
			answer, err = host.Ask(ctx, q)
		}
		switch {
		case errors.Is(err, tools.ErrWaiting):
			wait = err
			continue
		case errors.Is(err, tools.ErrDeclined), errors.Is(err, tools.ErrExpired):
			if it.Call != nil {
				err = it.Deny(ctx, store, err.Error())
			} else {
				err = it.Cancel(ctx, store, err.Error())
			}
		case err != nil:
			return err
		case it.Call == nil:
			err = it.Answer(ctx, store, answer.Value, answer.By)
		case string(answer.Value) == "true":
			err = it.Approve(ctx, store)
		default:
			err = it.Deny(ctx, store, "The user has denied it.")
		}
		var late *agent.DecisionError
		if err != nil && !errors.As(err, &late) { // late: somebody was faster, such as a page
			return err
		}
	}
	return wait
}

var errNobody = fmt.Errorf("the caller has no one to ask: %w", tools.ErrDeclined)

// question is what an item asks, under a key of its own.
func question(it waiting.Item) tools.Question {
	if it.Question != nil {
		q := it.Question.Question
		q.Key = it.Session + "/" + it.Question.Call + "/" + q.Key
		return q
	}
	prompt := fmt.Sprintf("May the agent call %s", it.Tool)
	if len(it.Agents) > 0 {
		prompt = fmt.Sprintf("May the agent %s call %s", strings.Join(it.Agents, " of "), it.Tool)
	}
	prompt += " with " + it.Call.Input + "?"
	if it.Why != "" {
		prompt += " " + it.Why
	}
	data := append(rawjson.AppendString([]byte(`{"name":`), it.Tool), '}') // as calls of other tools have
	if rawjson.Valid([]byte(it.Call.Input)) {
		data = append(append(append(data[:len(data)-1], `,"input":`...), it.Call.Input...), '}')
	}
	return tools.Question{
		Key: fmt.Sprintf("%s/%d/%s", it.Session, it.Call.Record, it.Call.CallID), Kind: toolcall.Kind, Prompt: prompt, Data: data,
		Choices: []tools.Choice{{Value: json.RawMessage("true"), Label: "allow"}, {Value: json.RawMessage("false"), Label: "deny"}},
	}
}
