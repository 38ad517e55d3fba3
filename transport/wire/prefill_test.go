package wire_test

import (
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/wire"
)

// A turn of the assistant's at the end is a prefill unless something in it, or a call
// before it that waits still, makes it a turn that was paused (wire §2.5).
func TestEndsInPrefill(t *testing.T) {
	const (
		call   = `{"type":"server_tool_use","id":"s","name":"web_search","input":{}}`
		result = `{"type":"web_search_tool_result","tool_use_id":"s","content":[]}`
		other  = `{"type":"web_search_tool_result","tool_use_id":"other","content":[]}`
		client = `{"type":"tool_use","id":"t","name":"f","input":{}}`
		tool   = `{"type":"tool_removal","tool":{"type":"tool_reference","name":"f"}}`
		words  = `{"type":"text","text":"So"}`
	)
	says := func(role transport.Role, blocks ...string) transport.Message {
		m := transport.Message{Role: role}
		for _, raw := range blocks {
			b, err := transport.ParseBlock([]byte(raw))
			if err != nil {
				t.Fatal(err)
			}
			m.Content = append(m.Content, b)
		}
		return m
	}
	asked, user := transport.UserText("x"), transport.RoleUser
	model, system := transport.RoleAssistant, transport.RoleSystem
	for name, tt := range map[string]struct {
		messages []transport.Message
		want     bool
	}{
		"nothing":                   {nil, false},
		"a question":                {[]transport.Message{asked}, false},
		"words":                     {[]transport.Message{asked, says(model, words)}, true},
		"an empty turn":             {[]transport.Message{asked, says(model)}, false},
		"a paused turn":             {[]transport.Message{asked, says(model, words, call)}, false},
		"and its result":            {[]transport.Message{asked, says(model, call, result), says(model, words)}, false},
		"an open call before":       {[]transport.Message{asked, says(model, call), says(user, words), says(model, words)}, false},
		"an answered call before":   {[]transport.Message{asked, says(model, call, result), asked, says(model, words)}, true},
		"a result of another call":  {[]transport.Message{asked, says(model, call, other), asked, says(model, words)}, false},
		"words behind a system's":   {[]transport.Message{asked, says(system, words), says(model, words)}, true},
		"a type that nobody knows":  {[]transport.Message{asked, says(model, words, `{"type":"from_next_year"}`)}, false},
		"a system's is last":        {[]transport.Message{asked, says(system, words)}, false},
		"a system's inside a turn":  {[]transport.Message{asked, says(model, words), says(system, tool), says(model, words)}, true},
		"a pause before a system's": {[]transport.Message{asked, says(model, call, result), says(system, words), says(model, words)}, false},
		"nobody has asked":          {[]transport.Message{says(model, words)}, true},
		"a pause at the beginning":  {[]transport.Message{says(model, call, result), says(model, words)}, false},
		"a call of the caller's":    {[]transport.Message{asked, says(model, client)}, true},
		"the user's words are last": {[]transport.Message{asked, says(model, words), asked}, false},
	} {
		if got := wire.EndsInPrefill(tt.messages); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Without a thread all messages count, the first one too; and there may be none.
func TestBetasOfTheFirstMessage(t *testing.T) {
	m := transport.Message{Role: transport.RoleSystem, Content: []transport.Block{transport.Text("for now")}, ClearAt: "next_user_message"}
	if got := wire.NeededBetas(&transport.Request{Messages: []transport.Message{m}}); len(got) != 1 {
		t.Errorf("%q", got)
	}
	if got := wire.NeededBetas(&transport.Request{}); len(got) != 0 {
		t.Errorf("of nothing: %q", got)
	}
}
