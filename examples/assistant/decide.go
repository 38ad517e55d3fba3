package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/policy"
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
			return nil
		}
		if err := a.decideOn(ctx, pending[0]); err != nil {
			return err
		}
	}
}

// decideOn asks about one call.
func (a *assistant) decideOn(ctx context.Context, call agent.PendingCall) error {
	a.showCall(call)
	for {
		answer, err := a.in.Answer("  yes, no, edit, or always for "+call.Name+"? ", "")
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
		word, rest, _ := strings.Cut(strings.TrimSpace(answer), " ")
		switch strings.ToLower(word) {
		case "y", "yes":
			return call.Approve(ctx, a.log)
		case "a", "always":
			a.always = append(a.always, policy.Rule{Name: "always", Expr: "tool == " + strconv.Quote(call.Name), Then: policy.Allow})
			if err := a.build(); err != nil {
				return err
			}
			return call.Approve(ctx, a.log)
		case "n", "no":
			if rest == "" {
				rest = "the user said no"
			}
			return call.Deny(ctx, a.log, rest)
		case "e", "edit":
			input, err := a.edited(call)
			if err != nil {
				return err
			}
			if err := call.Edit(ctx, a.log, input); err == nil {
				return nil
			} else {
				a.show.Fail(err)
			}
		}
	}
}

// edited has the user change the arguments.
func (a *assistant) edited(call agent.PendingCall) (json.RawMessage, error) {
	var line bytes.Buffer
	if err := json.Compact(&line, []byte(call.Input)); err != nil {
		return nil, err
	}
	input, err := a.in.Answer("  arguments: ", line.String())
	return json.RawMessage(input), err
}

func waits(pending []agent.PendingCall, call agent.PendingCall) bool {
	for _, p := range pending {
		if p.CallID == call.CallID {
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

const (
	mostLines = 16  // of an argument that are shown
	mostWidth = 160 // of a line
)

// showCall shows what a call would do.
func (a *assistant) showCall(call agent.PendingCall) {
	reason := ""
	if call.Reason != "" {
		reason = " (" + call.Reason + ")"
	}
	a.show.Heading("%s wants to run%s:", call.Name, reason)
	for name, value := range rawjson.Members([]byte(call.Input)) {
		text := string(value)
		if value[0] == '"' {
			text = rawjson.Unquote(value)
		}
		lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
		more := len(lines) - mostLines
		if more > 0 {
			lines = lines[:mostLines]
		}
		if len(lines) == 1 {
			a.show.Line("    %s: %s", name, clip(lines[0]))
			continue
		}
		a.show.Line("    %s:", name)
		for _, line := range lines {
			a.show.Line("    │ %s", clip(line))
		}
		if more > 0 {
			a.show.Line("    │ … and %d lines more", more)
		}
	}
}

// clip cuts a line that is too long, and shows what could move the cursor or turn
// the text around as what it is: what the user reads has to be what would run.
func clip(line string) string {
	var b strings.Builder
	n := 0
	for _, r := range line {
		if n++; n > mostWidth {
			return b.String() + "…"
		}
		switch {
		case r == '\t':
			b.WriteString("  ")
		case unicode.IsGraphic(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	return b.String()
}
