package recall_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/recall"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/search"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

func call(t testing.TB, o recall.Options, input string) (string, error) {
	t.Helper()
	tool := recall.New(o)
	if _, err := tool.Definition(); err != nil {
		t.Fatal(err)
	}
	res, err := tool.(tools.Callable).Call(context.Background(), json.RawMessage(input))
	return transport.Message{Content: res.Content}.Text(), err
}

func TestSearch(t *testing.T) {
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "s.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for user, text := range map[string]string{
		"ann": strings.Repeat("höchst ", 300) + "the locker's code is 4711" + strings.Repeat(" übel", 300),
		"bob": "my locker is blue",
	} {
		log, err := memory.Create(store, user+"'s", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText(text)}); err != nil {
			t.Fatal(err)
		}
		if err := store.SetMeta(t.Context(), log.ID(), "user", user); err != nil {
			t.Fatal(err)
		}
	}
	ann := recall.Options{Store: store, Meta: map[string]string{"user": "ann"}, ExcerptBytes: 100}
	got, err := call(t, ann, `{"words":"locker"}`)
	if err != nil || !strings.Contains(got, "code is 4711") || !strings.Contains(got, "conversation ann's, message 0") || strings.Contains(got, "blue") {
		t.Errorf("%v: %s", err, got)
	}
	if len(got) > 250 || !utf8.ValidString(got) {
		t.Errorf("the excerpt has %d bytes: %q", len(got), got)
	}
	if got, err := call(t, ann, `{"words":"submarine"}`); err != nil || !strings.Contains(got, "Nothing found") {
		t.Errorf("%v: %s", err, got)
	}
	if got, _ := call(t, recall.Options{Store: store}, `{"words":"locker"}`); !strings.Contains(got, "blue") || !strings.Contains(got, "4711") {
		t.Errorf("all sessions: %s", got)
	}
	if got, _ := call(t, recall.Options{Store: store, Limit: 1}, `{"words":"locker","limit":9}`); strings.Count(got, "conversation") != 1 {
		t.Errorf("more than the program allows: %s", got)
	}
	if got, _ := call(t, recall.Options{Store: store}, `{"words":"locker","limit":1}`); strings.Count(got, "conversation") != 1 {
		t.Errorf("one at most: %s", got)
	}
	if _, err := call(t, recall.Options{}, `{"words":"x"}`); !tools.IsFatal(err) {
		t.Errorf("without a store: %v", err)
	}
	var bad *tools.ArgumentError
	if _, err := call(t, ann, `{"words":""}`); !errors.As(err, &bad) {
		t.Errorf("no words: %v", err)
	}
}

func Example() {
	store, err := sqlite.Open("sessions.db", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	tool := recall.New(recall.Options{Store: store, Meta: map[string]string{"user": "ann"}})
	_ = tool // goes into agent.Options.Tools
}

func FuzzExcerpt(f *testing.F) {
	f.Add("some text with words", "words", 5)
	f.Fuzz(func(t *testing.T, text, words string, n int) {
		if !utf8.ValidString(text) || n < 1 || n > 1000 {
			return
		}
		if got := (search.Match{Text: text}).Excerpt(words, n); !utf8.ValidString(got) || len(got) > n+16 {
			t.Errorf("%q has %d bytes for %d", got, len(got), n)
		}
	})
}

// One tool serves many users: each finds what is theirs, and a run of nobody's
// nothing.
func TestSearchOfTheRunsUser(t *testing.T) {
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "s.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	searched := false
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(func(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		r := simulator.Say("noted")
		if searched = turn.LastUserText() == "search" && !searched; searched {
			r = simulator.Do(simulator.Call("search_past_conversations", map[string]any{"words": "locker"}))
		}
		return &r, nil
	})})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{recall.New(recall.Options{Store: store, Same: []string{"user"}})}})
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"ann", "bob"} {
		if _, err := a.Run(t.Context(), agent.Input{Store: store, Session: user, User: user, Prompt: "the locker of " + user}); err != nil {
			t.Fatal(err)
		}
	}
	for user, want := range map[string]string{"ann": "locker of ann", "bob": "locker of bob", "": "not known whose"} {
		res, err := a.Run(t.Context(), agent.Input{User: user, Prompt: "search"})
		if err != nil {
			t.Fatal(err)
		}
		found := string(res.Log.Messages()[2].AppendJSON(nil))
		if !strings.Contains(found, want) || strings.Contains(found, "locker of ann") && strings.Contains(found, "locker of bob") {
			t.Errorf("%q finds %s", user, found)
		}
	}
	// A user without a name is not known either, though sessions may have one.
	for _, meta := range []map[string]string{nil, {"user": ""}} {
		if _, err := a.Run(t.Context(), agent.Input{Store: store, Session: "nobody's", Meta: meta, Prompt: "the locker of nobody"}); err != nil {
			t.Fatal(err)
		}
		res, err := a.Run(t.Context(), agent.Input{Meta: meta, Prompt: "search"})
		if err != nil {
			t.Fatal(err)
		}
		if found := string(res.Log.Messages()[2].AppendJSON(nil)); !strings.Contains(found, "not known whose") {
			t.Errorf("with the metadata %v: %s", meta, found)
		}
	}
}

// A searching store calls a function in the middle of a search, and finds nothing.
type searching func(q search.Query)

func (s searching) Search(_ context.Context, q search.Query) ([]search.Match, error) {
	s(q)
	return nil, nil
}

// Searches of several users at the same time are each of their own user's sessions, and leave
// the program's metadata alone.
func TestSearchesAtTheSameTime(t *testing.T) {
	var tool tools.Callable
	users := []string{"ann", "bob"}
	look := func() {
		user := users[0]
		users = users[1:]
		ctx := tools.WithCall(t.Context(), tools.CallInfo{ID: "toolu_1", Meta: map[string]string{"user": user}})
		if _, err := tool.Call(ctx, json.RawMessage(`{"words":"locker"}`)); err != nil {
			t.Error(err)
		}
	}
	var asked []string
	given := map[string]string{"plan": "gold"}
	tool = recall.New(recall.Options{Meta: given, Same: []string{"user"}, Store: searching(func(q search.Query) {
		if len(users) > 0 {
			look() // bob's, while ann's goes on
		}
		asked = append(asked, q.Meta["user"]+" "+q.Meta["plan"])
	})}).(tools.Callable)
	look()
	if got := strings.Join(asked, ", "); got != "bob gold, ann gold" || len(given) != 1 {
		t.Errorf("searched for %s; the program's metadata are %v", got, given)
	}
}
