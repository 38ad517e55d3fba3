package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/policy"
	"github.com/whorl-go/whorl/agent/visible"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// decide asks the user about every call that waits. Each decision is in the log
// as soon as it is made.
func (a *assistant) decide(ctx context.Context) error {
	stop := a.watchDecisions(ctx)
	defer stop()
	for {
		pending := agent.Pending(a.log)
		if len(pending) == 0 {
			return a.answerAll(ctx)
		}
		if err := a.decideOn(ctx, pending[0]); err != nil {
			return err
		}
	}
}

// answerAll asks the user what tools want to know.
func (a *assistant) answerAll(ctx context.Context) error {
	for {
		questions := agent.Questions(a.log)
		if len(questions) == 0 {
			return nil
		}
		if err := a.answer(ctx, questions[0]); err != nil {
			return err
		}
	}
}

// answer asks one question until the answer is one that it allows. A choice may be
// given by its number.
func (a *assistant) answer(ctx context.Context, q agent.PendingQuestion) error {
	for line := range strings.Lines(q.Question.Prompt) {
		a.show.Note("  │ %s", visible.Text(strings.TrimRight(line, "\r\n")))
	}
	for i, c := range q.Question.Choices {
		label := c.Label
		if label == "" {
			label = rawjson.Unquote(c.Value)
		}
		a.show.Note("  %d. %s", i+1, visible.Text(label))
	}
	for {
		text, err := a.in.Answer("  answer? ", "")
		if err != nil {
			return err
		}
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		value, err := rawjson.Marshal(text)
		if err != nil {
			return err
		}
		if n, err := strconv.Atoi(text); err == nil && n >= 1 && n <= len(q.Question.Choices) {
			value = q.Question.Choices[n-1].Value
			if q.Question.Several {
				value = append(append(json.RawMessage("["), value...), ']')
			}
		}
		err = q.Answer(ctx, a.log, tools.Answer{Value: value})
		var wrong *tools.AnswerError
		var late *agent.DecisionError
		if errors.As(err, &late) && late.Why == "decided" {
			a.show.Note("  answered elsewhere")
			return nil
		}
		if !errors.As(err, &wrong) {
			return err
		}
		a.show.Fail(err)
	}
}

// decideOn asks about one call. What the user says yes to was shown to the end, and
// so were the arguments if the user changed them.
func (a *assistant) decideOn(ctx context.Context, call agent.PendingCall) error {
	var edited json.RawMessage // in the place of the model's arguments
	shown := a.showCall(call, call.Input)
	for {
		prompt := "  yes, no, edit, or always for " + call.Name + "? "
		if n := shown.left(); n > 0 {
			prompt = fmt.Sprintf("  %d lines more: Enter shows them; or no, edit? ", n)
		}
		answer, err := a.in.Answer(prompt, "")
		if err != nil {
			return err
		}
		if err := a.log.Refresh(ctx); err != nil {
			return err
		}
		if !waits(agent.Pending(a.log), call) {
			a.show.Note("  decided elsewhere")
			return nil
		}
		word, reason, _ := strings.Cut(strings.TrimSpace(answer), " ")
		switch word = strings.ToLower(strings.TrimRight(word, ",.;:!")); word {
		case "n", "no":
			if reason == "" {
				reason = "the user said no"
			}
			return call.Deny(ctx, a.log, reason)
		case "e", "edit":
			input, err := a.edited(edited, call)
			if err != nil {
				if errors.Is(err, errNoArguments) {
					a.show.Fail(err)
					continue
				}
				return err
			}
			edited = input
			shown = a.showCall(call, string(input))
		case "y", "yes", "a", "always":
			if shown.left() > 0 {
				a.show.Note("  not all of the call was shown")
				shown.next(a.show)
				continue
			}
			if word[0] == 'a' {
				a.always = append(a.always, policy.Rule{Name: "always", Expr: "tool == " + strconv.Quote(call.Name), Then: policy.Allow})
				if err := a.build(); err != nil {
					return err
				}
			}
			if edited != nil {
				return call.Edit(ctx, a.log, edited)
			}
			return call.Approve(ctx, a.log)
		case "":
			shown.next(a.show)
		default:
			a.show.Note("  answer yes; no, and why if you like; edit, to change the arguments; or always, to allow %s for good", call.Name)
		}
	}
}

var errNoArguments = errors.New("the arguments are not a JSON object: {…}")

// edited has the user change the arguments: those that were changed before, or the
// model's. Characters that can't be seen are escapes there.
func (a *assistant) edited(before json.RawMessage, call agent.PendingCall) (json.RawMessage, error) {
	if before == nil {
		before = []byte(call.Input)
	}
	var line bytes.Buffer
	if err := json.Compact(&line, before); err != nil {
		return nil, err
	}
	text, err := a.in.Answer("  arguments: ", visible.JSON(line.Bytes()))
	if err != nil {
		return nil, err
	}
	input := rawjson.Trim([]byte(text))
	if !rawjson.Valid(input) || input[0] != '{' {
		return nil, errNoArguments
	}
	return input, nil
}

func waits(pending []agent.PendingCall, call agent.PendingCall) bool {
	for _, p := range pending {
		if p.CallID == call.CallID && p.Record == call.Record && p.Hash == call.Hash {
			return true
		}
	}
	return false
}

// watchDecisions looks for decisions that are made elsewhere, such as on the
// page of -inspect, while the user is being asked.
func (a *assistant) watchDecisions(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	log, done := a.log, make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			before := len(agent.Pending(log))
			if err := log.Refresh(ctx); err == nil && before > 0 && len(agent.Pending(log)) == 0 {
				fmt.Fprint(a.show.Progress, "\r\n  decided elsewhere; press Enter to go on ")
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}
