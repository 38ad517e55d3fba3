package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A script is a client that answers with its replies, one a request, and keeps
// what it was sent. A reply is a response, an error, or a function that gives one.
type script struct {
	mu       sync.Mutex
	replies  []any
	requests []*transport.Request
}

func (s *script) Stream(ctx context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		s.mu.Lock()
		s.requests = append(s.requests, req)
		var reply any = fmt.Errorf("the script has no reply %d", len(s.requests))
		if len(s.replies) > 0 {
			reply, s.replies = s.replies[0], s.replies[1:]
		}
		s.mu.Unlock()
		if by, ok := reply.(func(*transport.Request) *transport.Response); ok {
			reply = by(req)
		}
		switch reply := reply.(type) {
		case error:
			yield(transport.Event{}, reply)
		case func(context.Context) error:
			yield(transport.Event{}, reply(ctx))
		case *transport.Response:
			if !yield(transport.Event{Type: transport.EventMessageStart, Response: reply}, nil) {
				return
			}
			yield(transport.Event{Type: transport.EventMessageStop, Response: reply}, nil)
		}
	}
}

func reply(t testing.TB, stop string, content ...string) *transport.Response {
	t.Helper()
	raw := fmt.Sprintf(`{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5-5","content":[%s],"stop_reason":%q,"stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":5}}`,
		strings.Join(content, ","), stop)
	r, err := transport.ParseResponse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func text(s string) string {
	q, _ := json.Marshal(s)
	return `{"type":"text","text":` + string(q) + `}`
}

func use(id, name, input string) string {
	return fmt.Sprintf(`{"type":"tool_use","id":%q,"name":%q,"input":%s,"caller":{"type":"direct"}}`, id, name, input)
}

// A fake is a tool made of a function.
type fake struct {
	name   string
	traits tools.Traits
	call   func(ctx context.Context, input json.RawMessage) (tools.Result, error)
}

func (f fake) Definition() (transport.ToolDefinition, error) {
	return transport.ParseToolDefinition([]byte(fmt.Sprintf(`{"name":%q,"input_schema":{"type":"object"}}`, f.name)))
}
func (f fake) Traits() tools.Traits { return f.traits }
func (f fake) Call(ctx context.Context, input json.RawMessage) (tools.Result, error) {
	return f.call(ctx, input)
}

// echo is a tool that gives its arguments back.
func echo(name string) fake {
	return fake{name: name, call: func(_ context.Context, input json.RawMessage) (tools.Result, error) {
		return tools.Text(string(input)), nil
	}}
}

func newAgent(t testing.TB, s *script, opts agent.Options, ts ...tools.Tool) *agent.Agent {
	t.Helper()
	opts.Client, opts.Model = s, "claude-opus-5-5"
	opts.Tools = append(opts.Tools, ts...)
	a, err := agent.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// finish reads a run's events to their end.
func finish(ctx context.Context, run *agent.Run) (*agent.Result, error) {
	for range run.Events(ctx) {
	}
	return run.Result()
}

// checkValid fails the test unless the service would take the log's messages:
// each call answered, once, in order, directly behind it.
func checkValid(t testing.TB, log *memory.Log) {
	t.Helper()
	messages := log.Messages()
	for i, m := range messages {
		var ids []string
		for _, b := range m.Content {
			if b.Type() == transport.TypeToolUse {
				var v struct{ ID string }
				if err := json.Unmarshal(b.Raw(), &v); err != nil {
					t.Fatal(err)
				}
				ids = append(ids, v.ID)
			}
		}
		if len(ids) == 0 {
			continue
		}
		if i+1 == len(messages) {
			t.Errorf("messages.%d: calls %v are the end of the log", i, ids)
			continue
		}
		var got []string
		for _, b := range messages[i+1].Content {
			if b.Type() == transport.TypeToolResult {
				got = append(got, b.ToolUseID())
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(ids) {
			t.Errorf("messages.%d: calls %v, results %v", i, ids, got)
		}
	}
}

// billOf is the bill of a log and of those below it.
func billOf(t testing.TB, log *memory.Log) agent.Bill {
	t.Helper()
	b, err := agent.BillOf(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// whyNot is why a decision was not taken; empty if the error reports none.
func whyNot(err error) string {
	var wrong *agent.DecisionError
	if !errors.As(err, &wrong) {
		return ""
	}
	return wrong.Why
}
