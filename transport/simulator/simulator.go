package simulator

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/whorl-go/whorl/transport"
)

// Options configure a Server. The zero value is a strict service with a new account and
// the model [Echo].
type Options struct {
	// Model decides the replies; nil means [Echo].
	Model Model
	// Now is the clock for cache entries and rate limits; nil means [time.Now].
	Now func() time.Time
	// Seed is the seed of ids and of random models. Servers with the same Seed and Secret
	// make the same signatures.
	Seed uint64
	// APIKey is the only key that is accepted; "" accepts any.
	APIKey string
	// Secret is the key for signatures and encrypted content. Nil means a key derived
	// from Seed, so that a simulator accepts its own signatures after a restart.
	Secret []byte

	// Pages are the pages for web_search and web_fetch: .html, .md, .txt and .go files.
	// If it is nil, web_search answers "unavailable". web_fetch also gets pages from
	// loopback addresses, but from no other address.
	Pages fs.FS
	// PagesURL is the URL that file names are added to; "" means https://pages.example/.
	PagesURL string

	// ServerTool answers the calls of server tools that the simulator doesn't run: code
	// execution, the advisor, the tools of MCP servers. Nil makes them answer
	// "unavailable".
	ServerTool func(ServerToolCall) json.RawMessage

	// Lookback is the interpretation of the cache's rule on positions.
	Lookback LookbackRule
	// OldAccount simulates an account from before 31 August 2026, on which thinking is
	// bound to its prefix only if a request asks for it (wire §9.4).
	OldAccount bool

	// Faults are the faults of the first requests, one for each.
	Faults []Fault
	// FaultRate is the share of requests after those of Faults, from 0 to 1, that get a
	// random fault, by Seed.
	FaultRate float64

	// Foreign accepts thinking, encrypted content and ids that this simulator didn't
	// make, such as those of a conversation recorded with the real service.
	Foreign bool
	// RetiredModels accepts models that the service has retired.
	RetiredModels bool

	// UnknownBetas accepts unknown values of the anthropic-beta header. The service
	// refuses values that it doesn't know.
	UnknownBetas bool

	// Platform is the host to simulate; the zero value is the Claude API.
	Platform Platform

	// Threads configures message threads.
	Threads ThreadOptions

	// Limits are the account's rate limits. The zero value has no limits; response
	// headers then report no usage.
	Limits RateLimits
	// BatchTime is the duration of a batch, by Now; 0 means that it ends at once.
	BatchTime time.Duration

	// Observe is called after each request, if not nil, from many goroutines.
	Observe func(Exchange)
}

// A ServerToolCall is a call that [Options].ServerTool answers with the "content"
// of its result block, in the service's form (wire §3.3): for
// "bash_code_execution" an object such as
//
//	{"type":"bash_code_execution_result","stdout":"ok\n","stderr":"","return_code":0,"content":[]}
//
// and for an MCP tool a list of text blocks. The tool is unavailable if there is no
// content.
type ServerToolCall struct {
	Name   string // "code_execution", "bash_code_execution", "advisor", or a tool of Server
	Server string // the MCP server; else empty
	Input  json.RawMessage
}

// An Exchange describes a request and its response, for [Options].Observe.
type Exchange struct {
	Start     time.Time
	Duration  time.Duration
	Method    string
	Path      string
	RequestID string
	Status    int
	Refusal   *Refusal // nil if there was none
	Model     string
	Stream    bool
	Messages  int // in the request, with those that its thread holds
	// Looked counts the blocks and messages that the simulator's checks, its cache and its
	// model went through, each as often as one of them did: a measure of its work.
	Looked  int
	Content []transport.Block // of the response, as far as it was made
	Usage   transport.Usage
	Cost    float64 // USD; 0 if the model's prices aren't known
	// TooShort is true if something was marked for the cache, but the prefix was
	// shorter than the model's minimum.
	TooShort   bool
	StopReason transport.StopReason
	Fault      Fault
}

// A Server is the simulated service. It is an http.Handler for the paths under
// /v1. Make one with [New].
type Server struct {
	opts   Options
	now    func() time.Time
	sealer sealer
	cache  promptCache
	pages  *pageIndex
	count  atomic.Uint64 // of ids

	requests atomic.Uint64 // of POST /v1/messages, for faults

	messages  *memo[*message]
	toolLists *memo[*toolList]
	systems   *memo[systemPrompt]

	fingerprints *memo[*fingerprint]

	threads *memo[*thread]

	mu         sync.Mutex // guards what is below
	files      map[string]*file
	batches    map[string]*batch
	meters     map[uint64]*meter
	containers map[string]time.Time // by id, when they expire
}

// New returns a Server.
func New(opts Options) *Server {
	if opts.Model == nil {
		opts.Model = Echo{}
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	secret := opts.Secret
	if secret == nil {
		secret = []byte(fmt.Sprintf("whorl simulator %d", opts.Seed))
	}
	s := &Server{
		opts: opts, now: opts.Now, sealer: newSealer(secret),
		cache:    promptCache{rule: opts.Lookback, entries: map[uint64]entry{}, sweepAt: 1 << 16},
		messages: newMemo[*message](256 << 20), toolLists: newMemo[*toolList](32 << 20), systems: newMemo[systemPrompt](32 << 20),
		threads:      newMemo[*thread](256 << 20),
		fingerprints: newMemo[*fingerprint](32 << 20),
		files:        map[string]*file{}, batches: map[string]*batch{}, meters: map[uint64]*meter{}, containers: map[string]time.Time{},
	}
	if opts.Pages != nil {
		base := opts.PagesURL
		if base == "" {
			base = "https://pages.example/"
		}
		s.pages = &pageIndex{fsys: opts.Pages, base: base}
	}
	return s
}

const idAlphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// newID makes an id in the service's manner: a name and 24 characters.
func (s *Server) newID(name string) string {
	if s.isComet() {
		name = cometID(name)
	}
	b := make([]byte, 0, len(name)+24)
	b = append(append(b, name...), "01"...)
	x := mix(s.opts.Seed, s.count.Add(1))
	for i := range 22 {
		b = append(b, idAlphabet[x%uint64(len(idAlphabet))])
		if x /= uint64(len(idAlphabet)); i%10 == 9 {
			x = mix(x, uint64(i)+s.count.Load())
		}
	}
	return string(b)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	ex := Exchange{Start: s.now(), Method: req.Method, Path: req.URL.Path, RequestID: s.newID("req_"), Status: http.StatusOK}
	began := time.Now()
	if s.opts.Observe != nil {
		defer func() { // a fault may leave by a panic
			ex.Duration = time.Since(began)
			s.opts.Observe(ex)
		}()
	}
	w.Header().Set("Request-Id", ex.RequestID)
	if !s.isComet() {
		w.Header().Set("Anthropic-Organization-Id", organization)
	}
	if why := s.route(w, req, &ex); why != nil {
		ex.Refusal, ex.Status = why, why.Status
		why.write(w, ex.RequestID)
	}
}

func (s *Server) route(w http.ResponseWriter, req *http.Request, ex *Exchange) *Refusal {
	if s.isComet() {
		return s.routeComet(w, req, ex)
	}
	account, why := s.authenticate(req.Header)
	if why != nil {
		return why
	}
	rest := strings.TrimSuffix(req.URL.Path, "/")
	switch {
	case req.Method == http.MethodPost && rest == "/v1/messages":
		return s.answerMessages(w, req, &request{account: account}, ex)
	case req.Method == http.MethodPost && rest == "/v1/messages/count_tokens":
		return s.serveCount(w, req, account, ex)
	case rest == "/v1/messages/batches" || strings.HasPrefix(rest, "/v1/messages/batches/"):
		return s.serveBatches(w, req, account, strings.TrimPrefix(strings.TrimPrefix(rest, "/v1/messages/batches"), "/"))
	case rest == "/v1/files" || strings.HasPrefix(rest, "/v1/files/"):
		return s.serveFiles(w, req, account, strings.TrimPrefix(strings.TrimPrefix(rest, "/v1/files"), "/"))
	case req.Method == http.MethodGet && (rest == "/v1/models" || strings.HasPrefix(rest, "/v1/models/")):
		return s.serveModels(w, req.URL.Query(), strings.TrimPrefix(strings.TrimPrefix(rest, "/v1/models"), "/"))
	}
	return notFound("Not found")
}

// authenticate finds the account of a request: a hash of its key, which may come
// in either header (wire §1.2).
func (s *Server) authenticate(h http.Header) (uint64, *Refusal) {
	refuse := func(message string) (uint64, *Refusal) {
		return 0, &Refusal{Status: http.StatusUnauthorized, Type: transport.ErrAuthentication, Message: message}
	}
	key := h.Get("X-Api-Key")
	token, bearer := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	if !bearer {
		token = ""
	}
	switch {
	case key != "" && token != "" && key != token:
		// That two credentials are refused is documented, for one and the same twice
		// nothing is; the words are a guess (wire §1.2; wire G1).
		return refuse("Both an x-api-key and an authorization header were sent; send one of them")
	case key == "" && token == "":
		return refuse("x-api-key header is required")
	case s.opts.APIKey != "" && key != "" && key != s.opts.APIKey:
		return refuse("invalid x-api-key")
	case s.opts.APIKey != "" && key == "" && token != s.opts.APIKey:
		return refuse("Invalid bearer token")
	}
	return hashString(seedKey, cmp.Or(key, token)), nil
}

// answerMessages answers a request to /v1/messages, of which r knows the account.
func (s *Server) answerMessages(w http.ResponseWriter, req *http.Request, r *request, ex *Exchange) *Refusal {
	start := s.now()
	body, why := s.readBody(w, req, r)
	if why != nil {
		return why
	}
	defer giveBuffer(body) // nothing outlives the request that isn't a copy
	defer r.leaveThread()
	p, positions, why := s.check(body, r)
	ex.Model, ex.Stream, ex.Messages = r.modelName, r.stream, len(r.messages)
	if why != nil {
		return why
	}
	var fault Fault
	if !r.batch { // a batch's requests don't go over the network
		if fault, why = s.fault(req); why != nil {
			return why
		}
	}
	ex.Fault = fault
	if done, why := fault.before(w, req, ex.RequestID); done {
		return why
	}
	w = fault.wrap(w)
	a := &answer{
		fault: fault,
		s:     s, r: r, ctx: req.Context(), id: s.newID("msg_"), prefix: p, before: p,
		charge: s.cache.price(positions, r.model.Limits.MinCacheTokens, start),
	}
	r.looked += a.charge.looked
	a.number = hashString(seedKey, a.id)
	a.turn = s.newTurn(r, positions)
	a.base = r.shown
	if a.fallbacks, why = r.fallbackModels(); why != nil {
		return why
	}
	meter, why := s.limit(r, a.charge, start)
	if !s.isComet() {
		s.setLimits(w.Header(), meter, start)
	}
	if why != nil {
		return why
	}
	if a.container, why = s.container(r, start); why != nil {
		return why
	}
	a.diagnostics = s.diagnose(r, a.id, positions)
	if r.stream {
		a.out = newStream(a.ctx, w, ex.RequestID, a.number, fault)
	} else {
		a.out = &whole{w: w, id: ex.RequestID}
	}
	if why := a.run(); why != nil {
		return why
	}
	ex.Looked = r.looked
	ex.Content, ex.Usage, ex.TooShort, ex.StopReason = a.content, a.usage(), a.charge.tooShort, a.stop
	if meter != nil {
		meter.spend(a.outTokens)
	}
	ex.Cost, _ = r.model.Cost(ex.Usage, s.opts.Now())
	return nil
}
