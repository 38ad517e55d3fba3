package rewind

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/taint"
	"github.com/whorl-go/whorl/tools/files"
	"github.com/whorl-go/whorl/transport"
)

// The mark of an import covers the changes of its own session that stand in front of
// it, and none of another session.
func TestMarkOfAnImport(t *testing.T) {
	at := time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)
	changed := func(path string) memory.Record {
		at = at.Add(time.Second)
		data, err := json.Marshal(map[string]any{"name": files.NoteChange, "data": files.Change{Folder: "repo", Path: path}})
		if err != nil {
			t.Fatal(err)
		}
		return memory.Record{Kind: memory.KindNote, Note: noteCall, Data: data, Time: at}
	}
	imported := memory.Record{Kind: memory.KindNote, Note: taint.NoteName, Data: []byte(`{"tool":"import","untrusted":true}`)}
	h := new(history)
	for _, s := range []struct {
		id      string
		records []memory.Record
	}{
		{"own", []memory.Record{changed("a"), changed("b"), changed("c")}},
		{"own/1", []memory.Record{changed("d"), imported, changed("e")}},
		{"own/2", []memory.Record{changed("f")}},
	} {
		if err := h.add(&session{id: s.id, log: slices.All(s.records)}, "repo", s.id == "own"); err != nil {
			t.Fatal(err)
		}
	}
	var paths, marked string
	for _, c := range h.changes {
		if paths += c.Path; c.imported {
			marked += c.Path
		}
	}
	if paths != "abcdef" || marked != "d" {
		t.Errorf("of %s, %s are marked, want d of abcdef", paths, marked)
	}
}

// Of a session that was deleted and begun again under its id, another log shares what is
// the same in both, and not all that it has.
func TestSharedWithASessionThatWasReplaced(t *testing.T) {
	begin := func(texts ...string) *memory.Log {
		t.Helper()
		log, err := memory.Create(new(memory.RAM), "s", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			r := memory.Record{Kind: memory.KindInput, Time: time.Unix(1, 0), Message: transport.UserText(text)}
			if err := log.Append(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		return log
	}
	if n, err := common(begin("same", "before"), begin("same", "now", "more"), 9); err != nil || n != 1 {
		t.Errorf("%d records are shared, %v", n, err)
	}
}

// torn is a store that fails in the middle of a list, or of a sub-agent's session.
type torn struct {
	*memory.RAM
	list, load bool
}

var errTorn = errors.New("the connection is lost")

func (s torn) List(ctx context.Context, q memory.Query) iter.Seq2[memory.Info, error] {
	return func(yield func(memory.Info, error) bool) {
		for info, err := range s.RAM.List(ctx, q) {
			if !yield(info, err) {
				return
			}
			if s.list {
				yield(memory.Info{}, errTorn)
				return
			}
		}
	}
}

func (s torn) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	return func(yield func(memory.Record, error) bool) {
		for r, err := range s.RAM.Load(ctx, id, from) {
			if !yield(r, err) {
				return
			}
			if s.load && id != "s" {
				yield(memory.Record{}, errTorn)
				return
			}
		}
	}
}

// What sub-agents have changed is known as a whole or not at all: a part would leave the
// rest as it is, and say nothing.
func TestAHistoryThatCannotBeRead(t *testing.T) {
	ram := new(memory.RAM)
	for _, id := range []string{"s", "s/1-a", "s/1-b"} {
		start := new(memory.Start)
		if id != "s" {
			start.Parent = "s"
		}
		log, err := memory.Create(ram, id, start)
		for range 2 {
			if err == nil {
				err = log.Append(t.Context(), memory.Record{Kind: memory.KindNote, Note: "x", Data: []byte("{}")})
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, store := range []torn{{RAM: ram, list: true}, {RAM: ram, load: true}, {RAM: ram}} {
		log, err := memory.Open(t.Context(), store, "s")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := read(t.Context(), log, Options{Folder: "repo"}); errors.Is(err, errTorn) != (store.list || store.load) {
			t.Errorf("list %v, load %v: %v", store.list, store.load, err)
		}
	}
}
