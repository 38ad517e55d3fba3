package anthropic

import (
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/secret"
)

// What gateways and proxies answer with status 200 though it is no stream of a message.
func TestOddAnswers(t *testing.T) {
	const whole = `{"id":"msg_1","type":"message","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn"}`
	for _, tt := range []struct {
		name, contentType, encoding, body string
		sent                              int32  // how often the request is sent, with one retry allowed
		want                              string // of the error; empty for the answer "hello"
	}{
		{"a stream", "text/event-stream", "", streamOf("hello"), 1, ""},
		{"a stream by another name", "text/plain", "", "\n" + streamOf("hello"), 1, ""},
		{"a message", "application/json; charset=utf-8", "", whole, 1, ""},
		{"a message without a type", "", "", whole, 1, ""},
		{"a message by another name", "text/plain", "", " \n" + whole, 1, ""},
		{"a web page", "text/html", "", "<html>Log in", 1, "is the base URL right"},
		{"a web page by another name", "text/plain", "", "\r\n<!doctype html>", 1, "is the base URL right"},
		{"an error", "application/json", "", `{"type":"error","error":{"type":"invalid_request_error","message":"m"}}`, 1, "invalid_request_error (HTTP 400): m"},
		{"an error that may pass", "application/json", "", `{"type":"error","error":{"type":"overloaded_error","message":"m"}}`, 2, "overloaded_error (HTTP 529): m, after 2 attempts"},
		{"an error of another family", "application/json", "", `{"error":{"type":"new_api_error","message":"no quota"}}`, 2, "no quota"},
		{"an answer of another API", "application/json", "", `{"id":"x","object":"chat.completion","choices":[]}`, 1, `does the endpoint implement the Messages API? "{\"id\"`},
		{"an echo of the request", "application/json", "", `{"headers":{"X-Api-Key":"sk-test-0123456789"}}`, 1, `{\"X-Api-Key\":\"[redacted]`},
		{"half of an echo", "application/json", "", `{"headers":{"X-Api-Key":"sk-test-0123456789","Accept":"`, 2, `{\"X-Api-Key\":\"[redacted]`},
		{"an echo in a list", "application/json", "", `["sk-test-0123456789"]`, 1, `[\"[redacted]\"]`},
		{"an echo that an error shortens", "text/event-stream", "", "data: " + strings.Repeat("x", 66) + "sk-test-0123456789 and more\n\n" + strings.Repeat(": more\n\n", 1000), 2, `xxx[redacted]"…`},
		{"a page called a stream", "text/event-stream", "", "<html>Log in", 1, "is the base URL right"},
		{"chunks of another API", "text/event-stream", "", "data: {\"choices\":[]}\n\ndata: [DONE]\n\n", 1, "does the endpoint implement the Messages API"},
		{"nothing", "application/json", "", ``, 2, "the stream ended without message_stop"},
		{"half of a message", "application/json", "", whole[:40], 2, "not a JSON object"},
		{"gzip", "text/event-stream", "gzip", streamOf("hello"), 1, ""},
		{"gzip by its old name", "text/event-stream", "X-GZIP", streamOf("hello"), 1, ""},
		{"deflate", "text/event-stream", "deflate", streamOf("hello"), 1, ""},
		{"deflate without a header", "text/event-stream", "deflate, raw", streamOf("hello"), 1, ""},
		{"an encoding of somebody's own", "text/event-stream", "br", "\x0b\x02\x80" + streamOf("hello"), 1, `Content-Encoding "br"`},

		// Labels that are not true (cases K8): the body is believed.
		{"a stream called br", "text/event-stream", "br", streamOf("hello"), 1, ""},
		{"a stream called gzip", "text/event-stream", "plain gzip", streamOf("hello"), 1, ""},
		{"a message called gzip", "application/json", "plain gzip", whole, 1, ""},
		{"a stream called deflate", "text/event-stream", "plain deflate", streamOf("hello"), 1, ""},
		{"gzip called nothing", "text/event-stream", "unlabelled gzip", streamOf("hello"), 1, ""},
		{"gzip called deflate", "text/event-stream", "deflate gzip", streamOf("hello"), 1, ""},
		{"a stream called JSON", "application/json", "", streamOf("hello"), 1, ""},
		{"a stream called a page", "text/html", "", streamOf("hello"), 1, ""},
		{"a stream with comments called JSON", "application/json", "", ": hello\n\n" + streamOf("hello"), 1, ""},
		{"a message called a stream", "text/event-stream", "", whole, 1, ""},
		{"a message called a page", "text/html", "", whole, 1, ""},
		{"a message behind a byte order mark", "application/json", "", "\ufeff" + whole, 1, ""},
		{"a stream behind a byte order mark", "text/event-stream", "", "\ufeff" + streamOf("hello"), 1, ""},
		{"a message with an error that is none", "application/json", "", strings.TrimSuffix(whole, "}") + `,"error":""}`, 1, ""},
		{"a message with an empty error", "application/json", "", strings.TrimSuffix(whole, "}") + `,"error":{}}`, 1, ""},
		{"events a line each", "application/x-ndjson", "", "{\"type\":\"message_start\"}\n{\"type\":\"message_stop\"}\n", 1, "did not answer with a message"},
		{"JSON that is no message", "application/json", "", `[1,2]`, 1, "did not answer with a message"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var sent atomic.Int32
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				sent.Add(1)
				w.Header()["Content-Type"] = nil
				if tt.contentType != "" {
					w.Header().Set("Content-Type", tt.contentType)
				}
				encoding, raw, _ := strings.Cut(tt.encoding, ", ")
				label, written, differs := strings.Cut(encoding, " ")
				switch {
				case !differs:
					label, written = encoding, encoding
				case label == "plain":
					label, written = written, ""
				case label == "unlabelled":
					label = ""
				}
				if encoding = written; label != "" {
					w.Header().Set("Content-Encoding", label)
				}
				body := io.WriteCloser(struct {
					io.Writer
					io.Closer
				}{w, io.NopCloser(nil)})
				switch {
				case strings.HasSuffix(strings.ToLower(encoding), "gzip"):
					body = gzip.NewWriter(w)
				case raw != "":
					body, _ = flate.NewWriter(w, flate.BestSpeed)
				case encoding == "deflate":
					body = zlib.NewWriter(w)
				}
				io.WriteString(body, tt.body)
				body.Close()
			}))
			defer srv.Close()
			c, err := New(Options{BaseURL: srv.URL, APIKey: secret.New("sk-test-0123456789"), MaxRetries: 1, RetryBudget: -1})
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseIdleConnections()
			resp, err := transport.Create(t.Context(), c, newRequest())
			if n := sent.Load(); n != tt.sent {
				t.Errorf("sent %d times", n)
			}
			switch {
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v", err)
			case err != nil && strings.Contains(err.Error(), "sk-test"):
				t.Errorf("the key is in %v", err)
			case tt.want == "" && (err != nil || resp.Text() != "hello"):
				t.Errorf("got %v", err)
			}
		})
	}
}

// Failures keep their status whatever their body is.
func TestFailuresWithOddBodies(t *testing.T) {
	for _, tt := range []struct{ encoding, body string }{
		{"gzip", ""},
		{"gzip", `{"error":{"type":"authentication_error","message":"no"}}`},
		{"br", "\x0b\x02"},
		{"deflate", "\xff\xff\xff"},
		{"", strings.Repeat("\x00", 3<<20)},
	} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", tt.encoding)
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, tt.body)
		})
		if _, err := transport.Create(t.Context(), c, newRequest()); !errors.Is(err, transport.ErrAuthentication) {
			t.Errorf("%q as %q: got %v", tt.body[:min(len(tt.body), 20)], tt.encoding, err)
		}
	}
}

// No error shows a key, wherever it had been set.
func TestErrorsHoldNoSecrets(t *testing.T) {
	const key = "sk-ant-0123456789-secret"
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := fmt.Sprintf(`{"type":"error","error":{"type":"invalid_request_error","message":"no such key: %s%s"}}`, r.Header.Get("X-Api-Key"), r.Header.Get("Authorization"))
		switch r.URL.Path {
		case "/stream/v1/messages":
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "event: error\ndata: %s\n\n", body)
		case "/whole/v1/messages":
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, body)
		default:
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, body)
		}
	}))
	defer echo.Close()
	never := func(*http.Request) (*url.URL, error) { return nil, errors.New("no proxy in this test") }
	for _, o := range []Options{
		{BaseURL: "htps://user:" + key + "@host"},
		{BaseURL: key},
		{BaseURL: "https://" + key + "@h\x00"},
		{BaseURL: "https://host/path?key=" + key},
		{BaseURL: "http://127.0.0.1:1/" + key},
		{BaseURL: "http://127.0.0.1:1/" + key, HTTPClient: &http.Client{Transport: &http.Transport{Proxy: never}}},
		{BaseURL: echo.URL, APIKey: secret.New(key)},
		{BaseURL: echo.URL, AuthToken: secret.New(key)},
		{BaseURL: echo.URL, Header: http.Header{"x-api-key": {key}}},
		{BaseURL: echo.URL + "/stream", APIKey: secret.New(key)},
		{BaseURL: echo.URL + "/whole", APIKey: secret.New(key)},
		{BaseURL: echo.URL, APIKey: secret.New(key + "\n")},
		{BaseURL: echo.URL, Header: http.Header{"X-Api-Key": {key + "\n"}}},
	} {
		o.MaxRetries = -1
		c, err := New(o)
		if err == nil {
			_, err = transport.Create(t.Context(), c, newRequest())
			c.CloseIdleConnections()
		}
		var refused *transport.Error
		if errors.As(err, &refused) && strings.Contains(string(refused.Raw), key) {
			t.Errorf("%s: the raw error holds the key", o.BaseURL)
		}
		if err == nil || strings.Contains(err.Error(), key) {
			t.Errorf("got %v", err)
		}
	}
}

func TestFailuresToConnect(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for _, tt := range []struct{ url, want string }{
		{secure.URL, "give an HTTPClient that trusts it"},
		{strings.Replace(plain.URL, "http:", "https:", 1), "the base URL should begin with http://"},
		{strings.Replace(secure.URL, "https:", "http:", 1), "HTTP request to an HTTPS server"},
	} {
		c, err := New(Options{BaseURL: tt.url, MaxRetries: 9})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = transport.Create(t.Context(), c, newRequest()); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "attempts") {
			t.Errorf("%s: got %v", tt.url, err)
		}
		c.CloseIdleConnections()
	}
}

func TestRedirectTellsWhereTo(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://elsewhere.example/v1/messages?key=abc", http.StatusFound)
	})
	_, err := transport.Create(t.Context(), c, newRequest())
	if err == nil || !strings.Contains(err.Error(), "https://elsewhere.example,") || strings.Contains(err.Error(), "abc") {
		t.Errorf("got %v", err)
	}
}

// Answers that are not streamed are read again where they break, unless the
// request would do its work twice.
func TestBrokenAnswersOfOtherEndpoints(t *testing.T) {
	var sent atomic.Int32
	half := func(whole string) *Client {
		sent.Store(0)
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if sent.Add(1) > 1 {
				io.WriteString(w, whole)
				return
			}
			w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
			io.WriteString(w, whole[:len(whole)/2])
		})
	}
	if n, err := half(`{"input_tokens":5}`).CountTokens(t.Context(), newRequest()); n != 5 || err != nil || sent.Load() != 2 {
		t.Errorf("got %d, %v, sent %d times", n, err, sent.Load())
	}
	_, err := half(`{"id":"msgbatch_1"}`).CreateBatch(t.Context(), []BatchItem{{"a", newRequest()}})
	if err == nil || !strings.Contains(err.Error(), "may have been created") || sent.Load() != 1 {
		t.Errorf("got %v, sent %d times", err, sent.Load())
	}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"type":"error","error":{"type":"not_found_error","message":"no such endpoint"}}`)
	})
	if _, err := c.CountTokens(t.Context(), newRequest()); !errors.Is(err, transport.ErrNotFound) {
		t.Errorf("an error with status 200: got %v", err)
	}
}

// TestBatchIsCreatedOnce holds that a batch is created again after a 429 only, or
// where no connection was had (wire §1.7), while a count is asked for again after all
// that may pass.
func TestBatchIsCreatedOnce(t *testing.T) {
	for _, tt := range []struct {
		status int // of the first answer; 0 for a connection that breaks
		retry  string
		sent   int32
		count  int32 // how often a count is sent
	}{
		{0, "", 1, 2}, {500, "", 1, 2}, {502, "", 1, 2}, {503, "", 1, 2}, {504, "", 1, 2}, {529, "", 1, 2}, {408, "", 1, 2}, {409, "", 1, 2},
		{429, "", 2, 2}, {429, "true", 2, 2}, {429, "false", 1, 1}, {529, "true", 1, 2}, {409, "true", 1, 2}, {400, "true", 1, 2}, {400, "", 1, 1}, {402, "", 1, 1}, {413, "", 1, 1},
	} {
		var sent atomic.Int32
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			switch {
			case sent.Add(1) > 1 && strings.HasSuffix(r.URL.Path, "/batches"):
				io.WriteString(w, `{"id":"msgbatch_1","processing_status":"in_progress"}`)
			case sent.Load() > 1:
				io.WriteString(w, `{"input_tokens":1}`)
			case tt.status == 0:
				drop(t, w)
			default:
				w.Header().Set("Retry-After-Ms", "1")
				if tt.retry != "" {
					w.Header().Set("X-Should-Retry", tt.retry)
				}
				w.WriteHeader(tt.status)
			}
		})
		if b, err := c.CreateBatch(t.Context(), []BatchItem{{"a", newRequest()}}); sent.Load() != tt.sent || (err == nil) != (b.ID != "") || (err == nil) != (tt.sent == 2) {
			t.Errorf("%d %s: sent %d times, got %v", tt.status, tt.retry, sent.Load(), err)
		}
		sent.Store(0)
		if _, err := c.CountTokens(t.Context(), newRequest()); sent.Load() != tt.count || (err == nil) != (tt.count == 2) {
			t.Errorf("%d %s: a count was sent %d times, got %v", tt.status, tt.retry, sent.Load(), err)
		}
	}
}

// A batch whose first attempt has no connection at all is created.
func TestBatchIsCreatedWhenThereIsAConnection(t *testing.T) {
	dials := 0
	rt := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials++; dials == 1 {
			return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	t.Cleanup(rt.CloseIdleConnections)
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"id":"msgbatch_1","processing_status":"in_progress"}`)
	})
	c.http = &http.Client{Transport: rt}
	if b, err := c.CreateBatch(t.Context(), []BatchItem{{"a", newRequest()}}); err != nil || b.ID != "msgbatch_1" || dials != 2 {
		t.Errorf("%+v after %d dials: %v", b, dials, err)
	}
}

// A connection that breaks between the results of a batch loses none and brings none twice.
func TestBatchResultsGoOn(t *testing.T) {
	const n = 9
	var asked atomic.Int32
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		until := 4 * int(asked.Add(1))
		for i := range n {
			line := fmt.Sprintf("{\"custom_id\":\"item-%d\",\"result\":{\"type\":\"expired\"}}\n", i)
			if i == until {
				io.WriteString(w, line[:20])
				w.(http.Flusher).Flush()
				drop(t, w)
				return
			}
			io.WriteString(w, line)
		}
	})
	var got []string
	for r, err := range c.BatchResults(t.Context(), "b") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r.CustomID)
	}
	if len(got) != n || len(slices.Compact(slices.Sorted(slices.Values(got)))) != n || asked.Load() != 3 {
		t.Errorf("got %q after %d requests", got, asked.Load())
	}
}

func TestOwnHeaders(t *testing.T) {
	var last atomic.Value // of http.Header
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		last.Store(r.Header)
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, streamOf("hello"))
	}))
	defer srv.Close()
	c, err := New(Options{BaseURL: srv.URL, Header: http.Header{"anthropic-beta": {"mine, b1"}, "x-own": {"1"}}, Betas: []string{"b1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	req := newRequest()
	req.Betas = []string{"b2"}
	_, err = transport.Create(t.Context(), c, req)
	if got, _ := last.Load().(http.Header); err != nil || got.Get("Anthropic-Beta") != "b1,mine,b2" || got.Get("X-Own") != "1" {
		t.Errorf("got %v, %v", got, err)
	}
	req.Betas = []string{"b\n2"}
	if _, err := transport.Create(t.Context(), c, req); err == nil || !strings.Contains(err.Error(), "beta values") {
		t.Errorf("got %v", err)
	}
	// Somebody else may bring the credentials.
	for _, o := range []Options{{Header: http.Header{"authorization": {"Bearer x"}}}, {HTTPClient: &http.Client{}}} {
		if _, err := New(o); err != nil {
			t.Error(err)
		}
	}
}
