package anthropic

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/transport"
)

// limitHeader reports limits that are full again after so long.
func limitHeader(kind string, limit, remaining int, after time.Duration) string {
	p := "Anthropic-Ratelimit-" + kind + "-"
	return fmt.Sprintf("%sLimit: %d\n%sRemaining: %d\n%sReset: %s\n", p, limit, p, remaining, p, time.Now().Add(after).Format(time.RFC3339))
}

func TestPacing(t *testing.T) {
	tests := []struct {
		name   string
		header func() string
		opts   Options
		want   time.Duration // between the first two requests
	}{
		{"plenty", func() string { return limitHeader("Requests", 100, 50, time.Minute) }, Options{}, 0},
		{"nearly used up", func() string { return limitHeader("Requests", 100, 5, 95*time.Second) }, Options{}, time.Second},
		{"used up", func() string { return limitHeader("Requests", 100, 0, 100*time.Second) }, Options{}, 6 * time.Second},
		{"full again", func() string { return limitHeader("Requests", 100, 0, 0) }, Options{}, 0},
		{"tokens", func() string { return limitHeader("Input-Tokens", 1000, 50, 95*time.Second) }, Options{}, 300 * time.Millisecond},
		{"all tokens", func() string { return limitHeader("Tokens", 1000, 50, 95*time.Second) }, Options{}, 300 * time.Millisecond},
		{"capped", func() string { return limitHeader("Requests", 100, 0, time.Hour) }, Options{}, time.Minute},
		{"off", func() string { return limitHeader("Requests", 100, 0, time.Hour) }, Options{NoPacing: true}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &replies{t: t, list: []reply{{status: 200, header: tt.header(), body: streamOf("x")}}}
				c := r.client(tt.opts)
				for range 2 {
					if _, err := transport.Create(t.Context(), c, newRequest()); err != nil {
						t.Fatal(err)
					}
				}
				if got := r.sent[1].Sub(r.sent[0]); got != tt.want {
					t.Errorf("waited %v, want %v", got, tt.want)
				}
				if limits := c.RateLimits(); (limits == nil) != tt.opts.NoPacing {
					t.Errorf("limits: %v", limits)
				}
			})
		})
	}
}

// Requests that wait together don't go off together.
func TestPacingSpreads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer()
		limit := transport.RateLimit{Requests: transport.Allowance{Limit: 100, Remaining: 5, Reset: time.Now().Add(95 * time.Second)}}
		p.learn("m", &limit, nil)
		for i := range 5 {
			if got, want := p.wait("m"), time.Duration(i+1)*time.Second; got < want*9/10 || got > want {
				t.Errorf("request %d waits %v", i, got)
			}
		}
		if d := p.wait("another"); d != 0 {
			t.Errorf("another model waits %v", d)
		}
	})
}

func TestRetryBudgetIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &lockedReplies{replies: replies{t: t, list: []reply{failure(529, "overloaded_error")}}}
		c := r.client(Options{RetryBudget: 10})
		began := time.Now()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, err := transport.Create(t.Context(), c, newRequest()); !errors.Is(err, transport.ErrOverloaded) {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		// 50 first attempts, 10 retries, and what a minute fills in.
		most := 61 + int(10*time.Since(began).Minutes())
		if n := len(r.sent); n < 60 || n > most {
			t.Errorf("sent %d times, want at most %d", n, most)
		}
	})
}

// A service that was down for a moment: everybody gets through, without the
// whole load at once.
func TestRetryBudgetAfterABlip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &lockedReplies{replies: replies{t: t}}
		for range 200 {
			r.list = append(r.list, failure(529, "overloaded_error"))
		}
		r.list = append(r.list, reply{status: 200, body: streamOf("x")})
		c := r.client(Options{RetryBudget: 10})
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				if _, err := transport.Create(t.Context(), c, newRequest()); err != nil {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		perSecond := make(map[int]int)
		for _, at := range r.sent[200:] {
			perSecond[int(at.Sub(r.sent[0]).Seconds())]++
		}
		if perSecond[0] > 50 {
			t.Errorf("%d retries in the first second", perSecond[0])
		}
		if d := r.sent[len(r.sent)-1].Sub(r.sent[0]); d > 30*time.Second {
			t.Errorf("the last one got through after %v", d)
		}
	})
}

func TestRestart(t *testing.T) {
	cut := reply{status: 200, body: start + delta("half")}
	for _, tt := range []struct {
		name     string
		list     []reply
		restarts int
		sent     int
		text     string
	}{
		{"not asked for", []reply{cut, {status: 200, body: streamOf("whole")}}, 0, 1, "half"},
		{"once", []reply{cut, {status: 200, body: streamOf("whole")}}, 1, 2, "whole"},
		{"twice is too often", []reply{cut, cut, {status: 200, body: streamOf("whole")}}, 1, 2, "half"},
		{"apart from retries", []reply{cut, {}, {}, {}, {}, {status: 200, body: streamOf("whole")}}, 1, 6, "whole"},
		{"a refusal", []reply{{status: 200, body: start + delta("half") + strings.ReplaceAll(overloaded, "overloaded_error", "invalid_request_error")}}, 3, 1, "half"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &replies{t: t, list: tt.list}
				var shown string
				restarted := 0
				for ev, err := range r.client(Options{MaxRestarts: tt.restarts}).Stream(t.Context(), newRequest()) {
					switch {
					case err != nil:
						if !strings.Contains("half", shown) {
							t.Errorf("%v after %q", err, shown)
						}
					case ev.Type == transport.EventRestarted:
						restarted++
						shown = ""
					case ev.Type == transport.EventContentBlockDelta:
						shown += ev.Delta.Text()
					}
				}
				if shown != tt.text || len(r.sent) != tt.sent || tt.restarts == 0 && restarted > 0 {
					t.Errorf("%q after %d attempts, restarted %d times", shown, len(r.sent), restarted)
				}
			})
		})
	}
}
