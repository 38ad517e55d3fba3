package temporal

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"go.temporal.io/sdk/activity"
	sdk "go.temporal.io/sdk/temporal"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// The types of the temporal.ApplicationError that activities, workflows and updates fail
// with. A request that the service refuses has the service's own type instead, such as
// "rate_limit_error". [Error] converts some of them to Go errors.
const (
	TypePayload   = "Payload"       // an invalid payload or update
	TypeNoSession = "NoSession"     // memory.ErrNoSession
	TypeReplaced  = "Replaced"      // memory.ErrReplaced
	TypeLeased    = "Leased"        // memory.ErrLeased; retried
	TypeNotMine   = "NotMine"       // worker.ErrNotMine; retried
	TypeNewer     = "Newer"         // written by a newer version of the library; retried
	TypeCorrupt   = "Corrupt"       // memory.ErrCorrupt
	TypeLimit     = "LimitError"    // agent.LimitError
	TypeBudget    = "BudgetError"   // agent.BudgetError
	TypeStop      = "StopError"     // agent.StopError
	TypeFatal     = "Fatal"         // tools.Fatal: a tool has ended the run
	TypeDecision  = "DecisionError" // agent.DecisionError: the call is not waiting
	TypeAnswer    = "AnswerError"   // tools.AnswerError: the question doesn't allow that answer
	TypeStopped   = "Stopped"       // the worker's process is stopping; another one continues
	TypeOther     = "Error"
)

// failed is an error as the engine is told it: with its type, and whether, and when,
// the action is tried again. Nothing of the conversation is in it but what the error
// says.
func (d *driver) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		select {
		case <-activity.GetWorkerStopChannel(ctx):
			return sdk.NewApplicationErrorWithOptions("the worker's process ends", TypeStopped, sdk.ApplicationErrorOptions{NextRetryDelay: time.Second})
		default:
			return ctx.Err() // the workflow was cancelled
		}
	}
	var lease *memory.LeaseError
	var limit *agent.LimitError
	var budget *agent.BudgetError
	var stop *agent.StopError
	var refused *transport.Error
	var fatal *fatalError
	again := func(typ string, after time.Duration) error {
		return sdk.NewApplicationErrorWithOptions(err.Error(), typ, sdk.ApplicationErrorOptions{NextRetryDelay: after})
	}
	never := func(typ string, details ...any) error {
		return sdk.NewApplicationErrorWithOptions(err.Error(), typ, sdk.ApplicationErrorOptions{NonRetryable: true, Details: details})
	}
	switch {
	case errors.As(err, &lease):
		return again(TypeLeased, min(max(time.Until(lease.Until), time.Second), time.Minute))
	case errors.Is(err, memory.ErrLeased):
		return again(TypeLeased, time.Second)
	case errors.Is(err, worker.ErrNotMine):
		return again(TypeNotMine, time.Minute)
	case errors.Is(err, memory.ErrNoSession):
		return never(TypeNoSession)
	case errors.Is(err, memory.ErrReplaced):
		return never(TypeReplaced)
	case errors.Is(err, memory.ErrCorrupt) && errors.Is(err, errors.ErrUnsupported):
		return again(TypeNewer, time.Minute)
	case errors.Is(err, memory.ErrCorrupt):
		return never(TypeCorrupt)
	case errors.As(err, &limit):
		return never(TypeLimit, *limit)
	case errors.As(err, &budget):
		return never(TypeBudget)
	case errors.As(err, &stop):
		return never(TypeStop)
	case errors.As(err, &fatal):
		return never(TypeFatal)
	case errors.As(err, &refused):
		if errors.Is(err, transport.ErrInvalidRequest) || errors.Is(err, transport.ErrRequestTooLarge) {
			return never(string(refused.Type))
		}
		if passes(err) || !d.last(ctx) {
			return again(string(refused.Type), refused.RetryAfter)
		}
		return never(string(refused.Type))
	case passes(err) || !d.last(ctx):
		return again(TypeOther, 0)
	}
	return never(TypeOther)
}

// fatalError is the error of a tool that has ended the run. The call has its result, so
// that another attempt would go on with the model. One of Options.Check is another
// matter: the next attempt asks again.
type fatalError struct{ error }

func (e *fatalError) Unwrap() error { return e.error }

// last reports whether the attempt is the last one that may fail.
func (d *driver) last(ctx context.Context) bool {
	return int(activity.GetInfo(ctx).Attempt) >= d.o.Failures
}

// passes reports whether a failure is not the session's own, and will pass: a service,
// a network or a store that is down for an hour makes no workflow fail.
func passes(err error) bool {
	var service *transport.Error
	var stream *transport.StreamError
	var network net.Error
	return errors.As(err, &service) && (service.Status == http.StatusTooManyRequests || service.Status >= 500) ||
		errors.As(err, &stream) || errors.As(err, &network) || errors.Is(err, memory.ErrUnavailable) ||
		errors.Is(err, memory.ErrLocked) || errors.Is(err, memory.ErrFull) || errors.Is(err, memory.ErrReadOnly)
}

// detail is what the error of a decision has for [Error].
type detail struct {
	Call    string `json:"call"`
	Name    string `json:"name,omitempty"`
	Session string `json:"session,omitempty"`
	Why     string `json:"why,omitempty"`
	Detail  string `json:"detail,omitempty"`
}

// A refusal is why an update can't be, as the result of its local activity: the error of
// a local activity is in its marker as plain text, whatever the client's FailureConverter
// is (go.temporal.io/sdk v1.51).
type refusal struct {
	Type    string  `json:"type"`
	Message string  `json:"message"`
	Detail  *detail `json:"detail,omitempty"`
}

func (r *refusal) err() error {
	if r.Detail == nil {
		return sdk.NewNonRetryableApplicationError(r.Message, r.Type, nil)
	}
	return sdk.NewNonRetryableApplicationError(r.Message, r.Type, nil, *r.Detail)
}

// refused reports the error of an update, and returns it as a refusal unless the engine is
// to try again.
func (d *driver) refused(ctx context.Context, session string, err error) (*refusal, error) {
	if err = refused(err); err == nil {
		return nil, nil
	}
	d.report(ctx, FailedUpdates, session, err)
	var app *sdk.ApplicationError
	if !errors.As(err, &app) || !app.NonRetryable() {
		return nil, err
	}
	r := &refusal{Type: app.Type(), Message: app.Message()}
	if det := new(detail); app.HasDetails() && app.Details(det) == nil {
		r.Detail = det
	}
	return r, nil
}

// refused is the error of an update: typed if it says something of the call, else to
// be tried again.
func refused(err error) error {
	var decision *agent.DecisionError
	var answer *tools.AnswerError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &decision):
		c := decision.Call
		return sdk.NewNonRetryableApplicationError(err.Error(), TypeDecision, nil, detail{c.CallID, c.Name, c.Session, decision.Why, decision.Detail})
	case errors.As(err, &answer):
		return sdk.NewNonRetryableApplicationError(err.Error(), TypeAnswer, nil)
	case errors.Is(err, memory.ErrNoSession):
		return sdk.NewNonRetryableApplicationError(err.Error(), TypeNoSession, nil)
	case passes(err), errors.Is(err, memory.ErrConflict), errors.Is(err, context.DeadlineExceeded):
		return sdk.NewApplicationError(err.Error(), TypeOther)
	}
	return sdk.NewNonRetryableApplicationError(err.Error(), TypePayload, nil)
}

// Error converts an error of Temporal to one that [errors.Is] and [errors.As] match both
// to err and to a Go error: an [*agent.DecisionError], an [*agent.LimitError],
// [memory.ErrNoSession] and others. If there is no such Go error, it returns err.
func Error(err error) error {
	var app *sdk.ApplicationError
	if !errors.As(err, &app) {
		return err
	}
	var is error
	switch app.Type() {
	case TypeDecision:
		var d detail
		if app.Details(&d) != nil {
			return err
		}
		is = &agent.DecisionError{Call: agent.PendingCall{Session: d.Session, CallID: d.Call, Name: d.Name}, Why: d.Why, Detail: d.Detail}
	case TypeLimit:
		limit := new(agent.LimitError)
		if app.Details(limit) != nil {
			return err
		}
		is = limit
	case TypeNoSession:
		is = memory.ErrNoSession
	case TypeReplaced:
		is = memory.ErrReplaced
	case TypeCorrupt:
		is = memory.ErrCorrupt
	default:
		return err
	}
	return &typed{is, err}
}

// typed is a Go error and where it came from.
type typed struct{ is, from error }

func (e *typed) Error() string   { return e.is.Error() }
func (e *typed) Unwrap() []error { return []error{e.is, e.from} }
