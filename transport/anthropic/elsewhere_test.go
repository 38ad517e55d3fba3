package anthropic

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/transport"
)

// roundTrip is an http.RoundTripper.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Nor does an HTTPClient of the program's carry the key to where a redirect leads; and
// it is not changed.
func TestRedirectOfTheProgramsOwnClient(t *testing.T) {
	var asked []string
	own := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		asked = append(asked, r.URL.Host)
		h := http.Header{"Location": {"https://elsewhere.example" + r.URL.Path}}
		return &http.Response{StatusCode: http.StatusTemporaryRedirect, Header: h, Body: http.NoBody, Request: r}, nil
	})}
	c := clientOf(t, own.Transport, Options{MaxRetries: -1})
	_, err := transport.Create(t.Context(), c, newRequest())
	var e *transport.Error
	if !errors.As(err, &e) || e.Status != 307 || strings.Join(asked, " ") != "api.anthropic.com" {
		t.Errorf("asked %q, got %v", asked, err)
	}
	if _, err := New(Options{HTTPClient: own}); err != nil || own.CheckRedirect != nil {
		t.Errorf("the program's client was changed: %v", err)
	}
}

// What a service or a connection repeats of the key is in no part of what comes back,
// also once the response has begun; and its error names the request.
func TestBrokenStreamsHoldNoSecrets(t *testing.T) {
	const key = "sk-secret" // of clientOf
	answer := func(id string, body io.Reader) *Client {
		return clientOf(t, roundTrip(func(r *http.Request) (*http.Response, error) {
			h := http.Header{"Content-Type": {"text/event-stream"}, "Request-Id": {id}}
			return &http.Response{StatusCode: http.StatusOK, Header: h, Body: io.NopCloser(body), Request: r}, nil
		}), Options{MaxRetries: -1})
	}
	_, err := transport.Create(t.Context(), answer("req_1", io.MultiReader(strings.NewReader(start+delta("x")), broken{errors.New("closed with " + key)})), newRequest())
	var cut *transport.StreamError
	if !errors.As(err, &cut) || strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "closed with") {
		t.Errorf("%v", err)
	}
	_, err = transport.Create(t.Context(), answer("req_1", strings.NewReader(start+delta("x")+overloaded)), newRequest())
	var refused *transport.Error
	if !errors.As(err, &refused) || refused.RequestID != "req_1" {
		t.Errorf("%v of the request %+v", err, refused)
	}
	resp, err := transport.Create(t.Context(), answer("req of "+key, strings.NewReader(streamOf("x"))), newRequest())
	if err != nil || strings.Contains(resp.Meta.RequestID, key) || !strings.HasPrefix(resp.Meta.RequestID, "req of ") {
		t.Errorf("%v of the request %q", err, resp.Meta.RequestID)
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// A budget of retries is full after a minute, and never holds more.
func TestRetryBudgetFills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newRetryBudget(3)
		take := func() (n int) {
			for b.take() {
				n++
			}
			return n
		}
		for _, step := range []struct {
			name string
			do   func()
			want int
		}{
			{"new", func() {}, 3},
			{"at once", func() {}, 0},
			{"after a third of a minute", func() { time.Sleep(20*time.Second + time.Millisecond) }, 1},
			{"after a success", b.success, 2},
			{"after many", func() {
				for range 100 {
					b.success()
				}
			}, 3},
			{"after an hour", func() { time.Sleep(time.Hour) }, 3},
		} {
			step.do()
			if got := take(); got != step.want {
				t.Errorf("%s: %d retries, want %d", step.name, got, step.want)
			}
		}
		began := time.Now()
		if b.await(t.Context(), time.Second) || time.Since(began) > 2*time.Second {
			t.Errorf("waited %v for a retry", time.Since(began))
		}
		if !b.await(t.Context(), time.Minute) {
			t.Error("waited in vain")
		}
	})
}
