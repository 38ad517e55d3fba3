package memory_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
)

// The notes of sub-agents in the background tell which of them still work.
func TestBackground(t *testing.T) {
	l, err := memory.Create(new(memory.RAM), "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	note := func(name, child string) memory.Record {
		return memory.Record{Kind: memory.KindNote, Note: name, Data: []byte(`{"child":"` + child + `"}`)}
	}
	for _, step := range []struct {
		note, child string
		want        []string
	}{
		{notes.Began, "one", []string{"one"}},
		{notes.Began, "two", []string{"one", "two"}},
		{notes.Ended, "none", []string{"one", "two"}},
		{notes.Ended, "one", []string{"two"}},
		{notes.Ended, "two", nil},
	} {
		before := l.State().Background
		kept := slices.Clone(before)
		if err := l.Append(t.Context(), note(step.note, step.child)); err != nil {
			t.Fatal(err)
		}
		if got := l.State().Background; !slices.Equal(got, step.want) {
			t.Errorf("after %s of %s: %q, want %q", step.note, step.child, got, step.want)
		}
		if !slices.Equal(before, kept) {
			t.Errorf("%s of %s changed an earlier state to %q", step.note, step.child, before)
		}
	}
}

var errMeta = errors.New("no room")

// stuck is a store that sets no metadata.
type stuck struct{ *memory.RAM }

func (stuck) SetMeta(context.Context, string, string, string) error { return errMeta }

// What the store didn't set is not among the log's metadata, and the caller is told.
func TestMetadataThatIsNotSet(t *testing.T) {
	store := stuck{new(memory.RAM)}
	l, err := memory.Create(store, "s", &memory.Start{Meta: map[string]string{"a": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	// Before the first record it is stored with that.
	if err := l.SetMeta(t.Context(), map[string]string{"b": "2"}); err != nil {
		t.Errorf("before the first record: %v", err)
	}
	if err := l.Append(t.Context(), input("x")); err != nil {
		t.Fatal(err)
	}
	if err := l.SetMeta(t.Context(), map[string]string{"a": "1", "b": "2"}); err != nil {
		t.Errorf("nothing to set: %v", err)
	}
	if err := l.SetMeta(t.Context(), map[string]string{"b": "3"}); !errors.Is(err, errMeta) {
		t.Errorf("%v", err)
	}
	info, err := store.Info(t.Context(), "s")
	want := map[string]string{"a": "1", "b": "2"}
	if err != nil || !maps.Equal(l.Meta(), want) || !maps.Equal(info.Meta, want) {
		t.Errorf("the log has %v, the store %v: %v", l.Meta(), info.Meta, err)
	}
}
