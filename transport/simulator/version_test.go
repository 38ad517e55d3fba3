package simulator_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport/simulator"
)

// TestVersions sends each request under both versions of the API: what the newer
// one has taken away is refused there and taken by the older, and the other way
// round nothing is.
func TestVersions(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	const (
		source   = `"source":{"type":"text","media_type":"text/plain","data":"x"}`
		document = `{"type":"document",` + source + `}`
		citation = `{"type":"char_location","cited_text":"x","document_index":0,"document_title":null,"start_char_index":0,"end_char_index":1}`
		citing   = `{"type":"text","text":"a","citations":[` + citation + `]}`
		result   = `{"type":"search_result","source":"s","title":"t","content":[` + citing + `]}`
		clearAt  = "mid-conversation-system-clear-at-2026-08-21"
	)
	fetched := `{"type":"server_tool_use","id":"srvtoolu_1","name":"web_fetch","input":{"url":"https://x"}},` +
		`{"type":"web_fetch_tool_result","tool_use_id":"srvtoolu_1","content":{"type":"web_fetch_result","url":"https://x","content":` + document + `}}`
	toolResult := hi + "," + calls + "," + says("user", `{"type":"tool_result","tool_use_id":"A","content":[{"type":"text","text":"x"},`+result+`]}`)
	for _, c := range []struct {
		name, model, betas, extra, content string
		want                               string // under 2026-10-21; empty if it is taken
		both                               bool   // the older version refuses it likewise
	}{
		{name: "temperature", model: "claude-haiku-4-5", extra: `"temperature":0.5,`, want: "temperature: Extra inputs are not permitted"},
		{name: "temperature at its default", extra: `"temperature":1,`, want: "temperature: Extra inputs are not permitted"},
		{name: "top_p", model: "claude-haiku-4-5", extra: `"top_p":0.99,`, want: "top_p: Extra inputs are not permitted"},
		{name: "top_k", model: "claude-haiku-4-5", extra: `"top_k":40,`, want: "top_k: Extra inputs are not permitted"},
		{name: "a document of the assistant", content: hi + "," + says("assistant", `{"type":"text","text":"a"},`+document) + "," + hi, want: "messages.1.content.1: "},
		{name: "two documents of the assistant", content: hi + "," + says("assistant", document) + "," + hi + "," + says("assistant", document) + "," + hi, want: "messages.1.content.0, messages.3.content.0: "},
		{name: "a document in a server tool's result", content: hi + "," + says("assistant", fetched) + "," + hi},
		{name: "a document of the user", content: says("user", document)},
		{name: "citations of the user", content: says("user", document+","+citing), want: "messages.0.content.1: "},
		{name: "citations in a search result", content: says("user", result), want: "messages.0.content.0.content.0: "},
		{name: "citations in a search result of a tool", content: toolResult, want: "messages.2.content.0.content.1.content.0: "},
		{name: "no citations", content: says("user", `{"type":"text","text":"a","citations":[]}`)},
		{name: "citations that are null", content: says("user", `{"type":"text","text":"a","citations":null}`)},
		{name: "citations enabled", content: says("user", `{"type":"document",`+source+`,"citations":{"enabled":true}}`)},
		{name: "citations of the assistant", content: says("user", document) + "," + says("assistant", citing) + "," + hi},
		{name: "a picture from the system", content: hi + "," + says("system", picture(1, 1)), want: "messages.1.content.0: Input tag 'image' found using 'type' does not match any of the expected tags: 'text'"},
		{name: "clear_at of the user", betas: clearAt, content: `{"role":"user","content":"hi","clear_at":"never"}`, want: "messages.0.clear_at: ", both: true},
		{name: "an unknown role", content: `{"role":"tool","content":"hi"}`, want: "messages.0.role: Input should be 'user', 'assistant' or 'system'", both: true},
		{name: "no role", content: `{"content":"hi"}`, want: "messages.0.role: Field required", both: true},
		{name: "a message that is a list", content: `[]`, want: "messages.0: Input does not match the expected shape.", both: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.model == "" {
				c.model = "claude-opus-5"
			}
			if c.content == "" {
				c.content = hi
			}
			body := fmt.Sprintf(`{"model":%q,"max_tokens":4000,%s"messages":[%s]}`, c.model, c.extra, c.content)
			status, _, raw := post(t, sim.URL(), body, "anthropic-beta", c.betas, "anthropic-version", "2026-10-21")
			if want := c.want == ""; (status == 200) != want || status != 200 && (status != 400 || !strings.HasPrefix(errorMessage(raw), c.want)) {
				t.Errorf("2026-10-21: %d %.300s", status, raw)
			}
			status, _, raw = post(t, sim.URL(), body, "anthropic-beta", c.betas, "anthropic-version", "2023-06-01")
			if c.name != "a picture from the system" && (status == 400) != c.both {
				t.Errorf("2023-06-01: %d %.300s", status, raw)
			}
		})
	}
}

func TestUnknownVersions(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	body := request("claude-opus-5", "", hi)
	for _, version := range []string{"1999-01-01", "2027-01-01", "latest", "2023-06-01, 2023-06-01"} {
		want := fmt.Sprintf("anthropic-version: %q is not a valid version", version)
		if status, _, raw := post(t, sim.URL(), body, "anthropic-version", version); status != 400 || errorMessage(raw) != want {
			t.Errorf("%s: %d %s", version, status, raw)
		}
	}
	if status, _, raw := post(t, sim.URL(), body, "anthropic-version", "2026-10-21"); status != 200 {
		t.Errorf("%d %s", status, raw)
	}
}

// TestHalfSurrogates holds the words in which a body is refused that holds half of
// a surrogate pair, or bytes that are no UTF-8.
func TestHalfSurrogates(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	arguments := func(text string) string {
		return request("claude-opus-5", "", hi, says("assistant", `{"type":"tool_use","id":"A","name":"f","input":{"a":"`+text+`"}}`), answers)
	}
	column := func(body, part string) string {
		n := len([]rune(body[:strings.Index(body, part)]))
		return fmt.Sprintf("line 1 column %d (char %d)", n+1, n)
	}
	text := func(s string) string { return says("user", `{"type":"text","text":"`+s+`"}`) }
	const not = "The request body is not valid JSON: "
	for name, c := range map[string]struct{ body, want string }{
		"half a pair in arguments":  {arguments(`\ud92c!`), not + "no low surrogate in string: " + column(arguments(`\ud92c!`), "!")},
		"half a pair in a text":     {request("claude-opus-5", "", text(`äö\uD83D.`)), not + "no low surrogate in string: " + column(request("claude-opus-5", "", text(`äö\uD83D.`)), `."`)},
		"half a pair in the system": {request("claude-opus-5", `"system":"\ud92c",`, hi), not + "no low surrogate in string: "},
		"half a pair in a key":      {request("claude-opus-5", `"\ud92c":1,`, hi), not + "no low surrogate in string: "},
		"half a pair in a tool":     {request("claude-opus-5", `"tools":[{"name":"f","description":"\ud92c","input_schema":`+object+`}],`, hi), not + "no low surrogate in string: "},
		"the second half alone":     {arguments(`\udd2c`), not + "invalid high surrogate in string: " + column(arguments(`\udd2c`), `\udd2c`)},
		"two first halves":          {arguments(`\ud92c\ud92c`), not + "invalid low surrogate in string: "},
		"bytes":                     {arguments("\xff"), not + "str is not valid UTF-8: surrogates not allowed: line 1 column 1 (char 0)"},
		"half a pair in bytes":      {arguments("\xed\xa4\xac"), not + "str is not valid UTF-8: surrogates not allowed: line 1 column 1 (char 0)"},
		"a whole pair":              {arguments(`\ud83d\ude00`), ""},
		"an escaped backslash":      {arguments(`\\ud92c`), ""},
	} {
		status, _, raw := post(t, sim.URL(), c.body)
		if c.want == "" && status != 200 || c.want != "" && (status != 400 || !strings.HasPrefix(errorMessage(raw), c.want)) {
			t.Errorf("%s: %d %s\nwant %s", name, status, raw, c.want)
		}
	}
	for _, bad := range []string{`\ud92c`, "\xff"} {
		batch := `{"requests":[{"custom_id":"a","params":` + request("claude-opus-5", "", text(bad)) + `}]}`
		if status, _, raw := send(t, "POST", sim.URL()+"/v1/messages/batches", strings.NewReader(batch)); status != 400 || !strings.HasPrefix(errorMessage(raw), not) {
			t.Errorf("a batch with %q: %d %s", bad, status, raw)
		}
	}
}
