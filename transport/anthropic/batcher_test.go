package anthropic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/secret"
)

// A batchService is an http.RoundTripper that keeps batches. A batch takes an
// hour; an item's result is what its first message's text says, and what it is
// asked a second time succeeds.
type batchService struct {
	t *testing.T

	mu       sync.Mutex
	batches  [][]string // the texts of the items
	results  map[string]string
	created  map[string]time.Time
	canceled []string
	seen     map[string]bool
	down     bool // the service can't be reached
}

func newBatchService(t *testing.T) *batchService {
	return &batchService{t: t, results: map[string]string{}, created: map[string]time.Time{}, seen: map[string]bool{}}
}

func (s *batchService) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, errors.New("connection refused")
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	rest := strings.TrimPrefix(req.URL.Path, batchPath)
	id, action, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	answer := ""
	switch {
	case rest == "":
		var body struct {
			Requests []struct {
				CustomID string `json:"custom_id"`
				Params   struct {
					Messages []transport.Message
				}
			}
		}
		raw, _ := io.ReadAll(req.Body)
		if err := json.Unmarshal(raw, &body); err != nil {
			s.t.Error(err)
		}
		id = fmt.Sprintf("msgbatch_%d", len(s.batches)+1)
		var texts []string
		var lines strings.Builder
		for _, r := range body.Requests {
			text := r.Params.Messages[0].Text()
			texts = append(texts, text)
			result := fmt.Sprintf(`{"type":"succeeded","message":{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":%q}],"stop_reason":"end_turn","usage":{"input_tokens":1,"service_tier":"batch"}}}`, "re: "+text)
			switch {
			case text == "lost":
				continue
			case text == "expired", text == "canceled":
				result = fmt.Sprintf(`{"type":%q}`, text)
			case strings.HasSuffix(text, "_error") && !s.seen[text]:
				result = fmt.Sprintf(`{"type":"errored","error":{"type":"error","error":{"type":%q,"message":"m"}}}`, text)
			}
			s.seen[text] = true
			fmt.Fprintf(&lines, "{\"custom_id\":%q,\"result\":%s}\n", r.CustomID, result)
		}
		slices.Sort(texts)
		s.batches, s.results[id], s.created[id] = append(s.batches, texts), lines.String(), time.Now()
		answer = s.status(id)
	case action == "results":
		answer = s.results[id]
	case action == "cancel":
		s.canceled = append(s.canceled, id)
		answer = s.status(id)
	default:
		answer = s.status(id)
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Request: req, Body: io.NopCloser(strings.NewReader(answer))}, nil
}

func (s *batchService) status(id string) string {
	status := "in_progress"
	if time.Since(s.created[id]) >= time.Hour {
		status = "ended"
	}
	return fmt.Sprintf(`{"id":%q,"processing_status":%q}`, id, status)
}

func (s *batchService) batcher(o BatcherOptions) *Batcher {
	return clientOf(s.t, s, Options{}).Batcher(o)
}

func asking(text string) *transport.Request {
	r := newRequest()
	r.Messages = []transport.Message{transport.UserText(text)}
	return r
}

func TestBatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBatchService(t)
		b := s.batcher(BatcherOptions{Size: 3})
		began := time.Now()
		var wg sync.WaitGroup
		for _, tt := range []struct {
			after    time.Duration
			text     string
			want     string // of the answer or the error
			attempts int
			within   time.Duration
		}{
			{0, "a", "re: a", 1, time.Hour + 2*time.Minute},
			{0, "overloaded_error", "re: overloaded_error", 2, 2*time.Hour + 3*time.Minute},
			{time.Second, "invalid_request_error", "invalid_request_error (HTTP 400): m", 1, time.Hour + 2*time.Minute},
			{2 * time.Second, "expired", "without an answer to the request: expired", 1, time.Hour + 2*time.Minute},
			{3 * time.Second, "lost", "msgbatch_2: it has no result", 1, time.Hour + 2*time.Minute},
			{2 * time.Minute, "late", "re: late", 1, time.Hour + 2*time.Minute},
		} {
			wg.Go(func() {
				time.Sleep(tt.after)
				asked := time.Now()
				resp, err := transport.Create(t.Context(), b, asking(tt.text))
				got := fmt.Sprint(err)
				if err == nil {
					got = resp.Text()
					if resp.Meta.Attempts != tt.attempts || resp.Usage.ServiceTier != "batch" {
						t.Errorf("%s: %+v", tt.text, resp.Meta)
					}
				}
				if !strings.Contains(got, tt.want) || time.Since(asked) > tt.within {
					t.Errorf("%s: got %s after %v", tt.text, got, time.Since(asked))
				}
				if tt.text == "expired" && !errors.Is(err, ErrUnanswered) {
					t.Errorf("%v is not ErrUnanswered", err)
				}
			})
		}
		wg.Wait()
		// The first is full at once, the others are sent when they have waited.
		if got := fmt.Sprint(s.batches); got != "[[a invalid_request_error overloaded_error] [expired lost] [late] [overloaded_error]]" {
			t.Errorf("batches: %s", got)
		}
		if len(s.canceled) > 0 || time.Since(began) > 3*time.Hour {
			t.Errorf("canceled %q, took %v", s.canceled, time.Since(began))
		}
	})
}

// An agent asks the client whether there are threads: a batch has none.
func TestBatcherHasNoThreads(t *testing.T) {
	c, err := New(Options{APIKey: secret.New("any"), Features: AllFeatures()})
	if err != nil {
		t.Fatal(err)
	}
	own, batched := c.Features(), c.Batcher(BatcherOptions{}).Features()
	if own.Threads = false; !c.Features().Threads || batched != own {
		t.Errorf("the features are %+v, those of the client %+v", batched, c.Features())
	}
}

func TestBatcherRefusesBeforeItWaits(t *testing.T) {
	s := newBatchService(t)
	b := s.batcher(BatcherOptions{})
	fast, unknown := asking("a"), asking("a")
	fast.Speed = "fast"
	unknown.Model, unknown.ToolChoice = "claude-opus-5-5", &transport.ToolChoice{Type: "any"}
	for _, r := range []*transport.Request{fast, unknown, nil} {
		if _, err := transport.Create(t.Context(), b, r); err == nil || len(s.batches) > 0 {
			t.Errorf("got %v", err)
		}
	}
}

// A context that ends takes its request out; the last one takes the batch along.
func TestBatcherIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBatchService(t)
		b := s.batcher(BatcherOptions{})
		ask := func(text string, patience time.Duration, want error) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if _, err := transport.Create(ctx, b, asking(text)); !errors.Is(err, want) {
				t.Errorf("%s: got %v", text, err)
			}
		}
		var wg sync.WaitGroup
		wg.Go(func() { ask("alone", 5*time.Second, context.DeadlineExceeded) })
		wg.Wait()
		time.Sleep(time.Minute)
		if len(s.batches) != 0 {
			t.Errorf("batches: %q", s.batches)
		}
		wg.Go(func() { ask("leaves early", 5*time.Second, context.DeadlineExceeded) })
		wg.Go(func() { ask("leaves late", 10*time.Minute, context.DeadlineExceeded) })
		wg.Go(func() { ask("stays", 2*time.Hour, nil) })
		wg.Wait()
		if got := fmt.Sprint(s.batches); got != "[[leaves late stays]]" || len(s.canceled) != 0 {
			t.Errorf("batches: %s, canceled %q", got, s.canceled)
		}
		wg.Go(func() { ask("leaves", 10*time.Minute, context.DeadlineExceeded) })
		wg.Go(func() { ask("leaves too", 20*time.Minute, context.DeadlineExceeded) })
		wg.Wait()
		synctest.Wait()
		if got := fmt.Sprint(s.canceled); got != "[msgbatch_2]" {
			t.Errorf("canceled %s", got)
		}
	})
}

// While a batch is being answered the service may be out of reach.
func TestBatcherOutlivesAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBatchService(t)
		b := s.batcher(BatcherOptions{})
		go func() {
			time.Sleep(10 * time.Minute)
			s.mu.Lock()
			s.down = true
			s.mu.Unlock()
			time.Sleep(3 * time.Hour)
			s.mu.Lock()
			s.down = false
			s.mu.Unlock()
		}()
		resp, err := transport.Create(t.Context(), b, asking("a"))
		if err != nil || resp.Text() != "re: a" || len(s.batches) != 1 {
			t.Errorf("got %v, batches %q", err, s.batches)
		}
	})
}
