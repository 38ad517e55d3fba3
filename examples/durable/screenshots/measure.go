package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/blob"
	"github.com/whorl-go/whorl/memory/postgres"
	"github.com/whorl-go/whorl/memory/postgres/pgserver"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/transport"
)

type config struct {
	Store                              string
	Sessions, Shots, Forks, Common, KB int
}

// A finding is what one kind of store has cost.
type finding struct {
	Bytes  int64   `json:"bytes"`
	Append float64 `json:"append_ms"` // a step, median
	Fork   float64 `json:"fork_ms"`   // with a step of its own, median
	Load   float64 `json:"load_ms"`   // a session, median

	// The processor's time of the same, of all of the process's threads, mean; 0 where
	// the system doesn't tell it.
	AppendCPU float64 `json:"append_cpu_ms"`
	ForkCPU   float64 `json:"fork_cpu_ms"`
	LoadCPU   float64 `json:"load_cpu_ms"`
}

// A place is a store and what is measured of it.
type place struct {
	store                 memory.Store
	appends, forks, loads times
	bytes                 func(context.Context) (int64, error)
}

// times are what calls of one kind have taken.
type times struct {
	wall []time.Duration
	cpu  time.Duration
}

// time calls f.
func (t *times) time(f func() error) error {
	begun, used := time.Now(), cpuTime()
	err := f()
	t.cpu += cpuTime() - used
	t.wall = append(t.wall, time.Since(begun))
	return err
}

func (t *times) median() float64 {
	if len(t.wall) == 0 {
		return 0
	}
	slices.Sort(t.wall)
	return float64(t.wall[len(t.wall)/2].Microseconds()) / 1000
}

func (t *times) meanCPU() float64 {
	return float64(t.cpu.Microseconds()/int64(max(len(t.wall), 1))) / 1000
}

func measure(ctx context.Context, c config) (found map[string]finding, err error) {
	if c.Store != "sqlite" && c.Store != "postgres" {
		return nil, fmt.Errorf("the store is sqlite or postgres, not %q", c.Store)
	}
	plain, aside := &place{}, &place{}
	for i, p := range []*place{plain, aside} {
		closing, err := p.open(ctx, c, i)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, closing()) }()
	}
	if aside.store, err = blob.New(aside.store, nil); err != nil {
		return nil, err
	}
	for n := range c.Sessions {
		order := []*place{plain, aside}
		if n%2 == 1 {
			slices.Reverse(order)
		}
		for _, p := range order {
			if err := p.write(ctx, c, n); err != nil {
				return nil, err
			}
		}
	}
	for n := range c.Sessions {
		if err := compare(ctx, c, n, plain, aside); err != nil {
			return nil, err
		}
	}
	found = make(map[string]finding)
	for name, p := range map[string]*place{"records": plain, "blobs": aside} {
		f := finding{
			Append: p.appends.median(), Fork: p.forks.median(), Load: p.loads.median(),
			AppendCPU: p.appends.meanCPU(), ForkCPU: p.forks.meanCPU(), LoadCPU: p.loads.meanCPU(),
		}
		if f.Bytes, err = p.bytes(ctx); err != nil {
			return nil, err
		}
		found[name] = f
	}
	return found, nil
}

// open makes an empty store, and says how it is closed and removed.
func (p *place) open(ctx context.Context, c config, n int) (closing func() error, err error) {
	if c.Store == "postgres" {
		return p.openPostgres(ctx, n)
	}
	dir, err := os.MkdirTemp("", "screenshots")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "sessions.db")
	s, err := sqlite.Open(path, nil)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	p.store = s
	p.bytes = func(context.Context) (int64, error) {
		if err := s.Close(); err != nil { // which brings the journal into the file
			return 0, err
		}
		info, err := os.Stat(path)
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
	return func() error { return errors.Join(s.Close(), os.RemoveAll(dir)) }, nil
}

func (p *place) openPostgres(ctx context.Context, n int) (closing func() error, err error) {
	server, err := pgserver.StartDurable()
	if err != nil {
		return nil, err
	}
	schema := fmt.Sprintf("screenshots%d", n)
	s, err := postgres.Open(ctx, server.URL, &postgres.Options{Schema: schema})
	if err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	p.store = s
	p.bytes = func(ctx context.Context) (int64, error) { return postgresBytes(ctx, server.URL, schema) }
	return func() error { return errors.Join(s.Close(), server.Stop()) }, nil
}

// write begins a session, takes its screenshots, and forks it.
func (p *place) write(ctx context.Context, c config, n int) error {
	id := fmt.Sprint("s", n)
	for i := range c.Shots {
		records, err := step(c, n, i)
		if err != nil {
			return err
		}
		to := &p.appends
		if i == 0 { // the one that makes the session
			to = new(times)
		}
		if err := to.time(func() error {
			return p.store.Append(ctx, id, memory.Position{Records: i * len(records)}, records...)
		}); err != nil {
			return err
		}
	}
	forker, err := memory.Need[memory.Forker](p.store)
	if err != nil {
		return err
	}
	for f := range c.Forks {
		records, err := step(c, n, c.Shots+f)
		if err != nil {
			return err
		}
		at := memory.Position{Records: c.Shots * len(records)}
		if err := p.forks.time(func() error {
			if err := forker.Fork(ctx, id, at, fmt.Sprint(id, "/", f), nil); err != nil {
				return err
			}
			return p.store.Append(ctx, fmt.Sprint(id, "/", f), at, records...)
		}); err != nil {
			return err
		}
	}
	return nil
}

// step is what a step with a screenshot appends: the model's call, and the result.
func step(c config, session, i int) ([]memory.Record, error) {
	seed := uint64(session + 1)
	if i < c.Common {
		seed = 0
	}
	r := rand.New(rand.NewPCG(seed, uint64(i)))
	shot := make([]byte, c.KB<<10)
	copy(shot, "\x89PNG\r\n\x1a\n")
	for j := 8; j < len(shot); j++ {
		shot[j] = byte(r.Uint32())
	}
	call := fmt.Sprintf("toolu_%d_%d", session, i)
	resp, err := transport.ParseResponse(fmt.Appendf(nil, `{"id":"msg_%d_%d","type":"message","role":"assistant","content":[{"type":"tool_use","id":"%s","name":"computer","input":{"action":"screenshot"}}],"stop_reason":"tool_use","usage":{"input_tokens":3,"output_tokens":50}}`, session, i, call))
	if err != nil {
		return nil, err
	}
	picture, err := transport.ParseBlock(fmt.Appendf(nil, `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"%s"}}`, base64.StdEncoding.EncodeToString(shot)))
	if err != nil {
		return nil, err
	}
	return []memory.Record{
		{Kind: memory.KindResponse, Response: resp},
		{Kind: memory.KindStarted, Calls: []string{call}},
		{Kind: memory.KindResult, Block: transport.ToolResult(call, picture)},
	}, nil
}

// compare loads a session and one of its forks from both places.
func compare(ctx context.Context, c config, n int, plain, aside *place) error {
	ids := []string{fmt.Sprint("s", n)}
	if c.Forks > 0 {
		ids = append(ids, fmt.Sprint("s", n, "/", n%c.Forks))
	}
	for _, id := range ids {
		var want, got []byte
		load := func(p *place, to *[]byte) error {
			var records []memory.Record
			if err := p.loads.time(func() error {
				for r, err := range p.store.Load(ctx, id, memory.Position{}) {
					if err != nil {
						return err
					}
					records = append(records, r)
				}
				return nil
			}); err != nil {
				return err
			}
			for _, r := range records {
				var err error
				if *to, err = r.AppendJSON(*to); err != nil {
					return err
				}
			}
			return nil
		}
		first, second := func() error { return load(plain, &want) }, func() error { return load(aside, &got) }
		if n%2 == 1 {
			first, second = second, first
		}
		if err := errors.Join(first(), second()); err != nil {
			return err
		}
		if !bytes.Equal(want, got) {
			return fmt.Errorf("session %q came back as other bytes", id)
		}
	}
	return nil
}
