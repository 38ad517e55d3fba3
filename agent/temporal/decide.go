package temporal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// A decision is the input of the local activity of that name.
type decision struct {
	Session string  `json:"session"`
	Do      string  `json:"do"`
	Request Request `json:"request"`
}

// decide records a decision, or an answer, in the store.
func (d *driver) decide(ctx context.Context, c decision) (*refusal, error) {
	return d.refused(ctx, c.Session, decide(ctx, d.o.Store, c))
}

// find lists the items that a request can be about.
func find(ctx context.Context, store memory.Store, session, do string, r Request) (found []waiting.Item, err error) {
	items, err := waiting.List(ctx, store, session)
	for _, it := range items {
		id := ""
		switch {
		case it.Call != nil && do != Answer:
			id = it.Call.CallID
		case it.Question != nil && (do == Answer || do == Cancel || it.Kind == "approval") && (r.Key == "" || r.Key == it.Question.Question.Key):
			id = it.Question.Call
		}
		if id == r.Call && (r.Session == "" || r.Session == it.Session) {
			found = append(found, it)
		}
	}
	return found, err
}

func decide(ctx context.Context, store memory.Store, c decision) error {
	r := c.Request
	found, err := find(ctx, store, c.Session, c.Do, r)
	if err != nil {
		return err
	}
	switch {
	case len(found) == 0:
		return &agent.DecisionError{Call: agent.PendingCall{Session: c.Session, CallID: r.Call}, Why: "not_pending"}
	case len(found) > 1:
		return fmt.Errorf("%d items wait for the call %q; set Session, or the Key of the question", len(found), r.Call)
	}
	it := found[0]
	if it.Call != nil && r.Hash != "" && r.Hash != it.Call.Hash {
		return &agent.DecisionError{Call: *it.Call, Why: "changed"}
	}
	switch c.Do {
	case Approve:
		if r.Input != nil {
			return it.Edit(ctx, store, r.Input)
		}
		return it.Approve(ctx, store)
	case Deny:
		return it.Deny(ctx, store, r.Reason)
	case Answer:
		return it.Answer(ctx, store, r.Value, r.By)
	}
	return it.Cancel(ctx, store, r.Reason)
}

// A saying is the input of the local activity "say".
type saying struct {
	Session string `json:"session"`
	Number  int64  `json:"number"` // for the inbox, so that it is put there once
	Text    string `json:"text"`
}

// say puts a message into the session's inbox, once, however often it is called.
func (d *driver) say(ctx context.Context, s saying) (*refusal, error) {
	return d.refused(ctx, s.Session, say(ctx, d.o.Store, s))
}

func say(ctx context.Context, store memory.Store, s saying) error {
	m := transport.UserText(s.Text)
	inbox, err := memory.Need[memory.Inbox](store)
	if err == nil {
		err = memory.CheckInput(m)
	}
	if err != nil {
		return err
	}
	r := memory.Record{Kind: memory.KindInput, Time: time.Now(), Message: m}
	if redactor, ok := memory.As[memory.Redactor](store); ok {
		if err := redactor.Redact(&r); err != nil {
			return err
		}
	}
	// The number is the engine's time. Where the store has a message of a later number, a
	// later one is taken, always the same, so that a repeated attempt finds it.
	for _, later := range []time.Duration{0, 2 * time.Hour, 50 * time.Hour, 400 * 24 * time.Hour} {
		r.Queued = s.Number + int64(later)
		err := inbox.Enqueue(ctx, s.Session, r)
		if !errors.Is(err, memory.ErrConflict) {
			return err
		}
		if has, err := said(ctx, store, inbox, s.Session, r.Queued); has || err != nil {
			return err
		}
	}
	r.Queued = 0
	return inbox.Enqueue(ctx, s.Session, r)
}

// said reports whether a message of that number is in the inbox, or in the log already.
func said(ctx context.Context, store memory.Store, inbox memory.Inbox, session string, number int64) (bool, error) {
	for r, err := range inbox.Inbox(ctx, session, 0) {
		if err != nil || r.Queued == number {
			return err == nil, err
		}
	}
	log, err := memory.Open(ctx, store, session)
	if err != nil {
		return false, err
	}
	for _, r := range log.Records(0) {
		if r.Queued == number {
			return true, nil
		}
	}
	return false, nil
}
