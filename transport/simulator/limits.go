package simulator

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// RateLimits are an account's limits per minute and model (wire §1.9). 0 means no limit.
type RateLimits struct {
	Requests     int
	InputTokens  int // without those read from the cache
	OutputTokens int
}

// A meter holds the token buckets of one account and model: what is left of
// each limit. They fill up within a minute.
type meter struct {
	mu   sync.Mutex
	left [3]float64 // requests, input tokens, output tokens
	at   time.Time
}

func (l RateLimits) all() [3]int { return [3]int{l.Requests, l.InputTokens, l.OutputTokens} }

var limitNames = [3]string{"requests", "input tokens", "output tokens"}

// fill brings the buckets up to now.
func (m *meter) fill(l RateLimits, now time.Time) {
	share := 1.0
	if !m.at.IsZero() {
		share = max(0, now.Sub(m.at).Minutes())
	}
	m.at = now
	for i, limit := range l.all() {
		m.left[i] = min(float64(limit), m.left[i]+share*float64(limit))
	}
}

// take takes a request with that many tokens of input, or refuses it (wire row 134).
func (m *meter) take(l RateLimits, input int, now time.Time) *Refusal {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fill(l, now)
	need := [3]float64{1, float64(input), 0}
	for i, limit := range l.all() {
		if limit == 0 || m.left[i] >= need[i] && m.left[i] > 0 {
			continue
		}
		why := RateLimited(time.Duration((max(1, need[i]) - m.left[i]) / float64(limit) * float64(time.Minute)))
		why.RetryAfter = max(time.Second, min(why.RetryAfter, time.Minute))
		why.Message = fmt.Sprintf("This request would exceed the rate limit for your organization (%s) of %s %s per minute. "+
			"For details, refer to: https://docs.claude.com/en/api/rate-limits. You can see the response headers for current usage. "+
			"Please reduce the prompt length or the maximum tokens requested, or try again later. "+
			"You may also contact sales at https://www.anthropic.com/contact-sales to discuss your options for a rate limit increase.",
			organization, grouped(limit), limitNames[i])
		return why
	}
	for i := range need {
		m.left[i] -= need[i]
	}
	return nil
}

// spend takes output tokens, after the fact.
func (m *meter) spend(output int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left[2] -= float64(output)
}

// organization is the simulator's own.
const organization = "00000000-0000-4000-8000-000000000000"

// grouped writes a number with commas.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// meterOf finds the meter of an account and model.
func (s *Server) meterOf(r *request) *meter {
	key := mix(r.account, hashString(seedKey, r.model.ID))
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.meters[key]
	if m == nil {
		m = &meter{}
		s.meters[key] = m
	}
	return m
}

// setLimits sets the headers that tell what is left of the limits (wire §1.4).
func (s *Server) setLimits(h http.Header, m *meter, now time.Time) {
	l := s.opts.Limits
	if l == (RateLimits{}) {
		l = RateLimits{Requests: 4000, InputTokens: 2_000_000, OutputTokens: 400_000}
	}
	var left [3]int
	for i, limit := range l.all() {
		left[i] = limit
	}
	if m != nil {
		m.mu.Lock()
		for i := range left {
			left[i] = max(0, int(m.left[i]))
		}
		m.mu.Unlock()
	}
	all := l.all()
	set := func(name string, limit, left int) {
		reset := now
		if limit > 0 {
			reset = now.Add(time.Duration(float64(limit-left) / float64(limit) * float64(time.Minute)))
		}
		prefix := "Anthropic-Ratelimit-" + name
		h[prefix+"-Limit"] = []string{strconv.Itoa(limit)}
		h[prefix+"-Remaining"] = []string{strconv.Itoa(left)}
		h[prefix+"-Reset"] = []string{reset.UTC().Format(time.RFC3339)}
	}
	thousands := func(n int) int { return (n + 500) / 1000 * 1000 }
	set("Requests", all[0], left[0])
	set("Input-Tokens", all[1], thousands(left[1]))
	set("Output-Tokens", all[2], thousands(left[2]))
	set("Tokens", all[1]+all[2], thousands(left[1]+left[2]))
}

// limit applies the rate limits to a request.
func (s *Server) limit(r *request, c charge, now time.Time) (*meter, *Refusal) {
	if s.opts.Limits == (RateLimits{}) {
		return nil, nil
	}
	m := s.meterOf(r)
	return m, m.take(s.opts.Limits, c.input+c.write5m+c.write1h, now)
}
