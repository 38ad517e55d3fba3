package agui

import (
	"context"
	"encoding/json"
	"reflect"
	"regexp"
	"strconv"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/internal/flow"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// The ids of messages that are made here: r3 is the session's third response, r3-2 what
// begins with block 2 of it, t12 and u12 the result and the message of record 12.
var made = regexp.MustCompile(`^[rtu]([0-9]{1,9})(-[0-9]{1,9})?$`)

func ours(id string) bool { return made.MatchString(id) }

// ours reports whether a client's message is one that was made here. Clients may call
// their own in the same way: one of the user or with a result is made here only if the
// session's record of that number is the one that it tells.
func (k *known) ours(m *Message) bool {
	g := made.FindStringSubmatch(m.ID)
	if g == nil {
		return false
	}
	n, _ := strconv.Atoi(g[1])
	switch m.Role {
	case "user":
		is, ok := k.inputs[n]
		if !ok || m.ID[0] != 'u' || g[2] != "" {
			return false
		}
		msg, err := m.said()
		return err != nil || msg.Text() == is.Text()
	case "tool":
		if m.ID[0] == 't' {
			return g[2] == "" && k.results[n] == m.ToolCallID
		}
	}
	return true
}

// asks reports whether the client waits for an answer: the newest that it has is its
// own. A run that was stopped doesn't go on because a page is loaded.
func (k *known) asks(in *Input) bool {
	if len(in.Messages) == 0 {
		return false
	}
	m := &in.Messages[len(in.Messages)-1]
	return (m.Role == "user" || m.Role == "tool") && !k.ours(m)
}

// known is what a client knows of a session, and what it adds.
type known struct {
	records   int // of the session
	responses int
	history   []Message // what the session's records come to, under the client's ids
	// behind is set if the client's messages are not those.
	behind   bool
	snapshot []Message
	// prefix is how much of the snapshot is sent first, because a client adds what it
	// doesn't have at the end; below 0 if the whole will do.
	prefix   int
	news     []Message // what the user has said since
	messages []transport.Message
	// expect are the client's messages of the user that are not in the log yet.
	expect []Message
	ids    map[int]string    // the client's ids of messages of the user, by record
	tools  map[string]string // those of results, by call

	// What is told of sub-agents: how much of their sessions, those in the store, and the
	// calls that have one, by their sessions.
	places map[string]flow.Place
	stored map[string]bool
	calls  map[string]flow.Child

	inputs  map[int]transport.Message // what the user has said, by record
	results map[int]string            // the calls whose results records are
}

// unfinished reports whether a session is in the middle of something, such as after its
// process has died.
func unfinished(log *memory.Log) bool {
	next := agent.Next(log)
	return !next.Done() && !next.Waits()
}

// An entry is something that a user has said in a session.
type entry struct {
	record  int // 0 if it waits in the inbox
	after   int // the number of responses before it
	message transport.Message
}

// read compares what a client sent with its session, and the messages that wait in that
// one's inbox. log is nil if there is none.
func read(ctx context.Context, h *serve.Handler, log *memory.Log, waits []memory.Record, in *Input) (*known, error) {
	var below []Message // what sub-agents wrote, which the store has, too
	in, below = in.split()
	k := &known{ids: map[int]string{}, tools: map[string]string{}, inputs: map[int]transport.Message{}, results: map[int]string{}}
	var said []entry
	if log != nil {
		k.records = log.Len()
		for i, r := range log.Records(0) {
			if i >= k.records {
				break
			}
			switch {
			case r.Kind == memory.KindResponse:
				k.responses++
			case r.Kind == memory.KindInput && r.Message.Role == transport.RoleUser:
				said = append(said, entry{i + 1, k.responses, r.Message})
				k.inputs[i+1] = r.Message
			case r.Kind == memory.KindResult:
				k.results[i+1] = r.Block.ToolUseID()
			}
		}
		for _, r := range waits {
			said = append(said, entry{0, k.responses + 1, r.Message})
		}
	}
	for i := range in.Messages {
		if m := &in.Messages[i]; m.Role == "tool" && !k.ours(m) {
			k.tools[m.ToolCallID] = m.ID
		}
	}
	if err := k.align(in, said); err != nil {
		return nil, err
	}
	if log != nil {
		if err := k.tell(ctx, h, log, k.records); err != nil {
			return nil, err
		}
	}
	k.compare(in, below)
	return k, nil
}

// align finds out which of the user's messages are in the session. The client's history
// says up to which response it knows the session: what was said behind that, and is in
// the session in the same words, was sent before, by a client that lost the connection.
func (k *known) align(in *Input, said []entry) error {
	parsed := make([]transport.Message, len(in.Messages))
	own := make([]bool, len(in.Messages)) // what the user says, under an id of the client's
	behind, at := 0, 0                    // the response that the client knows last, and what follows on it
	for i := range in.Messages {
		m := &in.Messages[i]
		ours := k.ours(m)
		if g := made.FindStringSubmatch(m.ID); ours {
			at = i + 1
			if m.Role == "assistant" || m.Role == "reasoning" {
				behind, _ = strconv.Atoi(g[1])
			}
		}
		if own[i] = m.Role == "user" && !ours; own[i] {
			msg, err := m.said()
			if err != nil {
				return err
			}
			parsed[i] = msg
		}
	}
	first, next, lost := true, 0, false
	for i := range in.Messages {
		m := &in.Messages[i]
		if !own[i] {
			continue
		}
		if i >= at && first {
			first = false
			for next < len(said) && said[next].after < behind {
				next++
			}
			// A client that knows nothing of a session which has gone on for long says
			// something new, even if it was said before.
			lost = behind == 0 && k.responses > 0 && len(said) != len(in.Messages)-i
		}
		j := next
		for j < len(said) && !flow.Same(said[j].message, parsed[i]) {
			j++
		}
		switch {
		case j < len(said) && !(i >= at && lost):
			next = j + 1
			if said[j].record > 0 {
				k.ids[said[j].record] = m.ID
			} else {
				k.expect = append(k.expect, *m)
			}
		case i >= at:
			next = len(said)
			k.news = append(k.news, *m)
			k.messages = append(k.messages, parsed[i])
			k.expect = append(k.expect, *m)
		}
	}
	return nil
}

// compare finds out whether the client has what the session's records come to, and
// makes the snapshot that it needs if it hasn't.
func (k *known) compare(in *Input, below []Message) {
	has := map[string]*Message{}
	for i := range below {
		has[below[i].ID] = &below[i]
	}
	for i := range in.Messages {
		has[in.Messages[i].ID] = &in.Messages[i]
	}
	is := map[string]bool{}
	for i := range k.history {
		m := &k.history[i]
		is[m.ID] = true
		k.behind = k.behind || !same(has[m.ID], m)
	}
	var before, partial []Message
	for _, m := range below {
		k.behind = k.behind || !is[m.ID]
	}
	for _, m := range in.Messages {
		switch {
		case k.ours(&m) && !is[m.ID]: // of a response that was not whole when it was lost
			k.behind = true
			if m.Role == "reasoning" { // a snapshot without any leaves it as it is
				m.Content = json.RawMessage(`""`)
				partial = append(partial, m)
			}
		case !k.ours(&m) && m.Role == "assistant" && !is[m.ID]: // a greeting of the client's
			before = append(before, m)
		}
	}
	k.snapshot = append(append(before, k.history...), k.expect...)
	k.snapshot = append(k.snapshot, partial...)
	k.prefix = -1
	at := 0
	for _, m := range k.snapshot {
		if has[m.ID] == nil {
			break
		}
		at++
	}
	for _, m := range k.snapshot[at:] {
		if has[m.ID] != nil {
			k.prefix = at
		}
	}
}

// same reports whether a client's message is the one of the session.
func same(m, is *Message) bool {
	if m == nil || m.Role != is.Role || m.ToolCallID != is.ToolCallID || len(m.ToolCalls) != len(is.ToolCalls) {
		return false
	}
	for i, c := range m.ToolCalls {
		if c.ID != is.ToolCalls[i].ID || c.Function != is.ToolCalls[i].Function {
			return false
		}
	}
	if is.Role == "user" || is.Role == "tool" && !ours(is.ID) {
		return true // as the client wrote it
	}
	return reflect.DeepEqual(content(m), content(is))
}

func content(m *Message) any {
	var v any
	_ = json.Unmarshal(m.Content, &v)
	if v == nil {
		return ""
	}
	return v
}

// tell finds out what a log's records come to as messages of AG-UI, with what sub-agents
// have written.
func (k *known) tell(ctx context.Context, h *serve.Handler, log *memory.Log, records int) error {
	var err error
	if k.stored, err = flow.Stored(ctx, h.Store(), log.ID()); err != nil {
		return err
	}
	k.history = nil
	w := &writer{ids: k.ids, tools: map[string]string{}}
	w.send = func(e event) {
		if id := k.tools[e.ToolCallID]; id != "" && e.Type == "TOOL_CALL_RESULT" && e.Subagent == "" {
			e.MessageID = id
		}
		k.history = apply(k.history, e)
	}
	w.said = func(m Message) { k.history = append(k.history, m) }
	tree := newTree(h, func(e event) { k.history = apply(k.history, e) }, func() {}, nil)
	tree.Look(k.stored)
	f := flow.New(w, 0)
	for i, r := range log.Records(0) {
		if i >= records {
			break
		}
		tree.Calls(log.ID(), r, i+1)
		if r.Kind == memory.KindResult {
			tree.Result(ctx, log.ID(), r.Block.ToolUseID())
		}
		f.Record(r, i+1)
	}
	tree.Rest(ctx)
	k.places, k.calls = tree.Places(), tree.Known()
	return nil
}
