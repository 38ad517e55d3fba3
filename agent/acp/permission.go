package acp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	sdk "github.com/coder/acp-go-sdk"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/internal/toolcall"
	"github.com/whorl-go/whorl/agent/waiting"
)

// errDismissed says that the user closed what was asked without an answer.
var errDismissed = errors.New("the user gave no answer")

// ask asks the user about everything that the session waits for, and records what is
// decided. It reports whether the session is to go on.
func (v *session) ask(ctx context.Context, t *teller) (on bool, err error) {
	store := v.server.o.Store
	items, err := waiting.List(ctx, store, v.id)
	if err != nil {
		return false, err
	}
	for _, it := range items {
		var err error
		switch {
		case it.Kind == toolcall.Kind:
			err = v.permission(ctx, t, it)
		case !forUser(it):
			t.once(it, fmt.Sprintf("\n\nWaiting for %s: %s\n", it.Tool, it.Why))
			continue
		case it.Question.Question.Several || it.Question.Question.Open || len(it.Question.Question.Choices) == 0:
			t.once(it, "\n\n"+question(it)+"\n")
			continue
		default:
			err = v.choice(ctx, t, it)
		}
		var late *agent.DecisionError
		if errors.As(err, &late) { // somebody was faster: a page, another process
			err = nil
		}
		if err != nil {
			return on, err
		}
		on = true
	}
	return on, nil
}

// forUser reports whether a question is one that the user of the editor answers.
func forUser(it waiting.Item) bool {
	return it.Kind == "" || it.Kind == "user" || it.Kind == "elicitation"
}

func question(it waiting.Item) string {
	var b strings.Builder
	b.WriteString(it.Why)
	for _, c := range it.Question.Question.Choices {
		b.WriteString("\n- " + label(c.Label, c.Value))
	}
	return b.String()
}

func label(text string, value json.RawMessage) string {
	if text == "" {
		return string(value)
	}
	return text
}

// A wanted is a call that waits for an approval: one of the model's, or one that a tool
// makes, which waits as a question.
type wanted struct {
	id, tool string // of the model's call
	called   string // the tool to call
	name     string // the same, with the sub-agents that it works for
	input    json.RawMessage
	why      string
}

func wantedOf(it waiting.Item) wanted {
	w := wanted{tool: it.Tool, called: it.Tool, why: it.Why}
	if it.Call != nil {
		w.id, w.input = it.Call.CallID, json.RawMessage(it.Call.Input)
	} else {
		_, w.id, _ = strings.Cut(it.Question.Root, "-")
		name, input := toolcall.Of(it.Question.Question)
		w.called, w.input = cmp.Or(name, it.Tool), input
	}
	w.name = strings.Join(append(append([]string{}, it.Agents...), w.called), ": ")
	return w
}

func (v *session) permission(ctx context.Context, t *teller, it waiting.Item) error {
	store, call := v.server.o.Store, wantedOf(it)
	name := call.name
	const no = "The user has refused the call."
	allow, known := v.decided(name)
	if !known {
		chosen, err := v.request(ctx, t.permission(call), []sdk.PermissionOption{
			{OptionId: "allow", Kind: sdk.PermissionOptionKindAllowOnce, Name: "Allow"},
			{OptionId: "allow_always", Kind: sdk.PermissionOptionKindAllowAlways, Name: "Always allow " + name + " in this session"},
			{OptionId: "deny", Kind: sdk.PermissionOptionKindRejectOnce, Name: "Deny"},
			{OptionId: "deny_always", Kind: sdk.PermissionOptionKindRejectAlways, Name: "Always deny " + name + " in this session"},
		})
		if err != nil {
			return err
		}
		switch chosen {
		case "allow", "allow_always":
			allow = true
		case "deny", "deny_always":
		default:
			return bad("the editor chose %q, which is none of the options; nothing was decided", chosen)
		}
		if strings.HasSuffix(chosen, "_always") {
			v.decide(name, allow)
		}
	}
	if allow {
		return it.Approve(ctx, store)
	}
	return it.Deny(ctx, store, no)
}

// choice asks a question whose answer is one of a few.
func (v *session) choice(ctx context.Context, t *teller, it waiting.Item) error {
	choices := it.Question.Question.Choices
	var options []sdk.PermissionOption
	for i, c := range choices {
		options = append(options, sdk.PermissionOption{OptionId: sdk.PermissionOptionId(fmt.Sprint(i)), Kind: sdk.PermissionOptionKindAllowOnce, Name: label(c.Label, c.Value)})
	}
	options = append(options, sdk.PermissionOption{OptionId: "decline", Kind: sdk.PermissionOptionKindRejectOnce, Name: "No answer"})
	chosen, err := v.request(ctx, t.question(it), options)
	if err != nil {
		return err
	}
	if chosen == "decline" {
		return it.Cancel(ctx, v.server.o.Store, "The user has declined to answer.")
	}
	for i, c := range choices {
		if chosen == fmt.Sprint(i) {
			return it.Answer(ctx, v.server.o.Store, c.Value, "user")
		}
	}
	return bad("the editor chose %q, which is none of the options; nothing was answered", chosen)
}

func (v *session) request(ctx context.Context, call sdk.ToolCallUpdate, options []sdk.PermissionOption) (string, error) {
	res, err := sdk.SendRequest[sdk.RequestPermissionResponse](v.server.conn, ctx, sdk.ClientMethodSessionRequestPermission,
		sdk.RequestPermissionRequest{SessionId: sdk.SessionId(v.id), ToolCall: call, Options: options})
	switch {
	case err != nil:
		return "", fmt.Errorf("acp: the editor could not be asked: %w", err)
	case res.Outcome.Selected == nil:
		return "", errDismissed
	}
	return string(res.Outcome.Selected.OptionId), nil
}
