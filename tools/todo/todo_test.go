package todo_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/todo"
)

func TestTodo(t *testing.T) {
	tool := todo.New()
	in := json.RawMessage(`{"items":[{"text":"find\nout","status":"completed"},{"text":"write","status":"in_progress"},{"text":"send","status":"pending"}]}`)
	res, err := tool.Call(t.Context(), in)
	const want = "[x] find out\n[~] write\n[ ] send"
	if err != nil || len(res.Content) != 1 {
		t.Fatal(err)
	}
	l, err := todo.Parse(in)
	if err != nil || l.String() != want {
		t.Errorf("%v: %q", err, l.String())
	}
	for _, wrong := range []string{`{"items":[{"text":" ","status":"pending"}]}`, `{"items":[{"text":"x","status":"begun"}]}`, `{}`} {
		if _, err := tool.Call(t.Context(), json.RawMessage(wrong)); err == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
}

// noting is a host that keeps the notes it is given, or fails.
type noting struct {
	tools.Host
	notes []string
	err   error
}

func (n *noting) Note(_ context.Context, name string, data json.RawMessage) error {
	n.notes = append(n.notes, name+" "+string(data))
	return n.err
}

// A list is recorded as it is, before the model is told that it is written down.
func TestTodoIsNoted(t *testing.T) {
	const list = `{"items":[{"text":"find\nout","status":"completed"}]}`
	host := new(noting)
	ctx := tools.WithCall(t.Context(), tools.CallInfo{Host: host})
	if _, err := todo.New().Call(ctx, json.RawMessage(list)); err != nil || len(host.notes) != 1 || host.notes[0] != "todo "+list {
		t.Errorf("notes %q, %v", host.notes, err)
	}
	if _, err := todo.New().Call(ctx, json.RawMessage(`{"items":[{"text":"a","status":"pending"},{"text":"\t","status":"pending"}]}`)); err == nil || len(host.notes) != 1 {
		t.Errorf("an item without a text: notes %q, %v", host.notes, err)
	}
	host.err = errors.New("no room")
	if _, err := todo.New().Call(ctx, json.RawMessage(list)); !errors.Is(err, host.err) {
		t.Errorf("a note that fails: %v", err)
	}
}

func TestTodoOfOtherLists(t *testing.T) {
	for input, want := range map[string]string{
		`{"items":[]}`: "The list is empty.",
		`{"items":[{"text":" a  b ","status":"other"}]}`: "[ ] a b",
	} {
		if l, err := todo.Parse(json.RawMessage(input)); err != nil || l.String() != want {
			t.Errorf("%s: %q, %v", input, l.String(), err)
		}
	}
	if l, err := todo.Parse(json.RawMessage(`{"items":1}`)); err == nil || l.Items != nil {
		t.Errorf("no list: %v, %v", l, err)
	}
	if got, want := todo.New().Traits(), (tools.Traits{Repeatable: true}); got != want {
		t.Errorf("traits %+v, want %+v", got, want)
	}
}
