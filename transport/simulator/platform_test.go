package simulator_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

func cometError(raw []byte) (message, typ, code string) {
	var e struct {
		Type  string
		Error struct{ Message, Type, Code string }
	}
	json.Unmarshal(raw, &e)
	if e.Type != "" {
		return "", "", "" // not the proxy's own form
	}
	return e.Error.Message, e.Error.Type, e.Error.Code
}

func TestCometAPIAnswersItself(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{Platform: simulator.PlatformCometAPI, APIKey: "sk-1"})
	body := request("claude-opus-4-6", "", hi)
	for _, c := range []struct {
		name, key, authorization, path, body string
		status                               int
		code                                 string
	}{
		{"x-api-key", "sk-1", "", "/v1/messages", body, 200, ""},
		{"bearer", "", "Bearer sk-1", "/v1/messages", body, 200, ""},
		{"both", "sk-1", "Bearer sk-1", "/v1/messages", body, 200, ""},
		{"another key", "sk-2", "", "/v1/messages", body, 401, "invalid_token"},
		{"no key", "", "", "/v1/messages", body, 401, "invalid_token"},
		{"no such model", "sk-1", "", "/v1/messages", request("claude-none", "", hi), 503, "model_not_found"},
		{"counting", "sk-1", "", "/v1/messages/count_tokens", body, 404, ""},
		{"batches", "sk-1", "", "/v1/messages/batches", body, 404, ""},
		{"files", "sk-1", "", "/v1/files", body, 404, ""},
	} {
		status, _, raw := send(t, "POST", sim.URL()+c.path, strings.NewReader(c.body), "x-api-key", c.key, "authorization", c.authorization, "anthropic-version", "")
		_, typ, code := cometError(raw)
		if status != c.status || code != c.code || status != 200 && typ != "comet_api_error" {
			t.Errorf("%s: %d %s", c.name, status, raw)
		}
	}
}

// TestCometAPISpellings holds the proxy's spellings, the API's own beside them, and
// texts that only look like them.
func TestCometAPISpellings(t *testing.T) {
	var seen []*simulator.Turn
	sim := simulator.StartTest(t, simulator.Options{Platform: simulator.PlatformCometAPI, Model: simulator.ModelFunc(func(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		seen = append(seen, turn)
		return &simulator.Reply{Content: []simulator.Part{simulator.Text("{}")}}, nil
	})})
	long := strings.Repeat("abcd", 1100)
	marked := func(ttl string) string {
		return says("user", `{"type":"text","text":"`+long+`","cache_control":{"type":"ephemeral","ttl" : "`+ttl+`"}}`)
	}
	const schema = `"schema":{"type":"object","properties":{},"additionalProperties":false}`
	for _, ttl := range []string{"ephemeral_1h", "1h"} {
		if u := ask(t, sim.URL(), request("claude-opus-4-6", "", marked(ttl))).Usage; u.CacheCreation.Ephemeral1hInputTokens+u.CacheReadInputTokens == 0 {
			t.Errorf("%s: %+v", ttl, u)
		}
	}
	if u := ask(t, sim.URL(), request("claude-opus-4-6", "", marked("ephemeral_5m"), user("?"))).Usage; u.CacheReadInputTokens == 0 {
		t.Errorf("ephemeral_5m: %+v", u)
	}
	for _, typ := range []string{"json", "json_schema"} {
		seen = nil
		ask(t, sim.URL(), request("claude-opus-4-6", ` "output_config" : {"effort":"low","format":{`+schema+`,"type": "`+typ+`"}},`, hi))
		if len(seen) != 1 || !strings.Contains(string(seen[0].Format), `"json_schema"`) {
			t.Errorf("%s: %+v", typ, seen)
		}
	}
	text := `"ttl":"ephemeral_5m","output_config":{"format":{"type":"json"}}`
	seen = nil
	ask(t, sim.URL(), request("claude-opus-4-6", "", user(text)))
	if got := seen[0].LastUserText(); got != text {
		t.Errorf("%s", got)
	}
	if status, _, raw := post(t, sim.URL(), `{"output_config":{"format":{"type":"json"`); status != 400 || !strings.Contains(errorMessage(raw), "not valid JSON") {
		t.Errorf("%d %s", status, raw)
	}
}

// TestCometAPILoop runs tools, thinking with a budget, streaming, caching and web
// tools through the proxy, and holds what its answers have and lack.
func TestCometAPILoop(t *testing.T) {
	const (
		model = "claude-opus-4-6"
		extra = `"thinking":{"type":"enabled","budget_tokens":1024},"system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}}],` +
			`"tools":[{"name":"lookup","input_schema":` + object + `},` + searched + `,{"type":"web_fetch_20250910","name":"web_fetch"}],`
	)
	for _, stream := range []bool{false, true} {
		sim := simulator.StartTest(t, simulator.Options{Platform: simulator.PlatformCometAPI, Pages: pages, Model: simulator.Dialogue(
			simulator.Do(simulator.Thinking("hm"), simulator.Call("lookup", nil)),
			simulator.Reply{Content: []simulator.Part{simulator.Text("I search."), simulator.ServerCall("web_search", map[string]string{"query": "maps"})}, StopReason: transport.StopPauseTurn},
			simulator.Say("Maps have no order."))})
		messages := []string{user("What of maps?")}
		for step := range 3 {
			resp := askEither(t, sim.URL(), request(model, extra, messages...), stream, false)
			raw := string(resp.Raw())
			for _, member := range []string{"service_tier", "stop_details", "container", "caller", "diagnostics", "inference_geo"} {
				if strings.Contains(raw, `"`+member+`"`) {
					t.Errorf("step %d has %s: %s", step, member, raw)
				}
			}
			if !strings.HasPrefix(resp.ID, "msg_bdrk_") {
				t.Errorf("%s", resp.ID)
			}
			messages = append(messages, assistant(resp))
			for _, c := range resp.ToolCalls() {
				if !strings.HasPrefix(c.ID, "toolu_bdrk_") {
					t.Errorf("%s", c.ID)
				}
				messages = append(messages, says("user", fmt.Sprintf(`{"type":"tool_result","tool_use_id":%q,"content":"ok"}`, c.ID)))
			}
			if want := []transport.StopReason{"tool_use", "pause_turn", "end_turn"}[step]; resp.StopReason != want {
				t.Errorf("step %d: %s", step, raw)
			}
		}
	}
	sim := simulator.StartTest(t, simulator.Options{Platform: simulator.PlatformCometAPI})
	for tool, want := range map[string]int{"web_search_20250305": 200, "web_search_20260209": 400, "code_execution_20250522": 200, "code_execution_20260120": 400} {
		name := tool[:strings.LastIndex(tool, "_")]
		if status, _, raw := post(t, sim.URL(), request(model, fmt.Sprintf(`"tools":[{"type":%q,"name":%q}],`, tool, name), hi), "anthropic-beta", "some-beta-of-old-2024-01-01"); status != want {
			t.Errorf("%s: %d %s", tool, status, raw)
		}
	}
	if status, _, raw := post(t, sim.URL(), request(model, create, hi), "anthropic-beta", betaThreads); status != 400 {
		t.Errorf("a thread: %d %s", status, raw)
	}
	mark := func(n int) string {
		return request(model, "", says("user", `{"type":"text","text":"`+strings.Repeat("abcd", n)+`","cache_control":{"type":"ephemeral"}}`))
	}
	for tokens, want := range map[int]bool{1000: false, 1100: true} { // the model's own minimum is 4,096
		if u := ask(t, sim.URL(), mark(tokens)).Usage; (u.CacheCreationInputTokens > 0) != want {
			t.Errorf("%d tokens: %+v", tokens, u)
		}
	}
}
