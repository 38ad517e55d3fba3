package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A server may answer a call with the id of a task in place of a result (extension
// io.modelcontextprotocol/tasks, SEP-2663). The client asks for the task until it has
// ended. The id is noted in the run's log before anything else, so that a call which is
// interrupted goes on with the task, in any process.

const (
	tasksExtension = "io.modelcontextprotocol/tasks"
	taskMember     = "whorl/task" // where mendResult leaves a task in a result's _meta

	pollDefault  = time.Second
	pollLeast    = 50 * time.Millisecond
	pollMost     = time.Minute
	pollFailures = 6 // in a row, each after twice the time: a minute at the default interval
	cancelTime   = 5 * time.Second
	maxQuestions = 100 // of one task
)

// A TaskError reports that a task at a server has ended without a result.
type TaskError struct {
	ID     string // the server's
	Status string // "failed", "cancelled" or another status of the server's
	Reason string // in the server's words; may be empty
}

// Error returns a message with the server's reason.
func (e *TaskError) Error() string {
	text := fmt.Sprintf("the server's task %q has no result: its status is %q", e.ID, e.Status)
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

type taskParams struct {
	sdk.ParamsBase
	TaskID    string               `json:"taskId"`
	Responses sdk.InputResponseMap `json:"inputResponses,omitempty"`
}

// taskResult is a result as the server wrote it: received has put it there.
type taskResult struct {
	sdk.ResultBase
	Raw string `json:"raw"`
}

// A task is what a server says of one.
type task struct {
	ID       string          `json:"taskId"`
	Status   string          `json:"status"`
	Message  string          `json:"statusMessage,omitempty"`
	Interval float64         `json:"pollIntervalMs,omitempty"`
	raw      json.RawMessage // with what belongs to its status
}

// readTask keeps of a task what can be read.
func readTask(raw []byte) (task, error) {
	t := task{ID: rawjson.GetString(raw, "taskId"), Status: rawjson.GetString(raw, "status"), Message: rawjson.GetString(raw, "statusMessage"), raw: raw}
	_ = json.Unmarshal(rawjson.Get(raw, "pollIntervalMs"), &t.Interval)
	if t.ID == "" {
		return t, errors.New("the server answers with a task that has no id")
	}
	return t, nil
}

// wait is how long to wait before the task is asked for again.
func (t task) wait() time.Duration {
	if !(t.Interval > 0) {
		return pollDefault
	}
	return max(pollLeast, time.Duration(min(t.Interval, float64(pollMost.Milliseconds()))*float64(time.Millisecond)))
}

func (c *Client) addTaskMethods() error {
	return errors.Join(
		sdk.AddSendingCustomMethod[*taskParams, *taskResult](c.sdk, "tasks/get"),
		sdk.AddSendingCustomMethod[*taskParams, *taskResult](c.sdk, "tasks/update"),
		sdk.AddSendingCustomMethod[*taskParams, *taskResult](c.sdk, "tasks/cancel"),
	)
}

// taskOf is the task that a result stands for; nil if it is a result.
func taskOf(r *sdk.CallToolResult) json.RawMessage {
	if raw, ok := r.Meta[taskMember].(string); ok {
		return json.RawMessage(raw)
	}
	return nil
}

// notedTask is the task that the call has begun before; nil if there is none.
func notedTask(ctx context.Context, host tools.Host) (json.RawMessage, error) {
	notes, err := host.Notes(ctx, tools.NoteResumable)
	if err != nil || len(notes) == 0 {
		return nil, err
	}
	return notes[len(notes)-1], nil
}

// follow asks for a task until it has ended.
func (c *Client) follow(ctx context.Context, raw json.RawMessage, host tools.Host, ask asker) (*sdk.CallToolResult, error) {
	t, err := readTask(raw)
	if err != nil {
		return nil, err
	}
	answers, failures, said := &taskAnswers{given: map[string]sdk.InputResponse{}, sent: map[string]bool{}}, 0, ""
	for {
		now, err := c.ofTask(ctx, "tasks/get", &taskParams{TaskID: t.ID})
		switch {
		case ctx.Err() != nil:
			return nil, c.leave(ctx, t, host)
		case err == nil:
			if id := rawjson.GetString(now, "taskId"); id != t.ID {
				return nil, &TaskError{ID: t.ID, Status: t.Status, Reason: fmt.Sprintf("the server answers with the task %q", c.hide.text(id))}
			}
			if t, err = readTask(now); err != nil {
				return nil, err
			}
			if result, err := c.ended(t); result != nil || err != nil {
				return result, err
			}
			if t.Message != "" && t.Message != said {
				said = t.Message
				tools.Progress(ctx, c.said(said))
			}
			if t.Status == "input_required" {
				err = c.input(ctx, t, ask, answers)
			}
		}
		var later *laterError
		switch {
		case ctx.Err() != nil:
			return nil, c.leave(ctx, t, host)
		case err == nil:
			failures = 0
		case !errors.As(err, &later):
			return nil, err
		default: // the server may be starting again, and keeps the task
			if failures++; failures >= pollFailures {
				return nil, err
			}
		}
		select {
		case <-time.After(min(pollMost, t.wait()<<failures)):
		case <-ctx.Done():
			return nil, c.leave(ctx, t, host)
		}
	}
}

// ended is what a task has come to; nothing while it is under way.
func (c *Client) ended(t task) (*sdk.CallToolResult, error) {
	switch t.Status {
	case "working", "input_required":
		return nil, nil
	case "completed":
		raw := rawjson.Get(t.raw, "result")
		if len(raw) == 0 || rawjson.IsNull(raw) {
			return nil, &TaskError{ID: t.ID, Status: t.Status, Reason: "and the server gives no result"}
		}
		result := &sdk.CallToolResult{}
		if err := json.Unmarshal(mendResult(raw), result); err != nil {
			return nil, &TaskError{ID: t.ID, Status: t.Status, Reason: "and its result can't be read: " + err.Error()}
		}
		if result.NeedsInput() || taskOf(result) != nil {
			return nil, &TaskError{ID: t.ID, Status: t.Status, Reason: "and its result is none"}
		}
		return result, nil
	}
	reason := rawjson.GetString(rawjson.Get(t.raw, "error"), "message")
	if reason == "" {
		reason = t.Message
	}
	return nil, &TaskError{ID: t.ID, Status: t.Status, Reason: reason}
}

// taskAnswers are the answers to what a task has asked, by its ids.
type taskAnswers struct {
	given map[string]sdk.InputResponse
	sent  map[string]bool
}

// input asks what a task wants to know, and sends the answers that there are.
func (c *Client) input(ctx context.Context, t task, ask asker, answers *taskAnswers) error {
	asked, err := askedRequests(rawjson.Get(t.raw, "inputRequests"))
	if err == nil && len(asked) > 0 && ask == nil {
		err = errors.New("the server asks the user, but there is no one to ask")
	}
	if err == nil && len(asked)+len(answers.sent) > maxQuestions {
		err = fmt.Errorf("the server's task has asked more than %d questions", maxQuestions)
	}
	if err != nil {
		c.cancelTask(ctx, t)
		return err
	}
	responses := sdk.InputResponseMap{}
	var waiting error
	for _, id := range slices.Sorted(maps.Keys(asked)) {
		if answers.sent[id] {
			continue
		}
		if before := answers.given[id]; before != nil {
			responses[id] = before
			continue
		}
		answer, err := c.ask(ctx, ask, "task/"+id, asked[id])
		switch {
		case errors.Is(err, tools.ErrWaiting):
			waiting = err
		case err != nil:
			return err
		default:
			responses[id], answers.given[id] = answer, answer
		}
	}
	if len(responses) > 0 {
		if _, err := c.ofTask(ctx, "tasks/update", &taskParams{TaskID: t.ID, Responses: responses}); err != nil {
			return err
		}
		for id := range responses {
			answers.sent[id] = true
		}
	}
	return waiting
}

// leave ends the following of a task. One that the log has is left to the run that goes
// on with it, unless the call has used up its time.
func (c *Client) leave(ctx context.Context, t task, host tools.Host) error {
	if host == nil || errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		c.cancelTask(ctx, t)
	}
	return context.Cause(ctx)
}

func (c *Client) cancelTask(ctx context.Context, t task) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer cancel()
	if _, err := c.ofTask(ctx, "tasks/cancel", &taskParams{TaskID: t.ID}); err != nil {
		c.log.Warn("mcp: a task at the server was not cancelled", "task", t.ID, "reason", err.Error())
	}
}

// A laterError is one of a request that may be answered if it is made again later: the
// server has not answered it, or has failed to.
type laterError struct{ error }

func (e *laterError) Unwrap() error { return e.error }

// ofTask makes a request about a task. All of them can be made again.
func (c *Client) ofTask(ctx context.Context, method string, p *taskParams) (json.RawMessage, error) {
	var sent *sending
	r, err := read(ctx, c, "task "+p.TaskID, func(ctx context.Context, s *session) (*taskResult, error) {
		sent = sendingOf(ctx)
		q := *p
		q.Meta = sdk.Meta{}
		c.offer(ctx, s, q.Meta)
		return sdk.CallCustomMethod[*taskParams, *taskResult](ctx, s.ClientSession, method, &q)
	})
	if err != nil {
		var answer *jsonrpc.Error
		if sent != nil && sent.answered.Load() && !(errors.As(err, &answer) && answer.Code == jsonrpc.CodeInternalError) {
			return nil, err
		}
		return nil, &laterError{err}
	}
	return json.RawMessage(r.Raw), nil
}
