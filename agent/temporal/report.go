package temporal

import (
	"context"
	"errors"
	"log/slog"

	"go.temporal.io/sdk/activity"
	sdk "go.temporal.io/sdk/temporal"
)

// Counters of the worker's client.MetricsHandler. They have the tag "error_type", which
// is the type of the temporal.ApplicationError, such as [TypeLeased], or "Canceled". Each
// attempt counts.
const (
	FailedActions = "whorl_actions_failed"
	FailedUpdates = "whorl_updates_failed"
)

// report logs and counts an attempt that failed. The error is the one for the engine.
func (d *driver) report(ctx context.Context, counter, session string, err error) {
	level, what := slog.LevelWarn, "an action has failed"
	if counter == FailedUpdates {
		what = "an update has failed"
	}
	typ := "Canceled"
	var app *sdk.ApplicationError
	if errors.As(err, &app) {
		typ = app.Type()
	}
	switch typ {
	case "Canceled", TypeStopped, TypeLeased, TypeNotMine:
		level = slog.LevelInfo // another process goes on, or nobody is to
	}
	info := activity.GetInfo(ctx)
	d.o.Logger.Log(ctx, level, what, "session", session, "workflow", info.WorkflowExecution.ID, "type", typ, "attempt", info.Attempt, "error", err.Error())
	activity.GetMetricsHandler(ctx).WithTags(map[string]string{"error_type": typ}).Counter(counter).Inc(1)
}
