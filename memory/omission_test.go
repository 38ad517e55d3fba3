package memory_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/omit"
)

// inContainer is answer with a container.
func inContainer(t *testing.T, id, stopAndContent string) *transport.Response {
	return answer(t, stopAndContent+`,"container":{"id":"`+id+`","expires_at":"2026-12-01T00:00:00Z"}`)
}

// The container goes on to be named where a response in between doesn't name it, and
// is not once it is left out; a new one is named again.
func TestContainerIsCarriedUntilLeftOut(t *testing.T) {
	log := memory.NewLog()
	say := func(r *transport.Response) {
		mustAppend(t, log, memory.Record{Kind: memory.KindInput, Message: transport.UserText("go")})
		mustAppend(t, log, memory.Record{Kind: memory.KindResponse, Response: r})
	}
	const text = `"end_turn","content":[{"type":"text","text":"a"}]`
	for i, step := range []struct {
		do   func()
		want string
	}{
		{func() { say(answer(t, text)) }, ""},
		{func() { say(inContainer(t, "container_1", text)) }, "container_1"},
		{func() { say(answer(t, text)) }, "container_1"},
		{func() { mustAppend(t, log, leftOut(omit.Omission{Containers: []string{"container_1"}})) }, ""},
		{func() { say(answer(t, text)) }, ""},
		{func() { say(inContainer(t, "container_2", text)) }, "container_2"},
		{func() { mustAppend(t, log, leftOut(omit.Omission{Containers: []string{"container_1"}})) }, "container_2"},
		{func() { log = log.Fork() }, "container_2"},
	} {
		if step.do(); log.State().Container != step.want {
			t.Errorf("step %d: %q, want %q", i, log.State().Container, step.want)
		}
	}
}

func leftOut(o omit.Omission) memory.Record {
	return memory.Record{Kind: memory.KindOmission, Omission: &o}
}

// A turn that waits for code in a container that is gone can't go on: the model is
// asked again, and what waited lands.
func TestOmissionOfAPendingContainer(t *testing.T) {
	log := memory.NewLog()
	mustAppend(t, log, memory.Record{Kind: memory.KindInput, Message: transport.UserText("go")})
	mustAppend(t, log, memory.Record{Kind: memory.KindResponse, Response: inContainer(t, "container_1", `"pause_turn","content":[{"type":"server_tool_use","id":"srvtoolu_1","name":"code_execution","input":{}}]`)})
	mustAppend(t, log, memory.Record{Kind: memory.KindInput, Message: transport.UserText("by the way")})
	if s := log.State(); !s.Pending || !s.Waiting || s.Container != "container_1" {
		t.Fatalf("%+v", s)
	}
	mustAppend(t, log, leftOut(omit.Omission{Containers: []string{"container_1"}}))
	s := log.State()
	var all []string
	for _, m := range log.Messages() {
		all = append(all, string(m.Role)+" "+m.Text())
	}
	if s.Pending || s.Waiting || s.Container != "" || strings.Join(all, ", ") != "user go, user by the way" {
		t.Errorf("%+v, %q", s, all)
	}
}

// What doesn't fit is refused, and the log is as before.
func TestOmissionIsRefused(t *testing.T) {
	log := memory.NewLog()
	mustAppend(t, log, memory.Record{Kind: memory.KindInput, Message: transport.UserText("go")})
	mustAppend(t, log, memory.Record{Kind: memory.KindResponse, Response: answer(t, `"tool_use","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"tool_use","id":"t","name":"f","input":{}}]`)})
	refuse := func(r memory.Record, want string) {
		t.Helper()
		n, messages := log.Len(), len(log.Messages())
		if err := log.Append(context.Background(), r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if log.Len() != n || len(log.Messages()) != messages {
			t.Error("the log changed")
		}
	}
	thinking := omit.Omission{Blocks: []omit.Place{{Message: 1, Block: 0}}}
	refuse(leftOut(thinking), "while calls are unanswered")
	mustAppend(t, log, memory.Record{Kind: memory.KindResult, Block: transport.ToolResult("t")})
	refuse(leftOut(omit.Omission{}), "leaves nothing out")
	refuse(memory.Record{Kind: memory.KindOmission}, "leaves nothing out")
	refuse(leftOut(omit.Omission{Blocks: []omit.Place{{Message: 1, Block: 1}}}), "left out")
	before := log.Fork()
	mustAppend(t, log, leftOut(thinking))
	if got := len(log.Messages()[1].Content); got != 1 {
		t.Errorf("%d blocks", got)
	}
	if got := len(before.Messages()[1].Content); got != 2 {
		t.Errorf("the fork has %d blocks", got)
	}
}

// The prompt cache keeps what stands before the first change: the requests that end
// there are still known, and no others.
func TestOmissionKeepsWhatTheCacheHas(t *testing.T) {
	const picture = `{"type":"image","source":{"type":"file","file_id":"file_1"}}`
	for _, tt := range []struct {
		name         string
		omission     omit.Omission
		requests     string // messages of each
		sent, before int
	}{
		{"the newest picture", omit.Omission{Blocks: []omit.Place{{Message: 2, Block: 0}}}, "[1]", 2, 1},
		{"the oldest picture", omit.Omission{Blocks: []omit.Place{{Message: 0, Block: 0}}}, "[]", 0, 0},
		{"a container", omit.Omission{Containers: []string{"container_1"}}, "[1 3]", 3, 1},
		{"a server, whose tools come first", omit.Omission{MCPServers: []string{"s"}}, "[]", 0, 0},
	} {
		log := memory.NewLog()
		for range 2 {
			b, err := transport.ParseBlock([]byte(picture))
			if err != nil {
				t.Fatal(err)
			}
			mustAppend(t, log, memory.Record{Kind: memory.KindInput, Message: transport.Message{Role: transport.RoleUser, Content: []transport.Block{b, transport.Text("see")}}})
			mustAppend(t, log, memory.Record{Kind: memory.KindResponse, Response: answer(t, `"end_turn","content":[{"type":"text","text":"a"}]`)})
		}
		mustAppend(t, log, leftOut(tt.omission))
		s := log.State()
		kept := []int{}
		for _, r := range s.Requests {
			kept = append(kept, r.Messages)
		}
		if fmt.Sprint(kept) != tt.requests || s.Sent != tt.sent || s.Before != tt.before || s.Edits != 1 {
			t.Errorf("%s: requests of %v messages, sent %d, before %d, %d edits; want %s, %d, %d", tt.name, kept, s.Sent, s.Before, s.Edits, tt.requests, tt.sent, tt.before)
		}
	}
}
