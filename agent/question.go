package agent

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/whorl-go/whorl/agent/internal/clock"
	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
)

// A PendingQuestion is a question of a tool's ([tools.Host].Ask) that waits for its
// answer. It is plain data: it can be sent as JSON to whoever answers, and come
// back to another process. After answering it, run the session again.
type PendingQuestion struct {
	Session string `json:"session,omitempty"`
	// Call is unique to the call in its session, and Root that of the model's call
	// that it was made in; they are the same unless a tool has made the call.
	Call     string         `json:"call"`
	Root     string         `json:"root"`
	Name     string         `json:"name"` // of the tool that asks
	Question tools.Question `json:"question"`
	Since    time.Time      `json:"since,omitzero"` // when it was asked
}

// Questions lists the questions of a log's tool calls that wait for an answer, in the
// order of the calls.
func Questions(log *memory.Log) []PendingQuestion {
	if len(log.State().Open) == 0 {
		return nil
	}
	_, list := waits(log)
	return list
}

// Answer records an answer. It fails with a [*tools.AnswerError] for one that the
// question doesn't allow, which leaves the question open, and with a
// [*DecisionError] otherwise: "decided" if it was answered or its time is over,
// "changed" if the question is not the one in the log or the log is that of another
// session, and "not_pending" if it does not wait.
func (q PendingQuestion) Answer(ctx context.Context, log *memory.Log, a tools.Answer) error {
	if err := q.Question.Check(a.Value); err != nil {
		return fmt.Errorf("%s asks %q: %w", q.Name, q.Question.Key, err)
	}
	a.Expired = false
	return q.record(ctx, log, hostNote{Answer: &a})
}

// Decline records that there will be no answer: the tool is told
// [tools.ErrDeclined], with the reason. It fails as Answer does.
func (q PendingQuestion) Decline(ctx context.Context, log *memory.Log, reason string) error {
	return q.record(ctx, log, hostNote{Declined: true, Reason: strings.ToValidUTF8(reason, "\uFFFD")})
}

// record appends what ends the wait. Of several that others append at the same time
// the first in the log counts; behind anything else it looks at the log again.
func (q PendingQuestion) record(ctx context.Context, log *memory.Log, n hostNote) error {
	fail := func(why, detail string) error {
		return &DecisionError{Call: PendingCall{Session: q.Session, CallID: q.Call, Name: q.Name}, Why: why, Detail: detail}
	}
	if q.Session != log.ID() {
		return fail(whyChanged, fmt.Sprintf("it waits in session %q, and this is %q", q.Session, log.ID()))
	}
	n.Root, n.Call, n.Key = q.Root, q.Call, q.Question.Key
	raw, err := json.Marshal(n)
	if err != nil {
		return err
	}
	for seen := -1; ; seen = log.Len() {
		if err := log.Refresh(ctx); err != nil {
			return err
		}
		late := isPast(ctx, q.Question.Deadline)
		switch asked, ended, _ := q.find(log); {
		case asked == nil:
			return fail(whyNotPending, "")
		case !q.same(asked):
			return fail(whyChanged, "")
		case ended:
			return fail(whyDecided, "")
		case !slices.ContainsFunc(Questions(log), func(o PendingQuestion) bool { return o.Call == q.Call && o.Question.Key == q.Question.Key }):
			return fail(whyNotPending, "") // its call was given up
		case late && !n.Expired:
			return fail(whyDecided, "its time was over at "+q.Question.Deadline.Format(time.RFC3339))
		}
		ours := memory.Record{Kind: memory.KindNote, Note: notes.Answer, Data: raw, Time: time.Now()}
		err := log.Append(ctx, ours)
		if errors.Is(err, memory.ErrConflict) && log.Len() > seen {
			continue // while that brings something new
		} else if err != nil {
			return err
		}
		if _, _, at := q.find(log); !at.Equal(ours.Time) {
			return fail(whyDecided, "") // somebody was faster
		}
		return nil
	}
}

// find looks a question up in the log: what was asked, whether that has an answer,
// and when it came.
func (q PendingQuestion) find(log *memory.Log) (asked *tools.Question, ended bool, at time.Time) {
	from, _ := strconv.Atoi(strings.SplitN(q.Root, "-", 2)[0])
	for _, r := range log.Records(max(0, from)) {
		var n hostNote
		if r.Kind != memory.KindNote || r.Note != notes.Question && r.Note != notes.Answer ||
			json.Unmarshal(r.Data, &n) != nil || n.Root != q.Root || n.Call != q.Call {
			continue
		}
		switch {
		case r.Note == notes.Question && n.Question != nil && n.Question.Key == q.Question.Key:
			asked = n.Question
		case r.Note == notes.Answer && n.Key == q.Question.Key:
			return asked, true, r.Time
		}
	}
	return asked, false, at
}

// same reports whether what is answered is what was asked.
func (q PendingQuestion) same(asked *tools.Question) bool {
	is, err := json.Marshal(asked)
	was, e := json.Marshal(q.Question)
	return err == nil && e == nil && bytes.Equal(is, was)
}

// waits finds out which calls of the newest response have asked something, by their
// ids, and what is not answered yet. The value is true for a call that nothing has
// come for since it ran last: it waits.
func waits(log *memory.Log) (asked map[string]bool, open []PendingQuestion) {
	record := behindNewestResponse(log)
	prefix := fmt.Sprint(record) + "-"
	for i, r := range log.Records(record) {
		switch {
		case r.Kind == memory.KindStarted:
			for _, id := range r.Calls {
				if _, ok := asked[id]; ok && i > record {
					asked[id] = true // it has seen what had come
				}
			}
		case r.Kind == memory.KindNote && (r.Note == notes.Question || r.Note == notes.Answer):
			var n hostNote
			id, mine := "", false
			if json.Unmarshal(r.Data, &n) == nil {
				id, mine = strings.CutPrefix(n.Root, prefix)
			}
			if !mine {
				continue
			}
			if asked == nil {
				asked = make(map[string]bool)
			}
			same := func(q PendingQuestion) bool { return q.Call == n.Call && q.Question.Key == n.Key }
			if r.Note == notes.Question && n.Question != nil {
				asked[id] = true
				open = append(open, PendingQuestion{Session: log.ID(), Call: n.Call, Root: n.Root, Name: n.Name, Question: *n.Question, Since: r.Time})
			} else if r.Note == notes.Answer {
				asked[id] = false // it has something to run for
				open = slices.DeleteFunc(open, same)
			}
		}
	}
	if len(open) == 0 {
		return asked, nil
	}
	order := make(map[string]int) // of the calls; one that has ended waits for nothing, whatever it asked
	for i, c := range log.State().Open {
		order[prefix+c.ID] = i + 1
	}
	open = slices.DeleteFunc(open, func(q PendingQuestion) bool { return order[q.Root] == 0 })
	slices.SortStableFunc(open, func(a, b PendingQuestion) int { return cmp.Compare(order[a.Root], order[b.Root]) })
	return asked, open
}

// behindNewestResponse is the position of the newest response, looked for from the
// end: few records stand behind it.
func behindNewestResponse(log *memory.Log) int {
	for back := 32; ; back *= 4 {
		from, found := max(0, log.Len()-back), -1
		for i, r := range log.Records(from) {
			if r.Kind == memory.KindResponse {
				found = i
			}
		}
		if found >= 0 || from == 0 {
			return max(0, found)
		}
	}
}

// expire answers the questions whose time is over.
func expire(ctx context.Context, log *memory.Log, questions []PendingQuestion) (expired bool, err error) {
	for _, q := range questions {
		if !isPast(ctx, q.Question.Deadline) {
			continue
		}
		n := hostNote{Expired: true}
		if q.Question.Default != nil {
			n.Answer = &tools.Answer{Value: q.Question.Default, Expired: true}
		}
		if err := q.record(ctx, log, n); err != nil && !decidedBefore(err) {
			return expired, err
		}
		expired = true
	}
	return expired, nil
}

// kindSession is the Kind of a question that a sub-agent's session answers, once it
// can go on: its Data says which. Nobody else has to answer it.
const kindSession = "session"

// childData is the Data of such a question.
type childData struct {
	Session    string `json:"session"` // its id
	Approver   bool   `json:"approver,omitempty"`
	Background bool   `json:"background,omitempty"`
}

// childID is the id of the session of a call's sub-agent.
func childID(parent *memory.Log, call string) string { return parent.ID() + "/" + call }

// openChild is the log of a sub-agent's session. It fails with [memory.ErrNoSession]
// if there is none, as in a fork of the caller's.
func openChild(ctx context.Context, parent *memory.Log, id string) (*memory.Log, error) {
	name, ok := strings.CutPrefix(id, parent.ID()+"/")
	if !ok {
		return nil, fmt.Errorf("session %q is no child of %q: %w", id, parent.ID(), memory.ErrNoSession)
	}
	if parent.Store() == nil {
		return parent.Child(name, func() (*memory.Log, error) {
			return nil, fmt.Errorf("sub-agent %q: %w", name, memory.ErrNoSession)
		})
	}
	return guarded("Store", func() (*memory.Log, error) { return memory.Open(ctx, parent.Store(), id) })
}

// childOf is the session that answers a question.
func childOf(q PendingQuestion) (d childData, ok bool) {
	ok = q.Question.Kind == kindSession && json.Unmarshal(q.Question.Data, &d) == nil
	return d, ok
}

// standing finds out what a log waits for, with all below it; nil if it can go on.
func standing(ctx context.Context, log *memory.Log) (*ApprovalError, error) {
	w := Next(log)
	if !w.Waits() {
		return nil, nil
	}
	all := &ApprovalError{Calls: pendingOf(log, w.Calls)}
	for _, q := range w.Questions {
		if isPast(ctx, q.Question.Deadline) {
			return nil, nil
		}
		d, ok := childOf(q)
		if !ok {
			all.Questions = append(all.Questions, q)
			continue
		}
		child, err := openChild(ctx, log, d.Session)
		if isGone(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		below, err := standing(ctx, child)
		if below == nil || err != nil {
			return nil, err
		}
		all.add(below)
	}
	return all, nil
}

func (e *ApprovalError) add(below *ApprovalError) {
	e.Calls = append(e.Calls, below.Calls...)
	e.Questions = append(e.Questions, below.Questions...)
}

// until is when the first of the questions has waited long enough, or zero.
func (e *ApprovalError) until() time.Time { return Action{Questions: e.Questions}.Until() }

func isPast(ctx context.Context, deadline time.Time) bool {
	return !deadline.IsZero() && !clock.Now(ctx).Before(deadline)
}

func isGone(err error) bool {
	return errors.Is(err, memory.ErrNoSession) || errors.Is(err, memory.ErrReplaced)
}

// suspend leaves the call open whose sub-agent waits.
func (s Sub) suspend(ctx context.Context, log *memory.Log, waits *ApprovalError, id string) (tools.Result, error) {
	h, ok := tools.CallOf(ctx).Host.(*host)
	if !ok {
		return tools.Result{}, fmt.Errorf("the sub-agent did not finish (%w)", waits)
	}
	data, err := json.Marshal(childData{Session: id, Approver: s.Agent.opts.Approver != nil})
	if err != nil {
		return tools.Result{}, err
	}
	n := 1
	for _, a := range h.notes(notes.Answer) {
		if strings.HasPrefix(a.Key, kindSession+" ") {
			n++
		}
	}
	q := tools.Question{Key: kindSession + " " + strconv.Itoa(n), Kind: kindSession, Prompt: "The sub-agent " + s.Name + " waits.", Data: data}
	if q.Deadline = waits.until(); !q.Deadline.IsZero() {
		q.Default = json.RawMessage(strconv.Itoa(log.Len()))
	}
	_, err = h.Ask(ctx, q)
	if err == nil { // the log has an answer already, so there is something to go on for
		err = &unfinishedError{waits}
	}
	return tools.Result{}, err
}

// below finds out what waits in the sub-agents that a run waits for. If it is to act,
// those that can go on do: their calls are run again, or they work in the background.
// moved says that there is one of the first, and works one of the others.
func (r *Run) below(ctx context.Context, questions []PendingQuestion, act bool) (waits *ApprovalError, moved, works bool, err error) {
	waits = new(ApprovalError)
	listed := make(map[string]bool) // a call may wait for one that works in the background
	for _, q := range questions {
		d, ok := childOf(q)
		if !ok {
			waits.Questions = append(waits.Questions, q)
			continue
		}
		if d.Background && r.childAtWork(d.Session) != nil {
			works = true
			continue
		}
		child, err := openChild(ctx, r.log, d.Session)
		var its *ApprovalError
		if err == nil {
			its, err = standing(ctx, child)
		}
		if err != nil && !isGone(err) {
			return nil, false, false, fmt.Errorf("sub-agent %q: %w", q.Name, err)
		}
		if its != nil && !r.tryAgain(d, its, child.Len()) {
			if !listed[d.Session] {
				waits.add(its)
			}
			listed[d.Session] = true
			continue
		}
		moved, works = moved || !d.Background, works || d.Background
		if !act {
			continue
		}
		if d.Background {
			err = r.letGoOn(ctx, everBegun(r.log, 0)[d.Session], child, err)
		} else {
			at := 0
			if child != nil {
				at = child.Len()
			}
			err = q.record(ctx, r.log, hostNote{Answer: &tools.Answer{Value: json.RawMessage(strconv.Itoa(at))}})
		}
		if err != nil && !decidedBefore(err) {
			return nil, false, false, err
		}
	}
	return waits, moved, works, nil
}

// tryAgain reports whether a sub-agent that waits for decisions has an Approver that
// has not been asked in this run, since the session's last record.
func (r *Run) tryAgain(d childData, waits *ApprovalError, records int) bool {
	if len(waits.Calls) == 0 || r.approver() == nil && !d.Approver || r.tried[d.Session] == records+1 {
		return false
	}
	if r.tried == nil {
		r.tried = make(map[string]int)
	}
	r.tried[d.Session] = records + 1
	return true
}
