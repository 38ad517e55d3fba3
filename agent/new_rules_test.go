package agent

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

// A mute client is one that nothing is asked of; it has the features that it is given.
type mute struct{ features transport.Features }

func (mute) Stream(context.Context, *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) { yield(transport.Event{}, errors.New("not asked")) }
}
func (m mute) Features() transport.Features { return m.features }

// A plain tool has a name, traits and what it is told to do.
type plain struct {
	name   string
	traits tools.Traits
	inner  func() []tools.Tool
	do     func(ctx context.Context, input json.RawMessage) (tools.Result, error)
}

func (p plain) Definition() (transport.ToolDefinition, error) {
	return transport.ParseToolDefinition([]byte(`{"name":"` + p.name + `","input_schema":{"type":"object"}}`))
}
func (p plain) Traits() tools.Traits { return p.traits }
func (p plain) Call(ctx context.Context, input json.RawMessage) (tools.Result, error) {
	if p.do == nil {
		return tools.Text(p.name), nil
	}
	return p.do(ctx, input)
}

// A nest is a plain tool that calls others.
type nest struct{ plain }

func (n nest) InnerTools() []tools.Tool { return n.inner() }

func made(t *testing.T, opts Options) *Agent {
	t.Helper()
	if opts.Client == nil {
		opts.Client = mute{}
	}
	if opts.Model == "" {
		opts.Model = "claude-opus-5-5"
	}
	a, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// What stands in the Template stays, beside what an option adds, and the caller's own
// request isn't changed.
func TestOptionsBesideATemplate(t *testing.T) {
	shape := json.RawMessage(`{"type":"json_schema","schema":{"type":"object"}}`)
	tpl := transport.Request{
		OutputConfig: &transport.OutputConfig{Format: shape}, StopSequences: []string{"END"}, System: []transport.Block{transport.Text("from the template")},
	}
	thinking := &transport.Thinking{Type: "adaptive"}
	a := made(t, Options{Template: tpl, Effort: "low", Thinking: thinking, MaxTokens: 77})
	r := a.request
	if r.OutputConfig.Effort != "low" || string(r.OutputConfig.Format) != string(shape) || tpl.OutputConfig.Effort != "" {
		t.Errorf("the output's configuration is %+v, the caller's %+v", r.OutputConfig, tpl.OutputConfig)
	}
	if r.MaxTokens != 77 || *r.Thinking != *thinking || r.StopSequences[0] != "END" || len(r.System) != 1 || r.System[0].Type() != transport.TypeText {
		t.Errorf("%+v", r)
	}
	if r := made(t, Options{System: "be brief"}).request; len(r.System) != 1 || (transport.Message{Content: r.System}).Text() != "be brief" || r.OutputConfig != nil || r.Thinking != nil {
		t.Errorf("%+v", r)
	}
	small := models.Model{ID: "small", Limits: models.Limits{MaxOutputTokens: 4096}}
	big := models.Model{ID: "big", Limits: models.Limits{MaxOutputTokens: 64_000}}
	for _, tt := range []struct {
		model string
		give  int
		want  int
	}{{"small", 0, 4096}, {"big", 0, 32_000}, {"unknown", 0, 32_000}, {"small", 100, 100}, {"big", 64_000, 64_000}} {
		if got := made(t, Options{Model: tt.model, MaxTokens: tt.give, Models: []models.Model{small, big}}).request.MaxTokens; got != tt.want {
			t.Errorf("%s with %d: max_tokens is %d, want %d", tt.model, tt.give, got, tt.want)
		}
	}
	for want, opts := range map[string]Options{
		"MaxTokens is -1":                 {Model: "m", MaxTokens: -1},
		`Threads is "yes"`:                {Model: "m", Threads: "yes"},
		"Template.Thread is set":          {Model: "m", Template: transport.Request{Thread: new(transport.Thread)}},
		"Spill: tool \"read_result\"":     {Model: "m", Tools: []tools.Tool{plain{name: "read_result"}}, Context: ContextOptions{Spill: &Spill{}}},
		`Tools[1]: its inner tool 1`:      {Model: "m", Tools: []tools.Tool{plain{name: "a"}, nest{plain{name: "b", inner: func() []tools.Tool { return []tools.Tool{plain{name: "x"}, plain{name: "x"}} }}}}},
		"another one of that name":        {Model: "m", Tools: []tools.Tool{nest{plain{name: "b", inner: func() []tools.Tool { return []tools.Tool{plain{name: "x"}, plain{name: "x"}} }}}}},
		`0 (""): the tool is nil`:         {Model: "m", Tools: []tools.Tool{nest{plain{name: "b", inner: func() []tools.Tool { return []tools.Tool{nil} }}}}},
		"does not run here":               {Model: "m", Tools: []tools.Tool{nest{plain{name: "b", inner: func() []tools.Tool { return []tools.Tool{tools.WebSearch{}} }}}}},
		"the tool's InnerTools crashed: ": {Model: "m", Tools: []tools.Tool{nest{plain{name: "b", inner: func() []tools.Tool { panic("boom") }}}}},
	} {
		opts.Client = mute{}
		if _, err := New(opts); err == nil || !strings.HasPrefix(err.Error(), "agent: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	for _, threads := range []string{"", "auto", "on", "off"} {
		made(t, Options{Threads: threads})
	}
}

// Tools that a tool calls by itself are its own: the model isn't told of them, they have
// the middleware around them, and a name may be used once in each.
func TestInnerToolsOfAnAgent(t *testing.T) {
	x := plain{name: "x", traits: tools.Traits{NeedsApproval: true}}
	seen := ""
	around := func(next tools.CallFunc) tools.CallFunc {
		return func(ctx context.Context, input json.RawMessage) (tools.Result, error) {
			seen += "around "
			return next(ctx, input)
		}
	}
	a := made(t, Options{Middleware: []tools.Middleware{around}, Tools: []tools.Tool{
		nest{plain{name: "one", inner: func() []tools.Tool { return []tools.Tool{x} }}}, nest{plain{name: "two", inner: func() []tools.Tool { return []tools.Tool{plain{name: "x"}} }}}, plain{name: "x"},
	}})
	if len(a.request.Tools) != 3 {
		t.Errorf("the model is told of %d tools", len(a.request.Tools))
	}
	one, two := a.lookup(transport.ToolCall{Name: "one"}), a.lookup(transport.ToolCall{Name: "two"})
	r := a.NewRun(Input{})
	for _, tt := range []struct {
		by   *tool
		name string
		want bool // needs approval
	}{{one, "x", true}, {two, "x", false}, {nil, "x", false}} {
		j := &job{owner: r}
		j.call.Name = tt.name
		if tt.by != nil {
			j.outer = &job{tool: tt.by}
		}
		if got := r.lookupFor(j); got == nil || got.traits.NeedsApproval != tt.want {
			t.Errorf("%+v", got)
		}
	}
	j := &job{owner: r, outer: &job{tool: one}}
	j.call.Name = "two"
	if r.lookupFor(j) != two {
		t.Error("a tool can't call the agent's others")
	}
	if _, err := call(t.Context(), one.inner["x"].callable, []byte(`{}`)); err != nil || seen != "around " {
		t.Errorf("the middleware saw %q: %v", seen, err)
	}
	for name, p := range map[string]plain{"reads": {traits: tools.Traits{ReadOnly: true}}, "reads in a group": {traits: tools.Traits{ReadOnly: true, Group: "g"}}, "writes": {}} {
		p.name = "p"
		if got := made(t, Options{Tools: []tools.Tool{p}}).reads; got != (name == "reads") {
			t.Errorf("%s: starts early: %v", name, got)
		}
	}
	if !made(t, Options{Tools: []tools.Tool{plain{name: "r", traits: tools.Traits{ReadOnly: true}}, plain{name: "w"}}}).reads {
		t.Error("a tool that writes stands behind one that may start early")
	}
}

// What a request asks to be diagnosed, and where it is marked, is the agent's unless
// the Template says it.
func TestRequestsOfAnAgent(t *testing.T) {
	log := memory.NewLog()
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("q")}); err != nil {
		t.Fatal(err)
	}
	all := mute{transport.Features{Diagnostics: true, LongCache: true}}
	first := made(t, Options{Client: all}).Request(log)
	if first.Diagnostics == nil || first.Diagnostics.PreviousMessageID != "" || len(first.Breakpoints) == 0 {
		t.Errorf("%+v, marks %v", first.Diagnostics, first.Breakpoints)
	}
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindResponse, Response: stopped(t, "end_turn", "", `{"type":"text","text":"a"}`)}); err != nil {
		t.Fatal(err)
	}
	if second := made(t, Options{Client: all}).Request(log); second.Diagnostics == nil || second.Diagnostics.PreviousMessageID != "m" || len(second.Messages) != 2 {
		t.Errorf("%+v", second.Diagnostics)
	}
	if r := made(t, Options{}).Request(log); r.Diagnostics != nil {
		t.Error("an endpoint that doesn't know it is asked for a diagnosis")
	}
	own := &transport.Diagnostics{PreviousMessageID: "own"}
	if r := made(t, Options{Client: all, Template: transport.Request{Diagnostics: own}}).Request(log); *r.Diagnostics != *own {
		t.Errorf("%+v", r.Diagnostics)
	}
	if r := made(t, Options{Template: transport.Request{CacheControl: &transport.CacheControl{}}}).Request(log); len(r.Breakpoints) != 0 {
		t.Errorf("the Template marks the request, and the agent too: %v", r.Breakpoints)
	}
}

// A session's metadata stands below what the run is given.
func TestMetaOverASession(t *testing.T) {
	for _, tt := range []struct{ session, run, want map[string]string }{
		{nil, nil, nil},
		{nil, map[string]string{"a": "1"}, map[string]string{"a": "1"}},
		{map[string]string{"a": "1"}, nil, map[string]string{"a": "1"}},
		{map[string]string{"a": "1", "b": "1"}, map[string]string{"b": "2", "c": "2"}, map[string]string{"a": "1", "b": "2", "c": "2"}},
	} {
		got := withMeta(tt.session, tt.run)
		if len(got) != len(tt.want) {
			t.Errorf("%v", got)
		}
		for k, v := range tt.want {
			if got[k] != v {
				t.Errorf("%v, want %v", got, tt.want)
			}
		}
	}
}

// The defaults that Limits names.
func TestDefaultLimits(t *testing.T) {
	want := Limits{Steps: 100, Pauses: 10, Cuts: 3, Malformed: 5, Time: time.Hour, ToolTime: 2 * time.Minute, Parallel: 8, Depth: 8, Checks: 3, ResultBytes: 262_144, Lease: 15 * time.Second}
	if got := (Limits{}).withDefaults(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	a := made(t, Options{Limits: Limits{Steps: 7, Parallel: -1}})
	if r := a.NewRun(Input{Limits: Limits{Steps: 3}}); r.limits.Steps != 3 || r.limits.Parallel != -1 || r.limits.Time != time.Hour {
		t.Errorf("%+v", r.limits)
	}
}
