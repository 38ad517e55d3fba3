package anthropic

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A BatchItem is one request of a batch.
type BatchItem struct {
	// CustomID names the item in the results: 1 to 64 letters, digits, "-" and "_",
	// unique in the batch.
	CustomID string
	Request  *transport.Request
}

// A Batch is a set of requests that the service answers within 24 hours, at
// half the price (wire §12.2).
type Batch struct {
	ID               string      `json:"id"`
	ProcessingStatus string      `json:"processing_status"` // "in_progress", "canceling" or "ended"
	RequestCounts    BatchCounts `json:"request_counts"`
	CreatedAt        time.Time   `json:"created_at"`
	ExpiresAt        time.Time   `json:"expires_at"`
	EndedAt          time.Time   `json:"ended_at"` // zero until then
}

// BatchCounts has the number of a batch's requests in each state.
type BatchCounts struct {
	Processing int `json:"processing"`
	Succeeded  int `json:"succeeded"`
	Errored    int `json:"errored"`
	Canceled   int `json:"canceled"`
	Expired    int `json:"expired"`
}

// A BatchResult is the result of one item.
type BatchResult struct {
	CustomID string
	Type     string              // "succeeded", "errored", "canceled", "expired", or a later addition
	Response *transport.Response // if it succeeded
	Err      *transport.Error    // if it errored
}

var customID = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

const batchPath = "/v1/messages/batches"

// The most that a batch may hold (wire §1.5 and §12.2).
const (
	maxBatchItems = 100_000
	maxBatchBytes = 256 << 20
)

// CreateBatch sends a batch of 1 to 100,000 requests, of at most 256 MB. The requests
// are not streamed. A batch can't have requests with MaxTokens 0, Speed, Fallbacks or a
// credit for a fallback. A failure after which the batch may exist, such as a broken
// connection, is not retried; [Client.Batches] shows whether it exists.
func (c *Client) CreateBatch(ctx context.Context, items []BatchItem) (Batch, error) {
	body, betas, err := c.batchBody(items)
	if err != nil {
		return Batch{}, fmt.Errorf("anthropic: batch: %w", err)
	}
	k := bytesCall(http.MethodPost, batchPath, body)
	k.betas, k.creates, k.needs = betas, true, batchMembers
	var b Batch
	err = c.fetch(ctx, k, &b)
	return b, err
}

// batchBody writes the request that creates a batch, and lists its betas.
func (c *Client) batchBody(items []BatchItem) (body []byte, betaHeader string, err error) {
	if len(items) == 0 || len(items) > maxBatchItems {
		return nil, "", fmt.Errorf("%d items; a batch has 1 to %d", len(items), maxBatchItems)
	}
	var buf bytes.Buffer
	var betas []string
	seen := make(map[string]bool, len(items))
	buf.WriteString(`{"requests":[`)
	for i, it := range items {
		if err := checkItem(it); err != nil {
			return nil, "", fmt.Errorf("item %d: %w", i, err)
		}
		if seen[it.CustomID] {
			return nil, "", fmt.Errorf("item %d: custom id %q is used twice", i, it.CustomID)
		}
		seen[it.CustomID] = true
		params, err := c.body(it.Request, false)
		if err != nil {
			return nil, "", fmt.Errorf("item %q: %w", it.CustomID, err)
		}
		if i > 0 {
			buf.WriteByte(',')
		}
		fmt.Fprintf(&buf, `{"custom_id":%q,"params":`, it.CustomID)
		_, _ = params.WriteTo(&buf)
		buf.WriteByte('}')
		if buf.Len() > maxBatchBytes {
			return nil, "", fmt.Errorf("the batch exceeds %d MB at item %d of %d; send it in parts", maxBatchBytes>>20, i, len(items))
		}
		for _, b := range c.requestBetas(it.Request) {
			if !slices.Contains(betas, b) {
				betas = append(betas, b)
			}
		}
	}
	buf.WriteString(`]}`)
	return buf.Bytes(), joinBetas(betas), nil
}

func checkItem(it BatchItem) error {
	switch r := it.Request; {
	case !customID.MatchString(it.CustomID):
		return fmt.Errorf("custom id %q is not 1 to 64 letters, digits, - and _", it.CustomID)
	case r == nil:
		return fmt.Errorf("%q has no Request", it.CustomID)
	case r.Thread != nil || rawjson.GetString(r.Extra["billing_policy"], "bill_to") == "user_profile":
		return &transport.RequestError{
			Field:  fmt.Sprintf("item %q", it.CustomID),
			Reason: "a batch can't have a thread, or be billed to a user profile",
			Remedy: "send the whole conversation without Thread, or the request on its own",
			Model:  r.Model,
		}
	case r.MaxTokens == 0 || r.Speed != "" || len(r.Fallbacks) > 0 || len(r.Extra["fallback_credit_token"]) > 0:
		return &transport.RequestError{
			Field:  fmt.Sprintf("item %q", it.CustomID),
			Reason: "a batch can't have max_tokens 0, speed, fallbacks or fallback_credit_token",
			Remedy: "leave them out, or send the request on its own",
			Model:  r.Model,
		}
	}
	return nil
}

// Batch returns the current state of a batch.
func (c *Client) Batch(ctx context.Context, id string) (Batch, error) {
	return c.batch(ctx, http.MethodGet, id, "")
}

// CancelBatch cancels a batch. Requests in progress may still finish.
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
		k := &call{method: method, path: batchPath + "/" + id + action, needs: batchMembers}
		if method == http.MethodDelete {
			k.needs = batchMembers[:1]
		}
		err = c.fetch(ctx, k, &b)
	}
	return b, err
}

// batchMembers are members that tell a batch from something else. The answer to a
// deletion has the first one only.
var batchMembers = []string{"id", "processing_status"}

// Batches yields the batches, newest first.
func (c *Client) Batches(ctx context.Context) iter.Seq2[Batch, error] {
	return list[Batch](ctx, c, batchPath, "100")
}

// WaitBatch waits until a batch has ended, and returns it. It polls the service at the
// interval every; 0 or less means one minute.
func (c *Client) WaitBatch(ctx context.Context, id string, every time.Duration) (Batch, error) {
	every = cmp.Or(max(every, 0), time.Minute) // without a pause it would ask as fast as it can
	for {
		b, err := c.Batch(ctx, id)
		switch {
		case err != nil || b.ProcessingStatus == "ended":
			return b, err
		case b.ProcessingStatus != "in_progress" && b.ProcessingStatus != "canceling":
			return b, fmt.Errorf("anthropic: batch %s has the processing_status %q, which is not known to end; ask for it again with Client.Batch", id, b.ProcessingStatus)
		}
		if err := pause(ctx, every); err != nil {
			return b, err
		}
	}
}

// BatchResults yields the results of a batch that has ended, each once, in no
// particular order. If the connection breaks, it reconnects and continues. A result
// that can't be read is yielded with an error, and with its CustomID if that is known;
// the iteration may continue after it.
func (c *Client) BatchResults(ctx context.Context, id string) iter.Seq2[BatchResult, error] {
	return func(yield func(BatchResult, error) bool) {
		id, err := pathID("batch", id)
		if err != nil {
			yield(BatchResult{}, err)
			return
		}
		k := &call{method: http.MethodGet, path: batchPath + "/" + id + "/results"}
		seen := make(map[string]bool)
		for attempt := 1; ; attempt++ {
			before := len(seen)
			stopped, err := c.results(ctx, k, seen, yield)
			if stopped || err == nil {
				return
			}
			if len(seen) > before {
				attempt = 1
			}
			wait, again := c.retry(ctx, err, attempt)
			if again {
				c.logRetry(ctx, err, attempt, wait)
				again = pause(ctx, wait) == nil
			}
			if !again {
				yield(BatchResult{}, fmt.Errorf("anthropic: results of batch %s, after %d of them: %w", id, len(seen), err))
				return
			}
		}
	}
}

// results yields the results of a batch that are not among those seen.
func (c *Client) results(ctx context.Context, k *call, seen map[string]bool, yield func(BatchResult, error) bool) (stopped bool, err error) {
	a, err := c.open(ctx, k)
	if err != nil {
		return !yield(BatchResult{}, err), nil
	}
	defer a.close()
	lines := bufio.NewReader(a.body)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return false, &connectionError{host: c.base.Host, err: err}
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if r, parseErr := c.batchResult(line); r.CustomID == "" || !seen[r.CustomID] {
				if seen[r.CustomID] = true; !yield(r, parseErr) {
					return true, nil
				}
			}
		}
		if err == io.EOF {
			return false, nil
		}
	}
}

// batchResult reads one line of results.
func (c *Client) batchResult(line []byte) (BatchResult, error) {
	var w struct {
		CustomID string `json:"custom_id"`
		Result   struct {
			Type    string          `json:"type"`
			Message json.RawMessage `json:"message"`
			Error   json.RawMessage `json:"error"`
		} `json:"result"`
	}
	if err := json.Unmarshal(line, &w); err != nil {
		return BatchResult{CustomID: w.CustomID}, fmt.Errorf("anthropic: a result can't be read: %w: %s", c.hide.Err(err), c.brief(line))
	}
	r := BatchResult{CustomID: w.CustomID, Type: w.Result.Type}
	if r.CustomID == "" || r.Type == "" {
		return r, &UnexpectedAnswerError{Path: batchPath, Why: "a result needs a custom_id and a type", Body: c.brief(line), host: c.base.Host}
	}
	switch r.Type {
	case "succeeded":
		resp, err := transport.ParseResponse(w.Result.Message)
		if err != nil {
			return r, fmt.Errorf("anthropic: result %q: %w", r.CustomID, c.hide.Err(err))
		}
		r.Response = resp
	case "errored":
		r.Err = c.hideSecrets(transport.ParseError(0, w.Result.Error))
	}
	return r, nil
}
