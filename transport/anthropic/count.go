package anthropic

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/whorl-go/whorl/transport"
)

// CountTokens returns the service's estimate of the number of tokens in the prompt of
// req, without sending it to a model. It costs nothing and has a separate rate limit
// (wire §12.1). Parameters that don't affect the prompt are left out.
func (c *Client) CountTokens(ctx context.Context, req *transport.Request) (int, error) {
	if req == nil {
		return 0, errNoRequest()
	}
	err := c.checkVersion(req, true)
	var body *transport.Body
	if err == nil {
		body, err = req.CountBody()
	}
	if err != nil {
		return 0, fmt.Errorf("anthropic: %w", err)
	}
	k := &call{method: http.MethodPost, path: "/v1/messages/count_tokens", betas: c.betaHeader(req), length: body.Len(), body: func() (io.ReadCloser, error) {
		return body.NewReader(), nil
	}, needs: []string{"input_tokens"}}
	var counted struct {
		InputTokens int `json:"input_tokens"`
	}
	err = c.fetch(ctx, k, &counted)
	return counted.InputTokens, err
}

func errNoRequest() error {
	return fmt.Errorf("anthropic: %w", &transport.RequestError{Field: "request", Reason: "it is nil"})
}
