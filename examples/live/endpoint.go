package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/secret"
)

// An endpoint is asked over plain HTTP: what the client of the library would correct,
// or refuse before sending, is what is asked about.
type endpoint struct {
	url    string
	key    secret.Value
	bearer bool
	client *http.Client
	budget float64 // USD; 0 is none
	record func(exchange)
	pause  time.Duration // before the second try; 0 means a quarter of a second
	sleep  func(ctx context.Context, d time.Duration) error
	nonce  string // in front of what is cached, so that no earlier run has cached it

	mu    sync.Mutex
	spent float64
}

// A request is one request of a probe.
type request struct {
	method, path string // POST and /v1/messages if empty
	version      string // "" is 2023-06-01
	betas        string
	header       [][2]string // besides those that each request has
	body         string
}

// An answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// An exchange is a request with its answer, as it is recorded.
type exchange struct {
	Source  string `json:"source"`
	Request struct {
		Method string `json:"method"`
		Path   string `json:"path"`
		Body   string `json:"body"`
	} `json:"request"`
	Response struct {
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	} `json:"response"`
}

// Errors that end all asking.
var (
	errNoCredit = errors.New("the account has no credit, or has used up its limit: add credit, or raise the limit")
	errKey      = errors.New("the key is refused: check it, and that it belongs to this endpoint")
	errNoAPI    = errors.New("this is no Messages API")
	errBudget   = errors.New("the budget is used up")
)

// A faultError says that the endpoint didn't come to an answer, however often it was
// asked.
type faultError struct{ last string }

func (e *faultError) Error() string {
	return "the endpoint gave no answer, and was asked five times: " + e.last
}

// ask sends a request and returns what it came to. What passes by itself is asked
// again; id names the probe in the recording.
func (e *endpoint) ask(ctx context.Context, id string, r request) (*answer, error) {
	if reserve := r.most(); e.budget > 0 && e.paid()+reserve > e.budget {
		return nil, fmt.Errorf("%w: $%.4f of $%.2f is spent, and this might take $%.4f", errBudget, e.paid(), e.budget, reserve)
	}
	last := ""
	for try := range 5 {
		if try > 0 {
			select {
			case <-time.After(e.wait(try, last)):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		a, err := e.once(ctx, r)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			// A request that broke may have been answered, and be paid for.
			e.pay(r.most())
			last = err.Error()
			continue
		}
		e.pay(a.cost())
		if e.record != nil {
			e.record(r.exchange(id, a))
		}
		if err := a.final(); err != nil {
			return nil, err
		}
		if a.passes() {
			last = fmt.Sprintf("%d %s", a.status, short(a.message()))
			continue
		}
		return a, nil
	}
	return nil, &faultError{last}
}

// wait is how long to wait before a try.
func (e *endpoint) wait(try int, last string) time.Duration {
	d := e.pause
	if d == 0 {
		d = 250 * time.Millisecond
	}
	d <<= try - 1
	if strings.HasPrefix(last, "429") {
		d *= 4
	}
	return d
}

func (e *endpoint) once(ctx context.Context, r request) (*answer, error) {
	method, path := r.method, r.path
	if method == "" {
		method = http.MethodPost
	}
	if path == "" {
		path = "/v1/messages"
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(e.url, "/")+path, strings.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	version := r.version
	if version == "" {
		version = "2023-06-01"
	}
	req.Header.Set("anthropic-version", version)
	if r.betas != "" {
		req.Header.Set("anthropic-beta", r.betas)
	}
	if e.bearer {
		req.Header.Set("Authorization", "Bearer "+e.key.Reveal())
	} else {
		req.Header.Set("x-api-key", e.key.Reveal())
	}
	for _, h := range r.header {
		req.Header.Add(h[0], h[1])
	}
	resp, err := e.client.Do(req)
	if err != nil {
		return nil, errors.New(e.clean(err.Error()))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return nil, errors.New(e.clean(err.Error()))
	}
	return &answer{status: resp.StatusCode, header: resp.Header, body: []byte(e.clean(string(body)))}, nil
}

// clean takes the key out of a text.
func (e *endpoint) clean(s string) string {
	return secret.NewRedactor(e.key).String(s)
}

func (e *endpoint) paid() float64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.spent
}

func (e *endpoint) pay(usd float64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.spent += usd
}

// media are the bytes of pictures and documents in a body.
var media = regexp.MustCompile(`"data":"[A-Za-z0-9+/=]{1000,}"`)

// mediaTokens is more than a picture, or a page, counts for.
const mediaTokens = 6000

// most is what a request costs at most if it is taken, in USD: each two bytes a token,
// up to the model's window, and all of max_tokens. A search costs a cent, and brings
// pages into the prompt.
func (r request) most() float64 {
	if r.free() {
		return 0
	}
	var b struct {
		Model string
		Max   int64 `json:"max_tokens"`
	}
	_ = json.Unmarshal([]byte(r.body), &b) // a body that is no JSON is refused
	m, known := models.Lookup(b.Model)
	p, ok := m.PriceAt(time.Now(), "", 0)
	if !ok {
		p = models.Price{Input: 10, CacheWrite1h: 20, Output: 50}
	}
	each := p.Input
	if strings.Contains(r.body, `"cache_control"`) {
		each = p.CacheWrite1h
	}
	found := media.FindAllStringIndex(r.body, -1)
	n := len(r.body)
	for _, at := range found {
		n -= at[1] - at[0]
	}
	tokens := float64(n)/2 + float64(mediaTokens*len(found))
	if known && m.Limits.ContextTokens > 0 {
		tokens = min(tokens, float64(m.Limits.ContextTokens))
	}
	usd := (tokens*each + float64(max(b.Max, 0))*p.Output) / 1e6
	if strings.Contains(r.body, `"web_search_`) {
		usd += 0.01 + 60_000*p.Input/1e6
	}
	return usd
}

// free reports whether the endpoint of the request bills nothing.
func (r request) free() bool {
	return r.path != "" && r.path != "/v1/messages"
}

// cost is what the answer was billed for, in USD.
func (a *answer) cost() float64 {
	var b struct {
		Type, Model string
		Usage       transport.Usage
	}
	if a.status != http.StatusOK || json.Unmarshal(a.body, &b) != nil || b.Type != "message" {
		return 0
	}
	m, _ := models.Lookup(b.Model)
	usd, known := m.Cost(b.Usage, time.Now())
	if !known {
		usd = (float64(b.Usage.PromptTokens())*20 + float64(b.Usage.OutputTokens)*50) / 1e6
	}
	return usd
}

// An apiError is an error of the API, as it stands in a body.
type apiError struct {
	Type    string
	Message string
	Details struct {
		Code string `json:"error_code"`
	}
}

func (a *answer) failure() apiError {
	var b struct{ Error json.RawMessage }
	var e apiError
	if json.Unmarshal(a.body, &b) != nil || json.Unmarshal(b.Error, &e) != nil {
		return apiError{}
	}
	return e
}

func (a *answer) message() string {
	if m := a.failure().Message; m != "" {
		return m
	}
	return string(a.body)
}

// final says why nothing more is worth asking, or nil.
func (a *answer) final() error {
	e := a.failure()
	text := strings.ToLower(e.Message)
	switch {
	case a.status == http.StatusPaymentRequired,
		strings.Contains(text, "credit balance"), strings.Contains(text, "insufficient") && strings.Contains(text, "quota"),
		strings.Contains(text, "reached your") && strings.Contains(text, "usage limits"),
		e.Details.Code == "enforced_spend_limit_reached", e.Details.Code == "contract_spend_limit_reached":
		return fmt.Errorf("%w (%d: %s)", errNoCredit, a.status, short(e.Message))
	}
	return nil
}

// passes reports whether the same request may be answered otherwise later.
func (a *answer) passes() bool {
	switch a.status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout, 529:
		return true
	}
	// A body that ends early isn't JSON any more.
	return a.status == http.StatusOK && !json.Valid(a.body) && !bytes.HasPrefix(a.body, []byte("event:")) && !bytes.HasPrefix(bytes.TrimSpace(a.body), []byte("<"))
}

// exchange is what the recording keeps: no headers of the request, and of the answer's
// those alone that tell nothing of the account.
func (r request) exchange(id string, a *answer) exchange {
	x := exchange{Source: "examples/live#" + id}
	x.Request.Method, x.Request.Path, x.Request.Body = r.method, r.path, r.body
	if x.Request.Method == "" {
		x.Request.Method = http.MethodPost
	}
	if x.Request.Path == "" {
		x.Request.Path = "/v1/messages"
	}
	if len(r.body) > 100_000 {
		x.Request.Body = fmt.Sprintf("(%d bytes)", len(r.body))
	}
	x.Response.Status, x.Response.Body, x.Response.Headers = a.status, string(a.body), map[string]string{}
	for _, name := range []string{"Content-Type", "X-Should-Retry", "Retry-After"} {
		if v := a.header.Get(name); v != "" {
			x.Response.Headers[name] = v
		}
	}
	return x
}

// fact is an answer in one line, by which two endpoints are compared.
func (a *answer) fact() string {
	if a.status == http.StatusOK {
		return "taken"
	}
	e := a.failure()
	if e.Type == "" && e.Message == "" {
		return fmt.Sprintf("%d %s", a.status, short(string(a.body)))
	}
	fact := strconv.Itoa(a.status) + " " + e.Type
	if e.Details.Code != "" {
		fact += " (" + e.Details.Code + ")"
	}
	return fact + ": " + e.Message
}

func short(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 300 {
		return string(r[:299]) + "…"
	}
	return s
}
