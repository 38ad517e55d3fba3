package main

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

type jobs = river.Client[pgx.Tx]

func newJobs(ctx context.Context, pool *pgxpool.Pool, store memory.Store, a *agent.Agent) (*jobs, error) {
	driver := riverpgxv5.New(pool)
	migrator, err := rivermigrate.New(driver, nil)
	if err != nil {
		return nil, err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &stepper{store: store, agent: a})
	return river.NewClient(driver, &river.Config{
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 100}}, Workers: workers, JobTimeout: -1,
	})
}

// begin sends a session its first message, or another one.
func begin(ctx context.Context, j *jobs, store memory.Store, id, text string) error {
	if err := worker.Submit(ctx, store, id, transport.UserText(text), nil); err != nil {
		return err
	}
	info, err := store.Info(ctx, id)
	if err != nil {
		return err
	}
	_, err = j.Insert(ctx, Step{id, info.Records}, nil)
	return err
}

// region step

// A Step is one action of a session that has so many records.
type Step struct {
	Session string `json:"session"`
	Records int    `json:"records"`
}

func (Step) Kind() string { return "step" }

// InsertOpts lets each step be a job once, however often it is inserted.
func (Step) InsertOpts() river.InsertOpts {
	return river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

type stepper struct {
	river.WorkerDefaults[Step]
	store memory.Store
	agent *agent.Agent
}

// Work does the step, unless an earlier attempt has, and inserts the next one. A chain
// of steps ends when the session is done, or waits for somebody.
func (s *stepper) Work(ctx context.Context, job *river.Job[Step]) error {
	log, err := memory.Open(ctx, s.store, job.Args.Session)
	if err != nil {
		return err
	}
	at := log.Position()
	at.Records = job.Args.Records
	res, err := s.agent.Run(ctx, agent.Input{Store: s.store, Session: job.Args.Session, Actions: 1, At: &at})
	switch {
	case errors.Is(err, memory.ErrConflict): // it was done already: what came of it is in the log
	case errors.Is(err, agent.ErrAwaitingApproval):
		return nil
	case err != nil:
		return err // River tries again
	}
	if next := agent.Next(res.Log); next.Done() || next.Waits() {
		return nil
	}
	_, err = river.ClientFromContext[pgx.Tx](ctx).Insert(ctx, Step{job.Args.Session, res.Log.Len()}, nil)
	return err
}

// endregion
