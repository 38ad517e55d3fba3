package simulator_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport/simulator"
)

func TestCacheAccounting(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	sim := simulator.StartTest(t, simulator.Options{Now: func() time.Time { return now }})
	mark := `"cache_control":{"type":"ephemeral"}`
	system := func(ttl string) string {
		return `"system":[{"type":"text","text":"` + strings.Repeat("abcd", 1000) + `","cache_control":{"type":"ephemeral"` + ttl + `}}],`
	}
	long := strings.Repeat("wxyz", 500)
	marked := `{"role":"user","content":[{"type":"text","text":"` + long + `",` + mark + `}]}`
	plain := user(long)
	check := func(name, body string, input, read, w5, w1h int64) {
		t.Helper()
		u := ask(t, sim.URL(), body).Usage
		if u.InputTokens != input || u.CacheReadInputTokens != read || u.CacheCreation.Ephemeral5mInputTokens != w5 ||
			u.CacheCreation.Ephemeral1hInputTokens != w1h || u.CacheCreationInputTokens != w5+w1h {
			t.Errorf("%s: %+v", name, u)
		}
	}
	const m = "claude-opus-5-5"
	check("first write", request(m, system(""), user("hi")), 1, 0, 1000, 0)
	check("read", request(m, system(""), user("hi")), 1, 1000, 0, 0)
	check("extended", request(m, system(""), marked), 0, 1000, 500, 0)
	check("mark moved", request(m, system(""), plain, marked), 0, 1500, 500, 0)
	now = now.Add(4 * time.Minute)
	check("refreshed", request(m, system(""), user("hi")), 1, 1000, 0, 0)
	now = now.Add(4 * time.Minute)
	check("kept by the read, the rest expired", request(m, system(""), plain, marked), 0, 1000, 1000, 0)
	now = now.Add(10 * time.Minute)
	check("expired", request(m, system(`,"ttl":"1h"`), plain, marked), 0, 0, 1000, 1000)
	now = now.Add(50 * time.Minute)
	check("1h lives", request(m, system(`,"ttl":"1h"`), plain, marked), 0, 1000, 1000, 0)
	check("other model", request("claude-opus-5", system(""), user("hi")), 1, 0, 1000, 0)
	check("too short", request("claude-opus-4-7", system(""), user("hi")), 1001, 0, 0, 0)
	check("automatic, too short", request(m, `"cache_control":{"type":"ephemeral"},`, plain), 500, 0, 0, 0)
	check("automatic", request(m, `"cache_control":{"type":"ephemeral"},`, plain, plain), 0, 0, 1000, 0)
}

func TestLookback(t *testing.T) {
	block := func(i int, mark bool) string {
		cc := ""
		if mark {
			cc = `,"cache_control":{"type":"ephemeral"}`
		}
		return fmt.Sprintf(`{"type":"text","text":"%s %03d"%s}`, strings.Repeat("abcd", 600), i, cc)
	}
	body := func(n int) string {
		var blocks []string
		for i := range n {
			blocks = append(blocks, block(i, i == n-1))
		}
		return request("claude-opus-5-5", "", `{"role":"user","content":[`+strings.Join(blocks, ",")+`]}`)
	}
	for _, c := range []struct {
		gap  int
		hits bool
	}{{19, true}, {20, false}} {
		sim := simulator.StartTest(t, simulator.Options{})
		ask(t, sim.URL(), body(5))
		if u := ask(t, sim.URL(), body(5+c.gap)).Usage; u.CacheReadInputTokens > 0 != c.hits {
			t.Errorf("%d blocks later: %+v", c.gap, u)
		}
	}
}

func TestLookbackReadings(t *testing.T) {
	calls := many(25, func(i int) string { return fmt.Sprintf(`{"type":"tool_use","id":"t%d","name":"f","input":{}}`, i) })
	results := func(mark string) string {
		return many(24, func(i int) string { return fmt.Sprintf(`{"type":"tool_result","tool_use_id":"t%d"},`, i) }) +
			`{"type":"tool_result","tool_use_id":"t24"` + mark + `}`
	}
	const mark = `,"cache_control":{"type":"ephemeral"}`
	long := strings.Repeat("abcd", 1000)
	for rule, hits := range map[simulator.LookbackRule]bool{simulator.LookbackBlocks: false, simulator.LookbackRuns: true} {
		sim := simulator.StartTest(t, simulator.Options{Lookback: rule})
		ask(t, sim.URL(), request("claude-opus-5", "", says("user", `{"type":"text","text":"`+long+`"`+mark+`}`)))
		u := ask(t, sim.URL(), request("claude-opus-5", "", user(long), says("assistant", calls), says("user", strings.ReplaceAll(results(mark), ",,", ",")))).Usage
		if u.CacheReadInputTokens > 0 != hits {
			t.Errorf("rule %d: %+v", rule, u)
		}
	}
}

// TestWhatInvalidatesWhat is the table of wire §8.5: how far the cache is
// read after a change.
func TestWhatInvalidatesWhat(t *testing.T) {
	const mark = `,"cache_control":{"type":"ephemeral"}`
	pad := strings.Repeat("abcd", 600) // tokens at each level
	tool := func(description, more string) string {
		return `{"name":"f","description":"` + description + `","input_schema":{"type":"object","properties":{"a":{},"b":{}}}` + more + `}`
	}
	body := func(model, tools, system, more, text string) string {
		return request(model, `"tools":[`+tools+`],"system":[{"type":"text","text":"`+system+`"`+mark+`}],`+more, says("user", `{"type":"text","text":"`+text+`"`+mark+`}`))
	}
	base := tool(pad, mark)
	const m = "claude-opus-5"
	first := body(m, base, pad, "", pad)
	const none, tools, system, all = 0, 600, 1200, 1800
	for name, c := range map[string]struct {
		body string
		read int64
		beta string
	}{
		"nothing":               {first, all, ""},
		"tool edited":           {body(m, tool(pad[1:], mark), pad, "", pad), none, ""},
		"schema's keys swapped": {strings.Replace(first, `"a":{},"b":{}`, `"b":{},"a":{}`, 1), none, ""},
		"a deferred tool more":  {body(m, base+`,{"name":"g","defer_loading":true,"input_schema":{"type":"object"}}`, pad, "", pad), all, ""},
		"web search on":         {body(m, base+","+searched, pad, "", pad), tools, ""},
		"speed":                 {body(m, base, pad, `"speed":"fast",`, pad), tools, "fast-mode-2026-02-01"},
		"system edited":         {body(m, base, pad[1:], "", pad), tools, ""},
		"tool_choice":           {body(m, base, pad, `"tool_choice":{"type":"none"},`, pad), system, ""},
		"thinking":              {body(m, base, pad, `"thinking":{"type":"disabled"},`, pad), system, ""},
		"effort":                {body(m, base, pad, `"output_config":{"effort":"low"},`, pad), system, ""},
		"effort's default":      {body(m, base, pad, `"output_config":{"effort":"high"},`, pad), all, ""},
		"format":                {body(m, base, pad, `"output_config":{"format":{"type":"json_schema","schema":{"type":"object","additionalProperties":false}}},`, pad), system, ""},
		"message edited":        {body(m, base, pad, "", pad[1:]), system, ""},
		"max_tokens, metadata":  {strings.Replace(body(m, base, pad, `"metadata":{"user_id":"u"},"stop_sequences":["x"],"stream":false,`, pad), "4000", "3000", 1), all, ""},
		"other model":           {body("claude-opus-4-8", base, pad, "", pad), none, ""},
		"one that cites":        {strings.Replace(first, `}]}]}`, `},{"type":"document","citations":{"enabled":true},"source":{"type":"text","media_type":"text/plain","data":"a"}}]}]}`, 1), tools, ""},
		"one that doesn't cite": {strings.Replace(first, `}]}]}`, `},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"a"}}]}]}`, 1), all, ""},
		"a system message":      {strings.Replace(first, `}]}]}`, `}]},{"role":"system","content":"Be brief."}]}`, 1), all, ""},
	} {
		sim := simulator.StartTest(t, simulator.Options{})
		ask(t, sim.URL(), first)
		if u := ask(t, sim.URL(), c.body, "anthropic-beta", c.beta).Usage; u.CacheReadInputTokens/600*600 != c.read {
			t.Errorf("%s: read %d, want about %d", name, u.CacheReadInputTokens, c.read)
		}
	}
}

// Another key is another account, with a cache of its own. What is written can
// be read once the response has begun.
func TestCacheIsApartForEachKey(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	body := request("claude-opus-5", `"cache_control":{"type":"ephemeral"},`, user(strings.Repeat("abcd", 1000)))
	for key, want := range map[string]int64{"one": 0, "two": 0} {
		if u := ask(t, sim.URL(), body, "x-api-key", key).Usage; u.CacheReadInputTokens != want {
			t.Errorf("%s: %+v", key, u)
		}
	}
	if u := ask(t, sim.URL(), body, "x-api-key", "one").Usage; u.CacheReadInputTokens != 1000 {
		t.Errorf("%+v", u)
	}
}

// Models that keep the thinking of the last turn only strip the rest, and lose
// the cache behind it (wire §9.5).
func TestStrippedThinkingLosesTheCache(t *testing.T) {
	const mark = `"cache_control":{"type":"ephemeral"},`
	for model, keeps := range map[string]bool{"claude-opus-5": true, "claude-sonnet-4-5": false} {
		sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(echoAfter(simulator.Do(simulator.Thinking("hm"), simulator.Text("Noted."), simulator.Call("f", nil))))})
		think := `"thinking":{"type":"adaptive"},`
		if !keeps {
			think = `"thinking":{"type":"enabled","budget_tokens":1024},`
		}
		question := user(strings.Repeat("abcd", 2000))
		first := ask(t, sim.URL(), request(model, mark+think, question))
		result := says("user", fmt.Sprintf(`{"type":"tool_result","tool_use_id":%q,"content":"%s"}`, first.ToolCalls()[0].ID, strings.Repeat("abcd", 500)))
		second := ask(t, sim.URL(), request(model, mark+think, question, assistant(first), result))
		third := ask(t, sim.URL(), request(model, mark+think, question, assistant(first), result, assistant(second), user("more"))).Usage
		if got := third.CacheReadInputTokens > 2100; got != keeps {
			t.Errorf("%s: %+v", model, third)
		}
	}
}

func TestUsageTellsHowItWasServed(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	for _, tt := range []struct{ model, extra, speed, geo string }{
		{"claude-opus-5", "", "", "global"},
		{"claude-opus-5", `"speed":"fast","inference_geo":"us",`, "fast", "us"},
		{"claude-opus-5", `"speed":"standard",`, "standard", "global"},
		{"claude-opus-4-6", `"speed":"fast",`, "standard", "global"},
	} {
		u := ask(t, sim.URL(), request(tt.model, tt.extra, hi), "anthropic-beta", "fast-mode-2026-02-01").Usage
		if u.Speed != tt.speed || u.InferenceGeo != tt.geo || u.ServiceTier != "standard" {
			t.Errorf("%s %s: %+v", tt.model, tt.extra, u)
		}
	}
}
