package agent

import (
	"time"

	"github.com/whorl-go/whorl/memory"
)

// Limits bound a run. Zero fields take the defaults, which suit most agents; a
// negative value means no limit.
type Limits struct {
	Steps  int // model calls in a run; default 100
	Pauses int // responses in a row that pause the turn; default 10
	Cuts   int // responses in a row that max_tokens cuts inside a tool call; default 3

	Time        time.Duration // a run; default 1 hour
	ToolTime    time.Duration // one tool call; default 2 minutes
	Parallel    int           // tool calls at once; default 8
	ResultBytes int           // text of one tool result; default 262,144, about 65,000 tokens

	// Lease is how long a session stays taken after the process that works on it has
	// died: another one can't go on with it before that. The default is 15 seconds,
	// negative means no lease. It does not matter for logs without a store.
	Lease time.Duration
}

// or is l with the fields of d where its own are 0.
func (l Limits) or(d Limits) Limits {
	def(&l.Steps, d.Steps)
	def(&l.Pauses, d.Pauses)
	def(&l.Cuts, d.Cuts)
	def(&l.Time, d.Time)
	def(&l.ToolTime, d.ToolTime)
	def(&l.Parallel, d.Parallel)
	def(&l.ResultBytes, d.ResultBytes)
	def(&l.Lease, d.Lease)
	return l
}

// allowMoreThan reports whether l is higher than a limit that was reached.
func (l Limits) allowMoreThan(reached *LimitError) bool {
	n := map[string]int{"steps": l.Steps, "pauses": l.Pauses, "cuts": l.Cuts}[reached.Limit] // 0 for those that no log tells of
	return n < 0 || int64(n) > reached.Max
}

func (l Limits) withDefaults() Limits {
	return l.or(Limits{
		Steps: 100, Pauses: 10, Cuts: 3, Time: time.Hour, ToolTime: 2 * time.Minute, Parallel: 8, ResultBytes: 256 << 10, Lease: 15 * time.Second,
	})
}

func def[T int | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// recorded are the limits that go into the log with a run.
func (l Limits) recorded() *memory.Limits {
	return &memory.Limits{Steps: l.Steps, Pauses: l.Pauses, Cuts: l.Cuts}
}
