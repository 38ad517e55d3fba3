package memory_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// hooked is a store whose redactor writes into all that it is given.
type hooked struct{ memory.Store }

func (hooked) Redact(r *memory.Record) error {
	for i := range r.Message.Content {
		r.Message.Content[i] = transport.Text("[gone]")
	}
	if len(r.Data) > 0 {
		copy(r.Data, `"gone!"`)
	}
	return nil
}

// What is appended stays the caller's: neither its time nor what a redactor takes out
// is written into it.
func TestAppendLeavesTheCallersRecords(t *testing.T) {
	redacted, err := memory.Create(hooked{new(memory.RAM)}, "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, log := range map[string]*memory.Log{"in memory": memory.NewLog(), "redacted": redacted} {
		records := []memory.Record{
			{Kind: memory.KindInput, Message: transport.UserText("mine")},
			{Kind: memory.KindNote, Note: "n", Data: []byte(`"mine!"`)},
		}
		for range 2 {
			if err := log.Append(t.Context(), records...); err != nil {
				t.Fatal(err)
			}
		}
		if !records[0].Time.IsZero() || records[0].Message.Text() != "mine" || string(records[1].Data) != `"mine!"` {
			t.Errorf("%s: the caller's records are %+v", name, records)
		}
		for i, r := range log.Records(0) {
			if r.Time.IsZero() {
				t.Errorf("%s: record %d has no time", name, i)
			}
			if got := r.Message.Text(); name == "redacted" && r.Kind == memory.KindInput && got != "[gone]" {
				t.Errorf("%s: record %d is %q", name, i, got)
			}
		}
	}
}

// The list of an input's blocks stays the caller's, who may use it for the next one.
func TestAppendKeepsNoListOfTheCallers(t *testing.T) {
	for name, at := range map[string]time.Time{"with a time": time.Now(), "without": {}} {
		content := []transport.Block{transport.Text("one")}
		log := memory.NewLog()
		mustAppend(t, log, memory.Record{Kind: memory.KindInput, Time: at, Message: transport.Message{Role: transport.RoleUser, Content: content}})
		content[0] = transport.Text("two")
		if got := log.Messages()[0].Text(); got != "one" {
			t.Errorf("%s: the log says %q", name, got)
		}
	}
}

// replacing is a store whose redactor gives another message, and leaves the one it got.
type replacing struct{ memory.Store }

func (replacing) Redact(r *memory.Record) error {
	r.Message = transport.UserText("[gone]")
	return nil
}

// A message from outside is stored as the redactor leaves it.
func TestEnqueueRedacts(t *testing.T) {
	store := replacing{new(memory.RAM)}
	log, err := memory.Create(store, "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("mine")}); err != nil {
		t.Fatal(err)
	}
	if err := memory.Enqueue(t.Context(), store, "s", transport.Message{Role: transport.RoleUser, Content: []transport.Block{transport.Text("secret")}}); err != nil {
		t.Fatal(err)
	}
	inbox, err := memory.Need[memory.Inbox](store)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for r, err := range inbox.Inbox(t.Context(), "s", 0) {
		if n++; err != nil || r.Message.Text() != "[gone]" {
			t.Errorf("stored: %q, %v", r.Message.Text(), err)
		}
	}
	if n != 1 {
		t.Errorf("%d messages wait", n)
	}
}

// vanishing is a store in which a session is deleted between being described and loaded.
type vanishing struct{ *memory.RAM }

func (vanishing) Load(context.Context, string, memory.Position) iter.Seq2[memory.Record, error] {
	return func(yield func(memory.Record, error) bool) { yield(memory.Record{}, memory.ErrNoSession) }
}

// A session that is deleted while it is opened is not there: the log begins one of its own,
// with its own metadata.
func TestDeletedWhileOpened(t *testing.T) {
	ram := new(memory.RAM)
	if err := ram.Append(t.Context(), "s", memory.Position{Start: &memory.Start{Incarnation: "old", Meta: map[string]string{"of": "the old"}}}); err != nil {
		t.Fatal(err)
	}
	log, err := memory.OpenOrCreate(t.Context(), vanishing{ram}, "s", &memory.Start{Incarnation: "new", Meta: map[string]string{"of": "the new"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := ram.Delete(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("hi")}); err != nil {
		t.Fatal(err)
	}
	if info, err := ram.Info(t.Context(), "s"); err != nil || info.Incarnation != "new" || info.Meta["of"] != "the new" || info.Records != 1 {
		t.Errorf("%+v, %v", info, err)
	}
}
