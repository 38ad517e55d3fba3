package anthropic_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

func TestVersionOfOptions(t *testing.T) {
	header := func(v ...string) http.Header { return http.Header{"anthropic-version": v} }
	for _, c := range []struct {
		version string
		header  http.Header
		want    string // the version, or a part of the error
	}{
		{"", nil, "2023-06-01"},
		{"2023-06-01", nil, "2023-06-01"},
		{"2026-10-21", nil, "2026-10-21"},
		{"", header("2026-10-21"), "2026-10-21"},
		{"2026-10-21", header("2026-10-21"), "2026-10-21"},
		{"2023-01-01", nil, `"2023-01-01" is not known; set Options.Version to 2023-06-01 or 2026-10-21`},
		{"2027-01-01", nil, `"2027-01-01" is not known`},
		{"bedrock-2023-05-31", nil, "is not known"},
		{"", header("1999-01-01"), "is not known"},
		{"", header("2023-06-01", "2023-06-01"), "is not known"},
		{"2026-10-21", header("2023-06-01"), "leave it out of the header"},
		{"2026-10-21", header("2026-10-21", "2026-10-21"), "leave it out of the header"},
	} {
		var sent atomic.Value
		sim := simulator.StartTest(t, simulator.Options{})
		o := anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("sk-1"), Version: c.version, Header: c.header, HTTPClient: &http.Client{Transport: observer(func(r *http.Request) {
			sent.Store(strings.Join(r.Header.Values("Anthropic-Version"), ", "))
		})}}
		client, err := anthropic.New(o)
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q, %v: %v", c.version, c.header, err)
			}
			continue
		}
		if _, err := client.CountTokens(t.Context(), request("claude-opus-5")); err != nil || sent.Load() != c.want {
			t.Errorf("%q, %v: sent %v, %v", c.version, c.header, sent.Load(), err)
		}
	}
}

// An observer sees requests before they are sent.
type observer func(*http.Request)

func (f observer) RoundTrip(r *http.Request) (*http.Response, error) {
	f(r)
	return http.DefaultTransport.RoundTrip(r)
}

func request(model string, messages ...transport.Message) *transport.Request {
	if messages == nil {
		messages = []transport.Message{transport.UserText("hi")}
	}
	return &transport.Request{Model: model, MaxTokens: 2000, Messages: messages}
}

func says(t *testing.T, role transport.Role, blocks ...string) transport.Message {
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

// TestWhatVersion2026Refuses sends requests under both versions: what the simulator
// refuses under the newer one is not sent under it, whichever way it would go, and
// what it takes is sent. Each is sent with the check turned off too, so that the
// simulator's own word is known.
func TestWhatVersion2026Refuses(t *testing.T) {
	const (
		source   = `"source":{"type":"text","media_type":"text/plain","data":"x"}`
		document = `{"type":"document",` + source + `}`
		citation = `{"type":"char_location","cited_text":"x","document_index":0,"document_title":null,"start_char_index":0,"end_char_index":1}`
		citing   = `{"type":"text","text":"a","citations":[` + citation + `]}`
		escaped  = `{"type":"text","text":"\"citations\":[1]"}`
		result   = `{"type":"search_result","source":"s","title":"t","content":[` + citing + `]}`
		call     = `{"type":"tool_use","id":"A","name":"f","input":{}}`
		answer   = `{"type":"tool_result","tool_use_id":"A","content":[{"type":"text","text":"x"},` + result + `]}`
		fetched  = `{"type":"web_fetch_tool_result","tool_use_id":"srvtoolu_1","content":{"type":"web_fetch_result","url":"https://x","content":` + document + `}}`
		fetch    = `{"type":"server_tool_use","id":"srvtoolu_1","name":"web_fetch","input":{"url":"https://x"}}`
		picture  = `{"type":"image","source":{"type":"url","url":"https://x/y.png"}}`
	)
	hi, number, k := transport.UserText("hi"), 1.0, 40
	user := func(blocks ...string) transport.Message { return says(t, transport.RoleUser, blocks...) }
	model := func(blocks ...string) transport.Message { return says(t, transport.RoleAssistant, blocks...) }
	with := func(change func(*transport.Request)) *transport.Request {
		r := request("claude-haiku-4-5")
		change(r)
		return r
	}
	on := func(messages ...transport.Message) *transport.Request { return request("claude-opus-5", messages...) }
	clearing := hi
	clearing.ClearAt = "next_user_message"
	for _, c := range []struct {
		name   string
		req    *transport.Request
		field  string // of the refusal; "" if it is taken
		always bool   // the older version refuses it as well
		prompt bool   // count_tokens refuses it too
	}{
		{"temperature", with(func(r *transport.Request) { r.Temperature = &number }), "temperature", false, false},
		{"top_p", with(func(r *transport.Request) { r.TopP = &number }), "top_p", false, false},
		{"top_k", with(func(r *transport.Request) { r.TopK = &k }), "top_k", false, false},
		{"two", with(func(r *transport.Request) { r.Temperature, r.TopK = &number, &k }), "temperature, top_k", false, false},
		{"a document of the model", on(hi, model(`{"type":"text","text":"a"}`, document), hi), "messages.1.content.1", false, true},
		{"two of them", on(hi, model(document), hi, model(document), hi), "messages.1.content.0, messages.3.content.0", false, true},
		{"a document that was fetched", on(hi, model(fetch, fetched), hi), "", false, true},
		{"a document of the user", on(user(document)), "", false, true},
		{"citations of the user", on(user(document, citing)), "messages.0.content.1", false, true},
		{"citations in a search result", on(user(result)), "messages.0.content.0.content.0", false, true},
		{"citations in a tool's result", on(hi, model(call), user(answer)), "messages.2.content.0.content.1.content.0", false, true},
		{"no citations", on(user(`{"type":"text","text":"a","citations":[]}`)), "", false, true},
		{"null for citations", on(user(`{"type":"text","text":"a","citations":null}`)), "", false, true},
		{"citations that are enabled", on(user(`{"type":"document",` + source + `,"citations":{"enabled":true}}`)), "", false, true},
		{"the word in a text", on(user(escaped)), "", false, true},
		{"citations of the model", on(user(document), model(citing), hi), "", false, true},
		{"a picture of the system", on(hi, says(t, transport.RoleSystem, picture)), "messages.1.content.0", false, true},
		{"text of the system", on(hi, transport.SystemText("a")), "", false, true},
		{"clear_at of the user", on(clearing), "messages.0.clear_at", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim := simulator.StartTest(t, simulator.Options{Foreign: true})
			for _, version := range []string{anthropic.APIVersion, anthropic.APIVersion2026} {
				sent := 0
				client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("sk-1"), Version: version, HTTPClient: &http.Client{Transport: observer(func(*http.Request) { sent++ })}})
				if err != nil {
					t.Fatal(err)
				}
				_, created := transport.Create(t.Context(), client, c.req)
				_, err = client.CreateBatch(t.Context(), []anthropic.BatchItem{{CustomID: "a", Request: c.req}})
				_, counted := client.CountTokens(t.Context(), c.req)
				if version == anthropic.APIVersion || c.field == "" {
					if (created != nil) != c.always || sent != 3 {
						t.Errorf("%s: sent %d times: %v, %v, %v", version, sent, created, err, counted)
					}
					continue
				}
				want := []error{created, err}
				if c.prompt {
					want = append(want, counted)
				} else if counted != nil {
					t.Errorf("count: %v", counted)
				}
				for _, err := range want {
					var refused *transport.RequestError
					if !errors.As(err, &refused) || refused.Field != c.field || !strings.Contains(refused.Reason, "docs/wire.md §1.11") || !errors.Is(err, transport.ErrInvalidRequest) {
						t.Errorf("%s: %v", version, err)
					}
				}
				if sent != 3-len(want) {
					t.Errorf("%s: sent %d times", version, sent)
				}
			}
			// The simulator's own word, through a client that believes in the older version.
			late, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("sk-1"), HTTPClient: &http.Client{Transport: observer(func(r *http.Request) {
				r.Header.Set("Anthropic-Version", anthropic.APIVersion2026)
			})}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := transport.Create(t.Context(), late, c.req); (err != nil) != (c.field != "") {
				t.Errorf("the simulator: %v", err)
			}
		})
	}
}

// What a thread holds isn't sent, and is not looked at.
func TestVersionOfAThread(t *testing.T) {
	client, err := anthropic.New(anthropic.Options{BaseURL: "http://127.0.0.1:1", Version: anthropic.APIVersion2026, MaxRetries: -1})
	if err != nil {
		t.Fatal(err)
	}
	r := request("claude-opus-5", transport.UserText("hi"), says(t, transport.RoleAssistant, `{"type":"document","source":{"type":"text","media_type":"text/plain","data":"x"}}`), transport.UserText("so"))
	for held, refused := range map[int]bool{0: true, 1: true, 2: false} {
		r.Thread = &transport.Thread{PreviousMessageID: "msg_1", Held: held}
		_, err := transport.Create(t.Context(), client, r)
		var before *transport.RequestError
		if errors.As(err, &before) != refused {
			t.Errorf("%d held: %v", held, err)
		}
	}
}

// TestAgentUnderBothVersions runs a tool loop with thinking on three generations of
// models: nothing of the agent's own is refused.
func TestAgentUnderBothVersions(t *testing.T) {
	for _, version := range []string{anthropic.APIVersion, anthropic.APIVersion2026} {
		for _, model := range []string{"claude-haiku-4-5", "claude-opus-5", "claude-opus-5-5"} {
			var refused atomic.Value
			sim := simulator.StartTest(t, simulator.Options{
				Observe: func(ex simulator.Exchange) {
					if ex.Refusal != nil {
						refused.Store(ex.Refusal.Error())
					}
				},
				Model: simulator.Dialogue(simulator.Do(simulator.Thinking("hm"), simulator.Call("lookup", map[string]string{"query": "a"})), simulator.Say("done")),
			})
			client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("sk-1"), Version: version, Features: anthropic.AllFeatures()})
			if err != nil {
				t.Fatal(err)
			}
			type query struct {
				Query string `json:"query"`
			}
			a, err := agent.New(agent.Options{Client: client, Model: model, MaxTokens: 4000, System: "Be brief.", Tools: []tools.Tool{
				tools.Func("lookup", "Looks into the notes.", func(_ context.Context, in query) (string, error) { return "nothing", nil }),
			}})
			if err != nil {
				t.Fatal(err)
			}
			res, err := a.Run(t.Context(), agent.Input{Prompt: "Look it up."})
			if err != nil || res.Text != "done" || res.Steps != 2 || refused.Load() != nil {
				t.Errorf("%s, %s: %v, %d steps, refused %v", version, model, err, res.Steps, refused.Load())
			}
		}
	}
}

// TestKeyInEitherHeader sends one key in the header that the options choose.
func TestKeyInEitherHeader(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{APIKey: "sk-1"})
	for _, bearer := range []bool{false, true} {
		var got string
		client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("sk-1"), BearerKey: bearer, HTTPClient: &http.Client{Transport: observer(func(r *http.Request) {
			got = fmt.Sprintf("%q %q %q", r.Header.Values("X-Api-Key"), r.Header.Values("Authorization"), r.Header.Values("Anthropic-Beta"))
		})}})
		if err != nil {
			t.Fatal(err)
		}
		want := `["sk-1"] [] []`
		if bearer {
			want = `[] ["Bearer sk-1"] []`
		}
		if _, err := client.CountTokens(t.Context(), request("claude-opus-5")); err != nil || got != want {
			t.Errorf("%s: %v", got, err)
		}
	}
}

// The codes are those of the service, as the simulator sends them.
func TestCodes(t *testing.T) {
	for _, code := range []string{
		anthropic.CodeRampLimit, anthropic.CodeSpendLimit, anthropic.CodeContractSpendLimit, anthropic.CodeHumanReviewDisabled, anthropic.CodeThreadUnsupported,
	} {
		sim := simulator.StartTest(t, simulator.Options{Faults: []simulator.Fault{{Code: code}}})
		client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("sk-1"), MaxRetries: -1})
		if err != nil {
			t.Fatal(err)
		}
		_, err = transport.Create(t.Context(), client, request("claude-opus-5"))
		var refused *transport.Error
		if !errors.As(err, &refused) || refused.Code != code {
			t.Errorf("%s: %v", code, err)
		}
	}
}
