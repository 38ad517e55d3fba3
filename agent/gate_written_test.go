package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A gate is asked about the arguments that the call will run with, and is told those
// that the log has, whether the call starts early or not, and when it is edited.
func TestGateSeesWhatTheModelWrote(t *testing.T) {
	type query struct {
		City string `json:"city"`
		Days int    `json:"days,omitempty" jsonschema:"default=3"`
	}
	for _, early := range []bool{false, true} {
		weather := tools.FuncWith("weather", "Tells the weather.", func(context.Context, query) (string, error) { return "rain", nil },
			tools.Options{Traits: tools.Traits{ReadOnly: early}})
		var asked [][2]string
		gate := func(_ context.Context, q agent.ToolRequest) agent.Decision {
			asked = append(asked, [2]string{string(q.Written), string(q.Call.Input)})
			if len(asked) == 1 {
				return agent.Decision{Permission: agent.Allow, Input: []byte(`{"city":"Rome","days":1}`)}
			}
			return agent.Decision{}
		}
		s := &script{replies: []any{reply(t, "tool_use", use("a", "weather", `{"city":"Oslo"}`)), reply(t, "end_turn", text("ok"))}}
		if _, err := newAgent(t, s, agent.Options{Tools: []tools.Tool{weather}, Gate: gate}).Run(t.Context(), agent.Input{Prompt: "go"}); err != nil {
			t.Fatal(err)
		}
		want := [][2]string{{`{"city":"Oslo"}`, `{"city":"Oslo","days":3}`}, {`{"city":"Oslo"}`, `{"city":"Rome","days":1}`}}
		if len(asked) < 2 || asked[0] != want[0] || asked[1] != want[1] {
			t.Errorf("early %v: the gate was asked about %q, want %q", early, asked, want)
		}
	}
}

// A gate that rewrites the arguments of a call is asked again about the new ones, and
// the call goes by the second opinion: a rewritten call may wait, or never run.
func TestRewrittenArgumentsAreJudged(t *testing.T) {
	for _, tt := range []struct {
		first    agent.Permission
		second   agent.Permission
		ran      bool
		awaiting bool
	}{
		{agent.Allow, agent.Allow, true, false},
		{agent.Allow, agent.Ask, false, true},
		{agent.Allow, agent.Deny, false, false},
		{"", "", true, false},
		{"", agent.Ask, false, true},
		{"", agent.Deny, false, false},
	} {
		var ran []string
		pay := tools.Func("pay", "Pays.", func(_ context.Context, in struct {
			USD int `json:"usd"`
		}) (string, error) {
			ran = append(ran, fmt.Sprint(in.USD))
			return "paid", nil
		})
		gate := func(_ context.Context, q agent.ToolRequest) agent.Decision {
			if string(q.Call.Input) == string(q.Written) {
				return agent.Decision{Permission: tt.first, Input: []byte(`{"usd":7}`)}
			}
			return agent.Decision{Permission: tt.second, Reason: "judged " + string(q.Call.Input)}
		}
		s := &script{replies: []any{reply(t, "tool_use", use("a", "pay", `{"usd":5}`)), reply(t, "end_turn", text("ok"))}}
		res, err := newAgent(t, s, agent.Options{Tools: []tools.Tool{pay}, Gate: gate}).Run(t.Context(), agent.Input{Prompt: "go"})
		if awaiting := errors.Is(err, agent.ErrAwaitingApproval); awaiting != tt.awaiting || err != nil && !awaiting {
			t.Errorf("%s: the run ended with %v", tt.second, err)
			continue
		}
		if got := strings.Join(ran, " "); tt.ran && got != "7" || !tt.ran && got != "" {
			t.Errorf("%s: the call ran with %q", tt.second, got)
		}
		pending := agent.Pending(res.Log)
		if tt.awaiting && (len(pending) != 1 || pending[0].Reason != `judged {"usd":7}`) || !tt.awaiting && len(pending) != 0 {
			t.Errorf("%s: %+v wait", tt.second, pending)
		}
	}
}

// What one of two gates puts in the place of a call's arguments is what runs, whatever
// the other says that lets the call run; and what both do is done.
func TestTwoGatesThatRewrite(t *testing.T) {
	rewrite := func(p agent.Permission, from, to string) agent.Gate {
		return func(_ context.Context, q agent.ToolRequest) agent.Decision {
			if to == "" || !strings.Contains(string(q.Call.Input), from) {
				return agent.Decision{Permission: p}
			}
			return agent.Decision{Permission: p, Input: []byte(strings.Replace(string(q.Call.Input), from, to, 1))}
		}
	}
	for _, tt := range []struct {
		name       string
		one, other agent.Gate
		want       string
	}{
		{"the agent's", rewrite(agent.Allow, "a", "A"), rewrite(agent.Allow, "", ""), `{"x":"A b"}`},
		{"the agent's, and the input's leaves it to the traits", rewrite(agent.Allow, "a", "A"), rewrite("", "", ""), `{"x":"A b"}`},
		{"the input's", rewrite(agent.Allow, "", ""), rewrite(agent.Allow, "b", "B"), `{"x":"a B"}`},
		{"the input's, and the agent's leaves it to the traits", rewrite("", "", ""), rewrite(agent.Allow, "b", "B"), `{"x":"a B"}`},
		{"both", rewrite(agent.Allow, "a", "A"), rewrite("", "b", "B"), `{"x":"A B"}`},
		{"the agent's, and the input's denies that", rewrite(agent.Allow, "a", "A"), func(_ context.Context, q agent.ToolRequest) agent.Decision {
			return agent.Decision{Permission: map[bool]agent.Permission{true: agent.Deny}[strings.Contains(string(q.Call.Input), "A")]}
		}, ""},
		{"the input's, and the agent's denies that", func(_ context.Context, q agent.ToolRequest) agent.Decision {
			return agent.Decision{Permission: map[bool]agent.Permission{true: agent.Deny}[strings.Contains(string(q.Call.Input), "B")]}
		}, rewrite(agent.Allow, "b", "B"), ""},
	} {
		ran := ""
		f := fake{name: "f", call: func(_ context.Context, in json.RawMessage) (tools.Result, error) {
			ran += string(in)
			return tools.Text("ok"), nil
		}}
		s := &script{replies: []any{reply(t, "tool_use", use("a", "f", `{"x":"a b"}`)), reply(t, "end_turn", text("ok"))}}
		res, err := newAgent(t, s, agent.Options{Gate: tt.one}, f).Run(t.Context(), agent.Input{Prompt: "go", Gate: tt.other})
		if err != nil || ran != tt.want {
			t.Errorf("%s: ran with %q, want %q: %v", tt.name, ran, tt.want, err)
		}
		if calls := res.Log.Messages()[1]; !strings.Contains(string(calls.AppendJSON(nil)), `"a b"`) {
			t.Errorf("%s: the log has %s", tt.name, calls.AppendJSON(nil))
		}
	}
}

// A gate that has somebody asked changes nothing of what the other one judges: what is
// approved is the call as it was.
func TestARewritingThatAsks(t *testing.T) {
	asks := func(_ context.Context, q agent.ToolRequest) agent.Decision {
		return agent.Decision{Permission: agent.Ask, Input: []byte(`{"x":"harmless"}`)}
	}
	var judged []string
	denies := func(_ context.Context, q agent.ToolRequest) agent.Decision {
		if judged = append(judged, string(q.Call.Input)); strings.Contains(string(q.Call.Input), "harmless") {
			return agent.Decision{}
		}
		return agent.Decision{Permission: agent.Deny, Reason: "not that"}
	}
	s := &script{replies: []any{reply(t, "tool_use", use("a", "f", `{"x":"harm"}`)), reply(t, "end_turn", text("ok"))}}
	f := fake{name: "f", call: func(_ context.Context, in json.RawMessage) (tools.Result, error) {
		t.Errorf("ran with %s", in)
		return tools.Text("ok"), nil
	}}
	res, err := newAgent(t, s, agent.Options{Gate: asks}, f).Run(t.Context(), agent.Input{Prompt: "go", Gate: denies})
	if err != nil || !slices.Equal(judged, []string{`{"x":"harm"}`}) || !strings.Contains(string(res.Log.Messages()[2].AppendJSON(nil)), "not that") {
		t.Errorf("the second gate was asked about %s: %v", judged, err)
	}
}

// An inner call that a gate has rewritten, and wants approved, runs with the arguments
// that were shown to whoever approved it.
func TestApprovedInnerCallsRunAsShown(t *testing.T) {
	var ran []string
	pay := fake{name: "pay", call: func(_ context.Context, in json.RawMessage) (tools.Result, error) {
		ran = append(ran, string(in))
		return tools.Text("paid"), nil
	}}
	batch := hosted("batch", func(ctx context.Context, h tools.Host) (tools.Result, error) {
		return h.CallTool(ctx, transport.ToolCall{ID: "p", Name: "pay", Input: []byte(`{"usd":5}`)})
	})
	gate := func(_ context.Context, q agent.ToolRequest) agent.Decision {
		switch {
		case q.Call.Name != "pay":
			return agent.Decision{}
		case string(q.Call.Input) == string(q.Written):
			return agent.Decision{Permission: agent.Allow, Input: []byte(`{"usd":7}`)}
		}
		return agent.Decision{Permission: agent.Ask}
	}
	s := &script{replies: []any{reply(t, "tool_use", use("a", "batch", `{}`)), reply(t, "end_turn", text("done"))}}
	a := newAgent(t, s, agent.Options{Gate: gate}, batch, pay)
	res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
	list := agent.Questions(res.Log)
	if !errors.Is(err, tools.ErrWaiting) || len(list) != 1 {
		t.Fatalf("%v, %+v", err, list)
	}
	var shown struct{ Input json.RawMessage }
	if err := json.Unmarshal(list[0].Question.Data, &shown); err != nil {
		t.Fatal(err)
	}
	if err := list[0].Answer(t.Context(), res.Log, tools.Answer{Value: json.RawMessage(`"allow"`)}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Run(t.Context(), agent.Input{Log: res.Log}); err != nil {
		t.Fatal(err)
	}
	if len(ran) != 1 || ran[0] != string(shown.Input) {
		t.Errorf("shown %s, and ran %q", shown.Input, ran)
	}
}
