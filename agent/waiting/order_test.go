package waiting_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// everything is an agent that has all that waits open at once: two external calls, a
// question, an approval in a sub-agent, and one in a sub-agent in the background.
func everything(t testing.TB, e *effects) *agent.Agent {
	weigh := tools.External("weigh", "Weighs.", json.RawMessage(`{"type":"object","properties":{"what":{"type":"string"}}}`), tools.ExternalOptions{Output: json.RawMessage(`{"type":"number"}`)})
	sub := func(name, what string, background bool) agent.Sub {
		a := newAgent(t, once(use("x", "delete", `{"what":"`+what+`"}`)), e.tool("delete", tools.Traits{NeedsApproval: true}))
		return agent.Sub{Agent: a, Name: name, Description: "Deletes.", Background: background}
	}
	// It ends once all results are there; what it was told last doesn't matter.
	root := brain(func(req *transport.Request) *transport.Response {
		if r := results(req); len(r) > 0 {
			return reply("end_turn", text(strings.Join(r, "\n")))
		}
		return reply("tool_use", use("w1", "weigh", `{"what":"one"}`), use("w2", "weigh", `{"what":"two"}`), use("q", "ask_user", `{"question":"Which?"}`),
			use("s", "helper", `{"task":"go"}`), use("b", "beside", `{"task":"go"}`))
	})
	return newAgent(t, root, weigh, tools.AskUser(tools.AskOptions{}), sub("helper", "fore", false), sub("beside", "back", true))
}

// deal answers an item, the same one always in the same way.
func deal(t testing.TB, store memory.Store, it waiting.Item) {
	t.Helper()
	var err error
	switch {
	case it.Call != nil:
		err = it.Approve(t.Context(), store)
	case it.Kind == "user":
		err = it.Answer(t.Context(), store, json.RawMessage(`"the blue one"`), "ann")
	default:
		err = it.Answer(t.Context(), store, json.RawMessage(fmt.Sprint(len(it.Question.Question.Data))), "")
	}
	if err != nil {
		t.Fatalf("%s of %s: %v", it.Kind, it.Tool, err)
	}
}

// content is what the model is sent of a conversation at its end: all that is not
// about the order in which things came.
func content(t testing.TB, log *memory.Log) string {
	t.Helper()
	var lines []string
	for _, m := range log.Messages() {
		if m.Role == transport.RoleAssistant && len(lines) > 4 {
			continue // an answer in between
		}
		lines = append(lines, string(m.Role)+" "+m.Text())
		for _, b := range m.Content {
			if b.Type() == transport.TypeToolResult {
				lines = append(lines, string(b.Raw()))
			}
		}
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{{}}
	}
	var all [][]int
	for _, p := range permutations(n - 1) {
		for i := 0; i <= len(p); i++ {
			all = append(all, append(append(append([]int{}, p[:i]...), n-1), p[i:]...))
		}
	}
	return all
}

// Answered in every order, each by another process that runs the session on behind
// it: the same conversation but for the order.
func TestEveryOrder(t *testing.T) {
	want := ""
	for _, order := range permutations(5) {
		store, e := new(memory.RAM), new(effects)
		in := agent.Input{Store: store, Session: "root", Prompt: "go"}
		_, err := everything(t, e).Run(t.Context(), in)
		var wait *agent.ApprovalError
		if !errors.As(err, &wait) || len(wait.Calls) != 2 || len(wait.Questions) != 3 {
			t.Fatalf("%v", err)
		}
		items := waits(t, store, "root")
		if len(items) != 5 {
			t.Fatalf("%d items", len(items))
		}
		in.Prompt = ""
		var res *agent.Result
		for i, n := range order {
			deal(t, store, items[n])
			res, err = everything(t, e).Run(t.Context(), in)
			if last := i == len(order)-1; last != (err == nil) {
				t.Fatalf("%v: after %d answers: %v", order, i+1, err)
			}
		}
		got := content(t, res.Log)
		if want == "" {
			want = got
			if !strings.Contains(want, "the blue one") || !strings.Contains(want, "fore") || !strings.Contains(want, "The sub-agent beside") {
				t.Fatalf("the conversation is %s", want)
			}
		}
		if got != want || e.ran[`{"what":"fore"}`] != 1 || e.ran[`{"what":"back"}`] != 1 || len(e.ran) != 2 {
			t.Fatalf("%v: ran %v\n%s\nnot\n%s", order, e.ran, got, want)
		}
	}
}

// What waits is listed in the order of the calls, whichever asked first, and whether it
// is an approval or a question. Each says why, since when and until when.
func TestListIsInTheOrderOfTheCalls(t *testing.T) {
	asked, began := make(chan struct{}), time.Now()
	until := map[string]time.Time{"first": {}, "delete": {}, "last": began.Add(time.Hour).Truncate(time.Second)}
	why := map[string]string{"first": "first?", "delete": "", "last": "last?"}
	ask := func(name string, before func()) tools.Tool {
		return tools.Func(name, "Asks.", func(ctx context.Context, _ struct{}) (string, error) {
			before()
			_, err := tools.CallOf(ctx).Host.Ask(ctx, tools.Question{Prompt: name + "?", Deadline: until[name]})
			if name == "last" {
				close(asked)
			}
			return "", err
		})
	}
	e := new(effects)
	a := newAgent(t, once(use("1", "first", `{}`), use("2", "delete", `{"what":"x"}`), use("3", "last", `{}`)),
		ask("first", func() { <-asked }), e.tool("delete", tools.Traits{NeedsApproval: true}), ask("last", func() {}))
	store := new(memory.RAM)
	var wait *agent.ApprovalError
	if _, err := a.Run(t.Context(), agent.Input{Store: store, Session: "root", Prompt: "go"}); !errors.As(err, &wait) {
		t.Fatal(err)
	}
	var list []string
	for _, it := range waits(t, store, "root") {
		list = append(list, it.Tool)
		if it.Since.Before(began.Truncate(time.Second)) || !it.Until.Equal(until[it.Tool]) || it.Why != why[it.Tool] {
			t.Errorf("%s: %q since %v until %v", it.Tool, it.Why, it.Since, it.Until)
		}
	}
	if got := strings.Join(list, " "); got != "first delete last" || wait.Questions[0].Name != "first" {
		t.Errorf("%s waits, and the error names %s first", got, wait.Questions[0].Name)
	}
}

// All of it in one conversation, with several processes killed at an append, before it
// and behind it, and one process that deals with what waits.
func TestEverythingKilledAtEveryAppend(t *testing.T) {
	for _, p := range places(t) {
		t.Run(p.name, func(t *testing.T) {
			cases := 0
			for _, behind := range []bool{false, true} {
				for n, through := 1, false; !through; n += (p.every + 2) / 3 {
					through = everythingKilled(t, p, n, behind)
					cases++
				}
			}
			t.Logf("%d cases", cases)
		})
	}
}

// everythingKilled kills four processes, each at an append later. It reports whether
// the fourth was not.
func everythingKilled(t *testing.T, p *place, n int, behind bool) (through bool) {
	e := new(effects)
	in := agent.Input{Session: p.session(), Prompt: "go"}
	dealt := 0
	for try := range 60 {
		in.Store = p.run
		if try < 4 {
			in.Store = kill(p.run, n+try, behind)
		}
		res, err := everything(t, e).Run(t.Context(), in)
		through = through || try == 3 && !errors.Is(err, errKilled) && n > 6
		if info, e := p.decide.Info(t.Context(), in.Session); e == nil && info.Records > 0 {
			in.Prompt = ""
		}
		if err == nil {
			got := content(t, res.Log)
			for what, ran := range e.ran {
				if ran != 1 {
					t.Errorf("append %d: %s ran %d times", n, what, ran)
				}
			}
			if dealt != 5 || len(e.ran) < 2 && !strings.Contains(got, "unknown") || !strings.Contains(got, "the blue one") || !strings.Contains(got, "The sub-agent beside") {
				t.Errorf("append %d (behind: %v): %d dealt with, ran %v: %s", n, behind, dealt, e.ran, got)
			}
			return through
		}
		if !errors.Is(err, errKilled) && !errors.Is(err, agent.ErrAwaitingApproval) {
			t.Fatalf("append %d: %v", n, err)
		}
		if items := waits0(t, p.decide, in.Session); len(items) > 0 {
			deal(t, p.decide, items[len(items)-1])
			dealt++
		}
	}
	t.Fatalf("append %d: it never came to an end", n)
	return false
}

// Each item names the sub-agents that it is of, however deep these are, and whoever else
// waits beside them.
func TestAgentsOfDeepItems(t *testing.T) {
	sub := func(name string, a *agent.Agent) agent.Sub {
		return agent.Sub{Agent: a, Name: name, Description: "Deletes."}
	}
	call := func(name string) string { return use(name, name, `{"task":"go"}`) }
	leaf := newAgent(t, once(use("x", "delete", `{"what":"all"}`)), new(effects).tool("delete", tools.Traits{NeedsApproval: true}))
	a := newAgent(t, once(call("left"), call("right")), sub("left", leaf), sub("right", leaf))
	for _, name := range []string{"c", "b", "a"} {
		a = newAgent(t, once(call(name)), sub(name, a))
	}
	store := new(memory.RAM)
	if _, err := a.Run(t.Context(), agent.Input{Store: store, Session: "root", Prompt: "go"}); !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	var got []string
	for _, it := range waits(t, store, "root") {
		got = append(got, strings.Join(it.Agents, " "))
	}
	sort.Strings(got) // the two run side by side
	if want := "a b c left, a b c right"; strings.Join(got, ", ") != want {
		t.Errorf("%q, want %q", got, want)
	}
}
