package failover_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/failover"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// direct is a client of a simulator, without retries.
func direct(t *testing.T, sim *simulator.Local, features transport.Features) transport.Client {
	t.Helper()
	c, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("key-of-the-test"), MaxRetries: -1, Features: &features})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func newClient(t *testing.T, o failover.Options) *failover.Client {
	t.Helper()
	c, err := failover.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func hello() *transport.Request {
	return &transport.Request{Model: "claude-opus-5-5", MaxTokens: 1000, Messages: []transport.Message{transport.UserText("hi")}}
}

// collect reads a stream.
func collect(seq iter.Seq2[transport.Event, error]) (types []transport.EventType, raw []string, resp *transport.Response, err error) {
	for ev, e := range seq {
		if e != nil {
			return types, raw, resp, e
		}
		types = append(types, ev.Type)
		if ev.Type == failover.EventSwitched {
			raw = append(raw, string(ev.Raw))
		}
		if ev.Type == transport.EventMessageStop {
			resp = ev.Response
		}
	}
	return types, raw, resp, nil
}

// A stub is a client that fails or answers as it is told.
type stub struct {
	features transport.Features
	answer   func(*transport.Request) (*transport.Response, error)
	begin    bool // yield message_start before a failure
	half     bool // and a delta
	seen     []*transport.Request
}

func (s *stub) Features() transport.Features { return s.features }

func (s *stub) Stream(_ context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		s.seen = append(s.seen, req)
		resp, err := s.answer(req)
		if err != nil {
			if s.begin || s.half {
				for ev := range says("msg_half", "half").Events() {
					if !yield(ev, nil) {
						return
					}
					if !s.half || ev.Type == transport.EventContentBlockDelta {
						break
					}
				}
			}
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

func says(id, text string) *transport.Response {
	r, err := transport.ParseResponse([]byte(`{"id":"` + id + `","type":"message","role":"assistant","model":"claude-opus-5-5","content":[{"type":"text","text":"` + text + `"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":2}}`))
	if err != nil {
		panic(err)
	}
	return r
}

func ok(id string) func(*transport.Request) (*transport.Response, error) {
	return func(*transport.Request) (*transport.Response, error) { return says(id, "hello"), nil }
}

func failing(err error) func(*transport.Request) (*transport.Response, error) {
	return func(*transport.Request) (*transport.Response, error) { return nil, err }
}

func overloaded() error {
	return &transport.Error{Status: 529, Type: transport.ErrOverloaded, Message: "Overloaded"}
}

// TestWhen holds what another endpoint is asked for, and what not.
func TestWhen(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want bool // another endpoint is asked
	}{
		{"overloaded", overloaded(), true},
		{"broken", &transport.Error{Status: 500, Type: transport.ErrAPI}, true},
		{"a dead region", &transport.Error{Status: 503, Type: transport.ErrAPI}, true},
		{"no credit", &transport.Error{Status: 400, Type: transport.ErrInvalidRequest, Message: "Your credit balance is too low to access the Anthropic API."}, true},
		{"a limit on spending", &transport.Error{Status: 429, Type: transport.ErrRateLimit, Code: "enforced_spend_limit_reached"}, true},
		{"unreachable", errors.New("dial tcp: no such host https://key@a.example"), true},
		{"cut before anything came", &transport.StreamError{Err: errors.New("reset")}, true},
		{"lost", &transport.LostError{Err: errors.New("reset"), Attempts: 2}, true},
		{"a rate limit", &transport.Error{Status: 429, Type: transport.ErrRateLimit}, false},
		{"a bad request", &transport.Error{Status: 400, Type: transport.ErrInvalidRequest, Message: "no"}, false},
		{"a bad key", &transport.Error{Status: 401, Type: transport.ErrAuthentication}, false},
		{"not sent", &transport.RequestError{Field: "model"}, false},
		{"canceled", context.Canceled, false},
	} {
		first, second := &stub{answer: failing(c.err)}, &stub{answer: ok("msg_2")}
		client := newClient(t, failover.Options{Endpoints: []failover.Endpoint{{Name: "a", Client: first}, {Name: "b", Client: second}}})
		_, told, resp, err := collect(client.Stream(t.Context(), hello()))
		if asked := len(second.seen) == 1; asked != c.want || failover.Unavailable(c.err) != c.want {
			t.Errorf("%s: asked %v", c.name, asked)
		}
		if c.want && (err != nil || resp.Meta.Endpoint != "b" || len(told) != 1 || resp.Meta.Attempts < 1) {
			t.Errorf("%s: %v %q", c.name, err, told)
		}
		// The reason is a word, whatever stands in the error.
		if word := regexp.MustCompile(`^{"type":"failover","from":"a","to":"b","reason":"[a-z_]+"}$`); c.want && !word.MatchString(told[0]) {
			t.Errorf("%s: told %s", c.name, told[0])
		}
		if !c.want && !errors.Is(err, c.err) {
			t.Errorf("%s: %v", c.name, err)
		}
		var lost *transport.LostError
		if errors.As(c.err, &lost) && (resp == nil || resp.Meta.Lost != 2) {
			t.Errorf("%s: what was lost isn't told", c.name)
		}
	}
}

// TestBack goes to the second endpoint while the first rests, and back.
func TestBack(t *testing.T) {
	down := true
	first, second := &stub{answer: func(*transport.Request) (*transport.Response, error) {
		if down {
			return nil, overloaded()
		}
		return says("msg_1", "hello"), nil
	}}, &stub{answer: ok("msg_2")}
	var switches []string
	client := newClient(t, failover.Options{Rest: 50 * time.Millisecond, Endpoints: []failover.Endpoint{{Name: "a", Client: first}, {Name: "b", Client: second}},
		Observe: func(_ context.Context, s failover.Switch) { switches = append(switches, s.From+">"+s.To) }})
	use := func(want string, asked int) {
		t.Helper()
		_, told, resp, err := collect(client.Stream(t.Context(), hello()))
		if err != nil || resp.Meta.Endpoint != want || len(first.seen) != asked {
			t.Errorf("%v %v, the first was asked %d times", resp, err, len(first.seen))
		}
		if (len(told) > 0) != (want == "b") {
			t.Errorf("%q", told)
		}
	}
	use("b", 1)
	use("b", 1)
	down = false
	use("b", 1)
	time.Sleep(60 * time.Millisecond)
	use("a", 2)
	use("a", 3)
	if got := strings.Join(switches, " "); got != "a>b b>a" {
		t.Errorf("%s", got)
	}
	// A resting endpoint is asked if no other answers.
	down, second.answer = true, failing(overloaded())
	_, _, _, err := collect(client.Stream(t.Context(), hello()))
	var all *failover.Error
	if !errors.As(err, &all) || len(all.Failures) != 2 || !errors.Is(err, transport.ErrOverloaded) {
		t.Errorf("%v", err)
	}
	down = false
	use("a", 5)
}

// TestBegun holds what happens when a response had begun: one of which nothing was
// delivered is void, one of which something was is an error unless that is allowed.
func TestBegun(t *testing.T) {
	broken := &transport.StreamError{Err: overloaded(), Delivered: true}
	for _, c := range []struct {
		name    string
		first   *stub
		restart bool
		want    string
	}{
		{"only message_start", &stub{begin: true, answer: failing(broken)}, false, "message_start restarted failover message_start content_block_start content_block_delta content_block_stop message_stop"},
		{"a delta", &stub{half: true, answer: failing(broken)}, false, "message_start content_block_start content_block_delta"},
		{"a delta, and it may restart", &stub{half: true, answer: failing(broken)}, true, "message_start content_block_start content_block_delta restarted failover message_start content_block_start content_block_delta content_block_stop message_stop"},
	} {
		client := newClient(t, failover.Options{Restart: c.restart, Endpoints: []failover.Endpoint{{Name: "a", Client: c.first}, {Name: "b", Client: &stub{answer: ok("msg_2")}}}})
		types, _, resp, err := collect(client.Stream(t.Context(), hello()))
		var got []string
		for _, typ := range types {
			got = append(got, string(typ))
		}
		if strings.Join(got, " ") != c.want || (err == nil) != strings.HasSuffix(c.want, "stop") || err == nil && resp.Text() != "hello" {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
}

// TestStop ends the events early: nothing is asked behind that.
func TestStop(t *testing.T) {
	for stop := range 8 {
		first, second := &stub{begin: true, answer: failing(overloaded())}, &stub{answer: ok("msg_2")}
		client := newClient(t, failover.Options{Endpoints: []failover.Endpoint{{Name: "a", Client: first}, {Name: "b", Client: second}}})
		n := 0
		for range client.Stream(t.Context(), hello()) {
			if n == stop {
				break
			}
			n++
		}
		if n != stop || len(second.seen) > 0 != (stop > 0) {
			t.Errorf("stopped at %d: %d events, the second was asked %d times", stop, n, len(second.seen))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	second := &stub{answer: ok("msg_2")}
	client := newClient(t, failover.Options{Endpoints: []failover.Endpoint{{Name: "a", Client: &stub{answer: func(*transport.Request) (*transport.Response, error) {
		cancel()
		return nil, overloaded()
	}}}, {Name: "b", Client: second}}})
	if _, _, _, err := collect(client.Stream(ctx, hello())); err == nil || len(second.seen) > 0 {
		t.Errorf("%v", err)
	}
}

// TestLeftOut holds each thing that another endpoint can't take, by its request.
func TestLeftOut(t *testing.T) {
	file, err := transport.Document{FileID: "file_011"}.Block()
	if err != nil {
		t.Fatal(err)
	}
	nested, err := transport.ParseBlock([]byte(`{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"see"},{"type":"image","source":{"type":"file","file_id":"file_012"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	long := []transport.Breakpoint{{Part: transport.PartMessages, TTL: transport.TTL1h}}
	all := *anthropic.AllFeatures()
	tests := []struct {
		name     string
		features transport.Features // of the second endpoint
		same     bool
		change   func(*transport.Request)
		refuse   error  // by the second endpoint, once
		left     string // in the event
		hasNot   string // in the body
		has      string
	}{
		{"nothing", all, false, func(*transport.Request) {}, nil, "", "\x00", `"hi"`},
		{"a thread where there are none", transport.Features{}, false, func(r *transport.Request) { r.Thread = &transport.Thread{PreviousMessageID: "msg_0", Held: 1} }, nil, "thread", `"thread"`, `"hi"`},
		{"a thread of another one", all, false, func(r *transport.Request) { r.Thread = &transport.Thread{PreviousMessageID: "msg_0", Held: 1} }, nil, "thread", `"msg_0"`, `"thread":{"type":"create"}`},
		{"the same account", all, true, func(r *transport.Request) {
			r.Thread = &transport.Thread{PreviousMessageID: "msg_0", Held: 0}
			r.Container = json.RawMessage(`"container_1"`)
		}, nil, "", "create", `"container_1"`},
		{"a container", all, false, func(r *transport.Request) { r.Container = json.RawMessage(`"container_1"`) }, nil, "the container container_1", "container_1", `"hi"`},
		{"a container with skills", all, false, func(r *transport.Request) {
			r.Container = json.RawMessage(`{"id":"container_1","skills":[{"type":"anthropic","skill_id":"pdf"}]}`)
		}, nil, "the container container_1", "container_1", `"pdf"`},
		{"diagnostics", all, false, func(r *transport.Request) { r.Diagnostics = &transport.Diagnostics{PreviousMessageID: "msg_0"} }, nil, "diagnostics", "diagnostics", `"hi"`},
		{"marks for an hour", transport.Features{}, false, func(r *transport.Request) { r.Breakpoints = long }, nil, "cache marks for an hour", `"1h"`, `"cache_control"`},
		{"a mark on top", transport.Features{}, false, func(r *transport.Request) { r.CacheControl = &transport.CacheControl{TTL: transport.TTL1h} }, nil, "cache marks for an hour", `"1h"`, `"cache_control"`},
		{"files", all, false, func(r *transport.Request) {
			r.Messages[0].Content = append(slices.Clone(r.Messages[0].Content), file, nested)
		}, nil, "files", "file_01", "[left out"},
		{"speed, which it says it doesn't take", all, false, func(r *transport.Request) { r.Speed = "fast" }, &transport.RequestError{Field: "speed", Reason: "no"}, "speed", "fast", `"hi"`},
		{"thinking that it refuses", all, false, func(r *transport.Request) {
			thought, _ := transport.ParseBlock([]byte(`{"type":"thinking","thinking":"hm","signature":"c2ln"}`))
			r.Messages = append(r.Messages, transport.Message{Role: transport.RoleAssistant, Content: []transport.Block{thought, transport.Text("yes")}}, transport.UserText("and?"))
		}, &transport.Error{Status: 400, Type: transport.ErrInvalidRequest, Message: "messages.1.content.0: Invalid `signature` in `thinking` block"}, "thinking", `"thinking"`, `"yes"`},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			refusals := 0
			second := &stub{features: c.features}
			second.answer = func(r *transport.Request) (*transport.Response, error) {
				body, err := r.Body()
				if err != nil {
					return nil, err
				}
				if c.refuse != nil && strings.Contains(string(body.Bytes()), c.hasNot) {
					refusals++
					return nil, c.refuse
				}
				return says("msg_2", "hello"), nil
			}
			client := newClient(t, failover.Options{Endpoints: []failover.Endpoint{{Name: "a", Client: &stub{features: all, answer: failing(overloaded())}}, {Name: "b", Client: second, SameAccount: c.same}}})
			req := hello()
			c.change(req)
			before, err := req.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				_, told, _, err := collect(client.Stream(t.Context(), req))
				if err != nil || len(told) != 1 || !strings.Contains(told[0], c.left) || c.left == "" && strings.Contains(told[0], "left_out") {
					t.Fatalf("%q, %v", told, err)
				}
				body, err := second.seen[len(second.seen)-1].Body()
				if err != nil {
					t.Fatal(err)
				}
				if got := string(body.Bytes()); strings.Contains(got, c.hasNot) || !strings.Contains(got, c.has) {
					t.Errorf("%s", got)
				}
			}
			if c.name == "thinking that it refuses" && refusals != 1 {
				t.Errorf("it was refused %d times: what was learned is to be kept", refusals)
			}
			if after, _ := req.MarshalJSON(); string(after) != string(before) {
				t.Errorf("the caller's request was changed: %s", after)
			}
		})
	}
}

// TestThreadsBetween follows threads over a switch and back: the first endpoint is
// never told to go on from a response of the second.
func TestThreadsBetween(t *testing.T) {
	for _, same := range []bool{false, true} { // the second has no threads, of whichever account it is
		threadsBetween(t, same)
	}
}

func threadsBetween(t *testing.T, same bool) {
	t.Helper()
	down := false
	n := 0
	all := *anthropic.AllFeatures()
	first := &stub{features: all, answer: func(*transport.Request) (*transport.Response, error) {
		if down {
			return nil, overloaded()
		}
		n++
		return says(fmt.Sprint("msg_a", n), "hello"), nil
	}}
	second := &stub{answer: ok("msg_b")}
	client := newClient(t, failover.Options{Rest: time.Nanosecond, Endpoints: []failover.Endpoint{{Name: "a", Client: first}, {Name: "b", Client: second, SameAccount: same}}})
	send := func(previous string) *transport.Thread {
		t.Helper()
		req := hello()
		req.Thread = &transport.Thread{PreviousMessageID: previous}
		if _, _, _, err := collect(client.Stream(t.Context(), req)); err != nil {
			t.Fatal(err)
		}
		return first.seen[len(first.seen)-1].Thread
	}
	if th := send(""); th == nil || th.PreviousMessageID != "" {
		t.Errorf("%+v", th)
	}
	if th := send("msg_a1"); th.PreviousMessageID != "msg_a1" {
		t.Errorf("%+v", th)
	}
	down = true
	send("msg_a2") // answered by the second, without a thread
	down = false
	if th := send("msg_b"); th == nil || th.PreviousMessageID != "" {
		t.Errorf("the first was told to go on from the second's: %+v", th)
	}
	if th := send("msg_a3"); th.PreviousMessageID != "msg_a3" {
		t.Errorf("%+v", th)
	}
}

// TestTraced holds what the span of a request is told.
func TestTraced(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	ctx, span := provider.Tracer("test").Start(t.Context(), "chat")
	client := newClient(t, failover.Options{Endpoints: []failover.Endpoint{{Name: "a", Client: &stub{answer: failing(overloaded())}}, {Name: "b", Client: &stub{answer: ok("msg_2")}}}})
	req := hello()
	req.Container = json.RawMessage(`"container_1"`)
	if _, _, _, err := collect(client.Stream(ctx, req)); err != nil {
		t.Fatal(err)
	}
	span.End()
	got := spans.GetSpans()[0]
	if len(got.Events) != 1 || got.Events[0].Name != "whorl.failover" {
		t.Fatalf("%+v", got.Events)
	}
	text := fmt.Sprint(got.Attributes, got.Events[0].Attributes)
	for _, want := range []string{"whorl.endpoint", "whorl.failover.from", "overloaded_error", "the container container_1"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}

func TestBadOptions(t *testing.T) {
	a := &stub{}
	for want, endpoints := range map[string][]failover.Endpoint{
		"fewer than two":    {{Name: "a", Client: a}},
		"no Client":         {{Name: "a", Client: a}, {Name: "b"}},
		"no Name":           {{Name: "a", Client: a}, {Client: a}},
		`have the Name "a"`: {{Name: "a", Client: a}, {Name: "a", Client: a}},
	} {
		if _, err := failover.New(failover.Options{Endpoints: endpoints}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestModelAndFeatures holds the id at another endpoint, and what is known of both.
func TestModelAndFeatures(t *testing.T) {
	second := &stub{features: transport.Features{LongCache: true}, answer: ok("msg_2")}
	client := newClient(t, failover.Options{Endpoints: []failover.Endpoint{
		{Name: "a", Client: &stub{features: *anthropic.AllFeatures(), answer: failing(overloaded())}},
		{Name: "b", Client: second, Model: func(id string) string { return "anthropic." + id }, Prices: []models.Model{{ID: "anthropic.claude-opus-5-5", Aliases: []string{"claude-opus-5-5"}}}},
	}})
	if _, _, _, err := collect(client.Stream(t.Context(), hello())); err != nil || second.seen[0].Model != "anthropic.claude-opus-5-5" {
		t.Errorf("%v %q", err, second.seen[0].Model)
	}
	if f := client.Features(); !f.Threads || !f.LongCache || f.SystemMessages || f.InlineTools || f.Compaction {
		t.Errorf("%+v", f)
	}
	if m, ok := models.Lookup("b/claude-opus-5-5", client.Models()...); !ok || m.ID != "b/anthropic.claude-opus-5-5" {
		t.Errorf("%+v", client.Models())
	}
}

// TestMany uses one client from many goroutines, while the first endpoint comes and
// goes.
func TestMany(t *testing.T) {
	var mu sync.Mutex
	n := 0
	flaky := clientFunc(func(req *transport.Request) (*transport.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		if n++; n%3 == 0 {
			return nil, overloaded()
		}
		return says(fmt.Sprint("msg_", n), "hello"), nil
	})
	client := newClient(t, failover.Options{Rest: time.Microsecond, Endpoints: []failover.Endpoint{{Name: "a", Client: flaky}, {Name: "b", Client: clientFunc(ok("msg_b"))}}})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 50 {
				if _, err := transport.Create(t.Context(), client, hello()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

type clientFunc func(*transport.Request) (*transport.Response, error)

func (f clientFunc) Stream(_ context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	return (&stub{answer: f}).Stream(context.Background(), req)
}

// TestStatuses takes a real client and server in the place of the first.
func TestStatuses(t *testing.T) {
	second := simulator.StartTest(t, simulator.Options{Model: simulator.Script(simulator.Say("two"), simulator.Say("two"), simulator.Say("two"), simulator.Say("two"), simulator.Say("two"))})
	for _, fault := range []simulator.Fault{{Status: 529}, {Status: 500}, {Status: 504}, {Reset: true}, {Status: 529, AfterEvents: 1}} {
		first := simulator.StartTest(t, simulator.Options{Faults: []simulator.Fault{fault}})
		client := newClient(t, failover.Options{Endpoints: []failover.Endpoint{{Name: "a", Client: direct(t, first, transport.Features{})}, {Name: "b", Client: direct(t, second, transport.Features{})}}})
		resp, err := transport.Create(t.Context(), client, hello())
		if err != nil || resp.Text() != "two" || resp.Meta.Endpoint != "b" {
			t.Errorf("%s: %v", fault, err)
		}
		if fault.Reset && (resp == nil || resp.Meta.Lost != 1) {
			t.Errorf("what the first may have billed isn't told")
		}
	}
	dead, err := anthropic.New(anthropic.Options{BaseURL: "http://127.0.0.1:1", APIKey: secret.New("key-of-the-test"), MaxRetries: -1, HTTPClient: &http.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	third := simulator.StartTest(t, simulator.Options{})
	client := newClient(t, failover.Options{Endpoints: []failover.Endpoint{{Name: "a", Client: dead}, {Name: "b", Client: direct(t, third, transport.Features{})}}})
	if resp, err := transport.Create(t.Context(), client, hello()); err != nil || resp.Meta.Endpoint != "b" || resp.Meta.Lost != 0 {
		t.Errorf("%v", err)
	}
}
