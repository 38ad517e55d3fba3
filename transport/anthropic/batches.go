package anthropic

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"regexp"
	"time"

	"github.com/whorl-go/whorl/transport"
)

// A BatchItem is one request of a batch.
type BatchItem struct {
	// CustomID names the item in the results: 1 to 64 letters, digits, "-" and "_",
	// unique in the batch.
	CustomID string
	Request  *transport.Request
}

// A Batch is a set of requests that the service answers within 24 hours, at
// half the price (reference §12).
type Batch struct {
	ID               string      `json:"id"`
	ProcessingStatus string      `json:"processing_status"` // "in_progress", "canceling" or "ended"
	RequestCounts    BatchCounts `json:"request_counts"`
	CreatedAt        time.Time   `json:"created_at"`
	ExpiresAt        time.Time   `json:"expires_at"`
	EndedAt          time.Time   `json:"ended_at"` // zero until then
}

// BatchCounts says how many requests of a batch are in which state.
type BatchCounts struct {
	Processing int `json:"processing"`
	Succeeded  int `json:"succeeded"`
	Errored    int `json:"errored"`
	Canceled   int `json:"canceled"`
	Expired    int `json:"expired"`
}

// A BatchResult is what came of one item.
type BatchResult struct {
	CustomID string
	Type     string              // "succeeded", "errored", "canceled" or "expired"
	Response *transport.Response // if it succeeded
	Err      *transport.Error    // if it errored
}

var customID = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

const batchPath = "/v1/messages/batches"

// CreateBatch sends a batch. The items' requests are not streamed; MaxTokens 0,
// Speed and Fallbacks are refused in a batch.
func (c *Client) CreateBatch(ctx context.Context, items []BatchItem) (Batch, error) {
	var body bytes.Buffer
	var betas []string
	seen := make(map[string]bool, len(items))
	body.WriteString(`{"requests":[`)
	for i, it := range items {
		switch {
		case !customID.MatchString(it.CustomID):
			return Batch{}, fmt.Errorf("anthropic: batch item %d: custom id %q is not 1 to 64 letters, digits, - and _", i, it.CustomID)
		case seen[it.CustomID]:
			return Batch{}, fmt.Errorf("anthropic: batch item %d: custom id %q is taken", i, it.CustomID)
		case it.Request.MaxTokens == 0 || it.Request.Speed != "" || len(it.Request.Fallbacks) > 0:
			return Batch{}, fmt.Errorf("anthropic: batch item %q: a batch takes no max_tokens 0, speed or fallbacks", it.CustomID)
		}
		seen[it.CustomID] = true
		params, err := c.body(it.Request, false)
		if err != nil {
			return Batch{}, fmt.Errorf("anthropic: batch item %q: %w", it.CustomID, err)
		}
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"custom_id":%q,"params":`, it.CustomID)
		_, _ = params.WriteTo(&body)
		body.WriteByte('}')
		betas = append(betas, c.requestBetas(it.Request)...)
	}
	body.WriteString(`]}`)
	k := bytesCall(http.MethodPost, batchPath, body.Bytes())
	k.betas = joinBetas(betas)
	var b Batch
	err := c.fetch(ctx, k, &b)
	return b, err
}

// Batch asks how a batch is doing.
func (c *Client) Batch(ctx context.Context, id string) (Batch, error) {
	return c.batch(ctx, http.MethodGet, id, "")
}

// CancelBatch stops a batch. Requests that are running may still end.
func (c *Client) CancelBatch(ctx context.Context, id string) (Batch, error) {
	return c.batch(ctx, http.MethodPost, id, "/cancel")
}

// DeleteBatch deletes a batch that has ended, and its results.
func (c *Client) DeleteBatch(ctx context.Context, id string) error {
	_, err := c.batch(ctx, http.MethodDelete, id, "")
	return err
}

func (c *Client) batch(ctx context.Context, method, id, action string) (Batch, error) {
	var b Batch
	id, err := pathID("batch", id)
	if err == nil {
		err = c.fetch(ctx, &call{method: method, path: batchPath + "/" + id + action}, &b)
	}
	return b, err
}

// Batches lists the batches, newest first.
func (c *Client) Batches(ctx context.Context) iter.Seq2[Batch, error] {
	return list[Batch](ctx, c, batchPath, "100")
}

// WaitBatch asks for a batch every so often until it has ended.
func (c *Client) WaitBatch(ctx context.Context, id string, every time.Duration) (Batch, error) {
	for {
		b, err := c.Batch(ctx, id)
		if err != nil || b.ProcessingStatus == "ended" {
			return b, err
		}
		if err := pause(ctx, every); err != nil {
			return b, err
		}
	}
}

// BatchResults yields the results of a batch that has ended, in no particular order.
func (c *Client) BatchResults(ctx context.Context, id string) iter.Seq2[BatchResult, error] {
	return func(yield func(BatchResult, error) bool) {
		id, err := pathID("batch", id)
		if err != nil {
			yield(BatchResult{}, err)
			return
		}
		a, err := c.open(ctx, &call{method: http.MethodGet, path: batchPath + "/" + id + "/results"})
		if err != nil {
			yield(BatchResult{}, err)
			return
		}
		defer a.close()
		lines := bufio.NewReader(a.body)
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil && err != io.EOF {
				yield(BatchResult{}, fmt.Errorf("anthropic: results of batch %s: %w", id, err))
				return
			}
			if line = bytes.TrimSpace(line); len(line) > 0 {
				r, parseErr := parseBatchResult(line)
				if !yield(r, parseErr) || parseErr != nil {
					return
				}
			}
			if err == io.EOF {
				return
			}
		}
	}
}

func parseBatchResult(line []byte) (BatchResult, error) {
	var w struct {
		CustomID string `json:"custom_id"`
		Result   struct {
			Type    string          `json:"type"`
			Message json.RawMessage `json:"message"`
			Error   json.RawMessage `json:"error"`
		} `json:"result"`
	}
	if err := json.Unmarshal(line, &w); err != nil {
		return BatchResult{}, fmt.Errorf("anthropic: a result can't be read: %w", err)
	}
	r := BatchResult{CustomID: w.CustomID, Type: w.Result.Type}
	switch r.Type {
	case "succeeded":
		resp, err := transport.ParseResponse(w.Result.Message)
		if err != nil {
			return r, fmt.Errorf("anthropic: result %q: %w", r.CustomID, err)
		}
		r.Response = resp
	case "errored":
		r.Err = transport.ParseError(0, w.Result.Error)
	case "canceled", "expired":
	default:
		return r, errors.New("anthropic: result " + r.CustomID + ": unknown type " + r.Type)
	}
	return r, nil
}
