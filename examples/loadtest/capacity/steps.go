package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// measureSteps has sessions run by so many processes.
func measureSteps(ctx context.Context, out io.Writer, o options, kind, place, sim string, processes int) error {
	s, err := open(ctx, place)
	if err != nil {
		return err
	}
	defer s.Close()
	for i := range o.sessions {
		if err := worker.Submit(ctx, s, fmt.Sprint("s", i), transport.UserText("Look at all of them."), nil); err != nil {
			return err
		}
	}
	var list []*exec.Cmd
	stop := sync.OnceFunc(func() {
		for _, cmd := range list {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
		}
	})
	defer stop()
	began := time.Now()
	for range processes {
		cmd, err := start("worker", place, sim, 0, os.Stderr)
		if err != nil {
			return err
		}
		list = append(list, cmd)
	}
	records, most := 0, int64(0)
	var took time.Duration
	for done := 0; done < o.sessions; {
		time.Sleep(20 * time.Millisecond)
		n, err := connections(ctx, place)
		if err != nil {
			return err
		}
		most = max(most, n)
		done, records = 0, 0
		took = time.Since(began)
		for info, err := range s.List(ctx, memory.Query{}) {
			if err != nil {
				return err
			}
			records += info.Records
			if info.Records > 3*o.steps && info.Due.IsZero() {
				done++
			}
		}
		if took > 10*time.Minute {
			return fmt.Errorf("%d of %d sessions have ended after %v", done, o.sessions, took)
		}
	}
	stop()
	if err := s.Close(); err != nil { // then all of a file is in one
		return err
	}
	bytes, err := size(ctx, place)
	if err != nil {
		return err
	}
	steps := o.sessions * o.steps
	fmt.Fprintf(out, "%-9s %d processes: %d sessions of %d steps in %.1f s: %.0f steps/s; %.1f rows and %d bytes of a step", kind, processes, o.sessions, o.steps,
		took.Seconds(), float64(steps)/took.Seconds(), float64(records)/float64(steps), bytes/int64(steps))
	if most > 0 {
		fmt.Fprintf(out, "; at most %d connections", most-1) // this process has one too
	}
	fmt.Fprintln(out)
	return nil
}
