package serve

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/internal/toolcall"
	"github.com/whorl-go/whorl/agent/internal/waking"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
)

// decide is POST /decisions/ID: one of the calls that [Session] tells, and what is to
// become of it.
func (h *Handler) decide(c *call) (any, error) {
	var body struct {
		Call     agent.PendingCall `json:"call"`
		Decision string            `json:"decision"`
		Reason   string            `json:"reason"`
		Input    json.RawMessage   `json:"input"`
	}
	if err := c.read(&body); err != nil {
		return nil, err
	}
	goOn, err := h.goOn(c)
	if err != nil {
		return nil, err
	}
	log, err := memory.Open(c.r.Context(), h.o.Store, c.info.ID)
	if err != nil {
		return nil, err
	}
	body.Call.Session = c.info.ID
	if string(body.Input) == "null" {
		body.Input = nil
	}
	// Who may allow it is asked about the call of the log: the client's could be named
	// otherwise. One that isn't there any more is refused below.
	for _, call := range agent.Pending(log) {
		if body.Decision == "allow" && call.Record == body.Call.Record && call.CallID == body.Call.CallID {
			call.Session = c.info.ID
			if err := h.mayAllow(c.r.Context(), c.user, call, body.Input); err != nil {
				return nil, err
			}
		}
	}
	switch body.Decision {
	case "allow":
		if len(body.Input) > 0 && body.Input[0] != '{' {
			err = problem(http.StatusBadRequest, "bad_decision", "input is not a JSON object.",
				"It holds the arguments themselves, not a string of them, and replaces all of them. Leave it out to let the call run as it is.")
		} else if len(body.Input) > 0 {
			err = body.Call.Edit(c.r.Context(), log, body.Input)
		} else {
			err = body.Call.Approve(c.r.Context(), log)
		}
	case "deny":
		err = body.Call.Deny(c.r.Context(), log, body.Reason)
	default:
		err = problem(http.StatusBadRequest, "bad_decision", `decision is "allow" or "deny".`, "")
	}
	if err == nil {
		goOn()
	}
	return nil, err
}

// mayAllow fails if a user may not allow a call, as it is or with the input that it is to
// run with in the place of its own.
func (h *Handler) mayAllow(ctx context.Context, u User, call agent.PendingCall, input json.RawMessage) error {
	if h.o.MayAllow == nil {
		return nil
	}
	may := h.o.MayAllow(ctx, u, call)
	if may && len(input) > 0 {
		call.Input = string(input)
		may = h.o.MayAllow(ctx, u, call)
	}
	if !may {
		return problem(http.StatusForbidden, "forbidden", "You may not allow this call.", "Somebody else has to decide.")
	}
	return nil
}

// mayAnswer fails if a user may not give an answer to a question. One of the kind
// "approval" is about a call that a tool makes: to allow it is to allow a call.
func (h *Handler) mayAnswer(ctx context.Context, u User, q agent.PendingQuestion, value json.RawMessage) error {
	if q.Question.Kind != toolcall.Kind || toolcall.Denies(value) {
		return nil
	}
	call := agent.PendingCall{Session: q.Session, CallID: q.Call, Name: q.Name, Reason: q.Question.Prompt, Since: q.Since}
	if name, input := toolcall.Of(q.Question); name != "" {
		call.Name, call.Input = name, string(input)
	}
	return h.mayAllow(ctx, u, call, nil)
}

// answer is POST /answers/ID: to one of the questions that [Session] tells.
func (h *Handler) answer(c *call) (any, error) {
	var body struct {
		Question agent.PendingQuestion `json:"question"`
		Value    json.RawMessage       `json:"value"`
		Decline  bool                  `json:"decline"`
		Reason   string                `json:"reason"`
	}
	if err := c.read(&body); err != nil {
		return nil, err
	}
	goOn, err := h.goOn(c)
	if err != nil {
		return nil, err
	}
	log, err := memory.Open(c.r.Context(), h.o.Store, c.info.ID)
	if err != nil {
		return nil, err
	}
	// What the question allows is taken from the log, not from the client.
	found := false
	for _, q := range agent.Questions(log) {
		if q.Call == body.Question.Call && q.Question.Key == body.Question.Question.Key {
			body.Question, found = q, true
		}
	}
	if !found {
		return nil, problem(http.StatusConflict, "decided", "The question doesn't wait any more.", "Look at what waits now.")
	}
	if body.Decline {
		err = body.Question.Decline(c.r.Context(), log, body.Reason)
	} else if err = h.mayAnswer(c.r.Context(), c.user, body.Question, body.Value); err != nil {
		return nil, err
	} else {
		err = body.Question.Answer(c.r.Context(), log, tools.Answer{Value: body.Value, By: c.user.ID})
	}
	var decision *agent.DecisionError
	if err != nil && !errors.As(err, &decision) {
		err = problem(http.StatusUnprocessableEntity, "bad_answer", "The question doesn't take this answer.", err.Error())
	}
	if err == nil {
		goOn()
	}
	return nil, err
}

// goOn returns what has the call's session run on, or the outermost one above it: a
// sub-agent goes on in its caller's run. The agent is asked for before anything is
// written. The session is woken, too: should this process end before its run begins, a
// worker finds it.
func (h *Handler) goOn(c *call) (func(), error) {
	top, err := h.top(c.r.Context(), c.info)
	if err != nil {
		return nil, err
	}
	a, in, err := h.agentOf(c.r.Context(), c.user, top)
	if err != nil {
		return nil, err
	}
	return func() {
		if err := waking.Now(c.r.Context(), h.o.Store, top.ID); err != nil {
			h.o.Logger.WarnContext(c.r.Context(), "a session can't be woken", "session", top.ID, "error", err.Error())
		}
		h.drive(c.r.Context(), c.user, top, a, in)
	}, nil
}

// top is the outermost session above one, whose run drives it; with an error, the
// outermost that was found.
func (h *Handler) top(ctx context.Context, info memory.Info) (memory.Info, error) {
	for depth := 0; info.Parent != "" && depth < deepest; depth++ {
		above, err := h.o.Store.Info(ctx, info.Parent)
		if err != nil {
			return info, err
		}
		info = above
	}
	return info, nil
}
