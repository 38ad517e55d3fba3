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
}

func (l Limits) withDefaults() Limits {
	def(&l.Steps, 100)
	def(&l.Pauses, 10)
	def(&l.Cuts, 3)
	def(&l.Time, time.Hour)
	def(&l.ToolTime, 2*time.Minute)
	def(&l.Parallel, 8)
	def(&l.ResultBytes, 256<<10)
	return l
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
