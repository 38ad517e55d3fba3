package memory_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// response makes a response record of a stop reason and content blocks.
func response(t *testing.T, stop string, content ...string) memory.Record {
	t.Helper()
	raw := fmt.Sprintf(`{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[%s],"stop_reason":%q,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}`,
		strings.Join(content, ","), stop)
	r, err := transport.ParseResponse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return memory.Record{Kind: memory.KindResponse, Response: r}
}

func input(text string) memory.Record {
	return memory.Record{Kind: memory.KindInput, Message: transport.UserText(text)}
}

func result(id, text string) memory.Record {
	return memory.Record{Kind: memory.KindResult, Block: transport.ToolResult(id, transport.Text(text))}
}

func wire(l *memory.Log) string {
	var b strings.Builder
	for _, m := range l.Messages() {
		fmt.Fprintf(&b, "%s", string(m.Role)[:1])
		for _, blk := range m.Content {
			switch blk.Type() {
			case "text":
				fmt.Fprintf(&b, " %s", transport.Message{Content: []transport.Block{blk}}.Text())
			case "tool_result":
				fmt.Fprintf(&b, " =%s", blk.ToolUseID())
			default:
				var v struct{ ID string }
				json.Unmarshal(blk.Raw(), &v)
				fmt.Fprintf(&b, " %s:%s", blk.Type(), v.ID)
			}
		}
		b.WriteString("; ")
	}
	return strings.TrimSuffix(b.String(), "; ")
}

const (
	callA   = `{"type":"tool_use","id":"a","name":"f","input":{}}`
	callB   = `{"type":"tool_use","id":"b","name":"f","input":{}}`
	server  = `{"type":"server_tool_use","id":"s","name":"web_search","input":{}}`
	served  = `{"type":"web_search_tool_result","tool_use_id":"s","content":[]}`
	text    = `{"type":"text","text":"hm"}`
	empty   = `{"type":"text","text":""}`
	thought = `{"type":"thinking","thinking":"","signature":"x"}`
	strange = `{ "type" : "from_next_year", "n": 9007199254740993 }`
)

func TestMessagesFollowFromRecords(t *testing.T) {
	tests := []struct {
		name    string
		records func(t *testing.T) []memory.Record
		want    string
	}{
		{"results in call order", func(t *testing.T) []memory.Record {
			return []memory.Record{input("q"), response(t, "tool_use", callA, callB), result("b", "2"), result("a", "1")}
		}, "u q; a tool_use:a tool_use:b; u =a =b"},
		{"nothing until the last result", func(t *testing.T) []memory.Record {
			return []memory.Record{input("q"), response(t, "tool_use", callA, callB), result("b", "2")}
		}, "u q; a tool_use:a tool_use:b"},
		{"an input waits for the results", func(t *testing.T) []memory.Record {
			return []memory.Record{input("q"), response(t, "tool_use", callA), input("wait"), result("a", "1")}
		}, "u q; a tool_use:a; u =a; u wait"},
		{"an input waits for a paused turn", func(t *testing.T) []memory.Record {
			return []memory.Record{input("q"), response(t, "pause_turn", server), input("wait")}
		}, "u q; a server_tool_use:s"},
		{"and lands behind what follows it", func(t *testing.T) []memory.Record {
			return []memory.Record{input("q"), response(t, "pause_turn", server), input("wait"), response(t, "end_turn", served, text)}
		}, "u q; a server_tool_use:s; a web_search_tool_result: hm; u wait"},
		{"a refusal takes back what waited for it", func(t *testing.T) []memory.Record {
			return []memory.Record{input("q"), response(t, "pause_turn", server), input("wait"), response(t, "refusal")}
		}, "u q; u wait"},
		{"with the results in between", func(t *testing.T) []memory.Record {
			return []memory.Record{input("q"), response(t, "tool_use", server, callA), result("a", "1"), response(t, "refusal"), input("then")}
		}, "u q; u then"},
		{"an input waits for a deferred server call, past the results", func(t *testing.T) []memory.Record {
			return []memory.Record{input("q"), response(t, "tool_use", server, callA), input("wait"), result("a", "1")}
		}, "u q; a server_tool_use:s tool_use:a; u =a"},
		{"blank text is left out, the rest stays", func(t *testing.T) []memory.Record {
			return []memory.Record{input("q"), response(t, "end_turn", thought, empty, strange, text)}
		}, "u q; a thinking: from_next_year: hm"},
		{"an empty turn leaves nothing", func(t *testing.T) []memory.Record {
			return []memory.Record{input("q"), response(t, "end_turn"), input("go on")}
		}, "u q; u go on"},
		{"a refusal leaves nothing, and its calls are not open", func(t *testing.T) []memory.Record {
			return []memory.Record{input("q"), response(t, "refusal", text, callA), input("then this")}
		}, "u q; u then this"},
		{"a thinking-only turn stays", func(t *testing.T) []memory.Record {
			return []memory.Record{input("q"), response(t, "end_turn", thought), input("and?")}
		}, "u q; a thinking:; u and?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := memory.NewLog()
			for _, r := range tt.records(t) {
				if err := l.Append(context.Background(), r); err != nil {
					t.Fatal(err)
				}
			}
			if got := wire(l); got != tt.want {
				t.Errorf("messages:\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestAppendRefusesWhatDoesNotFit(t *testing.T) {
	ctx := context.Background()
	tests := []struct {
		name   string
		before []memory.Record
		bad    memory.Record
		want   string
	}{
		{"response to nothing", nil, response(t, "end_turn", text), "needs a message"},
		{"response over open calls", []memory.Record{input("q"), response(t, "tool_use", callA)}, response(t, "end_turn", text), "unanswered"},
		{"result for nobody", []memory.Record{input("q")}, result("a", "1"), `no open tool call has the id "a"`},
		{"second result", []memory.Record{input("q"), response(t, "tool_use", callA, callB), result("a", "1")}, result("a", "1"), "has a result already"},
		{"input of no role", nil, memory.Record{Kind: memory.KindInput, Message: transport.Message{Role: "tool", Content: []transport.Block{transport.Text("x")}}}, "role user or system"},
		{"empty input", nil, memory.Record{Kind: memory.KindInput, Message: transport.Message{Role: "user"}}, "needs content"},
		{"decision nobody asked for", []memory.Record{input("q"), response(t, "tool_use", callA)}, memory.Record{Kind: memory.KindDecision, Decision: &memory.Decision{CallID: "a"}}, "does not wait"},
		{"unknown kind", nil, memory.Record{Kind: "future"}, "newer version"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := memory.NewLog()
			if err := l.Append(ctx, tt.before...); err != nil {
				t.Fatal(err)
			}
			before, n, open := wire(l), l.Len(), len(l.State().Open)
			// A good record in front of the bad one must not stay either.
			err := l.Append(ctx, memory.Record{Kind: memory.KindNote, Note: "n"}, tt.bad)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want one with %q", err, tt.want)
			}
			if l.Len() != n || wire(l) != before || len(l.State().Open) != open {
				t.Errorf("the log changed: %d records, was %d; %s, was %s", l.Len(), n, wire(l), before)
			}
		})
	}
}

// Who looks at a fork of a session sees for whom it is, as in the session.
func TestForkHasTheMetadata(t *testing.T) {
	log, err := memory.Create(new(memory.RAM), "s", &memory.Start{Meta: map[string]string{"user": "ann"}})
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, log, input("q"))
	at, err := log.ForkAt(1)
	if err != nil {
		t.Fatal(err)
	}
	for name, fork := range map[string]*memory.Log{"Fork": log.Fork(), "ForkAt": at, "of a fork": log.Fork().Fork()} {
		if got := fork.Meta(); len(got) != 1 || got["user"] != "ann" {
			t.Errorf("%s: %v", name, got)
		}
		if err := fork.SetMeta(t.Context(), map[string]string{"user": "bob"}); err != nil {
			t.Fatal(err)
		}
	}
	if got := log.Meta()["user"]; got != "ann" {
		t.Errorf("a fork has changed it to %q", got)
	}
}

func TestForkSharesThePrefix(t *testing.T) {
	ctx := context.Background()
	l := memory.NewLog()
	if err := l.Append(ctx, input("q"), response(t, "tool_use", callA)); err != nil {
		t.Fatal(err)
	}
	f := l.Fork()
	if err := l.Append(ctx, result("a", "parent")); err != nil {
		t.Fatal(err)
	}
	if err := f.Append(ctx, result("a", "child"), input("more")); err != nil {
		t.Fatal(err)
	}
	if got, want := wire(l), "u q; a tool_use:a; u =a"; got != want {
		t.Errorf("parent: %s, want %s", got, want)
	}
	if got, want := wire(f), "u q; a tool_use:a; u =a; u more"; got != want {
		t.Errorf("child: %s, want %s", got, want)
	}
	if p, c := l.Messages()[2].Content[0].Raw(), f.Messages()[2].Content[0].Raw(); string(p) == string(c) {
		t.Errorf("the child's result reached the parent: %s", p)
	}
	if p, c := &l.Messages()[1].Content[0].Raw()[0], &f.Messages()[1].Content[0].Raw()[0]; p != c {
		t.Error("the fork copied bytes")
	}
	at, err := l.ForkAt(1)
	if err != nil {
		t.Fatal(err)
	}
	if got := wire(at); got != "u q" || at.Len() != 1 {
		t.Errorf("fork at 1: %s with %d records", got, at.Len())
	}
	n := 0
	for i, r := range f.Records(0) {
		if i != n {
			t.Errorf("record %d has position %d", n, i)
		}
		n++
		_ = r
	}
	if n != f.Len() || n != 4 {
		t.Errorf("the child yields %d records, Len says %d, want 4", n, f.Len())
	}
}

func TestStoreConflict(t *testing.T) {
	ctx := context.Background()
	store := new(memory.RAM)
	a, err := memory.Create(store, "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Append(ctx, input("q")); err != nil {
		t.Fatal(err)
	}
	b, err := memory.Open(ctx, store, "s")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Append(ctx, response(t, "end_turn", text)); err != nil {
		t.Fatal(err)
	}
	err = b.Append(ctx, response(t, "end_turn", text))
	if err == nil || !strings.Contains(err.Error(), memory.ErrConflict.Error()) {
		t.Fatalf("two writers: %v", err)
	}
	if got := wire(b); got != "u q" {
		t.Errorf("the loser's log changed: %s", got)
	}
}

// What is known of requests tells what the cache may hold. Those of a turn that was
// taken back are none of the conversation any more.
func TestRequestsOfADroppedPause(t *testing.T) {
	log := memory.NewLog()
	for _, r := range []memory.Record{input("q"), response(t, "pause_turn", server), input("wait"), response(t, "refusal")} {
		mustAppend(t, log, r)
	}
	for _, r := range log.State().Requests {
		if r.Messages > 1 {
			t.Errorf("a request of %d messages is remembered; of those that stand the first only was sent", r.Messages)
		}
	}
	if len(log.State().Requests) == 0 {
		t.Error("the request that stands is not remembered")
	}
}

// A run that a final tool has ended says nothing of the next one.
func TestFinalIsOfOneRun(t *testing.T) {
	log := memory.NewLog()
	final := result("a", "1")
	final.Final = true
	for _, r := range []memory.Record{{Kind: memory.KindRun}, input("q"), response(t, "tool_use", callA), final} {
		mustAppend(t, log, r)
	}
	if !log.State().Final {
		t.Error("the final result did not count")
	}
	mustAppend(t, log, memory.Record{Kind: memory.KindRun})
	if log.State().Final {
		t.Error("a new run has ended before it began")
	}
}
