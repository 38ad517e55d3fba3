package anthropic

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/internal/single"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/secret"
)

// In which forms the service says when to come back (wire §1.7), and what is no time.
func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		ms, s string
		want  time.Duration
	}{
		{"", "", 0},
		{"", "3", 3 * time.Second},
		{"", "0.5", 500 * time.Millisecond},
		{"1500", "", 1500 * time.Millisecond},
		{"1500", "3", 1500 * time.Millisecond},
		{"soon", "3", 3 * time.Second},
		{"", "Sat, 28 Nov 2026 12:00:07 GMT", 7 * time.Second},
		{"", "Sat, 28 Nov 2026 11:59:00 GMT", 0},
		{"", "-3", 0},
		{"", "0", 0},
		{"", "NaN", 0},
		{"", "-Inf", 0},
		{"", "Inf", 24 * time.Hour},
		{"", "1e300", 24 * time.Hour},
		{"1e300", "", 24 * time.Hour},
		{"", "tomorrow", 0},
	} {
		h := http.Header{}
		for name, v := range map[string]string{"Retry-After-Ms": tt.ms, "Retry-After": tt.s} {
			if v != "" {
				h.Set(name, v)
			}
		}
		if got := retryAfter(h, now); got != tt.want {
			t.Errorf("%v: %v, want %v", h, got, tt.want)
		}
	}
}

// The pauses double from half a second to eight, less up to a quarter, however many
// attempts there were.
func TestBackoff(t *testing.T) {
	for attempts, most := range map[int]time.Duration{1: time.Second / 2, 2: time.Second, 3: 2 * time.Second, 4: 4 * time.Second, 5: 8 * time.Second, 6: 8 * time.Second, 60: 8 * time.Second, math.MaxInt: 8 * time.Second} {
		different := map[time.Duration]bool{}
		for range 50 {
			d := backoff(attempts)
			if d > most || d < most*3/4 {
				t.Fatalf("after %d attempts: %v, want up to %v", attempts, d, most)
			}
			different[d] = true
		}
		if len(different) < 2 {
			t.Errorf("after %d attempts all wait %v", attempts, most)
		}
	}
}

// A limit whose time is over keeps nobody waiting, nor does one that isn't told.
func TestDraw(t *testing.T) {
	now := time.Now()
	for name, tt := range map[string]struct {
		a    transport.Allowance
		want time.Duration
	}{
		"none":      {transport.Allowance{}, 0},
		"no limit":  {transport.Allowance{Remaining: 0, Reset: now.Add(time.Minute)}, 0},
		"over":      {transport.Allowance{Limit: 100, Reset: now.Add(-time.Minute)}, 0},
		"plenty":    {transport.Allowance{Limit: 100, Remaining: 50, Reset: now.Add(time.Minute)}, 0},
		"the last":  {transport.Allowance{Limit: 100, Remaining: 6, Reset: now.Add(time.Minute)}, 0},
		"used up":   {transport.Allowance{Limit: 100, Reset: now.Add(100 * time.Second)}, 6 * time.Second},
		"overdrawn": {transport.Allowance{Limit: 100, Remaining: 200, Reset: now.Add(time.Minute)}, 0},
	} {
		if got := draw(&tt.a, 1, now); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// Of a response's headers an error tells what there is, and a place only of a redirect.
func TestErrorOfHeaders(t *testing.T) {
	body := []byte(`{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}`)
	for _, status := range []int{302, 400, 429, 503} {
		e := responseError(&http.Response{StatusCode: status, Header: http.Header{"Location": {"https://elsewhere.example/x"}, "X-Should-Retry": {"false"}, "Request-Id": {"req_1"}, "Retry-After": {"2"}}}, body)
		if moved := strings.Contains(e.Message, "elsewhere.example"); moved != (status < 400) || e.RequestID != "req_1" || e.ShouldRetry == nil || *e.ShouldRetry || e.RetryAfter != 2*time.Second {
			t.Errorf("%d: %+v", status, e)
		}
	}
	if e := responseError(&http.Response{StatusCode: 429, Header: http.Header{"X-Should-Retry": {"perhaps"}}}, body); e.ShouldRetry != nil {
		t.Errorf("%+v", e)
	}
}

// An error repeats no key, whichever of its parts the gateway wrote it into; and the
// error of somebody else's transport doesn't, either.
func TestNoPartOfAnErrorHasTheKey(t *testing.T) {
	const key = "sk-ant-0123456789-secret"
	c := clientOf(t, failing{fmt.Errorf("sent %s in vain", "sk-secret")}, Options{MaxRetries: -1})
	if _, err := transport.Create(t.Context(), c, newRequest()); err == nil || strings.Contains(err.Error(), "sk-secret") || !strings.Contains(err.Error(), "in vain") {
		t.Errorf("of a transport: %v", err)
	}
	c.hide = hider{own: secret.NewRedactor(secret.New(key))}
	e := c.hideSecrets(&transport.Error{Type: transport.ErrorType("t " + key), Message: "m " + key, Code: "c " + key, RequestID: "r " + key, Raw: []byte(`{"x":"` + key + `"}`)})
	for part, v := range map[string]string{"type": string(e.Type), "message": e.Message, "code": e.Code, "request_id": e.RequestID, "raw": string(e.Raw), "text": e.Error()} {
		if strings.Contains(v, key) || !strings.Contains(v, secret.Redacted) {
			t.Errorf("%s is %q", part, v)
		}
	}
}

type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

// The betas of one request are not those of another at the same time.
func TestBetasAreNotShared(t *testing.T) {
	for n := range 40 { // whatever room the list has
		var own []string
		for i := range n {
			own = append(own, fmt.Sprint("own-", i))
		}
		c := clientOf(t, failing{}, Options{Betas: own})
		of := func(beta string) []string { return c.requestBetas(&transport.Request{Betas: []string{beta}}) }
		one := of("one")
		if two := of("two"); one[n] != "one" || two[n] != "two" || !slices.Equal(one[:n], own) {
			t.Fatalf("%d of the client's: %q and %q", n, one, two)
		}
	}
}

// An id is one part of a path, or refused.
func TestPathID(t *testing.T) {
	for id, want := range map[string]string{"file_1": "file_1", "a/../b": "a%2F..%2Fb", "a?b": "a%3Fb", "a#b": "a%23b", "%2e": "%252e", "a b": "a%20b", "...a": "...a", "": "", ".": "", "..": "", "...": ""} {
		got, err := pathID("file", id)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", id, got, err, want)
		}
	}
}

// Which addresses need no key, which are no base URL, and what is left out of one.
func TestBaseURLs(t *testing.T) {
	for base, want := range map[string]string{
		"http://127.0.0.1:8080": "http://127.0.0.1:8080", "http://127.9.9.9": "http://127.9.9.9", "http://[::1]:80/": "http://[::1]:80", "http://localhost/v1": "http://localhost",
		"http://a.localhost/v1/": "http://a.localhost", "http://localhost/proxy/v1": "http://localhost/proxy",
	} {
		c, err := New(Options{BaseURL: base})
		if err != nil || c.BaseURL() != want {
			t.Errorf("%s: %v, want %s", base, err, want)
		}
	}
	for _, base := range []string{"http://10.0.0.5", "http://192.168.1.1", "http://[fd00::1]", "http://169.254.1.1", "http://localhost.example", "http://notlocalhost", "http://127.0.0.1.example", "https://host"} {
		if _, err := New(Options{BaseURL: base}); !errors.Is(err, ErrNoKey) {
			t.Errorf("%s without a key: %v", base, err)
		}
	}
	for _, base := range []string{"host", "ftp://host", "https://", "//host", "https://u:p@host", "https://host?a=b", "https://host#part", "https://host/#part", "\x00"} {
		if _, err := New(Options{BaseURL: base, APIKey: secret.New("sk-secret")}); err == nil || !strings.Contains(err.Error(), "base URL") {
			t.Errorf("%s: %v", base, err)
		}
	}
}

// A header of the program's with a line break in any of its values is refused.
func TestHeadersThatAreNone(t *testing.T) {
	for _, v := range []string{"a\r\nX-Evil: 1", "a\n", "\x00", "a\x7f"} {
		if _, err := New(Options{APIKey: secret.New("sk-secret"), Header: http.Header{"X-Own": {"fine", v}}}); err == nil || !strings.Contains(err.Error(), "X-Own") {
			t.Errorf("%q: %v", v, err)
		}
		c := clientOf(t, failing{errors.New("sent")}, Options{MaxRetries: -1})
		if _, err := transport.Create(t.Context(), c, &transport.Request{Model: "m", MaxTokens: 1, Betas: []string{v}, Messages: []transport.Message{transport.UserText("x")}}); err == nil || !strings.Contains(err.Error(), "beta values") {
			t.Errorf("beta %q: %v", v, err)
		}
	}
}

// A request is given more time by its length, and none at all where nobody can tell.
func TestPatienceOfCalls(t *testing.T) {
	c, err := New(Options{APIKey: secret.New("sk-secret")})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	short, long := c.patience(&call{length: 0}), c.patience(&call{length: 1 << 20})
	if short != c.silence || long != short+4*time.Second || c.patience(&call{length: -1}) != short {
		t.Errorf("%v for nothing, %v for 1 MiB", short, long)
	}
	if got := c.patience(&call{slow: true}); got != 0 {
		t.Errorf("%v for a slow answer", got)
	}
	c.slowest.Store(int64(time.Minute))
	if got := c.patience(&call{}); got != 3*time.Minute {
		t.Errorf("%v where answers took a minute", got)
	}
	c.multiplexed.Store(true)
	if got := c.patience(&call{}); got != 0 {
		t.Errorf("%v over HTTP/2", got)
	}
}

// A request is sent again as often as the program allows, while somebody waits for it, if
// the failure may pass, and if nobody further up sends it again.
func TestWhoRetries(t *testing.T) {
	c, err := New(Options{BaseURL: "http://127.0.0.1:1", MaxRetries: 2})
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	overloaded, refused := &transport.Error{Status: 529, RetryAfter: time.Hour}, &transport.Error{Status: 400}
	for _, tt := range []struct {
		what     string
		ctx      context.Context
		err      error
		attempts int
		want     bool
	}{
		{"the first time", t.Context(), overloaded, 1, true},
		{"the last time", t.Context(), overloaded, 2, true},
		{"once more", t.Context(), overloaded, 3, false},
		{"nobody waits", gone, overloaded, 1, false},
		{"an engine does", single.Context(t.Context()), overloaded, 1, false},
		{"refused", t.Context(), refused, 1, false},
	} {
		pause, again := c.retry(tt.ctx, tt.err, tt.attempts)
		if again != tt.want || again && pause != c.maxRetryDelay || !again && pause != 0 {
			t.Errorf("%s: %v after %v, want %v", tt.what, again, pause, tt.want)
		}
	}
}
