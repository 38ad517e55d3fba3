package harness

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

func TestPlaceOf(t *testing.T) {
	for query, want := range map[string]struct {
		conversation int
		first        bool
	}{
		"conversation 00000017 step 00003 call 00": {17, true},
		"conversation 17 step 3 call 0":            {17, true},
		"conversation 17 step 3 call 10":           {17, false},
		"conversation 17 step 3 call 1":            {17, false},
		"something else":                           {0, false},
		"":                                         {0, false},
	} {
		if c, first := placeOf(query); c != want.conversation || first != want.first {
			t.Errorf("%q: %d, %t", query, c, first)
		}
	}
}

// pretend is a driver whose conversations take no time.
func pretend(c Config, lookup *Lookup) (func(context.Context) error, error) {
	var conversations atomic.Int64
	return func(context.Context) error {
		n := int(conversations.Add(1) - 1)
		for step := range c.TurnsOf(n) {
			for call := range c.Parallel {
				lookup.Call(Input{Query: fmt.Sprintf("conversation %d step %d call %d", n, step, call)})
			}
		}
		return nil
	}, nil
}

func TestMeasure(t *testing.T) {
	for name, c := range map[string]Config{
		"so many":            {Turns: 20, Parallel: 3, Runs: 7, Concurrency: 2},
		"for so long":        {Turns: 5, Parallel: 1, Runs: 1, For: 20 * time.Millisecond, Concurrency: 1},
		"fewer than at once": {Turns: 5, Parallel: 1, Runs: 2, Concurrency: 5},
	} {
		r := &run{Config: c, name: "pretend", lookup: newLookup(10)}
		res, err := r.measure(pretend)
		if err != nil {
			t.Fatal(name, err)
		}
		if res.Runs < c.Runs || c.For == 0 && res.Runs != c.Runs || res.StepP99 < res.StepMedian {
			t.Errorf("%s: %+v", name, res)
		}
	}
}

func TestConversationsThatEndEarlyAreAnError(t *testing.T) {
	r := &run{Config: Config{Turns: 5, Parallel: 1, Runs: 1, Concurrency: 1}, lookup: newLookup(10)}
	_, err := r.measure(func(Config, *Lookup) (func(context.Context) error, error) {
		return func(context.Context) error { return nil }, nil
	})
	if err == nil {
		t.Error("no error, though the tool wasn't called")
	}
}
