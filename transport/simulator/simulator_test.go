package simulator_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
	"github.com/whorl-go/whorl/transport/wire"
)

// send sends a request of any kind and returns the status, the headers and the
// answer.
func send(t testing.TB, method, url string, body io.Reader, header ...string) (int, http.Header, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
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

// post sends a body to /v1/messages.
func post(t testing.TB, url, body string, header ...string) (int, http.Header, []byte) {
	t.Helper()
	return send(t, "POST", url+"/v1/messages", strings.NewReader(body), header...)
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

// Under the looser reading of the rule, a run of calls or results is one position.
// What is newer can't be read by an older model: it is dropped and told of.
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
	if first.StopReason != transport.StopPauseTurn || len(wire.PendingServerCalls(first)) != 1 {
		t.Fatalf("not paused: %s", first.Raw())
	}
	second := ask(t, sim.URL(), request("claude-opus-5-5", extra, user("How does it collect?"), assistant(first)))
	var kinds []string
	for _, b := range second.Content {
		kinds = append(kinds, string(b.Type()))
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

// TestThinkingRules are rows 69 and 72 to 75 of docs/wire.md §7.
// FuzzServer holds that no body makes the simulator panic or answer with
// something that isn't a message or an error.

// tryPost posts a request of a thread that may fail on the way: 0 if it does.
func tryPost(url, body, fault string) int {
	req, err := http.NewRequest("POST", url+"/v1/messages", strings.NewReader(body))
	if err != nil {
		return 0
	}
	req.Header.Set("x-api-key", "test")
	req.Header.Set("anthropic-version", "2023-06-01")
	req.Header.Set("anthropic-beta", betaThreads)
	req.Header.Set(simulator.FaultHeader, fault)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err != nil {
		return 0
	}
	return resp.StatusCode
}
