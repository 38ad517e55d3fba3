package simulator

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/view"
)

// ThreadOptions configure message threads where the service's rules are not known, or
// differ between organizations (wire §15).
type ThreadOptions struct {
	// CountEarlierMarks counts the cache marks of all messages of a thread toward the
	// four that a request may have, not only of those that it brings (wire G90).
	CountEarlierMarks bool
	// Unsupported refuses every thread, with these values of details.unsupported, as
	// it is for organizations with "hipaa" or "inference_hooks".
	Unsupported []string
	// MaxBytes is the size of a conversation from which the service doesn't keep it; 0
	// means the size of the largest body, 32 MB (wire G87).
	MaxBytes int
}

// threadLife is how long a thread is held after its last response.
const threadLife = 5 * time.Minute

// A thread is a conversation that the service holds, so that the next request
// brings only what is new (beta message-threads-2026-08-12). It is found by the id
// of its newest response. What it doesn't hold, the next request has to bring again:
// tokens of MCP servers, the container.
type thread struct {
	account   uint64
	tools     *toolList
	system    []block
	fixed     fixedFields
	fallsBack bool // its requests have fallbacks
	expires   time.Time

	mu    sync.Mutex // guards what is below
	state threadState
	conversation
}

type threadState int

const (
	threadOpen      threadState = iota
	threadInFlight              // a request goes on with it
	threadContinued             // one did
)

// threadID is the response that the request goes on from, or "".
func (r *request) threadID() string {
	return rawjson.GetString(r.fields["thread"], "previous_message_id")
}

// joinThread puts what the service holds in front of what the request brings. What
// it takes, leaveThread gives back. The words of its refusals are guesses (wire
// G88); those of two are known in part from a client that looks for them.
func (s *Server) joinThread(r *request) *Refusal {
	if !r.has("thread") {
		return nil
	}
	r.fixed = r.fixedFields()
	if len(s.opts.Threads.Unsupported) > 0 {
		return unsupportedThread(s.opts.Threads.Unsupported...)
	}
	if why := r.checkThreaded(); why != nil {
		return why
	}
	id := r.threadID()
	if id == "" {
		return nil
	}
	for _, name := range []string{"system", "tools"} {
		if _, ok := r.fields[name]; ok {
			return refuse("thread: %s can't be set when a thread is continued; the thread holds it", name)
		}
	}
	t, ok := s.threads.get(s.threads.key([]byte(id), r.account))
	if !ok || t.account != r.account || !s.now().Before(t.expires) {
		return threadNotFound(id)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch t.state {
	case threadContinued:
		return coded("thread_already_continued", "thread: %s has already been continued", id)
	case threadInFlight:
		return coded("thread_continue_in_flight", "thread: another request is continuing %s", id)
	}
	differing := t.fixed.differing(r.fixed)
	if t.fallsBack != r.has("fallbacks") {
		differing = append(differing, "fallbacks")
	}
	if differing != nil {
		return coded("thread_fingerprint_mismatch", "thread: the request doesn't match the thread; differing field(s): %s", strings.Join(differing, ", "))
	}
	if i := t.repeats(r.messages); i >= 0 {
		return refuse("messages.%d: the thread holds this message already; send only what is new", i)
	}
	if !t.hasPictures && slices.ContainsFunc(r.messages, (*message).hasPicture) {
		return threadNotFound(id) // the held conversation can't take its first picture (wire §15.3)
	}
	t.state = threadInFlight
	r.thread, r.held, r.held0 = t, len(t.messages), t.conversation
	r.messages = append(t.messages, r.messages...)
	r.tools, r.system = t.tools, t.system
	return nil
}

// leaveThread ends the request's hold of its thread, which is unchanged unless a
// response has gone on from it.
func (r *request) leaveThread() {
	if r.thread == nil {
		return
	}
	r.thread.mu.Lock()
	defer r.thread.mu.Unlock()
	if r.thread.state == threadInFlight {
		r.thread.state = threadOpen
	}
}

func threadNotFound(id string) *Refusal {
	why := notFound("thread: no thread goes on from %s", id)
	why.Code = "thread_not_found"
	return why
}

func unsupportedThread(what ...string) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Type: transport.ErrInvalidRequest, Code: "thread_unsupported_request",
		Message: "thread: message threads don't support this request: " + strings.Join(what, ", "), Details: map[string]any{"unsupported": what}}
}

// checkThreaded refuses what doesn't go together with a thread: context editing
// but for keeping all thinking, and compaction of both forms (wire §15.5).
func (r *request) checkThreaded() *Refusal {
	for e := range rawjson.Elements(rawjson.Get(r.fields["context_management"], "edits")) {
		keep := rawjson.Get(e, "keep")
		all := string(keep) == `"all"` || rawjson.GetString(keep, "type") == "all"
		if rawjson.GetString(e, "type") != "clear_thinking_20251015" || !all {
			return unsupportedThread("context_management")
		}
	}
	if r.compacts() || r.betas.has("compact-2026-09-04") && r.anyFresh(func(b *block) bool { return b.typ == view.TypeCompaction }) {
		return unsupportedThread("context_management")
	}
	return nil
}

// repeats is the index of the message among those that come new which is the reply
// that the thread ends with, or -1.
func (t *thread) repeats(fresh []*message) int {
	last := t.messages[len(t.messages)-1]
	if last.role != transport.RoleAssistant {
		return -1
	}
	return slices.IndexFunc(fresh, func(m *message) bool {
		return m.role == last.role && len(m.blocks) > 0 && slices.EqualFunc(m.blocks, last.blocks, func(a, b block) bool { return a.digest.value == b.digest.value })
	})
}

func (m *message) hasPicture() bool {
	return slices.ContainsFunc(m.blocks, func(b block) bool {
		return b.typ == transport.TypeImage || slices.ContainsFunc(b.pictures, func(p picture) bool { return p.pages == 0 })
	})
}

// keepThread holds the conversation with the response that was made, if the
// request asked for it. It isn't held where another model than the thread's has
// answered, or none would (wire §15.3).
func (a *answer) keepThread() {
	r := a.r
	if !r.has("thread") {
		return
	}
	if r.thread != nil {
		r.thread.mu.Lock()
		r.thread.state, r.thread.conversation = threadContinued, conversation{} // what it held lives on in the next one
		r.thread.mu.Unlock()
	}
	cutCall := a.stop == transport.StopMaxTokens && len(a.content) > 0 && a.content[len(a.content)-1].Type() == transport.TypeToolUse
	if a.stop == transport.StopRefusal || a.fell || cutCall {
		return
	}
	c := r.held0
	c.messages, c.shown, c.facts = r.messages, r.shown, r.facts
	if m := a.reply(); m != nil {
		c.messages = append(c.messages, m)
		c.shown = append(c.shown, m.transport)
	}
	added := 0
	for _, m := range c.messages[r.held:] {
		added += len(m.raw)
		c.hasPictures = c.hasPictures || m.hasPicture()
	}
	if c.size += added; c.size > a.s.maxThread() {
		return
	}
	if c.past = r.past; r.next != nil {
		c.past = r.next
	}
	if c.index == nil {
		c.index = &index{}
	}
	c.index.keep(c.messages, r.kinds)
	a.s.threads.put(a.s.threads.key([]byte(a.id), r.account), &thread{
		account: r.account, tools: r.tools, system: r.system, fixed: r.fixed, fallsBack: r.has("fallbacks"), expires: a.s.now().Add(threadLife), conversation: c,
	}, 4*added+1000)
}

// reply is the response as a message of the conversation that goes on, or nil if
// nothing of it can: empty text is no part of one, nor blank text alone.
func (a *answer) reply() *message {
	var content []transport.Block
	blank := true
	for _, b := range a.content {
		if read := a.s.readBlock(b.Raw()); read.text != textEmpty {
			content = append(content, b)
			blank = blank && read.text == textSpace
		}
	}
	if blank {
		return nil
	}
	m := transport.Message{Role: transport.RoleAssistant, Content: content}
	return a.s.readMessage(m.AppendJSON(nil))
}

func (s *Server) maxThread() int {
	if s.opts.Threads.MaxBytes > 0 {
		return s.opts.Threads.MaxBytes
	}
	return maxBody
}
