package rewind

import (
	"encoding/json"
	"iter"
	"os"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools/files"
	"github.com/whorl-go/whorl/transport"
)

func note(t *testing.T, name string, data any) memory.Record {
	t.Helper()
	raw, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	return memory.Record{Kind: memory.KindNote, Note: name, Data: raw}
}

func records(list ...memory.Record) iter.Seq2[int, memory.Record] {
	return func(yield func(int, memory.Record) bool) {
		for i, r := range list {
			if !yield(i, r) {
				return
			}
		}
	}
}

// Bytes that a log keeps are those that were kept, or none.
func TestKeptBytesAreChecked(t *testing.T) {
	ref := memory.Blob{Data: []byte("A")}.Sum()
	for data, ok := range map[string]bool{"QQ==": true, "Qg==": false, "!": false} {
		s := &session{id: "s", log: records(note(t, "other", map[string]string{"name": ref, "data": "Qg=="}), note(t, noteBlob, map[string]string{"name": ref, "data": data}))}
		if got, err := s.kept(t.Context(), ref); ok != (err == nil) || ok && string(got) != "A" {
			t.Errorf("%s: %q, %v", data, got, err)
		}
	}
}

// A file whose mode alone has changed is put back; its bytes are those that are kept.
func TestModesAreRestored(t *testing.T) {
	p, path := planIn(t)
	if err := os.WriteFile(path("a"), []byte("A"), 0o644); err != nil {
		t.Fatal(err)
	}
	now, err := look(p.root, "a")
	if err != nil {
		t.Fatal(err)
	}
	s := &session{id: "s", log: records(note(t, noteBlob, map[string]string{"name": now.Ref, "data": "QQ=="}))}
	for mode, want := range map[os.FileMode]int{now.Mode: 0, 0: 0, now.Mode ^ 0o111: 1} {
		p.Files, p.Conflicts = nil, nil
		p.add(t.Context(), "a", &target{want: files.Version{Ref: now.Ref, Mode: mode}, by: s})
		if len(p.Files) != want || len(p.Conflicts) != 0 {
			t.Errorf("%v, is %v: %+v, %+v", mode, now.Mode, p.Files, p.Conflicts)
		}
	}
}

// Of the conversation that is restored only what is among its first records is done again.
func TestOnlyTheFirstRecords(t *testing.T) {
	p, _ := planIn(t)
	to := &history{log: memory.NewLog()}
	s := &session{id: "s"}
	for i, name := range []string{"a", "b", "c"} {
		if err := to.log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText(name)}); err != nil {
			t.Fatal(err)
		}
		at := place{session: s, record: i}
		to.changes = append(to.changes, change{files.Change{Path: name, After: files.Version{Link: "x"}}, at})
		to.calls = append(to.calls, Call{Name: name, place: at})
	}
	p.compute(t.Context(), &history{log: memory.NewLog()}, to, 1, 2)
	if len(p.Files) != 1 || p.Files[0].Path != "b" || len(p.NotFollowed) != 1 || p.NotFollowed[0].Name != "b" {
		t.Errorf("%+v, %+v", p.Files, p.NotFollowed)
	}
}

// The changes of sub-agents of sub-agents count, also in logs without a store.
func TestChildrenOfChildren(t *testing.T) {
	log := memory.NewLog()
	at := log
	for _, name := range []string{"a", "b", "c"} {
		child := memory.NewLog()
		if _, err := at.Child(name, func() (*memory.Log, error) { return child, nil }); err != nil {
			t.Fatal(err)
		}
		c := files.Change{Folder: "repo", Path: name}
		if err := child.Append(t.Context(), note(t, noteCall, map[string]any{"name": files.NoteChange, "data": c})); err != nil {
			t.Fatal(err)
		}
		at = child
	}
	h, err := read(t.Context(), log, Options{Folder: "repo"})
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, c := range h.changes {
		if paths = append(paths, c.Path); c.record != -1 {
			t.Errorf("%s stands at record %d of another log", c.Path, c.record)
		}
	}
	if strings.Join(paths, " ") != "a b c" {
		t.Errorf("changes of %q", paths)
	}
}
