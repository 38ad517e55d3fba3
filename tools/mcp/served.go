package mcp

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A request is one of a client's that may need the user: a call of a tool, a
// prompt, or a resource. What runs for it has a [tools.Host] that asks the client.
type request struct {
	session   *sdk.ServerSession
	offers    *sdk.ClientCapabilities
	state     string
	responses sdk.InputResponseMap
	bound     string // what the state is good for
	principal string // who the client has shown to be; may be empty
}

// boundTo names a request, so that its state is of no use for another one.
func (r *request) boundTo(kind, name string, arguments []byte) {
	sum := sha256.Sum256(arguments)
	raw, _ := json.Marshal([]string{kind, name, r.principal, hex.EncodeToString(sum[:])})
	r.bound = string(raw)
}

func principalOf(extra *sdk.RequestExtra) string {
	if extra != nil && extra.TokenInfo != nil {
		return extra.TokenInfo.UserID
	}
	return ""
}

// rounds reports whether the client makes a request again with the answers.
func (r *request) rounds() bool {
	init := r.session.InitializeParams()
	return init == nil || init.ProtocolVersion >= retryRevision
}

// A round is one run of a request, and what earlier ones have come to.
type servedRound struct {
	request *request
	tools   map[string]tools.Callable

	mu        sync.Mutex
	state     state
	pending   sdk.InputRequestMap       // what this run asks
	questions map[string]tools.Question // those of pending
	log       *taskLog                  // that of the task that the call is; nil before it is one
}

// record records what a run has come to: in the task's log, if it is one, and in the
// state. The caller holds r.mu.
func (r *servedRound) record(ctx context.Context, e taskEntry) error {
	if r.log != nil {
		if err := r.log.append(ctx, e, nil); err != nil {
			return err
		}
	}
	e.applyTo(&r.state)
	return nil
}

// A servedHost is the host of what runs for a client. What is recorded goes to the
// client, sealed, and comes back with the answers.
type servedHost struct {
	*servedRound
	prefix string // of an inner call's keys
	asked  int    // under mu
	called int    // under mu
}

func (s *served) host(r *request) (*servedHost, error) {
	round := s.round(r, state{Key: rand.Text(), Since: time.Now()})
	if r.state != "" {
		before, err := s.sealer.open(r.state, r.bound)
		if err != nil {
			return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: err.Error()}
		}
		round.state = before
	}
	return &servedHost{servedRound: round}, nil
}

func (s *served) round(r *request, from state) *servedRound {
	return &servedRound{request: r, tools: s.tools, state: from, pending: sdk.InputRequestMap{}, questions: map[string]tools.Question{}}
}

// waits are the client's questions and the state to come back with; none if the
// run didn't end to wait.
func (s *served) waits(h *servedHost, err error) (sdk.InputRequestMap, string, error) {
	if !errors.Is(err, tools.ErrWaiting) {
		return nil, "", nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.pending) == 0 {
		return nil, "", nil
	}
	sealed, err := s.sealer.seal(h.state, h.request.bound)
	return h.pending, sealed, err
}

// Ask implements [tools.Host].
func (h *servedHost) Ask(ctx context.Context, q tools.Question) (tools.Answer, error) {
	if err := ctx.Err(); err != nil {
		return tools.Answer{}, context.Cause(ctx)
	}
	h.mu.Lock()
	h.asked++
	if q.Key == "" {
		q.Key = fmt.Sprint(h.asked)
	}
	q.Key = h.prefix + q.Key
	before, has := h.state.Answers[q.Key]
	h.mu.Unlock()
	if has {
		return before.answer(q)
	}
	f, err := formOf(q)
	if err != nil {
		return tools.Answer{}, fmt.Errorf("question %s can't be asked through MCP: %w", q.Key, err)
	}
	if !q.Deadline.IsZero() && time.Now().After(q.Deadline) {
		if q.Default != nil {
			return tools.Answer{Value: q.Default, Expired: true}, nil
		}
		return tools.Answer{}, tools.ErrExpired
	}
	if !canAsk(h.request.offers, f.params.Mode) {
		return tools.Answer{}, &nobodyError{mode: f.params.Mode}
	}
	if !h.request.rounds() {
		result, err := h.request.session.Elicit(ctx, f.params)
		if err != nil {
			return tools.Answer{}, fmt.Errorf("the client can't be asked: %w", err)
		}
		g, err := f.read(result)
		if err != nil {
			return tools.Answer{}, err
		}
		return h.take(ctx, q, g)
	}
	if result, ok := h.request.responses[q.Key].(*sdk.ElicitResult); ok && result != nil {
		if g, err := f.read(result); err == nil {
			return h.take(ctx, q, g)
		}
	}
	h.mu.Lock()
	h.pending[q.Key], h.questions[q.Key] = f.params, q
	h.mu.Unlock()
	return tools.Answer{}, fmt.Errorf("question %s: %w", q.Key, tools.ErrWaiting)
}

// A nobodyError says that the client can't be asked. It declines for tools that can do
// without the answer; it is the client's error for those that can't.
type nobodyError struct{ mode string }

func (e *nobodyError) Error() string {
	return fmt.Sprintf("the client has nobody to ask: it offers no elicitation of mode %q", e.mode)
}

func (e *nobodyError) Is(target error) bool { return target == tools.ErrDeclined }

// unable is the error of the protocol for a request that needs to ask; nil for
// other errors, and for clients of revisions that have no such error.
func (h *servedHost) unable(err error) error {
	var nobody *nobodyError
	if !errors.As(err, &nobody) || !h.request.rounds() {
		return nil
	}
	return &jsonrpc.Error{Code: sdk.CodeMissingRequiredClientCapabilities, Message: nobody.Error(),
		Data: fmt.Appendf(nil, `{"requiredCapabilities":{"elicitation":{%q:{}}}}`, nobody.mode)}
}

func (h *servedHost) take(ctx context.Context, q tools.Question, g given) (tools.Answer, error) {
	h.mu.Lock()
	err := h.record(ctx, taskEntry{Answers: map[string]given{q.Key: g}})
	h.mu.Unlock()
	if err != nil {
		return tools.Answer{}, err
	}
	return g.answer(q)
}

func (g given) answer(q tools.Question) (tools.Answer, error) {
	if g.Declined {
		return tools.Answer{}, tools.ErrDeclined
	}
	if err := q.Check(g.Value); err != nil {
		return tools.Answer{}, err
	}
	return tools.Answer{Value: g.Value}, nil
}

func canAsk(offers *sdk.ClientCapabilities, mode string) bool {
	if offers == nil || offers.Elicitation == nil {
		return false
	}
	e := offers.Elicitation
	if mode == "url" {
		return e.URL != nil
	}
	return e.Form != nil || e.URL == nil // neither stands for forms
}

// Note implements [tools.Host].
func (h *servedHost) Note(ctx context.Context, name string, data json.RawMessage) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if !json.Valid(data) {
		return fmt.Errorf("note %q is no JSON", name)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.record(ctx, taskEntry{Note: &taskNote{Name: h.prefix + name, Data: slices.Clone(data)}})
}

// Notes implements [tools.Host].
func (h *servedHost) Notes(ctx context.Context, name string) ([]json.RawMessage, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.state.Notes[h.prefix+name]), nil
}

// recordTime is how long it may take to record a result of a call that was given up.
const recordTime = 10 * time.Second

// CallTool implements [tools.Host]: it calls another of the served tools.
func (h *servedHost) CallTool(ctx context.Context, call transport.ToolCall) (tools.Result, error) {
	if err := ctx.Err(); err != nil {
		return tools.Result{}, context.Cause(ctx)
	}
	tool := h.tools[call.Name]
	if tool == nil {
		return tools.Result{}, fmt.Errorf("no tool %q is served here", call.Name)
	}
	h.mu.Lock()
	h.called++
	key := call.ID
	if key == "" {
		key = fmt.Sprint(h.called)
	}
	key = h.prefix + "call/" + key
	before, has := h.state.Results[key]
	h.mu.Unlock()
	what := sha256.Sum256(append([]byte(call.Name+"\x00"), call.Input...))
	if has {
		if before.Call != hex.EncodeToString(what[:]) {
			return tools.Result{}, &tools.DivergedError{Call: key, Recorded: "another call", Got: call.Name}
		}
		return before.result()
	}
	prepared, err := tools.Prepare(tool, call.Input)
	if err != nil {
		return tools.ErrorText(err.Error()), nil
	}
	inner := tools.CallInfo{ID: call.ID, Key: h.state.Key + "/" + key, Name: call.Name, Prepared: prepared,
		Host: &servedHost{servedRound: h.servedRound, prefix: key + "/"}, Progress: tools.CallOf(ctx).Progress}
	out, err := tool.Call(tools.WithCall(ctx, inner), prepared.Input())
	switch {
	case err != nil && (errors.Is(err, tools.ErrWaiting) || ctx.Err() != nil):
		return tools.Result{}, err
	case err != nil:
		out = tools.ErrorText(err.Error())
	}
	done := innerResult{Call: hex.EncodeToString(what[:]), IsError: out.IsError}
	for _, b := range out.Content {
		done.Content = append(done.Content, b.Raw())
	}
	kept, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime) // it was done, whatever ctx says
	defer cancel()
	h.mu.Lock()
	err = h.record(kept, taskEntry{Results: map[string]innerResult{key: done}})
	h.mu.Unlock()
	return out, err
}

func (r innerResult) result() (tools.Result, error) {
	out := tools.Result{IsError: r.IsError}
	for _, raw := range r.Content {
		var b transport.Block
		if err := b.UnmarshalJSON(raw); err != nil {
			return tools.Result{}, err
		}
		out.Content = append(out.Content, b)
	}
	return out, nil
}

const maxKeptBytes = 256 << 10

// Keep implements [tools.Host]. The bytes are the reference: there is no other
// place that all replicas have.
func (h *servedHost) Keep(ctx context.Context, data []byte, mediaType string) (string, error) {
	if len(data) > maxKeptBytes {
		return "", fmt.Errorf("%d bytes are too much to keep for a client; at most %d are", len(data), maxKeptBytes)
	}
	sum := sha256.Sum256(data)
	ref := hex.EncodeToString(sum[:])
	raw, err := json.Marshal(kept{Data: data, MediaType: mediaType})
	if err != nil {
		return "", err
	}
	if has, err := h.Notes(ctx, keptNote+ref); err != nil || len(has) > 0 {
		return ref, err
	}
	return ref, h.Note(ctx, keptNote+ref, raw)
}

const keptNote = "mcp/kept/"

type kept struct {
	Data      []byte `json:"data"`
	MediaType string `json:"media_type,omitempty"`
}

// Kept implements [tools.Host].
func (h *servedHost) Kept(ctx context.Context, ref string) ([]byte, string, error) {
	notes, err := h.Notes(ctx, keptNote+ref)
	if err != nil {
		return nil, "", err
	}
	if len(notes) == 0 {
		return nil, "", fmt.Errorf("nothing is kept as %q", ref)
	}
	var k kept
	err = json.Unmarshal(notes[0], &k)
	return k.Data, k.MediaType, err
}
