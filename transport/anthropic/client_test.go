package anthropic

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/wire"
)

// streamOf is a streamed response of one text.
func streamOf(text string) string {
	return start + delta(text) + end
}

const (
	start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n" +
		"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n" +
		"event: ping\ndata: {\"type\":\"ping\"}\n\n"
	end = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n" +
		"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":5}}\n\n" +
		"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	overloaded = "event: error\ndata: {\"type\":\"error\",\"error\":{\"details\":null,\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n"
)

func delta(text string) string {
	return fmt.Sprintf("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":%q}}\n\n", text)
}

func newRequest() *transport.Request {
	return &transport.Request{Model: "m", MaxTokens: 100, Messages: []transport.Message{transport.UserText("hi")}}
}

func serve(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewServer(h)
	c, err := New(Options{BaseURL: srv.URL, APIKey: secret.New("sk-test"), Betas: []string{"b1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.CloseIdleConnections()
		srv.Close()
	})
	return c
}

func TestStream(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for name, want := range map[string]string{
			"X-Api-Key": "sk-test", "Anthropic-Version": "2023-06-01", "Content-Type": "application/json", "Anthropic-Beta": "b1,b2",
			"User-Agent": "whorl/" + wire.Version,
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if r.URL.Path != "/v1/messages" || r.ContentLength != int64(len(body)) || !strings.Contains(string(body), `"stream":true`) {
			t.Errorf("got %s, length %d: %s", r.URL, r.ContentLength, body)
		}
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		w.Header().Set("Request-Id", "req_1")
		w.Header().Set("Anthropic-Ratelimit-Requests-Remaining", "7")
		w.Header().Set("Anthropic-Ratelimit-Requests-Reset", "2026-10-01T00:00:00Z")
		io.WriteString(w, streamOf("hello"))
	})
	req := newRequest()
	req.Betas = []string{"b1", "b2"}
	resp, err := transport.Create(context.Background(), c, req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Text() != "hello" || resp.StopReason != transport.StopEndTurn || resp.Usage.OutputTokens != 5 {
		t.Errorf("got %s", resp.Raw())
	}
	m := resp.Meta
	if m.RequestID != "req_1" || m.Attempts != 1 || m.FirstDelta <= 0 || m.Duration < m.FirstDelta || m.RateLimit.Requests.Remaining != 7 || m.RateLimit.Requests.Reset.IsZero() {
		t.Errorf("got %+v", m)
	}
}

func TestConnectionIsReused(t *testing.T) {
	var peers []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		peers = append(peers, r.RemoteAddr)
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, start)
		w.(http.Flusher).Flush()
		io.WriteString(w, delta("x")+end)
	})
	for range 3 {
		if _, err := transport.Create(context.Background(), c, newRequest()); err != nil {
			t.Fatal(err)
		}
	}
	if peers[0] != peers[1] || peers[1] != peers[2] {
		t.Errorf("connections from %q", peers)
	}
}

func TestWholeResponse(t *testing.T) {
	const whole = `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, whole)
	})
	req := newRequest()
	req.MaxTokens = 0
	var types []string
	for ev, err := range c.Stream(context.Background(), req) {
		if err != nil {
			t.Fatal(err)
		}
		types = append(types, string(ev.Type))
		if ev.Type == transport.EventMessageStop && string(ev.Response.Raw()) != whole {
			t.Errorf("got %s", ev.Response.Raw())
		}
	}
	if got := strings.Join(types, " "); got != "message_start content_block_start content_block_delta content_block_stop message_stop" {
		t.Errorf("events: %s", got)
	}
}

func TestWebPage(t *testing.T) {
	n := 0
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n++
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<html>Log in")
	})
	_, err := transport.Create(context.Background(), c, newRequest())
	if err == nil || !strings.Contains(err.Error(), "is the base URL right") || n != 1 {
		t.Errorf("got %v after %d attempts", err, n)
	}
}

func TestErrorsOfTheService(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		is     error
		want   string
	}{
		{"usual", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"messages: at least one message is required"},"request_id":"req_9"}`, transport.ErrInvalidRequest, "invalid_request_error (HTTP 400): messages: at least one message is required (request req_9)"},
		{"code", 404, `{"type":"error","error":{"type":"not_found_error","message":"gone","details":{"error_code":"file_expired"}}}`, transport.ErrNotFound, "[file_expired]"},
		{"edge", 413, `{"error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}`, transport.ErrRequestTooLarge, "Request exceeds the maximum size"},
		{"empty", 413, ``, transport.ErrRequestTooLarge, "Request Entity Too Large"},
		{"proxy", 401, "<html>\n<h1>Unauthorized</h1></html>", transport.ErrAuthentication, "<html> <h1>Unauthorized</h1></html>"},
		{"web page", 404, "<!DOCTYPE html><html><head><style>x{}</style><title>404 - No\nsuch page</title></head>", transport.ErrNotFound, "(HTTP 404): 404 - No such page"},
		{"other family", 403, `{"error":{"type":"comet_api","message":"no"}}`, transport.ErrPermission, "no"},
		{"text", 402, `{"error":"pay"}`, transport.ErrBilling, "pay"},
		{"model", 404, `{"type":"error","error":{"type":"not_found_error","message":"model: claude-opus-5.5"}}`, transport.ErrNotFound, "model: claude-opus-5.5; check the id and the base URL; did you mean the model claude-opus-5-5?"},
		{"list", 404, `[{"error":{"code":404,"message":"no model"}}]`, transport.ErrNotFound, "no model"},
		{"message only", 400, `{"message":"The model returned the following errors: x"}`, transport.ErrInvalidRequest, "errors: x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := 0
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				n++
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body)
			})
			_, err := transport.Create(context.Background(), c, newRequest())
			var e *transport.Error
			if !errors.As(err, &e) || e.Status != tt.status || !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v (%+v)", err, e)
			}
			if n != 1 {
				t.Errorf("sent %d times", n)
			}
		})
	}
}

// What an endpoint may not know is not sent to it, on a loopback address neither,
// where most gateways stand (case K12).
func TestFeaturesByHost(t *testing.T) {
	for _, tt := range []struct {
		base string
		all  bool
	}{
		{"", true}, {BaseURL, true}, {"https://api.anthropic.com/v1/", true},
		{"http://127.0.0.1:4000", false}, {"http://localhost:11434", false}, {"http://[::1]:8080", false},
		{CometBaseURL, false}, {"https://api.anthropic.com.example", false}, {"https://gateway.anthropic.com", false}, {"https://notapi.anthropic.com", false},
	} {
		c, err := New(Options{BaseURL: tt.base, APIKey: secret.New("sk-test")})
		if err != nil {
			t.Fatal(err)
		}
		want := transport.Features{}
		if tt.all {
			want = *AllFeatures()
		}
		if c.Features() != want {
			t.Errorf("%s: got %+v", tt.base, c.Features())
		}
		if c, err = New(Options{BaseURL: tt.base, APIKey: secret.New("sk-test"), Features: AllFeatures()}); err != nil || c.Features() != *AllFeatures() {
			t.Errorf("%s: told features don't count: %v", tt.base, err)
		}
	}
}

// The logger is told once of a model that ends soon or has ended, and of no other.
func TestModelsThatEndAreToldOf(t *testing.T) {
	var out bytes.Buffer
	own := []models.Model{
		{ID: "over", Ends: time.Now().Add(-time.Hour), Successor: "new"},
		{ID: "soon", Ends: time.Now().Add(59 * 24 * time.Hour)},
		{ID: "later", Ends: time.Now().Add(61 * 24 * time.Hour)},
		{ID: "new"},
	}
	c, err := New(Options{BaseURL: "http://127.0.0.1:1", Models: own, Logger: slog.New(slog.NewTextHandler(&out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, m := range own {
			if _, err := c.body(&transport.Request{Model: m.ID, MaxTokens: 1, Messages: []transport.Message{transport.UserText("x")}}, true); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := out.String(); strings.Count(got, "\n") != 2 || strings.Count(got, `msg="the model has ended" model=over`) != 1 || strings.Count(got, `msg="the model ends soon" model=soon`) != 1 {
		t.Errorf("the logger was told\n%s", got)
	}
}
