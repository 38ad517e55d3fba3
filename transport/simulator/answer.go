package simulator

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/view"
)

// mostIterations is how often the service samples in one request with server
// tools before it pauses the turn (wire §6.1).
const mostIterations = 10

// An answer is a response in the making.
type answer struct {
	s      *Server
	r      *request
	ctx    context.Context
	out    output
	id     string
	number uint64 // of the response, for signatures
	charge charge
	prefix prefix
	before prefix // in front of the response
	fell   bool   // another model than the one asked for has taken over
	fault  Fault
	turn   *Turn
	base   []transport.Message // of the turn, without what was sent

	begun      bool
	content    []transport.Block // sent so far
	thoughts   int               // thinking blocks sent so far
	outTokens  int
	thinkToken int
	web        webUsage
	iterations int
	// iterationList is usage.iterations, if the response has them.
	iterationList []transport.Iteration
	diagnostics   []byte
	fallbacks     []*modelInfo // that are left
	container     []byte       // JSON, or nil
	input         int          // summed over the iterations
	stop          transport.StopReason
	stopSeq       string
	details       *transport.StopDetails
	stopped       bool // nothing more may be sent
}

// webUsage counts server tool calls, for usage and for max_uses.
type webUsage struct {
	searches, fetches int
}

// run makes the response and sends it. An error before anything was sent is
// returned; a later one is sent as an error event.
func (a *answer) run() *Refusal {
	if a.r.maxTokens == 0 {
		a.begin()
		a.stop = transport.StopMaxTokens
		a.finish()
		return nil
	}
	if a.r.compacts() {
		a.sendSummary()
		return nil
	}
	pending := a.r.pendingAtEnd()
	if a.compactFirst() {
		return nil
	}
	for i := 0; ; i++ {
		if i == 0 && len(pending) > 0 {
			a.begin()
			for _, p := range pending {
				a.sendResult(p.block)
			}
			a.turn.Messages = a.messagesSoFar()
		}
		a.turn.Step = i
		reply, err := a.s.opts.Model.Respond(a.ctx, a.turn)
		if err != nil {
			return a.fail(err)
		}
		if reply == nil {
			reply = &Reply{}
		}
		a.begin()
		again := a.say(a.fault.change(reply), i == mostIterations-1)
		if again = again || a.fallBack(reply); !again || a.stopped {
			break
		}
		a.turn.Messages = a.messagesSoFar()
	}
	if err := a.ctx.Err(); err != nil {
		return a.fail(err)
	}
	a.finish()
	return nil
}

// fail sends err, or returns it if nothing was sent yet.
func (a *answer) fail(err error) *Refusal {
	var why *Refusal
	if !errors.As(err, &why) {
		why = InternalError()
		why.Message = fmt.Sprintf("Internal server error (the simulator's model failed: %v)", err)
	}
	if !a.begun {
		return why
	}
	a.out.fail(why)
	return nil
}

// begin sends the start of the response, once. From here on what the request
// wrote to the cache can be read.
func (a *answer) begin() {
	if a.begun {
		return
	}
	a.begun = true
	a.s.cache.commit(a.charge)
	a.out.begin(a)
}

// messagesSoFar is the conversation with what was sent of this response.
func (a *answer) messagesSoFar() []transport.Message {
	if len(a.content) == 0 {
		return a.base[:len(a.base):len(a.base)]
	}
	a.base = append(a.base, transport.Message{Role: transport.RoleAssistant, Content: a.content[:len(a.content):len(a.content)]})
	list := a.base
	a.base = list[:len(list)-1]
	return list[:len(list):len(list)]
}

// say sends a reply. It reports whether the model is to be asked again, because
// server tools were called.
func (a *answer) say(reply *Reply, last bool) bool {
	a.iterations++
	a.input += a.charge.input
	if a.iterations > 1 {
		for _, b := range a.content {
			a.input += EstimateTokens(len(b.Raw()))
		}
	}
	a.stop, a.stopSeq, a.details = reply.StopReason, reply.StopSequence, reply.StopDetails
	parts, thinks := a.manualThinking(reply.Content)
	thinking, clientCalls := 0, false
	for _, p := range parts {
		switch p.kind {
		case partThinking, partRedacted:
			thinking++
		case partCall:
			clientCalls = true
		}
	}
	if !thinks {
		thinking = 0
	}
	of := a.thoughts + thinking
	again := false
	for i, p := range parts {
		if a.stopped || a.ctx.Err() != nil {
			return false
		}
		switch p.kind {
		case partText:
			a.sendText(p, reply)
		case partThinking, partRedacted:
			if thinking > 0 {
				a.sendThinking(p, of, reply)
			}
		case partCall:
			a.sendCall(p, reply)
		case partServerCall:
			call := a.sendCall(p, reply)
			pause := last || reply.StopReason == transport.StopPauseTurn && i == len(parts)-1
			if a.stopped || clientCalls {
				continue // deferred: its result opens a later response
			}
			if pause {
				a.stop = transport.StopPauseTurn
				return false
			}
			b := a.s.readBlock(call)
			a.sendResult(&b)
			again = true
		case partRaw:
			a.sendRaw(p.raw)
		}
	}
	if a.stopped {
		return false
	}
	if a.stop == "" {
		switch {
		case clientCalls:
			a.stop = transport.StopToolUse
		case again && !last:
			return true
		default:
			a.stop = transport.StopEndTurn
		}
	}
	return false
}

// manualThinking makes a reply one that the service would give, and take back, in
// manual mode: a turn starts with thinking, and a message that starts with
// something else has none. In the other modes the reply stays as it is. It also
// reports whether thinking is sent.
func (a *answer) manualThinking(parts []Part) ([]Part, bool) {
	if a.r.thinking.Type != "enabled" {
		return parts, a.r.thinks()
	}
	last := len(a.r.messages) - 1
	if a.r.messages[last].role == transport.RoleAssistant { // the response goes on with it
		if b, _, _ := a.r.opening(a.r.messageStart(last), last); b != nil {
			return parts, b.isThinking()
		}
	}
	for _, b := range a.content {
		switch b.Type() {
		case transport.TypeThinking, transport.TypeRedactedThinking:
			return parts, true
		case view.TypeCompaction, view.TypeFallback:
		default:
			if !strings.HasSuffix(string(b.Type()), "_tool_result") {
				return parts, false
			}
		}
	}
	if len(parts) == 0 || parts[0].kind == partThinking || parts[0].kind == partRedacted {
		return parts, true
	}
	if a.r.turnStart(last) >= 0 {
		return parts, false
	}
	return append([]Part{Thinking("I think about it first.")}, parts...), true
}

// room is how many bytes of output max_tokens leaves.
func (a *answer) room() int { return max(0, 4*(a.r.maxTokens-a.outTokens)) }

// add notes a block that was sent whole.
func (a *answer) add(raw []byte, tokens int) {
	a.outTokens += tokens
	if b, err := transport.ParseBlock(raw); err == nil {
		a.content = append(a.content, b)
	}
	b := a.s.readBlock(raw)
	a.prefix.add(a.r.model, transport.RoleAssistant, &b)
}

// cutOff ends the response at max_tokens.
func (a *answer) cutOff() {
	a.stopped = true
	a.stop, a.stopSeq, a.details = transport.StopMaxTokens, "", nil
}

func (a *answer) finish() {
	if len(a.iterationList) > 0 && a.stop != transport.StopCompaction {
		last := a.iteration("message", a.charge, a.outTokens)
		if a.fell {
			last.Type, last.Model = "fallback_message", a.r.model.resolved
		}
		a.iterationList = append(a.iterationList, last)
	}
	a.keepThread()
	a.out.finish(a)
}

// pendingAtEnd lists the server calls that wait for their results at the end of
// the conversation: a paused turn, or one whose client calls were answered.
func (r *request) pendingAtEnd() []place {
	turns := r.turns()
	if n := len(turns); n > 0 && turns[n-1].role == transport.RoleUser {
		turns = turns[:n-1]
		for i := len(r.messages) - 1; i >= 0 && r.messages[i].role == transport.RoleUser; i-- {
			if !r.messages[i].onlyResults() {
				return nil
			}
		}
	}
	if len(turns) == 0 {
		return nil
	}
	return r.open(len(turns) - 1)
}
