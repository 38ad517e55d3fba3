package anthropic

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/transport"
)

// What a failure says: whether the request is sent again, whether one that creates
// something is, whether that may exist already, and whether it may have been billed.
func TestWhatFailuresMean(t *testing.T) {
	yes, no := true, false
	reached := func(err error) error { return &connectionError{host: "h", err: err} }
	dial := &net.OpError{Op: "dial", Err: errors.New("refused")}
	for name, tt := range map[string]struct {
		err                            error
		passes, again, created, isLost bool
	}{
		"400":                        {&transport.Error{Status: 400}, false, false, false, false},
		"408":                        {&transport.Error{Status: 408}, true, false, true, false},
		"409":                        {&transport.Error{Status: 409}, true, false, true, false},
		"429":                        {&transport.Error{Status: 429, Type: transport.ErrRateLimit}, true, true, false, false},
		"499":                        {&transport.Error{Status: 499}, false, false, false, false},
		"500":                        {&transport.Error{Status: 500}, true, false, true, false},
		"503":                        {&transport.Error{Status: 503}, true, false, true, false},
		"529":                        {&transport.Error{Status: 529, Type: transport.ErrOverloaded}, true, false, true, false},
		"400, which says yes":        {&transport.Error{Status: 400, ShouldRetry: &yes}, true, false, false, false},
		"503, which says no":         {&transport.Error{Status: 503, ShouldRetry: &no}, false, false, true, false},
		"no credit":                  {&transport.Error{Status: 429, Type: transport.ErrBilling}, false, true, false, false},
		"a thread of a gateway":      {&transport.Error{Status: 500, Code: "thread_expired"}, false, false, true, false},
		"a code that says thread":    {&transport.Error{Status: 500, Code: "in_thread_"}, true, false, true, false},
		"reset":                      {reached(errors.New("reset")), true, false, true, true},
		"no connection":              {reached(dial), true, true, false, false},
		"a read that failed":         {reached(&net.OpError{Op: "read", Err: errors.New("reset")}), true, false, true, true},
		"the proxy is overloaded":    {reached(&proxyError{status: 502}), true, true, false, false},
		"the proxy refuses":          {reached(&proxyError{status: 407}), false, true, false, false},
		"a bad certificate":          {reached(&tls.CertificateVerificationError{Err: errors.New("x")}), false, true, false, false},
		"not TLS":                    {reached(http.ErrSchemeMismatch), false, true, false, false},
		"cut behind its beginning":   {&transport.StreamError{Err: errors.New("reset"), Partial: &transport.Response{}}, true, true, false, false},
		"cut before anything":        {&transport.StreamError{Err: errors.New("reset")}, true, true, false, true},
		"an error in the stream":     {&transport.StreamError{Err: &transport.Error{Type: transport.ErrOverloaded, Status: 529}}, true, false, true, false},
		"the caller's own":           {context.Canceled, false, true, false, false},
		"refused on this side":       {reached(&transport.RequestError{Field: "x"}), true, true, false, false},
		"a permanent connection one": {reached(&permanentError{errors.New("x")}), false, false, true, true},
	} {
		if got := passes(tt.err); got != tt.passes {
			t.Errorf("%s: passes %v", name, got)
		}
		if got := mayCreateAgain(tt.err); got != tt.again {
			t.Errorf("%s: may create again %v", name, got)
		}
		if got := perhapsCreated(tt.err); got != tt.created {
			t.Errorf("%s: perhaps created %v", name, got)
		}
		if got := isLost(tt.err); got != tt.isLost {
			t.Errorf("%s: lost %v", name, got)
		}
	}
	// What the service may have done: an overload, by its status or its type, it has not.
	for status, want := range map[int]bool{500: true, 502: true, 503: false, 504: true, 429: false} {
		if got := perhapsDone(&transport.Error{Status: status}); got != want {
			t.Errorf("%d: perhaps done %v", status, got)
		}
	}
	if perhapsDone(&transport.Error{Status: 529, Type: transport.ErrOverloaded}) {
		t.Error("an overloaded service has done it")
	}
}

// What to do is told of the causes that are plain, and of no other.
func TestRemedies(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"no such name":  {&net.DNSError{IsNotFound: true}, "base URL"},
		"a slow name":   {&net.DNSError{IsTimeout: true}, ""},
		"not TLS":       {http.ErrSchemeMismatch, "http://"},
		"a certificate": {&tls.CertificateVerificationError{Err: errors.New("x")}, "authority"},
		"anything":      {errors.New("x"), ""},
	} {
		got := remedy(&url.Error{Err: tt.err})
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A pause ends with the cause of its context.
func TestPauseTellsTheCause(t *testing.T) {
	why := errors.New("why")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if err := pause(ctx, time.Hour); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
	if err := pause(t.Context(), 0); err != nil {
		t.Errorf("%v", err)
	}
}

// Each limit is read from headers of its own.
func TestRateLimitHeaders(t *testing.T) {
	h := http.Header{}
	at := func(s int) time.Time { return time.Date(2026, 11, 28, 12, 0, s, 0, time.UTC) }
	for i, name := range []string{"Requests", "Tokens", "Input-Tokens", "Output-Tokens"} {
		p := "Anthropic-Ratelimit-" + name
		h.Set(p+"-Limit", fmt.Sprint(100+i))
		h.Set(p+"-Remaining", fmt.Sprint(10+i))
		h.Set(p+"-Reset", at(i).Format(time.RFC3339))
	}
	want := transport.RateLimit{
		Requests:     transport.Allowance{Limit: 100, Remaining: 10, Reset: at(0)},
		Tokens:       transport.Allowance{Limit: 101, Remaining: 11, Reset: at(1)},
		InputTokens:  transport.Allowance{Limit: 102, Remaining: 12, Reset: at(2)},
		OutputTokens: transport.Allowance{Limit: 103, Remaining: 13, Reset: at(3)},
	}
	if got := rateLimit(h); got == nil || *got != want {
		t.Errorf("%+v", got)
	}
	if got := rateLimit(http.Header{"Retry-After": {"1"}}); got != nil {
		t.Errorf("of no headers: %+v", got)
	}
}

// A request with a retry after its response began: what the last attempt says of all.
func TestMetaOfRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &replies{t: t, list: []reply{{}, failure(503, "api_error"), {status: 200, header: "Request-Id: req_3", body: streamOf("hello")}}}
		resp, err := transport.Create(t.Context(), r.client(Options{}), newRequest())
		if err != nil {
			t.Fatal(err)
		}
		m := resp.Meta
		if m.Attempts != 3 || m.Lost != 1 || m.Sent != 3*int64(len(r.bodys[0])) || m.RequestID != "req_3" || m.Duration < time.Second {
			t.Errorf("%+v", m)
		}
	})
}

// A part of a response and its error tell the id of the request.
func TestMetaOfAPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &replies{t: t, list: []reply{{status: 200, header: "Request-Id: req_1", body: start + delta("half") + overloaded}}}
		_, err := transport.Create(t.Context(), r.client(Options{}), newRequest())
		var broken *transport.StreamError
		if !errors.As(err, &broken) || broken.Partial == nil || broken.Partial.Meta.RequestID != "req_1" || broken.Partial.Meta.Attempts != 1 {
			t.Fatalf("%v", err)
		}
		var refused *transport.Error
		if !errors.As(err, &refused) || refused.RequestID != "req_1" {
			t.Errorf("%v", err)
		}
	})
}

// The time of the first delta is that of the first, and counts what was tried before.
func TestFirstDelta(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &replies{t: t, list: []reply{{status: 429, header: "Retry-After: 3"}, {status: 200, body: start + delta("a") + delta("b") + strings.TrimPrefix(streamOf("x"), start)}}}
		var first time.Duration
		for ev, err := range r.client(Options{}).Stream(t.Context(), newRequest()) {
			if err != nil {
				t.Fatal(err)
			}
			if ev.Type == transport.EventContentBlockDelta {
				time.Sleep(time.Second)
			}
			if ev.Type == transport.EventMessageStop {
				first = ev.Response.Meta.FirstDelta
			}
		}
		if first != 3*time.Second {
			t.Errorf("%v", first)
		}
	})
}

// The end of a context between two attempts tells what failed before it, what was
// sent, and what may have been billed.
func TestStopsBetweenAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &replies{t: t, list: []reply{{}, {status: 529, header: "Retry-After: 30\n" + jsonHeader, body: failure(529, "overloaded_error").body}}}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := transport.Create(ctx, r.client(Options{}), newRequest())
		var lost *transport.LostError
		var refused *transport.Error
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, transport.ErrOverloaded) || !errors.As(err, &lost) || lost.Attempts != 1 || !errors.As(err, &refused) || refused.Attempts != 2 {
			t.Errorf("%v", err)
		}
	})
}
