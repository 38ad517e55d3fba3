package loopguard_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/loopguard"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// conversation is a log in which each of the calls was made in a response of its own.
func conversation(t *testing.T, calls ...string) *memory.Log {
	t.Helper()
	log := memory.NewLog()
	records := []memory.Record{{Kind: memory.KindRun, Limits: &memory.Limits{}}, {Kind: memory.KindInput, Message: transport.UserText("go")}}
	for i, c := range calls {
		name, input, _ := strings.Cut(c, " ")
		resp, err := transport.ParseResponse(fmt.Appendf(nil, `{"id":"m","type":"message","role":"assistant","model":"x","content":[{"type":"tool_use","id":"c%d","name":%q,"input":%s}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1}}`, i, name, input))
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, memory.Record{Kind: memory.KindResponse, Response: resp})
		if i < len(calls)-1 {
			records = append(records, memory.Record{Kind: memory.KindResult, Block: resp.ToolCalls()[0].Answer(transport.Text("same"))})
		}
	}
	if err := log.Append(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
	return log
}

func TestGate(t *testing.T) {
	for _, c := range []struct {
		calls []string
		deny  bool
	}{
		{[]string{`look {"a":1}`}, false},
		{[]string{`look {"a":1}`, `look {"a":1}`}, false},
		{[]string{`look {"a":1}`, `look {"a":1}`, `look { "a": 1 }`}, true},
		{[]string{`look {"a":1}`, `look {"a":1}`, `look {"a":2}`}, false},
		{[]string{`look {"a":1}`, `look {"a":1}`, `other {}`, `look {"a":1}`}, false},
		{[]string{`look {"a":1}`, `peek {"a":1}`, `look {"a":1}`}, false},
	} {
		log := conversation(t, c.calls...)
		open := log.State().Open
		d := loopguard.Gate(3)(context.Background(), agent.ToolRequest{Call: open[len(open)-1].ToolCall, Log: log})
		if (d.Permission == agent.Deny) != c.deny || c.deny && !strings.Contains(d.Reason, "call 3 in a row of look") {
			t.Errorf("%v: %+v", c.calls, d)
		}
	}
	// One whose arguments get a schema's defaults.
	filled := conversation(t, `look {"a":1}`, `look {"a":1}`)
	call := filled.State().Open[0].ToolCall
	written := call.Input
	call.Input = json.RawMessage(`{"a":1,"b":2}`)
	if d := loopguard.Gate(2)(context.Background(), agent.ToolRequest{Call: call, Written: written, Log: filled}); d.Permission != agent.Deny {
		t.Errorf("with defaults: %+v", d)
	}
	// One whose response isn't in the log yet.
	log := conversation(t, `look {"a":1}`, `look {"a":1}`, `other {}`)
	d := loopguard.Gate(2)(context.Background(), agent.ToolRequest{Call: transport.ToolCall{ID: "new", Name: "other", Input: json.RawMessage(`{}`)}, Log: log})
	if d.Permission != agent.Deny {
		t.Errorf("%+v", d)
	}
}

// A bound that is no bound means 3, a new run counts from zero again, and without a log
// nothing is denied.
func TestGateBounds(t *testing.T) {
	const look = `look {"a":1}`
	for n, want := range map[int]string{-1: "001", 0: "001", 1: "001", 2: "011", 3: "001", 4: "000"} {
		got := ""
		for calls := 1; calls <= 3; calls++ {
			log := conversation(t, []string{look, look, look}[:calls]...)
			d := loopguard.Gate(n)(t.Context(), agent.ToolRequest{Call: log.State().Open[0].ToolCall, Log: log})
			got += fmt.Sprint(len(d.Permission) / max(1, len(agent.Deny)))
			if d.Permission == agent.Deny && d.Rule != "loopguard" {
				t.Errorf("the rule is %q", d.Rule)
			}
		}
		if got != want {
			t.Errorf("Gate(%d) denies %s of three calls, want %s", n, got, want)
		}
	}
	log := conversation(t, look, look)
	call := log.State().Open[0].ToolCall
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindResult, Block: call.Answer(transport.Text("x"))}, memory.Record{Kind: memory.KindRun, Limits: &memory.Limits{}}); err != nil {
		t.Fatal(err)
	}
	call.ID = "new"
	for name, req := range map[string]agent.ToolRequest{"a new run": {Call: call, Log: log}, "no log": {Call: call}} {
		if d := loopguard.Gate(2)(t.Context(), req); d.Permission == agent.Deny {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// Of parallel calls only those in front of a call count for it.
func TestGateOfParallelCalls(t *testing.T) {
	resp, err := transport.ParseResponse([]byte(`{"id":"m","type":"message","role":"assistant","model":"x","content":[
		{"type":"tool_use","id":"a","name":"look","input":{}},{"type":"tool_use","id":"b","name":"look","input":{}},{"type":"tool_use","id":"c","name":"look","input":{}}
	],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	log := memory.NewLog()
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("go")}, memory.Record{Kind: memory.KindResponse, Response: resp}); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]string{2: "011", 3: "001", 4: "000"} {
		got := ""
		for _, c := range resp.ToolCalls() {
			if d := loopguard.Gate(n)(t.Context(), agent.ToolRequest{Call: c, Log: log}); d.Permission == agent.Deny {
				got += "1"
			} else {
				got += "0"
			}
		}
		if got != want {
			t.Errorf("of three calls at once, %d in a row denied: %s, want %s", n, got, want)
		}
	}
}
