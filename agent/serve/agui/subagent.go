package agui

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"

	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/internal/flow"
)

// lane is the prefix of all ids of a sub-agent's session, so that they are none of
// another's.
func lane(session string) string {
	sum := sha256.Sum256([]byte(session))
	return "s" + hex.EncodeToString(sum[:6]) + "-"
}

var inLane = regexp.MustCompile(`^s[0-9a-f]{12}-[rt][0-9]`)

// split takes the messages of sub-agents out of an input's.
func (in *Input) split() (*Input, []Message) {
	own, below := *in, []Message(nil)
	own.Messages = nil
	for _, m := range in.Messages {
		if m.Role != "user" && (m.Subagent != "" || inLane.MatchString(m.ID)) {
			below = append(below, m)
		} else {
			own.Messages = append(own.Messages, m)
		}
	}
	return &own, below
}

// A below reports a sub-agent. It is a flow.ChildSink.
type below struct {
	*writer
	problem func(error) *serve.Problem
	tell    func(event)
}

// newTree reports the sub-agents of a thread.
func newTree(h *serve.Handler, send func(event), broken func(), places map[string]flow.Place) *flow.Tree {
	lanes := map[string]*below{}
	times := map[string]int{}
	return flow.NewTree(h.Store(), func(c flow.Child) flow.ChildSink {
		b := &below{tell: send, problem: h.ProblemOf}
		b.writer = &writer{lane: lane(c.Session), run: c.Session, broken: broken, ids: map[int]string{}, tools: map[string]string{}}
		if times[c.Session]++; times[c.Session] > 1 { // an id of a run can't be used again
			b.run += fmt.Sprintf("#%d", times[c.Session])
		}
		b.send = func(e event) {
			e.Subagent = b.run
			for _, id := range []*string{&e.MessageID, &e.ToolCallID, &e.ParentID} {
				if *id != "" {
					*id = b.lane + *id
				}
			}
			send(e)
		}
		e := event{Type: "SUBAGENT_STARTED", Subagent: b.run, Name: c.Name, ParentToolCall: c.Call}
		if up := lanes[c.Parent]; up != nil {
			e.ParentSubagent, e.ParentToolCall = up.run, up.lane+c.Call
		}
		send(e)
		lanes[c.Session] = b
		return b
	}, func(err error) bool { return err != nil && h.ProblemOf(err) == nil }, places)
}

// Over implements flow.ChildSink.
func (b *below) Over(err error, suspended bool) {
	b.endStep()
	e := event{Type: "SUBAGENT_FINISHED", Subagent: b.run, Outcome: &outcome{Type: "success"}}
	switch p := b.problem(err); {
	case p != nil:
		e = event{Type: "SUBAGENT_ERROR", Subagent: b.run, Message: p.Title, Code: p.Type}
	case suspended:
		e.Outcome.Type = "suspended"
	}
	b.tell(e)
}
