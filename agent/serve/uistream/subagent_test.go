package uistream

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent/serve/internal/stage"
)

// subagents are the parts of sub-agents of a message.
func subagents(t *testing.T, m Message) (list []Subagent) {
	t.Helper()
	for _, p := range m.Parts {
		if p.Type == "data-subagent" {
			var s Subagent
			if err := json.Unmarshal(p.Data, &s); err != nil || p.ID != s.Session {
				t.Fatalf("%v: %s", err, p.Data)
			}
			list = append(list, s)
		}
	}
	return list
}

func textOf(m Message) (s string) {
	for _, p := range m.Parts {
		if p.Type == "text" {
			s += *p.Text
		}
	}
	return s
}

// What a sub-agent writes is a part of its own, and what its sub-agent writes is one in
// that.
func TestSubagents(t *testing.T) {
	c := newClient(t, newStage(t, stage.Options{}))
	c.say("delegate delegate think")
	chunks := c.send(nil)
	m := c.messages[len(c.messages)-1]
	if got := textOf(m); got != "Over to you. The helper has told me." {
		t.Errorf("the agent says %q", got)
	}
	one := subagents(t, m)
	if len(one) != 1 || one[0].Name != "helper" || one[0].State != "done" || textOf(one[0].Message) != "Over to you. The helper has told me." {
		t.Fatalf("%+v", one)
	}
	two := subagents(t, one[0].Message)
	if len(two) != 1 || two[0].State != "done" || textOf(two[0].Message) != "I have thought." || *two[0].Message.Parts[1].Text != "Let me think, step by step." || two[0].Message.Parts[1].Type != "reasoning" {
		t.Fatalf("%+v", two)
	}
	working, called := 0, false
	for i, k := range chunks {
		switch {
		case k.Type == "data-subagent" && strings.Contains(string(k.Data), `"working"`):
			working++
		case k.Type == "tool-output-available" && k.ToolCallID == one[0].ToolCallID:
			called = true
			for _, later := range chunks[i:] {
				if later.Type == "data-subagent" && strings.Contains(string(later.Data), `"I have`) && !strings.Contains(string(later.Data), `"done"`) {
					t.Errorf("behind the result: %s", later.Data)
				}
			}
		}
	}
	if working < 3 || !called {
		t.Errorf("%d parts while it works, called: %v", working, called)
	}
}

// What is sent of a long text of a sub-agent is bounded.
func TestSubagentWritesMuch(t *testing.T) {
	c := newClient(t, newStage(t, stage.Options{}))
	c.say("delegate long")
	size := 0
	for _, k := range c.send(nil) {
		if k.Type == "data-subagent" {
			size += len(k.Data)
		}
	}
	m := c.messages[len(c.messages)-1]
	one := subagents(t, m)
	if len(one) != 1 {
		t.Fatalf("%+v", m)
	}
	if text := textOf(one[0].Message); len(text) < 9000 || size > 20*len(text) {
		t.Errorf("%d bytes of text, %d sent", len(text), size)
	}
}

// A connection that breaks while sub-agents write, and a page that is loaded again, have
// the same in the end.
func TestSubagentsAgain(t *testing.T) {
	for _, said := range []string{"delegate delegate parallel", "delegate both think", "delegate fails"} {
		c := newClient(t, newStage(t, stage.Options{}))
		c.say(said)
		start := append([]Message{}, c.messages...)
		chunks := c.send(nil)
		want := told(c.messages)
		for n := 1; n < len(chunks); n += 1 + len(chunks)/40 {
			cut := newClient(t, c.s)
			cut.messages = append([]Message{}, start...)
			cut.take(chunks[:n], false)
			cut.resume()
			if got := told(cut.messages); got != want && !strings.Contains(said, "both") || len(got) != len(want) {
				t.Fatalf("%s, cut after %d chunks:\n%s\nand not\n%s", said, n, got, want)
			}
		}
		c.load()
		if got := told(c.messages); got != want && !strings.Contains(said, "both") || len(got) != len(want) { // of both, the order is any
			t.Errorf("%s, loaded again:\n%s\nand not\n%s", said, got, want)
		}
	}
}
