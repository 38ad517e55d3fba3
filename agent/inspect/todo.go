package inspect

import (
	"encoding/json"
	"slices"

	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools/todo"
)

// A todoView is an item of the list of what is to be done.
type todoView struct {
	Text   string `json:"text"`
	Status string `json:"status"`
}

// mostTodo and todoText bound what is shown of a list: its items, and the bytes of each.
const (
	mostTodo = 200
	todoText = 500
)

// todoOf is the list that a record brings, if it is the note of one.
func todoOf(r *memory.Record) (list []todoView, ok bool) {
	if r.Kind != memory.KindNote || r.Note != notes.Call {
		return nil, false
	}
	var n struct {
		Name string          `json:"name"`
		Data json.RawMessage `json:"data"`
	}
	if json.Unmarshal(r.Data, &n) != nil || n.Name != todo.Name {
		return nil, false
	}
	l, err := todo.Parse(n.Data)
	if err != nil {
		return nil, false
	}
	for _, it := range l.Items[:min(len(l.Items), mostTodo)] {
		text, _ := clip(it.Text, todoText)
		status := it.Status
		if !slices.Contains([]todo.Status{todo.Pending, todo.InProgress, todo.Completed}, status) {
			status = todo.Pending
		}
		list = append(list, todoView{Text: text, Status: string(status)})
	}
	return list, true
}
