package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// failsOnce is a store that refuses the first append of a message with a text, or of a
// note.
type failsOnce struct {
	memory.Store
	text      string
	note      string
	failed    bool
	meanwhile func() error // happens while it refuses
}

func (s *failsOnce) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	for _, r := range records {
		if !s.failed && (r.Kind == memory.KindInput && r.Message.Text() == s.text || s.note != "" && r.Note == s.note) {
			s.failed = true
			if s.meanwhile != nil {
				if err := s.meanwhile(); err != nil {
					return err
				}
			}
			return memory.ErrUnavailable
		}
	}
	return s.Store.Append(ctx, id, at, records...)
}

// An answer that Options.Check sent back is not taken for one that passed, though what it
// said could not be stored.
func TestAWordOfACheckThatCannotBeStored(t *testing.T) {
	store := &failsOnce{Store: new(memory.RAM), text: "shorter"}
	s := &script{replies: []any{reply(t, "end_turn", text("long")), reply(t, "end_turn", text("short"))}}
	a := newAgent(t, s, agent.Options{Check: func(_ context.Context, res *agent.Result) error {
		if res.Text != "short" {
			return errors.New("shorter")
		}
		return nil
	}})
	if _, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "go"}); !errors.Is(err, memory.ErrUnavailable) {
		t.Fatal(err)
	}
	if res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s"}); err != nil || res.Text != "short" {
		t.Errorf("%q, %v", res.Text, err)
	}
}

// keepsInbox is a store whose inbox forgets only what it was told is in the log.
type keepsInbox struct {
	*memory.RAM
	kept []memory.Record
}

func (k *keepsInbox) Inbox(_ context.Context, _ string, after int64) iter.Seq2[memory.Record, error] {
	return func(yield func(memory.Record, error) bool) {
		for _, rec := range k.kept {
			if rec.Queued > after && !yield(rec, nil) {
				return
			}
		}
	}
}

// What the inbox still has of messages that are in the log is not heard again.
func TestMessagesOfTheInboxAreHeardOnce(t *testing.T) {
	store := &keepsInbox{RAM: new(memory.RAM), kept: []memory.Record{
		{Kind: memory.KindInput, Message: transport.UserText("one"), Queued: 5}, {Kind: memory.KindInput, Message: transport.UserText("two"), Queued: 7},
	}}
	s := &script{replies: []any{reply(t, "tool_use", use("a", "echo", `{}`)), reply(t, "end_turn", text("ok")), reply(t, "end_turn", text("again"))}}
	a := newAgent(t, s, agent.Options{}, echo("echo"))
	for _, prompt := range []string{"go", "on"} {
		if _, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: prompt}); err != nil {
			t.Fatalf("%s: %v", prompt, err)
		}
	}
	said := texts(s.requests[2].Messages)
	if strings.Count(said, "one") != 1 || strings.Count(said, "two") != 1 {
		t.Errorf("the model was told %q", said)
	}
}

// A steering message that could not be stored at its place is stored at the run's end.
func TestSteersOutliveAStoreThatFails(t *testing.T) {
	store := &failsOnce{Store: new(memory.RAM), text: "hurry"}
	s := &script{replies: []any{reply(t, "tool_use", use("a", "f", `{}`)), reply(t, "end_turn", text("ok"))}}
	var run *agent.Run
	f := fake{name: "f", call: func(context.Context, json.RawMessage) (tools.Result, error) {
		return tools.Text("x"), run.Steer(transport.UserText("hurry"))
	}}
	run = newAgent(t, s, agent.Options{}, f).NewRun(agent.Input{Store: store, Session: "s", Prompt: "go"})
	res, err := finish(t.Context(), run)
	if !errors.Is(err, memory.ErrUnavailable) || !store.failed {
		t.Fatalf("the store failed %v: %v", store.failed, err)
	}
	if m := res.Log.Messages(); m[len(m)-1].Text() != "hurry" {
		t.Errorf("the message is lost: the last one is %q", m[len(m)-1].Text())
	}
}

// A message that comes while the store fails is kept beside the one that could not be
// stored, and behind it.
func TestSteersThatComeWhileTheStoreFails(t *testing.T) {
	var run *agent.Run
	store := &failsOnce{Store: new(memory.RAM), text: "hurry", meanwhile: func() error { return run.Steer(transport.UserText("and be brief")) }}
	s := &script{replies: []any{reply(t, "tool_use", use("a", "f", `{}`)), reply(t, "end_turn", text("ok"))}}
	f := fake{name: "f", call: func(context.Context, json.RawMessage) (tools.Result, error) {
		return tools.Text("x"), run.Steer(transport.UserText("hurry"))
	}}
	run = newAgent(t, s, agent.Options{}, f).NewRun(agent.Input{Store: store, Session: "s", Prompt: "go"})
	res, err := finish(t.Context(), run)
	if !errors.Is(err, memory.ErrUnavailable) || !store.failed {
		t.Fatalf("the store failed %v: %v", store.failed, err)
	}
	var said []string
	for _, r := range res.Log.Records(0) {
		if r.Kind == memory.KindInput {
			said = append(said, r.Message.Text())
		}
	}
	if got := strings.Join(said, ", "); got != "go, hurry, and be brief" {
		t.Errorf("the log has what was said as %q", got)
	}
}

// noInbox is a store whose inboxes can't be read.
type noInbox struct{ *memory.RAM }

func (noInbox) Inbox(context.Context, string, int64) iter.Seq2[memory.Record, error] {
	return func(yield func(memory.Record, error) bool) { yield(memory.Record{}, memory.ErrUnavailable) }
}

// An inbox that can't be read ends the run: what was sent to it would not be heard.
func TestAnInboxThatCannotBeRead(t *testing.T) {
	store := noInbox{new(memory.RAM)}
	s := &script{replies: []any{reply(t, "tool_use", use("a", "echo", `{}`)), reply(t, "end_turn", text("ok"))}}
	if _, err := newAgent(t, s, agent.Options{}, echo("echo")).Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "go"}); !errors.Is(err, memory.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

// The model is told of a call that the run's end cut off, and not of a time limit.
func TestACancelledCallIsToldSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &script{replies: []any{reply(t, "tool_use", use("a", "f", `{}`))}}
	f := fake{name: "f", call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
		cancel()
		<-ctx.Done()
		return tools.Result{}, ctx.Err()
	}}
	res, err := newAgent(t, s, agent.Options{}, f).Run(ctx, agent.Input{Prompt: "go"})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	m := res.Log.Messages()
	if told := string(m[len(m)-1].Content[0].Raw()); !strings.Contains(told, "the run was cancelled while this call ran") || strings.Contains(told, "time limit") {
		t.Errorf("told %s", told)
	}
}

// A decision is taken although something was appended to the session meanwhile.
func TestADecisionBesideAnAppend(t *testing.T) {
	store := new(memory.RAM)
	s := &script{replies: []any{reply(t, "tool_use", use("a", "pay", `{}`))}}
	a := newAgent(t, s, agent.Options{}, fake{name: "pay", traits: tools.Traits{NeedsApproval: true}})
	if _, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "go"}); !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	log, err := memory.Open(t.Context(), store, "s")
	if err != nil {
		t.Fatal(err)
	}
	other, err := memory.Open(t.Context(), store, "s")
	if err == nil {
		err = other.Append(t.Context(), memory.Record{Kind: memory.KindNote, Note: "other", Data: []byte("{}")})
	}
	if err != nil {
		t.Fatal(err)
	}
	pending := agent.Pending(log)
	if len(pending) != 1 {
		t.Fatal(pending)
	}
	if err := pending[0].Approve(t.Context(), log); err != nil || len(agent.Pending(log)) != 0 {
		t.Errorf("still waiting %v: %v", agent.Pending(log), err)
	}
}

// besideAppend is a store in which something else is appended right before an answer.
type besideAppend struct {
	*memory.RAM
	beside func()
}

func (s *besideAppend) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	if do := s.beside; do != nil && records[0].Kind == memory.KindNote {
		s.beside = nil
		do()
	}
	return s.RAM.Append(ctx, id, at, records...)
}

// An answer is taken although the result of a call beside it came meanwhile.
func TestAnAnswerBesideAResult(t *testing.T) {
	store := &besideAppend{RAM: new(memory.RAM)}
	ask := hosted("ask", func(ctx context.Context, h tools.Host) (tools.Result, error) {
		_, err := h.Ask(ctx, tools.Question{Prompt: "?"})
		return tools.Result{}, err
	})
	s := &script{replies: []any{reply(t, "tool_use", use("a", "ask", `{}`), use("b", "pay", `{}`))}}
	a := newAgent(t, s, agent.Options{}, ask, fake{name: "pay", traits: tools.Traits{NeedsApproval: true}})
	if _, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "go"}); !errors.Is(err, tools.ErrWaiting) {
		t.Fatal(err)
	}
	log, other := openLog(t, store), openLog(t, store.RAM)
	q := agent.Questions(log)[0]
	var beside error
	store.beside = func() {
		beside = other.Append(t.Context(), memory.Record{Kind: memory.KindResult, Block: transport.ToolCall{ID: "b"}.Answer(transport.Text("paid"))})
	}
	if err := q.Answer(t.Context(), log, tools.Answer{Value: json.RawMessage(`1`)}); err != nil || beside != nil || len(agent.Questions(openLog(t, store))) != 0 {
		t.Errorf("%v; beside it: %v", err, beside)
	}
}

// A stream that broke and a store that failed to keep what it cost are both reported.
func TestABrokenStreamAndAStoreThatFails(t *testing.T) {
	store := &failsOnce{Store: new(memory.RAM), note: notes.Interrupted}
	s := &script{replies: []any{&transport.StreamError{Err: errors.New("cut"), Partial: priced(t, "", 10_000, 1)}}}
	_, err := newAgent(t, s, agent.Options{}).Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "go"})
	var cut *transport.StreamError
	if !store.failed || !errors.Is(err, memory.ErrUnavailable) || !errors.As(err, &cut) {
		t.Errorf("the store failed %v: %v", store.failed, err)
	}
}

// A message that a failed run could not store is not lost without a word.
func TestASteerThatCannotBeStored(t *testing.T) {
	store := &failsOnce{Store: new(memory.RAM), text: "hurry"}
	var run *agent.Run
	away := errors.New("away")
	s := &script{replies: []any{func(context.Context) error {
		return errors.Join(away, run.Steer(transport.UserText("hurry")))
	}}}
	run = newAgent(t, s, agent.Options{}).NewRun(agent.Input{Store: store, Session: "s", Prompt: "go"})
	if _, err := finish(t.Context(), run); !store.failed || !errors.Is(err, away) || !errors.Is(err, memory.ErrUnavailable) {
		t.Errorf("the store failed %v: %v", store.failed, err)
	}
}
