package simulator_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

const (
	betaThreads = "message-threads-2026-08-12"
	create      = `"thread":{"type":"create"},`
)

func goesOn(id string) string {
	return fmt.Sprintf(`"thread":{"type":"continue","previous_message_id":%q},`, id)
}

// refusedThread posts a request of a thread that is refused with that status and code.
func refusedThread(t *testing.T, name, url, body string, status int, code string, header ...string) (message string, details map[string]any) {
	t.Helper()
	got, _, raw := post(t, url, body, append([]string{"anthropic-beta", betaThreads}, header...)...)
	details = errorDetails(t, raw)
	found, _ := details["error_code"].(string)
	if got != status || found != code {
		t.Errorf("%s: %d %s\nwant %d %s", name, got, raw, status, code)
	}
	return errorMessage(raw), details
}

func askThread(t *testing.T, url, body string, header ...string) *transport.Response {
	t.Helper()
	return ask(t, url, body, append([]string{"anthropic-beta", betaThreads}, header...)...)
}

// TestThreadIsTheWholeConversation holds that a tool loop on a thread is answered,
// counted and cached like the same one without: only the bodies are smaller.
func TestThreadIsTheWholeConversation(t *testing.T) {
	for _, model := range []string{"claude-opus-5", "claude-fable-5-2"} { // the second binds thinking
		for _, stream := range []bool{false, true} {
			extra := lookupTool + `"system":"Be brief.","cache_control":{"type":"ephemeral"},`
			kept := `"cache_control":{"type":"ephemeral"},`
			var usage [2][]transport.Usage
			var last [2]string
			for k, threaded := range []bool{false, true} {
				sim := simulator.StartTest(t, simulator.Options{Model: simulator.Loop{Turns: 4, Think: true}})
				history := []string{user(strings.Repeat("look it up ", 400))}
				fresh := history
				previous := ""
				for range 5 {
					body := request(model, extra, history...)
					if threaded && previous == "" {
						body = request(model, create+extra, history...)
					} else if threaded {
						body = request(model, goesOn(previous)+kept, fresh...)
					}
					resp := askEither(t, sim.URL(), body, stream, threaded)
					usage[k] = append(usage[k], resp.Usage)
					last[k], previous = resp.Text(), resp.ID
					history = append(history, assistant(resp))
					fresh = nil
					for _, c := range resp.ToolCalls() {
						fresh = append(fresh, says("user", fmt.Sprintf(`{"type":"tool_result","tool_use_id":%q,"content":"ok"}`, c.ID)))
					}
					history = append(history, fresh...)
				}
			}
			if !reflect.DeepEqual(usage[0], usage[1]) || last[0] != "done" || last[1] != "done" {
				t.Errorf("%s: without %+v %q\nwith %+v %q", model, usage[0], last[0], usage[1], last[1])
			}
		}
	}
}

// askEither asks whole or streamed.
func askEither(t *testing.T, url, body string, stream, threaded bool) *transport.Response {
	t.Helper()
	header := []string{}
	if threaded {
		header = append(header, "anthropic-beta", betaThreads)
	}
	if !stream {
		return ask(t, url, body, header...)
	}
	status, _, raw := post(t, url, strings.Replace(body, "{", `{"stream":true,`, 1), header...)
	if status != 200 {
		t.Fatalf("%d %s", status, raw)
	}
	whole, err := json.Marshal(readStream(t, raw))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.ParseResponse(whole)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func TestThreadErrors(t *testing.T) {
	now := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	sim := simulator.StartTest(t, simulator.Options{Now: func() time.Time { return now }})
	url := sim.URL()
	begin := func() string { return askThread(t, url, request("claude-opus-5", create, hi)).ID }

	id := begin()
	next := askThread(t, url, request("claude-opus-5", goesOn(id), user("more"))).ID
	if message, _ := refusedThread(t, "twice", url, request("claude-opus-5", goesOn(id), user("more")), 400, "thread_already_continued"); !strings.Contains(message, "already been continued") {
		t.Error(message)
	}
	refusedThread(t, "another account", url, request("claude-opus-5", goesOn(next), user("more")), 404, "thread_not_found", "x-api-key", "other")
	refusedThread(t, "no such response", url, request("claude-opus-5", goesOn("msg_1"), user("more")), 404, "thread_not_found")
	refusedThread(t, "no id", url, request("claude-opus-5", `"thread":{"type":"continue"},`, user("more")), 400, "")
	for _, extra := range []string{`"system":"x",`, `"tools":[],`} {
		refusedThread(t, extra, url, request("claude-opus-5", goesOn(next)+extra, user("more")), 400, "")
	}
	resp := askThread(t, url, request("claude-opus-5", goesOn(next), user("and more")))
	refusedThread(t, "the reply again", url, request("claude-opus-5", goesOn(resp.ID), assistant(resp), user("more")), 400, "")
	refusedThread(t, "the first picture", url, request("claude-opus-5", goesOn(resp.ID), says("user", picture(1, 1))), 404, "thread_not_found")
	now = now.Add(4 * time.Minute)
	resp = askThread(t, url, request("claude-opus-5", goesOn(resp.ID), user("still here")))
	now = now.Add(4 * time.Minute)
	resp = askThread(t, url, request("claude-opus-5", goesOn(resp.ID), user("still here")))
	now = now.Add(5 * time.Minute)
	refusedThread(t, "after five minutes", url, request("claude-opus-5", goesOn(resp.ID), user("too late")), 404, "thread_not_found")

	if status, _, raw := post(t, url, request("claude-opus-5", create, hi)); status != 400 || errorMessage(raw) != "thread: Extra inputs are not permitted" {
		t.Errorf("without the beta: %d %s", status, raw)
	}
	id = begin()
	more := request("claude-opus-5", goesOn(id), user("more"))
	for _, fault := range []string{"status=529", "status=500", "reset"} {
		if status := tryPost(url, more, fault); status == 200 {
			t.Errorf("%s: 200", fault)
		}
	}
	// An answer that was lost on its way is one all the same.
	if status := tryPost(url, more, "cut=400"); status != 0 {
		t.Errorf("cut: %d", status)
	}
	refusedThread(t, "after a lost answer", url, more, 400, "thread_already_continued")
	count := `{"model":"claude-opus-5",` + create + `"messages":[` + hi + `]}`
	if status, _, raw := send(t, "POST", url+"/v1/messages/count_tokens", strings.NewReader(count), "anthropic-beta", betaThreads); status != 400 {
		t.Errorf("count_tokens: %d %s", status, raw)
	}
}

func TestThreadFingerprint(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	const (
		mcpBeta = "mcp-client-2025-04-04,context-management-2025-06-27,skills-2025-10-02"
		server  = `"mcp_servers":[{"type":"url","url":"https://x","name":"m","authorization_token":%q}],`
		keepAll = `"context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]},`
	)
	fields := map[string]string{
		"tool_choice":        `"tool_choice":{"type":"auto"},`,
		"thinking":           `"thinking":{"type":"adaptive"},`,
		"mcp_servers":        fmt.Sprintf(server, "one"),
		"context_management": keepAll,
		"output_config":      `"output_config":{"effort":"low"},`,
		"cache_control":      `"cache_control":{"type":"ephemeral"},`,
	}
	all := ""
	for _, f := range fields {
		all += f
	}
	betas := betaThreads + "," + mcpBeta
	id := ask(t, sim.URL(), request("claude-opus-5", create+all, hi), "anthropic-beta", betas).ID
	for name, f := range fields {
		without := strings.Replace(all, f, "", 1)
		message, _ := refusedThread(t, name, sim.URL(), request("claude-opus-5", goesOn(id)+without, user("more")), 400, "thread_fingerprint_mismatch", "anthropic-beta", betas)
		if !strings.HasSuffix(message, "differing field(s): "+name) {
			t.Errorf("%s: %s", name, message)
		}
	}
	refusedThread(t, "model", sim.URL(), request("claude-opus-4-8", goesOn(id)+all, user("more")), 400, "thread_fingerprint_mismatch", "anthropic-beta", betas)
	message, _ := refusedThread(t, "betas", sim.URL(), request("claude-opus-5", goesOn(id)+all, user("more")), 400, "thread_fingerprint_mismatch", "anthropic-beta", betas+",effort-2025-11-24")
	if !strings.HasSuffix(message, "differing field(s): anthropic-beta") {
		t.Error(message)
	}
	// What is free, tokens among it, and another spelling of the same.
	free := strings.Replace(all, `"one"`, `"two"`, 1) + `"metadata":{"user_id":"u"},"stop_sequences":["x"],"service_tier":"auto",`
	free = strings.Replace(free, `{"type":"url","url":"https://x"`, `{ "url":"https://x", "type":"url"`, 1)
	body := strings.Replace(request("claude-opus-5", goesOn(id)+free, user("more")), "4000", "3000", 1)
	ask(t, sim.URL(), body, "anthropic-beta", "skills-2025-10-02,mcp-client-2025-04-04,"+betaThreads+",context-management-2025-06-27,"+betaThreads)

	const fallback = betaThreads + ",server-side-fallback-2026-07-01"
	id = ask(t, sim.URL(), request("claude-fable-5", create+`"fallbacks":"default",`, hi), "anthropic-beta", fallback).ID
	refusedThread(t, "fallbacks", sim.URL(), request("claude-fable-5", goesOn(id), user("more")), 400, "thread_fingerprint_mismatch", "anthropic-beta", fallback)
	ask(t, sim.URL(), request("claude-fable-5", goesOn(id)+`"fallbacks":[{"model":"claude-opus-5"}],`, user("more")), "anthropic-beta", fallback)
}

// TestThreadIsNotHeld goes through what no thread goes on from.
func TestThreadIsNotHeld(t *testing.T) {
	refusal := simulator.Reply{Content: []simulator.Part{simulator.Text("no")}, StopReason: transport.StopRefusal}
	long := simulator.Do(simulator.Call("lookup", map[string]string{"query": strings.Repeat("x", 20_000)}))
	for name, c := range map[string]struct {
		replies []simulator.Reply
		extra   string
		max     int
		held    bool
	}{
		"a refusal":           {[]simulator.Reply{refusal}, "", 0, false},
		"a fallback's answer": {[]simulator.Reply{refusal, simulator.Say("yes")}, `"fallbacks":"default",`, 0, false},
		"a call cut off":      {[]simulator.Reply{long}, "", 0, false},
		"a text cut off":      {[]simulator.Reply{simulator.Say(strings.Repeat("x", 20_000))}, "", 0, true},
		"a large one":         {[]simulator.Reply{simulator.Say("yes")}, "", 50, false},
		"an empty answer":     {[]simulator.Reply{{}}, "", 0, true},
		"a blank answer":      {[]simulator.Reply{simulator.Say("\n")}, "", 0, true},
		"an answer":           {[]simulator.Reply{simulator.Say("yes")}, "", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(append(c.replies, simulator.Say("on"))...), Threads: simulator.ThreadOptions{MaxBytes: c.max}})
			const betas = betaThreads + ",server-side-fallback-2026-07-01"
			id := ask(t, sim.URL(), request("claude-fable-5", create+lookupTool+c.extra, hi), "anthropic-beta", betas).ID
			body := request("claude-fable-5", goesOn(id)+c.extra, user("more"))
			if c.held {
				ask(t, sim.URL(), body, "anthropic-beta", betas)
			} else {
				refusedThread(t, "continue", sim.URL(), body, 404, "thread_not_found", "anthropic-beta", betas)
			}
		})
	}
}

func TestThreadUnsupported(t *testing.T) {
	mark := func(text string) string {
		return says("user", `{"type":"text","text":"`+text+`","cache_control":{"type":"ephemeral"}}`)
	}
	const (
		marked = `"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}],"tools":[{"name":"f","cache_control":{"type":"ephemeral"},"input_schema":` + object + `}],`
		auto   = `"cache_control":{"type":"ephemeral"},`
		more   = `{"role":"user","content":"more"}`
	)
	for name, c := range map[string]struct {
		rules  simulator.ThreadOptions
		first  string
		fresh  string
		passes bool
	}{
		"four marks":              {first: hi, fresh: mark("b"), passes: true},
		"five marks":              {first: hi, fresh: mark("b") + "," + mark("c") + "," + more},
		"an earlier mark":         {first: mark("a"), fresh: mark("b") + "," + more, passes: true},
		"an earlier mark, strict": {rules: simulator.ThreadOptions{CountEarlierMarks: true}, first: mark("a") + "," + more, fresh: mark("b") + "," + more},
	} {
		sim := simulator.StartTest(t, simulator.Options{Threads: c.rules})
		id := askThread(t, sim.URL(), request("claude-opus-5", create+marked+auto, c.first)).ID
		body := request("claude-opus-5", goesOn(id)+auto, c.fresh)
		if c.passes {
			askThread(t, sim.URL(), body)
			continue
		}
		if _, details := refusedThread(t, name, sim.URL(), body, 400, "thread_unsupported_request"); fmt.Sprint(details["unsupported"]) != "[cache_control]" {
			t.Errorf("%s: %v", name, details)
		}
	}
	const edits = betaThreads + ",context-management-2025-06-27,compact-2026-01-12,compact-2026-09-04"
	sim := simulator.StartTest(t, simulator.Options{})
	for _, extra := range []string{
		`"context_management":{"edits":[{"type":"clear_tool_uses_20250919"}]},`, `"context_management":{"edits":[{"type":"clear_thinking_20251015"}]},`,
		`"context_management":{"edits":[{"type":"compact_20260112"}]},`, `"compaction":{"type":"summarize"},`,
	} {
		_, details := refusedThread(t, extra, sim.URL(), request("claude-opus-5", create+extra, hi), 400, "thread_unsupported_request", "anthropic-beta", edits)
		if fmt.Sprint(details["unsupported"]) != "[context_management]" {
			t.Errorf("%s: %v", extra, details)
		}
	}
	hipaa := simulator.StartTest(t, simulator.Options{Threads: simulator.ThreadOptions{Unsupported: []string{"hipaa"}}})
	if _, details := refusedThread(t, "hipaa", hipaa.URL(), request("claude-opus-5", create, hi), 400, "thread_unsupported_request"); fmt.Sprint(details["unsupported"]) != "[hipaa]" {
		t.Error(details)
	}
	ask(t, hipaa.URL(), request("claude-opus-5", "", hi))
}

// TestThreadMarksInOrder holds that a mark of 5 minutes in a message that a thread holds
// stands behind those of tools and system, and in front of new ones.
func TestThreadMarksInOrder(t *testing.T) {
	const (
		hour   = `"cache_control":{"type":"ephemeral","ttl":"1h"}`
		marked = `"system":[{"type":"text","text":"a",` + hour + `}],"tools":[{"name":"f",` + hour + `,"input_schema":` + object + `}],`
	)
	message := func(mark string) string { return says("user", `{"type":"text","text":"b",`+mark+`}`) }
	sim := simulator.StartTest(t, simulator.Options{})
	id := askThread(t, sim.URL(), request("claude-opus-5", create+marked, message(`"cache_control":{"type":"ephemeral"}`))).ID
	for range 2 {
		id = askThread(t, sim.URL(), request("claude-opus-5", goesOn(id), user("more"))).ID
	}
	body := request("claude-opus-5", goesOn(id), message(hour))
	if got, _, raw := post(t, sim.URL(), body, "anthropic-beta", betaThreads); got != 400 || !strings.Contains(errorMessage(raw), "must not come after a ttl='5m'") {
		t.Errorf("an hour behind 5 minutes: %d %s", got, raw)
	}
}

func TestThreadAfterAPause(t *testing.T) {
	search := simulator.ServerCall("web_search", map[string]string{"query": "maps"})
	sim := simulator.StartTest(t, simulator.Options{Pages: pages, Model: simulator.Dialogue(
		simulator.Reply{Content: []simulator.Part{search}, StopReason: transport.StopPauseTurn}, simulator.Say("found"), simulator.Say("next"))})
	first := askThread(t, sim.URL(), request("claude-opus-5", create+`"tools":[`+searched+`],`, hi))
	if first.StopReason != transport.StopPauseTurn {
		t.Fatalf("%s", first.Raw())
	}
	second := askThread(t, sim.URL(), request("claude-opus-5", goesOn(first.ID)))
	if second.Text() != "found" || second.Content[0].Type() != "web_search_tool_result" {
		t.Fatalf("%s", second.Raw())
	}
	if third := askThread(t, sim.URL(), request("claude-opus-5", goesOn(second.ID), user("and?"))); third.Text() != "next" {
		t.Errorf("%s", third.Raw())
	}
}

// TestThreadInFlight holds that a second request for the same response is refused
// while the first is answered, and may go on if that fails.
func TestThreadInFlight(t *testing.T) {
	began, finish := make(chan bool), make(chan bool)
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(func(ctx context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		if turn.LastUserText() != "slow" {
			return &simulator.Reply{Content: []simulator.Part{simulator.Text("yes")}}, nil
		}
		began <- true
		<-finish
		return nil, simulator.Overloaded()
	})})
	id := askThread(t, sim.URL(), request("claude-opus-5", create, hi)).ID
	done := make(chan int)
	go func() { done <- tryPost(sim.URL(), request("claude-opus-5", goesOn(id), user("slow")), "") }()
	<-began
	refusedThread(t, "meanwhile", sim.URL(), request("claude-opus-5", goesOn(id), user("quick")), 400, "thread_continue_in_flight")
	finish <- true
	if status := <-done; status != 529 {
		t.Errorf("the slow one: %d", status)
	}
	askThread(t, sim.URL(), request("claude-opus-5", goesOn(id), user("quick")))
}
