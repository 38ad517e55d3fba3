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

// A Client sends messages to sessions, and decides about calls that wait. Temporal, Store
// and TaskQueue are required.
type Client struct {
	Temporal client.Client
	Store    memory.Store
	// TaskQueue is that of the workers.
	TaskQueue string
	// Start, if not nil, returns further options of the workflows that the client starts,
	// such as search attributes, a memo or a priority. The client sets ID and TaskQueue. The
	// options are in the history of each workflow, and Temporal shows them to its users, so
	// put nothing of the conversation there.
	Start func(s memory.Info) client.StartWorkflowOptions
}

// ErrNotWoken means that a message is stored in its session, but that the workflow could
// not be signalled. Call [Client.Wake].
var ErrNotWoken = errors.New("the message is stored, but the workflow could not be signalled; call Client.Wake")

// ID returns the id of a session's workflow.
func ID(session string) string { return "whorl/" + session }

// Say adds a message to a session, and starts or continues the session's workflow. If the
// session does not exist, Say creates it with the metadata. The message may have any
// size, because it goes through the store and not through Temporal.
//
// If Say fails with an error that matches [ErrNotWoken], the message is in the store.
// After any other error it is there once or not at all, as with worker.Submit.
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

// Wake makes the workflow of a session read the session again, and starts the workflow if
// it isn't running. Call it after a change in the store. If there is nothing to do, the
// workflow ends at once. If the session does not exist, Wake fails with
// [memory.ErrNoSession], and a workflow that still waits for it fails too.
func (c *Client) Wake(ctx context.Context, session string) (client.WorkflowRun, error) {
	info, err := c.Store.Info(ctx, session)
	if errors.Is(err, memory.ErrNoSession) {
		var none *serviceerror.NotFound
		if e := c.Temporal.SignalWorkflow(ctx, ID(session), "", Wake, nil); e != nil && !errors.As(e, &none) {
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		return nil, err
	}
	var o client.StartWorkflowOptions
	if c.Start != nil {
		o = c.Start(info)
	}
	o.ID, o.TaskQueue = ID(session), c.TaskQueue
	return c.Temporal.SignalWithStartWorkflow(ctx, o.ID, Wake, nil, o, Workflow, Payload{Session: session, Records: info.Records})
}

// Update decides about a call that waits, or answers its question. The update what is
// [Approve], [Deny], [Answer] or [Cancel]. It returns when the decision is stored. For a
// call that is not waiting it fails with an [*agent.DecisionError]. If the call waits but
// no workflow runs, such as after [Client.Stop], Update starts one.
func (c *Client) Update(ctx context.Context, session, what string, r Request) error {
	err := c.update(ctx, session, what, r)
	var none *serviceerror.NotFound
	if !errors.As(err, &none) {
		return Error(err)
	}
	switch found, listErr := find(ctx, c.Store, session, what, r); {
	case listErr != nil:
		return listErr
	case len(found) == 0:
		wrong := &agent.DecisionError{Call: agent.PendingCall{Session: session, CallID: r.Call}, Why: "not_pending", Detail: "no workflow runs for the session"}
		return &typed{wrong, err}
	}
	if _, err := c.Wake(ctx, session); err != nil {
		return err
	}
	return Error(c.update(ctx, session, what, r))
}

func (c *Client) update(ctx context.Context, session, what string, r Request) error {
	h, err := c.Temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: ID(session), UpdateName: what, Args: []any{r}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return err
	}
	return h.Get(ctx, nil)
}

// Stop cancels the workflow of a session, and with it the request or the tools in
// progress. The log remains valid, and the next message continues from there.
func (c *Client) Stop(ctx context.Context, session string) error {
	return c.Temporal.CancelWorkflow(ctx, ID(session), "")
}
