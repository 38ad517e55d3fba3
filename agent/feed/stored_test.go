package feed_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// flaky is a store that fails when it is told to.
type flaky struct {
	*memory.RAM
	err error
}

func (s *flaky) Info(ctx context.Context, id string) (memory.Info, error) {
	if s.err != nil {
		return memory.Info{}, s.err
	}
	return s.RAM.Info(ctx, id)
}

func says(texts ...string) (list []memory.Record) {
	for _, text := range texts {
		list = append(list, memory.Record{Kind: memory.KindInput, Message: transport.UserText(text)})
	}
	return list
}

// heard is what a read gives: each record's text and number, and what else there is.
func heard(t *testing.T, w *feed.Watcher) (list []string, err error) {
	t.Helper()
	items, err := w.Read(t.Context())
	for _, it := range items {
		if it.Kind == feed.Record {
			list = append(list, fmt.Sprintf("%s@%d", it.Record.Message.Text(), it.At.Records))
		} else {
			list = append(list, string(it.Kind))
		}
	}
	return list, err
}

// A session that runs nowhere is read in parts, all of it, and then what comes; from a
// place on what is behind it.
func TestStoredSessions(t *testing.T) {
	ctx, store := t.Context(), &flaky{RAM: new(memory.RAM)}
	f := &feed.Feed{Store: store, Poll: time.Nanosecond}
	const n = 600
	var texts []string
	for i := range n {
		texts = append(texts, fmt.Sprint(i))
	}
	if err := store.Append(ctx, "s", memory.Position{}, says(texts...)...); err != nil {
		t.Fatal(err)
	}
	info, err := store.RAM.Info(ctx, "s")
	if err != nil {
		t.Fatal(err)
	}
	w := f.Open("s", feed.Options{})
	defer w.Close()
	var all []string
	for reads := 0; len(all) < n+1 && reads < 10; reads++ {
		part, err := heard(t, w)
		if err != nil || len(part) > 260 {
			t.Fatalf("%d items at once, %v", len(part), err)
		}
		all = append(all, part...)
	}
	for i := range n {
		if want := fmt.Sprintf("%d@%d", i, i+1); all[i] != want {
			t.Fatalf("item %d is %s, want %s", i, all[i], want)
		}
	}
	if len(all) != n+1 || all[n] != string(feed.State) {
		t.Errorf("behind the records: %q", all[n:])
	}
	if more, err := heard(t, w); len(more) != 0 || err != nil {
		t.Errorf("nothing has come: %q, %v", more, err)
	}
	late := f.Open("s", feed.Options{From: feed.Position{Incarnation: info.Incarnation, Records: n - 1}})
	defer late.Close()
	silent := f.Open("s", feed.Options{NoRecords: true})
	defer silent.Close()
	if got, err := heard(t, late); fmt.Sprint(got) != fmt.Sprintf("[%d@%d state]", n-1, n) || err != nil {
		t.Errorf("from the last on: %q, %v", got, err)
	}
	// What another process appends comes, also after a time without the store.
	if err := store.Append(ctx, "s", memory.Position{Records: n}, says("more")...); err != nil {
		t.Fatal(err)
	}
	if got, err := heard(t, w); fmt.Sprint(got) != fmt.Sprintf("[more@%d]", n+1) && fmt.Sprint(got) != fmt.Sprintf("[more@%d state]", n+1) || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := heard(t, silent); len(got) != 0 || err != nil {
		t.Errorf("without records: %q, %v", got, err)
	}
	// A session that is begun again under its id is another one, for all who watch.
	if err := errors.Join(store.Delete(ctx, "s"), store.Append(ctx, "s", memory.Position{}, says("again")...)); err != nil {
		t.Fatal(err)
	}
	for name, watcher := range map[string]*feed.Watcher{"one": w, "late": late} {
		if got, err := heard(t, watcher); len(got) != 0 || !errors.Is(err, memory.ErrReplaced) {
			t.Errorf("%s, replaced: %q, %v", name, got, err)
		}
	}
	again := f.Open("s", feed.Options{From: feed.Position{Incarnation: info.Incarnation, Records: 1}})
	defer again.Close()
	if got, err := heard(t, again); len(got) != 0 || !errors.Is(err, memory.ErrReplaced) {
		t.Errorf("from a place of the one before: %q, %v", got, err)
	}
	fresh := f.Open("s", feed.Options{})
	defer fresh.Close()
	if got, err := heard(t, fresh); fmt.Sprint(got) != "[again@1 state]" || err != nil {
		t.Errorf("begun again: %q, %v", got, err)
	}
}

// A session that ran in this process, and was deleted since, is not shown to those who
// watch another one under its id, however short that is.
func TestReplacedSinceItsRun(t *testing.T) {
	for name, records := range map[string][]memory.Record{"begun": nil, "short": says("mine")} {
		t.Run(name, func(t *testing.T) {
			ctx, store := t.Context(), new(memory.RAM)
			m := &model{replies: []any{reply(t, "end_turn", text("another user's"))}}
			f := &feed.Feed{Poll: time.Nanosecond, Store: store}
			first := f.Open("s", feed.Options{}) // reads nothing yet
			defer first.Close()
			if _, err := newAgent(t, m, agent.Options{}).Run(f.Attach(ctx), agent.Input{Store: store, Session: "s", Prompt: "go"}); err != nil {
				t.Fatal(err)
			}
			err := errors.Join(store.Delete(ctx, "s"), store.Append(ctx, "s", memory.Position{Start: &memory.Start{}}, records...))
			if err != nil {
				t.Fatal(err)
			}
			other := f.Open("s", feed.Options{})
			defer other.Close()
			var want []string
			for i, r := range records {
				want = append(want, fmt.Sprintf("%s@%d", r.Message.Text(), i+1))
			}
			want = append(want, "state")
			if got, err := heard(t, other); fmt.Sprint(got) != fmt.Sprint(want) || err != nil {
				t.Errorf("%q, %v, want %q", got, err, want)
			}
		})
	}
}

func TestNoSession(t *testing.T) {
	store := &flaky{RAM: new(memory.RAM)}
	for name, f := range map[string]*feed.Feed{"a store": {Store: store}, "no store": {}} {
		w := f.Open("none", feed.Options{})
		defer w.Close()
		if got, err := heard(t, w); len(got) != 0 || !errors.Is(err, memory.ErrNoSession) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		// Once it is there, who tries again has it.
		if f.Store == nil {
			continue
		}
		if err := store.Append(t.Context(), "none", memory.Position{}, says("hi")...); err != nil {
			t.Fatal(err)
		}
		if got, err := heard(t, w); fmt.Sprint(got) != "[hi@1 state]" || err != nil {
			t.Errorf("%s, begun: %q, %v", name, got, err)
		}
	}
	// A store that is away is told, and isn't taken for an answer.
	f := &feed.Feed{Store: store, Poll: time.Hour}
	store.err = memory.ErrUnavailable
	w := f.Open("none", feed.Options{})
	defer w.Close()
	if got, err := heard(t, w); len(got) != 0 || !errors.Is(err, memory.ErrUnavailable) {
		t.Errorf("away: %q, %v", got, err)
	}
	store.err = nil
	if got, err := heard(t, w); fmt.Sprint(got) != "[hi@1 state]" || err != nil {
		t.Errorf("back: %q, %v", got, err)
	}
}
