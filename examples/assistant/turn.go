package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/examples/internal/line"
)

// talk takes what the user types, turn by turn.
func (a *assistant) talk(ctx context.Context) error {
	text := a.opts.prompt
	for {
		switch {
		case text == "":
			a.goOn(ctx) // with what was left open, if anything was
		case strings.HasPrefix(text, "/"):
			if quit := a.command(ctx, text); quit {
				return nil
			}
		default:
			a.turn(ctx, agent.Input{Log: a.log, Prompt: text})
			a.name(ctx, text)
		}
		var err error
		text, err = a.in.Line("> ")
		for errors.Is(err, line.ErrInterrupted) {
			a.show.Note("Ctrl-D or /quit ends the program.")
			text, err = a.in.Line("> ")
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		text = strings.TrimSpace(text)
	}
}

// goOn resumes the session if its last turn was not finished.
func (a *assistant) goOn(ctx context.Context) {
	if err := a.log.Refresh(ctx); err != nil {
		a.show.Fail(err)
		return
	}
	if !agent.Next(a.log).Done() {
		a.turn(ctx, agent.Input{Log: a.log})
	}
}

// turn watches runs until the turn is over. Where calls wait for approval the run
// ends, and once the user has decided another one goes on from the log. If the
// program dies in between nothing is lost: the calls wait in the session.
func (a *assistant) turn(ctx context.Context, in agent.Input) {
	for {
		result, err := a.watch(ctx, in)
		if errors.Is(err, agent.ErrAwaitingApproval) {
			if err = a.decide(ctx); err == nil {
				in = agent.Input{Log: a.log}
				continue
			}
		}
		switch {
		case errors.Is(err, line.ErrInterrupted), errors.Is(err, io.EOF):
			a.show.Note("not decided; the call waits: press Enter to be asked again, or say something else")
		case errors.Is(err, context.Canceled):
			a.show.Note("stopped; say how to go on, or press Enter to go on as before")
		case err != nil:
			a.show.Fail(err)
		}
		a.show.Summary(result)
		return
	}
}

// watch shows a run to its end. Ctrl-C cancels the run, not the program.
func (a *assistant) watch(ctx context.Context, in agent.Input) (*agent.Result, error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	run := a.agent.NewRun(in)
	for ev, err := range run.Events(a.live.Attach(ctx)) {
		if err == nil && ev.Type != agent.EventStep { // run.Result has the error too
			a.show.Event(ev)
		}
	}
	return run.Result()
}
