package simulator_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// post sends a body and returns the status, the headers and the answer.
func post(t testing.TB, url, body string, header ...string) (int, http.Header, []byte) {
	t.Helper()
	req, err := http.NewRequest("POST", url+"/v1/messages", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-api-key", "test")
	req.Header.Set("anthropic-version", "2023-06-01")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, raw
}

// ask posts a body that has to be accepted.
func ask(t testing.TB, url, body string, header ...string) *transport.Response {
	t.Helper()
	status, _, raw := post(t, url, body, header...)
	if status != 200 {
		t.Fatalf("status %d: %s", status, raw)
	}
	resp, err := transport.ParseResponse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// request makes a body of the given messages, each a JSON object.
func request(model string, extra string, messages ...string) string {
	return fmt.Sprintf(`{"model":%q,"max_tokens":4000,%s"messages":[%s]}`, model, extra, strings.Join(messages, ","))
}

func user(text string) string {
	b, _ := json.Marshal(text)
	return fmt.Sprintf(`{"role":"user","content":%s}`, b)
}

func assistant(r *transport.Response) string {
	m, _ := r.Replay()
	return string(m.AppendJSON(nil))
}

const lookupTool = `"tools":[{"name":"lookup","input_schema":{"type":"object","properties":{"query":{"type":"string"}}}}],`

// readStream reads a stream's events into the message that they make up, with
// no help from the code under test.
func readStream(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	var message map[string]any
	var content []any
	var partial string
	var events []string
	scanner := bufio.NewScanner(bytes.NewReader(raw))
	scanner.Buffer(nil, 1<<24)
	for scanner.Scan() {
		data, ok := strings.CutPrefix(scanner.Text(), "data: ")
		if !ok {
			continue
		}
		var ev map[string]any
		if err := json.Unmarshal([]byte(data), &ev); err != nil {
			t.Fatalf("event %q: %v", data, err)
		}
		events = append(events, ev["type"].(string))
		switch ev["type"] {
		case "message_start":
			message = ev["message"].(map[string]any)
		case "content_block_start":
			content = append(content, ev["content_block"])
			partial = ""
		case "content_block_delta":
			block := content[int(ev["index"].(float64))].(map[string]any)
			delta := ev["delta"].(map[string]any)
			switch delta["type"] {
			case "text_delta":
				block["text"] = block["text"].(string) + delta["text"].(string)
			case "thinking_delta":
				block["thinking"] = block["thinking"].(string) + delta["thinking"].(string)
			case "signature_delta":
				block["signature"] = delta["signature"]
			case "input_json_delta":
				partial += delta["partial_json"].(string)
			case "citations_delta":
				block["citations"] = append(block["citations"].([]any), delta["citation"])
			default:
				t.Fatalf("unknown delta %v", delta)
			}
		case "content_block_stop":
			block := content[int(ev["index"].(float64))].(map[string]any)
			if partial != "" {
				var input any
				if err := json.Unmarshal([]byte(partial), &input); err != nil {
					t.Fatalf("tool input %q: %v", partial, err)
				}
				block["input"] = input
			}
		case "message_delta":
			for k, v := range ev["delta"].(map[string]any) {
				message[k] = v
			}
			for k, v := range ev["usage"].(map[string]any) {
				message["usage"].(map[string]any)[k] = v
			}
		}
	}
	if content == nil {
		content = []any{}
	}
	message["content"] = content
	if n := len(events); events[0] != "message_start" || events[n-1] != "message_stop" || events[n-2] != "message_delta" {
		t.Errorf("events in a wrong order: %v", events)
	}
	return message
}

func TestStreamedAndWholeAreTheSame(t *testing.T) {
	replies := []simulator.Reply{
		simulator.Say("Grüße, 世界! 👩‍👩‍👧‍👦 <b>&amp;</b> \"quoted\" back\\slash\n\ttab " + strings.Repeat("long ", 400)),
		simulator.Do(simulator.Thinking("first I look"), simulator.Text("Looking."),
			simulator.Call("lookup", json.RawMessage(`{"query":"é\u00e9\n","n":9007199254740993}`)),
			simulator.Call("lookup", nil)),
		{},
	}
	for i, reply := range replies {
		var messages [2]map[string]any
		for j, stream := range []string{"false", "true"} {
			sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(reply)})
			body := request("claude-opus-5-5", lookupTool+`"thinking":{"type":"adaptive","display":"summarized"},"stream":`+stream+",", user("hi"))
			status, h, raw := post(t, sim.URL(), body)
			if status != 200 || h.Get("request-id") == "" || h.Get("anthropic-ratelimit-requests-limit") == "" {
				t.Fatalf("status %d, headers %v: %s", status, h, raw)
			}
			if j == 0 {
				if err := json.Unmarshal(raw, &messages[0]); err != nil {
					t.Fatal(err)
				}
			} else {
				messages[1] = readStream(t, raw)
			}
		}
		a, _ := json.Marshal(messages[0])
		b, _ := json.Marshal(messages[1])
		if !bytes.Equal(a, b) {
			t.Errorf("reply %d:\nwhole    %s\nstreamed %s", i, a, b)
		}
	}
}

func TestThinkingIsSigned(t *testing.T) {
	reply := simulator.Do(simulator.Thinking("I should look it up"), simulator.Call("lookup", nil))
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(echoAfter(reply))})
	extra := lookupTool + `"thinking":{"type":"adaptive","display":"summarized"},`
	first := ask(t, sim.URL(), request("claude-opus-5-5", extra, user("hi")))
	if first.Content[0].Type() != "thinking" {
		t.Fatalf("no thinking: %s", first.Raw())
	}
	turn := assistant(first)
	result := fmt.Sprintf(`{"role":"user","content":[{"type":"tool_result","tool_use_id":%q,"content":"ok"}]}`, first.ToolCalls()[0].ID)
	ask(t, sim.URL(), request("claude-opus-5-5", extra, user("hi"), turn, result))
	const bound = "messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different conversation."
	const latest = "messages.1.content.0: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified."
	for name, c := range map[string]struct{ body, want string }{
		"prefix edited":    {request("claude-opus-5-5", extra, user("hello"), turn, result), bound},
		"system edited":    {request("claude-opus-5-5", extra+`"system":"x",`, user("hi"), turn, result), bound},
		"text edited":      {request("claude-opus-5-5", extra, user("hi"), strings.Replace(turn, "I should", "I could", 1), result), latest},
		"signature edited": {request("claude-opus-5-5", extra, user("hi"), strings.Replace(turn, `"signature":"`, `"signature":"A`, 1), result), "messages.1.content.0: Invalid `signature` in `thinking` block"},
	} {
		status, _, raw := post(t, sim.URL(), c.body)
		if status != 400 || !strings.Contains(errorMessage(raw), c.want) {
			t.Errorf("%s: %d %s", name, status, raw)
		}
	}
	// With the same value in another spelling the signature holds.
	spelled := strings.Replace(request("claude-opus-5-5", extra, user("hi"), turn, result), `"content":"hi"`, `"content" : [ {"text":"\u0068i","type":"text"} ]`, 1)
	ask(t, sim.URL(), spelled)
}

func errorMessage(raw []byte) string {
	var e struct {
		Type  string
		Error struct{ Type, Message string }
	}
	json.Unmarshal(raw, &e)
	return e.Error.Message
}

// echoAfter gives the reply to a user's text, and echoes after tool results.
func echoAfter(reply simulator.Reply) simulator.ModelFunc {
	return func(ctx context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		last := turn.Messages[len(turn.Messages)-1]
		if len(last.Content) > 0 && last.Content[0].Type() == "tool_result" {
			return simulator.Echo{}.Respond(ctx, turn)
		}
		return &reply, nil
	}
}

func TestToolResultsArePaired(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	call := `{"role":"assistant","content":[{"type":"tool_use","id":"A","name":"f","input":{}},{"type":"tool_use","id":"B","name":"f","input":{}}]}`
	result := func(content ...string) string {
		return `{"role":"user","content":[` + strings.Join(content, ",") + `]}`
	}
	a, b := `{"type":"tool_result","tool_use_id":"A"}`, `{"type":"tool_result","tool_use_id":"B","content":""}`
	text, c := `{"type":"text","text":"and"}`, `{"type":"tool_result","tool_use_id":"C"}`
	for name, x := range map[string]struct {
		tail []string
		want string
	}{
		"in order":           {[]string{result(a, b)}, ""},
		"other order":        {[]string{result(b, a)}, ""},
		"in two messages":    {[]string{result(b), result(a, text)}, ""},
		"text after":         {[]string{result(a, b), user("go on")}, ""},
		"text before":        {[]string{result(text, a, b)}, "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: A, B."},
		"text between":       {[]string{result(a, text), result(b)}, "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: B."},
		"one missing":        {[]string{result(a)}, "immediately after: B."},
		"plain text":         {[]string{user("x")}, "immediately after: A, B."},
		"one too many":       {[]string{result(a, b, c)}, "messages.2.content.2: unexpected `tool_use_id` found in `tool_result` blocks: C."},
		"twice":              {[]string{result(a, b, a)}, "messages.2.content.2: each tool_use must have a single result."},
		"call id used again": {[]string{result(a, b), call, result(a, b)}, ""},
		"call id used twice": {[]string{`{"role":"assistant","content":[{"type":"tool_use","id":"A","name":"f","input":{}}]}`, result(a, b)}, "messages.2.content.0: `tool_use` ids must be unique"},
		"text after a call":  {[]string{`{"role":"assistant","content":"so"}`, result(a, b)}, "messages.1: `tool_use` ids were found"},
	} {
		status, _, raw := post(t, sim.URL(), request("claude-opus-5-5", "", append([]string{user("hi"), call}, x.tail...)...))
		if x.want == "" && status != 200 || x.want != "" && (status != 400 || !strings.Contains(errorMessage(raw), x.want)) {
			t.Errorf("%s: %d %s", name, status, raw)
		}
	}
}

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

// Under the looser reading of the rule, a run of calls or results is one position.
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

// What is newer can't be read by an older model: it is dropped and told of.
func TestThinkingOfANewerModel(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(echoAfter(simulator.Do(simulator.Thinking("hm"), simulator.Text("Noted."))))})
	first := ask(t, sim.URL(), request("claude-opus-5-5", "", user("hi")))
	beta := []string{"anthropic-beta", "thinking-binding-controls-2026-08-01"}
	for model, want := range map[string]string{"claude-opus-4-8": "model_binding_mismatch", "claude-fable-5-1": `"input_transformations":[]`} {
		resp := ask(t, sim.URL(), request(model, "", user("hi"), assistant(first), user("more")), beta...)
		if !strings.Contains(string(resp.Raw()), want) {
			t.Errorf("%s: %s", model, resp.Raw())
		}
	}
}

func TestWebToolsAndPause(t *testing.T) {
	pages := fstest.MapFS{
		"go/gc.html": {Data: []byte("<html><head><title>The garbage collector</title></head><body><p>Go's collector is concurrent.</p></body></html>")},
		"cats.md":    {Data: []byte("# Cats\nCats sleep.")},
	}
	replies := []simulator.Reply{
		{Content: []simulator.Part{simulator.ServerCall("web_search", map[string]string{"query": "garbage collector"})}, StopReason: transport.StopPauseTurn},
		simulator.Do(simulator.ServerCall("web_fetch", map[string]string{"url": "https://pages.example/go/gc.html"}),
			simulator.ServerCall("web_fetch", map[string]string{"url": "https://pages.example/cats.md"})),
		simulator.Do(simulator.Cited("It is concurrent.", simulator.Citation{URL: "https://pages.example/go/gc.html", Title: "The garbage collector", CitedText: "Go's collector is concurrent."})),
		simulator.Say("bye"),
	}
	sim := simulator.StartTest(t, simulator.Options{Pages: pages, Model: simulator.Script(replies...)})
	extra := `"tools":[{"type":"web_search_20250305","name":"web_search"},{"type":"web_fetch_20250910","name":"web_fetch"}],`
	first := ask(t, sim.URL(), request("claude-opus-5-5", extra, user("How does it collect?")))
	if first.StopReason != transport.StopPauseTurn || len(first.PendingServerCalls()) != 1 {
		t.Fatalf("not paused: %s", first.Raw())
	}
	second := ask(t, sim.URL(), request("claude-opus-5-5", extra, user("How does it collect?"), assistant(first)))
	var kinds []string
	for _, b := range second.Content {
		kinds = append(kinds, b.Type())
	}
	want := "web_search_tool_result server_tool_use web_fetch_tool_result server_tool_use web_fetch_tool_result text"
	if got := strings.Join(kinds, " "); got != want {
		t.Errorf("blocks:\n%s\n%s", got, want)
	}
	raw := string(second.Raw())
	for _, part := range []string{`"title":"The garbage collector"`, `"encrypted_content":"`, `Go's collector is concurrent.`, `"error_code":"url_not_in_prior_context"`,
		`"web_search_result_location"`, `"encrypted_index":"`} {
		if !strings.Contains(raw, part) {
			t.Errorf("no %s in %s", part, raw)
		}
	}
	if u := second.Usage; u.ServerToolUse.WebFetchRequests != 2 || u.ServerToolUse.WebSearchRequests != 1 {
		t.Errorf("usage: %+v", u)
	}
	ask(t, sim.URL(), request("claude-opus-5-5", extra, user("How does it collect?"), assistant(first), assistant(second), user("thanks")))
	status, _, body := post(t, sim.URL(), request("claude-opus-5-5", extra, user("How does it collect?"), assistant(first), user("never mind")))
	if status != 400 || !strings.Contains(errorMessage(body), "was found without a corresponding `web_search_tool_result` block") {
		t.Errorf("a paused turn given up: %d %s", status, body)
	}
}

func TestMaxTokensCutsToolInput(t *testing.T) {
	input := json.RawMessage(`{"path":"a.txt","content":"` + strings.Repeat("x", 500) + `"}`)
	for _, stream := range []string{"true", "false"} {
		sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(simulator.Do(simulator.Call("write", input)))})
		body := strings.Replace(request("claude-opus-5-5", `"stream":`+stream+",", user("write")), "4000", "20", 1)
		status, _, raw := post(t, sim.URL(), body)
		if status != 200 || !strings.Contains(string(raw), `"stop_reason":"max_tokens"`) {
			t.Fatalf("%d %s", status, raw)
		}
		if stream == "false" && !strings.Contains(string(raw), `"input":{"path":"a.txt"}`) {
			t.Errorf("not a valid, incomplete object: %s", raw)
		}
	}
}

func TestLoopFinishes(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Loop{Turns: 3, Parallel: 2}})
	messages := []string{user("go")}
	calls := 0
	for range 10 {
		resp := ask(t, sim.URL(), request("claude-opus-5-5", lookupTool, messages...))
		messages = append(messages, assistant(resp))
		if resp.StopReason != transport.StopToolUse {
			break
		}
		var results []string
		for _, c := range resp.ToolCalls() {
			calls++
			results = append(results, fmt.Sprintf(`{"type":"tool_result","tool_use_id":%q,"content":"r"}`, c.ID))
		}
		messages = append(messages, `{"role":"user","content":[`+strings.Join(results, ",")+`]}`)
	}
	if calls != 6 {
		t.Errorf("%d calls", calls)
	}
}

// TestThinkingRules are rows 69 and 72 to 75 of the reference's table.
func TestThinkingRules(t *testing.T) {
	model := simulator.ModelFunc(echoAfter(simulator.Do(simulator.Thinking("one"), simulator.Thinking("two"), simulator.Text("Look."), simulator.Call("lookup", nil))))
	sim := simulator.StartTest(t, simulator.Options{Model: model})
	extra := lookupTool + `"thinking":{"type":"adaptive","display":"summarized"},`
	for _, m := range []string{"claude-opus-5", "claude-opus-5-5"} {
		first := ask(t, sim.URL(), request(m, extra, user("hi")))
		result := fmt.Sprintf(`{"role":"user","content":[{"type":"tool_result","tool_use_id":%q}]}`, first.ToolCalls()[0].ID)
		turn := func(keep ...int) string {
			var blocks []string
			for _, i := range keep {
				blocks = append(blocks, string(first.Content[i].Raw()))
			}
			return says("assistant", strings.Join(blocks, ","))
		}
		modified := "messages.1.content.0: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified."
		for name, c := range map[string]struct{ body, want string }{
			"all":             {request(m, extra, user("hi"), turn(0, 1, 2, 3), result), ""},
			"none":            {request(m, extra, user("hi"), turn(2, 3), result), ""},
			"first dropped":   {request(m, extra, user("hi"), turn(1, 2, 3), result), modified},
			"second dropped":  {request(m, extra, user("hi"), turn(0, 2, 3), result), modified},
			"swapped":         {request(m, extra, user("hi"), turn(1, 0, 2, 3), result), "messages.1.content."},
			"ends in thought": {request(m, extra, user("hi"), turn(0, 1)), "messages.1: The final block in an assistant message cannot be `thinking`."},
		} {
			status, _, raw := post(t, sim.URL(), c.body)
			if c.want == "" && status != 200 || c.want != "" && (status != 400 || !strings.HasPrefix(errorMessage(raw), c.want)) {
				t.Errorf("%s, %s: %d %s", m, name, status, raw)
			}
		}
	}
	first := ask(t, sim.URL(), request("claude-haiku-4-5", lookupTool+`"thinking":{"type":"enabled","budget_tokens":1024},`, user("hi")))
	block := string(first.Content[0].Raw()) + "," + string(first.Content[1].Raw())
	late := says("assistant", `{"type":"text","text":"x"},`+block+`,{"type":"text","text":"y"}`)
	for name, c := range map[string]struct{ body, want string }{
		"not first": {request("claude-haiku-4-5", `"thinking":{"type":"enabled","budget_tokens":1024},`, user("hi"), late, user("on")), "messages.1.content.0: If an assistant message contains any thinking blocks, the first block must be"},
		"off":       {request("claude-haiku-4-5", `"thinking":{"type":"disabled"},`, user("hi"), says("assistant", block+`,{"type":"text","text":"y"}`)), "messages.1.content.0: When thinking is disabled, an `assistant` message in the final position cannot contain `thinking`."},
	} {
		if status, _, raw := post(t, sim.URL(), c.body); status != 400 || !strings.HasPrefix(errorMessage(raw), c.want) {
			t.Errorf("%s: %d %s", name, status, raw)
		}
	}
}

func TestPrefixMismatchIsDroppedIfAsked(t *testing.T) {
	reply := simulator.Do(simulator.Thinking("hm"), simulator.Text("Noted."))
	run := func(opts simulator.Options, extra string, header ...string) (int, []byte) {
		opts.Model = simulator.ModelFunc(echoAfter(reply))
		sim := simulator.StartTest(t, opts)
		first := ask(t, sim.URL(), request("claude-opus-5-5", "", user("hi")))
		status, _, raw := post(t, sim.URL(), request("claude-opus-5-5", extra, user("HI"), assistant(first), user("more")), header...)
		return status, raw
	}
	const binding = `"thinking":{"type":"adaptive","block_binding":{"prefix_mismatch_behavior":"drop_block"}},`
	beta := []string{"anthropic-beta", "thinking-binding-controls-2026-08-01"}
	if status, raw := run(simulator.Options{}, binding, beta...); status != 200 ||
		!strings.Contains(string(raw), `"input_transformations":[{"type":"thinking_dropped","path":"messages.1.content.0","reason":"prefix_binding_mismatch"}]`) {
		t.Errorf("%d %s", status, raw)
	}
	if status, raw := run(simulator.Options{OldAccount: true}, "", beta...); status != 200 || !strings.Contains(string(raw), `"thinking_mismatch_allowed"`) {
		t.Errorf("old account: %d %s", status, raw)
	}
	if status, raw := run(simulator.Options{}, ""); status != 400 || !strings.Contains(errorMessage(raw), "That setting requires the `thinking-binding-controls-2026-08-01` value") {
		t.Errorf("new account: %d %s", status, raw)
	}
}

// FuzzServer holds that no body makes the simulator panic or answer with
// something that isn't a message or an error.
func FuzzServer(f *testing.F) {
	for _, c := range refusals {
		if len(c.content)+len(c.extra) < 2000 {
			f.Add(fmt.Sprintf(`{"model":"claude-opus-5","max_tokens":100,%s"messages":[%s]}`, c.extra, c.content))
		}
	}
	server := simulator.New(simulator.Options{Model: simulator.Chatty{}})
	f.Fuzz(func(t *testing.T, body string) {
		req := httptest.NewRequest("POST", "/v1/messages", strings.NewReader(body))
		req.Header.Set("x-api-key", "test")
		req.Header.Set("anthropic-version", "2023-06-01")
		w := httptest.NewRecorder()
		server.ServeHTTP(w, req)
		if w.Code == 200 && strings.HasPrefix(w.Header().Get("content-type"), "text/event-stream") {
			return
		}
		var v struct{ Type string }
		if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil || v.Type != "message" && v.Type != "error" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
