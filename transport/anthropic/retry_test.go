package anthropic

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/secret"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A reply is what the n-th attempt gets.
type reply struct {
	status int // 0: no connection
	header string
	body   string
	hang   string // "", or where the service falls silent: "header" or "body"
}

// replies is an http.RoundTripper without a network, for tests of time.
type replies struct {
	t     *testing.T
	list  []reply
	sent  []time.Time
	open  int // bodies that are not closed
	bodys []string
}

func (r *replies) RoundTrip(req *http.Request) (*http.Response, error) {
	raw, _ := io.ReadAll(req.Body)
	req.Body.Close()
	r.bodys = append(r.bodys, string(raw))
	r.sent = append(r.sent, time.Now())
	rep := r.list[min(len(r.sent), len(r.list))-1]
	if rep.hang == "header" {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	if rep.status == 0 {
		return nil, errors.New("connection refused")
	}
	h := http.Header{"Content-Type": {"text/event-stream"}}
	for line := range strings.Lines(rep.header) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), ": ")
		h.Set(k, v)
	}
	r.open++
	return &http.Response{StatusCode: rep.status, Header: h, Request: req, Body: &replyBody{from: r, Reader: strings.NewReader(rep.body), ctx: req.Context(), hang: rep.hang == "body"}}, nil
}

type replyBody struct {
	*strings.Reader
	from *replies
	ctx  context.Context
	hang bool
}

func (b *replyBody) Read(p []byte) (int, error) {
	if b.Reader.Len() == 0 && b.hang {
		<-b.ctx.Done()
		return 0, b.ctx.Err()
	}
	return b.Reader.Read(p)
}

func (b *replyBody) Close() error {
	b.from.open--
	return nil
}

func (r *replies) client(o Options) *Client { return clientOf(r.t, r, o) }

func clientOf(t *testing.T, rt http.RoundTripper, o Options) *Client {
	o.APIKey = secret.New("sk-secret")
	o.HTTPClient = &http.Client{Transport: rt}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// lockedReplies is replies for many goroutines.
type lockedReplies struct {
	replies
	mu sync.Mutex
}

func (r *lockedReplies) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	resp, err := r.replies.RoundTrip(req)
	if resp != nil {
		resp.Body = io.NopCloser(resp.Body)
	}
	return resp, err
}

func (r *lockedReplies) client(o Options) *Client { return clientOf(r.t, r, o) }

const jsonHeader = "Content-Type: application/json\n"

func failure(status int, typ string) reply {
	return reply{status: status, header: jsonHeader, body: `{"type":"error","error":{"type":"` + typ + `","message":"m"}}`}
}

func TestRetries(t *testing.T) {
	good := reply{status: 200, body: streamOf("hello")}
	tests := []struct {
		name    string
		list    []reply
		options Options
		sent    int
		fails   bool
		least   time.Duration // between the first and the last attempt
		most    time.Duration
		events  string // the types of events in front of content_block_stop, if set
	}{
		{name: "at once", list: []reply{good}, sent: 1},
		{name: "no connection", list: []reply{{}, {}, good}, sent: 3, least: 375*time.Millisecond + 750*time.Millisecond, most: 1500 * time.Millisecond},
		{name: "never", list: []reply{failure(529, "overloaded_error")}, sent: 5, fails: true, least: 5625 * time.Millisecond, most: 7500 * time.Millisecond},
		{name: "no retries", list: []reply{failure(529, "overloaded_error")}, options: Options{MaxRetries: -1}, sent: 1, fails: true},
		{name: "500", list: []reply{failure(500, "api_error"), good}, sent: 2, least: 375 * time.Millisecond, most: 500 * time.Millisecond},
		{name: "501", list: []reply{failure(501, "api_error"), good}, sent: 2, most: time.Second},
		{name: "408 and 409", list: []reply{failure(408, "x"), failure(409, "conflict_error"), good}, sent: 3, most: 2 * time.Second},
		{name: "400", list: []reply{failure(400, "invalid_request_error"), good}, sent: 1, fails: true},
		{name: "401", list: []reply{failure(401, "authentication_error"), good}, sent: 1, fails: true},
		{name: "spend limit", list: []reply{{status: 429, header: jsonHeader, body: `{"type":"error","error":{"type":"rate_limit_error","message":"m","details":{"error_code":"enforced_spend_limit_reached"}}}`}, good}, sent: 1, fails: true},
		{name: "spend limit of a contract", list: []reply{{status: 429, header: jsonHeader, body: `{"type":"error","error":{"type":"rate_limit_error","message":"m","details":{"error_code":"contract_spend_limit_reached"}}}`}, good}, sent: 1, fails: true},
		{name: "growth too fast", list: []reply{{status: 429, header: jsonHeader, body: `{"type":"error","error":{"type":"rate_limit_error","message":"m","details":{"error_code":"ramp_limit_exceeded"}}}`}, good}, sent: 2, most: time.Second},
		{name: "a thread, by a gateway's 409", list: []reply{{status: 409, header: jsonHeader, body: `{"type":"error","error":{"type":"conflict_error","message":"m","details":{"error_code":"thread_already_continued"}}}`}, good}, sent: 1, fails: true},
		{name: "the service says no", list: []reply{{status: 500, header: "X-Should-Retry: false"}, good}, sent: 1, fails: true},
		{name: "the service says yes", list: []reply{{status: 400, header: "X-Should-Retry: true"}, good}, sent: 2, most: time.Second},
		{name: "Retry-After in seconds", list: []reply{{status: 429, header: "Retry-After: 3"}, good}, sent: 2, least: 3 * time.Second, most: 3 * time.Second},
		{name: "Retry-After-Ms", list: []reply{{status: 429, header: "Retry-After: 9\nRetry-After-Ms: 1500"}, good}, sent: 2, least: 1500 * time.Millisecond, most: 1500 * time.Millisecond},
		{name: "Retry-After as a date", list: []reply{{status: 503, header: "Retry-After: Sat, 01 Jan 2000 00:00:20 GMT"}, good}, sent: 2, least: 20 * time.Second, most: 20 * time.Second},
		{name: "Retry-After in the past", list: []reply{{status: 503, header: "Retry-After: Sat, 01 Jan 1999 00:00:20 GMT"}, good}, sent: 2, most: time.Second},
		{name: "Retry-After capped", list: []reply{{status: 429, header: "Retry-After: 86400"}, good}, sent: 2, least: time.Minute, most: time.Minute},
		{name: "Retry-After capped lower", list: []reply{{status: 429, header: "Retry-After: 1e300"}, good}, options: Options{MaxRetryDelay: time.Second}, sent: 2, least: time.Second, most: time.Second},
		{name: "Retry-After of a 200 is none", list: []reply{{status: 200, header: "Retry-After: 60", body: start}, good}, sent: 2, most: time.Second},
		{name: "overloaded in the stream", list: []reply{{status: 200, body: overloaded}, good}, sent: 2, most: time.Second, events: "message_start content_block_start ping content_block_delta"},
		{name: "overloaded behind the start", list: []reply{{status: 200, body: start + overloaded}, good}, sent: 2, most: time.Second, events: "message_start content_block_start ping restarted message_start content_block_start ping content_block_delta"},
		{name: "an empty delta is nothing", list: []reply{{status: 200, body: start + delta("") + overloaded}, good}, sent: 2, most: time.Second},
		{name: "overloaded behind a delta", list: []reply{{status: 200, body: start + delta("x") + overloaded}, good}, sent: 1, fails: true},
		{name: "refused in the stream", list: []reply{{status: 200, body: start + strings.ReplaceAll(overloaded, "overloaded_error", "invalid_request_error")}, good}, sent: 1, fails: true},
		{name: "cut behind the start", list: []reply{{status: 200, body: start}, good}, sent: 2, most: time.Second},
		{name: "cut behind a delta", list: []reply{{status: 200, body: start + delta("x")}, good}, sent: 1, fails: true},
		{name: "silent before the header", list: []reply{{hang: "header"}, good}, options: Options{HeaderTimeout: time.Minute}, sent: 2, least: time.Minute, most: time.Minute + time.Second},
		{name: "silent in the stream", list: []reply{{status: 200, body: start, hang: "body"}, good}, sent: 2, least: 2 * time.Minute, most: 2*time.Minute + time.Second},
		{name: "silent behind a delta", list: []reply{{status: 200, body: start + delta("x"), hang: "body"}, good}, sent: 1, fails: true},
		{name: "open behind the end", list: []reply{{status: 200, body: streamOf("hello"), hang: "body"}}, sent: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &replies{t: t, list: tt.list}
				var types []string
				var last error
				var text string
				for ev, err := range r.client(tt.options).Stream(t.Context(), newRequest()) {
					types = append(types, string(ev.Type))
					last = err
					if ev.Type == transport.EventMessageStop {
						text = ev.Response.Text()
						if ev.Response.Meta.Attempts != tt.sent {
							t.Errorf("Meta.Attempts is %d, want %d", ev.Response.Meta.Attempts, tt.sent)
						}
					}
				}
				if len(r.sent) != tt.sent || (last != nil) != tt.fails || r.open != 0 {
					t.Errorf("sent %d times, %d bodies open, error %v", len(r.sent), r.open, last)
				}
				if !tt.fails && text != "hello" {
					t.Errorf("the answer is %q", text)
				}
				if d := r.sent[len(r.sent)-1].Sub(r.sent[0]); d < tt.least || d > tt.most {
					t.Errorf("all attempts took %v", d)
				}
				for _, b := range r.bodys {
					if b != r.bodys[0] {
						t.Errorf("another body: %s", b)
					}
				}
				if i := slices.Index(types, string(transport.EventContentBlockStop)); tt.events != "" && strings.Join(types[:max(i, 0)], " ") != tt.events {
					t.Errorf("events: %s", types)
				}
				if last != nil && strings.Contains(last.Error(), "sk-secret") {
					t.Errorf("the key is in the error: %v", last)
				}
			})
		})
	}
}

func TestErrorTellsAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			r    reply
			want string
		}{
			{failure(529, "overloaded_error"), "overloaded_error (HTTP 529): m, after 3 attempts"},
			{reply{}, "connection refused, after 3 attempts"},
			{reply{status: 200, body: start, hang: "body"}, "IdleTimeout allows ("},
		} {
			r := &replies{t: t, list: []reply{tt.r}}
			_, err := transport.Create(t.Context(), r.client(Options{MaxRetries: 2}), newRequest())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		}
	})
}

func TestCancel(t *testing.T) {
	for _, tt := range []struct {
		name string
		r    reply
	}{
		{"while connecting", reply{hang: "header"}},
		{"while streaming", reply{status: 200, body: start + delta("half"), hang: "body"}},
		{"while waiting", failure(529, "overloaded_error")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &replies{t: t, list: []reply{tt.r}}
				stop := errors.New("enough")
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(300*time.Millisecond, func() { cancel(stop) })
				began := time.Now()
				_, err := transport.Create(ctx, r.client(Options{}), newRequest())
				if !errors.Is(err, stop) || time.Since(began) != 300*time.Millisecond || r.open != 0 {
					t.Errorf("after %v, %d bodies open: %v", time.Since(began), r.open, err)
				}
				var broken *transport.StreamError
				if errors.As(err, &broken) && broken.Partial.Text() != "half" {
					t.Errorf("partial response: %s", broken.Partial.Raw())
				}
			})
		})
	}
}

func TestBreakClosesTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for n := 1; n <= 6; n++ {
			r := &replies{t: t, list: []reply{{status: 200, body: streamOf("hello"), hang: "body"}}}
			i := 0
			for range r.client(Options{}).Stream(t.Context(), newRequest()) {
				if i++; i == n {
					break
				}
			}
			if r.open != 0 || len(r.sent) != 1 {
				t.Errorf("break at event %d: %d bodies open, sent %d times", n, r.open, len(r.sent))
			}
		}
	})
}

func TestLogHoldsNoSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		r := &replies{t: t, list: []reply{failure(529, "overloaded_error"), {status: 200, body: streamOf("private")}}}
		c := r.client(Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		if _, err := transport.Create(t.Context(), c, newRequest()); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(log.String(), "retrying") || strings.Contains(log.String(), "sk-secret") || strings.Contains(log.String(), "private") {
			t.Errorf("log: %s", log.String())
		}
	})
}

func TestNewErrors(t *testing.T) {
	for _, tt := range []struct {
		o    Options
		want string
	}{
		{Options{}, "no key for api.anthropic.com: set Options.APIKey (ANTHROPIC_API_KEY)"},
		{Options{APIKey: secret.New("a"), AuthToken: secret.New("b")}, "set one"},
		{Options{APIKey: secret.New("a\n")}, "line break"},
		{Options{BaseURL: "api.anthropic.com", APIKey: secret.New("a")}, "not a URL of the form https://host"},
		{Options{BaseURL: "https://u:p@host", APIKey: secret.New("a")}, "has a user"},
		{Options{BaseURL: "http://127.0.0.1:1"}, ""},
		{Options{BaseURL: "http://localhost:1/v1/"}, ""},
		{Options{BaseURL: "http://[::1]:1"}, ""},
	} {
		_, err := New(tt.o)
		if tt.want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want %q", tt.o, err, tt.want)
		}
	}
}

func TestFromEnv(t *testing.T) {
	names := []string{"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "COMETAPI_KEY"}
	for _, tt := range []struct {
		values [4]string
		url    string
		header string
		want   string
	}{
		{[4]string{}, "", "", "set ANTHROPIC_API_KEY"},
		{[4]string{"k", "", "", "comet"}, "https://api.anthropic.com/v1/messages", "X-Api-Key: k", ""},
		{[4]string{"k", "t", "", ""}, "https://api.anthropic.com/v1/messages", "X-Api-Key: k", ""},
		{[4]string{"", "t", "https://gateway.example/anthropic/", ""}, "https://gateway.example/anthropic/v1/messages", "Authorization: Bearer t", ""},
		{[4]string{"", "", "", "comet"}, "https://api.cometapi.com/v1/messages", "X-Api-Key: comet", ""},
		{[4]string{"", "", "https://gateway.example", "comet"}, "", "", "no key for gateway.example"},
		{[4]string{"", "", "http://127.0.0.1:8080/v1", ""}, "http://127.0.0.1:8080/v1/messages", "X-Api-Key: ", ""},
	} {
		for i, name := range names {
			t.Setenv(name, tt.values[i])
		}
		c, err := FromEnv()
		if err != nil {
			if tt.want == "" || !strings.Contains(err.Error(), tt.want) || !errors.Is(err, ErrNoKey) {
				t.Errorf("%q: got %v", tt.values, err)
			}
			continue
		}
		req, err := c.request(t.Context(), bytesCall(http.MethodPost, "/v1/messages", nil))
		if err != nil {
			t.Fatal(err)
		}
		name, value, _ := strings.Cut(tt.header, ": ")
		if tt.want != "" || req.URL.String() != tt.url || req.Header.Get(name) != value {
			t.Errorf("%q: got %s with %v", tt.values, req.URL, req.Header)
		}
	}
}
