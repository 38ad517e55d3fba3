package acp

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"time"

	sdk "github.com/coder/acp-go-sdk"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// Continue is the command that has a session go on with what it was in the middle of,
// after a cancel, a limit or a kill: the user types it after a slash, as a prompt of its
// own.
const Continue = "continue"

func (s *server) prompt(ctx context.Context, p *sdk.PromptRequest) (any, error) {
	v, err := s.find(p.SessionId)
	if err != nil {
		return nil, err
	}
	m, err := message(p.Prompt)
	if err != nil {
		return nil, err
	}
	ctx, end, err := v.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if s.wasCancelled(v.id) {
		return sdk.PromptResponse{StopReason: sdk.StopReasonCancelled}, nil
	}
	return v.answer(ctx, m)
}

// leaseWait is how long a prompt waits for a session that another process has: more
// than the lease that a killed one leaves, by the default of [agent.Limits].
const leaseWait = 20 * time.Second

// answer has the agent work on what the user says, until it has nothing left to do.
func (v *session) answer(ctx context.Context, m transport.Message) (any, error) {
	s := v.server
	a, in, err := s.o.Run(ctx, v.public())
	if err == nil && a == nil {
		err = errors.New("acp: Options.Run returned neither an agent nor an error")
	}
	if err != nil {
		return nil, err
	}
	if mode := v.public().Mode; mode != "" && in.Meta[metaMode] == "" { // rules and tools may ask
		in.Meta = maps.Clone(in.Meta)
		if in.Meta == nil {
			in.Meta = map[string]string{}
		}
		in.Meta[metaMode] = mode
	}
	info, err := s.stored(ctx, sdk.SessionId(v.id))
	if err != nil {
		return nil, err
	}
	said := strings.TrimSpace(m.Text())
	switch answered, err := v.answered(ctx, m); {
	case err != nil:
		return nil, err
	case answered, said == "/"+Continue:
	default:
		in.Messages = append(in.Messages, m)
		v.title(ctx, said)
	}
	ctx = s.o.Feed.Attach(ctx)
	t := newTeller(v, feed.Position{Incarnation: info.Incarnation, Records: info.Records})
	defer t.close()
	for began := time.Now(); ; {
		in.Store, in.Session, in.Log = s.o.Store, v.id, nil
		res, err := t.run(ctx, a, in)
		if lease := (*memory.LeaseError)(nil); errors.As(err, &lease) && time.Since(began) < leaseWait {
			select { // a process that was killed has it until it runs out
			case <-ctx.Done():
			case <-time.After(500 * time.Millisecond):
				continue
			}
		}
		in.Messages, in.Prompt = nil, ""
		if ctx.Err() == nil && errors.Is(err, agent.ErrAwaitingApproval) {
			on, err := v.ask(ctx, t)
			switch {
			case ctx.Err() != nil:
			case errors.Is(err, errDismissed):
				return v.ended(ctx, t, res, sdk.StopReasonCancelled, "")
			case err != nil:
				t.unfinished()
				return nil, err
			case on:
				continue
			}
			if ctx.Err() == nil { // it waits for a message, or for somebody else
				return v.ended(ctx, t, res, sdk.StopReasonEndTurn, "")
			}
		}
		return v.outcome(ctx, t, res, err)
	}
}

// outcome is how a run's end is told.
func (v *session) outcome(ctx context.Context, t *teller, res *agent.Result, err error) (any, error) {
	var limit *agent.LimitError
	var stop *agent.StopError
	switch {
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), errClosed):
		return nil, errClosed
	case ctx.Err() != nil:
		return v.ended(ctx, t, res, sdk.StopReasonCancelled, "")
	case err == nil:
		return v.ended(ctx, t, res, sdk.StopReasonEndTurn, "")
	case errors.Is(err, agent.ErrNoInput):
		return nil, bad("there is nothing to continue in session %s; say what is to be done", v.id)
	case errors.As(err, &limit):
		return v.ended(ctx, t, res, sdk.StopReasonMaxTurnRequests, err.Error())
	case errors.As(err, &stop) && stop.Response != nil:
		switch stop.Response.StopReason {
		case transport.StopMaxTokens, transport.StopContextWindowExceeded:
			return v.ended(ctx, t, res, sdk.StopReasonMaxTokens, err.Error())
		case transport.StopRefusal:
			return v.ended(ctx, t, res, sdk.StopReasonRefusal, err.Error())
		}
	}
	t.unfinished()
	return nil, err
}

// ended is the end of a turn.
func (v *session) ended(ctx context.Context, t *teller, res *agent.Result, reason sdk.StopReason, detail string) (any, error) {
	t.unfinished()
	u := res.Usage
	thoughts, read, written := int(u.OutputTokensDetails.ThinkingTokens), int(u.CacheReadInputTokens), int(u.CacheCreationInputTokens)
	out := sdk.PromptResponse{StopReason: reason, Usage: &sdk.Usage{
		InputTokens: int(u.InputTokens), OutputTokens: int(u.OutputTokens), TotalTokens: int(u.PromptTokens() + u.OutputTokens),
		CachedReadTokens: &read, CachedWriteTokens: &written, ThoughtTokens: &thoughts,
	}}
	if detail != "" {
		out.Meta = map[string]any{"whorl": Problem{Type: "stopped_early", Detail: detail}}
	}
	ctx = context.WithoutCancel(ctx)
	if res.Log != nil {
		if bill, err := agent.BillOf(ctx, res.Log); err == nil {
			t.cost(bill)
		}
		// A limit ends a run for good, unless a higher one is given.
		if reason == sdk.StopReasonMaxTurnRequests || !agent.Next(res.Log).Done() {
			v.tell(sdk.SessionUpdate{AvailableCommandsUpdate: commands()})
		}
	}
	return out, nil
}

func commands() *sdk.SessionAvailableCommandsUpdate {
	return &sdk.SessionAvailableCommandsUpdate{AvailableCommands: []sdk.AvailableCommand{
		{Name: Continue, Description: "Go on with what was left unfinished."},
	}}
}

// answered gives the text to the question that the session waits for, if there is one
// that takes it.
func (v *session) answered(ctx context.Context, m transport.Message) (bool, error) {
	said := strings.TrimSpace(m.Text())
	if len(m.Content) != 1 || said == "" || said == "/"+Continue { // a picture is more than an answer
		return false, nil
	}
	items, err := waiting.List(ctx, v.server.o.Store, v.id)
	if err != nil {
		return false, err
	}
	for _, it := range items {
		if it.Question == nil || !forUser(it) {
			continue
		}
		value, err := json.Marshal(said)
		if err != nil {
			return false, err
		}
		for _, c := range it.Question.Question.Choices {
			if strings.EqualFold(c.Label, said) {
				value = c.Value
			}
		}
		if it.Question.Question.Check(value) != nil {
			return false, nil
		}
		return true, it.Answer(ctx, v.server.o.Store, value, "user")
	}
	return false, nil
}

// title keeps how a session begins, for lists.
func (v *session) title(ctx context.Context, said string) {
	v.server.mu.Lock()
	titled := v.titled
	v.titled = true
	v.server.mu.Unlock()
	line := runes.Line(said, 80)
	if titled || line == "" {
		return
	}
	if m, ok := memory.As[memory.MetaSetter](v.server.o.Store); ok {
		if err := m.SetMeta(ctx, v.id, metaTitle, line); err != nil {
			v.server.o.Logger.WarnContext(ctx, "a session's title could not be kept", "session", v.id, "error", err.Error())
		}
	}
}
