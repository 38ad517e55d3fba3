package transport

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Marks inside tool results and definitions count among the four, and in their order.
func TestInnerMarksCount(t *testing.T) {
	parse := func(raw string) Block {
		b, err := ParseBlock([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	short, hour := `{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}`, `{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"1h"}}`
	result := func(own string, inner ...string) string {
		return `{"type":"tool_result","tool_use_id":"a","content":[` + strings.Join(inner, ",") + `]` + own + `}`
	}
	const ownMark = `,"cache_control":{"type":"ephemeral"}`
	def, err := ParseToolDefinition([]byte(`{"name":"a","input_schema":{"type":"object"}` + ownMark + `}`))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		b    Block
		want []TTL
		says string // with a breakpoint of 1h behind it
	}{
		{"none", parse(result("", `{"type":"text","text":"cache_control"}`)), nil, ""},
		{"null", parse(result("", `{"type":"text","text":"x","cache_control":null}`)), nil, ""},
		{"an hour", parse(result("", hour)), []TTL{TTL1h}, ""},
		{"inside and its own", parse(result(ownMark, hour, short)), []TTL{TTL1h, "", ""}, "a 1h mark after a 5m mark"},
		{"four", parse(result("", hour, hour, hour, hour)), []TTL{TTL1h, TTL1h, TTL1h, TTL1h}, "5 cache_control marks"},
		{"made by Answer", ToolCall{ID: "a"}.Answer(Text("x"), parse(short)), []TTL{""}, "a 1h mark after a 5m mark"},
		{"made by ToolResult", ToolResult("a", parse(hour)), []TTL{TTL1h}, ""},
		{"in a definition", parse(`{"type":"tool_addition","tool":{"type":"tool_definition","definition":` + string(def.Raw()) + `}}`), []TTL{""}, "a 1h mark after a 5m mark"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := slices.Collect(tt.b.Marks()); fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
			m := Message{Role: RoleUser, Content: []Block{tt.b}}
			if m.HasMarks() != (len(tt.want) > 0) {
				t.Errorf("HasMarks is %v", m.HasMarks())
			}
			r := Request{Model: "m", MaxTokens: 1, Messages: []Message{m.Measured(), UserText("y")}, Breakpoints: []Breakpoint{{Part: PartMessages, Index: 1, TTL: TTL1h}}}
			if _, err := r.StreamBody(); fmt.Sprint(err) != fmt.Sprint(nil) && (tt.says == "" || !strings.Contains(err.Error(), tt.says)) || err == nil && tt.says != "" {
				t.Errorf("%v, want %q", err, tt.says)
			}
		})
	}
}
