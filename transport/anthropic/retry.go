package anthropic

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/whorl-go/whorl/internal/single"
	"github.com/whorl-go/whorl/transport"
)

// The pause before the first retry, and the longest one.
const (
	firstDelay = 500 * time.Millisecond
	maxDelay   = 8 * time.Second
)

// A connectionError is a request that no response came to.
type connectionError struct {
	host string
	err  error
}

func (e *connectionError) Error() string {
	return fmt.Sprintf("anthropic: %s: %v%s", e.host, e.err, remedy(e.err))
}

func (e *connectionError) Unwrap() error { return e.err }

// remedy says what to do about a failure to connect, where the cause is plain.
func remedy(err error) string {
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return "; is the base URL right?"
	case errors.Is(err, http.ErrSchemeMismatch):
		return "; the base URL should begin with http://"
	case errors.As(err, &certificate):
		return "; where a proxy signs its own certificates, add its authority to the system's, or give an HTTPClient that trusts it"
	}
	return ""
}

// retry reports whether a request that failed with err is sent again, and after
// which pause. attempts is how many times it was sent. Where an engine tries the
// whole action again (package single), the client doesn't.
func (c *Client) retry(ctx context.Context, err error, attempts int) (time.Duration, bool) {
	if attempts > c.maxRetries || ctx.Err() != nil || single.Is(ctx) || !passes(err) {
		return 0, false
	}
	return c.pauseAfter(ctx, err, attempts)
}

// pauseAfter returns the pause before the next attempt, once the budget has one.
func (c *Client) pauseAfter(ctx context.Context, err error, attempts int) (time.Duration, bool) {
	if !c.budget.await(ctx, c.maxRetryDelay) {
		return 0, false
	}
	var refused *transport.Error
	if errors.As(err, &refused) && refused.RetryAfter > 0 {
		return min(refused.RetryAfter, c.maxRetryDelay), true
	}
	return backoff(attempts), true
}

// backoff is 0.5 s, doubled with each attempt up to 8 s, less up to a quarter by
// chance, so that clients that failed together don't come back together.
func backoff(attempts int) time.Duration {
	d := min(firstDelay<<min(attempts-1, 10), maxDelay)
	return d - time.Duration(rand.Float64()*float64(d)/4)
}

// delivered reports whether content had been delivered before the failure.
func delivered(err error) bool {
	var broken *transport.StreamError
	return errors.As(err, &broken) && broken.Delivered
}

// passes reports whether the failure may be gone next time (wire §1.7).
func passes(err error) bool {
	var broken *transport.StreamError
	inStream := errors.As(err, &broken)
	var refused *transport.Error
	if errors.As(err, &refused) {
		switch {
		case refused.ShouldRetry != nil:
			return *refused.ShouldRetry
		case refused.Code == CodeSpendLimit, refused.Code == CodeContractSpendLimit, refused.Is(transport.ErrBilling):
			return false // doesn't clear by itself
		case strings.HasPrefix(refused.Code, "thread_"):
			return false // another request is needed (wire §15.4)
		}
		switch s := refused.Status; s {
		case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
			return true
		default:
			return s >= 500
		}
	}
	var badCertificate *tls.CertificateVerificationError
	var permanent interface{ Permanent() bool }
	if errors.As(err, &badCertificate) || errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &permanent) && permanent.Permanent() {
		return false
	}
	var failed *connectionError
	return inStream || errors.As(err, &failed)
}

// mayCreateAgain reports whether a request that creates something may be sent again
// (wire §1.7): after a 429, or if no connection was had.
func mayCreateAgain(err error) bool {
	var refused *transport.Error
	if errors.As(err, &refused) {
		return refused.Status == http.StatusTooManyRequests
	}
	return !perhapsDone(err)
}

// perhapsCreated reports whether a request that creates something may have done so.
func perhapsCreated(err error) bool {
	var refused *transport.Error
	if errors.As(err, &refused) {
		return refused.Status >= 500 || refused.Status == http.StatusRequestTimeout || refused.Status == http.StatusConflict
	}
	return perhapsDone(err)
}

// perhapsDone reports whether the service may have done what a failed request
// asked for: the failure came after the request could have reached it, and isn't
// a refusal.
func perhapsDone(err error) bool {
	var refused *transport.Error
	if errors.As(err, &refused) {
		return refused.Status >= 500 && refused.Status != http.StatusServiceUnavailable && refused.Type != transport.ErrOverloaded
	}
	if errors.Is(err, transport.ErrInvalidRequest) || errors.Is(err, transport.ErrAuthentication) {
		return false // a Transport's own refusal, such as a cloud's: nothing was sent
	}
	var failed *connectionError
	var dial *net.OpError
	var badCertificate *tls.CertificateVerificationError
	var proxy *proxyError
	return errors.As(err, &failed) && !(errors.As(err, &dial) && dial.Op == "dial") && !errors.As(err, &proxy) &&
		!errors.As(err, &badCertificate) && !errors.Is(err, http.ErrSchemeMismatch)
}

// responseError makes an error of a response whose status isn't 200.
func responseError(resp *http.Response, body []byte) *transport.Error {
	e := transport.ParseError(resp.StatusCode, body)
	if id := resp.Header.Get("Request-Id"); id != "" {
		e.RequestID = id
	}
	if v, err := strconv.ParseBool(resp.Header.Get("X-Should-Retry")); err == nil {
		e.ShouldRetry = &v
	}
	e.RetryAfter = retryAfter(resp.Header, time.Now())
	if to, err := resp.Location(); err == nil && resp.StatusCode < http.StatusBadRequest {
		e.Message = fmt.Sprintf("a redirect to %s://%s, which is not followed, as it could carry the key away; set the base URL to where the service is", to.Scheme, to.Host)
	}
	return e
}

// retryAfter reads Retry-After-Ms and Retry-After, in seconds or as a date. It
// is 0 if there is neither, or the time has passed.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil {
		return duration(ms, time.Millisecond)
	}
	v := h.Get("Retry-After")
	if s, err := strconv.ParseFloat(v, 64); err == nil {
		return duration(s, time.Second)
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}

// duration is n units, between 0 and a day.
func duration(n float64, unit time.Duration) time.Duration {
	const most = 24 * time.Hour
	if !(n > 0) {
		return 0
	}
	return time.Duration(min(n*float64(unit), float64(most)))
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// rateLimit reads the anthropic-ratelimit-* headers (wire §1.4). It is nil if there are none.
func rateLimit(h http.Header) *transport.RateLimit {
	r := transport.RateLimit{
		Requests:     allowance(h, "Anthropic-Ratelimit-Requests-Limit", "Anthropic-Ratelimit-Requests-Remaining", "Anthropic-Ratelimit-Requests-Reset"),
		Tokens:       allowance(h, "Anthropic-Ratelimit-Tokens-Limit", "Anthropic-Ratelimit-Tokens-Remaining", "Anthropic-Ratelimit-Tokens-Reset"),
		InputTokens:  allowance(h, "Anthropic-Ratelimit-Input-Tokens-Limit", "Anthropic-Ratelimit-Input-Tokens-Remaining", "Anthropic-Ratelimit-Input-Tokens-Reset"),
		OutputTokens: allowance(h, "Anthropic-Ratelimit-Output-Tokens-Limit", "Anthropic-Ratelimit-Output-Tokens-Remaining", "Anthropic-Ratelimit-Output-Tokens-Reset"),
	}
	if r == (transport.RateLimit{}) {
		return nil
	}
	return &r
}

// allowance reads one limit. The names of the headers are in their canonical
// form; an absent header is not parsed, as the error would cost more than the rest.
func allowance(h http.Header, limit, remaining, reset string) transport.Allowance {
	var a transport.Allowance
	if v := h[limit]; len(v) > 0 {
		a.Limit, _ = strconv.ParseInt(v[0], 10, 64)
	}
	if v := h[remaining]; len(v) > 0 {
		a.Remaining, _ = strconv.ParseInt(v[0], 10, 64)
	}
	if v := h[reset]; len(v) > 0 {
		a.Reset, _ = time.Parse(time.RFC3339, v[0])
	}
	return a
}
