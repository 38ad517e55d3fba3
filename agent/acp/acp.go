package acp

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"

	sdk "github.com/coder/acp-go-sdk"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/memory"
)

// Options of an agent for editors. Store and Run are needed.
type Options struct {
	// Store has the sessions. One that outlives the process lets editors load them.
	Store memory.Store
	// Run chooses the agent that answers a prompt, and the rest of the run's input: gate,
	// limits, budget. It is asked before each prompt; its error is the editor's answer.
	// Store, Session and what the user says are set by the package.
	Run func(ctx context.Context, s *Session) (*agent.Agent, agent.Input, error)

	// Meta is given to each session that an editor begins, and an editor finds only
	// sessions that have all of it. Nil finds every session that isn't a sub-agent's.
	Meta map[string]string
	// Modes are what the user may choose from; the first is where a session begins. A
	// choice is in effect from the next prompt on.
	Modes []Mode
	// Feed carries what happens; nil means one of the package's own.
	Feed *feed.Feed

	Name, Title, Version string       // of the agent, for the editor; "" means "whorl", Name and "0"
	Logger               *slog.Logger // nil logs nothing
}

// A Mode is a way in which an agent works, such as one that only reads.
type Mode struct {
	ID          string // of few letters; kept with the session as Meta["mode"]
	Name        string // for people; "" means ID
	Description string // for people; may be empty
}

// Serve speaks the Agent Client Protocol with one editor, by lines of JSON: a program
// gives it os.Stdin and os.Stdout, and must write nothing else to the latter.
//
// It returns nil once in has ended, and the context's cause if the context ends first;
// a Read of in may then still be going on. Runs are ended and waited for before it
// returns. Their work is in the store.
func Serve(ctx context.Context, in io.Reader, out io.Writer, o Options) error {
	switch {
	case o.Store == nil:
		return errors.New("acp: Options.Store is nil; it has the sessions. For sessions that end with the process: new(memory.RAM)")
	case o.Run == nil:
		return errors.New("acp: Options.Run is nil; it chooses the agent that answers a prompt")
	}
	seen := map[string]bool{}
	for _, m := range o.Modes {
		if m.ID == "" || seen[m.ID] {
			return errors.New("acp: the IDs of Options.Modes must be different, and not empty")
		}
		seen[m.ID] = true
	}
	if o.Feed == nil {
		o.Feed = &feed.Feed{Store: o.Store}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &server{o: o, ctx: ctx, sessions: map[string]*session{}, coming: map[string]int{}, early: map[string]int{}}
	ready := make(chan struct{})
	lines := &lineWriter{out: out}
	s.conn = sdk.NewConnection(s.handle, lines, &lineReader{s: s, in: bufio.NewReaderSize(in, 64<<10), out: lines, ready: ready})
	// The SDK logs lines that it can't read with what stands in them.
	s.conn.SetLogger(slog.New(slog.DiscardHandler))
	close(ready)
	var err error
	select {
	case <-s.conn.Done():
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	cancel(errClosed)
	s.turns.Wait()
	return err
}

// errClosed ends the runs of a connection that has ended.
var errClosed = errors.New("acp: the editor has closed the connection")
