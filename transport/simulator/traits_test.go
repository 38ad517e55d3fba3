package simulator_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/simulator"
)

const betaBinding = "thinking-binding-controls-2026-08-01"

// dropped sends the thinking of one model to another, in the accounts of two keys,
// and returns why it was dropped, or "" if it was read.
func dropped(t *testing.T, url, writer, writerKey, reader, readerKey string) string {
	t.Helper()
	thinks := ""
	if m, _ := models.Lookup(writer); m.Thinking.Adaptive == models.Unsupported {
		thinks = `"thinking":{"type":"enabled","budget_tokens":1024},`
	} else if m.Thinking.Default == "off" {
		thinks = `"thinking":{"type":"adaptive"},`
	}
	first := ask(t, url, request(writer, thinks, user("hi")), "x-api-key", writerKey)
	if first.Content[0].Type() != "thinking" {
		t.Fatalf("%s: no thinking: %s", writer, first.Raw())
	}
	resp := ask(t, url, request(reader, "", user("hi"), assistant(first), user("more")), "anthropic-beta", betaBinding, "x-api-key", readerKey)
	raw := string(resp.Raw())
	switch {
	case strings.Contains(raw, `"input_transformations":[]`):
		return ""
	case strings.Contains(raw, "model_binding_mismatch"):
		return "model"
	case strings.Contains(raw, "organization_binding_mismatch"):
		return "account"
	}
	t.Fatalf("%s to %s: %s", writer, reader, raw)
	return ""
}

// TestWhoReadsWhoseThinking is the table of docs/wire.md §9.6, written out.
func TestWhoReadsWhoseThinking(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(echoAfter(simulator.Do(simulator.Thinking("hm"), simulator.Text("Noted."))))})
	writers := []string{"haiku-4-5", "opus-4-5", "opus-4-8", "sonnet-5", "fable-5", "mythos-5", "opus-5", "fable-5-1", "mythos-5-1", "opus-5-5", "sonnet-5-5", "haiku-5-5", "fable-5-2", "mythos-5-2"}
	for reader, reads := range map[string]string{
		"haiku-4-5":  "haiku-4-5",
		"opus-4-8":   "haiku-4-5 opus-4-5 opus-4-8",
		"sonnet-5":   "haiku-4-5 opus-4-5 opus-4-8 sonnet-5 fable-5 mythos-5",
		"opus-5":     "haiku-4-5 opus-4-5 opus-4-8 sonnet-5 fable-5 mythos-5 opus-5",
		"fable-5-1":  "haiku-4-5 opus-4-5 opus-4-8 sonnet-5 fable-5 mythos-5 opus-5 fable-5-1 mythos-5-1 opus-5-5",
		"mythos-5-1": "haiku-4-5 opus-4-5 opus-4-8 sonnet-5 fable-5 mythos-5 opus-5 fable-5-1 mythos-5-1 opus-5-5",
		"opus-5-5":   "haiku-4-5 opus-4-5 opus-4-8 sonnet-5 opus-5 opus-5-5 sonnet-5-5 haiku-5-5",
		"sonnet-5-5": "haiku-4-5 opus-4-5 opus-4-8 sonnet-5 sonnet-5-5 haiku-5-5",
		"haiku-5-5":  "haiku-4-5 opus-4-5 opus-4-8 sonnet-5 haiku-5-5",
		"fable-5-2":  strings.Join(writers, " "),
		"mythos-5-2": strings.Join(writers, " "),
	} {
		var got []string
		for _, writer := range writers {
			if dropped(t, sim.URL(), "claude-"+writer, "a", "claude-"+reader, "a") == "" {
				got = append(got, writer)
			}
		}
		if s := strings.Join(got, " "); s != reads {
			t.Errorf("%s reads %s\nwant %s", reader, s, reads)
		}
	}
	for writer, want := range map[string]string{"haiku-5-5": "account", "sonnet-5-5": "account", "fable-5-2": "account", "mythos-5-2": "account", "opus-5-5": "", "fable-5-1": ""} {
		if got := dropped(t, sim.URL(), "claude-"+writer, "a", "claude-"+writer, "b"); got != want {
			t.Errorf("%s in another account: %q, want %q", writer, got, want)
		}
	}
}

// TestWhatThinkingIsBoundTo holds which accounts and models check the prefix, and
// that the tools of MCP servers belong to it on the models of 5.2 alone.
func TestWhatThinkingIsBoundTo(t *testing.T) {
	reply := simulator.ModelFunc(echoAfter(simulator.Do(simulator.Thinking("hm"), simulator.Text("Noted."))))
	mcp := func(tools string) string {
		return `"mcp_servers":[{"type":"url","url":"https://x","name":"m"}],"tools":[{"type":"mcp_toolset","mcp_server_name":"m","tools":[` + tools + `]}],`
	}
	one := mcp(`{"name":"f","input_schema":` + object + `}`)
	two := mcp(`{"name":"f","input_schema":` + object + `},{"name":"g","input_schema":` + object + `}`)
	for _, c := range []struct {
		model, key, before, after string
		first                     string
		want                      int
	}{
		{"claude-opus-5-5", "old", "", "", "HI", 200},
		{"claude-fable-5-1", "old", "", "", "HI", 200},
		{"claude-mythos-5-1", "old", "", "", "HI", 400},
		{"claude-fable-5-2", "old", "", "", "HI", 400},
		{"claude-mythos-5-2", "old", "", "", "HI", 400},
		{"claude-opus-5-5", "new", "", "", "HI", 400},
		{"claude-opus-5", "new", "", "", "HI", 200},
		{"claude-opus-5-5", "new", one, two, "hi", 200},
		{"claude-fable-5-1", "new", one, two, "hi", 200},
		{"claude-fable-5-2", "new", one, two, "hi", 400},
		{"claude-fable-5-2", "new", one, one, "hi", 200},
	} {
		sim := simulator.StartTest(t, simulator.Options{Model: reply, OldAccount: c.key == "old"})
		betas := []string{"anthropic-beta", betaBinding + ",mcp-client-2026-09-15"}
		first := ask(t, sim.URL(), request(c.model, c.before, user("hi")), betas...)
		if status, _, raw := post(t, sim.URL(), request(c.model, c.after, user(c.first), assistant(first), user("more")), betas...); status != c.want {
			t.Errorf("%s, %s account, %q: %d %s", c.model, c.key, c.after, status, raw)
		}
	}
}

// TestPeculiarities holds what single models are particular about (wire §2, §6.7, §13).
func TestPeculiarities(t *testing.T) {
	now := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	sim := simulator.StartTest(t, simulator.Options{Now: func() time.Time { return now }})
	const (
		fallback = "server-side-fallback-2026-07-01"
		fast     = "fast-mode-2026-02-01"
		effort   = "mid-conversation-output-config-2026-07-01"
		advisor  = "advisor-tool-2026-03-01"
	)
	change := hi + `,{"role":"system","content":[],"output_config":{"effort":"low"}}`
	for _, c := range []struct {
		name, model, betas, extra, content string
		want                               string
	}{
		{name: "fast without the header", model: "claude-opus-5", extra: `"speed":"fast",`, want: "speed: "},
		{name: "fast with it", model: "claude-opus-5", betas: fast, extra: `"speed":"fast",`},
		{name: "fast where no header is needed", model: "claude-opus-5-5", extra: `"speed":"fast",`},
		{name: "fast on its last days", model: "claude-opus-4-8", betas: fast, extra: `"speed":"fast",`},
		{name: "quiet with block_binding", model: "claude-haiku-5-5", betas: betaBinding, extra: `"thinking":{"type":"disabled","block_binding":{"prefix_mismatch_behavior":"error"}},`, want: "thinking.disabled.block_binding: Extra inputs are not permitted"},
		{name: "quiet with another effort", model: "claude-haiku-5-5", betas: effort, extra: `"thinking":{"type":"disabled"},`, content: change, want: "messages.1: output_config.effort 'low' differs"},
		{name: "quiet at max", model: "claude-haiku-5-5", extra: `"thinking":{"type":"disabled"},"output_config":{"effort":"max"},`, want: "output_config.effort 'max' is not supported"},
		{name: "quiet at high", model: "claude-haiku-5-5", extra: `"thinking":{"type":"disabled"},"output_config":{"effort":"high"},`},
		{name: "temperature and top_p", model: "claude-haiku-5-5", extra: `"temperature":1,"top_p":0.99,`, want: "`temperature` and `top_p` cannot both be specified"},
		{name: "a list of fallbacks", model: "claude-haiku-5-5", betas: fallback, extra: `"fallbacks":[{"model":"claude-opus-5"}],`, want: "fallbacks: "},
		{name: "the default fallback", model: "claude-haiku-5-5", betas: fallback, extra: `"fallbacks":"default",`},
		{name: "a fallback that may", model: "claude-fable-5-2", betas: fallback, extra: `"fallbacks":[{"model":"claude-opus-4-8"}],`},
		{name: "a fallback that may not", model: "claude-fable-5-2", betas: fallback, extra: `"fallbacks":[{"model":"claude-opus-5-5"}],`, want: "fallbacks.0.model: "},
		{name: "an older advisor", model: "claude-fable-5-2", betas: advisor, extra: `"tools":[{"type":"advisor_20260301","name":"advisor","model":"claude-opus-5-5"}],`, want: "tools.0.advisor_20260301.model: "},
		{name: "an advisor of its own age", model: "claude-fable-5-2", betas: advisor, extra: `"tools":[{"type":"advisor_20260301","name":"advisor","model":"claude-mythos-5-2"}],`},
		{name: "an old computer", model: "claude-fable-5-2", betas: "computer-use-2025-11-24", extra: `"tools":[{"type":"computer_20251124","name":"computer","display_width_px":1,"display_height_px":1}],`, want: "'claude-fable-5-2' does not support tool types: computer_20251124."},
		{name: "the same on 5.1", model: "claude-fable-5-1", betas: "computer-use-2025-11-24", extra: `"tools":[{"type":"computer_20251124","name":"computer","display_width_px":1,"display_height_px":1}],`},
	} {
		if c.content == "" {
			c.content = hi
		}
		status, _, raw := post(t, sim.URL(), request(c.model, c.extra, c.content), "anthropic-beta", c.betas)
		if (status == 200) != (c.want == "") || !strings.HasPrefix(errorMessage(raw), c.want) {
			t.Errorf("%s: %d %s", c.name, status, raw)
		}
	}
	now = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	if status, _, raw := post(t, sim.URL(), request("claude-opus-4-8", `"speed":"fast",`, hi), "anthropic-beta", fast); status != 400 {
		t.Errorf("fast after its end: %d %s", status, raw)
	}
}

// TestForcedAnswersOfHaikuDontThink is one of the same rows.
func TestForcedAnswersOfHaikuDontThink(t *testing.T) {
	reply := simulator.Do(simulator.Thinking("hm"), simulator.Call("lookup", nil))
	for _, forced := range []bool{false, true} {
		sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(reply)})
		extra := lookupTool
		if forced {
			extra += `"tool_choice":{"type":"any"},`
		}
		first := ask(t, sim.URL(), request("claude-haiku-5-5", extra, hi))
		if got := fmt.Sprint(first.Content[0].Type()); (got == "thinking") == forced {
			t.Errorf("forced %v: begins with %s", forced, got)
		}
	}
}
