package temporal

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// A Client gives sessions messages, and decides about calls that wait. All fields are
// needed.
type Client struct {
	Temporal client.Client
	Store    memory.Store
	// TaskQueue is that of the workers.
	TaskQueue string
}

// ErrNotWoken means that a session has got its message, but that its workflow could
// not be told: call [Client.Wake].
var ErrNotWoken = errors.New("the message is stored, and the workflow could not be told; call Wake")

// ID is the id of a session's workflow.
func ID(session string) string { return "whorl/" + session }

// Say gives a session a message, of whatever size, and begins the session, with that
// metadata, if there is none of that id. Its workflow goes on, or is started. The
// message goes through the store, and not through Temporal.
//
// If it fails with an error that matches [ErrNotWoken], the message is in the store;
// otherwise it is there once or not at all, as with worker.Submit.
func (c *Client) Say(ctx context.Context, session string, m transport.Message, meta map[string]string) (client.WorkflowRun, error) {
	if err := worker.Submit(ctx, c.Store, session, m, meta); err != nil {
		return nil, err
	}
	r, err := c.Wake(ctx, session)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrNotWoken, err)
	}
	return r, err
}

// Wake has the workflow of a session look at it, and starts it if it doesn't run: after
// something has been changed in the store. A session that has nothing to do is left at
// once.
func (c *Client) Wake(ctx context.Context, session string) (client.WorkflowRun, error) {
	info, err := c.Store.Info(ctx, session)
	if err != nil {
		return nil, err
	}
	return c.Temporal.SignalWithStartWorkflow(ctx, ID(session), Wake, nil, client.StartWorkflowOptions{TaskQueue: c.TaskQueue},
		Workflow, Payload{Session: session, Records: info.Records})
}

// Update decides about a call that waits, or answers its question: what is [Approve],
// [Deny], [Answer] or [Cancel]. It returns once that is stored. For a call that doesn't
// wait it fails with an [*agent.DecisionError].
func (c *Client) Update(ctx context.Context, session, what string, r Request) error {
	h, err := c.Temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: ID(session), UpdateName: what, Args: []any{r}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = h.Get(ctx, nil)
	}
	var none *serviceerror.NotFound
	if errors.As(err, &none) {
		// The workflow ends with the turn: nothing waits.
		wrong := &agent.DecisionError{Call: agent.PendingCall{Session: session, CallID: r.Call}, Why: "not_pending", Detail: "no workflow runs for the session"}
		return &typed{wrong, err}
	}
	return Error(err)
}

// Stop cancels the workflow of a session. A request, or a tool, that runs is
// cancelled; the log is left valid, and the next message goes on from there.
func (c *Client) Stop(ctx context.Context, session string) error {
	return c.Temporal.CancelWorkflow(ctx, ID(session), "")
}
