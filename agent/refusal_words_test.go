package agent_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/view"
)

// Each reason for which a call isn't run is an error.type of its own.
func TestErrorTypesOfCallsThatAreNotRun(t *testing.T) {
	never := fake{name: "never", call: func(context.Context, json.RawMessage) (tools.Result, error) {
		t.Error("the call ran")
		return tools.Result{}, nil
	}}
	member := func(id, name string) string {
		return strings.TrimSuffix(use(id, name, `{"x":1}`), "}") + `,"toolset_name":"computer"}`
	}
	computer := toolset{fake{call: func(context.Context, json.RawMessage) (tools.Result, error) {
		return tools.ErrorText("missed"), nil
	}}}
	began := []memory.Record{{Kind: memory.KindRun, Limits: &memory.Limits{Steps: 10, Pauses: 10, Cuts: 10}}, {Kind: memory.KindInput, Message: transport.UserText("go")}}
	for _, c := range []struct {
		want    string
		tool    tools.Tool
		records []memory.Record // that the log has
		replies []any
	}{
		{"cut_off", never, began, []any{reply(t, "max_tokens", text("half"), use("c", "never", `{}`))}},
		{"unavailable_tool", never, append(began[:2:2], memory.Record{Kind: memory.KindInput, Message: removal(t, "never")}), []any{reply(t, "tool_use", use("c", "never", `{}`))}},
		{"unknown_outcome", never, append(began[:2:2],
			memory.Record{Kind: memory.KindResponse, Response: reply(t, "tool_use", use("c", "never", `{}`))},
			memory.Record{Kind: memory.KindStarted, Calls: []string{"c"}}), nil},
		{"not_run", computer, began, []any{reply(t, "tool_use", member("a", "click"), member("c", "type"))}},
	} {
		log, spans := memory.NewLog(), newSpanLog()
		if err := log.Append(t.Context(), c.records...); err != nil {
			t.Fatal(err)
		}
		s := &script{replies: append(c.replies, reply(t, "end_turn", text("ok")))}
		a := newAgent(t, s, agent.Options{Telemetry: agent.Telemetry{TracerProvider: spans.provider}}, c.tool)
		if _, err := a.Run(t.Context(), agent.Input{Log: log}); err != nil {
			t.Errorf("%s: %v", c.want, err)
		}
		got := ""
		for _, span := range spans.named("execute_tool") {
			if attr(span, "gen_ai.tool.call.id").AsString() == "c" {
				got += attr(span, "error.type").AsString() + " "
			}
		}
		if got != c.want+" " {
			t.Errorf("the error.type is %q, want %q", got, c.want)
		}
	}
}

// A batch of a toolset stops at a call that hangs, as at any that fails.
func TestABatchStopsAtACallThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var ran atomic.Int32 // a call that was given up goes on
		defer close(hang)
		computer := toolset{fake{call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
			if ran.Add(1); tools.CallOf(ctx).Name == "click" {
				<-hang
			}
			return tools.Text("typed"), nil
		}}}
		member := func(id, name string) string {
			return strings.TrimSuffix(use(id, name, `{"x":1}`), "}") + `,"toolset_name":"computer"}`
		}
		s := &script{replies: []any{reply(t, "tool_use", member("a", "click"), member("b", "type")), reply(t, "end_turn", text("ok"))}}
		res, err := newAgent(t, s, agent.Options{Limits: agent.Limits{ToolTime: time.Second}}, computer).Run(t.Context(), agent.Input{Prompt: "go"})
		results := string(res.Log.Messages()[2].AppendJSON(nil))
		if err != nil || ran.Load() != 1 || !strings.Contains(results, "the time limit of this tool") || !strings.Contains(results, "the one before it failed") {
			t.Errorf("%d calls ran: %s, %v", ran.Load(), results, err)
		}
	})
}

// A toolset is a fake that runs the members of the service's computer toolset.
type toolset struct{ fake }

func (toolset) Definition() (transport.ToolDefinition, error) {
	return transport.ParseToolDefinition([]byte(`{"type":"computer_toolset_20260801"}`))
}

// removal is the message that takes a tool away.
func removal(t *testing.T, tool string) transport.Message {
	t.Helper()
	b, err := view.ToolRemoval{Tool: view.ChangedTool{Name: tool}}.Block()
	if err != nil {
		t.Fatal(err)
	}
	return transport.Message{Role: transport.RoleSystem, Content: []transport.Block{b}}
}
