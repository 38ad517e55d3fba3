package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/taint"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// BackgroundTools are tools by which a model deals with its sub-agents in the
// background ([Sub].Background): look_at_agents, wait_for_agent, tell_agent and
// cancel_agent. An end that wait_for_agent has reported is not sent as a message.
func BackgroundTools() []tools.Tool {
	repeatable := tools.Options{Traits: tools.Traits{Repeatable: true}}
	return []tools.Tool{
		tools.FuncWith("look_at_agents", "List the agents that work in the background: the id of each, and what it does.", lookAtAgents, repeatable),
		untimed{tools.FuncWith("wait_for_agent", "Wait until an agent in the background has ended, and get its answer.", waitForAgent, repeatable)},
		tools.Func("tell_agent", "Say something to an agent in the background. It reads it between two steps.", tellAgent),
		tools.FuncWith("cancel_agent", "Stop an agent in the background for good.", cancelAgent, repeatable),
	}
}

// untimed is a tool whose calls take as long as what they wait for.
type untimed struct{ *tools.FuncTool }

// Traits implements [tools.Callable].
func (t untimed) Traits() tools.Traits {
	traits := t.FuncTool.Traits()
	traits.Timeout = -1
	return traits
}

type agentID struct {
	ID string `json:"id" jsonschema_description:"The agent's id"`
}

type agentMessage struct {
	ID      string `json:"id" jsonschema_description:"The agent's id"`
	Message string `json:"message" jsonschema_description:"What to tell it"`
}

type agentState struct {
	ID    string   `json:"id"`
	Agent string   `json:"agent"`
	State string   `json:"state"` // "working", "waiting" or "stopped"
	Steps int      `json:"steps"`
	Waits []string `json:"waits_for,omitempty"`
	Said  string   `json:"said_last,omitempty"`
}

func lookAtAgents(ctx context.Context, _ struct{}) ([]agentState, error) {
	r := runOf(ctx)
	if r == nil {
		return nil, errNoRun
	}
	list := []agentState{}
	for _, b := range begunOf(r.log, r.log.State()) {
		log, err := openChild(ctx, r.log, b.Child)
		if err != nil {
			return nil, err
		}
		if err := r.appendLabels(ctx, taint.Of(log), b.Agent, b.handle()); err != nil {
			return nil, err
		}
		s := agentState{ID: b.handle(), Agent: b.Agent, State: "working", Steps: log.State().Counts.Steps, Said: lastText(log)}
		if r.childAtWork(b.Child) == nil {
			s.State = "stopped"
			waits, err := standing(ctx, log)
			if err != nil {
				return nil, err
			}
			if waits != nil {
				s.State = "waiting"
				for _, c := range waits.Calls {
					s.Waits = append(s.Waits, "an approval of "+c.Name)
				}
				for _, q := range waits.Questions {
					s.Waits = append(s.Waits, "an answer to: "+q.Question.Prompt)
				}
			}
		}
		list = append(list, s)
	}
	return list, nil
}

var errNoRun = errors.New("there is no run here, and so no agents in the background")

// lastText is the text of the newest response.
func lastText(log *memory.Log) string {
	if resp := log.State().Response; resp != nil {
		b, _, _ := cut(transport.Text(cmp.Or(resp.Text(), " ")), 2000)
		return strings.TrimSpace(transport.Message{Content: []transport.Block{b}}.Text())
	}
	return ""
}

// find looks a sub-agent of the run's up by its handle. open says that it has not
// ended.
func (r *Run) find(handle string) (b begunNote, open bool, err error) {
	s := r.log.State()
	b, ok := everBegun(r.log, 0)[childID(r.log, handle)]
	if ok {
		return b, slices.Contains(s.Background, b.Child), nil
	}
	var ids []string
	for _, known := range begunOf(r.log, s) {
		ids = append(ids, known.handle())
	}
	return b, false, fmt.Errorf("there is no agent %q; those in the background are: %s", handle, cmp.Or(strings.Join(ids, ", "), "none"))
}

func waitForAgent(ctx context.Context, in agentID) (string, error) {
	r, b, open, err := agentOf(ctx, in.ID)
	if err != nil {
		return "", err
	}
	log, err := openChild(ctx, r.log, b.Child)
	if err != nil {
		return "", err
	}
	if !open {
		if err := r.appendLabels(ctx, taint.Of(log), b.Agent, b.handle()); err != nil {
			return "", err
		}
		return fmt.Sprintf("The agent %s has ended before. It said last: %s", in.ID, cmp.Or(lastText(log), "nothing")), nil
	}
	c := r.childAtWork(b.Child)
	for c == nil || r.input.Actions > 0 && isClosed(c.done) && !c.over && c.err == nil {
		if c != nil {
			r.release(c) // it has done one action
		}
		waits, err := standing(ctx, log)
		if err != nil {
			return "", err
		}
		if waits == nil {
			if err := r.letGoOn(ctx, b, log, nil); err != nil {
				return "", err
			}
		} else if sub, ok := r.subOf(b); ok {
			_, err := sub.suspend(ctx, log, waits, b.Child)
			return "", err
		}
		if c = r.childAtWork(b.Child); c == nil {
			return "", fmt.Errorf("the agent %s can't go on in this run; its end comes as a message", in.ID)
		}
		if err := c.wait(ctx); err != nil {
			return "", err
		}
	}
	if err := c.wait(ctx); err != nil {
		return "", err
	}
	var waits *ApprovalError
	switch r.release(c); {
	case c.canceled.Load():
		return "The agent was canceled.", nil
	case errors.As(c.err, &waits):
		_, err := c.sub.suspend(ctx, c.log, waits, b.Child)
		return "", err
	case !c.over:
		return "", &unfinishedError{fmt.Errorf("the sub-agent %q was stopped; a run that goes on with the log lets it go on: %w", c.Agent, c.err)}
	}
	if told, err := r.toldSince(ctx, c); told || err != nil {
		if err != nil {
			return "", err
		}
		return waitForAgent(ctx, in)
	}
	how := "done"
	if c.err != nil {
		how = "failed"
	}
	return c.outcome(r.limits.ResultBytes), r.appendEnd(ctx, c, how, false)
}

// wait waits until the sub-agent works no more.
func (c *child) wait(ctx context.Context) error {
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func isClosed(done chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// release takes a sub-agent that works no more from those that do.
func (r *Run) release(c *child) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.atWork = slices.DeleteFunc(slices.Clone(r.atWork), func(o *child) bool { return o == c })
}

// agentOf finds the run that calls a tool and the sub-agent of that id.
func agentOf(ctx context.Context, id string) (r *Run, b begunNote, open bool, err error) {
	if r = runOf(ctx); r == nil {
		return nil, b, false, errNoRun
	}
	b, open, err = r.find(id)
	return r, b, open, err
}

func cancelAgent(ctx context.Context, in agentID) (string, error) {
	r, b, open, err := agentOf(ctx, in.ID)
	if err != nil {
		return "", err
	}
	if !open {
		return "The agent has ended already.", nil
	}
	said, end := "", &child{begunNote: b}
	if c := r.childAtWork(b.Child); c != nil {
		c.canceled.Store(true)
		c.cancel()
		<-c.done
		r.release(c)
		said, end.log = c.text, c.log
	} else if log, err := openChild(ctx, r.log, b.Child); err == nil {
		said, end.log = lastText(log), log
	}
	if err := r.appendEnd(ctx, end, "canceled", false); err != nil {
		return "", err
	}
	return "The agent is canceled. So far: " + cmp.Or(said, "nothing"), nil
}

func tellAgent(ctx context.Context, in agentMessage) (string, error) {
	r, b, open, err := agentOf(ctx, in.ID)
	if err != nil {
		return "", err
	}
	if !open {
		return "", fmt.Errorf("the agent %s has ended, and hears nothing any more; give the task to a new one", in.ID)
	}
	var log *memory.Log
	c := r.childAtWork(b.Child)
	if c != nil {
		log = c.log
	} else if log, err = openChild(ctx, r.log, b.Child); err != nil {
		return "", err
	}
	if err := inherit(ctx, log, r); err != nil { // as for its task
		return "", err
	}
	m := transport.UserText(in.Message)
	if _, ok := memory.As[memory.Inbox](r.log.Store()); ok {
		err = memory.Enqueue(ctx, r.log.Store(), b.Child, m)
	} else if c != nil {
		r.mu.Lock()
		run := c.run
		r.mu.Unlock()
		if err = run.Steer(m); err != nil { // it ends: what is in its log then lets it go on
			if err = c.wait(ctx); err == nil {
				err = log.Append(ctx, memory.Record{Kind: memory.KindInput, Message: m})
				c.told.Store(err == nil)
			}
		}
	} else {
		err = log.Append(ctx, memory.Record{Kind: memory.KindInput, Message: m})
	}
	if err != nil {
		return "", err
	}
	return "It is told.", nil
}

// toldSince reports whether a sub-agent that has ended was told something behind that, while
// its end was not in the log, and lets it go on if so.
func (r *Run) toldSince(ctx context.Context, c *child) (bool, error) {
	if c.err != nil {
		return false, nil
	}
	queued, err := queuedFor(ctx, c.log)
	if err != nil || len(queued) == 0 && !c.told.Load() {
		return false, err
	}
	if r.input.Actions == 0 { // else once there is nothing else to do
		r.letWork(&child{begunNote: c.begunNote, sub: c.sub, log: c.log})
	}
	return true, nil
}
