package waiting_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A talk is the conversation of [everything], from its beginning to its end, with what
// waits dealt with by one process and the agents run by others, each until it waits.
// Once something goes wrong.
type talk struct {
	t       testing.TB
	place   *place
	session string
	e       effects

	append int    // the append that fails, counted over all processes; 0 for none
	stored bool   // its records are stored all the same
	dies   bool   // nothing is stored any more by its process
	event  int    // the event at which its consumer acts; 0 for none
	how    string // "cancel", "break" or "panic"

	mu              sync.Mutex
	appends, events int  // so far
	dead            bool // the process
	dealt           int
}

// Append implements [memory.Store] for the process that runs.
func (k *talk) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	k.mu.Lock()
	k.appends++
	fails, dead := k.appends == k.append, k.dead
	k.dead = dead || fails && k.dies
	k.mu.Unlock()
	switch {
	case dead, fails && !k.stored:
		return fmt.Errorf("session %q: %w", id, memory.ErrUnavailable)
	case fails:
		return errors.Join(k.place.run.Append(ctx, id, at, records...), memory.ErrUnavailable)
	}
	return k.place.run.Append(ctx, id, at, records...)
}

// talkStore is the store of the processes that run.
type talkStore struct {
	memory.Store
	k *talk
}

func (s talkStore) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	return s.k.Append(ctx, id, at, records...)
}

// process runs the session in a new process, up to where it ends. disturbed says that
// this process is the one in which something went wrong.
func (k *talk) process() (res *agent.Result, disturbed bool, err error) {
	ctx, cancel := context.WithCancel(k.t.Context())
	defer cancel()
	in := agent.Input{Store: talkStore{k.place.run, k}, Session: k.session}
	if info, err := k.place.decide.Info(ctx, k.session); err != nil || info.Records == 0 {
		in.Prompt = "go"
	}
	k.mu.Lock()
	k.dead = false
	appends, events := k.appends, k.events
	k.mu.Unlock()
	run := everything(k.t, &k.e).NewRun(in)
	func() {
		defer func() {
			if v := recover(); v != nil && v != any("the consumer") {
				panic(v)
			}
		}()
		for range run.Events(ctx) {
			if k.events++; k.events != k.event {
				continue
			}
			switch k.how {
			case "cancel":
				cancel()
			case "break":
				return
			default:
				panic("the consumer")
			}
		}
	}()
	res, err = run.Result()
	disturbed = appends < k.append && k.append <= k.appends || events < k.event && k.event <= k.events
	return res, disturbed, err
}

// position is that of the response with the call of the sub-agent in the background.
var position = regexp.MustCompile(`\d+-b`)

// whole leads the talk to its end, and is what the model was told in it.
func (k *talk) whole(what string) string {
	k.t.Helper()
	for range 30 {
		res, disturbed, err := k.process()
		if err == nil {
			got := position.ReplaceAllString(content(k.t, res.Log), "N-b")
			// The end of a run may cut an effect off, or keep it from beginning: that is told.
			cut := strings.Contains(got, "The outcome of this call is unknown") || strings.Contains(got, "was not run: the run was cancelled")
			for _, effect := range []string{`{"what":"fore"}`, `{"what":"back"}`} {
				if ran := k.e.ran[effect]; ran > 1 || ran == 0 && !cut {
					k.t.Errorf("%s: %s ran %d times: %s", what, effect, ran, got)
				}
			}
			if k.dealt != 5 || len(waits(k.t, k.place.decide, k.session)) != 0 {
				k.t.Errorf("%s: %d items were dealt with, and %v wait", what, k.dealt, waits(k.t, k.place.decide, k.session))
			}
			for _, want := range []string{"the blue one", "The sub-agent beside (N-b) has ended", "14"} {
				if !strings.Contains(got, want) {
					k.t.Errorf("%s: the model isn't told %q: %s", what, want, got)
				}
			}
			checkPairs(k.t, what, res.Log)
			if cut {
				return ""
			}
			return got
		}
		if !disturbed && !errors.Is(err, agent.ErrAwaitingApproval) {
			k.t.Errorf("%s: %v", what, err)
			return ""
		}
		if items := waits0(k.t, k.place.decide, k.session); len(items) > 0 {
			deal(k.t, k.place.decide, items[k.dealt*3%len(items)])
			k.dealt++
		}
	}
	k.t.Errorf("%s: it never came to an end", what)
	return ""
}

// checkPairs checks that each tool call has one result, behind it.
func checkPairs(t testing.TB, what string, log *memory.Log) {
	t.Helper()
	open := map[string]int{}
	for _, r := range log.Records(0) {
		switch r.Kind {
		case memory.KindResponse:
			for _, c := range r.Response.ToolCalls() {
				open[c.ID]++
			}
		case memory.KindResult:
			open[r.Block.ToolUseID()]--
		}
	}
	for id, n := range open {
		if n != 0 {
			t.Errorf("%s: call %s has %d results too few", what, id, n)
		}
	}
}

// Whatever goes wrong at whatever moment of a conversation with external calls, a
// question, an approval in a sub-agent and a sub-agent in the background: nothing is
// lost, done twice or refused, and if no effect was cut off the model is told the same.
// WHORL_FAULTS=long takes all moments on each store.
func TestEverythingAtEveryMoment(t *testing.T) {
	for _, p := range places(t) {
		t.Run(p.name, func(t *testing.T) {
			cases, told := 0, 0
			begin := func() *talk { cases++; return &talk{t: t, place: p, session: p.session()} }
			plain := begin()
			want := plain.whole("nothing")
			if want == "" || plain.appends < 15 || plain.events < 15 {
				t.Fatalf("%d appends, %d events, %q", plain.appends, plain.events, want)
			}
			check := func(k *talk, what string) {
				if got := k.whole(what); got != "" && got != want {
					t.Errorf("%s: the model is told\n%s\nnot\n%s", what, got, want)
				} else if got != "" {
					told++
				}
			}
			for at := 1; at <= plain.appends; at += p.every {
				for _, stored := range []bool{false, true} {
					for _, dies := range []bool{false, true} {
						k := begin()
						k.append, k.stored, k.dies = at, stored, dies
						check(k, fmt.Sprintf("append %d fails, stored %v, dies %v", at, stored, dies))
					}
				}
			}
			for at := 1; at <= plain.events; at += p.every {
				for _, how := range []string{"cancel", "break", "panic"} {
					k := begin()
					k.event, k.how = at, how
					check(k, fmt.Sprintf("%s at event %d", how, at))
				}
			}
			t.Logf("%d appends, %d events: %d cases, %d of them told the same", plain.appends, plain.events, cases, told)
		})
	}
}

// brief is a store that can't be reached at one append, and is there again at the next.
type brief struct {
	memory.Store
	left   *atomic.Int64 // appends up to that one
	stored bool
}

func (s brief) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	if s.left.Add(-1) != 0 {
		return s.Store.Append(ctx, id, at, records...)
	}
	if s.stored {
		return errors.Join(s.Store.Append(ctx, id, at, records...), memory.ErrUnavailable)
	}
	return memory.ErrUnavailable
}

// A store that was away for a moment is no answer to a call that asks somebody: the
// call goes on in the next run, and the question is still asked.
func TestAskingWhileTheStoreIsAway(t *testing.T) {
	sub := func(e *effects) agent.Sub {
		return agent.Sub{Agent: newAgent(t, once(use("x", "delete", `{"what":"a"}`)), e.tool("delete", tools.Traits{NeedsApproval: true})), Name: "helper", Description: "Deletes."}
	}
	for name, list := range map[string]func(e *effects) []tools.Tool{
		`weigh {}`: func(*effects) []tools.Tool {
			return []tools.Tool{tools.External("weigh", "Weighs.", nil, tools.ExternalOptions{})}
		},
		`ask_user {"question":"?"}`: func(*effects) []tools.Tool { return []tools.Tool{tools.AskUser(tools.AskOptions{})} },
		`helper {"task":"go"}`:      func(e *effects) []tools.Tool { return []tools.Tool{sub(e)} },
		`wait_for_agent {"id":"2-a"}`: func(e *effects) []tools.Tool {
			s := sub(e)
			s.Background = true
			return append(agent.BackgroundTools(), s)
		},
	} {
		calls := []string{name}
		if strings.HasPrefix(name, "wait") {
			calls = []string{`helper {"task":"go"}`, name}
		}
		for _, stored := range []bool{false, true} {
			for at, away := 1, true; away; at++ {
				store, e, left := new(memory.RAM), new(effects), new(atomic.Int64)
				left.Store(int64(at))
				in := agent.Input{Store: brief{store, left, stored}, Session: "root", Prompt: "go"}
				asks := brain(func(req *transport.Request) *transport.Response {
					n := len(results(req))
					if n >= len(calls) {
						return reply("end_turn", text(strings.Join(results(req), " ")))
					}
					tool, input, _ := strings.Cut(calls[n], " ")
					return reply("tool_use", use(string(rune('a'+n)), tool, input))
				})
				for range 10 {
					res, err := newAgent(t, asks, list(e)...).Run(t.Context(), in)
					if info, e := store.Info(t.Context(), "root"); e == nil && info.Records > 0 {
						in.Prompt = ""
					}
					items := waits0(t, store, "root")
					switch {
					case err == nil:
						away = left.Load() <= 0
						if strings.Contains(res.Text, memory.ErrUnavailable.Error()) || e.ran[`{"what":"a"}`] > 1 {
							t.Errorf("%s, append %d, stored %v: %s", name, at, stored, res.Text)
						}
					case !errors.Is(err, agent.ErrAwaitingApproval) && !errors.Is(err, memory.ErrUnavailable):
						t.Fatalf("%s, append %d, stored %v: %v", name, at, stored, err)
					case len(items) > 0:
						deal(t, store, items[0])
					}
					if err == nil {
						break
					}
				}
				if at > 30 {
					t.Fatalf("%s: it never came to an end", name)
				}
			}
		}
	}
}
