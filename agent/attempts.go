package agent

import (
	"errors"
	"fmt"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// A response may take several attempts, and those that broke off were billed
// too: for the prompt once the response had begun, and for what was written.
// attempts is what is known of those that failed at one request.
type attempts struct {
	begun *transport.Response   // what the one under way tells of its cost
	void  []*transport.Response // what those before it told
	lost  int                   // attempts that told nothing, and may have been billed
}

// observe follows the events of a stream.
func (t *attempts) observe(ev transport.Event) {
	switch {
	case ev.Type == transport.EventRestarted && t.begun != nil:
		t.void, t.begun = append(t.void, t.begun), nil
	case ev.Response != nil:
		t.begun = ev.Response
	}
}

// failed takes an attempt for void that nothing will come of.
func (t *attempts) failed(err error) {
	var lost *transport.LostError
	if errors.As(err, &lost) {
		t.lost = lost.Attempts
	}
	var cut *transport.StreamError
	if errors.As(err, &cut) && cut.Partial != nil {
		t.begun = cut.Partial
	}
	if t.begun != nil {
		t.void, t.begun = append(t.void, t.begun), nil
	}
}

// notes are what the log keeps of the attempts that failed.
func (t *attempts) notes() []memory.Record {
	var notes []memory.Record
	at := time.Now()
	for _, resp := range t.void {
		notes = append(notes, memory.Record{Kind: memory.KindNote, Note: noteInterrupted, Time: at, Data: resp.Raw()})
	}
	if t.lost > 0 {
		notes = append(notes, memory.Record{Kind: memory.KindNote, Note: noteLost, Time: at, Data: fmt.Appendf(nil, `{"attempts":%d}`, t.lost)})
	}
	return notes
}

// recordFailed bills the attempts that failed to the run and to its budgets, and gives
// what the log is to keep of them.
func (r *Run) recordFailed(held *reservation, t *attempts) []memory.Record {
	notes := t.notes()
	if len(notes) == 0 {
		return nil
	}
	var b Bill
	l := r.pricer()
	for i := range notes {
		b.Add(l.note(&notes[i]))
	}
	held.charge(b)
	held.lost(t.lost)
	r.spend(b)
	return notes
}

// mayPass reports whether the same request may be answered later: what went wrong is
// no word of the service on the request, and nothing that says of itself that it is
// for good.
func mayPass(err error) bool {
	var permanent interface{ Permanent() bool }
	if errors.As(err, &permanent) && permanent.Permanent() || errors.Is(err, transport.ErrInvalidRequest) {
		return false
	}
	var e *transport.Error
	if !errors.As(err, &e) {
		return true
	}
	if e.ShouldRetry != nil {
		return *e.ShouldRetry
	}
	for _, t := range []transport.ErrorType{transport.ErrRateLimit, transport.ErrOverloaded, transport.ErrAPI, transport.ErrTimeout} {
		if e.Is(t) {
			return true
		}
	}
	return false
}
