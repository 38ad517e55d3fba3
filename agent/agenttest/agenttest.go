package agenttest

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/whorl-go/whorl/agent/internal/miss"
	sentdata "github.com/whorl-go/whorl/agent/internal/sent"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/internal/money"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/wire"
)

// A TB is what the assertions need of a test: *testing.T, *testing.B and **testing.F
// implement it.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// An Exchange is a request and its response.
type Exchange struct {
	Request  *transport.Request
	Response *transport.Response
	At       time.Time // when it was sent
}

// A Recorder is a client that keeps the completed exchanges that go through it. Set
// Client before the first use.
type Recorder struct {
	Client transport.Client

	mu        sync.Mutex
	exchanges []Exchange
}

// Stream implements [transport.Client].
func (r *Recorder) Stream(ctx context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		at := time.Now()
		for ev, err := range r.Client.Stream(ctx, req) {
			if err == nil && ev.Type == transport.EventMessageStop && ev.Response != nil {
				r.mu.Lock()
				r.exchanges = append(r.exchanges, Exchange{req, ev.Response, at})
				r.mu.Unlock()
			}
			if !yield(ev, err) {
				return
			}
		}
	}
}

// Unwrap returns the client that is recorded.
func (r *Recorder) Unwrap() transport.Client { return r.Client }

// Exchanges returns the exchanges so far, in the order in which they were completed.
func (r *Recorder) Exchanges() []Exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Exchange(nil), r.exchanges...)
}

// FromLog returns the exchanges that a log records. The bodies of the requests are
// those that were sent, without the credentials of MCP servers.
func FromLog(log *memory.Log) ([]Exchange, error) {
	var out []Exchange
	var at time.Time // of the record before: the request was sent then
	for n, rec := range log.Records(0) {
		before := at
		at = rec.Time
		if rec.Kind != memory.KindResponse {
			continue
		}
		sent, err := sentdata.Request(log, n)
		if err != nil {
			return nil, err
		}
		out = append(out, Exchange{sent.Request, rec.Response, before})
	}
	return out, nil
}

// PrefixStable fails the test unless each request of a conversation begins with
// all of the one before it, and has the same parameters where a change would
// lose what is cached. It names the first difference and what it cost.
func PrefixStable(t TB, exchanges []Exchange) {
	t.Helper()
	for i := 1; i < len(exchanges); i++ {
		before, now := exchanges[i-1], exchanges[i]
		where, what, ok := firstDifference(before.Request, now.Request)
		if ok {
			continue
		}
		cost := ""
		if m := miss.Between(before.Response, now.Response, now.At.Sub(before.At), now.At); m != nil {
			cost = fmt.Sprintf("; %s tokens written again, %s", thousands(m.Tokens), priceOf(agent.Cost{USD: m.USD, Incomplete: !m.Known}))
		}
		t.Errorf("request %d: %s: %s%s", i+1, where, what, cost)
	}
}

// CostUnder fails the test if the exchanges cost more than usd, or if their cost isn't
// known. own corrects and extends the table of prices.
func CostUnder(t TB, exchanges []Exchange, usd float64, own ...models.Model) {
	t.Helper()
	var b agent.Bill
	for _, x := range exchanges {
		b.AddResponse(x.Response, x.At, own...)
	}
	switch {
	case b.Cost.Incomplete:
		t.Errorf("%d requests cost %v: the price of %v is not known", b.Requests, b.Cost, b.Unpriced)
	case b.Cost.USD > usd:
		u := b.Usage
		t.Errorf("%d requests cost %v, more than %s: %s tokens read from the cache, %s written, %s neither, %s of answers",
			b.Requests, b.Cost, money.USD(usd, 4), thousands(u.CacheReadInputTokens), thousands(u.CacheCreationInputTokens), thousands(u.InputTokens), thousands(u.OutputTokens))
	}
}

// CacheReadAtLeast fails the test unless at least share (0 to 1) of the tokens that
// could be read from the cache were read from it. What could be read of a prompt is
// what the previous request left in the cache. It names the requests that missed, and
// why.
func CacheReadAtLeast(t TB, exchanges []Exchange, share float64) {
	t.Helper()
	var could, missed int64
	var why []string
	for i := 1; i < len(exchanges); i++ {
		before, now := exchanges[i-1], exchanges[i]
		last, _ := wire.LastSampling(before.Response)
		left := last.CacheReadInputTokens + last.CacheCreationInputTokens
		could += left
		if left == 0 {
			prompt := last.InputTokens
			could += prompt
			missed += prompt
			why = append(why, fmt.Sprintf("request %d cached nothing of %s tokens", i, thousands(prompt)))
			continue
		}
		if m := miss.Between(before.Response, now.Response, now.At.Sub(before.At), now.At); m != nil {
			missed += m.Tokens
			where, what, ok := firstDifference(before.Request, now.Request)
			if ok {
				where, what = "the prefix is the same", m.Reason
			}
			why = append(why, fmt.Sprintf("request %d: %s tokens paid for again, %s: %s: %s", i+1, thousands(m.Tokens), priceOf(agent.Cost{USD: m.USD, Incomplete: !m.Known}), where, what))
		}
	}
	if could == 0 || float64(could-missed) >= share*float64(could) {
		return
	}
	const most = 5
	if n := len(why); n > most {
		why = append(why[:most], fmt.Sprintf("and %d more", n-most))
	}
	text := ""
	for _, w := range why {
		text += "\n\t" + w
	}
	t.Errorf("%.1f%% of what could be read from the cache was, less than %.1f%%:%s", 100*float64(could-missed)/float64(could), 100*share, text)
}

func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func priceOf(c agent.Cost) string {
	if !c.Incomplete && c.USD >= 0.01 {
		return money.USD(c.USD, 2)
	}
	return c.String()
}
