package stage

import (
	"context"
	"sync/atomic"

	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/memory"
)

// An Away store is one that decisions can't be written to while it is set.
type Away struct{ atomic.Bool }

// Change is for Options.
func (a *Away) Change(o *serve.Options) { o.Store = unwritten{o.Store.(*memory.RAM), a} }

type unwritten struct {
	*memory.RAM
	away *Away
}

func (s unwritten) Append(ctx context.Context, id string, at memory.Position, list ...memory.Record) error {
	if s.away.Load() && list[0].Kind == memory.KindDecision {
		return memory.ErrUnavailable
	}
	return s.RAM.Append(ctx, id, at, list...)
}
