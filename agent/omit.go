package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/whorl-go/whorl/agent/internal/shown"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/media"
	"github.com/whorl-go/whorl/transport/omit"
)

// refused deals with a request that failed. Where it was refused for something that
// the conversation can go on without, the error says what.
func (r *Run) refused(ctx context.Context, req *transport.Request, err error) error {
	found := omit.Find(err, req, r.agent.opts.Models...)
	if found == nil || ctx.Err() != nil {
		return err
	}
	return r.letGo(ctx, found)
}

// letGo asks Options.Context.Omit. If it says yes the log gets the omission, the
// error is nil, and the request is to be made again. Each omission takes something
// away, so that this comes to an end.
func (r *Run) letGo(ctx context.Context, found *omit.Error) error {
	found = r.inLog(found)
	ask := r.agent.opts.Context.Omit
	if ask == nil {
		return found
	}
	yes, err := guarded("Omit", func() (bool, error) { return ask(ctx, found), nil })
	if err != nil {
		return errors.Join(found, err)
	}
	if !yes {
		return found
	}
	if err := r.append(ctx, memory.Record{Kind: memory.KindOmission, Omission: &found.Omission}); err != nil {
		return errors.Join(found, err)
	}
	r.again = true
	r.warn(ctx, "something was left out of the conversation", "what", found.What, "error_type", errorType(found))
	return nil
}

// inLog gives an omission of a request the places that its blocks have in the log.
func (r *Run) inLog(found *omit.Error) *omit.Error {
	e := *found
	written, _ := r.agent.write(r.log)
	e.Omission.Blocks = slices.Clone(e.Omission.Blocks)
	for i := range e.Omission.Blocks {
		e.Omission.Blocks[i].Message = written.InLog(e.Omission.Blocks[i].Message)
	}
	return &e
}

// fitRequest sees to it that no request is sent with more pictures and PDFs than the
// service takes in all.
func (r *Run) fitRequest(ctx context.Context) error {
	if r.shown.Of(r.log, r.responseAt()).Check(r.agent.window()) == nil {
		return nil
	}
	if found := omit.Over(r.nextRequest(), r.agent.opts.Models...); found != nil {
		return r.letGo(ctx, found)
	}
	return nil
}

// fit takes out of results what a request could not hold beside all that the log
// shows: it would be a part of every later one. Where there is a way to make room,
// that is done in front of the next request.
func (r *Run) fit(done []*job) {
	var all media.Total
	known := false
	for _, j := range done {
		own := shown.OfMessage(transport.Message{Content: []transport.Block{j.block}})
		if own == (media.Total{}) || j.waiting {
			continue
		}
		if !known {
			all, known = r.shown.Of(r.log, r.responseAt()), true
		}
		err := all.Plus(own).Check(r.agent.window())
		if err == nil || r.agent.opts.Context.Omit != nil {
			all = all.Plus(own)
			continue
		}
		res := j.result
		res.Content = nil
		for _, b := range j.result.Content {
			one := shown.OfMessage(transport.Message{Content: []transport.Block{b}})
			if err := all.Plus(one).Check(r.agent.window()); err != nil && one != (media.Total{}) {
				b = leftOut(b, err)
			} else {
				all = all.Plus(one)
			}
			res.Content = append(res.Content, b)
		}
		j.answer(res)
	}
}

// leftOut stands in the place of a block of a result.
func leftOut(b transport.Block, err error) transport.Block {
	return transport.Text(fmt.Sprintf("[%s left out: %v]", b.Type(), err))
}

// checkInputs reports why the service would not take the input's messages, alone or
// beside what the log holds.
func (r *Run) checkInputs() error {
	var more media.Total
	for _, m := range r.input.Messages {
		if err := r.agent.checkInput(m); err != nil {
			return err
		}
		more = more.Plus(shown.OfMessage(m))
	}
	if more == (media.Total{}) || r.agent.opts.Context.Omit != nil {
		return nil // there is a way to make room
	}
	return r.shown.Of(r.log, r.responseAt()).Plus(more).Check(r.agent.window())
}

// window is the model's context, by which the service takes more or fewer pictures
// and pages; of a model that isn't known, a large one.
func (a *Agent) window() int { return cmp.Or(a.model.Limits.ContextTokens, 1_000_000) }

// checkInput reports why the service would not take m, whatever stands before it.
func (a *Agent) checkInput(m transport.Message) error {
	if err := memory.CheckInput(m); err != nil {
		return err
	}
	return shown.OfMessage(m).Check(a.window())
}
