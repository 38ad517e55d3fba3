package failover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/omit"
)

// A client answers or fails by a function of the request, or has features only.
type client struct {
	features transport.Features
	answer   func(*transport.Request) (*transport.Response, error)
}

func (c client) Features() transport.Features { return c.features }

func (c client) Stream(_ context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		resp, err := c.answer(req)
		if err != nil {
			yield(transport.Event{}, err)
			return
		}
		for ev := range resp.Events() {
			if !yield(ev, nil) {
				return
			}
		}
	}
}

func response(t *testing.T, id string) *transport.Response {
	t.Helper()
	r, err := transport.ParseResponse([]byte(`{"id":"` + id + `","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newRequest() *transport.Request {
	return &transport.Request{Model: "m", MaxTokens: 10, Messages: []transport.Message{transport.UserText("hi")}}
}

func made(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What an endpoint is left for: its being unavailable, in whichever words.
func TestUnavailable(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"nothing":                   {nil, false},
		"499":                       {&transport.Error{Status: 499}, false},
		"500":                       {&transport.Error{Status: 500}, true},
		"overloaded, in a stream":   {&transport.StreamError{Err: &transport.Error{Type: transport.ErrOverloaded}}, true},
		"billing":                   {&transport.Error{Status: 402, Type: transport.ErrBilling}, true},
		"the spend limit":           {&transport.Error{Status: 429, Type: transport.ErrRateLimit, Code: "enforced_spend_limit_reached"}, true},
		"the contract's":            {&transport.Error{Status: 429, Type: transport.ErrRateLimit, Code: "contract_spend_limit_reached"}, true},
		"another code":              {&transport.Error{Status: 429, Type: transport.ErrRateLimit, Code: "ramp_limit_exceeded"}, false},
		"no credentials":            {fmt.Errorf("vertex: %w", transport.ErrAuthentication), false},
		"canceled, in a connection": {fmt.Errorf("dial: %w", context.Canceled), false},
		"too late":                  {context.DeadlineExceeded, true},
		"not sent":                  {fmt.Errorf("x: %w", &transport.RequestError{Field: "f"}), false},
	} {
		if got := Unavailable(tt.err); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// An endpoint rests for as long as the options say, and not a moment longer, and an
// answer ends the rest.
func TestOrder(t *testing.T) {
	c := made(t, Options{Endpoints: []Endpoint{{Name: "a", Client: client{}}, {Name: "b", Client: client{}}, {Name: "c", Client: client{}}}})
	now := time.Unix(1000, 0)
	c.now = func() time.Time { return now }
	want := func(what string, order ...int) {
		t.Helper()
		if got := c.order(); !slices.Equal(got, order) {
			t.Errorf("%s: %v, want %v", what, got, order)
		}
	}
	want("at first", 0, 1, 2)
	c.answered(0, false)
	want("the first failed", 1, 2, 0)
	now = now.Add(time.Minute - 1)
	c.answered(1, false)
	want("both failed", 2, 0, 1)
	now = now.Add(1)
	want("a minute later", 0, 2, 1)
	if before, changed := c.answered(1, true); before != 0 || !changed {
		t.Errorf("from %d, %v", before, changed)
	}
	want("the second answered", 0, 1, 2)
	if before, changed := c.answered(1, true); before != 1 || changed {
		t.Errorf("from %d, %v", before, changed)
	}
}

// A client keeps lists of its own: neither the endpoints nor the aliases of prices
// are the caller's.
func TestOwnLists(t *testing.T) {
	prices := []models.Model{{ID: "x", Aliases: []string{"y"}}}
	endpoints := []Endpoint{{Name: "a", Client: client{}, Prices: prices}, {Name: "b", Client: client{}, Prices: []models.Model{{ID: "z"}}}}
	c := made(t, Options{Endpoints: endpoints})
	endpoints[0].Name = "changed"
	var ids []string
	for range 2 {
		ids = nil
		for _, m := range c.Models() {
			ids = append(ids, m.ID+" "+strings.Join(m.Aliases, ","))
		}
	}
	if want := []string{"x y", "a/x a/y", "b/z "}; !slices.Equal(ids, want) || prices[0].Aliases[0] != "y" || prices[0].ID != "x" {
		t.Errorf("%q, want %q; the caller's are %+v", ids, want, prices)
	}
}

// A failure at all endpoints is told with each one's name, in order.
func TestErrorText(t *testing.T) {
	err := &Error{Failures: []Failure{{Endpoint: "a", Err: errors.New("one")}, {Endpoint: "b", Err: errors.New("two")}, {Endpoint: "c", Err: errors.New("three")}}}
	if got, want := err.Error(), "no endpoint answered: a: one; b: two; c: three"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// An endpoint that serves and refuses the request doesn't rest for it.
func TestRefusalIsNoFailure(t *testing.T) {
	refused := &transport.Error{Status: 400, Type: transport.ErrInvalidRequest}
	c := made(t, Options{Endpoints: []Endpoint{
		{Name: "a", Client: client{answer: func(*transport.Request) (*transport.Response, error) { return nil, refused }}},
		{Name: "b", Client: client{answer: func(*transport.Request) (*transport.Response, error) { return response(t, "msg_b"), nil }}},
	}})
	for _, err := range c.Stream(t.Context(), newRequest()) {
		if !errors.Is(err, refused) {
			t.Errorf("%v", err)
		}
	}
	if got := c.order(); got[0] != 0 {
		t.Errorf("the first rests: %v", got)
	}
}

// How often a request was sent for a failure, and how much of that is lost.
func TestCost(t *testing.T) {
	refused := func(n int) error { return &transport.Error{Status: 500, Attempts: n} }
	lost := func(n int) error { return &transport.LostError{Err: errors.New("reset"), Attempts: n} }
	for name, tt := range map[string]struct {
		err        error
		sent, lost int
	}{
		"not sent":              {&transport.RequestError{Field: "f"}, 0, 0},
		"unknown":               {errors.New("x"), 1, 0},
		"a client of nobody's":  {refused(0), 1, 0},
		"three attempts":        {refused(3), 3, 0},
		"all lost":              {lost(2), 2, 2},
		"lost, and refused":     {&transport.LostError{Err: refused(4), Attempts: 2}, 4, 2},
		"of all endpoints":      {&Error{Failures: []Failure{{Err: lost(2)}, {Err: lost(3)}, {Err: refused(1)}}}, 6, 5},
		"with what it had sent": {&Error{Failures: []Failure{{Err: refused(1), Attempts: 3}, {Err: refused(4), Attempts: 1}}}, 7, 0},
	} {
		if sent, lost := cost(tt.err); sent != tt.sent || lost != tt.lost {
			t.Errorf("%s: sent %d, lost %d; want %d, %d", name, sent, lost, tt.sent, tt.lost)
		}
	}
	var x exchange
	x.count(lost(2))
	x.count(lost(3))
	if x.attempts != 5 || x.tried != 5 || x.lost != 5 {
		t.Errorf("%+v", x)
	}
}

// The error of the only endpoint that was asked tells all attempts, and the client's
// own error stays as it was.
func TestAttemptsOfOneEndpoint(t *testing.T) {
	last := &transport.Error{Status: 400, Type: transport.ErrInvalidRequest, Message: "no", Attempts: 1}
	thinks, err := transport.ParseBlock([]byte(`{"type":"thinking","thinking":"hm","signature":"Zm9yZWlnbg=="}`))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	c := made(t, Options{Endpoints: []Endpoint{
		{Name: "a", Client: client{answer: func(*transport.Request) (*transport.Response, error) {
			if n++; n == 1 {
				return nil, &transport.Error{Status: 400, Type: transport.ErrInvalidRequest, Message: "messages.1.content.0: Invalid `signature` in `thinking` block", Attempts: 2}
			}
			return nil, last
		}}}, {Name: "b", Client: client{}},
	}})
	c.known.response(1, response(t, "msg_b"), false) // so that what is foreign is left out
	req := newRequest()
	req.Messages = append(req.Messages, transport.Message{Role: transport.RoleAssistant, Content: []transport.Block{thinks, transport.Text("yes")}}, transport.UserText("go on"))
	var told []string
	for ev, err := range c.Stream(t.Context(), req) {
		told = append(told, string(ev.Type))
		var refused *transport.Error
		if !errors.As(err, &refused) || refused.Attempts != 3 || refused.Message != "no" {
			t.Errorf("%v", err)
		}
	}
	if n != 2 || last.Attempts != 1 || len(told) != 1 {
		t.Errorf("asked %d times, told %q; the client's error has %d attempts", n, told, last.Attempts)
	}
}

// A request that an endpoint refuses again and again is given up.
func TestTriesAreBounded(t *testing.T) {
	asked := 0
	fields := slices.Sorted(func(yield func(string) bool) {
		for f := range optional {
			if !yield(f) {
				return
			}
		}
	})
	c := made(t, Options{Endpoints: []Endpoint{
		{Name: "a", Client: client{answer: func(*transport.Request) (*transport.Response, error) { return nil, &transport.Error{Status: 500} }}},
		{Name: "b", Client: client{answer: func(*transport.Request) (*transport.Response, error) {
			asked++
			return nil, &transport.RequestError{Field: fields[asked%len(fields)]}
		}}},
	}})
	for range c.Stream(t.Context(), newRequest()) {
	}
	if asked != 6 {
		t.Errorf("asked %d times", asked)
	}
}

// What may be left out of a request, each by the name of its field; the caller's
// request stays as it was.
func TestOptional(t *testing.T) {
	full := func() *transport.Request {
		r := newRequest()
		r.Thread, r.Diagnostics, r.CacheControl = &transport.Thread{}, &transport.Diagnostics{}, &transport.CacheControl{}
		r.Speed, r.ServiceTier, r.Fallbacks = "fast", "auto", json.RawMessage(`"default"`)
		return r
	}
	set := func(r *transport.Request) map[string]bool {
		return map[string]bool{"thread": r.Thread != nil, "diagnostics": r.Diagnostics != nil, "cache_control": r.CacheControl != nil, "speed": r.Speed != "", "service_tier": r.ServiceTier != "", "fallbacks": len(r.Fallbacks) > 0}
	}
	c := made(t, Options{Endpoints: []Endpoint{{Name: "a", Client: client{}}, {Name: "b", Client: client{}}}})
	for field := range set(full()) {
		a := &adapted{c: c, at: 1}
		before := full()
		less := a.without(before, &transport.RequestError{Field: field})
		if less == nil {
			t.Errorf("%s can't be left out", field)
			continue
		}
		for name, has := range set(less) {
			if has == (name == field) {
				t.Errorf("without %s: %s is there: %v", field, name, has)
			}
		}
		if !set(before)[field] || !slices.Equal(a.leftOut, []string{field}) {
			t.Errorf("%s: the caller's has it: %v; left out %q", field, set(before)[field], a.leftOut)
		}
		if (&adapted{c: c}).without(full(), &transport.RequestError{Field: field}) != nil {
			t.Errorf("%s is left out for the first endpoint, whose refusal is the caller's to know", field)
		}
	}
	if (&adapted{c: c, at: 1}).without(full(), &transport.RequestError{Field: "max_tokens"}) != nil {
		t.Error("max_tokens were left out")
	}
}

// What a refusal names is left out of a request. What only may be the cause stays: the
// model would lose it for nothing.
func TestNothingIsLeftOutOnAGuess(t *testing.T) {
	c := made(t, Options{Endpoints: []Endpoint{{Name: "a", Client: client{}}, {Name: "b", Client: client{}}}})
	for message, guess := range map[string]bool{"Internal server error": true, "container container_01 has expired": false} {
		err := &transport.Error{Status: 500, Type: transport.ErrAPI, Message: message}
		if !guess {
			err.Status, err.Type = 404, transport.ErrNotFound
		}
		r := newRequest()
		r.Container = json.RawMessage(`"container_01"`)
		if found := omit.Find(err, r); found == nil || found.Guessed != guess {
			t.Fatalf("%s: %+v", message, found)
		}
		a := &adapted{c: c, at: 1}
		if less := a.without(r, err); (less == nil) != guess || less != nil && less.Container != nil || r.Container == nil || (len(a.leftOut) == 0) != guess {
			t.Errorf("%s: %+v, left out %q", message, less, a.leftOut)
		}
	}
}

// Whose an id is, and who may use it.
func TestOwns(t *testing.T) {
	c := made(t, Options{Endpoints: []Endpoint{{Name: "a", Client: client{}}, {Name: "same", Client: client{}, SameAccount: true}, {Name: "other", Client: client{}}, {Name: "third", Client: client{}}}})
	for i, id := range []string{"msg_a", "msg_same", "msg_other"} {
		r := response(t, id)
		r.Container = &transport.Container{ID: "container_" + id}
		c.known.response(i, r, true)
	}
	for id, want := range map[string][4]bool{
		"":        {true, true, true, true},
		"unknown": {true, true, false, false},
		"msg_a":   {true, true, false, false}, "container_msg_a": {true, true, false, false},
		"msg_same": {true, true, false, false}, "container_msg_same": {true, true, false, false},
		"msg_other": {false, false, true, false}, "container_msg_other": {false, false, true, false},
	} {
		for at := range want {
			if got := (&adapted{c: c, at: at}).owns(id); got != want[at] {
				t.Errorf("endpoint %d owns %q: %v", at, id, got)
			}
		}
	}
}

// A response that isn't part of a thread is not continued as one, and what is known
// doesn't grow without end.
func TestKnown(t *testing.T) {
	var k known
	if k.others() || k.alone("x") {
		t.Error("something is known at first")
	}
	k.response(0, response(t, "msg_1"), false)
	k.response(0, response(t, "msg_2"), true)
	if !k.alone("msg_1") || k.alone("msg_2") || k.others() {
		t.Errorf("%+v", k.owners)
	}
	k.response(1, response(t, "msg_3"), true)
	if !k.others() {
		t.Error("another has answered")
	}
	var second known
	second.response(1, response(t, "msg_3"), true)
	if !second.others() {
		t.Error("only another has answered")
	}
	one := response(t, "msg")
	for i := range mostKnown + 10 {
		r := *one
		r.ID = fmt.Sprint(i)
		k.response(0, &r, true)
	}
	if n := len(k.owners); n > mostKnown || n == 0 {
		t.Errorf("%d ids are known", n)
	}
	block := func(raw string) transport.Block {
		b, err := transport.ParseBlock([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	messages := []transport.Message{{Role: transport.RoleAssistant, Content: []transport.Block{
		block(`{"type":"thinking","thinking":"hm","signature":"a"}`), block(`{"type":"redacted_thinking","data":"b"}`), transport.Text("x"), block(`{"type":"thinking","thinking":"hm","signature":"c"}`),
	}}}
	k.refuse(1, messages, omit.Omission{Blocks: []omit.Place{{Block: 0}, {Block: 1}, {Block: 2}, {Block: 3, Inner: 1}}})
	if got, want := k.refused(1, messages), []omit.Place{{Block: 0}, {Block: 1}}; !slices.Equal(got, want) || len(k.refusals) != 2 {
		t.Errorf("%v, of %d refusals", got, len(k.refusals))
	}
	if got := k.refused(0, messages); got != nil {
		t.Errorf("another endpoint refuses %v", got)
	}
	for i := range mostKnown + 10 {
		k.refusals[refusal{2, uint64(i)}] = true
		if i >= mostKnown {
			k.refuse(1, messages, omit.Omission{Blocks: []omit.Place{{Block: 0}}})
		}
	}
	if n := len(k.refusals); n > mostKnown {
		t.Errorf("%d refusals are known", n)
	}
}

// Which blocks name files, and which container a request names.
func TestFilesAndContainers(t *testing.T) {
	var content []transport.Block
	for _, raw := range []string{
		`{"type":"image","source":{"type":"file","file_id":"f"}}`,
		`{"type":"image","source":{"type":"url","url":"https://x/\"file_id\""}}`,
		`{"type":"document","source":{"type":"file","file_id":"f"}}`,
		`{"type":"container_upload","file_id":"f"}`,
		`{"type":"tool_result","tool_use_id":"t","content":[{"type":"document","source":{"type":"file","file_id":"f"}},{"type":"text","text":"x"},{"type":"image","source":{"type":"file","file_id":"f"}},{"type":"text","text":"\"file_id\""}]}`,
		`{"type":"tool_result","tool_use_id":"t","content":"\"file_id\""}`,
	} {
		b, err := transport.ParseBlock([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		content = append(content, b)
	}
	got := files([]transport.Message{transport.UserText("x"), {Role: transport.RoleUser, Content: content}})
	want := []omit.Place{{Message: 1, Block: 0}, {Message: 1, Block: 2}, {Message: 1, Block: 3}, {Message: 1, Block: 4, Inner: 1}, {Message: 1, Block: 4, Inner: 3}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for raw, want := range map[string]string{``: "", `null`: "", ` "c" `: "c", `{"id":"c"}`: "c", ` {"skills":[],"id":"c"}`: "c", `{"skills":[]}`: ""} {
		if got := containerID(json.RawMessage(raw)); got != want {
			t.Errorf("%s: %q", raw, got)
		}
	}
}

// Marks for an hour become usual ones, others stay, and nothing of the caller's changes.
func TestShortMarks(t *testing.T) {
	c := made(t, Options{Endpoints: []Endpoint{{Name: "a", Client: client{}}, {Name: "b", Client: client{}, Model: func(string) string { return "" }}}})
	r := newRequest()
	r.Breakpoints = []transport.Breakpoint{{Part: transport.PartSystem, TTL: transport.TTL1h}, {Part: transport.PartMessages, TTL: transport.TTL5m}}
	r.CacheControl = &transport.CacheControl{TTL: transport.TTL1h}
	a := &adapted{c: c, at: 1}
	got, err := a.request(r)
	if err != nil {
		t.Fatal(err)
	}
	if got.Breakpoints[0].TTL != "" || got.Breakpoints[1].TTL != transport.TTL5m || got.CacheControl == nil || got.CacheControl.TTL != "" || len(a.leftOut) != 1 {
		t.Errorf("%+v %+v, left out %q", got.Breakpoints, got.CacheControl, a.leftOut)
	}
	if r.Breakpoints[0].TTL != transport.TTL1h || r.CacheControl.TTL != transport.TTL1h {
		t.Error("the caller's request was changed")
	}
	if got.Model != "m" {
		t.Errorf("the model is %q", got.Model)
	}
}

// A switch is told with what led to it, and only when it happens.
func TestSwitchIsTold(t *testing.T) {
	var switches []Switch
	down := errors.New("down")
	c := made(t, Options{
		Endpoints: []Endpoint{
			{Name: "a", Client: client{features: transport.Features{Diagnostics: true}, answer: func(*transport.Request) (*transport.Response, error) { return nil, down }}},
			{Name: "b", Client: client{answer: func(*transport.Request) (*transport.Response, error) {
				return nil, &transport.Error{Status: 529, Type: transport.ErrOverloaded, Message: "private"}
			}}},
			{Name: "c", Client: client{answer: func(*transport.Request) (*transport.Response, error) { return response(t, "msg_c"), nil }}},
		},
		Observe: func(_ context.Context, s Switch) { switches = append(switches, s) },
	})
	req := newRequest()
	req.Diagnostics = &transport.Diagnostics{}
	for _, want := range []string{
		`{"type":"failover","from":"b","to":"c","reason":"overloaded_error","left_out":["diagnostics"]}`,
		`{"type":"failover","from":"a","to":"c","left_out":["diagnostics"]}`, // the others rest
	} {
		var raw string
		for ev, err := range c.Stream(t.Context(), req) {
			if err != nil {
				t.Fatal(err)
			}
			if ev.Type == EventSwitched {
				raw = string(ev.Raw)
			}
		}
		if raw != want {
			t.Errorf("%s, want %s", raw, want)
		}
	}
	if len(switches) != 1 || switches[0].From != "a" || switches[0].To != "c" || !errors.Is(switches[0].Err, transport.ErrOverloaded) || !slices.Equal(switches[0].LeftOut, []string{"diagnostics"}) {
		t.Errorf("%+v", switches)
	}
}

// The features that become part of a log are those that all endpoints have, whichever
// lacks them.
func TestFeaturesOfAll(t *testing.T) {
	all := transport.Features{LongCache: true, Diagnostics: true, SystemMessages: true, Compaction: true, InlineTools: true, Threads: true}
	for name, tt := range map[string]struct{ second, want transport.Features }{
		"all":                {all, all},
		"no system messages": {transport.Features{Compaction: true, InlineTools: true}, transport.Features{LongCache: true, Diagnostics: true, Compaction: true, InlineTools: true, Threads: true}},
		"no compaction":      {transport.Features{SystemMessages: true, InlineTools: true}, transport.Features{LongCache: true, Diagnostics: true, SystemMessages: true, InlineTools: true, Threads: true}},
		"no inline tools":    {transport.Features{SystemMessages: true, Compaction: true}, transport.Features{LongCache: true, Diagnostics: true, SystemMessages: true, Compaction: true, Threads: true}},
	} {
		for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}} {
			clients := []transport.Client{client{features: all}, client{features: tt.second}, client{features: all}}
			var endpoints []Endpoint
			for _, i := range order {
				endpoints = append(endpoints, Endpoint{Name: fmt.Sprint(i), Client: clients[i]})
			}
			if got := made(t, Options{Endpoints: endpoints}).Features(); got != tt.want {
				t.Errorf("%s: %+v", name, got)
			}
		}
	}
}

// A scripted client yields events and then fails, or ends.
type scripted struct {
	events []transport.EventType // of a response of one text
	err    error
	asked  *int
}

func (s scripted) Stream(context.Context, *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		*s.asked++
		for _, e := range s.events {
			if !yield(transport.Event{Type: e}, nil) {
				return
			}
		}
		if s.err != nil {
			yield(transport.Event{}, s.err)
		}
	}
}

// A request that an endpoint refuses behind the beginning of its answer isn't sent to it
// again without what it names: two answers would come, and be billed.
func TestRefusedBehindTheBeginning(t *testing.T) {
	for name, begun := range map[string][]transport.EventType{"at once": nil, "behind the beginning": {transport.EventMessageStart, transport.EventContentBlockDelta}} {
		asked, first := 0, 0
		c := made(t, Options{Endpoints: []Endpoint{
			{Name: "first", Client: scripted{err: errors.New("down"), asked: &first}},
			{Name: "second", Client: scripted{begun, &transport.RequestError{Field: "speed"}, &asked}},
		}})
		_, err := transport.Create(t.Context(), c, &transport.Request{Model: "m", MaxTokens: 1, Speed: "fast", Messages: []transport.Message{transport.UserText("hi")}})
		if want := map[bool]int{true: mostTries, false: 1}[begun == nil]; err == nil || asked != want || first != 1 {
			t.Errorf("%s: asked %d times, not %d; %v", name, asked, want, err)
		}
	}
}

// What counts as delivered: a delta, or a whole block without one, unless the client
// itself has started over.
func TestDelivered(t *testing.T) {
	start, stop, delta := transport.EventMessageStart, transport.EventContentBlockStop, transport.EventContentBlockDelta
	for name, tt := range map[string]struct {
		events    []transport.EventType
		restart   bool
		asked     int  // of the second
		delivered bool // as the second's error says, which ends early behind its start
	}{
		"the start of a block":     {[]transport.EventType{start, transport.EventContentBlockStart}, false, 1, false},
		"a delta":                  {[]transport.EventType{start, delta}, false, 0, true},
		"a block without a delta":  {[]transport.EventType{start, transport.EventContentBlockStart, stop}, false, 0, true},
		"the client started over":  {[]transport.EventType{start, delta, transport.EventRestarted, start}, false, 1, false},
		"it did, and said more":    {[]transport.EventType{start, delta, transport.EventRestarted, start, delta}, false, 0, true},
		"a delta, and all is void": {[]transport.EventType{start, delta}, true, 1, false},
	} {
		var first, second int
		c := made(t, Options{Restart: tt.restart, Endpoints: []Endpoint{
			{Name: "a", Client: scripted{tt.events, &transport.StreamError{Err: errors.New("reset"), Delivered: tt.delivered}, &first}},
			{Name: "b", Client: scripted{[]transport.EventType{start}, nil, &second}},
		}})
		var last error
		for _, err := range c.Stream(t.Context(), newRequest()) {
			last = err
		}
		var all *Error
		if errors.As(last, &all) {
			last = all.Failures[len(all.Failures)-1].Err
		}
		var cut *transport.StreamError
		if second != tt.asked || !errors.As(last, &cut) || cut.Delivered != tt.delivered {
			t.Errorf("%s: the second was asked %d times: %v", name, second, last)
		}
	}
}

// The first endpoint, too, is told to answer without something.
func TestFirstLeavesOut(t *testing.T) {
	c := made(t, Options{Endpoints: []Endpoint{
		{Name: "a", Client: client{features: transport.Features{Threads: true}, answer: func(*transport.Request) (*transport.Response, error) { return response(t, "msg_a"), nil }}},
		{Name: "b", Client: client{}},
	}})
	c.known.response(1, response(t, "msg_b"), true)
	for previous, want := range map[string]string{"": "", "msg_0": "", "msg_b": `{"type":"failover","from":"a","to":"a","left_out":["thread"]}`} {
		req := newRequest()
		req.Thread = &transport.Thread{PreviousMessageID: previous}
		got := ""
		for ev, err := range c.Stream(t.Context(), req) {
			if err != nil {
				t.Fatal(err)
			}
			if ev.Type == EventSwitched {
				got += string(ev.Raw)
			}
		}
		if got != want {
			t.Errorf("behind %q: told %s, want %s", previous, got, want)
		}
	}
}
