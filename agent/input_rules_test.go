package agent

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// Which log an input names, and what is wrong with one that names none or two.
func TestLogOfAnInput(t *testing.T) {
	log, store := memory.NewLog(), new(memory.RAM)
	for _, tt := range []struct {
		in   Input
		want string // of the error
	}{
		{Input{}, ""}, {Input{Log: log}, ""}, {Input{Store: store, Session: "s"}, ""},
		{Input{Log: log, Store: store}, "both"}, {Input{Log: log, Session: "s"}, "both"},
		{Input{Store: store}, "Session is empty"}, {Input{Session: "s"}, "Store is nil"},
	} {
		got, err := tt.in.log()
		if got == nil || (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, %v", tt.in, got, err)
		}
		if tt.in.Log != nil && got != log || tt.in.Session == "s" && tt.want == "" && (got.ID() != "s" || got.Store() != store) {
			t.Errorf("%+v: another log", tt.in)
		}
	}
	if m := (&Input{Prompt: "last", Messages: []transport.Message{transport.UserText("first")}}).messages(); len(m) != 2 || m[0].Text() != "first" || m[1].Text() != "last" {
		t.Errorf("%+v", m)
	}
	list := make([]transport.Message, 1, 2)
	(&Input{Prompt: "mine", Messages: list}).messages()
	if list[:2][1].Role != "" {
		t.Error("the caller's array was written to")
	}
}

// A user is in the metadata, unless that names another one, and the caller's map stays
// what it is.
func TestMetaOfAnInput(t *testing.T) {
	for _, tt := range []struct {
		in   Input
		want map[string]string
	}{
		{Input{}, nil}, {Input{User: "ann"}, map[string]string{"user": "ann"}},
		{Input{User: "ann", Meta: map[string]string{"user": "bob"}}, map[string]string{"user": "bob"}},
		{Input{User: "ann", Meta: map[string]string{"user": "", "k": "v"}}, map[string]string{"user": "ann", "k": "v"}},
		{Input{Meta: map[string]string{"k": "v"}}, map[string]string{"k": "v"}},
	} {
		n, was := len(tt.in.Meta), tt.in.Meta["user"]
		got := tt.in.meta()
		if len(got) != len(tt.want) || got["user"] != tt.want["user"] || got["k"] != tt.want["k"] {
			t.Errorf("%+v: %v", tt.in, got)
		}
		if len(tt.in.Meta) != n || tt.in.Meta["user"] != was {
			t.Errorf("%+v: the caller's map was changed", tt.in)
		}
	}
	if got := withMeta(map[string]string{"a": "session", "b": "session"}, map[string]string{"b": "run", "c": "run"}); got["a"] != "session" || got["b"] != "run" || got["c"] != "run" {
		t.Errorf("%v", got)
	}
}

// An input that says where the log ends changes nothing if it ends elsewhere.
func TestFence(t *testing.T) {
	store := new(memory.RAM)
	make := func(store memory.Store, id string, n int) *memory.Log {
		log, err := memory.Create(store, id, nil)
		for range n {
			if err == nil {
				err = log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("q")})
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		return log
	}
	log, fresh := make(store, "s", 2), make(store, "t", 0)
	at := log.Position()
	other := at
	other.Incarnation = "other"
	for _, tt := range []struct {
		name string
		log  *memory.Log
		at   *memory.Position
		want error
	}{
		{"nowhere", log, nil, nil}, {"there", log, &at, nil},
		{"further on", log, &memory.Position{Incarnation: at.Incarnation, Records: 3}, memory.ErrConflict},
		{"before", log, &memory.Position{Incarnation: at.Incarnation, Records: 1}, memory.ErrConflict},
		{"another session", log, &other, memory.ErrReplaced},
		{"a session that was not there", log, &memory.Position{}, memory.ErrConflict},
		{"and is not there", fresh, &memory.Position{}, nil},
		{"one that is gone", fresh, &at, memory.ErrNoSession},
		{"the records alone", log, &memory.Position{Records: 2}, nil},
	} {
		if err := (&Input{At: tt.at}).fence(tt.log); !errors.Is(err, tt.want) || (err != nil) != (tt.want != nil) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// A typed answer is what was said, or what stands behind the last call of the service.
func TestTypedText(t *testing.T) {
	text := func(s string) string { return `{"type":"text","text":"` + s + `"}` }
	const search = `{"type":"server_tool_use","id":"s","name":"web_search","input":{}}`
	for _, tt := range []struct {
		name, said string
		content    []string
		want       string
	}{
		{"an answer", `{"n":1}`, []string{text(`x`)}, `{"n":1}`},
		{"with white space", " 7\n", []string{text("8")}, " 7\n"},
		{"behind words", "Look: 7", []string{text("Look: "), search, text("7")}, "7"},
		{"in two blocks", "Look: 78", []string{text("Look: "), search, text("7"), text("8")}, "78"},
		{"words at the end", "7 it is", []string{text("7"), search, text("it is")}, "7 it is"},
		{"nothing at the end", "so 7", []string{text("7"), search}, "so 7"},
	} {
		if got := typedText(tt.said, stopped(t, "end_turn", "", tt.content...)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := typedText("words", nil); got != "words" {
		t.Errorf("without a response: %q", got)
	}
}

// The stricter of two gates decides, the agent's where both say the same.
func TestStricterGate(t *testing.T) {
	order := []Permission{Allow, "", Ask, Deny}
	gate := func(p Permission, rule string) Gate {
		return func(context.Context, ToolRequest) Decision { return Decision{Permission: p, Rule: rule} }
	}
	ask := func(a, b Gate) Decision {
		r := &Run{agent: &Agent{opts: Options{Gate: a}}, input: Input{Gate: b}, log: memory.NewLog()}
		return r.askGates(t.Context(), new(tool), transport.ToolCall{}, nil)
	}
	for i, a := range order {
		for j, b := range order {
			want := Decision{Permission: order[max(i, j)], Rule: "agent"}
			if j > i {
				want.Rule = "input"
			}
			if got := ask(gate(a, "agent"), gate(b, "input")); got.Permission != want.Permission || got.Rule != want.Rule {
				t.Errorf("%q and %q: %+v, want %+v", a, b, got, want)
			}
		}
		if got := ask(gate(a, "agent"), nil); got.Permission != a {
			t.Errorf("%q alone: %+v", a, got)
		}
		if got := ask(nil, gate(a, "input")); got.Permission != a {
			t.Errorf("%q alone for the input: %+v", a, got)
		}
	}
	for in, want := range map[*Input]string{{User: "ann"}: "ann", {Meta: map[string]string{"user": "bob"}}: "bob", {User: "ann", Meta: map[string]string{"user": "bob"}}: "ann", {}: ""} {
		if got := (&Run{input: *in, meta: in.meta(), log: memory.NewLog()}).status().User; got != want {
			t.Errorf("%+v: the user is %q, want %q", *in, got, want)
		}
	}
	far := Result{Steps: 3, Usage: transport.Usage{InputTokens: 7}, Cost: Cost{USD: 0.5}}
	if got := (&Run{log: memory.NewLog(), result: far}).status(); got.Steps != 3 || got.Usage.InputTokens != 7 || got.Cost.USD != 0.5 {
		t.Errorf("%+v", got)
	}
	outside := map[toolKey]*tool{{name: "a"}: {}, {name: "b"}: {traits: tools.Traits{Outside: true}}}
	for want, a := range map[string]*Agent{"nil": nil, "gate": {opts: Options{Gate: gate(Allow, "")}, tools: outside}, "none": {tools: map[toolKey]*tool{{name: "a"}: {}}}} {
		if a.writesOutside() {
			t.Errorf("%s: writes outside", want)
		}
	}
	below := map[toolKey]*tool{{name: "a"}: {inner: map[string]*tool{"x": {}, "y": {traits: tools.Traits{Outside: true}}}}}
	for _, list := range []map[toolKey]*tool{outside, below, nil} {
		a := &Agent{tools: list}
		if got := (Sub{Agent: a}).Traits().Outside; got != (list != nil) || a.writesOutside() != got {
			t.Errorf("%d tools, of which one writes outside: as a tool %v", len(list), got)
		}
	}
}

// A deadline has passed at its time, and none never does.
func TestIsPast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		for _, tt := range []struct {
			at   time.Time
			want bool
		}{{time.Time{}, false}, {now.Add(-time.Nanosecond), true}, {now, true}, {now.Add(time.Hour), false}} {
			if got := isPast(t.Context(), tt.at); got != tt.want {
				t.Errorf("%v: %v", tt.at, got)
			}
		}
		for s, want := range map[string]string{"a\nb": `"a\nb"`, strings.Repeat("x", 80): `"` + strings.Repeat("x", 80) + `"`, strings.Repeat("x", 81): `"` + strings.Repeat("x", 80) + `"…`, strings.Repeat("x", 79) + "éé": `"` + strings.Repeat("x", 79) + `"…`} {
			if got := brief(s); got != want {
				t.Errorf("%q is %s", s, got)
			}
		}
	})
}

// Tokens of MCP servers are blanked, each, and all else stays as it is.
func TestWithoutTokens(t *testing.T) {
	for in, want := range map[string]string{
		``: ``, `[]`: `[]`, `[{"name":"a"}]`: `[{"name":"a"}]`,
		`[{"name":"a","authorization_token":"k"}]`:                                          `[{"name":"a","authorization_token":"[left out]"}]`,
		`[{"name":"a"},{"authorization_token":"k","name":"b"},{"authorization_token":"l"}]`: `[{"name":"a"},{"authorization_token":"[left out]","name":"b"},{"authorization_token":"[left out]"}]`,
		`[{"name":"authorization_token"}]`:                                                  `[{"name":"authorization_token"}]`,
	} {
		if got := string(withoutTokens([]byte(in))); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
