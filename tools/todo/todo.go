// Package todo provides a tool with which a model keeps a to-do list that people can
// see.
package todo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/whorl-go/whorl/tools"
)

// Status is the status of an item.
type Status string

// The values of Status.
const (
	Pending    Status = "pending"
	InProgress Status = "in_progress"
	Completed  Status = "completed"
)

// An Item is one entry of the list.
type Item struct {
	Text   string `json:"text" jsonschema_description:"What is to be done, in a few words"`
	Status Status `json:"status" jsonschema:"enum=pending,enum=in_progress,enum=completed"`
}

// A List is the whole to-do list: the arguments of the tool.
type List struct {
	Items []Item `json:"items" jsonschema_description:"The whole list, in order; it takes the place of the one before" jsonschema:"maxItems=200"`
}

// Name is the name of the tool, and of the note in which each list is recorded.
const Name = "todo"

// New returns the tool. Each call also records its list as a note ([tools.Host].Note),
// for programs that read the log.
func New() *tools.FuncTool {
	return tools.FuncWith(Name, "Write down what is to be done for a task of several steps, and keep it up to date: one item is in_progress at a time, and is set to completed as soon as it is done.", write, tools.Options{Traits: tools.Traits{Repeatable: true}})
}

func write(ctx context.Context, l List) (string, error) {
	for _, it := range l.Items {
		if strings.TrimSpace(it.Text) == "" {
			return "", errors.New("an item has no text; say in a few words what is to be done")
		}
	}
	if h, ok := tools.HostOf(ctx); ok {
		raw, err := json.Marshal(l)
		if err != nil {
			return "", err
		}
		if err := h.Note(ctx, Name, raw); err != nil {
			return "", err
		}
	}
	return l.String(), nil
}

// Parse parses the arguments of a call, for programs that show the list.
func Parse(input json.RawMessage) (List, error) {
	var l List
	if err := json.Unmarshal(input, &l); err != nil {
		return List{}, fmt.Errorf("todo: %w", err)
	}
	return l, nil
}

// String returns the list as text, one item per line.
func (l List) String() string {
	if len(l.Items) == 0 {
		return "The list is empty."
	}
	var b strings.Builder
	for _, it := range l.Items {
		mark := map[Status]string{InProgress: "[~] ", Completed: "[x] "}[it.Status]
		if mark == "" {
			mark = "[ ] "
		}
		b.WriteString(mark + strings.Join(strings.Fields(it.Text), " ") + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}
