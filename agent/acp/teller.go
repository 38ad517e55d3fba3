package acp

import (
	"context"
	"encoding/json"
	"strings"

	sdk "github.com/coder/acp-go-sdk"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools/todo"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A teller tells the editor what happens in a session during a turn. It is for one
// goroutine.
type teller struct {
	v       *session
	watcher *feed.Watcher
	replay  bool // reports a session's past, the user's messages included

	told  map[int]*strings.Builder // of the response that is being written, by block
	fresh map[string]bool          // calls of it that no record has yet
	calls map[string]*call
	asked map[string]bool // questions that were told as text
	used  int64           // tokens of the newest response and its prompt
	size  int             // of the model's window
}

// A call is a tool call that the editor knows.
type call struct {
	name  string
	input json.RawMessage
	over  bool
}

func newTeller(v *session, from feed.Position) *teller {
	t := &teller{v: v, told: map[int]*strings.Builder{}, fresh: map[string]bool{}, calls: map[string]*call{}, asked: map[string]bool{}}
	t.watcher = v.server.o.Feed.Open(v.id, feed.Options{From: from, Tree: true})
	return t
}

func (t *teller) close() { t.watcher.Close() }

// run does a run, and tells the editor of it as it goes on.
func (t *teller) run(ctx context.Context, a *agent.Agent, in agent.Input) (*agent.Result, error) {
	var res *agent.Result
	var err error
	over := make(chan struct{})
	go func() {
		defer close(over)
		res, err = a.Run(ctx, in)
	}()
	// What came until a cancel is told, too.
	read := context.WithoutCancel(ctx)
	for last := false; ; {
		moved := t.watcher.Moved()
		items, readErr := t.watcher.Read(read)
		for _, it := range items {
			t.item(it)
		}
		switch {
		case readErr != nil:
			t.v.server.o.Logger.WarnContext(ctx, "a session's events can't be read", "session", t.v.id, "error", readErr.Error())
			<-over
			return res, err
		case len(items) > 0: // there may be more
			continue
		case last:
			return res, err
		}
		select {
		case <-moved:
		case <-over:
			last = true
		}
	}
}

func (t *teller) item(it feed.Item) {
	root := it.Session == t.v.id
	switch it.Kind {
	case feed.Begin:
		if root {
			t.void()
		}
	case feed.Block:
		if root && isCall(it.Type) {
			t.fresh[it.ID] = true
			t.call(it.ID, it.Name, nil)
		}
	case feed.Delta:
		if root {
			t.delta(it.Block, it.Delta, it.Text)
		}
	case feed.Progress:
		if c := t.calls[it.ID]; c != nil && !c.over && it.Text != "" && !t.v.isShown(it.ID) {
			t.update(it.ID, sdk.ToolCallStatusInProgress, []sdk.ToolCallContent{sdk.ToolContent(sdk.TextBlock(it.Text))})
		}
	case feed.Record:
		t.record(it.Record, root)
	}
}

func isCall(b transport.BlockType) bool { return strings.HasSuffix(string(b), "tool_use") }

// void ends a response that doesn't stand.
func (t *teller) void() {
	for _, b := range t.told {
		if b.Len() > 0 {
			t.say("\n\n(The answer broke off, and begins again.)\n\n")
			break
		}
	}
	for id := range t.fresh {
		t.over(id, sdk.ToolCallStatusFailed, nil)
	}
	clear(t.told)
	clear(t.fresh)
}

func (t *teller) delta(block int, kind transport.DeltaType, text string) {
	if text == "" || kind != transport.DeltaText && kind != transport.DeltaThinking {
		return
	}
	b := t.told[block]
	if b == nil {
		b = new(strings.Builder)
		t.told[block] = b
	}
	b.WriteString(text)
	if kind == transport.DeltaText {
		t.say(text)
	} else {
		t.v.tell(sdk.UpdateAgentThoughtText(text))
	}
}

func (t *teller) say(text string) { t.v.tell(sdk.UpdateAgentMessageText(text)) }

// once tells a question as text, once in a turn.
func (t *teller) once(it waiting.Item, text string) {
	key := it.Session + " " + it.Question.Call + " " + it.Question.Question.Key
	if !t.asked[key] {
		t.asked[key] = true
		t.say(text)
	}
}

func (t *teller) record(r memory.Record, root bool) {
	switch r.Kind {
	case memory.KindInput:
		if t.replay && root && r.Message.Role == transport.RoleUser {
			for _, b := range r.Message.Content {
				if c, ok := content(b); ok {
					t.v.tell(sdk.UpdateUserMessage(c))
				}
			}
		}
	case memory.KindResponse:
		t.response(r.Response, root)
	case memory.KindStarted:
		for _, id := range r.Calls {
			if c := t.calls[id]; c != nil && !c.over && !t.replay {
				t.update(id, sdk.ToolCallStatusInProgress, nil)
			}
		}
	case memory.KindResult:
		t.result(r.Block)
	}
}

// response tells what is new in a response that was written meanwhile.
func (t *teller) response(r *transport.Response, root bool) {
	for i, b := range r.Content {
		switch {
		case isCall(b.Type()):
			raw := b.Raw()
			id := rawjson.GetString(raw, "id")
			delete(t.fresh, id)
			t.call(id, rawjson.GetString(raw, "name"), rawjson.Get(raw, "input"))
		case strings.HasSuffix(string(b.Type()), "tool_result"):
			t.result(b)
		case root && b.Type() == transport.TypeText:
			t.rest(i, transport.DeltaText, rawjson.GetString(b.Raw(), "text"))
		case root && b.Type() == transport.TypeThinking:
			t.rest(i, transport.DeltaThinking, rawjson.GetString(b.Raw(), "thinking"))
		}
	}
	if !root {
		return
	}
	clear(t.told)
	for id := range t.fresh {
		t.over(id, sdk.ToolCallStatusFailed, nil)
	}
	clear(t.fresh)
	t.used = r.Usage.PromptTokens() + r.Usage.OutputTokens
	if m, ok := models.Lookup(r.Model); ok {
		t.size = m.Limits.ContextTokens
	}
	if !t.replay {
		t.usage(nil)
	}
}

// rest tells what a block has beyond what was told already.
func (t *teller) rest(block int, kind transport.DeltaType, text string) {
	if b := t.told[block]; b != nil {
		if rest, ok := strings.CutPrefix(text, b.String()); ok {
			text = rest
		}
	}
	t.delta(block, kind, text)
}

// call reports a call, or more of one that is known. Without an input, the model is
// still writing it.
func (t *teller) call(id, name string, input json.RawMessage) {
	c := t.calls[id]
	if c == nil {
		c = &call{name: name}
		t.calls[id] = c
		t.v.tell(sdk.StartToolCall(sdk.ToolCallId(id), name, sdk.WithStartKind(kindOf(name)), sdk.WithStartStatus(sdk.ToolCallStatusPending)))
	}
	if input == nil || c.input != nil {
		return
	}
	c.input = input
	title := titleOf(name, input)
	u := &sdk.SessionToolCallUpdate{ToolCallId: sdk.ToolCallId(id), Title: &title, RawInput: input, Locations: t.v.locations(input), Content: t.v.diff(name, input)}
	t.v.tell(sdk.SessionUpdate{ToolCallUpdate: u})
}

func (t *teller) update(id string, status sdk.ToolCallStatus, content []sdk.ToolCallContent) {
	t.v.tell(sdk.SessionUpdate{ToolCallUpdate: &sdk.SessionToolCallUpdate{ToolCallId: sdk.ToolCallId(id), Status: &status, Content: content}})
}

func (t *teller) over(id string, status sdk.ToolCallStatus, content []sdk.ToolCallContent) {
	if c := t.calls[id]; c != nil && !c.over {
		c.over = true
		t.update(id, status, content)
	}
}

// result reports a call's result.
func (t *teller) result(b transport.Block) {
	id := b.ToolUseID()
	if id == "" {
		id = rawjson.GetString(b.Raw(), "tool_use_id")
	}
	c := t.calls[id]
	if c == nil || c.over {
		return
	}
	status := sdk.ToolCallStatusCompleted
	if string(rawjson.Get(b.Raw(), "is_error")) == "true" {
		status = sdk.ToolCallStatusFailed
	}
	var list []sdk.ToolCallContent
	// A terminal and a change stay to be seen.
	if !t.v.isShown(id) && (status == sdk.ToolCallStatusFailed || t.v.diff(c.name, c.input) == nil) {
		list = results(b)
	}
	t.over(id, status, list)
	if c.name == todo.Name && status == sdk.ToolCallStatusCompleted {
		t.plan(c.input)
	}
}

func (t *teller) plan(input json.RawMessage) {
	l, err := todo.Parse(input)
	if err != nil {
		return
	}
	entries := []sdk.PlanEntry{}
	for _, it := range l.Items {
		entries = append(entries, sdk.PlanEntry{Content: it.Text, Status: sdk.PlanEntryStatus(it.Status), Priority: sdk.PlanEntryPriorityMedium})
	}
	t.v.tell(sdk.UpdatePlan(entries...))
}

// unfinished ends the calls that the turn has left open, for the editor's eyes.
func (t *teller) unfinished() {
	for id := range t.calls {
		t.over(id, sdk.ToolCallStatusFailed, nil)
	}
	clear(t.fresh)
}

func (t *teller) usage(cost *sdk.Cost) {
	if t.size > 0 {
		t.v.tell(sdk.SessionUpdate{UsageUpdate: &sdk.SessionUsageUpdate{Used: int(t.used), Size: t.size, Cost: cost}})
	}
}

// cost tells what the session has cost, if that is known.
func (t *teller) cost(b agent.Bill) {
	if !b.Cost.Incomplete && b.Requests > 0 {
		t.usage(&sdk.Cost{Amount: b.Cost.USD, Currency: "USD"})
	}
}

// permission is a call as a request for permission has it.
func (t *teller) permission(w wanted) sdk.ToolCallUpdate {
	if w.tool == w.called {
		t.call(w.id, w.tool, w.input)
	} else {
		t.call(w.id, w.tool, nil) // the model's call has other arguments
	}
	title, kind, status := titleOf(w.name, w.input), kindOf(w.called), sdk.ToolCallStatusPending
	list := t.v.diff(w.called, w.input)
	if w.why != "" {
		list = append(list, sdk.ToolContent(sdk.TextBlock(w.why)))
	}
	return sdk.ToolCallUpdate{ToolCallId: sdk.ToolCallId(w.id), Title: &title, Kind: &kind, Status: &status, RawInput: w.input, Content: list, Locations: t.v.locations(w.input)}
}

// question is a question as a request for permission has it.
func (t *teller) question(it waiting.Item) sdk.ToolCallUpdate {
	id := it.Question.Root
	t.call(id, it.Tool, nil)
	title, kind, status := it.Why, sdk.ToolKindOther, sdk.ToolCallStatusPending
	return sdk.ToolCallUpdate{ToolCallId: sdk.ToolCallId(id), Title: &title, Kind: &kind, Status: &status}
}

// replay tells the editor of a session's past.
func (v *session) replay(ctx context.Context) error {
	log, err := memory.Open(ctx, v.server.o.Store, v.id)
	if err != nil {
		return err
	}
	t := newTeller(v, feed.Position{})
	defer t.close()
	t.replay = true
	for _, r := range log.Records(0) {
		t.record(r, true)
	}
	t.unfinished()
	if t.used > 0 {
		bill, err := agent.BillOf(ctx, log)
		if err != nil {
			return err
		}
		t.cost(bill)
	}
	if !agent.Next(log).Done() {
		items, err := waiting.List(ctx, v.server.o.Store, v.id)
		if err != nil {
			return err
		}
		for _, it := range items {
			if it.Question != nil && forUser(it) {
				t.once(it, "\n\n"+question(it)+"\n")
			}
		}
		v.tell(sdk.SessionUpdate{AvailableCommandsUpdate: commands()})
	}
	return nil
}
