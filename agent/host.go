package agent

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/whorl-go/whorl/agent/internal/callnotes"
	"github.com/whorl-go/whorl/agent/internal/toolcall"
	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A host is what a running call may ask of its run. All that it is given is in the
// log, as notes, so that the call finds it again when it runs again; docs/sessions.md
// lists them.
type host struct {
	job *job

	mu        sync.Mutex
	questions int           // asked without a Key
	calls     int           // made without an ID
	waiting   bool          // a question has no answer yet
	slots     chan struct{} // for inner calls at once
}

// hostNote is the data of a note of a call.
type hostNote = callnotes.Note

// append appends a note of the call to the log.
func (h *host) append(ctx context.Context, name string, n hostNote) error {
	if err := h.ready(ctx); err != nil {
		return err
	}
	n.Root, n.Call = h.job.rootKey(), h.job.key()
	raw, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("note of a call: %w", err)
	}
	return h.job.owner.append(ctx, memory.Record{Kind: memory.KindNote, Note: name, Data: raw})
}

// ready waits until the response that has the call is in the log: a read-only tool
// may be called before. It fails once the call's context has ended.
func (h *host) ready(ctx context.Context) error {
	if stands := h.job.stands; stands != nil {
		select {
		case <-stands:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// notes are the notes of the call of that kind, oldest first.
func (h *host) notes(kind string) []*hostNote { return h.notesOf(kind, "") }

// notesOf are those with a key.
func (h *host) notesOf(kind, key string) []*hostNote {
	r := h.job.owner
	return r.callNotes.Of(r.log, h.job.record, kind, h.job.key(), key)
}

// askedBefore reports whether the call has asked something, or has noted what it goes
// on from, so that it may run again.
func (j *job) askedBefore() bool {
	return j.owner.callNotes.Resumable(j.owner.log, j.record, j.key())
}

// Note implements [tools.Host].
func (h *host) Note(ctx context.Context, name string, data json.RawMessage) error {
	if !rawjson.Valid(data) {
		return fmt.Errorf("note %q: the data is not JSON", name)
	}
	return h.append(ctx, notes.Call, hostNote{Name: name, Data: data})
}

// Notes implements [tools.Host].
func (h *host) Notes(ctx context.Context, name string) ([]json.RawMessage, error) {
	if err := h.ready(ctx); err != nil {
		return nil, err
	}
	var list []json.RawMessage
	for _, n := range h.notes(notes.Call) {
		if n.Name == name {
			list = append(list, n.Data)
		}
	}
	return list, nil
}

// Keep implements [tools.Host].
func (h *host) Keep(ctx context.Context, data []byte, mediaType string) (string, error) {
	if err := h.ready(ctx); err != nil {
		return "", err
	}
	log, blob := h.job.owner.log, memory.Blob{MediaType: mediaType, Data: data}
	if blobs, ok := memory.As[memory.Blobs](log.Store()); ok {
		return guarded("Store", func() (string, error) { return blobs.PutBlob(context.WithoutCancel(ctx), log.ID(), blob) })
	}
	ref := blob.Sum()
	if _, _, err := h.Kept(ctx, ref); err == nil {
		return ref, nil
	}
	quoted, err := json.Marshal(base64.StdEncoding.EncodeToString(data))
	if err != nil {
		return "", err
	}
	return ref, h.append(ctx, notes.Blob, hostNote{Name: ref, Data: quoted, MediaType: mediaType})
}

// Kept implements [tools.Host].
func (h *host) Kept(ctx context.Context, ref string) ([]byte, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	log := h.job.owner.log
	if blobs, ok := memory.As[memory.Blobs](log.Store()); ok {
		b, err := guarded("Store", func() (memory.Blob, error) { return blobs.Blob(ctx, log.ID(), ref) })
		return b.Data, b.MediaType, err
	}
	for _, r := range log.Records(0) {
		var n hostNote
		if r.Kind == memory.KindNote && r.Note == notes.Blob && rawjson.GetString(r.Data, "name") == ref && json.Unmarshal(r.Data, &n) == nil {
			data, err := base64.StdEncoding.DecodeString(rawjson.Unquote(n.Data))
			return data, n.MediaType, err
		}
	}
	return nil, "", fmt.Errorf("kept bytes %q: %w", ref, fs.ErrNotExist)
}

// Ask implements [tools.Host].
func (h *host) Ask(ctx context.Context, q tools.Question) (tools.Answer, error) {
	if err := h.ready(ctx); err != nil {
		return tools.Answer{}, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	q.Key, q.Prompt = inLog(q.Key), inLog(q.Prompt)
	if q.Key == "" {
		h.questions++
		q.Key = strconv.Itoa(h.questions)
	}
	asked := h.notesOf(notes.Question, q.Key)
	for _, n := range asked {
		is, err := h.recorded(notes.Question, hostNote{Key: q.Key, Name: h.job.call.Name, Question: &q})
		if err != nil {
			return tools.Answer{}, err
		}
		if n.Question.Kind != is.Question.Kind || n.Question.Prompt != is.Question.Prompt {
			return tools.Answer{}, &tools.DivergedError{Call: q.Key, Recorded: brief(n.Question.Prompt), Got: brief(q.Prompt)}
		}
	}
	if answers := h.notesOf(notes.Answer, q.Key); len(answers) > 0 {
		return answerOf(q, answers[0])
	}
	if len(asked) == 0 {
		if err := h.append(ctx, notes.Question, hostNote{Key: q.Key, Name: h.job.call.Name, Question: &q}); err != nil {
			return tools.Answer{}, err
		}
	}
	h.waiting = true
	return tools.Answer{}, fmt.Errorf("question %q: %w", q.Key, tools.ErrWaiting)
}

// answerOf is what a note says of a question: the answer, or why there is none.
func answerOf(q tools.Question, n *hostNote) (tools.Answer, error) {
	switch {
	case n.Declined && n.Reason != "":
		return tools.Answer{}, fmt.Errorf("%w: %s", tools.ErrDeclined, n.Reason)
	case n.Declined:
		return tools.Answer{}, tools.ErrDeclined
	case n.Answer == nil:
		return tools.Answer{}, tools.ErrExpired
	case n.Answer.Expired:
		if err := q.Check(n.Answer.Value); err != nil {
			return tools.Answer{}, fmt.Errorf("question %q was not answered in time, and its default: %w", q.Key, err)
		}
	}
	return *n.Answer, nil
}

func brief(s string) string {
	if len(s) > 80 {
		return strconv.Quote(s[:runes.Start(s, 80)]) + "…"
	}
	return strconv.Quote(s)
}

// CallTool implements [tools.Host].
func (h *host) CallTool(ctx context.Context, call transport.ToolCall) (tools.Result, error) {
	if err := h.ready(ctx); err != nil {
		return tools.Result{}, err
	}
	call.ID = inLog(call.ID)
	h.mu.Lock()
	h.calls++
	if call.ID == "" {
		call.ID = strconv.Itoa(h.calls)
	}
	if h.slots == nil {
		n := h.job.owner.limits.Parallel
		if n < 1 {
			n = 64
		}
		h.slots = make(chan struct{}, n)
	}
	h.mu.Unlock()
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return tools.Result{}, ctx.Err()
	}
	inner := &job{owner: h.job.owner, record: h.job.record, outer: h.job}
	inner.call.ToolCall = call
	if len(bytes.TrimSpace(call.Input)) == 0 {
		inner.call.Input = []byte("{}")
	}
	started := false
	for _, n := range h.notesOf(notes.Started, call.ID) {
		started = true
		is, err := h.recorded(notes.Started, hostNote{Key: call.ID, Name: call.Name, Input: inner.call.Input})
		if err != nil {
			return tools.Result{}, err
		}
		if n.Name != is.Name || !bytes.Equal(n.Input, is.Input) {
			return tools.Result{}, &tools.DivergedError{Call: call.ID, Recorded: brief(n.Name + " " + string(n.Input)), Got: brief(call.Name + " " + string(inner.call.Input))}
		}
	}
	for _, n := range h.notesOf(notes.Result, call.ID) {
		return recordedResult(n)
	}
	return h.runInner(ctx, inner, started)
}

// inLog is a text of a tool as the log gives it back when the call runs again.
func inLog(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// recorded is a note as the log gives it back: its JSON is written without spaces, with
// some letters as escapes, and the store may redact it.
func (h *host) recorded(name string, n hostNote) (is hostNote, err error) {
	rec := memory.Record{Kind: memory.KindNote, Note: name, Time: time.Now()}
	if rec.Data, err = json.Marshal(n); err != nil {
		return is, fmt.Errorf("note of a call: %w", err)
	}
	if redactor, ok := memory.As[memory.Redactor](h.job.owner.log.Store()); ok {
		if err := guard("Store", func() error { return safeError("Store", redactor.Redact(&rec)) }); err != nil {
			return is, err
		}
	}
	return is, json.Unmarshal(rec.Data, &is)
}

func recordedResult(n *hostNote) (tools.Result, error) {
	res := tools.Result{IsError: n.IsError}
	for _, raw := range n.Content {
		b, err := transport.ParseBlock(raw)
		if err != nil {
			return tools.Result{}, fmt.Errorf("the recorded result of call %q: %w", n.Key, err)
		}
		res.Content = append(res.Content, b)
	}
	return res, nil
}

// runInner runs a call that a tool makes, and records it.
func (h *host) runInner(ctx context.Context, j *job, started bool) (tools.Result, error) {
	id := j.call.ID
	j.call.Started = started && !j.askedBefore()
	t, refused, ask := j.owner.judge(ctx, j)
	if ask != nil {
		var err error
		if refused, err = h.approval(ctx, j, ask); err != nil {
			return tools.Result{}, err
		}
		if refused == "" { // what was shown is what runs, though a gate has rewritten it
			t = j.owner.lookupFor(j)
			j.prepare(ctx, t, j.call.Input)
		}
	}
	if refused != "" {
		j.answer(tools.ErrorText(refused))
		j.owner.traceRefusal(ctx, j)
	} else {
		if !started {
			if err := h.append(ctx, notes.Started, hostNote{Key: id, Name: j.call.Name, Input: j.call.Input}); err != nil {
				return tools.Result{}, err
			}
		}
		if err := j.owner.appendLabels(ctx, t.reads(), j.call.Name, h.job.call.ID); err != nil {
			return tools.Result{}, err
		}
		j.tool = t
		j.performed(ctx)
		if j.waiting {
			h.mu.Lock()
			h.waiting = true
			h.mu.Unlock()
			return tools.Result{}, fmt.Errorf("call %q: %w", id, tools.ErrWaiting)
		}
		switch {
		case j.fatal != nil:
			return tools.Result{}, j.fatal
		case j.unfinished != nil:
			return tools.Result{}, fmt.Errorf("call %q: %w", id, &unfinishedError{j.unfinished})
		}
	}
	var err error
	if j.result, err = j.redacted(j.result); err != nil {
		return tools.Result{}, err
	}
	n := hostNote{Key: id, Name: j.call.Name, IsError: j.result.IsError}
	for _, b := range j.result.Content {
		n.Content = append(n.Content, b.Raw())
	}
	return j.result, h.append(context.WithoutCancel(ctx), notes.Result, n)
}

// approval has an inner call decided on, which is a question to outside like others.
func (h *host) approval(ctx context.Context, j *job, ask *memory.ApprovalRequest) (refused string, err error) {
	data, err := json.Marshal(struct {
		Name  string          `json:"name"`
		Input json.RawMessage `json:"input"`
		Rule  string          `json:"rule,omitempty"`
	}{j.call.Name, j.call.Input, ask.Rule})
	if err != nil {
		return "", err
	}
	prompt := ask.Reason
	if prompt == "" {
		prompt = fmt.Sprintf("May the tool %q be called?", j.call.Name)
	}
	answer, err := h.Ask(ctx, tools.Question{
		Key: "approval " + j.call.ID, Kind: toolcall.Kind, Prompt: prompt, Data: data,
		Choices: []tools.Choice{{Value: json.RawMessage(`"allow"`)}, {Value: json.RawMessage(`"deny"`)}},
	})
	switch {
	case errors.Is(err, tools.ErrDeclined), errors.Is(err, tools.ErrExpired):
		return denial("nobody approved it"), nil
	case err != nil:
		return "", err
	case rawjson.Unquote(answer.Value) != string(Allow):
		return denial(""), nil
	}
	return "", nil
}

// lookupFor is the tool of a call: one of the run's, or of those that only the tool
// which makes the call has.
func (r *Run) lookupFor(j *job) *tool {
	if j.outer != nil && j.outer.tool != nil {
		if t := j.outer.tool.inner[j.call.Name]; t != nil {
			return t
		}
	}
	return r.lookup(j.call.ToolCall)
}

// rootKey is the key of the model's call that the job belongs to.
func (j *job) rootKey() string {
	for j.outer != nil {
		j = j.outer
	}
	return j.key()
}
