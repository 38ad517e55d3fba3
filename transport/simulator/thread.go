package simulator

import (
	"net/http"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A thread is a conversation that the service holds, so that the next request
// brings only what is new (beta message-threads-2026-08-12, as the official
// TypeScript SDK 1.12 uses it). It is found by the id of its newest response.
type thread struct {
	account   uint64
	messages  []*message
	tools     *toolList
	system    []block
	continued bool
}

// threadID is the response that the request goes on from, or "".
func (r *request) threadID() string {
	return rawjson.GetString(r.fields["thread"], "previous_message_id")
}

// joinThread puts what the service holds in front of what the request brings.
func (s *Server) joinThread(r *request) *Refusal {
	id := r.threadID()
	if id == "" {
		return nil
	}
	if r.has("system") || r.has("tools") {
		return refuse("thread: system and tools can't be set when a thread is continued")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.threads.get(s.threads.key([]byte(id), 0))
	if !ok || t.account != r.account {
		why := notFound("thread: no thread goes on from %s", id)
		why.Code = "thread_not_found"
		return why
	}
	if t.continued {
		return &Refusal{Status: http.StatusConflict, Type: transport.ErrConflict, Code: "thread_already_continued", Message: "thread: " + id + " has been continued already"}
	}
	r.messages = append(t.messages[:len(t.messages):len(t.messages)], r.messages...)
	r.tools, r.system = t.tools, t.system
	return nil
}

// keepThread holds the conversation with the response that was made, if the
// request asked for it.
func (a *answer) keepThread() {
	r := a.r
	if !r.has("thread") || a.stop == transport.StopRefusal || a.fell {
		return
	}
	var content []transport.Block
	for _, b := range a.content {
		if read := a.s.readBlock(b.Raw()); read.text == textFull {
			content = append(content, b)
		}
	}
	messages := r.messages
	if len(content) > 0 {
		reply := transport.Message{Role: transport.RoleAssistant, Content: content}
		messages = append(messages[:len(messages):len(messages)], a.s.readMessage(reply.AppendJSON(nil)))
	}
	size := 100
	for _, m := range messages {
		size += len(m.raw)
	}
	s := a.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if before, ok := s.threads.get(s.threads.key([]byte(r.threadID()), 0)); ok {
		before.continued = true
	}
	s.threads.put(s.threads.key([]byte(a.id), 0), &thread{account: r.account, messages: messages, tools: r.tools, system: r.system}, size)
}
