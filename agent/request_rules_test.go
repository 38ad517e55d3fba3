package agent

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent/internal/cacheplan"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/wire"
)

// talked is a log of a question, a call with its result, and an answer.
func talked(t *testing.T, more ...memory.Record) *memory.Log {
	t.Helper()
	log := memory.NewLog()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	list := []memory.Record{
		{Kind: memory.KindRun, Limits: &memory.Limits{Steps: 9, Pauses: 9, Cuts: 9}},
		{Kind: memory.KindInput, Message: transport.UserText("q")},
		{Kind: memory.KindResponse, Response: stopped(t, "tool_use", "", aCall)},
		{Kind: memory.KindResult, Block: transport.ToolCall{ID: "a"}.Answer(transport.Text("r"))},
		{Kind: memory.KindResponse, Response: stopped(t, "end_turn", "", `{"type":"text","text":"a"}`)},
	}
	for i, r := range append(list, more...) {
		if r.Time.IsZero() {
			r.Time = at.Add(time.Duration(i) * time.Second)
		}
		if err := log.Append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	return log
}

// A request for a summary has the conversation and nothing of the answer's shape; the
// request that it is made of stays as it is.
func TestRequestForASummary(t *testing.T) {
	own := models.Model{ID: "m", Supports: models.Supports{Compaction: models.Supported}}
	able := mute{transport.Features{Compaction: true}}
	user := memory.Record{Kind: memory.KindInput, Message: transport.UserText("and now?")}
	for _, tt := range []struct {
		name    string
		client  mute
		c       Compaction
		more    []memory.Record
		n       int // messages that the summary stands for; 0 for no request
		last    string
		service string
	}{
		{"by the service", able, Compaction{Prompt: "Sum up.", Instructions: "short"}, []memory.Record{user}, 3, "", `{"type":"summarize","instructions":"short"}`},
		{"without instructions", able, Compaction{}, []memory.Record{user}, 3, "", `{"type":"summarize"}`},
		{"by the model", mute{}, Compaction{Prompt: "Sum up."}, nil, 4, "Sum up.", ""},
		{"a new input is kept", mute{}, Compaction{Prompt: "Sum up."}, []memory.Record{user}, 4, "Sum up.", ""},
		{"and so are two", mute{}, Compaction{Prompt: "Sum up."}, []memory.Record{user, user}, 4, "Sum up.", ""},
		{"in no way", mute{}, Compaction{}, []memory.Record{user}, 0, "", ""},
	} {
		a := made(t, Options{Client: tt.client, Model: "m", Models: []models.Model{own}, MaxTokens: 32_000, Context: ContextOptions{Compaction: &tt.c}})
		r := a.NewRun(Input{Log: talked(t, tt.more...)})
		req := r.nextRequest()
		whole := len(req.Messages)
		req.StopSequences = []string{"END"}
		req.OutputConfig = &transport.OutputConfig{Effort: "low", Format: json.RawMessage(`{}`)}
		req.ToolChoice = &transport.ToolChoice{Type: "any"}
		req.ContextManagement = json.RawMessage(`{"edits":[]}`)
		_, s := a.write(r.log)
		summary, n := r.summaryRequest(*req, s, cacheplan.History{})
		if (summary != nil) != (tt.n > 0) || n != tt.n {
			t.Errorf("%s: %d messages, %+v", tt.name, n, summary)
			continue
		}
		if m := r.log.Messages(); m[len(m)-1].Text() == "Sum up." {
			t.Errorf("%s: the log's own messages were written to", tt.name)
		}
		if len(req.Messages) != whole || req.OutputConfig.Format == nil || req.StopSequences == nil || req.ToolChoice == nil || req.ContextManagement == nil {
			t.Errorf("%s: the next request was changed", tt.name)
		}
		if summary == nil {
			continue
		}
		if summary.StopSequences != nil || summary.OutputConfig.Format != nil || summary.OutputConfig.Effort != "low" || summary.ToolChoice != nil || summary.MaxTokens != 16_000 || string(summary.Compaction) != tt.service {
			t.Errorf("%s: %+v, %s", tt.name, summary, summary.Compaction)
		}
		if (summary.ContextManagement == nil) != (tt.service != "") {
			t.Errorf("%s: context_management is %s", tt.name, summary.ContextManagement)
		}
		if last := summary.Messages[len(summary.Messages)-1].Text(); tt.last != "" && (last != tt.last || len(summary.Messages) != tt.n+1) || tt.last == "" && len(summary.Messages) != tt.n {
			t.Errorf("%s: %d messages, the last %q", tt.name, len(summary.Messages), last)
		}
		req.MaxTokens, req.ToolChoice = 500, &transport.ToolChoice{Type: "none"}
		if summary, _ := r.summaryRequest(*req, s, cacheplan.History{}); summary.MaxTokens != 500 || summary.ToolChoice == nil {
			t.Errorf("%s: %+v", tt.name, summary)
		}
		req.ToolChoice = &transport.ToolChoice{Type: "tool", Name: "f"}
		if summary, _ := r.summaryRequest(*req, s, cacheplan.History{}); summary.ToolChoice != nil {
			t.Errorf("%s: a summary has to call a tool", tt.name)
		}
		if marked, _ := r.summaryRequest(*req, s, cacheplan.History{Readable: 10_000}); len(marked.Breakpoints) == 0 {
			t.Errorf("%s: what the cache has isn't read", tt.name)
		}
		if summary.Breakpoints != nil {
			t.Errorf("%s: what is read once is written to the cache", tt.name)
		}
	}
	short := memory.NewLog()
	if err := short.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("q")}); err != nil {
		t.Fatal(err)
	}
	r := made(t, Options{Context: ContextOptions{Compaction: &Compaction{Prompt: "Sum up."}}}).NewRun(Input{Log: short})
	if req, _ := r.summaryRequest(*r.nextRequest(), short.State(), cacheplan.History{}); req != nil {
		t.Error("there is nothing to sum up")
	}
}

// A summary whose price can't be paid now isn't made; near the end of the window it
// waits for what others may leave.
func TestMoneyForASummary(t *testing.T) {
	a := made(t, Options{})
	r := a.NewRun(Input{})
	q := quote{forecast: forecast{Prompt: 1000, Output: 10_000}, bare: 1, perToken: 0.001, least: 1024}
	under := func(b *Budget) context.Context { return withBudget(t.Context(), b) }
	if held, err := r.reserveSummary(t.Context(), q, false); held == nil || err != nil {
		t.Errorf("without a budget: %v, %v", held, err)
	}
	if held, err := r.reserveSummary(under(&Budget{USD: 0.5}), q, true); held != nil || err != nil {
		t.Errorf("a budget that is used up: %v, %v", held, err)
	}
	busy := &Budget{USD: 12, usd: 10}
	if held, err := r.reserveSummary(under(busy), q, false); held != nil || err != nil {
		t.Errorf("money that is set aside: %v, %v", held, err)
	}
	gone, cancel := context.WithCancelCause(under(busy))
	why := errors.New("the run is over")
	cancel(why)
	if held, err := r.reserveSummary(gone, q, true); held != nil || !errors.Is(err, why) {
		t.Errorf("a run that has ended: %v, %v", held, err)
	}
	synctest.Test(t, func(t *testing.T) {
		busy := &Budget{USD: 12, usd: 10}
		done := make(chan *reservation, 1)
		go func() {
			held, err := r.reserveSummary(withBudget(t.Context(), busy), q, true)
			if err != nil {
				t.Error(err)
			}
			done <- held
		}()
		synctest.Wait()
		if len(done) > 0 {
			t.Fatal("it does not wait for what is set aside")
		}
		if err := (&reservation{budgets: []*Budget{busy}, usd: 10}).release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if held := <-done; held == nil || busy.usd != held.usd || held.tokens != 11_000 {
			t.Errorf("%+v", held)
		}
	})
	led := &account{err: errors.New("away")}
	if _, err := r.reserveSummary(under(&Budget{USD: 5, Ledger: led}), q, false); !errors.Is(err, led.err) {
		t.Errorf("a ledger that fails: %v", err)
	}
}

// The cache is kept alive with what was sent, for no tokens, where the service takes
// such a request.
func TestRequestToKeepWarm(t *testing.T) {
	log := talked(t, memory.Record{Kind: memory.KindInput, Message: transport.UserText("and now?")})
	for _, tt := range []struct {
		name  string
		opts  Options
		input Input
		want  bool
	}{
		{"plain", Options{}, Input{}, true},
		{"thinking that adapts", Options{Thinking: &transport.Thinking{Type: "adaptive"}}, Input{}, true},
		{"thinking with a budget", Options{Thinking: &transport.Thinking{Type: "enabled", BudgetTokens: 2000}}, Input{}, false},
		{"a free choice", Options{Template: transport.Request{ToolChoice: &transport.ToolChoice{Type: "auto"}}}, Input{}, true},
		{"any tool", Options{Template: transport.Request{ToolChoice: &transport.ToolChoice{Type: "any"}}}, Input{}, false},
		{"one tool", Options{Template: transport.Request{ToolChoice: &transport.ToolChoice{Type: "tool", Name: "f"}}}, Input{}, false},
		{"a shape", Options{Template: transport.Request{OutputConfig: &transport.OutputConfig{Format: json.RawMessage(`{}`)}}}, Input{}, false},
		{"an effort", Options{Effort: "low"}, Input{}, true},
	} {
		tt.opts.Client = mute{transport.Features{Diagnostics: true}}
		a := made(t, tt.opts)
		tt.input.Log = log
		r := a.NewRun(tt.input)
		_, s := a.write(log)
		req := r.warmRequest(s, s.Requests[len(s.Requests)-1])
		if (req != nil) != tt.want {
			t.Errorf("%s: %+v", tt.name, req)
		}
		if req != nil && (req.MaxTokens != 0 || req.Diagnostics != nil || len(req.Messages) != 3 || len(req.Breakpoints) == 0) {
			t.Errorf("%s: %d tokens, %+v, %d messages, marks %v", tt.name, req.MaxTokens, req.Diagnostics, len(req.Messages), req.Breakpoints)
		}
	}
	a := made(t, Options{})
	_, s := a.write(log)
	if a.NewRun(Input{Log: log}).warmRequest(s, memory.Request{Messages: 99}) != nil {
		t.Error("a request that the log doesn't have any more is sent again")
	}
	stop := made(t, Options{Cache: Cache{KeepWarm: time.Hour}}).NewRun(Input{}).keepWarm(t.Context())
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// What the record of a response says of its request, member by member.
func TestDataOfAResponse(t *testing.T) {
	log := talked(t)
	a := made(t, Options{MaxTokens: 100})
	recorded := func(log *memory.Log, req *transport.Request, thread string) string {
		r := a.NewRun(Input{Log: log})
		r.thread.kind = thread
		return string(r.sentWith(req))
	}
	for _, tt := range []struct {
		name   string
		req    transport.Request
		thread string
		want   string
	}{
		{"nothing", transport.Request{MaxTokens: 100}, "", `{}`},
		{"fewer tokens", transport.Request{MaxTokens: 50}, "", `{"max_tokens":50}`},
		{"marks", transport.Request{MaxTokens: 100, Breakpoints: []transport.Breakpoint{{Part: transport.PartSystem}, {Part: transport.PartMessages, Index: 2, TTL: transport.TTL1h}}}, "", `{"breakpoints":["system.0","messages.2.content.0=1h"]}`},
		{"a diagnosis", transport.Request{MaxTokens: 100, Diagnostics: &transport.Diagnostics{PreviousMessageID: "m\"1"}}, "", `{"previous_message_id":"m\"1"}`},
		{"a thread", transport.Request{MaxTokens: 100, Thread: &transport.Thread{}, CacheControl: &transport.CacheControl{TTL: transport.TTL5m}}, "create", `{"thread":"create","cache_control":"5m"}`},
		{"a thread without a mark", transport.Request{MaxTokens: 100, Thread: &transport.Thread{}}, "create", `{"thread":"create","cache_control":null}`},
		{"no thread any more", transport.Request{MaxTokens: 100, CacheControl: &transport.CacheControl{TTL: transport.TTL5m}}, "off", `{"thread":"off","cache_control":null}`},
		{"all", transport.Request{MaxTokens: 50, Breakpoints: []transport.Breakpoint{{Part: transport.PartSystem}}, Diagnostics: &transport.Diagnostics{}, Thread: &transport.Thread{}}, "create",
			`{"breakpoints":["system.0"],"max_tokens":50,"previous_message_id":"","thread":"create","cache_control":null}`},
	} {
		got := recorded(log, &tt.req, tt.thread)
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	lacking := talked(t, memory.Record{Kind: memory.KindInput, Message: transport.UserText("q")}, memory.Record{Kind: memory.KindInput, Message: transport.SystemText("s")})
	if got := recorded(lacking, &transport.Request{MaxTokens: 100}, ""); got != `{"without":["system","tool_changes","summaries"]}` {
		t.Errorf("%s", got)
	}
	if got := recorded(lacking, &transport.Request{MaxTokens: 5}, ""); got != `{"max_tokens":5,"without":["system","tool_changes","summaries"]}` {
		t.Errorf("%s", got)
	}
}

// The request that a run records has nothing that changes from step to step.
func TestRecordedRequest(t *testing.T) {
	r := made(t, Options{MaxTokens: 100}).request
	plain := string(sentConfig(r))
	r.Messages, r.Breakpoints, r.Diagnostics, r.Container = []transport.Message{transport.UserText("q")}, []transport.Breakpoint{{Part: transport.PartMessages}}, new(transport.Diagnostics), json.RawMessage(`"c"`)
	if got := string(sentConfig(r)); got != plain || !strings.Contains(got, `"max_tokens":100`) {
		t.Errorf("%s, want %s", got, plain)
	}
	if len(r.Messages) != 1 || r.Breakpoints == nil {
		t.Error("the request was changed")
	}
}

// What the input doesn't say of requests is what the run began with, unless the agent
// says it.
func TestConfigureARun(t *testing.T) {
	const recorded = `{"output_config":{"format":{"type":"old"}},"tool_choice":{"type":"tool","name":"f"},"metadata":{"user_id":"ann"}}`
	shape := func(s string) *transport.OutputConfig {
		return &transport.OutputConfig{TaskBudget: json.RawMessage(`{}`), Format: json.RawMessage(s)}
	}
	for _, tt := range []struct {
		name                 string
		tpl                  transport.Request
		in                   Input
		recorded             string
		format, choice, user string
	}{
		{"nothing", transport.Request{}, Input{}, "", "", "", ""},
		{"the input's", transport.Request{}, Input{Output: format(`{"type":"new"}`), ToolChoice: &transport.ToolChoice{Type: "any"}, User: "bob"}, "", `{"type":"new"}`, "any ", "bob"},
		{"the recorded", transport.Request{}, Input{}, recorded, `{"type":"old"}`, "tool f", "ann"},
		{"the input's over the recorded", transport.Request{}, Input{Output: format(`{"type":"new"}`), ToolChoice: &transport.ToolChoice{Type: "any"}, User: "bob"}, recorded, `{"type":"new"}`, "any ", "bob"},
		{"the agent's over the recorded", transport.Request{OutputConfig: shape(`{"type":"own"}`), ToolChoice: &transport.ToolChoice{Type: "auto"}}, Input{}, recorded, `{"type":"own"}`, "auto ", "ann"},
		{"the input's over the agent's", transport.Request{OutputConfig: shape(`{"type":"own"}`), ToolChoice: &transport.ToolChoice{Type: "auto"}}, Input{Output: format(`{"type":"new"}`), ToolChoice: &transport.ToolChoice{Type: "none"}}, recorded, `{"type":"new"}`, "none ", "ann"},
		{"nothing was recorded", transport.Request{}, Input{}, `{}`, "", "", ""},
	} {
		a := made(t, Options{Template: tt.tpl})
		before := string(a.config)
		r := a.NewRun(tt.in)
		var rec []byte
		if tt.recorded != "" {
			rec = []byte(tt.recorded)
		}
		if err := r.configure(&r.input, rec); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		got, choice := "", ""
		if o := r.request.OutputConfig; o != nil {
			got = string(o.Format)
		}
		if c := r.request.ToolChoice; c != nil {
			choice = c.Type + " " + c.Name
		}
		if got != tt.format || choice != tt.choice || r.request.UserID != tt.user {
			t.Errorf("%s: %s, %s, %s", tt.name, got, choice, r.request.UserID)
		}
		if tt.tpl.OutputConfig != nil && (string(a.request.OutputConfig.Format) != `{"type":"own"}` || string(r.request.OutputConfig.TaskBudget) != "{}") {
			t.Errorf("%s: the agent's is %s, the run's %+v", tt.name, a.request.OutputConfig.Format, r.request.OutputConfig)
		}
		if string(a.config) != before || string(sentConfig(*r.request)) != string(r.config) || r.key != wire.CacheKeyOf(r.config) {
			t.Errorf("%s: the run records %s", tt.name, r.config)
		}
		if same := r.request == &a.request; same != (tt.format+tt.choice+tt.user == "") {
			t.Errorf("%s: the request is the agent's: %v", tt.name, same)
		}
	}
	r := made(t, Options{}).NewRun(Input{Output: format(`{`)})
	if err := r.configure(&r.input, nil); err == nil || !strings.Contains(err.Error(), "no valid Format") {
		t.Errorf("%v", err)
	}
	if err := made(t, Options{}).NewRun(Input{}).configure(new(Input), []byte(`{"tool_choice":7}`)); err == nil {
		t.Error("a tool_choice that is none was taken")
	}
}

// A format is the shape of an answer.
type format string

func (f format) Format() json.RawMessage { return json.RawMessage(f) }

// Messages that follow each other are the input's, with the prompt behind them; the
// caller's slice isn't written to.
func TestMessagesOfAnInput(t *testing.T) {
	room := make([]transport.Message, 1, 4)
	room[0] = transport.UserText("one")
	first, second := Input{Messages: room, Prompt: "two"}, Input{Messages: room, Prompt: "three"}
	a, b := first.messages(), second.messages()
	said := func(list []transport.Message) (words []string) {
		for _, m := range list {
			words = append(words, m.Text())
		}
		return words
	}
	if !slices.Equal(said(a), []string{"one", "two"}) || !slices.Equal(said(b), []string{"one", "three"}) {
		t.Errorf("%v, %v", said(a), said(b))
	}
	if none := (&Input{Messages: room}).messages(); len(none) != 1 {
		t.Errorf("%v", said(none))
	}
}
