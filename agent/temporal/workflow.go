package temporal

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/converter"
	sdk "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// What the engine is told of activities. A change of these doesn't concern workflows
// that run: they take it from here with their next activity.
var (
	stepOptions = workflow.ActivityOptions{
		// An action has the bounds of its agent, Limits.Time and Limits.ToolTime. A process
		// that died is noticed by its heartbeat.
		StartToCloseTimeout: 24 * time.Hour,
		HeartbeatTimeout:    10 * time.Second,
		WaitForCancellation: true,
		RetryPolicy:         &sdk.RetryPolicy{InitialInterval: 2 * time.Second, BackoffCoefficient: 2, MaximumInterval: 10 * time.Minute},
	}
	storeOptions = workflow.LocalActivityOptions{
		ScheduleToCloseTimeout: time.Hour, // a store that is down
		StartToCloseTimeout:    time.Minute,
		RetryPolicy:            &sdk.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute},
	}
)

// A session is the state of a workflow.
type session struct {
	p       Payload
	out     Outcome
	woken   bool // something has come since the action began
	said    int  // messages so far, so that no two have one number
	hurried int  // waits in a row that were over at once
}

// run is the workflow. It has to do the same with the same history, for ever: the
// recorded histories in testdata are replayed by a test. A change that would do
// something else is guarded by workflow.GetVersion.
func run(ctx workflow.Context, p Payload) (Outcome, error) {
	s := &session{p: p, out: Outcome{Records: p.Records}}
	if p.Session == "" {
		return s.out, sdk.NewNonRetryableApplicationError("the payload has no session: a workflow is given a temporal.Payload", TypePayload, nil)
	}
	if err := s.handle(ctx); err != nil {
		return s.out, err
	}
	ctx = workflow.WithActivityOptions(ctx, stepOptions)
	wake := workflow.GetSignalChannel(ctx, Wake)
	for {
		s.woken = false
		for wake.ReceiveAsync(nil) {
		}
		out, err := s.step(ctx)
		if err != nil {
			finish, _ := workflow.NewDisconnectedContext(ctx)
			if e := s.handled(finish); e != nil {
				return s.out, errors.Join(err, e)
			}
			return s.out, err
		}
		s.out, s.p.Records = out, out.Records
		news := func() bool { return s.woken || wake.Len() > 0 }
		switch out.Do {
		case Waits:
			if err := s.wait(ctx, news); err != nil {
				return s.out, err
			}
		case Done:
			if err := s.handled(ctx); err != nil {
				return s.out, err
			}
			if !news() {
				return s.out, nil
			}
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			// What has come meanwhile is in the store: the first action of the next run
			// finds it.
			if err := s.handled(ctx); err != nil {
				return s.out, err
			}
			return s.out, workflow.NewContinueAsNewError(ctx, Workflow, s.p)
		}
	}
}

// step has the next action done.
func (s *session) step(ctx workflow.Context) (out Outcome, err error) {
	in, err := rawPayload(s.p, workflow.GetInfo(ctx).WorkflowExecution.ID)
	if err != nil {
		return out, err
	}
	var result converter.RawValue
	if err := workflow.ExecuteActivity(ctx, stepActivity, in).Get(ctx, &result); err != nil {
		return out, err
	}
	if out, err = parseOutcome(result); err != nil {
		return out, refuse(err)
	}
	return out, nil
}

// wait waits until something has come, or the time is over.
func (s *session) wait(ctx workflow.Context, news func() bool) error {
	d := s.out.Wait
	if d == 0 {
		s.hurried = 0
		return workflow.Await(ctx, news)
	}
	// Where clocks disagree a wait may be over before it begins, again and again.
	const least, most = time.Second, time.Minute
	if d >= least {
		s.hurried = 0
	} else {
		d = min(least<<min(s.hurried, 10), most)
		s.hurried++
	}
	_, err := workflow.AwaitWithTimeout(ctx, d, news)
	return err
}

// handled waits for the end of the updates that are being handled.
func (s *session) handled(ctx workflow.Context) error {
	return workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
}

// handle takes updates and the query.
func (s *session) handle(ctx workflow.Context) error {
	err := workflow.SetQueryHandler(ctx, State, func() (Outcome, error) { return s.out, nil })
	for _, name := range []string{Approve, Deny, Answer, Cancel} {
		if err != nil {
			break
		}
		decide := func(ctx workflow.Context, r Request) error {
			return s.change(ctx, decideActivity, decision{Session: s.p.Session, Do: name, Request: r})
		}
		check := func(_ workflow.Context, r Request) error { return refuse(r.check()) }
		err = workflow.SetUpdateHandlerWithOptions(ctx, name, decide, workflow.UpdateHandlerOptions{Validator: check})
	}
	if err != nil {
		return err
	}
	say := func(ctx workflow.Context, m Message) error {
		s.said++
		number := workflow.Now(ctx).UnixNano() + int64(s.said)
		return s.change(ctx, sayActivity, saying{Session: s.p.Session, Number: number, Text: m.Text})
	}
	check := func(_ workflow.Context, m Message) error {
		if m.Text == "" {
			return refuse(fmt.Errorf("the message has no text"))
		}
		return nil
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, Say, say, workflow.UpdateHandlerOptions{Validator: check})
}

// change changes the session in the store, and has the workflow look at it.
func (s *session) change(ctx workflow.Context, activity string, input any) error {
	var r *refusal
	err := workflow.ExecuteLocalActivity(workflow.WithLocalActivityOptions(ctx, storeOptions), activity, input).Get(ctx, &r)
	if err == nil && r != nil {
		err = r.err()
	}
	var app *sdk.ApplicationError
	switch {
	case err == nil:
		s.woken = true
	case errors.As(err, &app) && app.Type() == TypeNoSession && workflow.GetVersion(ctx, "no-session", workflow.DefaultVersion, 1) != workflow.DefaultVersion:
		s.woken = true // there is nothing left to wait for: the next action finds that, too
	}
	return err
}

// refuse is the error of what can't be used.
func refuse(err error) error {
	if err == nil {
		return nil
	}
	return sdk.NewNonRetryableApplicationError(err.Error(), TypePayload, err)
}
