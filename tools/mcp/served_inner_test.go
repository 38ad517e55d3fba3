package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/secret"
)

// What a tool called in an earlier round isn't called again, and is the result of no
// other call.
func TestInnerCalls(t *testing.T) {
	ran := map[string]int{}
	s := &served{tools: map[string]tools.Callable{}}
	for _, name := range []string{"a", "b"} {
		s.tools[name] = tools.Raw(name, "d", json.RawMessage(`{"type":"object"}`), func(_ context.Context, input json.RawMessage) (tools.Result, error) {
			ran[name]++
			return tools.Text(fmt.Sprintf("%s %s", name, input)), nil
		})
	}
	first := &servedHost{servedRound: s.round(&request{}, state{Key: "k"})}
	call := func(h *servedHost, id, name, input string) (string, error) {
		out, err := h.CallTool(t.Context(), transport.ToolCall{ID: id, Name: name, Input: json.RawMessage(input)})
		if err != nil {
			return "", err
		}
		return string(out.Content[0].Raw()), nil
	}
	want, err := call(first, "", "a", `{"n":1}`)
	if err != nil || ran["a"] != 1 {
		t.Fatal(want, err)
	}
	again := func() *servedHost { return &servedHost{servedRound: s.round(&request{}, first.state.clone())} }
	if got, err := call(again(), "", "a", `{"n":1}`); got != want || err != nil || ran["a"] != 1 {
		t.Errorf("the same call: %s, %v, ran %d times", got, err, ran["a"])
	}
	for _, other := range [][2]string{{"b", `{"n":1}`}, {"a", `{"n":2}`}} {
		var diverged *tools.DivergedError
		if got, err := call(again(), "", other[0], other[1]); !errors.As(err, &diverged) {
			t.Errorf("%s with %s in its place: %s, %v", other[0], other[1], got, err)
		}
	}
	if ran["a"] != 1 || ran["b"] != 0 {
		t.Errorf("ran %v", ran)
	}
}

// A call that had its effect just as the request was given up is recorded, and has its
// result: nobody makes it again.
func TestInnerCallGivenUpAtItsEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &served{tools: map[string]tools.Callable{"a": tools.Raw("a", "d", nil, func(context.Context, json.RawMessage) (tools.Result, error) {
		cancel()
		return tools.Text("done"), nil
	})}}
	log, err := newTaskLog(t.Context(), &memory.RAM{}, "id", "me", &taskBegin{})
	if err != nil {
		t.Fatal(err)
	}
	h := &servedHost{servedRound: s.round(&request{}, state{Key: "k"})}
	h.log = log
	out, err := h.CallTool(ctx, transport.ToolCall{Name: "a", Input: json.RawMessage(`{}`)})
	if err != nil || len(out.Content) != 1 || len(h.state.Results) != 1 || len(log.task.state.Results) != 1 {
		t.Errorf("%+v, %v; recorded %v and %v", out, err, h.state.Results, log.task.state.Results)
	}
}

// An answer that came in an earlier round is checked again: the question may be another.
func TestRecordedAnswersAreChecked(t *testing.T) {
	s := &served{}
	for value, good := range map[string]bool{`"yes"`: true, `"perhaps"`: false, `7`: false} {
		h := &servedHost{servedRound: s.round(&request{}, state{Answers: map[string]given{"q": {Value: json.RawMessage(value)}}})}
		a, err := h.Ask(t.Context(), tools.Question{Key: "q", Prompt: "Sure?", Schema: json.RawMessage(`{"enum":["yes","no"]}`)})
		if (err == nil) != good || good && string(a.Value) != value {
			t.Errorf("%s: %s, %v", value, a.Value, err)
		}
	}
	h := &servedHost{servedRound: s.round(&request{}, state{Answers: map[string]given{"q": {Declined: true}}})}
	if _, err := h.Ask(t.Context(), tools.Question{Key: "q", Prompt: "Sure?"}); !errors.Is(err, tools.ErrDeclined) {
		t.Errorf("declined: %v", err)
	}
}

// A question of an inner call is another one than the outer call's by that key, and its
// notes and calls are its own.
func TestInnerCallsHaveKeysOfTheirOwn(t *testing.T) {
	value := func(s string) given { return given{Value: json.RawMessage(s)} }
	round := (&served{}).round(&request{}, state{Answers: map[string]given{"q": value(`"outer"`), "call/1/q": value(`"inner"`), "call/1/call/1/q": value(`"inmost"`)}})
	round.tools = map[string]tools.Callable{}
	var answers []string
	tool := func(name, next string) {
		round.tools[name] = tools.Raw(name, "d", nil, func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
			h, _ := tools.HostOf(ctx)
			a, err := h.Ask(ctx, tools.Question{Key: "q", Prompt: "Who?"})
			answers = append(answers, string(a.Value))
			if err == nil && next != "" {
				_, err = h.CallTool(ctx, transport.ToolCall{Name: next, Input: json.RawMessage(`{}`)})
			}
			return tools.Text(name), errors.Join(err, h.Note(ctx, "n", json.RawMessage(`"`+name+`"`)))
		})
	}
	tool("inner", "inmost")
	tool("inmost", "")
	outer := &servedHost{servedRound: round}
	if _, err := outer.CallTool(t.Context(), transport.ToolCall{Name: "inner", Input: json.RawMessage(`{}`)}); err != nil {
		t.Fatal(err)
	}
	notes, err := outer.Notes(t.Context(), "n")
	if err != nil || len(notes) != 0 || len(round.state.Notes) != 2 || len(round.state.Results) != 2 || fmt.Sprint(answers) != `["inner" "inmost"]` {
		t.Errorf("answers %s, notes %s, of the outer one %s, results %v, %v", answers, round.state.Notes, notes, round.state.Results, err)
	}
}

// What a client is to keep is bounded.
func TestKeptForAClient(t *testing.T) {
	h := &servedHost{servedRound: (&served{}).round(&request{}, state{})}
	if _, err := h.Keep(t.Context(), make([]byte, maxKeptBytes+1), "text/plain"); err == nil {
		t.Error("any number of bytes is kept")
	}
	ref, err := h.Keep(t.Context(), make([]byte, maxKeptBytes), "text/plain")
	if err != nil {
		t.Fatal(err)
	}
	if data, kind, err := h.Kept(t.Context(), ref); len(data) != maxKeptBytes || kind != "text/plain" || err != nil {
		t.Errorf("%d bytes of %s, %v", len(data), kind, err)
	}
}

// The state of a request is bound to all that it is, and to its user.
func TestWhatAStateIsBoundTo(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range []struct{ kind, name, arguments, user string }{
		{"tool", "a", "1", "ann"}, {"tool", "a", "1", "bob"}, {"tool", "a", "1", ""}, {"tool", "a", "2", "ann"}, {"tool", "b", "1", "ann"}, {"prompt", "a", "1", "ann"},
	} {
		q := request{principal: r.user}
		q.boundTo(r.kind, r.name, []byte(r.arguments))
		if seen[q.bound] {
			t.Errorf("%+v is bound as another: %s", r, q.bound)
		}
		seen[q.bound] = true
	}
}

// A state is good for its request, and for a time.
func TestStateEnds(t *testing.T) {
	z, err := newSealer(secret.Value{})
	if err != nil {
		t.Fatal(err)
	}
	for age, good := range map[time.Duration]bool{0: true, stateAge - time.Hour: true, stateAge + time.Hour: false} {
		sealed, err := z.seal(state{Key: "k", Since: time.Now().Add(-age)}, "a request")
		if err != nil {
			t.Fatal(err)
		}
		if s, err := z.open(sealed, "a request"); (err == nil) != good || good && s.Key != "k" {
			t.Errorf("%v old: %+v, %v", age, s, err)
		}
		if _, err := z.open(sealed, "another request"); err == nil {
			t.Errorf("%v old: it is good for another request", age)
		}
	}
}

// A client is asked in the ways that it has offered only; one that names none has forms.
func TestWhatAClientCanBeAsked(t *testing.T) {
	form, link := &sdk.FormElicitationCapabilities{}, &sdk.URLElicitationCapabilities{}
	for _, tt := range []struct {
		offers    *sdk.ClientCapabilities
		form, url bool
	}{
		{nil, false, false},
		{&sdk.ClientCapabilities{}, false, false},
		{&sdk.ClientCapabilities{Elicitation: &sdk.ElicitationCapabilities{}}, true, false},
		{&sdk.ClientCapabilities{Elicitation: &sdk.ElicitationCapabilities{Form: form}}, true, false},
		{&sdk.ClientCapabilities{Elicitation: &sdk.ElicitationCapabilities{URL: link}}, false, true},
		{&sdk.ClientCapabilities{Elicitation: &sdk.ElicitationCapabilities{Form: form, URL: link}}, true, true},
	} {
		if f, u := canAsk(tt.offers, "form"), canAsk(tt.offers, "url"); f != tt.form || u != tt.url {
			t.Errorf("%+v: by forms %v, at addresses %v", tt.offers, f, u)
		}
	}
}

// What a client sends back is an answer if it says so and fits the question; a user who
// cancels has not answered.
func TestAnswersOfAClient(t *testing.T) {
	choice := tools.Question{Prompt: "Which?", Choices: []tools.Choice{{Value: json.RawMessage(`"Pay"`)}, {Value: json.RawMessage(`"pay"`), Label: "Later"}, {Value: json.RawMessage(`{"n":1}`)}}}
	several := choice
	several.Several = true
	number := tools.Question{Prompt: "How many?", Schema: json.RawMessage(`{"type":"integer","maximum":9}`)}
	link := tools.Question{Kind: "elicitation", Data: json.RawMessage(`{"mode":"url","url":"https://example.com/","message":"Pay."}`), Choices: []tools.Choice{{Value: json.RawMessage("true")}, {Value: json.RawMessage("false")}}}
	for _, tt := range []struct {
		q         tools.Question
		raw, want string // the value, "declined", or empty for an answer that is refused
	}{
		{choice, `{"action":"accept","content":{"answer":"pay"}}`, `"pay"`},
		{choice, `{"action":"accept","content":{"answer":"Pay"}}`, `"Pay"`},
		{choice, `{"action":"accept","content":{"answer":"{\"n\":1}"}}`, `{"n":1}`},
		{choice, `{"action":"accept","content":{"answer":"PAY"}}`, ``},
		{choice, `{"action":"accept","content":{"answer":""}}`, ``},
		{choice, `{"action":"accept","content":{}}`, ``},
		{choice, `{"action":"accept"}`, ``},
		{choice, `{"action":"decline","content":{"answer":"Pay"}}`, `declined`},
		{choice, `{"action":"cancel","content":{"answer":"Pay"}}`, `declined`},
		{choice, `{"action":"ACCEPT","content":{"answer":"Pay"}}`, ``},
		{choice, `{"content":{"answer":"Pay"}}`, ``},
		{several, `{"action":"accept","content":{"answer":["Pay","pay"]}}`, `["Pay","pay"]`},
		{several, `{"action":"accept","content":{"answer":["Pay","other"]}}`, ``},
		{number, `{"action":"accept","content":{"answer":9}}`, `9`},
		{number, `{"action":"accept","content":{"answer":10}}`, ``},
		{number, `{"action":"accept","content":{"answer":"9"}}`, ``},
		{link, `{"action":"accept"}`, `true`},
		{link, `{"action":"decline"}`, `declined`},
		{link, `{"action":"cancel"}`, `declined`},
	} {
		g, err := answerIn(json.RawMessage(tt.raw), tt.q)
		got := string(g.Value)
		if g.Declined {
			got += "declined"
		}
		if err != nil {
			got = ""
		}
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s to %q: %s, %v", tt.raw, tt.q.Prompt, got, err)
		}
	}
}

// What a client is to keep for a call is bounded, and one more note than that is an error.
func TestStateIsBounded(t *testing.T) {
	z, err := newSealer(secret.Value{})
	if err != nil {
		t.Fatal(err)
	}
	for size, good := range map[int]bool{maxStateBytes / 2: true, maxStateBytes: false} {
		note := json.RawMessage(`"` + strings.Repeat("x", size) + `"`)
		if _, err := z.seal(state{Notes: map[string][]json.RawMessage{"n": {note}}}, "a request"); (err == nil) != good {
			t.Errorf("a note of %d bytes: %v", size, err)
		}
	}
}

// A server's tools and resources count as what may lead a model astray and may tell others,
// unless the program says what they are. What the server says of itself doesn't count.
func TestTraitsOfAServer(t *testing.T) {
	careful := tools.Traits{Untrusted: true, Private: true, Outside: true}
	own := tools.Traits{ReadOnly: true, Repeatable: true}
	for name, tt := range map[string]struct {
		traits func(*sdk.Tool) tools.Traits
		want   tools.Traits
	}{"nobody says": {nil, careful}, "the program says": {func(*sdk.Tool) tools.Traits { return own }, own}} {
		c := &Client{options: Options{Traits: tt.traits}, log: slog.New(slog.DiscardHandler)}
		tool, err := c.tool("x", &sdk.Tool{Name: "x", Annotations: &sdk.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true}, InputSchema: map[string]any{"type": "object"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range append(c.ResourceTools(), tool) {
			if got := tool.(tools.Callable).Traits(); got != tt.want {
				t.Errorf("%s: a tool has %+v", name, got)
			}
		}
	}
}
