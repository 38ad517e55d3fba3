package anthropic

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
)

// An answer of status 200 that isn't what was asked for is an error at each
// endpoint, made once, and no loop asks for ever (case K9).
func TestUnexpectedAnswers(t *testing.T) {
	for _, body := range []string{
		`{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}`,
		`{"code":500,"msg":"no such path","data":null,"success":false}`,
		`{}`, `[]`, `null`, `"ok"`, ``, "<!doctype html><title>Sign in</title>",
	} {
		var sent atomic.Int32
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			sent.Add(1)
			if strings.HasPrefix(body, "<") {
				w.Header().Set("Content-Type", "text/html")
			}
			io.WriteString(w, body)
		})
		for name, ask := range map[string]func() error{
			"CountTokens": func() error { _, err := c.CountTokens(t.Context(), newRequest()); return err },
			"CreateBatch": func() error {
				_, err := c.CreateBatch(t.Context(), []BatchItem{{CustomID: "a", Request: newRequest()}})
				return err
			},
			"Batch":       func() error { _, err := c.Batch(t.Context(), "msgbatch_1"); return err },
			"CancelBatch": func() error { _, err := c.CancelBatch(t.Context(), "msgbatch_1"); return err },
			"DeleteBatch": func() error { return c.DeleteBatch(t.Context(), "msgbatch_1") },
			"WaitBatch":   func() error { _, err := c.WaitBatch(t.Context(), "msgbatch_1", time.Hour); return err },
			"Model":       func() error { _, err := c.Model(t.Context(), "m"); return err },
			"Models":      func() error { return firstError(c.Models(t.Context())) },
			"Batches":     func() error { return firstError(c.Batches(t.Context())) },
			"Files":       func() error { return firstError(c.Files(t.Context())) },
			"File":        func() error { _, err := c.File(t.Context(), "file_1"); return err },
			"DeleteFile":  func() error { return c.DeleteFile(t.Context(), "file_1") },
			"UploadFile": func() error {
				_, err := c.UploadFile(t.Context(), Upload{Filename: "f", Content: strings.NewReader("x")})
				return err
			},
		} {
			sent.Store(0)
			err := ask()
			var unexpected *UnexpectedAnswerError
			if !errors.As(err, &unexpected) || sent.Load() != 1 {
				t.Errorf("%s of %q: asked %d times, got %v", name, body, sent.Load(), err)
			}
		}
		if strings.HasPrefix(body, `{"`) || strings.HasPrefix(body, "<") {
			if _, err := c.DownloadFile(t.Context(), "file_1"); err == nil {
				t.Errorf("a download of %q", body)
			}
		}
		if strings.HasPrefix(body, "{") {
			if err := firstError(c.BatchResults(t.Context(), "msgbatch_1")); err == nil {
				t.Errorf("a result of %q", body)
			}
		}
	}
}

func firstError[T any](seq func(func(T, error) bool)) (first error) {
	for _, err := range seq {
		first = err
		break
	}
	return first
}

// A file is what it is, whatever it looks like.
func TestDownloadsThatLookLikeFailures(t *testing.T) {
	for _, body := range []string{`{"success":true}`, `{"a":1}`, "<svg/>", "", " ", `{"success":false}`} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Request-Id", "req_1")
			io.WriteString(w, body)
		})
		r, err := c.DownloadFile(t.Context(), "file_1")
		if err != nil {
			t.Errorf("%q: %v", body, err)
			continue
		}
		if got, err := io.ReadAll(r); string(got) != body || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		r.Close()
	}
	// One from a gateway that passes no id on.
	for _, body := range []string{`{"success":true}`, "<svg/>", "x", strings.Repeat(`{"a":1}`, 3000)} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/octet-stream")
			io.WriteString(w, body)
		})
		r, err := c.DownloadFile(t.Context(), "file_1")
		if err != nil {
			t.Errorf("%.20q: %v", body, err)
			continue
		}
		if got, err := io.ReadAll(r); string(got) != body || err != nil {
			t.Errorf("got %.20q, %v", got, err)
		}
		r.Close()
	}
}

// A batch in a state that isn't known is no reason to ask for ever.
func TestWaitBatchEnds(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"id":"msgbatch_1","processing_status":"paused"}`)
	})
	if _, err := c.WaitBatch(t.Context(), "msgbatch_1", time.Hour); err == nil || !strings.Contains(err.Error(), `"paused"`) {
		t.Errorf("got %v", err)
	}
}

// What a gateway's codes say decides about retries, not the status that they came with.
func TestCreditIsNotRetried(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		sent   int32
		want   error
	}{
		{429, `{"error":{"code":"insufficient_quota","message":"You exceeded your current quota"}}`, 1, transport.ErrBilling},
		{200, `{"error":{"code":402,"message":"no credit"}}`, 1, transport.ErrBilling},
		{200, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"code\":\"insufficient_quota\",\"message\":\"no\"}}\n\n", 1, transport.ErrBilling},
		{200, `{"error":{"code":401,"message":"no"}}`, 1, transport.ErrAuthentication},
		{200, `{"error":{"code":429,"message":"slow down"}}`, 2, transport.ErrRateLimit},
		{503, `{"error":{"message":"busy"}}`, 2, transport.ErrAPI},
	} {
		var sent atomic.Int32
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			sent.Add(1)
			w.WriteHeader(tt.status)
			io.WriteString(w, tt.body)
		})
		c.maxRetries = 1
		if _, err := transport.Create(t.Context(), c, newRequest()); !errors.Is(err, tt.want) || sent.Load() != tt.sent {
			t.Errorf("%d %s: sent %d times, got %v", tt.status, tt.body, sent.Load(), err)
		}
	}
}

// A request that is nil is an error, and nothing is sent.
func TestNilRequest(t *testing.T) {
	c := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent") })
	_, err := c.CountTokens(t.Context(), nil)
	for name, err := range map[string]error{"Stream": firstError(c.Stream(t.Context(), nil)), "CountTokens": err} {
		var wrong *transport.RequestError
		if !errors.As(err, &wrong) || !errors.Is(err, transport.ErrInvalidRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An answer without an end doesn't fill the memory.
func TestAnswersWithoutEnd(t *testing.T) {
	for name, ask := range map[string]func(c *Client) error{
		"CountTokens": func(c *Client) error { _, err := c.CountTokens(t.Context(), newRequest()); return err },
		"Stream": func(c *Client) error { // a gateway that doesn't stream
			var failed error
			for _, err := range c.Stream(t.Context(), newRequest()) {
				failed = err
			}
			return failed
		},
	} {
		var body endless
		err := ask(clientOf(t, roundTrip(func(r *http.Request) (*http.Response, error) {
			body = 0
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(io.MultiReader(strings.NewReader("{"), &body)), Request: r}, nil
		}), Options{MaxRetries: -1}))
		if err == nil || body > maxWhole+1<<20 {
			t.Errorf("%s: %d MB of an answer without an end were read: %v", name, body>>20, err)
		}
	}
}

// An endless is the body of an answer, spaces, that gives up after twice what
// should be read.
type endless int

func (n *endless) Read(p []byte) (int, error) {
	if *n > 2*maxWhole {
		return 0, io.ErrUnexpectedEOF
	}
	for i := range p {
		p[i] = ' '
	}
	*n += endless(len(p))
	return len(p), nil
}
