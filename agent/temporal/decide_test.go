package temporal_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/temporal"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A message is said once, however often the engine tries: while it waits, once it is in the
// log, and where the store has had a later one.
func TestAMessageIsSaidOnce(t *testing.T) {
	for name, later := range map[string]time.Duration{"first": 0, "behind a later one": time.Hour} {
		store, now := new(memory.RAM), time.Now().Add(time.Minute)
		log, err := memory.Create(store, "s", nil)
		if err == nil {
			err = log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("hi")})
		}
		if err == nil && later > 0 {
			err = store.Enqueue(t.Context(), "s", memory.Record{Kind: memory.KindInput, Queued: now.Add(later).UnixNano(), Message: transport.UserText("later")})
		}
		if err != nil {
			t.Fatal(err)
		}
		waits := func() (list []memory.Record) {
			t.Helper()
			for r, err := range store.Inbox(t.Context(), "s", 0) {
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, r)
			}
			return list
		}
		before := len(waits())
		say := func() {
			t.Helper()
			if err := temporal.Said(t.Context(), store, "s", now.UnixNano(), "please"); err != nil {
				t.Fatal(err)
			}
		}
		say()
		say()
		list := waits()
		if len(list) != before+1 {
			t.Errorf("%s: %d messages wait", name, len(list)-before)
		}
		if err := log.Append(t.Context(), list...); err != nil {
			t.Fatal(err)
		}
		if say(); len(waits()) != 0 {
			t.Errorf("%s: it is in the log, and waits again", name)
		}
	}
}

// A decision that fits more than one item is of none: it has to say which.
func TestADecisionThatFitsTwo(t *testing.T) {
	s := newStage(t, simulator.Options{Model: calls(1)})
	s.tool = func(ctx context.Context, _ in) (string, error) {
		host, _ := tools.HostOf(ctx)
		_, first := host.Ask(ctx, tools.Question{Key: "a", Prompt: "a?"})
		_, second := host.Ask(ctx, tools.Question{Key: "b", Prompt: "b?"})
		return "ok", errors.Join(first, second)
	}
	if _, err := s.agent().Run(t.Context(), agent.Input{Store: s.store, Session: "ann", Prompt: "go"}); !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	r := temporal.Request{Call: agent.Questions(s.log("ann"))[0].Call, Value: []byte(`"yes"`)}
	if err := temporal.Decided(t.Context(), s.store, "ann", temporal.Answer, r); err == nil || !strings.Contains(err.Error(), "2 items") {
		t.Errorf("%v", err)
	}
	for _, r.Key = range []string{"a", "b"} {
		if err := temporal.Decided(t.Context(), s.store, "ann", temporal.Answer, r); err != nil {
			t.Errorf("%s: %v", r.Key, err)
		}
	}
}
