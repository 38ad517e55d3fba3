package agent

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/taint"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

// What a call is taken to cost: what is read, what is written, for an hour where the end
// of the prompt is marked so, and the answer.
func TestPriceOfACall(t *testing.T) {
	m := models.Model{ID: "m", Prices: []models.Price{{Input: 4, CacheWrite5m: 5, CacheWrite1h: 8, CacheRead: 0.4, Output: 20}}}
	a := made(t, Options{Model: "m", Models: []models.Model{m}})
	f := forecast{Prompt: 1000, Read: 400}
	hour := transport.Breakpoint{Part: transport.PartMessages, Index: 1, TTL: transport.TTL1h}
	other, short, system := hour, hour, hour
	other.Index, short.TTL, system.Part = 0, transport.TTL5m, transport.PartSystem
	for _, tt := range []struct {
		name   string
		marks  []transport.Breakpoint
		output int64
		want   float64
	}{
		{"for 5 minutes", []transport.Breakpoint{short}, 100, 400*0.4 + 600*5 + 100*20},
		{"without an answer", nil, 0, 400*0.4 + 600*5},
		{"for an hour", []transport.Breakpoint{short, hour}, 0, 400*0.4 + 600*8},
		{"an hour for what stands before", []transport.Breakpoint{other}, 0, 400*0.4 + 600*5},
		{"an hour for the system prompt", []transport.Breakpoint{system}, 0, 400*0.4 + 600*5},
	} {
		req := &transport.Request{Messages: make([]transport.Message, 2), Breakpoints: tt.marks}
		if got := a.price(req, f, tt.output); math.Abs(got.USD*1e6-tt.want) > 1e-6 || got.Incomplete {
			t.Errorf("%s: %v, want %v", tt.name, got.USD*1e6, tt.want)
		}
	}
	if got := made(t, Options{Model: "nobody-knows"}).price(new(transport.Request), f, 1); !got.Incomplete {
		t.Errorf("a price that isn't known is %v", got)
	}
	b := forecast{Prompt: 1000, Read: 400, Output: 50, Cost: Cost{USD: 7}}.bill()
	if b.Requests != 1 || b.Tokens != 1050 || b.Cost.USD != 7 || b.Usage.CacheReadInputTokens != 400 || b.Usage.CacheCreationInputTokens != 600 || b.Usage.OutputTokens != 50 {
		t.Errorf("%+v", b)
	}
}

// What is said behind the conversation is a system's message where one may stand, and
// passes with the user's next one only if it is to.
func TestMessageBehindAConversation(t *testing.T) {
	able := mute{transport.Features{SystemMessages: true}}
	own := models.Model{ID: "m", Supports: models.Supports{SystemMessages: models.Supported}}
	user, model := transport.UserText("q"), transport.Message{Role: transport.RoleAssistant, Content: []transport.Block{transport.Text("a")}}
	for _, tt := range []struct {
		name     string
		client   mute
		model    models.Model
		messages []transport.Message
		passing  bool
		role     transport.Role
		clear    string
	}{
		{"passing", able, own, []transport.Message{user}, true, transport.RoleSystem, "next_user_message"},
		{"for good", able, own, []transport.Message{user}, false, transport.RoleSystem, ""},
		{"behind the model", able, own, []transport.Message{user, model}, true, transport.RoleUser, ""},
		{"behind nothing", able, own, nil, true, transport.RoleUser, ""},
		{"a gateway", mute{}, own, []transport.Message{user}, true, transport.RoleUser, ""},
		{"an old model", able, models.Model{ID: "m"}, []transport.Message{user}, true, transport.RoleUser, ""},
	} {
		a := made(t, Options{Client: tt.client, Model: "m", Models: []models.Model{tt.model}})
		if m := a.behind(tt.messages, "now", tt.passing); m.Role != tt.role || m.ClearAt != tt.clear || m.Text() != "now" {
			t.Errorf("%s: %+v", tt.name, m)
		}
	}
}

// A log gets the labels of what is read once, and those that it doesn't have yet.
func TestLabelsAreNotedOnce(t *testing.T) {
	r := made(t, Options{}).NewRun(Input{Log: talked(t)})
	untrusted, private := taint.Labels{Untrusted: true}, taint.Labels{Private: true}
	for i, tt := range []struct {
		l    taint.Labels
		want int
	}{{taint.Labels{}, 0}, {untrusted, 1}, {untrusted, 0}, {private, 1}, {untrusted.With(private), 0}} {
		n := r.log.Len()
		if err := r.appendLabels(t.Context(), tt.l, "f", "a"); err != nil || r.log.Len()-n != tt.want {
			t.Errorf("%d: %d notes, %v", i, r.log.Len()-n, err)
		}
	}
	if got := taint.Of(r.log); got != untrusted.With(private) {
		t.Errorf("%+v", got)
	}
	again := made(t, Options{}).NewRun(Input{Log: r.log})
	if n := len(again.label(private, "f", "a")); n != 0 {
		t.Error("a run that goes on notes again what the log has")
	}
	for _, want := range []taint.Labels{{}, untrusted, private, untrusted.With(private)} {
		if got := (&tool{traits: tools.Traits{Untrusted: want.Untrusted, Private: want.Private}}).reads(); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	note := func(kind memory.Kind) memory.Record { return memory.Record{Kind: kind, Note: "n", Data: []byte(`{}`)} }
	if log := talked(t); fresh(log, 0) || !fresh(log, log.Len()) || !fresh(talked(t, note(memory.KindNote)), log.Len()) || fresh(log, log.Len()-1) {
		t.Error("a log that has more than notes of its own is not fresh")
	}
}

// away is a store that can't be appended to while that is set.
type away struct {
	*memory.RAM
	err error
}

func (a *away) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	if a.err != nil {
		return a.err
	}
	return a.RAM.Append(ctx, id, at, records...)
}

// A label that could not be noted is noted the next time.
func TestLabelsThatCouldNotBeNoted(t *testing.T) {
	store := &away{RAM: new(memory.RAM)}
	log, err := memory.Create(store, "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("hi")}); err != nil {
		t.Fatal(err)
	}
	r := made(t, Options{}).NewRun(Input{Log: log})
	untrusted := taint.Labels{Untrusted: true}
	store.err = memory.ErrUnavailable
	if err := r.appendLabels(t.Context(), untrusted, "f", "a"); !errors.Is(err, memory.ErrUnavailable) || !taint.Of(log).IsZero() {
		t.Fatalf("%v", err)
	}
	store.err = nil
	if err := r.appendLabels(t.Context(), untrusted, "f", "a"); err != nil || taint.Of(log) != untrusted {
		t.Errorf("%+v, %v", taint.Of(log), err)
	}
}

// What a sub-agent says in the background is labelled as what it has read, also if it
// failed.
func TestLabelsOfAChildThatFailed(t *testing.T) {
	untrusted := taint.Labels{Untrusted: true}
	for _, err := range []error{nil, errors.New("it broke off")} {
		r := made(t, Options{}).NewRun(Input{Log: talked(t)})
		c := &child{begunNote: begunNote{Child: "s/1-a", Tool: "helper", Agent: "helper"}, log: talked(t, taint.Note(untrusted, "fetch", "a")), err: err}
		if e := r.appendEnd(t.Context(), c, "failed", true); e != nil || taint.Of(r.log) != untrusted {
			t.Errorf("it ended with %v: labels %+v, %v", err, taint.Of(r.log), e)
		}
	}
}

// The model reads on in what was kept of a result: from a byte, or from where a text is
// found behind it.
func TestReadOnInAResult(t *testing.T) {
	kept := func(id, text string) memory.Record {
		raw, err := json.Marshal(spilled{CallID: id, Text: text})
		if err != nil {
			t.Fatal(err)
		}
		return memory.Record{Kind: memory.KindNote, Note: notes.Spilled, Data: raw}
	}
	text := strings.Repeat("a", 1000) + "Needle" + strings.Repeat("b", 1000) + "needle" + strings.Repeat("é", 10_000)
	r := made(t, Options{}).NewRun(Input{Log: talked(t, kept("2-a", "old"), kept("2-b", "other"), kept("2-a", text))})
	read := func(args string) (string, error) {
		res, err := readResult().(tools.Callable).Call(withRun(t.Context(), r), []byte(args))
		return transport.Message{Content: res.Content}.Text(), err
	}
	for _, tt := range []struct{ args, begin, end string }{
		{`{"id":"2-b"}`, "[bytes 0 to 5 of 5]\nother", "other"},
		{`{"id":"2-a","length":3}`, "[bytes 0 to 3 of 22012]\naaa", "aaa"},
		{`{"id":"2-a","offset":999,"length":8}`, "[bytes 999 to 1007 of 22012]\naNeedleb", "b"},
		{`{"id":"2-a","find":"NEEDLE","length":206}`, "[bytes 800 to 1006 of 22012]\n", "aNeedle"},
		{`{"id":"2-a","find":"needle","offset":1001,"length":206}`, "[bytes 1806 to 2012 of 22012]\n", "bneedle"},
		{`{"id":"2-a","find":"needle","offset":1000,"length":6}`, "[bytes 1000 to 1006 of 22012]\nNeedle", "Needle"},
		{`{"id":"2-a"}`, "[bytes 0 to 8192 of 22012]\n", "é"},
		{`{"id":"2-a","offset":2013,"length":2}`, "[bytes 2012 to 2014 of 22012]\né", "é"},
		{`{"id":"2-a","find":"none","offset":7}`, `"none" does not stand in the result from byte 7 on.`, "on."},
		{`{"id":"2-a","offset":22012}`, "The result ends at byte 22012.", "."},
		{`{"id":"2-a","offset":99999}`, "The result ends at byte 22012.", "."},
	} {
		if got, err := read(tt.args); err != nil || !strings.HasPrefix(got, tt.begin) || !strings.HasSuffix(got, tt.end) {
			t.Errorf("%s: %.80q, %v; want %q", tt.args, got, err, tt.begin)
		}
	}
	if _, err := read(`{"id":"2-c"}`); err == nil || !strings.Contains(err.Error(), `no shortened result has the id "2-c"`) {
		t.Errorf("%v", err)
	}
	if _, ok := findSpilled(nil, "2-a"); ok {
		t.Error("a result is found without a run")
	}
}

// A sub-agent's log has the labels of its caller's before it is told anything, also where
// the caller's run has just been cancelled.
func TestLabelsOfATask(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, l := range []taint.Labels{{}, {Untrusted: true}, {Private: true}} {
		caller, log := made(t, Options{}).NewRun(Input{Log: talked(t, taint.Note(l, "mail", "a"))}), memory.NewLog()
		for range 2 {
			if err := inherit(ctx, log, caller); err != nil {
				t.Fatal(err)
			}
		}
		if got := taint.Of(log); got != l || log.Len() > 1 {
			t.Errorf("labels %+v in %d records, want %+v", got, log.Len(), l)
		}
	}
}

// A sub-agent's session is that of the caller's, and not of another one that has come in
// its place.
func TestSessionOfAReplacedCaller(t *testing.T) {
	store := new(memory.RAM)
	session := func() *memory.Log {
		log, err := memory.Create(store, "s", nil)
		if err == nil {
			err = log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("q")}, memory.Record{Kind: memory.KindResponse, Response: stopped(t, "tool_use", "", aCall)})
		}
		if err != nil {
			t.Fatal(err)
		}
		return log
	}
	r := underWay(t, made(t, Options{}), Input{Log: session()})
	if err := store.Delete(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	session()
	log, _, err := Sub{Agent: made(t, Options{}), Name: "f"}.log(hosting(t.Context(), r, "f"))
	if err == nil {
		err = log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("task")})
	}
	if !isGone(err) {
		t.Errorf("%v", err)
	}
}
