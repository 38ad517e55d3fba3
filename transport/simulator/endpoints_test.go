package simulator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// do sends a request of any kind and decodes the answer.
func do(t *testing.T, method, url string, body io.Reader, header ...string) (int, map[string]any, string) {
	t.Helper()
	status, _, raw := send(t, method, url, body, header...)
	var v map[string]any
	json.Unmarshal(raw, &v)
	return status, v, string(raw)
}

func TestModelsAndCounting(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	status, list, raw := do(t, "GET", sim.URL()+"/v1/models?limit=3", nil)
	if status != 200 || len(list["data"].([]any)) != 3 || list["has_more"] != true {
		t.Errorf("%d %s", status, raw)
	}
	if status, m, raw := do(t, "GET", sim.URL()+"/v1/models/claude-opus-5-5", nil); status != 200 || m["max_input_tokens"] != 1e6 {
		t.Errorf("%d %s", status, raw)
	}
	if status, _, raw := do(t, "GET", sim.URL()+"/v1/models/claude-x", nil); status != 404 {
		t.Errorf("%d %s", status, raw)
	}
	body := `{"model":"claude-opus-5","messages":[{"role":"user","content":"` + strings.Repeat("abcd", 10) + `"}]}`
	if status, m, raw := do(t, "POST", sim.URL()+"/v1/messages/count_tokens", strings.NewReader(body)); status != 200 || m["input_tokens"] != 10.0 {
		t.Errorf("%d %s", status, raw)
	}
	more := strings.Replace(body, "{", `{"max_tokens":5,`, 1)
	if status, _, raw := do(t, "POST", sim.URL()+"/v1/messages/count_tokens", strings.NewReader(more)); status != 400 || !strings.Contains(raw, "max_tokens: Extra inputs are not permitted") {
		t.Errorf("%d %s", status, raw)
	}
	// It has no max_tokens, which a thinking budget would have to be below.
	thinks := strings.NewReplacer("{\"model", `{"thinking":{"type":"enabled","budget_tokens":2048},"model`, "claude-opus-5", "claude-haiku-4-5").Replace(body)
	if status, m, raw := do(t, "POST", sim.URL()+"/v1/messages/count_tokens", strings.NewReader(thinks)); status != 200 || m["input_tokens"] == 0.0 {
		t.Errorf("with a thinking budget: %d %s", status, raw)
	}
	if status, _, raw := do(t, "POST", sim.URL()+"/v1/messages", strings.NewReader(strings.Replace(thinks, "{", `{"max_tokens":2048,`, 1))); status != 400 || !strings.Contains(raw, "must be greater than `thinking.budget_tokens`") {
		t.Errorf("a budget of all max_tokens: %d %s", status, raw)
	}
	if status, _, raw := do(t, "GET", sim.URL()+"/v1/nothing", nil); status != 404 || !strings.Contains(raw, "not_found_error") {
		t.Errorf("%d %s", status, raw)
	}
}

func TestKeys(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{APIKey: "secret"})
	body := func() io.Reader { return strings.NewReader(request("claude-opus-5", "", hi)) }
	for name, c := range map[string]struct {
		header []string
		status int
		want   string
	}{
		"right":  {[]string{"x-api-key", "secret"}, 200, ""},
		"bearer": {[]string{"x-api-key", "", "authorization", "Bearer secret"}, 200, ""},
		"wrong":  {[]string{"x-api-key", "other"}, 401, "invalid x-api-key"},
		"none":   {[]string{"x-api-key", ""}, 401, "x-api-key header is required"},
	} {
		status, _, raw := do(t, "POST", sim.URL()+"/v1/messages", body(), c.header...)
		if status != c.status || !strings.Contains(raw, c.want) {
			t.Errorf("%s: %d %s", name, status, raw)
		}
	}
}

func TestBodyTooLarge(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	status, v, raw := do(t, "POST", sim.URL()+"/v1/messages", strings.NewReader(strings.Repeat(" ", 33<<20)))
	if status != 413 || v["type"] != nil || !strings.Contains(raw, "Request exceeds the maximum size") {
		t.Errorf("%d %s", status, raw)
	}
}

func TestBatch(t *testing.T) {
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	sim := simulator.StartTest(t, simulator.Options{Now: func() time.Time { return now }, BatchTime: time.Hour})
	url := sim.URL() + "/v1/messages/batches"
	item := func(id, params string) string { return fmt.Sprintf(`{"custom_id":%q,"params":%s}`, id, params) }
	body := `{"requests":[` + item("a", request("claude-opus-5", "", hi)) + `,` + item("b", request("claude-none", "", hi)) + `,` + item("c", request("claude-opus-5", `"stream":true,`, hi)) + `]}`
	status, b, raw := do(t, "POST", url, strings.NewReader(body))
	if status != 200 || b["processing_status"] != "in_progress" {
		t.Fatalf("%d %s", status, raw)
	}
	id := b["id"].(string)
	if status, _, raw := do(t, "GET", url+"/"+id+"/results", nil); status != 404 || !strings.Contains(raw, "has no available results.") {
		t.Errorf("%d %s", status, raw)
	}
	now = now.Add(2 * time.Hour)
	_, b, _ = do(t, "GET", url+"/"+id, nil)
	counts := b["request_counts"].(map[string]any)
	if b["processing_status"] != "ended" || counts["succeeded"] != 1.0 || counts["errored"] != 2.0 {
		t.Errorf("%v", b)
	}
	_, _, raw = do(t, "GET", url+"/"+id+"/results", nil)
	if n := strings.Count(raw, "\n"); n != 3 || !strings.Contains(raw, `"service_tier":"batch"`) || !strings.Contains(raw, "model: claude-none") {
		t.Errorf("%s", raw)
	}
	if status, _, raw := do(t, "POST", url, strings.NewReader(`{"requests":[`+item("a b", "{}")+`]}`)); status != 400 || !strings.Contains(raw, "requests.0.custom_id: String should match pattern") {
		t.Errorf("%d %s", status, raw)
	}
	_, b, _ = do(t, "POST", url, strings.NewReader(body))
	_, b, _ = do(t, "POST", url+"/"+b["id"].(string)+"/cancel", nil)
	if b["request_counts"].(map[string]any)["canceled"] != 3.0 {
		t.Errorf("%v", b)
	}
}

// Faults are of the network and of single requests; a batch has none of them.
func TestBatchHasNoFaults(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{FaultRate: 1})
	var items []string
	for i := range 20 {
		items = append(items, fmt.Sprintf(`{"custom_id":"c%d","params":%s}`, i, request("claude-opus-5", "", hi)))
	}
	items = append(items, `{"custom_id":"warm","params":{"model":"claude-opus-5","max_tokens":0,"messages":[`+hi+`]}}`)
	url := sim.URL() + "/v1/messages/batches"
	_, b, _ := do(t, "POST", url, strings.NewReader(`{"requests":[`+strings.Join(items, ",")+`]}`))
	status, _, raw := do(t, "GET", fmt.Sprint(url, "/", b["id"], "/results"), nil)
	if n := strings.Count(raw, `"succeeded"`); status != 200 || n != 20 || !strings.Contains(raw, "max_tokens: 0 is not supported in a batch") {
		t.Errorf("%d, %d succeeded: %.300s", status, n, raw)
	}
}

func TestFiles(t *testing.T) {
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	sim := simulator.StartTest(t, simulator.Options{Now: func() time.Time { return now }})
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	w.WriteField("expires_in_seconds", "7200")
	part, _ := w.CreateFormFile("file", "notes.txt")
	part.Write([]byte("some notes"))
	w.Close()
	status, f, raw := do(t, "POST", sim.URL()+"/v1/files", &form, "content-type", w.FormDataContentType())
	if status != 200 || f["filename"] != "notes.txt" || f["size_bytes"] != 10.0 {
		t.Fatalf("%d %s", status, raw)
	}
	id := f["id"].(string)
	doc := func(id string) string {
		return request("claude-opus-5", "", says("user", `{"type":"document","source":{"type":"file","file_id":"`+id+`"}}`))
	}
	ask(t, sim.URL(), doc(id))
	if status, _, raw := post(t, sim.URL(), doc("file_other")); status != 404 {
		t.Errorf("%d %s", status, raw)
	}
	if status, _, raw := do(t, "GET", sim.URL()+"/v1/files/"+id+"/content", nil); status != 400 || !strings.Contains(raw, "is not downloadable") || !strings.Contains(raw, `"error_code":"file_not_downloadable"`) {
		t.Errorf("%d %s", status, raw)
	}
	now = now.Add(3 * time.Hour)
	if status, _, raw := do(t, "GET", sim.URL()+"/v1/files/"+id, nil); status != 404 || !strings.Contains(raw, `"error_code":"file_expired"`) {
		t.Errorf("%d %s", status, raw)
	}
	inResult := request("claude-opus-5", "", hi, calls, says("user", `{"type":"tool_result","tool_use_id":"A","content":[{"type":"image","source":{"type":"file","file_id":"`+id+`"}}]}`))
	for _, body := range []string{doc(id), inResult} {
		if status, _, raw := post(t, sim.URL(), body); status != 404 || !strings.Contains(string(raw), "file_expired") {
			t.Errorf("an expired file: %d %s", status, raw)
		}
	}
	now = now.Add(-3 * time.Hour)
	if status, v, raw := do(t, "DELETE", sim.URL()+"/v1/files/"+id, nil); status != 200 || v["type"] != "file_deleted" {
		t.Errorf("%d %s", status, raw)
	}
}

func TestRateLimits(t *testing.T) {
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	sim := simulator.StartTest(t, simulator.Options{Now: func() time.Time { return now }, Limits: simulator.RateLimits{Requests: 100, InputTokens: 1000}})
	body := request("claude-opus-5", "", user(strings.Repeat("abcd", 600)))
	status, h, _ := post(t, sim.URL(), body)
	if status != 200 || h.Get("anthropic-ratelimit-requests-remaining") != "99" {
		t.Errorf("%d %v", status, h)
	}
	status, h, raw := post(t, sim.URL(), body)
	if status != 429 || h.Get("retry-after") == "" || !strings.HasPrefix(errorMessage(raw), "This request would exceed the rate limit for your organization (00000000-0000-4000-8000-000000000000) of 1,000 input tokens per minute.") {
		t.Errorf("%d %v %s", status, h, raw)
	}
	now = now.Add(30 * time.Second)
	if status, _, raw = post(t, sim.URL(), body); status != 200 {
		t.Errorf("%d %s", status, raw)
	}
}

// What is read from the cache counts towards no limit; what is written to it does.
func TestRateLimitsOfCachedTokens(t *testing.T) {
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	sim := simulator.StartTest(t, simulator.Options{Now: func() time.Time { return now }, Limits: simulator.RateLimits{InputTokens: 10_000}})
	body := request("claude-opus-5", `"cache_control":{"type":"ephemeral"},`, user(strings.Repeat("abcd", 9000)))
	for i := range 3 {
		resp := ask(t, sim.URL(), body)
		if read := resp.Usage.CacheReadInputTokens; (i == 0) != (read == 0) || i > 0 && read < 8000 {
			t.Fatalf("request %d reads %d tokens from the cache", i, read)
		}
	}
	if status, _, raw := post(t, sim.URL(), request("claude-opus-5", `"cache_control":{"type":"ephemeral"},`, user(strings.Repeat("dcba", 9000)))); status != 429 {
		t.Errorf("what is written to the cache: %d %s", status, raw)
	}
}

func TestContainerAndCode(t *testing.T) {
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	sim := simulator.StartTest(t, simulator.Options{Now: func() time.Time { return now }, Model: simulator.Dialogue(
		simulator.Do(simulator.ServerCall("bash_code_execution", map[string]string{"command": "ls"}), simulator.Text("so")),
	)})
	extra := `"tools":[{"type":"code_execution_20250825","name":"code_execution"}],`
	resp := ask(t, sim.URL(), request("claude-opus-5", extra, hi))
	if resp.Container == nil || resp.Content[1].Type() != "bash_code_execution_tool_result" || !strings.Contains(string(resp.Content[1].Raw()), `"error_code":"unavailable"`) {
		t.Fatalf("%s", resp.Raw())
	}
	extra += `"container":"` + resp.Container.ID + `",`
	if again := ask(t, sim.URL(), request("claude-opus-5", extra, hi)); again.Container.ID != resp.Container.ID {
		t.Errorf("another container: %s", again.Raw())
	}
	now = now.Add(31 * 24 * time.Hour)
	if status, _, raw := post(t, sim.URL(), request("claude-opus-5", extra, hi)); status != 400 {
		t.Errorf("expired: %d %s", status, raw)
	}
}

func TestFallback(t *testing.T) {
	model := simulator.ModelFunc(func(ctx context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		if turn.Model == "claude-opus-5" {
			return &simulator.Reply{Content: []simulator.Part{simulator.Thinking("no"), simulator.Text("I can't"), simulator.Call("lookup", nil)},
				StopReason: transport.StopRefusal, StopDetails: &transport.StopDetails{Type: "refusal", Category: "cyber"}}, nil
		}
		return &simulator.Reply{Content: []simulator.Part{simulator.Thinking("yes"), simulator.Text("Here.")}}, nil
	})
	sim := simulator.StartTest(t, simulator.Options{Model: model})
	beta := []string{"anthropic-beta", "server-side-fallback-2026-06-01"}
	extra := lookupTool + `"fallbacks":[{"model":"claude-fable-5-1"}],`
	resp := ask(t, sim.URL(), request("claude-opus-5", extra, hi), beta...)
	if resp.Model != "claude-fable-5-1" || resp.StopReason != transport.StopEndTurn || len(resp.Usage.Iterations) != 2 ||
		resp.Usage.Iterations[1].Type != "fallback_message" || len(resp.ToolCalls()) != 0 {
		t.Fatalf("%s %+v", resp.Raw(), resp.Usage)
	}
	// What is sent back without the refused calls and thinking is still bound rightly.
	ask(t, sim.URL(), request("claude-fable-5-1", extra, hi, assistant(resp), user("more")), beta...)
}

func TestFaults(t *testing.T) {
	whole := request("claude-opus-5", "", hi)
	streamed := request("claude-opus-5", `"stream":true,`, hi)
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(echoAfter(simulator.Say(strings.Repeat("word ", 200))))})
	for _, c := range []struct {
		fault, body string
		status      int
		want        string
		broken      bool
	}{
		{"status=529", whole, 529, `"overloaded_error"`, false},
		{"status=429;retry-after=2s", whole, 429, `"rate_limit_error"`, false},
		{"status=500", streamed, 500, `"api_error"`, false},
		{"status=529;after=3", streamed, 200, "event: error", false},
		{"cut=100", streamed, 200, "", true},
		{"cut=50", whole, 200, "", true},
		{"reset", whole, 0, "", true},
		{"empty", whole, 200, `"content":[],"stop_reason":"end_turn"`, false},
		{"no-stop", streamed, 200, "message_delta", false},
		{"duplicate", streamed, 200, "message_start", false},
		{"content-type=text/html", whole, 200, "<html>", false},
		{"stall=1ms;after=2", streamed, 200, "message_stop", false},
		{"drip=1us", streamed, 200, "message_stop", false},
		{"strange", streamed, 200, "event: simulator_event", false},
		{"no-such-fault", whole, 400, "no fault is called", false},
	} {
		req, _ := http.NewRequest("POST", sim.URL()+"/v1/messages", strings.NewReader(c.body))
		req.Header.Set("x-api-key", "test")
		req.Header.Set("anthropic-version", "2023-06-01")
		req.Header.Set(simulator.FaultHeader, c.fault)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			if !c.broken || c.status != 0 {
				t.Errorf("%s: %v", c.fault, err)
			}
			continue
		}
		raw, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != c.status || !strings.Contains(string(raw), c.want) || c.broken != (err != nil) {
			t.Errorf("%s: %d %v %.300s", c.fault, resp.StatusCode, err, raw)
		}
		if stops := strings.Contains(string(raw), "event: message_stop"); c.fault == "no-stop" && stops {
			t.Errorf("%s: it has a message_stop", c.fault)
		}
		if n := strings.Count(string(raw), "event: message_start"); c.fault == "duplicate" && n != 2 {
			t.Errorf("%s: %d times message_start", c.fault, n)
		}
	}
	if f, err := simulator.ParseFault("status=529;after=3;retry-after=2s"); err != nil || f.String() != "status=529;after=3;retry-after=2s" {
		t.Errorf("%s %v", f, err)
	}
}

func TestParseReplies(t *testing.T) {
	replies, err := simulator.ParseReplies([]byte(`[
		{"content":[{"type":"thinking","thinking":"hm"},{"type":"tool_use","id":"toolu_x","name":"lookup","input":{"n":9007199254740993}}]},
		{"content":[{"type":"text","text":"done"}],"stop_reason":"stop_sequence","stop_sequence":"END"}]`))
	if err != nil {
		t.Fatal(err)
	}
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Dialogue(replies...)})
	first := ask(t, sim.URL(), request("claude-opus-5", lookupTool, hi))
	if c := first.ToolCalls(); len(c) != 1 || c[0].ID != "toolu_x" || string(c[0].Input) != `{"n":9007199254740993}` {
		t.Fatalf("%s", first.Raw())
	}
	result := says("user", `{"type":"tool_result","tool_use_id":"toolu_x"}`)
	second := ask(t, sim.URL(), request("claude-opus-5", lookupTool, hi, assistant(first), result))
	if second.StopReason != transport.StopStopSequence || second.StopSequence != "END" || second.Text() != "done" {
		t.Errorf("%s", second.Raw())
	}
	for _, bad := range []string{`{}`, `[{"content":[{}]}]`, `[{"content":["x"]}]`} {
		if _, err := simulator.ParseReplies([]byte(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
