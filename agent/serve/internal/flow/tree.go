package flow

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A Child is the session of a sub-agent.
type Child struct {
	Session string
	Parent  string // the session of the call that it works for
	Call    string // the id of that call
	Name    string // of the tool that was called
}

// A ChildSink is told of a sub-agent's session.
type ChildSink interface {
	Sink
	// Over ends it. suspended is set if the session waits, or its run goes on.
	Over(err error, suspended bool)
}

// A Place is how much of a sub-agent's session was told.
type Place struct{ Records, Responses int }

// A Tree reports the sub-agents of a session whose calls it knows. It is for one
// goroutine.
type Tree struct {
	store memory.Store
	begin func(Child) ChildSink
	waits func(error) bool

	calls  map[string]Child // the sessions that known calls would have, by id
	stored map[string]bool  // sessions that are in the store, and may not be told yet
	places map[string]Place // of sessions, before this Tree
	lanes  map[string]*lane
	order  []*lane
}

// A lane is a session that is told.
type lane struct {
	Child
	flow    *Flow
	sink    ChildSink
	records int // told
	over    bool
}

// NewTree makes a Tree. begin is called for each sub-agent that there is something to
// report about; waits reports whether the error of a run means that it waits. places are how
// much was told before.
func NewTree(store memory.Store, begin func(Child) ChildSink, waits func(error) bool, places map[string]Place) *Tree {
	return &Tree{store: store, begin: begin, waits: waits, calls: map[string]Child{}, stored: map[string]bool{}, places: places, lanes: map[string]*lane{}}
}

// Stored are the sessions of a session's sub-agents that are in the store.
func Stored(ctx context.Context, store memory.Store, root string) (map[string]bool, error) {
	ids := map[string]bool{}
	for info, err := range store.List(ctx, memory.Query{Tree: root}) {
		if err != nil {
			return nil, err
		}
		if info.ID != root {
			ids[info.ID] = true
		}
	}
	return ids, nil
}

// Look has the Tree tell what is in the store of some sessions.
func (t *Tree) Look(stored map[string]bool) { t.stored = stored }

// LookAll is Look for all sub-agents that a session has by now. Call it once the feed is
// watched: those that have ended by then may come no more from there.
func (t *Tree) LookAll(ctx context.Context, root string) {
	if stored, err := Stored(ctx, t.store, root); err == nil {
		t.stored = stored
	}
}

// Calls notes the calls of a record, whose number is counted from 1.
func (t *Tree) Calls(session string, r memory.Record, number int) {
	if r.Kind != memory.KindResponse {
		return
	}
	for _, b := range r.Response.Content {
		if b.Type() == "tool_use" {
			c := Child{Parent: session, Call: rawjson.GetString(b.Raw(), "id"), Name: rawjson.GetString(b.Raw(), "name")}
			c.Session = session + "/" + strconv.Itoa(number-1) + "-" + c.Call
			t.calls[c.Session] = c
		}
	}
}

// Known are the sessions that known calls would have.
func (t *Tree) Known() map[string]Child { return t.calls }

// Know notes a call.
func (t *Tree) Know(session string, c Child) { t.calls[session] = c }

// Places are how much has been told of each sub-agent's session.
func (t *Tree) Places() map[string]Place {
	places := map[string]Place{}
	for id, p := range t.places {
		places[id] = p
	}
	for id, l := range t.lanes {
		places[id] = Place{l.records, l.flow.n}
	}
	return places
}

// Item takes in what the feed reports of a sub-agent's session.
func (t *Tree) Item(ctx context.Context, it feed.Item) {
	switch it.Kind {
	case feed.State:
		return
	case feed.End:
		if l := t.lanes[it.Session]; l != nil && !l.over && !t.waits(it.Err) {
			t.end(l, it.Err, false)
		}
		return
	}
	l := t.open(ctx, it.Session)
	if l == nil || it.Kind == feed.Record && it.At.Records <= l.records || it.Kind != feed.Record && it.At.Records < l.records {
		return
	}
	if it.Kind == feed.Record {
		t.record(ctx, l, it.Record, it.At.Records)
		return
	}
	l.flow.Item(it)
}

func (t *Tree) record(ctx context.Context, l *lane, r memory.Record, number int) {
	t.Calls(l.Session, r, number)
	if r.Kind == memory.KindResult {
		t.Result(ctx, l.Session, r.Block.ToolUseID())
	}
	l.records = number
	l.flow.Record(r, number)
}

// open is the lane of a session; nil if its call isn't known.
func (t *Tree) open(ctx context.Context, session string) *lane {
	if l := t.lanes[session]; l != nil && !l.over {
		return l
	}
	c, ok := t.calls[session]
	if !ok {
		return nil
	}
	if _, ok := t.calls[c.Parent]; ok && t.lanes[c.Parent] == nil {
		t.open(ctx, c.Parent)
	}
	p, told := t.places[session]
	if l := t.lanes[session]; l != nil { // it ended, and begins again
		p, told = Place{l.records, l.flow.n}, true
	}
	if !told {
		info, err := t.store.Info(ctx, session)
		if err != nil {
			return nil
		}
		if info.Origin != "" && info.Origin == info.Parent { // it begins with its caller's conversation
			name, _, _ := strings.Cut(strings.TrimPrefix(session, c.Parent+"/"), "-")
			p.Records, _ = strconv.Atoi(name)
		}
	}
	l := &lane{Child: c, records: p.Records, sink: t.begin(c)}
	l.flow = New(l.sink, p.Responses)
	t.lanes[session] = l
	t.order = append(t.order, l)
	return l
}

// Result reports what is left of a call's sub-agent, before the call's result.
func (t *Tree) Result(ctx context.Context, session, call string) {
	for id, c := range t.calls {
		if c.Parent == session && c.Call == call && t.stored[id] {
			t.catchUp(ctx, id)
		}
	}
}

// Rest reports what is left of the sub-agents in the store.
func (t *Tree) Rest(ctx context.Context) {
	for { // what is told may have calls itself
		var ids []string
		for id := range t.calls {
			if t.stored[id] {
				ids = append(ids, id)
			}
		}
		if len(ids) == 0 {
			return
		}
		slices.Sort(ids)
		for _, id := range ids {
			t.catchUp(ctx, id)
		}
	}
}

func (t *Tree) catchUp(ctx context.Context, session string) {
	delete(t.stored, session)
	log, err := memory.Open(ctx, t.store, session)
	if err != nil {
		return // deleted
	}
	told := t.places[session].Records
	if l := t.lanes[session]; l != nil {
		told = l.records
	}
	if log.Len() <= told {
		return
	}
	l := t.open(ctx, session)
	if l == nil {
		return
	}
	for i, r := range log.Records(l.records) {
		t.record(ctx, l, r, i+1)
	}
}

// End ends all that is being told. suspended reports whether a session waits.
func (t *Tree) End(suspended func(session string) bool) {
	for _, l := range slices.Backward(t.order) {
		if !l.over {
			t.end(l, nil, suspended(l.Session))
		}
	}
}

func (t *Tree) end(l *lane, err error, suspended bool) {
	l.over = true
	l.flow.End()
	l.sink.Over(err, suspended)
}

// InOrder puts the items of a sub-agent in front of the result of its call, if that is
// among them.
func InOrder(root string, items []feed.Item) []feed.Item {
	by, sessions := map[string][]feed.Item{}, []string{}
	for _, it := range items {
		if by[it.Session] == nil {
			sessions = append(sessions, it.Session)
		}
		by[it.Session] = append(by[it.Session], it)
	}
	if len(sessions) < 2 {
		return items
	}
	out := make([]feed.Item, 0, len(items))
	var put func(session string)
	put = func(session string) {
		list := by[session]
		delete(by, session)
		for _, it := range list {
			if it.Kind == feed.Record && it.Record.Kind == memory.KindResult {
				for _, s := range sessions {
					if strings.HasPrefix(s, session+"/") && strings.HasSuffix(s, "-"+it.Record.Block.ToolUseID()) {
						put(s)
					}
				}
			}
			out = append(out, it)
		}
	}
	put(root)
	for _, s := range sessions {
		put(s)
	}
	return out
}
