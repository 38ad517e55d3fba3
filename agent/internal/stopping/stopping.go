// Package stopping ends a run that another process works on.
//
// The request is metadata of the session, which names the owner of the session's lease:
// it never ends a later run. The process that has the lease looks for such requests once
// in a while; whoever has asked removes the request. An entry of the inbox would be a part
// of the conversation, and would make a session that is idle due.
package stopping

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/whorl-go/whorl/agent/internal/rescue"
	"github.com/whorl-go/whorl/memory"
)

// ErrStopped is the cause of a run's end that somebody asked for.
var ErrStopped = errors.New("the user stopped the run")

// Every is how often a process that runs sessions looks for requests.
const Every = time.Second

// Names of metadata.
const (
	prefix = "whorl.stop"
	asked  = prefix         // "1" if there is a request
	whose  = prefix + ".of" // the owner of the lease that it is about
)

// Hidden reports whether a name of metadata is of this package, and not for people.
func Hidden(name string) bool { return strings.HasPrefix(name, prefix) }

// An ElsewhereError reports that another process works on a session, and has not
// stopped.
type ElsewhereError struct {
	Owner string
	Err   error // why it could not be asked; nil if it was
}

func (e *ElsewhereError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("the session is run by %s, which can't be asked to stop: %v", e.Owner, e.Err)
	}
	return fmt.Sprintf("the session is run by %s, which was asked to stop and has not", e.Owner)
}

// Unwrap returns Err.
func (e *ElsewhereError) Unwrap() error { return e.Err }

// Owner returns the owner of the session's lease, or "" if nobody has it.
func Owner(ctx context.Context, store memory.Store, id string) (string, error) {
	leaser, ok := memory.As[memory.Leaser](store)
	if !ok {
		return "", nil
	}
	// A lease is given back that nobody has: that fails if somebody has it.
	err := leaser.Lease(ctx, id, "nobody", 0)
	var lease *memory.LeaseError
	if errors.As(err, &lease) {
		return lease.Owner, nil
	}
	return "", err
}

// Ask has the process that has the session's lease as owner, by what [Owner] has returned,
// end its run, waits for that, and reports whether it ran still. A run that has come since
// goes on. Ask fails with an [*ElsewhereError] if the run goes on for longer than wait.
func Ask(ctx context.Context, store memory.Store, id, owner string, wait time.Duration) (bool, error) {
	if now, err := Owner(ctx, store, id); err != nil || now == "" || now != owner {
		return false, err
	}
	meta, err := memory.Need[memory.MetaSetter](store)
	if err != nil {
		return false, &ElsewhereError{Owner: owner, Err: err}
	}
	if err := meta.SetMeta(ctx, id, whose, owner); err != nil {
		return false, err
	}
	if err := meta.SetMeta(ctx, id, asked, "1"); err != nil {
		return false, err
	}
	defer withdraw(context.WithoutCancel(ctx), meta, id)
	over := time.After(wait)
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-over:
			return false, &ElsewhereError{Owner: owner}
		case <-time.After(50 * time.Millisecond):
		}
		switch now, err := Owner(ctx, store, id); {
		case err != nil:
			return false, err
		case now != owner:
			return true, nil
		}
	}
}

// withdraw removes a request. If that fails it stays, and does nothing once its run has
// ended.
func withdraw(ctx context.Context, meta memory.MetaSetter, id string) {
	_ = meta.SetMeta(ctx, id, asked, "")
	_ = meta.SetMeta(ctx, id, whose, "")
}

// Look finds the requests of now, of sessions that mine reports as run by this process, and
// calls stop for each that is about the run that has the lease. One about a run that has
// ended is removed: whoever asked died before that.
func Look(ctx context.Context, store memory.Store, mine func(id string) bool, stop func(id string)) error {
	meta, ok := memory.As[memory.MetaSetter](store)
	if !ok {
		return nil
	}
	var found []memory.Info
	for info, err := range store.List(ctx, memory.Query{Meta: map[string]string{asked: "1"}}) {
		if err != nil {
			return err
		}
		if mine(info.ID) {
			found = append(found, info)
		}
	}
	for _, info := range found {
		owner, err := Owner(ctx, store, info.ID)
		if err != nil {
			return err
		}
		if owner != "" && owner == info.Meta[whose] {
			stop(info.ID)
		} else {
			withdraw(ctx, meta, info.ID)
		}
	}
	return nil
}

// Watch calls [Look] every [Every], until ctx ends, if the store is one that several
// processes can work with and any reports that this process runs something. What fails
// is reported, and tried again.
func Watch(ctx context.Context, store memory.Store, any func() bool, mine func(id string) bool, stop func(id string), failed func(error)) {
	if _, ok := memory.As[memory.Leaser](store); !ok {
		return
	}
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !any() {
			continue
		}
		err := rescue.Call("the Store", func() error { return Look(ctx, store, mine, stop) })
		if err != nil && ctx.Err() == nil {
			failed(err)
		}
	}
}
