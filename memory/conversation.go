package memory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/omit"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/wire"
)

// A conversation is what a log's records amount to: the messages of the next
// request and what is open in them. It is computed record by record, so that a
// step costs what the step added.
//
// The rules of where a record lands (wire §6.3 to §6.5):
//
//   - a response stands as its blocks came, less what the service won't take
//     back ([transport.Response.Replay]); one that goes on, but holds nothing to go on
//     from, no call and no server tool, waits for the user's next message to stand in
//     front of: only old models take a prefill (wire §2.5), so that the same request is
//     sent again, and its response takes the place of the first;
//   - results stand in one user message directly behind the response, in the order of
//     the calls, once the last of them is there;
//   - an input that comes while calls are unanswered, or while the service has a call
//     of its own to finish, waits, and lands behind the results or the response that
//     settles it;
//   - a system message stands behind the user messages that come before the same
//     response, whichever came first.
type conversation struct {
	messages []transport.Message
	waiting  []transport.Message // inputs that may not stand here yet
	deferred []transport.Message // system messages that wait for a user message to stand behind

	edits int // how often messages were taken away or changed

	last      *transport.Response // the newest response
	sent      int                 // messages in the request that brought it
	prev      int                 // messages in the request before that one
	malformed bool                // one of calls has failed because its arguments are no JSON
	input     bool                // an input stands behind the newest response
	stuck     transport.Message   // the newest response, if it holds nothing to go on from
	pending   bool                // the service has a call of its own to finish
	// pendingFrom is the message that holds the first such call, if pending.
	pendingFrom int

	calls  []call  // calls of the newest response, in order; nil once all are answered
	owned  bool    // calls may be written to: no other copy of the conversation has them
	drafts []draft // what becomes of calls, where they may not be written to yet
	open   int
	forked bool // the lists are another log's too, and were not appended to since

	container string        // the newest that a response named
	omitted   omit.Omission // containers and servers that aren't sent any more

	limits *Limits
	counts Counts
	final  bool
	queued int64 // the newest message of the inbox

	background []string // sub-agents that have not ended; never written to

	at       time.Time // of the newest record
	requests []Request
	configs  []wire.CacheKey // of the runs; never written to
	config   int32           // that of the newest run in configs, from 1
}

// add appends one record. On error c is unusable; the caller works on a copy.
func (c *conversation) add(r *Record) error {
	if len(r.Aside) > 0 {
		return errors.New("parts of it are blobs: open the session through the store of package memory/blob")
	}
	if c.forked {
		// Its own list, with room for a few more. That of requests is made with the first response.
		c.messages, c.forked = append(make([]transport.Message, 0, len(c.messages)+8), c.messages...), false
	}
	before := c.at
	c.at = r.Time
	switch r.Kind {
	case KindRun:
		c.limits, c.counts, c.final = r.Limits, Counts{}, false
		if r.Data != nil {
			c.configure(wire.CacheKeyOf(r.Data))
		}
		return nil
	case KindInput:
		if r.Queued != 0 && r.Queued <= c.queued {
			return fmt.Errorf("message %d of the inbox, or a later one, is in the log already", r.Queued)
		}
		c.queued = max(c.queued, r.Queued)
		return c.addInput(r.Message)
	case KindResponse:
		return c.addResponse(r.Response, before)
	case KindStarted:
		return c.addStarted(r.Calls)
	case KindResult:
		return c.addResult(r.Block, r.Final)
	case KindApprovalRequest:
		return c.addAsks(r.ApprovalRequests)
	case KindDecision:
		return c.addDecision(r.Decision)
	case KindSummary:
		return c.addSummary(r.Message, r.Replaces)
	case KindOmission:
		return c.addOmission(r.Omission)
	case KindNote:
		switch r.Note {
		case notes.Warm:
			c.warmed(r.Time)
		case notes.Began:
			c.background = append(slices.Clip(c.background), rawjson.GetString(r.Data, "child"))
		case notes.Ended:
			ended := rawjson.GetString(r.Data, "child")
			c.background = slices.DeleteFunc(slices.Clone(c.background), func(child string) bool { return child == ended })
		}
		return nil
	case KindSealed:
		return errors.New("the session is encrypted: open it with protect.Encrypted and its keys")
	}
	return fmt.Errorf("unknown kind %q: %w", r.Kind, newer)
}

// grown is append for a list that is kept for long: one that is full grows by a quarter,
// where append would double it.
func grown[T any](list []T, v T) []T {
	if n := len(list); n == cap(list) {
		list = append(make([]T, 0, n+n/4+4), list...)
	}
	return append(list, v)
}

// configure says which configuration the requests to come have.
func (c *conversation) configure(key wire.CacheKey) {
	at := slices.Index(c.configs, key)
	if at < 0 {
		at = len(c.configs)
		c.configs = append(slices.Clip(c.configs), key)
	}
	c.config = int32(at) + 1
}

func (c *conversation) addInput(m transport.Message) error {
	if len(m.Content) == 0 && len(m.OutputConfig) == 0 {
		return errors.New("an input needs content: the service refuses an empty message")
	}
	m = m.Measured()
	switch m.Role {
	case transport.RoleUser, transport.RoleSystem:
	case transport.RoleAssistant:
		return c.addAssistants(m)
	default:
		return fmt.Errorf("an input has the role user, system or assistant, not %q", m.Role)
	}
	if c.open > 0 || c.pending {
		c.waiting = append(slices.Clip(c.waiting), m)
		return nil
	}
	c.insert(m)
	return nil
}

// addAssistants puts words that the caller has the assistant say where the service
// takes them: at the beginning, or behind a user's message, for the model to go on from.
func (c *conversation) addAssistants(m transport.Message) error {
	n := len(c.messages)
	switch {
	case n == 0 && len(c.deferred) == 0:
	case !c.input || n == 0 || c.messages[n-1].Role != transport.RoleUser:
		return errors.New("a message of the assistant's stands at the beginning, or directly behind a user's message")
	case wire.EndsInSpace(m):
		return errors.New("a message that the model goes on from can't end in white space (wire §2.5)")
	}
	c.messages = grown(c.messages, m)
	return nil
}

func (c *conversation) addWaiting() {
	waiting := c.waiting
	c.waiting = nil
	for _, m := range waiting {
		c.insert(m)
	}
}

// insert puts an input where the service takes it (wire §2.6): a system
// message with content stands behind a user message, with no other one behind it
// before the next response. One that comes too early waits for the user's.
func (c *conversation) insert(m transport.Message) {
	if m.Role == transport.RoleUser && len(c.stuck.Content) > 0 {
		c.messages = grown(c.messages, c.stuck)
		c.stuck = transport.Message{}
	}
	end := len(c.messages)
	for end > 0 && c.messages[end-1].Role == transport.RoleSystem {
		end--
	}
	switch {
	case m.Role == transport.RoleSystem && len(m.Content) > 0 && (end == 0 || !takesSystem(c.messages[end-1])):
		c.deferred = append(slices.Clip(c.deferred), m)
		return
	case m.Role == transport.RoleSystem || end == len(c.messages):
		c.messages = grown(c.messages, m)
	default:
		c.messages = slices.Concat(c.messages[:end], []transport.Message{m}, c.messages[end:])
	}
	c.input = true
	if m.Role != transport.RoleSystem {
		c.messages = append(c.messages, c.deferred...)
		c.deferred = nil
	}
}

// takesSystem reports whether a system message may stand behind m.
func takesSystem(m transport.Message) bool {
	if n := len(m.Content); m.Role == transport.RoleAssistant {
		return n > 0 && strings.HasSuffix(string(m.Content[n-1].Type()), "_tool_result")
	}
	return true
}

func (c *conversation) addResponse(r *transport.Response, sentAt time.Time) error {
	if r == nil {
		return errors.New("no response")
	}
	if c.open > 0 {
		return fmt.Errorf("%d tool calls of the response before it are unanswered", c.open)
	}
	if len(c.messages) == 0 {
		return errors.New("a response needs a message that it responds to")
	}
	calls, err := newCalls(r)
	if err != nil {
		return err
	}
	c.answered(r, calls, sentAt)
	return nil
}

// answered puts a response that fits, with its calls, where it stands.
func (c *conversation) answered(r *transport.Response, calls []call, sentAt time.Time) {
	c.prev, c.sent = c.sent, len(c.messages)
	c.last, c.input = r, false
	if r.Container != nil && r.Container.ID != "" {
		c.container = r.Container.ID
	}
	m, ok := r.Replay()
	goesOn := r.StopReason == transport.StopToolUse || r.StopReason == transport.StopPauseTurn
	stuck := ok && goesOn && len(calls) == 0 && wire.EndsInPrefill(append(slices.Clip(c.messages), m))
	c.counts.add(r, stuck)
	c.addRequest(sentAt, r)
	c.stuck = transport.Message{}
	switch {
	case stuck:
		c.stuck = m.Measured()
	case ok:
		c.messages = grown(c.messages, m.Measured())
		if !c.pending {
			c.pendingFrom = len(c.messages) - 1
		}
	case c.pending && !goesOn:
		c.dropPending()
	}
	c.pending = !stuck && c.goesOn(r, goesOn)
	c.calls, c.owned = calls, true
	if c.open = len(c.calls); c.open == 0 && !c.pending {
		c.addWaiting()
	}
}

// addSummary puts a message in the place of the first n. It may not part a call
// from its results.
func (c *conversation) addSummary(m transport.Message, n int) error {
	switch {
	case c.open > 0 || c.pending:
		return errors.New("a summary can't be appended while calls are unanswered")
	case n < 1 || n > len(c.messages):
		return fmt.Errorf("a summary of %d messages: there are %d", n, len(c.messages))
	case len(m.Content) == 0:
		return errors.New("a summary needs content")
	case n < len(c.messages) && len(c.messages[n].Content) > 0 && c.messages[n].Content[0].Type() == transport.TypeToolResult:
		return fmt.Errorf("a summary of %d messages parts calls from their results", n)
	}
	c.messages = append([]transport.Message{m.Measured()}, c.messages[n:]...)
	c.stuck = transport.Message{}
	c.sent, c.prev, c.requests = 0, 0, nil
	c.edits++
	return nil
}

// warmed says that the cache's entry for the newest request was read again.
func (c *conversation) warmed(at time.Time) {
	if n := len(c.requests) - 1; n >= 0 && at.After(c.requests[n].At) {
		c.requests = append(c.requests[:n:n], c.requests[n])
		c.requests[n].At = at
	}
}

// dropPending takes back the part of a turn that waited for the service to
// finish a call of its own, when the response that should have brought the
// result left nothing to send, because it was refused: a request with a call
// that never gets its result is refused too (wire §6.1, §6.4).
func (c *conversation) dropPending() {
	n := c.pendingFrom
	c.edits++
	c.messages = c.messages[:n:n]
	c.sent, c.prev = min(c.sent, n), min(c.prev, n)
	c.requests = slices.DeleteFunc(slices.Clone(c.requests), func(s Request) bool { return s.Messages > n })
}

// goesOn reports whether a response goes on in the next one: it was paused, or a
// server tool's call of the turn waits for its result still. Where the turn ends
// without the result, more says no, it never comes, and the call is left out.
func (c *conversation) goesOn(r *transport.Response, more bool) bool {
	if !c.pending && len(wire.PendingServerCalls(r)) == 0 {
		return r.StopReason == transport.StopPauseTurn
	}
	from := min(c.pendingFrom, len(c.messages))
	open := openServerCalls(c.messages[from:])
	if more || len(open) == 0 {
		return r.StopReason == transport.StopPauseTurn || len(open) > 0
	}
	turn := slices.Clone(c.messages[from:])
	c.dropPending()
	for i, m := range turn {
		at := -1
		m.Content = slices.DeleteFunc(slices.Clone(m.Content), func(transport.Block) bool {
			at++
			return slices.Contains(open, [2]int{i, at})
		})
		if slices.ContainsFunc(m.Content, func(b transport.Block) bool { return !wire.IsBlank(b) }) {
			c.messages = grown(c.messages, m.Measured())
		}
	}
	return false
}

// openServerCalls are the places, message and block, of the calls of server tools
// without a result. One id may come again behind its result.
func openServerCalls(messages []transport.Message) (open [][2]int) {
	for i, m := range messages {
		for k, b := range m.Content {
			switch {
			case wire.IsServerCall(b.Type()):
				open = append(open, [2]int{i, k})
			case wire.IsServerResult(b.Type()):
				open = slices.DeleteFunc(open, func(at [2]int) bool {
					return rawjson.GetString(messages[at[0]].Content[at[1]].Raw(), "id") == b.ToolUseID()
				})
			}
		}
	}
	return open
}

// fork returns a copy that shares what is appended. Adding to either leaves
// the other as it is.
func (c conversation) fork() conversation {
	c.messages, c.forked = slices.Clip(c.messages), true
	c.waiting, c.deferred = slices.Clip(c.waiting), slices.Clip(c.deferred)
	c.requests = slices.Clip(c.requests)
	c.calls, c.drafts = slices.Clone(c.calls), nil
	return c
}
