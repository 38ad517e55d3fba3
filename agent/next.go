package agent

import (
	"slices"
	"strings"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// An Action is what a run has to do next.
type Action struct {
	// Do is what is to be done:
	//
	//   - "model": send the log's messages to the model and append its response
	//   - "tools": answer Calls, in order, and append the results; those that are Cut,
	//     or that were started by a process that is gone, without being run
	//   - "wait": nothing, until Calls are decided on or Questions are answered
	//   - "done": nothing, the turn is over; Reason, Err
	Do string

	Calls []memory.OpenCall
	// Questions are of tools. One of Kind "session" is answered by a sub-agent's session,
	// which waits itself or works in the background: a run of the caller's log lets it go
	// on where it can.
	Questions []PendingQuestion

	Reason transport.StopReason // of the newest response; empty if there is none
	Err    error                // why the turn ended before the model finished it; nil if it did
}

const (
	doModel = "model"
	doTools = "tools"
	doWait  = "wait"
	doNone  = "done"
)

// Done reports whether the turn is over.
func (a Action) Done() bool { return a.Do == doNone }

// Waits reports whether nothing can be done until somebody decides or answers.
func (a Action) Waits() bool { return a.Do == doWait }

// Until is when the first of the questions has waited long enough: then a run gives
// it its Default, or reports to the tool that there is no answer. The zero time
// means that all may wait forever.
func (a Action) Until() time.Time {
	var until time.Time
	for _, q := range a.Questions {
		if d := q.Question.Deadline; until.IsZero() || !d.IsZero() && d.Before(until) {
			until = d
		}
	}
	return until
}

// Next returns what to do next with a log. It is a pure function: a run, a resumed
// run, a durable engine and a test all call it, and none of them has a loop of its
// own.
func Next(log *memory.Log) Action {
	s := log.State()
	act := next(log, &s)
	if len(s.Background) == 0 {
		return act
	}
	switch {
	case act.Waits():
		act.Questions = append(slices.Clip(act.Questions), backgroundOf(log, s)...)
	case act.Done() && act.Err == nil && !s.Final:
		if working := backgroundOf(log, s); len(working) > 0 {
			return Action{Do: doWait, Questions: working}
		}
	}
	return act
}

func next(log *memory.Log, s *memory.State) Action {
	if len(s.Open) > 0 {
		return answer(log, s.Open)
	}
	if s.Response == nil {
		if !s.Input {
			return Action{Do: doNone, Err: ErrNoInput}
		}
		return callModel(s)
	}
	if s.Final && !s.Input {
		return Action{Do: doNone, Reason: s.Response.StopReason}
	}
	switch reason := s.Response.StopReason; reason {
	case transport.StopToolUse:
		// A response may ask for tools and name none (wire §6.1): ask once more.
		if s.Counts.Empty > 1 && !s.Input {
			return Action{Do: doNone, Reason: reason, Err: &StopError{Response: s.Response, Why: "the model asked for tools and named none, twice"}}
		}
		return afterCalls(s)

	case transport.StopPauseTurn:
		if s.Counts.Empty > 1 && !s.Input {
			return Action{Do: doNone, Reason: reason, Err: &StopError{Response: s.Response, Why: "the model paused its turn where no tool of the service works, twice; go on with a message"}}
		}
		if l := limits(s).Pauses; l >= 0 && s.Counts.Pauses > l {
			return Action{Do: doNone, Reason: reason, Err: &LimitError{Limit: "pauses", Max: int64(l)}}
		}
		return callModel(s)

	case transport.StopCompaction:
		return callModel(s)

	case transport.StopMaxTokens:
		if s.Input {
			return callModel(s)
		}
		if s.Counts.Cuts == 0 {
			return Action{Do: doNone, Reason: reason, Err: &StopError{Response: s.Response, Why: "the answer was cut off at max_tokens; raise Options.MaxTokens"}}
		}
		if l := limits(s).Cuts; l >= 0 && s.Counts.Cuts > l {
			return Action{Do: doNone, Reason: reason, Err: &LimitError{Limit: "cuts", Max: int64(l)}}
		}
		return callModel(s)

	case transport.StopEndTurn, transport.StopStopSequence:
		if s.Input {
			return callModel(s)
		}
		if s.Response.HasToolCalls() {
			return afterCalls(s) // some gateways always say end_turn
		}
		return Action{Do: doNone, Reason: reason}

	case transport.StopRefusal:
		if s.Input {
			return callModel(s)
		}
		return Action{Do: doNone, Reason: reason, Err: &StopError{Response: s.Response, Why: "the model refused" + refusal(s.Response)}}

	case transport.StopContextWindowExceeded:
		if s.Input {
			return callModel(s)
		}
		return Action{Do: doNone, Reason: reason, Err: &StopError{Response: s.Response, Why: "the context window is full; begin a new log, or compact this one"}}

	default:
		if s.Input {
			return callModel(s)
		}
		if s.Response.HasToolCalls() {
			return afterCalls(s)
		}
		why := "the model stopped for a reason that this library doesn't know; what it said is in the log"
		if reason == "" {
			why = "the response has no stop_reason; is this endpoint one of the Messages API?"
		}
		return Action{Do: doNone, Reason: reason, Err: &StopError{Response: s.Response, Why: why}}
	}
}

// afterCalls goes on behind calls, which are answered by now, unless too many
// responses in a row held one that did not arrive whole, or whose arguments are no
// JSON.
func afterCalls(s *memory.State) Action {
	if l := limits(s).Cuts; l >= 0 && s.Counts.Cuts > l {
		return Action{Do: doNone, Reason: s.Response.StopReason, Err: &LimitError{Limit: "cuts", Max: int64(l)}}
	}
	if l := limits(s).Malformed; l > 0 && s.Counts.Malformed > l {
		return Action{Do: doNone, Reason: s.Response.StopReason, Err: &LimitError{Limit: "malformed", Max: int64(l)}}
	}
	return callModel(s)
}

// answer chooses among the open calls: those that can be dealt with now, or, if
// all of them wait for a decision or an answer, the wait.
func answer(log *memory.Log, open []memory.OpenCall) Action {
	var asked map[string]bool
	var questions []PendingQuestion
	if slices.ContainsFunc(open, func(c memory.OpenCall) bool { return c.Started }) {
		asked, questions = waits(log) // only a call that ran can have asked
	}
	if len(questions) == 0 && !slices.ContainsFunc(open, undecided) {
		return Action{Do: doTools, Calls: open}
	}
	var ready, waiting []memory.OpenCall
	for _, c := range open {
		switch {
		case undecided(c):
			waiting = append(waiting, c)
		case asked[c.ID] && asksStill(questions, c.ID):
		default:
			ready = append(ready, c)
		}
	}
	if len(ready) == 0 {
		return Action{Do: doWait, Calls: waiting, Questions: questions}
	}
	return Action{Do: doTools, Calls: ready}
}

// undecided reports whether a call waits for approval.
func undecided(c memory.OpenCall) bool { return c.ApprovalRequest != nil && c.Decision == nil }

// asksStill reports whether a question of the call is open.
func asksStill(questions []PendingQuestion, id string) bool {
	return slices.ContainsFunc(questions, func(q PendingQuestion) bool {
		_, of, _ := strings.Cut(q.Root, "-")
		return of == id
	})
}

// callModel is the action of that name, unless the run has had its steps.
func callModel(s *memory.State) Action {
	if l := limits(s).Steps; l >= 0 && s.Counts.Steps >= l {
		done := Action{Do: doNone, Err: &LimitError{Limit: "steps", Max: int64(l)}}
		if s.Response != nil {
			done.Reason = s.Response.StopReason
		}
		return done
	}
	return Action{Do: doModel}
}

// limits are those recorded with the run. A log that no run has begun has none.
func limits(s *memory.State) memory.Limits {
	if s.Limits == nil {
		return memory.Limits{Steps: -1, Pauses: -1, Cuts: -1}
	}
	return *s.Limits
}

func refusal(r *transport.Response) string {
	if d := r.StopDetails; d != nil && d.Category != "" {
		return " (" + d.Category + ")"
	}
	return ""
}

// Limits bound a run. Zero fields take the defaults, which suit most agents; a
// negative value means no limit.
type Limits struct {
	Steps  int // model calls in a run; default 100
	Pauses int // responses in a row that pause the turn; default 10
	Cuts   int // responses in a row that max_tokens cuts inside a tool call; default 3
	// Malformed bounds the responses in a row with a call that failed because its
	// arguments came whole and are no JSON; default 5.
	Malformed int

	Time        time.Duration // a run; default 1 hour
	ToolTime    time.Duration // one tool call; default 2 minutes
	Parallel    int           // tool calls at once; default 8
	Depth       int           // sub-agents of sub-agents; default 8
	Checks      int           // answers in a run that Options.Check sends back; default 3
	ResultBytes int           // text of one tool result; default 262,144, about 65,000 tokens

	// Lease is how long a session stays taken after the process that works on it has
	// died: another one can't go on with it before that. The default is 15 seconds,
	// negative means no lease. It does not matter for logs without a store.
	Lease time.Duration
}

// or is l with the fields of d where its own are 0.
func (l Limits) or(d Limits) Limits {
	def(&l.Steps, d.Steps)
	def(&l.Pauses, d.Pauses)
	def(&l.Cuts, d.Cuts)
	def(&l.Malformed, d.Malformed)
	def(&l.Time, d.Time)
	def(&l.ToolTime, d.ToolTime)
	def(&l.Parallel, d.Parallel)
	def(&l.Depth, d.Depth)
	def(&l.Checks, d.Checks)
	def(&l.ResultBytes, d.ResultBytes)
	def(&l.Lease, d.Lease)
	return l
}

// allowMoreThan reports whether l is higher than a limit that was reached.
func (l Limits) allowMoreThan(reached *LimitError) bool {
	n := map[string]int{"steps": l.Steps, "pauses": l.Pauses, "cuts": l.Cuts, "malformed": l.Malformed, "checks": l.Checks}[reached.Limit] // 0 for those that no log reports
	return n < 0 || int64(n) > reached.Max
}

func (l Limits) withDefaults() Limits {
	return l.or(Limits{
		Steps: 100, Pauses: 10, Cuts: 3, Malformed: 5, Time: time.Hour, ToolTime: 2 * time.Minute, Parallel: 8, Depth: 8, Checks: 3, ResultBytes: 256 << 10, Lease: 15 * time.Second,
	})
}

func def[T int | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// recorded are the limits that go into the log with a run.
func (l Limits) recorded() *memory.Limits {
	return &memory.Limits{Steps: l.Steps, Pauses: l.Pauses, Cuts: l.Cuts, Malformed: l.Malformed}
}
