package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/taint"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A background is the sub-agents that work beside a run. What is to be known of them
// is in the log: a note when one begins, and one when it has ended. A run that ends
// stops those that work, and the next one lets them go on.
type background struct {
	atWork []*child        // guarded by Run.mu, as is base
	base   context.Context // of the run; nil before it works and after
	ended  chan struct{}   // gets something when one of them has ended
}

// A child is a sub-agent that works beside a run.
type child struct {
	begunNote
	sub    Sub
	log    *memory.Log
	cancel context.CancelFunc
	run    *Run          // the newest; guarded by the caller's Run.mu
	done   chan struct{} // closed once what follows is set
	text   string
	err    error
	over   bool // it has ended, and not only been stopped

	canceled atomic.Bool // by a tool, which records it
	told     atomic.Bool // behind its end, by a tool: it is in the log
}

// begunNote is the data of notes.Began.
type begunNote struct {
	Child string `json:"child"` // the id of its session
	Tool  string `json:"tool"`
	Agent string `json:"agent"` // the name of the Sub
}

// endedNote is the data of notes.Ended.
type endedNote struct {
	Child string `json:"child"`
	How   string `json:"how"` // "done", "failed", "canceled" or "gone"
}

// handle is what the caller's model calls the sub-agent.
func (b begunNote) handle() string { return b.Child[strings.LastIndexByte(b.Child, '/')+1:] }

// begunOf are the sub-agents of the log's own that have not ended. A fork has the notes
// of its original's, and not their sessions.
func begunOf(log *memory.Log, s memory.State) []begunNote {
	own := func(id string) bool {
		name, below := strings.CutPrefix(id, log.ID()+"/")
		if below && log.Store() == nil {
			_, err := log.Child(name, func() (*memory.Log, error) { return nil, memory.ErrNoSession })
			return err == nil
		}
		return below
	}
	if !slices.ContainsFunc(s.Background, own) {
		return nil
	}
	found := everBegun(log, 0)
	var list []begunNote
	for _, id := range s.Background {
		if b, ok := found[id]; ok && own(id) {
			list = append(list, b)
		}
	}
	return list
}

// everBegun are the sub-agents that the log has notes of from a record on, by the ids of
// their sessions, whether they have ended or not.
func everBegun(log *memory.Log, from int) map[string]begunNote {
	found := make(map[string]begunNote)
	for _, r := range log.Records(from) {
		var b begunNote
		if r.Kind == memory.KindNote && r.Note == notes.Began && json.Unmarshal(r.Data, &b) == nil {
			found[b.Child] = b
		}
	}
	return found
}

// backgroundOf is what the log waits for where nothing but its sub-agents works.
func backgroundOf(log *memory.Log, s memory.State) []PendingQuestion {
	var list []PendingQuestion
	for _, b := range begunOf(log, s) {
		data, _ := json.Marshal(childData{Session: b.Child, Background: true})
		list = append(list, PendingQuestion{
			Session: log.ID(), Call: b.handle(), Root: b.handle(), Name: b.Tool,
			Question: tools.Question{Key: "background", Kind: kindSession, Prompt: "The sub-agent " + b.Agent + " works.", Data: data},
		})
	}
	return list
}

// subOf is the sub-agent of a tool of the run, by the name that it was begun with.
func (r *Run) subOf(b begunNote) (Sub, bool) {
	t := r.lookup(transport.ToolCall{Name: b.Tool})
	if t == nil || t.callable == nil {
		return Sub{}, false
	}
	if s, ok := tools.As[Sub](t.callable); ok {
		return s, true
	}
	if many, ok := tools.As[interface{ SubAgent(name string) (Sub, bool) }](t.callable); ok {
		return many.SubAgent(b.Agent)
	}
	return Sub{}, false
}

// beginBackground lets a sub-agent begin, and answers its call.
func (r *Run) beginBackground(ctx context.Context, s Sub, log *memory.Log, begun bool, task string) (tools.Result, error) {
	if !begun {
		run := s.newRun(r, log)
		if err := run.configure(&run.input, nil); err != nil {
			return tools.Result{}, fmt.Errorf("sub-agent %q: %w", s.Name, err)
		}
		begin := []memory.Record{{Kind: memory.KindRun, Limits: run.limits.recorded(), Data: run.config}, {Kind: memory.KindInput, Message: transport.UserText(task)}}
		if err := run.append(ctx, begin...); err != nil {
			return tools.Result{}, &unfinishedError{fmt.Errorf("sub-agent %q: %w", s.Name, err)}
		}
	}
	b := begunNote{Child: childID(r.log, tools.CallKey(ctx)), Tool: tools.CallOf(ctx).Name, Agent: s.Name}
	h, ok := tools.CallOf(ctx).Host.(*host)
	if !ok {
		return tools.Result{}, errors.New("a sub-agent works in the background of a run only")
	}
	if _, known := everBegun(r.log, h.job.record)[b.Child]; !known {
		data, err := json.Marshal(b)
		if err != nil {
			return tools.Result{}, err
		}
		if err := h.ready(ctx); err != nil {
			return tools.Result{}, err
		}
		if err := r.append(ctx, memory.Record{Kind: memory.KindNote, Note: notes.Began, Data: data}); err != nil {
			return tools.Result{}, err
		}
	}
	// The end of one that was begun before may be in the log already.
	if slices.Contains(r.log.State().Background, b.Child) && r.input.Actions == 0 { // else once there is nothing else to do
		r.letWork(&child{begunNote: b, sub: s, log: log})
	}
	return tools.Text(fmt.Sprintf("The sub-agent works in the background; its id is %s.", b.handle())), nil
}

// startBackground lets the sub-agents go on that an earlier run of the log has begun.
func (r *Run) startBackground(ctx context.Context) error {
	r.mu.Lock()
	r.base, r.ended = ctx, make(chan struct{}, 1)
	r.mu.Unlock()
	if r.input.Actions > 0 {
		return nil // one action at a time, when there is nothing else to do
	}
	for _, b := range begunOf(r.log, r.log.State()) {
		log, err := openChild(ctx, r.log, b.Child)
		if err == nil {
			var waits *ApprovalError
			if waits, err = standing(ctx, log); waits != nil && err == nil {
				continue // see wait
			}
		}
		if err := r.letGoOn(ctx, b, log, err); err != nil {
			return err
		}
	}
	return nil
}

// letGoOn lets a sub-agent work that was begun before. Its log could not be opened if
// err is not nil.
func (r *Run) letGoOn(ctx context.Context, b begunNote, log *memory.Log, err error) error {
	sub, known := r.subOf(b)
	switch {
	case isGone(err):
		return r.appendEnd(ctx, &child{begunNote: b, err: errors.New("its session is gone")}, "gone", true)
	case err != nil:
		return fmt.Errorf("sub-agent %q: %w", b.Agent, err)
	case !known:
		return r.appendEnd(ctx, &child{begunNote: b, err: fmt.Errorf("there is no tool %q any more that could let it go on", b.Tool)}, "gone", true)
	}
	r.letWork(&child{begunNote: b, sub: sub, log: log})
	return nil
}

func (r *Run) childAtWork(id string) *child {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.atWork {
		if c.Child == id {
			return c
		}
	}
	return nil
}

// letWork lets a sub-agent work in a goroutine of its own, until it ends or waits, or
// the run ends. Of a run that does one action, it does one too.
func (r *Run) letWork(c *child) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.base == nil || slices.ContainsFunc(r.atWork, func(o *child) bool { return o.Child == c.Child }) {
		return
	}
	ctx, cancel := context.WithCancel(withRun(r.base, r))
	c.cancel, c.done = cancel, make(chan struct{})
	c.run = c.sub.newRun(r, c.log)
	r.atWork = append(r.atWork, c)
	go func() {
		defer func() {
			cancel()
			close(c.done)
			select {
			case r.ended <- struct{}{}:
			default:
			}
		}()
		c.err = ErrStopped // unless the run comes back to say otherwise
		for r.workOn(ctx, c) {
		}
	}()
}

// workOn does a sub-agent's run, and reports whether there is another one to do.
func (r *Run) workOn(ctx context.Context, c *child) (again bool) {
	r.mu.Lock()
	if c.text != "" || c.err == nil { // it has run before
		c.run = c.sub.newRun(r, c.log)
	}
	run := c.run
	r.mu.Unlock()
	if r.input.Actions > 0 {
		run.input.Actions = 1
	}
	for range run.Events(ctx) {
	}
	res, err := run.Result()
	c.text, c.err = res.Text, err
	var waits *ApprovalError
	switch {
	case ctx.Err() != nil || errors.As(err, &waits):
		return false
	case err == nil:
		c.over = Next(c.log).Done()
	default:
		c.over = !goesOn(c.log, err)
	}
	if !c.over || err != nil {
		return false
	}
	queued, err := run.queued(ctx)
	if len(queued) > 0 && err == nil { // somebody has said something meanwhile
		c.over = false
		return true
	}
	return false
}

// appendEnded appends the ends of sub-agents to the log.
func (r *Run) appendEnded(ctx context.Context) error {
	for {
		r.mu.Lock()
		i := slices.IndexFunc(r.atWork, func(c *child) bool { return isClosed(c.done) })
		var c *child
		if i >= 0 {
			c = r.atWork[i]
			r.atWork = slices.Delete(r.atWork, i, i+1)
		}
		r.mu.Unlock()
		if c == nil {
			return nil
		}
		if !c.over {
			var waits *ApprovalError
			if c.err != nil && !errors.As(c.err, &waits) && ctx.Err() == nil {
				return &unfinishedError{fmt.Errorf("the sub-agent %q was stopped; a run that goes on with the log lets it go on: %w", c.Agent, c.err)}
			}
			continue
		}
		switch told, err := r.toldSince(ctx, c); {
		case err != nil:
			return err
		case told:
			continue
		}
		how := "done"
		if c.err != nil {
			how = "failed"
		}
		if err := r.appendEnd(ctx, c, how, true); err != nil {
			return err
		}
	}
}

// outcome is what the caller's model is told of the end.
func (c *child) outcome(most int) string {
	text := fmt.Sprintf("The sub-agent %s (%s) has ended.\n\n%s", c.Agent, c.handle(), cmp.Or(c.text, "It said nothing."))
	if c.err != nil {
		text = fmt.Sprintf("The sub-agent %s (%s) did not finish (%v). So far: %s", c.Agent, c.handle(), c.err, cmp.Or(c.text, "nothing"))
	}
	b, _, _ := cut(transport.Text(strings.ToValidUTF8(text, "\uFFFD")), most)
	return transport.Message{Content: []transport.Block{b}}.Text()
}

// appendEnd records that a sub-agent has ended, and tells the model unless a tool
// does.
func (r *Run) appendEnd(ctx context.Context, c *child, how string, tell bool) error {
	data, err := json.Marshal(endedNote{c.Child, how})
	if err != nil {
		return err
	}
	if c.log != nil { // what it read is in what it says
		if err := r.appendLabels(ctx, taint.Of(c.log), c.Agent, c.handle()); err != nil {
			return err
		}
	}
	records := []memory.Record{{Kind: memory.KindNote, Note: notes.Ended, Data: data}}
	if tell {
		records = append(records, memory.Record{Kind: memory.KindInput, Message: transport.UserText(c.outcome(max(r.limits.ResultBytes, -1)))})
	}
	return r.append(ctx, records...)
}

// awaitBackground waits until a sub-agent ends or waits, or something is said
// to the run, or decided.
func (r *Run) awaitBackground(ctx context.Context) (err error) {
	n := r.log.Len()
	r.mu.Lock()
	work := slices.Clone(r.atWork)
	r.mu.Unlock()
	if len(work) == 0 {
		return nil // those that were to go on could not, which is in the log
	}
	stop := r.keepWarm(ctx)
	defer func() {
		if e := stop(); err == nil {
			err = e
		}
	}()
	if r.input.Actions > 0 {
		for _, c := range work {
			<-c.done
		}
		return nil
	}
	tick := time.NewTicker(time.Second) // for what others write
	defer tick.Stop()
	for !slices.ContainsFunc(work, func(c *child) bool { return isClosed(c.done) }) {
		select {
		case <-r.ended:
			continue
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		if heard, err := r.heard(ctx, n); heard || err != nil {
			return err
		}
	}
	return nil
}

// stopBackground stops the sub-agents that work, and waits for their ends.
func (r *Run) stopBackground() {
	r.mu.Lock()
	work := r.atWork
	r.atWork, r.base = nil, nil
	r.mu.Unlock()
	for _, c := range work {
		c.cancel()
	}
	for _, c := range work {
		<-c.done
	}
}
