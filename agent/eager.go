package agent

import (
	"context"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// An eager holds the calls of read-only tools that were started while the model
// was still writing. They change nothing, so nothing is lost if the response
// turns out not to stand, and their results are there sooner if it does.
type eager struct {
	jobs map[string]*job
	ctx  context.Context // of all of them
	stop context.CancelFunc
	off  bool // nothing is started
}

// start begins the call in a block that has just been completed, and returns
// its job, or nil if the call has to wait: because its tool does more than
// read, or somebody has to be asked, or enough is running.
func (e *eager) start(ctx context.Context, r *Run, b transport.Block) *job {
	if e.off || !r.agent.reads || b.Type() != transport.TypeToolUse {
		return nil
	}
	c, ok := b.ToolCall()
	if !ok || c.Toolset != "" || e.jobs[c.ID] != nil {
		return nil
	}
	t := r.agent.lookup(c)
	if t == nil || !t.startsEarly() {
		return nil
	}
	if t.traits.Outside && (r.agent.opts.Gate != nil || r.input.Gate != nil) {
		return nil // the gates are to see what server tools have read in this response
	}
	if l := r.limits.Parallel; l > 0 && e.running() >= l {
		return nil
	}
	j := &job{call: memory.OpenCall{ToolCall: c}, owner: r, record: r.log.Len()}
	t, refused, ask := r.judge(ctx, j)
	if refused != "" || ask != nil {
		return nil
	}
	if e.jobs == nil {
		e.jobs = make(map[string]*job)
	}
	if e.stop == nil {
		e.ctx, e.stop = context.WithCancel(ctx)
	}
	ctx = e.ctx
	j.tool, j.early, j.stands = t, make(chan struct{}), make(chan struct{})
	e.jobs[c.ID] = j
	go func() {
		end := func() { close(j.early) }
		if j.perform(ctx, end) {
			end()
		}
	}()
	return j
}

// startsEarly reports whether calls of the tool may start before the response
// is complete.
func (t *tool) startsEarly() bool {
	return t.callable != nil && t.traits.ReadOnly && t.traits.Group == ""
}

// running counts the jobs that have no result yet.
func (e *eager) running() int {
	n := 0
	for _, j := range e.jobs {
		select {
		case <-j.early:
		default:
			n++
		}
	}
	return n
}

// settle says where the response stands in the log, and returns the calls whose start
// has been reported. If others have appended to the session while it was written, it
// stands behind where it was expected, and its calls have other keys than their tools
// were given: those are stopped, and run again.
func (e *eager) settle(record int) (begun map[string]bool) {
	stale := false
	for id, j := range e.jobs {
		if begun == nil {
			begun = make(map[string]bool, len(e.jobs))
		}
		begun[id] = true
		stale = stale || j.record != record
	}
	if stale {
		e.drop()
	}
	return begun
}

// take hands over the job of a call that was started early, or nil.
func (e *eager) take(id string) *job {
	j := e.jobs[id]
	delete(e.jobs, id)
	return j
}

// drop stops what nobody took, and waits for it. It comes at the end of a step.
func (e *eager) drop() {
	if e.stop == nil {
		return
	}
	e.stop()
	for _, j := range e.jobs {
		<-j.early
	}
	*e = eager{off: e.off}
}
