package waiting_test

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
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A brain is a client that answers by what it is sent, so that it can be made again in
// every process.
type brain func(req *transport.Request) *transport.Response

func (b brain) Stream(ctx context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(transport.Event{}, err)
			return
		}
		resp := b(req)
		if yield(transport.Event{Type: transport.EventMessageStart, Response: resp}, nil) {
			yield(transport.Event{Type: transport.EventMessageStop, Response: resp}, nil)
		}
	}
}

// results are the texts of all tool results of a request, in order.
func results(req *transport.Request) []string {
	var list []string
	for _, m := range req.Messages {
		for _, b := range m.Content {
			if b.Type() == transport.TypeToolResult {
				list = append(list, string(b.Raw()))
			}
		}
	}
	return list
}

func reply(stop string, content ...string) *transport.Response {
	r, err := transport.ParseResponse(fmt.Appendf(nil, `{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5-5","content":[%s],"stop_reason":%q,"stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":5}}`, strings.Join(content, ","), stop))
	if err != nil {
		panic(err)
	}
	return r
}

func text(s string) string {
	q, _ := json.Marshal(s)
	return `{"type":"text","text":` + string(q) + `}`
}

func use(id, name, input string) string {
	return fmt.Sprintf(`{"type":"tool_use","id":%q,"name":%q,"input":%s}`, id, name, input)
}

// once answers the first request with calls, and the next one with the text of their
// results.
func once(calls ...string) brain {
	return func(req *transport.Request) *transport.Response {
		if r := results(req); len(r) > 0 {
			return reply("end_turn", text("got "+strings.Join(r, " ")))
		}
		return reply("tool_use", calls...)
	}
}

func newAgent(t testing.TB, b transport.Client, ts ...tools.Tool) *agent.Agent {
	t.Helper()
	a, err := agent.New(agent.Options{Client: b, Model: "claude-opus-5-5", Tools: ts, Limits: agent.Limits{Lease: -1}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// An effect counts what it did, by its argument.
type effects struct {
	mu  sync.Mutex
	ran map[string]int
}

func (e *effects) tool(name string, traits tools.Traits) tools.Tool {
	return tools.RawWith(name, "Has an effect.", json.RawMessage(`{"type":"object","properties":{"what":{"type":"string"}}}`), func(_ context.Context, in json.RawMessage) (tools.Result, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.ran == nil {
			e.ran = make(map[string]int)
		}
		e.ran[string(in)]++
		return tools.Text("did " + string(in)), nil
	}, tools.Options{Traits: traits})
}

// deep is an agent, with a sub-agent, with a sub-agent, whose two calls need an
// approval.
func deep(t testing.TB, e *effects) *agent.Agent {
	leaf := newAgent(t, once(use("l1", "delete", `{"what":"a"}`), use("l2", "delete", `{"what":"b"}`)), e.tool("delete", tools.Traits{NeedsApproval: true}))
	mid := newAgent(t, once(use("m1", "leaf", `{"task":"delete"}`)), agent.Sub{Agent: leaf, Name: "leaf", Description: "Deletes."})
	return newAgent(t, once(use("r1", "mid", `{"task":"clean up"}`)), agent.Sub{Agent: mid, Name: "mid", Description: "Cleans up."})
}

func waits(t testing.TB, store memory.Store, session string) []waiting.Item {
	t.Helper()
	items, err := waiting.List(t.Context(), store, session)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(items)
	if err != nil {
		t.Fatal(err)
	}
	items = nil
	if err := json.Unmarshal(raw, &items); err != nil {
		t.Fatal(err)
	}
	return items
}

// An approval three levels deep is listed with who asks, and decided by another
// process; what was decided runs once, and the root has the answer.
func TestThreeLevels(t *testing.T) {
	store, e := new(memory.RAM), new(effects)
	in := agent.Input{Store: store, Session: "root", Prompt: "clean up"}
	for range 3 { // nothing changes while nothing is decided
		_, err := deep(t, e).Run(t.Context(), in)
		var wait *agent.ApprovalError
		if !errors.As(err, &wait) || len(wait.Calls) != 2 || len(wait.Questions) != 0 {
			t.Fatalf("the run ended with %v", err)
		}
		in.Prompt = ""
	}
	if info, err := store.Info(t.Context(), "root"); err != nil || info.Records > 6 {
		t.Errorf("%d records, %v: runs that find nothing to do must not add any", info.Records, err)
	}
	items := waits(t, store, "root")
	if len(items) != 2 || strings.Join(items[0].Agents, ">") != "mid>leaf" || items[0].Tool != "delete" || items[0].Kind != "approval" || items[0].Since.IsZero() {
		t.Fatalf("%+v", items)
	}
	if err := items[0].Answer(t.Context(), store, json.RawMessage(`1`), ""); !errors.Is(err, waiting.ErrKind) {
		t.Errorf("answer to an approval: %v", err)
	}
	if err := items[0].Edit(t.Context(), store, json.RawMessage(`{"what":"c"}`)); err != nil {
		t.Fatal(err)
	}
	var late *agent.DecisionError
	if err := items[0].Approve(t.Context(), store); !errors.As(err, &late) || late.Why != "decided" {
		t.Errorf("doubled: %v", err)
	}
	if due := dueNow(t, store); len(due) != 1 || due[0] != "root" {
		t.Errorf("due are %v", due)
	}
	if _, err := deep(t, e).Run(t.Context(), in); !errors.Is(err, agent.ErrAwaitingApproval) || e.ran[`{"what":"c"}`] != 1 {
		t.Fatalf("half decided: %v, ran %v", err, e.ran)
	}
	if items = waits(t, store, "root"); len(items) != 1 {
		t.Fatalf("%d items", len(items))
	}
	if err := items[0].Deny(t.Context(), store, "b is needed"); err != nil {
		t.Fatal(err)
	}
	res, err := deep(t, e).Run(t.Context(), in)
	if err != nil || !strings.Contains(res.Text, "b is needed") || !strings.Contains(res.Text, `did`) {
		t.Fatalf("%v: %s", err, res.Text)
	}
	if len(e.ran) != 1 || e.ran[`{"what":"c"}`] != 1 || len(waits(t, store, "root")) != 0 {
		t.Errorf("ran %v", e.ran)
	}
}

func dueNow(t testing.TB, store memory.Waker) (ids []string) {
	for info, err := range store.Due(t.Context(), memory.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, info.ID)
	}
	return ids
}

var errKilled = errors.New("the process was killed")

// A mortal store kills its process at an append: before it or behind it.
type mortal struct {
	memory.Store
	mu     *sync.Mutex
	left   *int
	behind bool
}

func (m mortal) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	*m.left--
	if *m.left > 0 || *m.left == 0 && m.behind {
		err := m.Store.Append(ctx, id, at, records...)
		if *m.left > 0 || err != nil {
			return err
		}
	}
	return errKilled
}

// kill makes a store that lets n appends through.
func kill(s memory.Store, n int, behind bool) mortal {
	return mortal{Store: s, mu: new(sync.Mutex), left: &n, behind: behind}
}

// Killed at every append, with the decisions made by other processes: nothing is
// lost, run twice or refused. WHORL_FAULTS=long takes all moments on each store.
func TestThreeLevelsKilledAtEveryAppend(t *testing.T) {
	for _, p := range places(t) {
		t.Run(p.name, func(t *testing.T) {
			cases := 0
			for _, behind := range []bool{false, true} {
				for n := 1; ; n += (p.every + 2) / 3 {
					cases++
					if done := killedOnce(t, p, n, behind); done {
						if n < 8 {
							t.Errorf("only %d appends", n)
						}
						break
					}
				}
			}
			t.Logf("%d cases", cases)
		})
	}
}

// killedOnce kills the first two runs at their nth append, and those that follow a
// little later each. It reports whether the first came to its end.
func killedOnce(t *testing.T, p *place, n int, behind bool) (through bool) {
	e := new(effects)
	in := agent.Input{Session: p.session(), Prompt: "clean up"}
	decided := 0
	for try := 0; try < 60; try++ {
		in.Store = kill(p.run, n+try/2, behind)
		res, err := deep(t, e).Run(t.Context(), in)
		through = through || try == 0 && !errors.Is(err, errKilled)
		if info, e := p.decide.Info(t.Context(), in.Session); e == nil && info.Records > 0 {
			in.Prompt = ""
		}
		if err == nil {
			// A kill between the record that a call begins and its effect, or behind the
			// effect, makes the outcome unknown, and told.
			told := strings.Contains(res.Text, "unknown")
			if ran := e.ran[`{"what":"c"}`]; decided != 2 || len(e.ran) > 1 || ran > 1 || ran == 0 && !told || !strings.Contains(res.Text, "not permitted: no") {
				t.Errorf("killed at append %d (behind: %v): %d decided, ran %v: %s", n, behind, decided, e.ran, res.Text)
			}
			return through
		}
		if !errors.Is(err, errKilled) && !errors.Is(err, agent.ErrAwaitingApproval) {
			t.Fatalf("killed at append %d: %v", n, err)
		}
		items := waits0(t, p.decide, in.Session)
		if len(items) == 0 || try%2 == 0 && len(items) > 1 && n%2 == 0 {
			continue // decide one at a time
		}
		if it := items[0]; it.Call.Input == `{"what":"a"}` {
			err = it.Edit(t.Context(), p.decide, json.RawMessage(`{"what":"c"}`))
		} else {
			err = it.Deny(t.Context(), p.decide, "no")
		}
		if err != nil {
			t.Fatalf("killed at append %d: a decision was refused: %v", n, err)
		}
		decided++
	}
	t.Fatalf("killed at append %d: it never came to an end", n)
	return false
}

// waits0 is waits for a session that may not be there yet.
func waits0(t testing.TB, store memory.Store, session string) []waiting.Item {
	if _, err := store.Info(t.Context(), session); errors.Is(err, memory.ErrNoSession) {
		return nil
	}
	return waits(t, store, session)
}

// What is wrong about an item or an answer is told by a typed error that says what to
// do, and what waits goes on waiting.
func TestBadItems(t *testing.T) {
	store, e := new(memory.RAM), new(effects)
	in := agent.Input{Store: store, Session: "root", Prompt: "go"}
	if _, err := everything(t, e).Run(t.Context(), in); !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	var weigh, call waiting.Item
	for _, it := range waits(t, store, "root") {
		switch {
		case it.Call != nil && len(it.Agents) == 1 && it.Agents[0] == "helper":
			call = it
		case it.Kind == "external":
			weigh = it
		}
	}
	if weigh.Question == nil || call.Call == nil {
		t.Fatal("the items are missing")
	}
	with := func(it waiting.Item, change func(*waiting.Item)) waiting.Item {
		if it.Question != nil {
			q := *it.Question
			it.Question = &q
		}
		if it.Call != nil {
			c := *it.Call
			it.Call = &c
		}
		change(&it)
		return it
	}
	answer := func(value string) func(waiting.Item) error {
		return func(it waiting.Item) error {
			return it.Answer(t.Context(), store, json.RawMessage(value), "")
		}
	}
	edit := func(input string) func(waiting.Item) error {
		return func(it waiting.Item) error { return it.Edit(t.Context(), store, json.RawMessage(input)) }
	}
	approve := func(it waiting.Item) error { return it.Approve(t.Context(), store) }
	same := func(*waiting.Item) {}
	for _, c := range []struct {
		name   string
		it     waiting.Item
		change func(*waiting.Item)
		do     func(waiting.Item) error
		want   any // an error to match, or Why of a DecisionError, or words of an AnswerError or any other
	}{
		{"nothing in it", waiting.Item{}, same, approve, waiting.ErrKind},
		{"both in it", weigh, func(it *waiting.Item) { it.Call = call.Call }, answer("1"), waiting.ErrKind},
		{"a question approved", weigh, same, approve, waiting.ErrKind},
		{"a question edited", weigh, same, edit("{}"), waiting.ErrKind},
		{"a call answered", call, same, answer("1"), waiting.ErrKind},
		{"no number", weigh, same, answer(`"much"`), "does not fit"},
		{"no JSON", weigh, same, answer(`much`), "does not fit"},
		{"50 MB", weigh, same, answer(`"` + strings.Repeat("x", 50<<20) + `"`), "answer with a reference"},
		{"another session", weigh, func(it *waiting.Item) { it.Session, it.Incarnation = call.Session, call.Incarnation }, answer("1"), "changed"},
		{"a session that is not there", weigh, func(it *waiting.Item) { it.Session = "nobody" }, answer("1"), memory.ErrNoSession},
		{"another incarnation", weigh, func(it *waiting.Item) { it.Incarnation = "x" }, answer("1"), memory.ErrReplaced},
		{"a call that never was", weigh, func(it *waiting.Item) { it.Question.Call, it.Question.Root = "9-x", "9-x" }, answer("1"), "not_pending"},
		{"other words", weigh, func(it *waiting.Item) { it.Question.Question.Prompt = "May I?" }, answer("1"), "changed"},
		{"other arguments of a question", weigh, func(it *waiting.Item) { it.Question.Question.Data = json.RawMessage(`{}`) }, answer("1"), "changed"},
		{"other arguments of a call", call, func(it *waiting.Item) { it.Call.Input = `{"what":"all"}` }, approve, "changed"},
		{"a call of another record", call, func(it *waiting.Item) { it.Call.Record = 99 }, approve, "not_pending"},
		{"edited to no object", call, same, edit(`[]`), "not a JSON object"},
		{"edited to no JSON", call, same, edit(`{`), "not a JSON object"},
	} {
		err := c.do(with(c.it, c.change))
		var decision *agent.DecisionError
		var wrong *tools.AnswerError
		switch want := c.want.(type) {
		case error:
			if !errors.Is(err, want) {
				t.Errorf("%s: %v", c.name, err)
			}
		case string:
			if err == nil || len(err.Error()) > 400 || !(errors.As(err, &decision) && decision.Why == want) && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %.400v", c.name, err)
			}
			if strings.Contains(want, "fit") && !errors.As(err, &wrong) {
				t.Errorf("%s: %T", c.name, err)
			}
		}
		if n := len(waits(t, store, "root")); n != 5 {
			t.Fatalf("%s: %d wait", c.name, n)
		}
	}
	if _, err := waiting.List(t.Context(), store, "nobody"); !errors.Is(err, memory.ErrNoSession) {
		t.Errorf("the list of no session: %v", err)
	}
	// What belongs to a session that was deleted and begun again is not dealt with in
	// the new one; a sub-agent that is gone doesn't wait.
	if err := store.Delete(t.Context(), "root"); err != nil {
		t.Fatal(err)
	}
	for _, it := range []waiting.Item{weigh, call} {
		if err := it.Cancel(t.Context(), store, ""); !errors.Is(err, memory.ErrNoSession) {
			t.Errorf("deleted: %v", err)
		}
	}
	if _, err := everything(t, e).Run(t.Context(), in); !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	for _, it := range []waiting.Item{weigh, call} {
		if err := it.Cancel(t.Context(), store, ""); !errors.Is(err, memory.ErrReplaced) {
			t.Errorf("begun again: %v", err)
		}
	}
	if n := len(waits(t, store, "root")); n != 5 || len(e.ran) != 0 {
		t.Errorf("%d wait, ran %v", n, e.ran)
	}
}

// An Approver of the root decides on the calls of sub-agents that have none, and may
// change their arguments as it may change the root's own.
func TestApproverEditsBelow(t *testing.T) {
	store, e := new(memory.RAM), new(effects)
	asked := 0
	res, err := deep(t, e).Run(t.Context(), agent.Input{Store: store, Session: "root", Prompt: "clean up", Approver: func(_ context.Context, c agent.PendingCall) (agent.Decision, error) {
		if asked++; c.Input == `{"what":"a"}` {
			return agent.Decision{Permission: agent.Allow, Input: json.RawMessage(`{"what":"c"}`)}, nil
		}
		return agent.Decision{Permission: agent.Deny, Reason: "b is needed"}, nil
	}})
	if err != nil || asked != 2 || len(e.ran) != 1 || e.ran[`{"what":"c"}`] != 1 || !strings.Contains(res.Text, "b is needed") {
		t.Errorf("%v, asked %d times, ran %v", err, asked, e.ran)
	}
}

// A tool's question whether it may go on is approved or denied as a call is.
func TestApprovalThatAToolAsksFor(t *testing.T) {
	for _, allow := range []bool{true, false} {
		store, heard := new(memory.RAM), ""
		tool := tools.Func("pay", "Pays.", func(ctx context.Context, _ struct{}) (string, error) {
			host, _ := tools.HostOf(ctx)
			answer, err := host.Ask(ctx, tools.Question{Key: "pay", Kind: "approval", Prompt: "Pay?", Choices: []tools.Choice{{Value: json.RawMessage(`"allow"`)}, {Value: json.RawMessage(`"deny"`)}}})
			if !errors.Is(err, tools.ErrWaiting) {
				heard = fmt.Sprintf("%s %t", answer.Value, errors.Is(err, tools.ErrDeclined))
			}
			return "done", err
		})
		a, in := newAgent(t, once(use("r1", "pay", `{}`)), tool), agent.Input{Store: store, Session: "root", Prompt: "go"}
		if _, err := a.Run(t.Context(), in); !errors.Is(err, agent.ErrAwaitingApproval) {
			t.Fatal(err)
		}
		items := waits(t, store, "root")
		if len(items) != 1 || items[0].Kind != "approval" || items[0].Question == nil {
			t.Fatalf("%+v", items)
		}
		decide, want := items[0].Approve, `"allow" false`
		if !allow {
			decide = func(ctx context.Context, s memory.Store) error { return items[0].Deny(ctx, s, "too dear") }
			want = " true"
		}
		if err := decide(t.Context(), store); err != nil {
			t.Fatal(err)
		}
		in.Prompt = ""
		if _, err := a.Run(t.Context(), in); err != nil || heard != want {
			t.Errorf("allow %v: the tool heard %q, %v", allow, heard, err)
		}
	}
}

// What a sub-agent waited for is no longer listed once its session was deleted; the
// rest is.
func TestListWithoutADeletedSubAgent(t *testing.T) {
	store, e := new(memory.RAM), new(effects)
	if _, err := everything(t, e).Run(t.Context(), agent.Input{Store: store, Session: "root", Prompt: "go"}); !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	own, gone := 0, ""
	for _, it := range waits(t, store, "root") {
		if len(it.Agents) == 0 {
			own++
		} else {
			gone = it.Session
		}
	}
	if err := store.Delete(t.Context(), gone); own == 0 || err != nil {
		t.Fatal(own, err)
	}
	for _, it := range waits(t, store, "root") {
		if it.Session == gone {
			t.Errorf("%+v", it)
		}
		if len(it.Agents) == 0 {
			own--
		}
	}
	if own != 0 {
		t.Errorf("%d of the root's own are missing", own)
	}
}
