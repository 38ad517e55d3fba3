package todo_test

import (
	"encoding/json"
	"testing"

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
