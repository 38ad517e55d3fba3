package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A PendingQuestion is a question of a tool's ([tools.Host].Ask) that waits for its
// answer. It is plain data: it can be sent as JSON to whoever answers, and come back
// to another process. Once it is answered, run the session on.
type PendingQuestion struct {
	Session string `json:"session,omitempty"`
	// Call is unique to the call in its session, and Root that of the model's call
	// that it was made in; they are the same unless a tool has made the call.
	Call     string         `json:"call"`
	Root     string         `json:"root"`
	Name     string         `json:"name"` // of the tool that asks
	Question tools.Question `json:"question"`
}

// Questions lists the questions of a log's tool calls that wait for an answer.
func Questions(log *memory.Log) []PendingQuestion {
	if len(log.State().Open) == 0 {
		return nil
	}
	_, list := waits(log)
	return list
}

// Answer records an answer. It fails for one that the question doesn't allow, which
// leaves the question open, and with a [*DecisionError] if it does not wait any more.
func (q PendingQuestion) Answer(ctx context.Context, log *memory.Log, a tools.Answer) error {
	if !rawjson.Valid(a.Value) {
		return fmt.Errorf("question %q: the answer is not JSON", q.Question.Key)
	}
	if err := checkAnswer(q.Question, a.Value); err != nil {
		return fmt.Errorf("question %q: %w", q.Question.Key, err)
	}
	return q.record(ctx, log, hostNote{Answer: &a})
}

// Decline records that there will be no answer: the tool is told
// [tools.ErrDeclined].
func (q PendingQuestion) Decline(ctx context.Context, log *memory.Log) error {
	return q.record(ctx, log, hostNote{Declined: true})
}

func (q PendingQuestion) record(ctx context.Context, log *memory.Log, n hostNote) error {
	call := PendingCall{Session: q.Session, CallID: q.Call, Name: q.Name}
	if q.Session != log.ID() {
		return &DecisionError{Call: call, Why: ErrCallChanged}
	}
	if err := log.Refresh(ctx); err != nil {
		return err
	}
	open := slices.ContainsFunc(Questions(log), func(o PendingQuestion) bool {
		return o.Call == q.Call && o.Question.Key == q.Question.Key
	})
	if !open {
		return &DecisionError{Call: call, Why: ErrDecided}
	}
	n.Root, n.Call, n.Key = q.Root, q.Call, q.Question.Key
	raw, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return log.Append(ctx, memory.Record{Kind: memory.KindNote, Note: noteAnswer, Data: raw})
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
		case r.Kind == memory.KindNote && (r.Note == noteQuestion || r.Note == noteAnswer):
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
			if r.Note == noteQuestion && n.Question != nil {
				asked[id] = true
				open = append(open, PendingQuestion{Session: log.ID(), Call: n.Call, Root: n.Root, Name: n.Name, Question: *n.Question})
			} else if r.Note == noteAnswer {
				asked[id] = false // it has something to run for
				open = slices.DeleteFunc(open, same)
			}
		}
	}
	if len(open) == 0 {
		return asked, nil
	}
	results := make(map[string]bool) // of calls that have ended, whatever they asked
	for _, c := range log.State().Open {
		results[prefix+c.ID] = true
	}
	return asked, slices.DeleteFunc(open, func(q PendingQuestion) bool { return !results[q.Root] })
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

// askedBefore reports whether a call has asked something, so that it may run again.
func askedBefore(log *memory.Log, j *job) bool {
	for _, n := range callNotes(log, j.record) {
		if n.kind == noteQuestion && (n.Call == j.key() || strings.HasPrefix(n.Call, j.key()+"/")) {
			return true
		}
	}
	return false
}

// checkAnswer fails for an answer that a question doesn't allow.
func checkAnswer(q tools.Question, value json.RawMessage) error {
	if len(q.Choices) > 0 {
		values := []json.RawMessage{value}
		if q.Several {
			if err := json.Unmarshal(value, &values); err != nil {
				return errors.New("the answer is not a list of the choices' values")
			}
		}
		for _, v := range values {
			if !slices.ContainsFunc(q.Choices, func(c tools.Choice) bool { return sameJSON(c.Value, v) }) {
				return fmt.Errorf("the answer %s is none of the choices", brief(string(v)))
			}
		}
		return nil
	}
	if q.Schema == nil {
		return nil
	}
	schema := q.Schema
	if rawjson.GetString(schema, "type") != "object" { // as a member of an object, which is what tools take
		schema = json.RawMessage(`{"type":"object","properties":{"value":` + string(schema) + `},"required":["value"]}`)
		value = json.RawMessage(`{"value":` + string(value) + `}`)
	}
	nothing := func(context.Context, json.RawMessage) (tools.Result, error) { return tools.Result{}, nil }
	_, err := tools.RawWith("answer", "", schema, nothing, tools.Options{NoRepair: true}).Normalize(value)
	return err
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}
