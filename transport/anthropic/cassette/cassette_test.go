package cassette

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const key = "sk-ant-api03-0123456789abcdefABCDEF"

// service answers a first question with a tool call, a second one with a text.
func service(t *testing.T) *httptest.Server {
	n := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Request-Id", "req_011CabcDEFghiJKLmnoPQ")
		w.Header().Set("Anthropic-Organization-Id", "f3d9a6f0-0000-4000-8000-0123456789ab")
		if n++; n == 1 {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Retry-After-Ms", "1")
			w.WriteHeader(529)
			io.WriteString(w, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded: f3d9a6f0-0000-4000-8000-0123456789ab"},"request_id":"req_011CabcDEFghiJKLmnoPQ"}`)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		stream := func(stop, block, delta string) {
			for _, data := range []string{
				fmt.Sprintf(`{"type":"message_start","message":{"id":"msg_01ABCDEFGHIJKLMNOPQR%d","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}}`, n),
				`{"type":"content_block_start","index":0,"content_block":` + block + `}`,
				`{"type":"content_block_delta","index":0,"delta":` + delta + `}`,
				`{"type":"content_block_stop","index":0}`,
				`{"type":"message_delta","delta":{"stop_reason":"` + stop + `"},"usage":{"output_tokens":9}}`,
				`{"type":"message_stop"}`,
			} {
				fmt.Fprintf(w, "data: %s\n\n", data)
			}
		}
		if !strings.Contains(string(body), "tool_result") {
			stream("tool_use", `{"type":"tool_use","id":"toolu_01ABCDEFGHIJKLMNOPQRSTUV","name":"f","input":{}}`, `{"type":"input_json_delta","partial_json":"{\"n\": 9007199254740993, \"s\": \"<\"}"}`)
			return
		}
		stream("end_turn", `{"type":"text","text":""}`, `{"type":"text_delta","text":"done, `+key+`"}`)
	}))
	t.Cleanup(srv.Close)
	return srv
}

// converse asks, answers the tool call, and returns the last text. change lets a
// test ask something else.
func converse(c transport.Client, change func(*transport.Request)) (string, error) {
	req := &transport.Request{
		Model: "m", MaxTokens: 100, UserID: "u_1",
		System:      []transport.Block{transport.Text("be brief")},
		Messages:    []transport.Message{transport.UserText("use f")},
		Breakpoints: []transport.Breakpoint{{Part: transport.PartSystem}},
	}
	for {
		change(req)
		resp, err := transport.Create(context.Background(), c, req)
		if err != nil {
			return "", err
		}
		calls := resp.ToolCalls()
		if len(calls) == 0 {
			return resp.Text(), nil
		}
		if string(calls[0].Input) != `{"n": 9007199254740993, "s": "<"}` {
			return "", fmt.Errorf("input is %s", calls[0].Input)
		}
		turn, _ := resp.Replay()
		req.Messages = append(req.Messages, turn, transport.Message{Role: transport.RoleUser, Content: []transport.Block{transport.ToolResult(calls[0].ID, transport.Text("7"))}})
	}
}

func same(*transport.Request) {}

// recorded makes a cassette of one conversation and returns its path.
func recorded(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "testdata", "x.json")
	srv := service(t)
	c, err := New(path, Options{Record: true})
	if err != nil {
		t.Fatal(err)
	}
	client, err := anthropic.New(anthropic.Options{BaseURL: srv.URL, APIKey: secret.New(key), HTTPClient: c.HTTPClient()})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := converse(client, same); err != nil || text != "done, "+key {
		t.Fatalf("got %q, %v", text, err)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRecordAndReplay(t *testing.T) {
	path := recorded(t)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{key, "f3d9a6f0", "req_011", "msg_01A", "toolu_01A", "u_1", "Organization"} {
		if strings.Contains(string(raw), secret) {
			t.Errorf("the cassette holds %q:\n%s", secret, raw)
		}
	}
	for _, kept := range []string{"req_0001", "msg_0001", "toolu_0001", "scrubbed", "\"Content-Type\": \"text/event-stream\""} {
		if !strings.Contains(string(raw), kept) {
			t.Errorf("the cassette lacks %q:\n%s", kept, raw)
		}
	}
	c := Open(t, path)
	text, err := converse(c.Client(), same)
	if err != nil || text != "done, [redacted]" {
		t.Errorf("got %q, %v", text, err)
	}
	if c.Left() != 0 {
		t.Errorf("%d exchanges left", c.Left())
	}
}

func TestReplayIgnoresMarks(t *testing.T) {
	c, err := New(recorded(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = converse(c.Client(), func(r *transport.Request) {
		r.Breakpoints = []transport.Breakpoint{{Part: transport.PartMessages, Index: 0}}
	})
	if err != nil {
		t.Error(err)
	}
}

func TestMismatch(t *testing.T) {
	path := recorded(t)
	tests := []struct {
		name   string
		change func(*transport.Request)
		want   []string
	}{
		{"a word", func(r *transport.Request) { r.Messages[0] = transport.UserText("use g") },
			[]string{"its first difference from number 1 is at messages.0.content.0.text", `sent:     "use g"`, `recorded: "use f"`, "WHORL_CASSETTE=record"}},
		{"the system prompt comes first", func(r *transport.Request) {
			r.System, r.Messages[0] = []transport.Block{transport.Text("be long")}, transport.UserText("use g")
		}, []string{"at system.0.text"}},
		{"a parameter", func(r *transport.Request) { r.MaxTokens = 101 }, []string{"at max_tokens", "sent:     101", "recorded: 100"}},
		{"a new parameter", func(r *transport.Request) { r.StopSequences = []string{"x"} }, []string{"at stop_sequences", "recorded: nothing"}},
		{"one message more", func(r *transport.Request) { r.Messages = append(r.Messages, transport.UserText("and")) }, []string{"at messages.1", `{"content":[{"text":"and","type":"text"}],"role":"user"}`}},
		{"a later result", func(r *transport.Request) {
			if len(r.Messages) == 3 {
				r.Messages[2].Content[0] = transport.ToolResult("toolu_0001", transport.Text("8"))
			}
		}, []string{"its first difference from number 3 is at messages.2.content.0.content.0.text"}},
		{"a beta", func(r *transport.Request) { r.Betas = []string{"b"} }, []string{"at the anthropic-beta header", "sent:     b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := New(path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = converse(c.Client(), tt.change)
			var m *MismatchError
			if !errors.As(err, &m) {
				t.Fatalf("got %v", err)
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%v\ndoesn't say %q", err, w)
				}
			}
			if strings.Contains(err.Error(), "attempts") {
				t.Errorf("it was sent again: %v", err)
			}
		})
	}
}

func TestInOrder(t *testing.T) {
	c, err := New(recorded(t), Options{InOrder: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := converse(c.Client(), func(r *transport.Request) { r.MaxTokens = 7 }); err != nil {
		t.Error(err)
	}
	_, err = converse(c.Client(), same)
	if err == nil || !strings.Contains(err.Error(), "one request more than the 3 that were recorded") {
		t.Errorf("got %v", err)
	}
}

func TestNewErrors(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.json")
	if err := os.WriteFile(bad, []byte(`{"version":9}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{filepath.Join(dir, "none.json"): "WHORL_CASSETTE=record", bad: "version 9"} {
		if _, err := New(path, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

// What is kept of an answer that was not read to its end is what was read.
func TestRecordStopsEarly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.json")
	srv := service(t)
	c, err := New(path, Options{Record: true})
	if err != nil {
		t.Fatal(err)
	}
	client, err := anthropic.New(anthropic.Options{BaseURL: srv.URL, APIKey: secret.New(key), HTTPClient: c.HTTPClient()})
	if err != nil {
		t.Fatal(err)
	}
	req := &transport.Request{Model: "m", MaxTokens: 1, Messages: []transport.Message{transport.UserText("x")}}
	for range client.Stream(context.Background(), req) {
		break
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	again, err := New(path, Options{})
	if err != nil || again.Left() != 2 {
		t.Errorf("%d exchanges, %v", again.Left(), err)
	}
}

func TestGreeting(t *testing.T) {
	client := Open(t, "testdata/greeting.json").Client() // cassette.Open, from another package
	req := &transport.Request{
		Model:     "claude-opus-5-5",
		MaxTokens: 64,
		Messages:  []transport.Message{transport.UserText("Greet the world.")},
	}
	resp, err := transport.Create(t.Context(), client, req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Text() != "Hello, world." {
		t.Errorf("got %q", resp.Text())
	}
}

// Ids of the service stand in paths too, keys in the queries of gateways, and
// files are not always text.
func TestOtherEndpoints(t *testing.T) {
	const id, content = "file_01ABCDEFGHIJKLMNOPQRST", "\x89PNG\xff\x00 file_01ABCDEFGHIJKLMNOPQRST"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			fmt.Fprintf(w, `{"id":%q,"type":"file","filename":"a.png"}`, id)
		case r.URL.Path == "/v1/files/"+id+"/content":
			w.Header().Set("Content-Type", "image/png")
			io.WriteString(w, content)
		default:
			t.Errorf("asked for %s", r.URL)
		}
	}))
	defer srv.Close()
	path := filepath.Join(t.TempDir(), "x.json")
	use := func(c *Cassette) string {
		client, err := anthropic.New(anthropic.Options{BaseURL: srv.URL, APIKey: secret.New(key), HTTPClient: &http.Client{Transport: withQuery{c, "hush"}}})
		if err != nil {
			t.Fatal(err)
		}
		f, err := client.UploadFile(t.Context(), anthropic.Upload{Filename: "a.png", Content: strings.NewReader("x")})
		if err != nil {
			t.Fatal(err)
		}
		in, err := client.DownloadFile(t.Context(), f.ID)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		got, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	c, err := New(path, Options{Record: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := use(c); got != content {
		t.Errorf("got %q", got)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(raw), "hush") || strings.Contains(string(raw), id) {
		t.Errorf("kept: %s (%v)", raw, err)
	}
	if c, err = New(path, Options{}); err != nil {
		t.Fatal(err)
	}
	if got := use(c); got != strings.ReplaceAll(content, id, "file_0001") || c.Left() != 0 {
		t.Errorf("replayed %q, %d left", got, c.Left())
	}
}

// withQuery adds a key to each request, as some gateways want it.
type withQuery struct {
	*Cassette
	key string
}

func (c withQuery) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.RawQuery = url.Values{"api_key": {c.key}}.Encode()
	return c.Cassette.RoundTrip(req)
}

// A token is not written, however it is sent and wherever an answer repeats it.
func TestTokensThatAnswersRepeat(t *testing.T) {
	const token = "0a1b2c3d-no-pattern-finds-this"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(400)
		fmt.Fprintf(w, `{"type":"error","error":{"type":"invalid_request_error","message":"seen: %s %s %s"}}`, r.Header.Get("Authorization"), r.Header.Get("X-Api-Key"), r.URL.RawQuery)
	}))
	defer srv.Close()
	for name, o := range map[string]anthropic.Options{
		"auth token": {AuthToken: secret.New(token)}, "key": {APIKey: secret.New(token)}, "key as a bearer": {APIKey: secret.New(token), BearerKey: true}, "address": {},
	} {
		path := filepath.Join(t.TempDir(), "x.json")
		c, err := New(path, Options{Record: true})
		if err != nil {
			t.Fatal(err)
		}
		o.BaseURL, o.HTTPClient = srv.URL, c.HTTPClient()
		if name == "address" {
			o.HTTPClient = &http.Client{Transport: withQuery{c, token}}
		}
		client, err := anthropic.New(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := converse(client, same); err == nil {
			t.Errorf("%s: no error", name)
		}
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		if err := c.Save(); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(path)
		if err != nil || strings.Contains(string(raw), token) || !strings.Contains(string(raw), "seen:") {
			t.Errorf("%s: %v: %s", name, err, raw)
		}
	}
}
