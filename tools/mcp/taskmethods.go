package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A taskRequest is what a client asks about a task.
type taskRequest struct {
	sdk.ParamsBase
	TaskID    string                     `json:"taskId"`
	Responses map[string]json.RawMessage `json:"inputResponses,omitempty"`
}

// A taskReply is a result of the tasks extension: one of tools/call, too, where the SDK's
// has no place for a task.
type taskReply struct {
	sdk.ResultBase
	fields map[string]any
}

// MarshalJSON implements [json.Marshaler].
func (r *taskReply) MarshalJSON() ([]byte, error) {
	all := maps.Clone(r.fields)
	if len(r.Meta) > 0 {
		all["_meta"] = r.Meta
	}
	return rawjson.Marshal(all)
}

// createdMember is where a result of tools/call has the reply that is sent in its place.
const createdMember = "whorl/created"

// created is the result of a call that has become a task.
func (r *runningTask) created() *sdk.CallToolResult {
	reply := &taskReply{}
	r.log.read(func(task *servedTask) {
		reply.fields = r.tasks.describe(r.log.id, task)
		reply.fields["resultType"] = "task"
	})
	return &sdk.CallToolResult{Meta: sdk.Meta{createdMember: reply}, Content: []sdk.Content{}}
}

func noTasks() error {
	return &jsonrpc.Error{Code: sdk.CodeMissingRequiredClientCapabilities, Message: "this needs a client that declares the extension " + tasksExtension,
		Data: json.RawMessage(`{"requiredCapabilities":{"extensions":{"` + tasksExtension + `":{}}}}`)}
}

// refusal is the error of the protocol for what can't be done with a task.
func (t *Tasks) refusal(err error) error {
	var wire *jsonrpc.Error
	switch {
	case errors.As(err, &wire):
		return err
	case errors.Is(err, errTaskUnknown):
		return &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: errTaskUnknown.Error()}
	case errors.Is(err, errTooManyTasks), errors.Is(err, errTasksClosed):
		return &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: err.Error()}
	}
	t.log.Error("mcp: the store of the tasks fails", "reason", err.Error())
	return &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "the server can't keep or read its tasks now; try again later"}
}

type taskRequestKey struct{}

// addTasks has a server answer the requests about tasks.
func (s *served) addTasks(server *sdk.Server) error {
	server.AddReceivingMiddleware(func(next sdk.MethodHandler) sdk.MethodHandler {
		return func(ctx context.Context, method string, r sdk.Request) (sdk.Result, error) {
			if _, ok := r.(*sdk.ServerRequest[*taskRequest]); ok {
				ctx = context.WithValue(ctx, taskRequestKey{}, r)
			}
			result, err := next(ctx, method, r)
			if called, ok := result.(*sdk.CallToolResult); ok && called != nil {
				if reply, ok := called.Meta[createdMember].(*taskReply); ok {
					return reply, err
				}
			}
			return result, err
		}
	})
	var all []error
	for method, answer := range map[string]func(context.Context, *request, *taskRequest, *taskLog) (map[string]any, error){
		"tasks/get": s.getTask, "tasks/update": s.updateTask, "tasks/cancel": s.cancelTask,
	} {
		all = append(all, sdk.AddReceivingCustomMethod(server, method, func(ctx context.Context, _ *sdk.ServerSession, p *taskRequest) (*taskReply, error) {
			r, ok := ctx.Value(taskRequestKey{}).(*sdk.ServerRequest[*taskRequest])
			if !ok || p == nil {
				return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "the request names no task"}
			}
			fields, err := s.aboutTask(ctx, r, answer)
			if err != nil {
				return nil, s.tasks.refusal(err)
			}
			fields["resultType"] = "complete"
			return &taskReply{fields: fields}, nil
		}))
	}
	return errors.Join(all...)
}

const taskIDLength = 26 // of rand.Text

// aboutTask answers a request about a task, if it is one of the user's.
func (s *served) aboutTask(ctx context.Context, r *sdk.ServerRequest[*taskRequest], answer func(context.Context, *request, *taskRequest, *taskLog) (map[string]any, error)) (map[string]any, error) {
	q := &request{session: r.Session, offers: r.ClientCapabilities(), principal: principalOf(r.Extra)}
	if !q.rounds() || !q.takesTasks() {
		return nil, noTasks()
	}
	id := r.Params.TaskID
	if r.Extra != nil && len(r.Extra.Header) > 0 && r.Extra.Header.Get("Mcp-Name") != id {
		return nil, &jsonrpc.Error{Code: sdk.CodeHeaderMismatch, Message: fmt.Sprintf("the header Mcp-Name is %q, and the request's taskId another one", r.Extra.Header.Get("Mcp-Name"))}
	}
	for _, c := range id {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return nil, errTaskUnknown
		}
	}
	if len(id) != taskIDLength {
		return nil, errTaskUnknown
	}
	l, err := loadTask(ctx, s.tasks.options.Store, id)
	if err != nil {
		return nil, err
	}
	if l.task.begin.Principal != principalHash(q.principal) || time.Now().After(l.task.expires()) {
		return nil, errTaskUnknown
	}
	return answer(ctx, q, r.Params, l)
}

// describe is what a client is told of a task, without what belongs to its status.
func (t *Tasks) describe(id string, task *servedTask) map[string]any {
	fields := map[string]any{
		"taskId": id, "status": task.status(), "ttlMs": max(1, task.begin.TTL.Milliseconds()), "pollIntervalMs": max(1, t.options.PollInterval.Milliseconds()),
		"createdAt": task.begin.Created.UTC().Format(time.RFC3339Nano), "lastUpdatedAt": task.changed.UTC().Format(time.RFC3339Nano),
	}
	if task.message != "" && task.end == nil {
		fields["statusMessage"] = task.message
	}
	return fields
}

// getTask answers tasks/get. It has a task go on that nobody runs.
func (s *served) getTask(ctx context.Context, q *request, _ *taskRequest, l *taskLog) (map[string]any, error) {
	if _, here := s.tasks.runHere(l.id); !here && l.task.end == nil && (len(l.task.asked) == 0 || expired(l.task.asked)) {
		s.tasks.goOnNow(ctx, s, q, l)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	fields := s.tasks.describe(l.id, &l.task)
	switch {
	case l.task.end != nil && l.task.end.Result != nil:
		fields["result"] = l.task.end.Result
	case l.task.end != nil && l.task.end.Error != nil:
		fields["error"] = l.task.end.Error
	case len(l.task.asked) > 0:
		requests := sdk.InputRequestMap{}
		for key, question := range l.task.asked {
			f, err := formOf(question)
			if err != nil {
				return nil, err
			}
			requests[key] = f.params
		}
		fields["inputRequests"] = requests
	}
	return fields, nil
}

// cancelTask answers tasks/cancel. A task that has ended stays as it is.
func (s *served) cancelTask(ctx context.Context, _ *request, _ *taskRequest, l *taskLog) (map[string]any, error) {
	if err := l.append(ctx, taskEntry{End: &taskEnd{Status: "cancelled"}}, nil); err != nil && !errors.Is(err, errTaskEnded) {
		return nil, err
	}
	if r, _ := s.tasks.runHere(l.id); r != nil {
		r.cancel(errTaskEnded)
	}
	return map[string]any{}, nil
}

// updateTask answers tasks/update: it takes answers to what the task has asked. Others
// are ignored, and those that don't fit are refused with all the rest.
func (s *served) updateTask(ctx context.Context, q *request, p *taskRequest, l *taskLog) (map[string]any, error) {
	answers := map[string]given{}
	for key, question := range l.task.asked {
		raw, has := p.Responses[key]
		if !has {
			continue
		}
		g, err := answerIn(raw, question)
		if err != nil {
			return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: fmt.Sprintf("the answer to %q does not fit: %v", key, err)}
		}
		answers[key] = g
	}
	if len(answers) == 0 {
		return map[string]any{}, nil
	}
	err := l.append(ctx, taskEntry{Answers: answers}, func(task *servedTask) error {
		for key := range answers {
			if _, open := task.asked[key]; !open {
				return errTaskEnded // somebody else has answered
			}
		}
		return nil
	})
	switch {
	case errors.Is(err, errTaskEnded):
		return map[string]any{}, nil
	case err != nil:
		return nil, err
	}
	if len(l.task.asked) == 0 {
		s.tasks.goOnNow(ctx, s, q, l)
	}
	return map[string]any{}, nil
}

// answerIn is the answer in a client's response to a question.
func answerIn(raw json.RawMessage, question tools.Question) (given, error) {
	f, err := formOf(question)
	if err != nil {
		return given{}, err
	}
	result := &sdk.ElicitResult{Action: rawjson.GetString(raw, "action")}
	switch result.Action {
	case "accept", "decline", "cancel":
	default:
		return given{}, fmt.Errorf("its action is %q, and not accept, decline or cancel", result.Action)
	}
	if content := rawjson.Get(raw, "content"); len(content) > 0 && !rawjson.IsNull(content) {
		if err := decode(content, &result.Content); err != nil {
			return given{}, err
		}
	}
	return f.read(result)
}
