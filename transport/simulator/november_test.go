package simulator_test

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"mime/multipart"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport/simulator"
)

// errorDetails reads error.details of a refusal.
func errorDetails(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	var e struct {
		Error struct{ Details map[string]any }
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return e.Error.Details
}

// TestBetasOfClients sends what clients of November 2026 send by default.
func TestBetasOfClients(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	const sent = "per-turn-control-2026-07-01,afk-mode-2026-01-31,dangerous-tool-use-2026-09-03,messages-2023-12-15,mid-conversation-system-2026-04-07," +
		"timing-2026-09-09,redact-thinking-2026-02-12,context-hint-2026-04-09,request-tags-2026-08-21,web-search-2025-03-05,prompt-caching-evict-2026-05-12," +
		"cache-keepalive-2026-09-03,efs-2026-10-01,google-managed-data-controls-2026-09-01"
	ask(t, sim.URL(), request("claude-opus-5", "", hi), "anthropic-beta", sent)
	effort := request("claude-opus-5-5", "", hi+`,{"role":"system","content":"Be brief.","output_config":{"effort":"low"}}`)
	ask(t, sim.URL(), effort, "anthropic-beta", "per-turn-control-2026-07-01")
	if status, _, raw := post(t, sim.URL(), effort); status != 400 {
		t.Errorf("%d %s", status, raw)
	}
	unknown := request("claude-opus-5", "", hi)
	if status, _, raw := post(t, sim.URL(), unknown, "anthropic-beta", "no-such-beta-2026-01-01"); status != 400 {
		t.Errorf("%d %s", status, raw)
	}
	lenient := simulator.StartTest(t, simulator.Options{UnknownBetas: true})
	ask(t, lenient.URL(), unknown, "anthropic-beta", "no-such-beta-2026-01-01")
}

func TestBillingPolicy(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	const beta = "user-profiles-billing-2026-10-01"
	policy := func(to string) string {
		return request("claude-opus-5", `"billing_policy":{"type":"billing_policy","bill_to":"`+to+`"},`, hi)
	}
	for _, c := range []struct {
		name, body, beta, profile string
		want, code                string
	}{
		{"to itself", policy("self"), beta, "", "", ""},
		{"null", request("claude-opus-5", `"billing_policy":null,`, hi), beta, "", "", ""},
		{"to a profile", policy("user_profile"), beta, "uprof_1", "", ""},
		{"to no profile", policy("user_profile"), beta, "", "billing_policy.bill_to: ", "user_profile_required"},
		{"to nobody", policy("nobody"), beta, "", "billing_policy.bill_to: Input should be 'self' or 'user_profile'", ""},
		{"without the beta", policy("self"), "", "", "billing_policy: Extra inputs are not permitted", ""},
	} {
		header := []string{"anthropic-beta", c.beta}
		if c.profile != "" {
			header = append(header, "anthropic-user-profile-id", c.profile)
		}
		status, _, raw := post(t, sim.URL(), c.body, header...)
		code, _ := errorDetails(t, raw)["error_code"].(string)
		if (status == 200) != (c.want == "") || !strings.HasPrefix(errorMessage(raw), c.want) || code != c.code {
			t.Errorf("%s: %d %s", c.name, status, raw)
		}
	}
	count := strings.Replace(policy("user_profile"), `"max_tokens":4000,`, "", 1)
	if status, _, raw := send(t, "POST", sim.URL()+"/v1/messages/count_tokens", strings.NewReader(count), "anthropic-beta", beta); status != 200 {
		t.Errorf("count_tokens: %d %s", status, raw)
	}
	batch := `{"requests":[{"custom_id":"a","params":` + policy("user_profile") + `}]}`
	_, _, raw := send(t, "POST", sim.URL()+"/v1/messages/batches", strings.NewReader(batch), "anthropic-beta", beta, "anthropic-user-profile-id", "uprof_1")
	var made struct{ ID string }
	json.Unmarshal(raw, &made)
	_, _, raw = send(t, "GET", sim.URL()+"/v1/messages/batches/"+made.ID+"/results", nil)
	if !bytes.Contains(raw, []byte(`"errored"`)) || !bytes.Contains(raw, []byte("invalid_request_error")) {
		t.Errorf("in a batch: %s", raw)
	}
}

func TestCodedFaults(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	codes := map[string]struct {
		status int
		typ    string
	}{
		"linked_organization_billing_unavailable": {402, "billing_error"},
		"linked_organization_spend_limit_reached": {402, "billing_error"},
		"user_profile_billing_not_authorized":     {403, "permission_error"},
		"user_profile_not_billable":               {403, "permission_error"},
		"ramp_limit_exceeded":                     {429, "rate_limit_error"},
		"contract_spend_limit_reached":            {429, "rate_limit_error"},
		"enforced_spend_limit_reached":            {429, "rate_limit_error"},
		"workspace_human_review_disabled":         {400, "invalid_request_error"},
		"thread_unsupported_request":              {400, "invalid_request_error"},
	}
	for code, want := range codes {
		fault, err := simulator.ParseFault("code=" + code + ";retry-after=2s")
		if err != nil {
			t.Fatal(err)
		}
		status, h, raw := post(t, sim.URL(), request("claude-opus-5", "", hi), simulator.FaultHeader, fault.String())
		details := errorDetails(t, raw)
		if status != want.status || details["error_code"] != code || !bytes.Contains(raw, []byte(want.typ)) || h.Get("retry-after") != "2" {
			t.Errorf("%s: %d %s", code, status, raw)
		}
		_, _, raw = post(t, sim.URL(), request("claude-opus-5", `"stream":true,`, hi), simulator.FaultHeader, "code="+code+";after=1")
		if !bytes.Contains(raw, []byte("event: message_start")) || !bytes.Contains(raw, []byte(code)) {
			t.Errorf("%s in a stream: %s", code, raw)
		}
	}
	status, _, raw := send(t, "POST", sim.URL()+"/v1/messages/batches", strings.NewReader("{}"), simulator.FaultHeader, "code=workspace_human_review_disabled")
	if status != 400 || errorDetails(t, raw)["error_code"] != "workspace_human_review_disabled" {
		t.Errorf("%d %s", status, raw)
	}
	_, err := simulator.ParseFault("code=nothing")
	if want := strings.Join(slices.Sorted(maps.Keys(codes)), ", "); err == nil || !strings.HasSuffix(err.Error(), "those there are: "+want) {
		t.Errorf("%v; tested are %s", err, want)
	}
}

// TestCodesOfEncodings has bodies that can't be decompressed (wire §1.5, §1.12).
func TestCodesOfEncodings(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	for encoding, want := range map[string]string{"br": "request_body_encoding_unsupported", "gzip": "request_body_encoding_invalid"} {
		status, _, raw := send(t, "POST", sim.URL()+"/v1/messages", strings.NewReader("{}"), "content-encoding", encoding)
		if status != 400 || errorDetails(t, raw)["error_code"] != want {
			t.Errorf("%s: %d %s", encoding, status, raw)
		}
	}
}

// TestPathsOfLargePictures holds the details that lead to the blocks.
func TestPathsOfLargePictures(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	inside := says("user", `{"type":"tool_result","tool_use_id":"A","content":[{"type":"text","text":"x"},`+picture(8001, 1)+`]}`)
	small := many(19, func(int) string { return picture(1, 1) })
	for name, c := range map[string]struct {
		messages string
		most     float64
		paths    string
	}{
		"of the user and of a tool": {says("user", `{"type":"text","text":"a"},`+picture(1, 8001)) + "," + calls + "," + inside, 8000, "[messages.0.content.1 messages.2.content.0.content.1]"},
		"one too large for many":    {says("user", small+","+picture(2001, 1)+","+picture(1, 2001)), 2000, "[messages.0.content.19 messages.0.content.20]"},
	} {
		status, _, raw := post(t, sim.URL(), request("claude-opus-5", "", c.messages))
		d := errorDetails(t, raw)
		if status != 400 || d["error_code"] != "image_dimensions_too_large" || d["max_side_length_pixels"] != c.most || fmt.Sprint(d["paths"]) != c.paths {
			t.Errorf("%s: %d %s", name, status, raw)
		}
	}
}

// TestKeysInEitherHeader holds that an API key is taken in both headers, and is
// the same account in both.
func TestKeysInEitherHeader(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{APIKey: "sk-1"})
	body := request("claude-opus-5", "", hi)
	for _, c := range []struct {
		name, key, authorization string
		want                     string
	}{
		{"x-api-key", "sk-1", "", ""},
		{"bearer", "", "Bearer sk-1", ""},
		{"both the same", "sk-1", "Bearer sk-1", ""},
		{"none", "", "", "x-api-key header is required"},
		{"another scheme", "", "Basic sk-1", "x-api-key header is required"},
		{"a wrong key", "sk-2", "", "invalid x-api-key"},
		{"a wrong bearer", "", "Bearer sk-2", "Invalid bearer token"},
	} {
		status, _, raw := post(t, sim.URL(), body, "x-api-key", c.key, "authorization", c.authorization)
		if (status == 200) != (c.want == "") || c.want != "" && (status != 401 || errorMessage(raw) != c.want) {
			t.Errorf("%s: %d %s", c.name, status, raw)
		}
	}
	file := upload(t, sim.URL(), "a.txt", "x-api-key", "sk-1")
	ask(t, sim.URL(), request("claude-opus-5", "", says("user", `{"type":"document","source":{"type":"file","file_id":"`+file+`"}}`)), "x-api-key", "", "authorization", "Bearer sk-1")
}

// upload uploads a file of that name; the id, or the refusal's message.
func upload(t *testing.T, url, name string, header ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	h := textproto.MIMEHeader{}
	h.Set("Content-Disposition", `form-data; name="file"; filename="`+name+`"`)
	part, _ := w.CreatePart(h)
	part.Write([]byte("x"))
	w.Close()
	_, _, raw := send(t, "POST", url+"/v1/files", &b, append(header, "content-type", w.FormDataContentType())...)
	var made struct{ ID string }
	json.Unmarshal(raw, &made)
	if made.ID == "" {
		return errorMessage(raw)
	}
	return made.ID
}

func TestEmptyFilename(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	if got := upload(t, sim.URL(), ""); got != "file: filename should have at least 1 character" {
		t.Error(got)
	}
}

// TestCitedInsideAResult is M9: what a tool brings is cited like what the user does.
func TestCitedInsideAResult(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	const format = `"output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{},"additionalProperties":false}}},`
	result := func(enabled string) string {
		return says("user", `{"type":"tool_result","tool_use_id":"A","content":[{"type":"search_result","source":"s","title":"t","content":[{"type":"text","text":"x"}],"citations" : {"enabled" : `+enabled+`}}]}`)
	}
	for enabled, want := range map[string]int{"true": 400, "false": 200} {
		status, _, raw := post(t, sim.URL(), request("claude-opus-5", format, hi, calls, result(enabled)))
		if status != want || want == 400 && !strings.HasPrefix(errorMessage(raw), "output_config.format: ") {
			t.Errorf("%s: %d %s", enabled, status, raw)
		}
	}
	// A text that only speaks of it cites nothing.
	spoken := says("user", `{"type":"document","source":{"type":"text","media_type":"text/plain","data":"{\"enabled\":true}"},"context":"\"enabled\":true"}`)
	ask(t, sim.URL(), request("claude-opus-5", format, spoken))
}

func TestPDFs(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	w.Write([]byte(strings.Repeat("<</Type/Page/Parent 2 0 R>>\n", 101)))
	w.Close()
	const end = "\nstartxref\n0\n%%EOF\n"
	one := "<</Type /Page /Parent 2 0 R>>"
	for name, c := range map[string]struct{ data, want string }{
		"whole":               {"%PDF-1.4\n" + one + end, ""},
		"an old one":          {"%PDF-1.0\r" + strings.ReplaceAll(one, " ", "\r") + strings.ReplaceAll(end, "\n", "\r"), ""},
		"behind a mark":       {"\ufeff\n%PDF-1.4\n" + one + end, ""},
		"without line end":    {"%PDF-1.4\n" + one + "%%EOF", ""},
		"cut off":             {"%PDF-1.4\n" + one + strings.Repeat("x", 4000), "The PDF specified was not valid."},
		"no PDF":              {"<html>" + end, "The PDF specified was not valid."},
		"with a password":     {"%PDF-1.4\n" + one + "trailer<</Root 1 0 R/Encrypt 9 0 R>>" + end, "The PDF specified is password protected."},
		"many pages":          {"%PDF-1.4\n" + strings.Repeat(one+"\n", 101) + end, "A maximum of 100 PDF pages may be provided."},
		"many pages, old":     {"%PDF-1.1\r" + strings.Repeat("<</Type\r/Page\r>>\r", 101) + end, "A maximum of 100 PDF pages may be provided."},
		"many pages, packed":  {"%PDF-1.5\n<</Type /ObjStm/Filter/FlateDecode>>stream\r\n" + packed.String() + "\r\nendstream" + end, "A maximum of 100 PDF pages may be provided."},
		"many nodes of pages": {"%PDF-1.4\n" + strings.Repeat("<</Type /Pages>>", 101) + one + end, ""},
	} {
		block := fmt.Sprintf(`{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":%q}}`, base64.StdEncoding.EncodeToString([]byte(c.data)))
		status, _, raw := post(t, sim.URL(), request("claude-haiku-4-5", "", says("user", block)))
		want := "messages.0.content.0.pdf.source.base64.data: " + c.want
		if c.want == "" && status != 200 || c.want != "" && errorMessage(raw) != want {
			t.Errorf("%s: %d %s", name, status, raw)
		}
	}
}

// TestCodeThatCallsOnAndOn is R1: code that calls tools over several responses is
// open until its result comes, and only text goes between.
func TestCodeThatCallsOnAndOn(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{Foreign: true})
	const tools = `"container":"container_1","tools":[{"type":"code_execution_20260120","name":"code_execution"},{"name":"f","allowed_callers":["code_execution_20260120"],"input_schema":` + object + `}],`
	called := func(id, caller string) string {
		return `{"type":"tool_use","id":"` + id + `","name":"f","input":{},"caller":{"type":"code_execution_20260120","tool_id":"` + caller + `"}}`
	}
	answer := func(id string) string {
		return says("user", `{"type":"tool_result","tool_use_id":"`+id+`","content":"ok"}`)
	}
	code := `{"type":"server_tool_use","id":"srvtoolu_1","name":"code_execution","input":{"code":"x"}}`
	done := `{"type":"code_execution_tool_result","tool_use_id":"srvtoolu_1","content":{"type":"code_execution_result","stdout":"","stderr":"","return_code":0,"content":[],"abort_reason":null}}`
	first := []string{hi, says("assistant", code+","+called("A", "srvtoolu_1")), answer("A")}
	second := append(first[:3:3], says("assistant", called("B", "srvtoolu_1")), answer("B"))
	third := append(second[:5:5], says("assistant", called("C", "srvtoolu_1")), answer("C"))
	lost := "messages.1: `code_execution` tool use with id `srvtoolu_1` was found without a corresponding `code_execution_tool_result` block"
	for name, c := range map[string]struct {
		messages []string
		want     string
	}{
		"after one":          {first, ""},
		"after two":          {second, ""},
		"after three":        {third, ""},
		"with the result":    {append(third[:7:7], says("assistant", done+`,{"type":"text","text":"So."}`), user("and?")), ""},
		"a text behind":      {append(second[:4:4], says("user", `{"type":"tool_result","tool_use_id":"B"},{"type":"text","text":"hurry"}`)), lost},
		"a call of its own":  {append(first[:3:3], says("assistant", `{"type":"tool_use","id":"B","name":"f","input":{}}`), answer("B")), lost},
		"forgotten":          {append(first[:3:3], says("assistant", `{"type":"text","text":"So."}`), user("and?")), lost},
		"a result too many":  {append(third[:7:7], says("assistant", done), user("and?"), says("assistant", done), user("?")), "messages.9.content.0: unexpected `tool_use_id` found in `code_execution_tool_result` blocks: srvtoolu_1."},
		"a result from past": {append(first[:2:2], answer("A"), says("assistant", strings.ReplaceAll(done, "srvtoolu_1", "srvtoolu_2")), user("and?")), "messages.3.content.0: unexpected `tool_use_id` found in `code_execution_tool_result` blocks: srvtoolu_2."},
	} {
		status, _, raw := post(t, sim.URL(), request("claude-opus-5", tools, c.messages...))
		if c.want == "" && status != 200 || c.want != "" && !strings.HasPrefix(errorMessage(raw), c.want) {
			t.Errorf("%s: %d %s", name, status, raw)
		}
	}
}

// TestWhatDiffers is R10: the refusal of thinking in another conversation ends with
// what differs. TestBlankTextBindsThinking is R2's side of the mirror.
func TestWhatDiffers(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(echoAfter(simulator.Do(simulator.Thinking("hm"), simulator.Text("Noted."))))})
	first := ask(t, sim.URL(), request("claude-opus-5-5", lookupTool+`"system":"a",`, user("hi")))
	for name, c := range map[string]struct{ extra, first, want string }{
		"the system": {lookupTool + `"system":"b",`, "hi", "\"drop_block\". The `system` prompt differs from the one this block was created with."},
		"the tools":  {`"system":"a",`, "hi", "\"drop_block\". The `tools` differ from those this block was created with."},
		"a message":  {lookupTool + `"system":"a",`, "ho", `"drop_block".`},
	} {
		body := request("claude-opus-5-5", c.extra, user(c.first), assistant(first), user("more"))
		status, _, raw := post(t, sim.URL(), body, "anthropic-beta", "thinking-binding-controls-2026-08-01")
		if status != 400 || !strings.HasSuffix(errorMessage(raw), c.want) {
			t.Errorf("%s: %d %s", name, status, raw)
		}
	}
}

func TestBlankTextBindsThinking(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(echoAfter(simulator.Do(simulator.Text("\n\n"), simulator.Thinking("hm"), simulator.Text("Noted."))))})
	first := ask(t, sim.URL(), request("claude-opus-5-5", "", user("hi")))
	turn := assistant(first)
	ask(t, sim.URL(), request("claude-opus-5-5", "", user("hi"), turn, user("more")))
	without := strings.Replace(turn, string(first.Content[0].Raw())+",", "", 1)
	if without == turn {
		t.Fatal(turn)
	}
	status, _, raw := post(t, sim.URL(), request("claude-opus-5-5", "", user("hi"), without, user("more")))
	if status != 400 || !strings.Contains(errorMessage(raw), "bound to a different conversation") {
		t.Errorf("%d %s", status, raw)
	}
}
