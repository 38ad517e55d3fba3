package agui

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent/serve/internal/stage"
)

// What a sub-agent writes is its own, in front of the result of its call, and a sub-agent
// of a sub-agent stands below that.
func TestSubagents(t *testing.T) {
	c := newClient(t, newStage(t, stage.Options{}))
	c.say("delegate delegate think")
	events := c.run()
	check(t, events)
	var order []string
	names := map[string]string{"": "main"}
	for _, e := range events {
		switch e.Type {
		case "SUBAGENT_STARTED":
			up := names[e.ParentSubagent]
			names[e.Subagent] = up + ">" + e.Name
			call := ""
			for i := range c.messages {
				for _, tc := range c.messages[i].ToolCalls {
					if tc.ID == e.ParentToolCall && c.messages[i].Subagent == e.ParentSubagent {
						call = tc.Function.Name
					}
				}
			}
			order = append(order, "start "+names[e.Subagent]+" for "+call)
		case "SUBAGENT_FINISHED":
			order = append(order, e.Outcome.Type+" "+names[e.Subagent])
		case "TEXT_MESSAGE_CONTENT", "REASONING_MESSAGE_CONTENT":
			if line := strings.ToLower(e.Type[:4]) + " " + names[e.Subagent]; order[len(order)-1] != line {
				order = append(order, line)
			}
		case "TEXT_MESSAGE_START":
			order = append(order, "begin "+names[e.Subagent])
		case "TOOL_CALL_RESULT":
			order = append(order, "result "+names[e.Subagent])
		}
	}
	want := []string{
		"begin main", "text main", "start main>helper for helper", "begin main>helper", "text main>helper", "start main>helper>helper for helper",
		"reas main>helper>helper", "begin main>helper>helper", "text main>helper>helper", "success main>helper>helper",
		"result main>helper", "begin main>helper", "text main>helper", "success main>helper", "result main", "begin main", "text main",
	}
	got := strings.Join(order, "; ")
	for _, w := range want { // a fast sub-agent's end may be told behind what follows
		if !strings.Contains(got, w) {
			t.Errorf("no %q in %s", w, got)
		}
	}
	if r, s := strings.LastIndex(got, "result main"), strings.LastIndex(got, "text main>"); r < s {
		t.Errorf("the result comes before what made it: %s", got)
	}
	for _, m := range c.messages {
		if m.Subagent == "" && (bytes.Contains(m.Content, []byte("I have thought")) || m.Role == "reasoning") {
			t.Errorf("the main agent says what the sub-agent said: %+v", m)
		}
	}
}

// A connection that breaks anywhere while sub-agents write leaves a client that gets all
// of it, each message once.
func TestSubagentsCut(t *testing.T) {
	for _, said := range []string{"delegate delegate parallel", "delegate both think"} {
		c := newClient(t, newStage(t, stage.Options{}))
		c.say(said)
		events := c.run()
		check(t, events)
		want := told(c.messages)
		for n := 1; n < len(events); n++ {
			cut := newClient(t, c.s)
			cut.say(said)
			cut.take(events[:n])
			check(t, cut.run())
			if got := told(cut.messages); sortedLines(got) != sortedLines(want) {
				t.Fatalf("%s, cut after %d of %d events:\n%s\nand not\n%s", said, n, len(events), got, want)
			}
		}
	}
}

// A sub-agent that waits is suspended, and what it says when it goes on is its own too.
func TestSubagentWaits(t *testing.T) {
	c := newClient(t, newStage(t, stage.Options{}))
	c.say("delegate approve")
	events := c.run()
	check(t, events)
	finished := event{}
	for _, e := range events {
		if e.Type == "SUBAGENT_FINISHED" {
			finished = e
		}
	}
	if len(c.interrupts) != 1 || finished.Outcome == nil || finished.Outcome.Type != "suspended" || len(finished.Outcome.Waits) != 1 || finished.Outcome.Waits[0] != c.interrupts[0].ID || c.interrupts[0].Subagent != finished.Subagent {
		t.Fatalf("%+v, %+v", finished, c.interrupts)
	}
	check(t, c.run(Resume{InterruptID: c.interrupts[0].ID, Status: "resolved", Payload: json.RawMessage(`{"approved":true}`)}))
	got := told(c.messages)
	if strings.Count(got, "Let me see.") != 1 || !strings.Contains(got, "^: \"Done with book.\"") || !strings.Contains(got, ": \"The helper has told me.\"") {
		t.Error(got)
	}
	again := newClient(t, c.s)
	again.run()
	if now := told(again.messages); strings.ReplaceAll(now, "user u3", "user mine-1") != got {
		t.Errorf("a page that is loaded again has\n%s\nand not\n%s", now, got)
	}
	// A client that leaves out whose its messages are gets nothing twice.
	for i := range c.messages {
		c.messages[i].Subagent = ""
	}
	c.say("hello")
	check(t, c.run())
	if now := told(c.messages); strings.Count(now, "Let me see.") != 1 || strings.Count(now, "Done with book.") != 2 || !strings.Contains(now, "You said: hello") {
		t.Error(now)
	}
}

func sortedLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines { // the order of sub-agents that work at the same time is any
		for j := i + 1; j < len(lines); j++ {
			if lines[j] < lines[i] {
				lines[i], lines[j] = lines[j], lines[i]
			}
		}
	}
	return strings.Join(lines, "\n")
}
