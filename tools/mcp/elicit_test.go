package mcp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/mcp"
)

// A host keeps what a run's log would keep, so that a call can run again.
type host struct {
	tools.Host
	notes   map[string][]json.RawMessage
	asked   map[string]tools.Question
	answers map[string]string // "declined" and "expired" are no JSON
}

func newHost() *host {
	return &host{notes: map[string][]json.RawMessage{}, asked: map[string]tools.Question{}, answers: map[string]string{}}
}

func (h *host) Note(_ context.Context, name string, data json.RawMessage) error {
	h.notes[name] = append(h.notes[name], data)
	return nil
}

func (h *host) Notes(_ context.Context, name string) ([]json.RawMessage, error) {
	return h.notes[name], nil
}

func (h *host) Ask(_ context.Context, q tools.Question) (tools.Answer, error) {
	h.asked[q.Key] = q
	switch answer := h.answers[q.Key]; answer {
	case "":
		return tools.Answer{}, fmt.Errorf("question %s: %w", q.Key, tools.ErrWaiting)
	case "declined":
		return tools.Answer{}, tools.ErrDeclined
	case "expired":
		return tools.Answer{}, tools.ErrExpired
	default:
		return tools.Answer{Value: json.RawMessage(answer)}, nil
	}
}

func (h *host) call(t *testing.T, tool tools.Callable, input string) (string, error) {
	ctx := tools.WithCall(t.Context(), tools.CallInfo{ID: "toolu_1", Key: "1", Host: h})
	r, err := tool.Call(ctx, json.RawMessage(input))
	if err != nil {
		return "", err
	}
	return string(r.Content[0].Raw()), nil
}

// asking is a server whose tool asks for a name and for an address, and then
// orders, once.
func asking(t *testing.T, ordered *atomic.Int64) tools.Callable {
	server := sdk.NewServer(&sdk.Implementation{Name: "asks", Version: "1"}, nil)
	server.AddTool(&sdk.Tool{Name: "order", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(_ context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		if r.Params.RequestState == "" {
			return &sdk.CallToolResult{RequestState: "first", InputRequests: sdk.InputRequestMap{
				"a": &sdk.ElicitParams{Message: "How many?", RequestedSchema: json.RawMessage(`{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}`)},
				"b": &sdk.ElicitParams{Mode: "url", Message: "Log in.", URL: "https://example.com/login", ElicitationID: "e1"},
			}}, nil
		}
		raw, _ := json.Marshal(r.Params.InputResponses)
		ordered.Add(1)
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: r.Params.RequestState + " " + string(raw)}}}, nil
	})
	return list(t, inMemory(t, server, mcp.Options{}))["order"]
}

// What a server asks is a question of the run's, and waits without a connection:
// when it is answered, the call runs again and goes on with the server's state.
func TestElicitationWaits(t *testing.T) {
	var ordered atomic.Int64
	order, h := asking(t, &ordered), newHost()
	if _, err := h.call(t, order, `{}`); !errors.Is(err, tools.ErrWaiting) {
		t.Fatalf("the first call: %v", err)
	}
	form, login := h.asked["mcp/1/a"], h.asked["mcp/1/b"]
	if form.Kind != "elicitation" || form.Prompt != "How many?" || !strings.Contains(string(form.Schema), `"integer"`) ||
		len(login.Choices) != 2 || !strings.Contains(string(login.Data), "https://example.com/login") {
		t.Errorf("asked: %+v", h.asked)
	}
	h.answers["mcp/1/a"] = `{"n":12}`
	order = asking(t, &ordered) // another process, and another connection
	if _, err := h.call(t, order, `{}`); !errors.Is(err, tools.ErrWaiting) || ordered.Load() != 0 {
		t.Fatalf("with one of two answers: %v", err)
	}
	h.answers["mcp/1/b"] = "true"
	got, err := h.call(t, order, `{}`)
	if err != nil || !strings.Contains(got, "first") || !strings.Contains(got, `{\"n\":12}`) || strings.Count(got, "accept") != 2 {
		t.Errorf("with both answers: %s, %v", got, err)
	}
	if ordered.Load() != 1 || len(h.notes["mcp/input"]) != 1 {
		t.Errorf("ordered %d times, notes %s", ordered.Load(), h.notes)
	}
}

// A server that asks twice by one id asks two questions.
func TestElicitationInTwoRounds(t *testing.T) {
	server := sdk.NewServer(&sdk.Implementation{Name: "asks", Version: "1"}, nil)
	server.AddTool(&sdk.Tool{Name: "order", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(_ context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		if n := len(r.Params.RequestState); n < 2 {
			return &sdk.CallToolResult{RequestState: r.Params.RequestState + "x", InputRequests: sdk.InputRequestMap{
				"a": &sdk.ElicitParams{Message: fmt.Sprint("Question ", n), RequestedSchema: json.RawMessage(`{"type":"object","properties":{"n":{"type":"integer"}}}`)},
			}}, nil
		}
		raw, _ := json.Marshal(r.Params.InputResponses)
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: string(raw)}}}, nil
	})
	order, h := list(t, inMemory(t, server, mcp.Options{}))["order"], newHost()
	h.answers["mcp/1/a"] = `{"n":1}`
	if got, err := h.call(t, order, `{}`); !errors.Is(err, tools.ErrWaiting) || h.asked["mcp/2/a"].Prompt != "Question 1" {
		t.Fatalf("with the first answer: %s, %v; asked %+v", got, err, h.asked)
	}
	h.answers["mcp/2/a"] = `{"n":2}`
	if got, err := h.call(t, order, `{}`); err != nil || !strings.Contains(got, `{\"n\":2}`) {
		t.Errorf("with both: %s, %v", got, err)
	}
}

func TestElicitationRefused(t *testing.T) {
	var ordered atomic.Int64
	h := newHost()
	h.answers["mcp/1/a"], h.answers["mcp/1/b"] = "declined", "expired"
	got, err := h.call(t, asking(t, &ordered), `{}`)
	if err != nil || !strings.Contains(got, "decline") || !strings.Contains(got, "cancel") {
		t.Errorf("%s, %v", got, err)
	}
	// What a server hears of the user's answers, each in its own word.
	for _, tt := range []struct{ form, login, want string }{
		{`{"n":1}`, "true", `{"a":{"action":"accept","content":{"n":1}},"b":{"action":"accept"}}`},
		{`{"n":2}`, "false", `{"a":{"action":"accept","content":{"n":2}},"b":{"action":"decline"}}`},
		{"declined", `"true"`, `{"a":{"action":"decline"},"b":{"action":"decline"}}`},
		{"declined", `{"true":true}`, `{"a":{"action":"decline"},"b":{"action":"decline"}}`},
		{"expired", "declined", `{"a":{"action":"cancel"},"b":{"action":"decline"}}`},
		{"declined", "expired", `{"a":{"action":"decline"},"b":{"action":"cancel"}}`},
	} {
		h := newHost()
		h.answers["mcp/1/a"], h.answers["mcp/1/b"] = tt.form, tt.login
		got, err := h.call(t, asking(t, &ordered), `{}`)
		if got = strings.ReplaceAll(got, `\"`, `"`); err != nil || !strings.Contains(got, "first "+tt.want) {
			t.Errorf("%s and %s: %s, %v", tt.form, tt.login, got, err)
		}
	}
	for _, bad := range []string{`{}`, `{"n":"many"}`, `{"n":1.5}`, `[]`, `true`} {
		before, h := ordered.Load(), newHost()
		h.answers["mcp/1/a"], h.answers["mcp/1/b"] = bad, "true"
		if got, err := h.call(t, asking(t, &ordered), `{}`); err == nil || ordered.Load() != before {
			t.Errorf("the answer %s: %s", bad, got)
		}
	}
	if got := call(t, asking(t, &ordered), `{}`); !strings.Contains(got, "no one to ask") || !strings.Contains(got, "How many?") {
		t.Errorf("without a host: %s", got)
	}
}

// A server that asks in each round is given up, and one that wants a model or folders is
// refused, before it gets anything for it. Where there is nobody to ask, it isn't told that
// there is.
func TestElicitationsWithoutEnd(t *testing.T) {
	var calls atomic.Int64
	var offered atomic.Value
	server := sdk.NewServer(&sdk.Implementation{Name: "asks", Version: "1"}, nil)
	question := &sdk.ElicitParams{Message: "Again?", RequestedSchema: json.RawMessage(`{"type":"object","properties":{"n":{"type":"integer"}}}`)}
	server.AddTool(&sdk.Tool{Name: "ask", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(_ context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		offers, _ := json.Marshal(r.ClientCapabilities())
		offered.Store(string(offers))
		result := &sdk.CallToolResult{RequestState: fmt.Sprint(calls.Add(1)), InputRequests: sdk.InputRequestMap{"q": question}}
		if strings.Contains(string(r.Params.Arguments), "model") {
			if err := json.Unmarshal([]byte(`{"m":{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}}`), &result.InputRequests); err != nil {
				return nil, err
			}
		}
		return result, nil
	})
	h := newHost()
	for n := range 20 {
		h.answers[fmt.Sprintf("mcp/%d/q", n)] = `{"n":1}`
	}
	ask := list(t, inMemory(t, server, mcp.Options{}))["ask"]
	if got, err := h.call(t, ask, `{}`); err == nil || !strings.Contains(err.Error(), "asked 10 times in one call") || calls.Load() != 10 || len(h.asked) != 10 {
		t.Errorf("%s, %v; called %d times, asked %d questions", got, err, calls.Load(), len(h.asked))
	}
	if got := offered.Load().(string); !strings.Contains(got, "elicitation") {
		t.Errorf("offered %s", got)
	}
	calls.Store(0)
	h = newHost()
	if got, err := h.call(t, ask, `{"model":true}`); err == nil || !strings.Contains(err.Error(), "does not support") || calls.Load() != 1 || len(h.asked)+len(h.notes) != 0 {
		t.Errorf("%s, %v; called %d times, asked %v", got, err, calls.Load(), h.asked)
	}
	if got := call(t, ask, `{}`); !strings.Contains(got, "no one to ask") || strings.Contains(offered.Load().(string), "elicitation") {
		t.Errorf("without a host: %s, offered %s", got, offered.Load())
	}
}
