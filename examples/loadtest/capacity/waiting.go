package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
)

// fill imports so many sessions that wait for an approval: copies of one that does.
func fill(ctx context.Context, s store, a *agent.Agent, n int) error {
	res, err := a.Run(ctx, agent.Input{Store: new(memory.RAM), Session: "one", Prompt: "Look at all of them."})
	if !errors.Is(err, agent.ErrAwaitingApproval) {
		return fmt.Errorf("the session doesn't wait: %w", err)
	}
	var raw [][]byte
	for _, r := range res.Log.Records(0) {
		line, err := r.AppendJSON(nil)
		if err != nil {
			return err
		}
		raw = append(raw, line)
	}
	now := time.Now()
	for i := range n {
		records := make([]memory.Record, len(raw))
		for j, line := range raw { // each session has its own, in RAM too
			if records[j], err = memory.ParseRecord(bytes.Clone(line)); err != nil {
				return err
			}
		}
		if err := s.Import(ctx, memory.Session{Info: memory.Info{ID: fmt.Sprint("waits-", i), Created: now, Changed: now}, Records: records}); err != nil {
			return err
		}
	}
	return nil
}

// measureWaiting measures a worker's process beside which no session waits, and one
// beside which many do.
func measureWaiting(ctx context.Context, out io.Writer, n int, kind string, place func() string, sim string) error {
	if n == 0 {
		return nil
	}
	var heaps [2]heap
	for i, count := range []int{0, n} {
		where := place()
		if where != "ram" {
			if err := fillAt(ctx, where, sim, count); err != nil {
				return err
			}
		}
		var said bytes.Buffer
		cmd, err := start("waits", where, sim, count, &said)
		if err == nil {
			err = cmd.Wait()
		}
		if err != nil {
			return err
		}
		if err := json.Unmarshal(said.Bytes(), &heaps[i]); err != nil {
			return fmt.Errorf("the process said %q: %w", said.String(), err)
		}
	}
	const mb = 1 << 20
	fmt.Fprintf(out, "%-9s %d sessions wait: %.1f MB live, %.1f MB of the system, %d goroutines; without them %.1f MB, %.1f MB, %d; %d bytes of a session\n", kind, n,
		float64(heaps[1].Live)/mb, float64(heaps[1].Sys)/mb, heaps[1].Goroutines,
		float64(heaps[0].Live)/mb, float64(heaps[0].Sys)/mb, heaps[0].Goroutines,
		max(0, int64(heaps[1].Live)-int64(heaps[0].Live))/int64(n))
	return nil
}

func fillAt(ctx context.Context, place, sim string, n int) error {
	s, err := open(ctx, place)
	if err != nil {
		return err
	}
	defer s.Close()
	a, err := newAgent(sim, true)
	if err != nil {
		return err
	}
	return fill(ctx, s, a, n)
}
