package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/tools"
)

// call calls a tool with the arguments as the model wrote them.
func (c *Client) call(ctx context.Context, name string, input json.RawMessage) (tools.Result, error) {
	if id := tools.CallID(ctx); id != "" {
		c.watch(id, ctx)
		defer c.watch(id, nil)
	}
	result, err := c.elicited(ctx, name, input)
	switch {
	case errors.Is(err, tools.ErrWaiting): // the host's own error, which has to come back to it
		return tools.Result{}, err
	case err != nil:
		return tools.Result{}, c.hide.error(err)
	}
	return resultOf(result, c.hide), nil
}

// once makes one request of a call. It is made again, on a new connection, only
// where it is certain that the server has not begun it.
func (c *Client) once(ctx context.Context, params *sdk.CallToolParams) (*sdk.CallToolResult, error) {
	for try := 1; ; try++ {
		s, err := c.current(ctx)
		if err != nil {
			return nil, err
		}
		p := *params
		p.Meta = sdk.Meta{}
		if id := tools.CallID(ctx); id != "" {
			p.SetProgressToken(id)
		}
		injectTrace(ctx, &p.Meta)
		c.offer(ctx, s, p.Meta)
		sendCtx, sent := withSending(ctx)
		result, err := s.CallTool(sendCtx, &p)
		status := int(sent.status.Load())
		unknown := status == http.StatusNotFound || errors.Is(err, sdk.ErrSessionMissing) // the session, to the server
		switch {
		case err == nil:
			return result, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case sent.answered.Load():
			return nil, err
		case (!sent.sent.Load() || unknown) && try == 1:
			c.drop(s)
			continue
		case !sent.sent.Load() || unknown:
			return nil, fmt.Errorf("the tool's server can't be reached, and the call was not made: %w", err)
		case status >= 300 && status < 500 && status != http.StatusRequestTimeout:
			return nil, fmt.Errorf("the tool's server refused the call (HTTP %d): %w", status, err)
		}
		return nil, fmt.Errorf("the connection to the tool's server broke during the call, which may have had its effect: %w", err)
	}
}
