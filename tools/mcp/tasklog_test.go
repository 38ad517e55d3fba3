package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
)

// A process records nothing more of a task that another one goes on with, or that has
// ended: what its tool does then is no part of the task.
func TestTaskGoesOnElsewhere(t *testing.T) {
	for name, tt := range map[string]struct {
		theirs taskEntry
		want   error
	}{
		"another owner": {taskEntry{Owner: "another"}, errTaskTaken},
		"an end":        {taskEntry{End: &taskEnd{Status: "cancelled"}}, errTaskEnded},
		"an answer":     {taskEntry{Answers: map[string]given{}}, nil},
	} {
		store := &memory.RAM{}
		mine, err := newTaskLog(t.Context(), store, "TASK", "me", &taskBegin{Tool: "t", Input: json.RawMessage(`{}`), Created: time.Now(), TTL: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := loadTask(t.Context(), store, "TASK")
		if err != nil {
			t.Fatal(err)
		}
		if err := theirs.append(t.Context(), tt.theirs, nil); err != nil {
			t.Fatal(err)
		}
		err = mine.append(t.Context(), taskEntry{Message: "still here"}, nil)
		again := mine.refresh(t.Context())
		if !errors.Is(err, tt.want) || !errors.Is(again, tt.want) {
			t.Errorf("%s: %v, then %v; want %v", name, err, again, tt.want)
		}
		now, err := loadTask(t.Context(), store, "TASK")
		if err != nil || (now.task.message == "still here") != (tt.want == nil) {
			t.Errorf("%s: the task says %q, %v", name, now.task.message, err)
		}
	}
}

// A process that has lost the lease of a task to another one cancels its tool.
func TestLeaseIsTaken(t *testing.T) {
	store := &memory.RAM{}
	tasks, err := NewTasks(TaskOptions{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	l, err := newTaskLog(t.Context(), store, "TASK", "me", &taskBegin{Tool: "t", Input: json.RawMessage(`{}`), Created: time.Now(), TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	r := newRunningTask(t.Context(), tasks, &servedCall{name: "t"})
	r.log = l
	r.renew()
	if err := context.Cause(r.ctx); err != nil {
		t.Fatalf("with its own lease: %v", err)
	}
	if err := errors.Join(store.Lease(t.Context(), l.session(), "me", 0), store.Lease(t.Context(), l.session(), "another", time.Hour)); err != nil {
		t.Fatal(err)
	}
	r.renew()
	if err := context.Cause(r.ctx); !errors.Is(err, errTaskTaken) {
		t.Errorf("without the lease: %v", err)
	}
}
