package cassette

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport/secret"
)

// A request is the recorded one if it would be answered alike.
func TestDifference(t *testing.T) {
	recorded := &exchange{Request: request{Method: "POST", Path: "/v1/messages", Beta: "b1", Body: json.RawMessage(
		`{"model":"m","n":9007199254740993,"metadata":{"user_id":"scrubbed"},"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}]}`)}}
	const same = `{"messages":[{"role":"user","content":[{"text":"a","type":"text"}]}],"n":9007199254740993,"metadata":{"user_id":"ann"},"model":"m"}`
	for name, tt := range map[string]struct{ method, path, beta, body, want string }{
		"the same":        {"POST", "/v1/messages", "b1", same, ""},
		"the method":      {"PUT", "/v1/messages", "b1", same, "the method"},
		"the path":        {"POST", "/v1/messages/count_tokens", "b1", same, "the path"},
		"the query":       {"POST", "/v1/messages?x=1", "b1", same, "the path"},
		"another beta":    {"POST", "/v1/messages", "b2", same, "the anthropic-beta header"},
		"no beta":         {"POST", "/v1/messages", "", same, "the anthropic-beta header"},
		"a number by one": {"POST", "/v1/messages", "b1", strings.Replace(same, "993", "992", 1), "n"},
		"a member less":   {"POST", "/v1/messages", "b1", strings.Replace(same, `,"model":"m"`, "", 1), "model"},
		"a member more":   {"POST", "/v1/messages", "b1", strings.Replace(same, `{`, `{"x":1,`, 1), "x"},
		"a message more":  {"POST", "/v1/messages", "b1", strings.Replace(same, `"messages":[`, `"messages":[{},`, 1), "messages.0.content"},
		"a text":          {"POST", "/v1/messages", "b1", strings.Replace(same, `"a"`, `"b"`, 1), "messages.0.content.0.text"},
		"no JSON":         {"POST", "/v1/messages", "b1", "{", "the body"},
	} {
		req := httptest.NewRequest(tt.method, tt.path, nil)
		if tt.beta != "" {
			req.Header.Set("Anthropic-Beta", tt.beta)
		}
		got := ""
		if d := difference(recorded, req, []byte(tt.body)); d != nil {
			got = d.Path
		}
		if got != tt.want {
			t.Errorf("%s: it differs in %q, want %q", name, got, tt.want)
		}
	}
}

// A file of another version is refused, an older one and one without a version too.
func TestVersionOfFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.json")
	for text, want := range map[string]bool{`{"version":1,"exchanges":[]}`: true, `{"version":2}`: false, `{"version":0}`: false, `{"exchanges":[]}`: false, `{"version":-1}`: false, `[]`: false} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := load(path); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// What a cassette must not hold is replaced whatever stands in it or around it.
func TestScrub(t *testing.T) {
	hush := secret.NewRedactor(secret.New("hush-hush"))
	for text, want := range map[string]string{
		`{"user_id":"ann"}`:                                     `{"user_id":"scrubbed"}`,
		`{"user_id" : "a\"nn\\"}`:                               `{"user_id" : "scrubbed"}`,
		`{"authorization_token":"t","x":"user_id"}`:             `{"authorization_token":"scrubbed","x":"user_id"}`,
		`{"fallback_credit_token":"t"}`:                         `{"fallback_credit_token":"scrubbed"}`,
		`"sk-ant-0123456789abcdef_-X,"`:                         `"scrubbed,"`,
		`"hush-hush"`:                                           `"` + secret.Redacted + `"`,
		`msg_01ABCDEFGHIJ req_01ABCDEFGHIJ msg_01ABCDEFGHIJ`:    `msg_0001 req_0001 msg_0001`,
		`msg_bdrk_01ABCDEFGHIJ toolu_vrtx_01ABCDEFGHIJ`:         `msg_0001 toolu_0001`,
		`f3d9a6f0-0000-4000-8000-0123456789ab and msg_02 a_01x`: `00000000-0000-0000-0000-000000000001 and msg_02 a_01x`,
	} {
		if got := string(newScrubber().scrub([]byte(text), hush)); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// Secret parameters by any usual name, in any case; a body that isn't JSON, which may
// be anybody's file, is not kept; and a failure comes back without a wait.
func TestExchange(t *testing.T) {
	req := httptest.NewRequest("POST", "/v1/files?API_KEY=1&access_token=2&X-Amz-Signature=3&client_secret=4&page=5&sig=6&auth=7&Password=8&X-Amz-Credential=9", nil)
	if got := pathOf(req.URL); strings.Count(got, "scrubbed") != 8 || !strings.Contains(got, "page=5") {
		t.Errorf("the path is %s", got)
	}
	answer := []byte(`{"type":"error"}`)
	resp := &http.Response{StatusCode: 429, Header: http.Header{"Content-Type": {"application/json"}, "Retry-After": {"3600"}, "Set-Cookie": {"session=1"}}}
	e := newExchange(req, "/v1/files", []byte("--form\r\nmy diary"), resp, answer)
	if raw, err := json.Marshal(e); err != nil || bytes.Contains(raw, []byte("diary")) || bytes.Contains(raw, []byte("ookie")) || e.Request.Text == "" {
		t.Errorf("kept %s, %v", raw, err)
	}
	back := e.answer(req)
	body, err := io.ReadAll(back.Body)
	if err != nil || !bytes.Equal(body, answer) || back.StatusCode != 429 || back.Header.Get("Retry-After") != "" || back.Header.Get("Retry-After-Ms") != "1" {
		t.Errorf("comes back as %d %v %s: %v", back.StatusCode, back.Header, body, err)
	}
}
