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
	"github.com/whorl-go/whorl/agent/waiting"
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
// given by its number, and what a schema wants is asked part by part.
func (a *assistant) answer(ctx context.Context, q agent.PendingQuestion) error {
	for line := range strings.Lines(q.Question.Prompt) {
		a.show.Note("  │ %s", visible.Text(strings.TrimRight(line, "\r\n")))
	}
	form := waiting.FormOf(q.Question)
	for {
		value, err := a.fillIn(form)
		if err == nil {
			err = q.Answer(ctx, a.log, tools.Answer{Value: value})
		}
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

// fillIn asks for an answer: a choice, or each field in turn.
func (a *assistant) fillIn(form waiting.Form) (json.RawMessage, error) {
	given := make(map[string][]string)
	if len(form.Choices) > 0 {
		text, chosen, err := a.choose("answer", form.Choices, true)
		switch {
		case err != nil:
			return nil, err
		case form.Several && len(chosen) > 0:
			return json.RawMessage("[" + strings.Join(chosen, ",") + "]"), nil
		case len(chosen) == 1:
			return json.RawMessage(chosen[0]), nil
		}
		given[""] = []string{text}
		return form.Value(given)
	}
	for _, f := range form.Fields {
		name := "answer"
		if f.Name != "" {
			name = f.Title
		}
		if f.Description != "" {
			a.show.Note("  %s", visible.Text(f.Description))
		}
		switch f.Kind {
		case waiting.BooleanField:
			name += " (true or false)"
		case waiting.JSONField:
			name += " (as JSON)"
		}
		text, chosen, err := a.choose(name, f.Choices, f.Required)
		if err != nil {
			return nil, err
		}
		if given[f.Name] = chosen; len(chosen) == 0 && text != "" {
			given[f.Name] = []string{text}
		}
	}
	return form.Value(given)
}

// choose asks for one text, and tells which of the choices are meant if it is one of
// their labels, or made of their numbers.
func (a *assistant) choose(name string, choices []tools.Choice, required bool) (text string, chosen []string, err error) {
	for i, c := range choices {
		a.show.Note("  %d. %s", i+1, visible.Text(c.Label))
	}
	for text == "" {
		if text, err = a.in.Answer("  "+visible.Text(name)+"? ", ""); err != nil {
			return "", nil, err
		}
		if text = strings.TrimSpace(text); !required {
			break
		}
	}
	for _, c := range choices {
		if strings.EqualFold(text, c.Label) {
			return text, []string{string(c.Value)}, nil
		}
	}
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' }) {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > len(choices) {
			return text, nil, nil
		}
		chosen = append(chosen, string(choices[n-1].Value))
	}
	return text, chosen, nil
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
