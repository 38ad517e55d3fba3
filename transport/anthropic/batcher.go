package anthropic

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"sync"
	"time"

	"github.com/whorl-go/whorl/transport"
)

// BatcherOptions configure how a [Batcher] collects requests. The zero value is ready
// to use. A field that is zero or negative takes the default.
type BatcherOptions struct {
	// Delay is the time that the first request of a batch waits for others; the
	// default is 10 seconds.
	Delay time.Duration
	// Size is the maximum number of requests in a batch, which is sent as soon as it
	// has them; 0 means 10,000. The service accepts 100,000, and 256 MB.
	Size int
	// Poll is the time between two checks whether a batch has ended; the default
	// is one minute.
	Poll time.Duration
}

// A Batcher is a [transport.Client] at half the price: it collects concurrent requests
// into batches (wire §12.2). An agent with a Batcher runs as usual, but each of its
// steps takes from minutes up to a day. This pays off if many conversations run at once
// and nobody waits for them. Such an agent needs a longer Limits.Time than the default
// of one hour.
//
// A response comes all at once, as the events of a stream. If the context of a request
// ends, the other requests of the batch continue. The batch is canceled when nobody
// waits for it any more. If the program dies, the batches continue and are billed;
// [Client.Batches] and [Client.BatchResults] return their responses.
//
// A Batcher is safe for concurrent use. Make one with [Client.Batcher].
type Batcher struct {
	client *Client
	opts   BatcherOptions

	mu       sync.Mutex // guards what is below, and all batchGroups
	gathered *batchGroup
}

var _ transport.Client = (*Batcher)(nil)

// Batcher returns a Batcher that sends its batches with c.
func (c *Client) Batcher(o BatcherOptions) *Batcher {
	o.Delay = cmp.Or(max(o.Delay, 0), 10*time.Second)
	o.Size = min(cmp.Or(max(o.Size, 0), 10_000), maxBatchItems)
	o.Poll = cmp.Or(max(o.Poll, 0), time.Minute)
	return &Batcher{client: c, opts: o}
}

// Features returns the features of the Client. A batch has no threads.
func (b *Batcher) Features() transport.Features {
	f := b.client.features
	f.Threads = false
	return f
}

// A batchGroup is the requests of one batch.
type batchGroup struct {
	ctx     context.Context // ends when nobody waits any more
	cancel  context.CancelFunc
	timer   *time.Timer
	items   []BatchItem
	size    int64
	waiting map[string]chan<- batchOutcome // by CustomID
}

// A batchOutcome is what came of one request of a batch.
type batchOutcome struct {
	response *transport.Response
	err      error
	again    bool // it failed by itself, and may succeed in another batch
}

// Stream adds req to a batch and yields the events of its response when the batch has
// ended. A request that failed with a temporary error is added to another batch, up to
// Options.MaxRetries times.
func (b *Batcher) Stream(ctx context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		if req == nil {
			yieldError(yield, errNoRequest())
			return
		}
		began := time.Now()
		for attempt := 1; ; attempt++ {
			out := b.ask(ctx, req)
			switch {
			case out.again && attempt <= b.client.maxRetries && ctx.Err() == nil:
				b.client.logRetry(ctx, out.err, attempt, b.opts.Delay)
				continue
			case out.err != nil:
				yield(transport.Event{}, withAttempts(out.err, attempt))
				return
			}
			out.response.Meta = transport.Meta{Attempts: attempt, Duration: time.Since(began)}
			for ev := range out.response.Events() {
				if !yield(ev, nil) {
					return
				}
			}
			return
		}
	}
}

// ask waits for what comes of one request.
func (b *Batcher) ask(ctx context.Context, req *transport.Request) batchOutcome {
	item := BatchItem{CustomID: "item", Request: req}
	body, err := b.client.body(req, false)
	if err == nil {
		err = checkItem(item)
	}
	if err != nil {
		return batchOutcome{err: fmt.Errorf("anthropic: %w", err)}
	}
	outcome := make(chan batchOutcome, 1)
	g, id := b.join(item, body.Len(), outcome)
	select {
	case out := <-outcome:
		return out
	case <-ctx.Done():
		b.leave(g, id)
		return batchOutcome{err: context.Cause(ctx)}
	}
}

// join puts an item into the batch that is being gathered.
func (b *Batcher) join(item BatchItem, size int64, outcome chan<- batchOutcome) (*batchGroup, string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	const framing = 200 // what an item takes beside its request, in bytes
	if g := b.gathered; g != nil && g.size+size+framing > maxBatchBytes {
		b.seal(g)
	}
	g := b.gathered
	if g == nil {
		g = &batchGroup{waiting: make(map[string]chan<- batchOutcome)}
		g.ctx, g.cancel = context.WithCancel(context.Background())
		g.timer = time.AfterFunc(b.opts.Delay, func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.seal(g)
		})
		b.gathered = g
	}
	item.CustomID = "item-" + strconv.Itoa(len(g.items)+1)
	g.items = append(g.items, item)
	g.size += size + framing
	g.waiting[item.CustomID] = outcome
	if len(g.items) == b.opts.Size {
		b.seal(g)
	}
	return g, item.CustomID
}

// seal sends the batch that is being gathered, if it is g still.
func (b *Batcher) seal(g *batchGroup) {
	if b.gathered != g {
		return
	}
	b.gathered = nil
	g.timer.Stop()
	go b.run(g)
}

// leave is called where nobody waits for an item any more.
func (b *Batcher) leave(g *batchGroup, id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(g.waiting, id)
	if len(g.waiting) > 0 {
		return
	}
	g.cancel()
	if b.gathered == g {
		b.gathered = nil
		g.timer.Stop()
	}
}

// run sends a batch, waits for it, and hands its results out.
func (b *Batcher) run(g *batchGroup) {
	defer g.cancel()
	batch, err := b.client.CreateBatch(g.ctx, b.wanted(g))
	if err != nil {
		b.fail(g, err)
		return
	}
	if err = b.wait(g.ctx, batch.ID); err == nil {
		for r, resultErr := range b.client.BatchResults(g.ctx, batch.ID) {
			if r.CustomID == "" {
				err = cmp.Or(err, resultErr)
				continue
			}
			b.deliver(g, r.CustomID, outcomeOf(r, resultErr))
		}
	}
	if g.ctx.Err() != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_, _ = b.client.CancelBatch(ctx, batch.ID) // that nobody waits for it is all there is to tell
	}
	b.fail(g, fmt.Errorf("anthropic: batch %s: %w", batch.ID, cmp.Or(err, errNoResult)))
}

// ErrUnanswered means that the batch was canceled or expired, after 24 hours, before
// the request was processed. The request wasn't billed and may be sent again.
var ErrUnanswered = errors.New("the batch ended without an answer to the request")

var errNoResult = errors.New("it has no result for the request")

// wanted lists the items that somebody waits for still.
func (b *Batcher) wanted(g *batchGroup) []BatchItem {
	b.mu.Lock()
	defer b.mu.Unlock()
	items := make([]BatchItem, 0, len(g.waiting))
	for _, it := range g.items {
		if g.waiting[it.CustomID] != nil {
			items = append(items, it)
		}
	}
	g.items = nil
	return items
}

// wait returns when the batch has ended. A service that can't be reached for a
// while doesn't end the waiting: the batch goes on without us.
func (b *Batcher) wait(ctx context.Context, id string) error {
	for {
		_, err := b.client.WaitBatch(ctx, id, b.opts.Poll)
		if err == nil || ctx.Err() != nil || !passes(err) {
			return err
		}
		b.client.logRetry(ctx, err, 1, b.opts.Poll)
		if err := pause(ctx, b.opts.Poll); err != nil {
			return err
		}
	}
}

func outcomeOf(r BatchResult, err error) batchOutcome {
	switch {
	case err != nil:
		return batchOutcome{err: err}
	case r.Response != nil:
		return batchOutcome{response: r.Response}
	case r.Err != nil:
		return batchOutcome{err: r.Err, again: passes(r.Err)}
	}
	return batchOutcome{err: fmt.Errorf("anthropic: %w: %s", ErrUnanswered, r.Type)}
}

func (b *Batcher) deliver(g *batchGroup, id string, out batchOutcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if outcome := g.waiting[id]; outcome != nil {
		delete(g.waiting, id)
		outcome <- out
	}
}

// fail tells all who still wait.
func (b *Batcher) fail(g *batchGroup, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, outcome := range g.waiting {
		outcome <- batchOutcome{err: err}
	}
	clear(g.waiting)
}
