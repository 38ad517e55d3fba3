package temporal_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	sdk "go.temporal.io/sdk/temporal"
	sdkworker "go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/temporal"
	"github.com/whorl-go/whorl/agent/temporal/devserver"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// startServer starts Temporal's dev server, if the environment asks for it.
func startServer(t *testing.T, options ...string) *devserver.Server {
	t.Helper()
	if os.Getenv("WHORL_TEMPORAL") == "" {
		t.Skip("WHORL_TEMPORAL=1 runs it: Temporal's dev server is built for it, in five minutes, once")
	}
	server, err := devserver.Start(t.Context(), t.TempDir(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	return server
}

func dial(t *testing.T, server *devserver.Server) client.Client {
	t.Helper()
	c, err := server.Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// serve runs a worker on the server, and returns a client of its sessions.
func (s *stage) serve(c client.Client) *temporal.Client {
	s.t.Helper()
	w, err := temporal.NewWorker(c, "test", s.options(), sdkworker.Options{WorkerStopTimeout: time.Second, MaxHeartbeatThrottleInterval: 200 * time.Millisecond})
	if err == nil {
		err = w.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(w.Stop)
	return &temporal.Client{Temporal: c, Store: s.store, TaskQueue: "test"}
}

// until waits until it is so.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("after a minute: not ", what)
		}
	}
}

// record keeps a workflow's history for TestReplay.
func record(t *testing.T, c client.Client, run client.WorkflowRun, name string) {
	t.Helper()
	if !*update {
		return
	}
	h := new(history.History)
	for it := c.GetWorkflowHistory(t.Context(), run.GetID(), run.GetRunID(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); it.HasNext(); {
		e, err := it.Next()
		if err != nil {
			t.Fatal(err)
		}
		h.Events = append(h.Events, e)
	}
	data, err := protojson.MarshalOptions{Multiline: true, Indent: " "}.Marshal(h)
	if err == nil {
		err = os.WriteFile(filepath.Join("testdata", "histories", name+".json"), append(data, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestOnTheServer(t *testing.T) {
	server := startServer(t)
	c := dial(t, server)
	ask := func(s *stage) {
		s.opts.Gate = func(context.Context, agent.ToolRequest) agent.Decision { return agent.Decision{Permission: agent.Ask} }
	}
	for _, tt := range []struct {
		name  string
		model simulator.Model
		set   func(*stage)
		do    func(*testing.T, *stage, *temporal.Client)
		want  string // of the log, or of the workflow's error
	}{
		{"turn", calls(2), nil, nil, "result ok, result ok, done"},
		{"approval", calls(1), ask, func(t *testing.T, s *stage, sessions *temporal.Client) {
			id := t.Name()
			until(t, "waiting", func() bool { return len(agent.Pending(s.log(id))) == 1 })
			p := agent.Pending(s.log(id))[0]
			var wrong *agent.DecisionError
			if err := sessions.Update(t.Context(), id, temporal.Approve, temporal.Request{Call: "toolu_none"}); !errors.As(err, &wrong) || wrong.Why != "not_pending" {
				t.Errorf("for a call that is not there: %v", err)
			}
			if err := sessions.Update(t.Context(), id, temporal.Approve, temporal.Request{Call: p.CallID, Hash: p.Hash}); err != nil {
				t.Error(err)
			}
		}, "result ok, done"},
		{"denied", calls(1), ask, func(t *testing.T, s *stage, sessions *temporal.Client) {
			id := t.Name()
			until(t, "waiting", func() bool { return len(agent.Pending(s.log(id))) == 1 })
			if err := sessions.Update(t.Context(), id, temporal.Deny, temporal.Request{Call: agent.Pending(s.log(id))[0].CallID, Reason: "not today"}); err != nil {
				t.Error(err)
			}
		}, "not today"},
		{"answer", calls(1), func(s *stage) { s.tool = askTool(0) }, func(t *testing.T, s *stage, sessions *temporal.Client) {
			id := t.Name()
			until(t, "waiting", func() bool { return len(agent.Questions(s.log(id))) == 1 })
			q := agent.Questions(s.log(id))[0]
			if err := sessions.Update(t.Context(), id, temporal.Answer, temporal.Request{Call: q.Call, Value: []byte(`"big"`)}); !strings.Contains(fmt.Sprint(err), "size") {
				t.Errorf("an answer that the question doesn't allow: %v", err)
			}
			if err := sessions.Update(t.Context(), id, temporal.Answer, temporal.Request{Call: q.Call, Value: []byte(`44`), By: "bob"}); err != nil {
				t.Error(err)
			}
		}, "result size 44 by bob, expired false, done"},
		{"timer", calls(1), func(s *stage) { s.tool = askTool(1500 * time.Millisecond) }, nil, "result size 3 by , expired true, done"},
		{"message", calls(1), ask, func(t *testing.T, s *stage, sessions *temporal.Client) {
			id := t.Name()
			until(t, "waiting", func() bool { return len(agent.Pending(s.log(id))) == 1 })
			h, err := sessions.Temporal.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{WorkflowID: temporal.ID(id), UpdateName: temporal.Say, Args: []any{temporal.Message{Text: "quick"}}, WaitForStage: client.WorkflowUpdateStageCompleted})
			if err == nil {
				err = h.Get(t.Context(), nil)
			}
			if err != nil {
				t.Error(err)
			}
			if _, err := sessions.Say(t.Context(), id, transport.UserText("please"), nil); err != nil {
				t.Error(err)
			}
			for range 4 { // the messages ask for calls of their own
				if p := agent.Pending(s.log(id)); len(p) == 1 {
					_ = sessions.Update(t.Context(), id, temporal.Approve, temporal.Request{Call: p[0].CallID})
				}
				until(t, "going on", func() bool {
					next := agent.Next(s.log(id))
					return next.Done() || next.Waits() && len(agent.Pending(s.log(id))) == 1
				})
			}
		}, "done"},
		{"cancelled", calls(1), func(s *stage) {
			s.tool = func(ctx context.Context, _ in) (string, error) { <-ctx.Done(); return "", ctx.Err() }
		}, func(t *testing.T, s *stage, sessions *temporal.Client) {
			until(t, "running", func() bool { return s.ran.Load() == 1 })
			if err := sessions.Stop(t.Context(), t.Name()); err != nil {
				t.Error(err)
			}
		}, "canceled"},
		{"approvals", together(three("t")...), ask, func(t *testing.T, s *stage, sessions *temporal.Client) {
			id := t.Name()
			until(t, "waiting", func() bool { return len(agent.Pending(s.log(id))) == 3 })
			p := agent.Pending(s.log(id))
			err := errors.Join(
				sessions.Update(t.Context(), id, temporal.Approve, temporal.Request{Call: p[2].CallID}),
				sessions.Update(t.Context(), id, temporal.Deny, temporal.Request{Call: p[0].CallID, Reason: "not that one"}),
				sessions.Update(t.Context(), id, temporal.Approve, temporal.Request{Call: p[1].CallID}))
			if err != nil {
				t.Error(err)
			}
		}, "done"},
		{"deleted", calls(1), ask, func(t *testing.T, s *stage, sessions *temporal.Client) {
			id := t.Name()
			until(t, "waiting", func() bool { return len(agent.Pending(s.log(id))) == 1 })
			call := agent.Pending(s.log(id))[0].CallID
			until(t, "given back", func() bool { return s.store.Delete(t.Context(), id) == nil })
			if err := sessions.Update(t.Context(), id, temporal.Approve, temporal.Request{Call: call}); !errors.Is(err, memory.ErrNoSession) {
				t.Errorf("a decision about a session that was deleted: %v", err)
			}
		}, "no such session"},
		{"stopped", calls(1), ask, func(t *testing.T, s *stage, sessions *temporal.Client) {
			id := t.Name()
			until(t, "waiting", func() bool { return len(agent.Pending(s.log(id))) == 1 })
			if err := errors.Join(sessions.Stop(t.Context(), id), sessions.Temporal.GetWorkflow(t.Context(), temporal.ID(id), "").Get(t.Context(), nil)); !sdk.IsCanceledError(err) {
				t.Error(err)
			}
			if err := sessions.Update(t.Context(), id, temporal.Approve, temporal.Request{Call: agent.Pending(s.log(id))[0].CallID}); err != nil {
				t.Error(err)
			}
			if err := sessions.Temporal.GetWorkflow(t.Context(), temporal.ID(id), "").Get(t.Context(), nil); err != nil || s.ran.Load() != 1 {
				t.Error(err, s.ran.Load())
			}
		}, "canceled"},
		{"failed", calls(9), func(s *stage) { s.opts.Limits.Steps = 2 }, nil, "limit reached: 2 steps"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t, simulator.Options{Model: tt.model})
			if tt.set != nil {
				tt.set(s)
			}
			sessions := s.serve(c)
			run, err := sessions.Say(t.Context(), t.Name(), transport.UserText("go"), nil)
			if err != nil {
				t.Fatal(err)
			}
			if tt.do != nil {
				tt.do(t, s, sessions)
			}
			got := fmt.Sprint(run.Get(t.Context(), nil))
			if got == "<nil>" {
				got = strings.Join(texts(s.log(t.Name())), ", ")
			}
			if !strings.Contains(got, tt.want) {
				t.Errorf("%s, want %s", got, tt.want)
			}
			record(t, c, run, tt.name)
			// Nothing waits any more, and nothing runs.
			var wrong *agent.DecisionError
			if err := sessions.Update(t.Context(), t.Name(), temporal.Approve, temporal.Request{Call: "any"}); (!errors.As(err, &wrong) || wrong.Why != "not_pending") && !errors.Is(err, memory.ErrNoSession) {
				t.Errorf("a decision after the end: %v", err)
			}
		})
	}
}

// With a converter that encrypts, the server has nothing that can be read: no payload, and
// no message of an error.
func TestOnTheServerSealed(t *testing.T) {
	server := startServer(t)
	seal := converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), newSealing(t))
	c, err := client.Dial(client.Options{HostPort: server.Address, Logger: quiet{}, DataConverter: seal,
		FailureConverter: sdk.NewDefaultFailureConverter(sdk.DefaultFailureConverterOptions{DataConverter: seal, EncodeCommonAttributes: true})})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const word = "confidential"
	s := newStage(t, simulator.Options{Model: calls(1)})
	s.opts.Gate = func(context.Context, agent.ToolRequest) agent.Decision { return agent.Decision{Permission: agent.Ask} }
	s.tool = func(context.Context, in) (string, error) { return "", tools.Fatal(errors.New(word)) }
	sessions := s.serve(c)
	run, err := sessions.Say(t.Context(), "s", transport.UserText(word), nil)
	if err != nil {
		t.Fatal(err)
	}
	until(t, "waiting", func() bool { return len(agent.Pending(s.log("s"))) == 1 })
	var wrong *agent.DecisionError
	if err := sessions.Update(t.Context(), "s", temporal.Deny, temporal.Request{Call: "toolu_none", Reason: word}); !errors.As(err, &wrong) || wrong.Call.CallID != "toolu_none" {
		t.Errorf("for a call that is not there: %v", err)
	}
	if err := sessions.Update(t.Context(), "s", temporal.Approve, temporal.Request{Call: agent.Pending(s.log("s"))[0].CallID}); err != nil {
		t.Fatal(err)
	}
	var app *sdk.ApplicationError
	if err := run.Get(t.Context(), nil); !errors.As(err, &app) || app.Type() != temporal.TypeFatal || !strings.Contains(app.Message(), word) {
		t.Errorf("the workflow: %v", err)
	}
	events := 0
	for it := c.GetWorkflowHistory(t.Context(), run.GetID(), run.GetRunID(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); it.HasNext(); events++ {
		e, err := it.Next()
		if err != nil {
			t.Fatal(err)
		}
		if text := e.String(); strings.Contains(text, word) || strings.Contains(text, "toolu_") {
			t.Errorf("an event has %s", text)
		}
	}
	if events < 20 {
		t.Errorf("%d events", events)
	}
}

// A history that gets long goes on as a new one, and nothing is lost.
func TestOnTheServerContinued(t *testing.T) {
	server := startServer(t, "--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=30", "--search-attribute", "Tenant=Keyword")
	c := dial(t, server)
	s := newStage(t, simulator.Options{Model: calls(12)})
	sessions := s.serve(c)
	sessions.Start = func(memory.Info) client.StartWorkflowOptions {
		return client.StartWorkflowOptions{Memo: map[string]any{"plan": "free"}, TypedSearchAttributes: sdk.NewSearchAttributes(tenantKey.ValueSet("acme"))}
	}
	first, err := sessions.Say(t.Context(), "long", transport.UserText("go"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var out temporal.Outcome
	if err := first.Get(t.Context(), &out); err != nil { // of the last one
		t.Fatal(err)
	}
	if n := s.ran.Load(); n != 12 || out.Do != temporal.Done || out.Records != s.log("long").Len() {
		t.Errorf("%d calls, %+v", n, out)
	}
	chain, err := c.DescribeWorkflowExecution(t.Context(), first.GetID(), "")
	if err != nil {
		t.Fatal(err)
	}
	if chain.WorkflowExecutionInfo.Execution.RunId == chain.WorkflowExecutionInfo.FirstRunId || chain.WorkflowExecutionInfo.HistoryLength > 60 {
		t.Errorf("the last run: %v", chain.WorkflowExecutionInfo)
	}
	memo, attributes := fmt.Sprint(chain.WorkflowExecutionInfo.GetMemo()), fmt.Sprint(chain.WorkflowExecutionInfo.GetSearchAttributes())
	if !strings.Contains(memo, "free") || !strings.Contains(attributes, "acme") {
		t.Errorf("the last run has the memo %s and the attributes %s", memo, attributes)
	}
	record(t, c, c.GetWorkflow(t.Context(), first.GetID(), chain.WorkflowExecutionInfo.FirstRunId), "continued")
}

// TestProcess is a worker's process, if the environment says so.
func TestProcess(t *testing.T) {
	where := os.Getenv("WHORL_TEST_STORE")
	if where == "" {
		t.Skip("only as a process of TestOnTheServerKilled")
	}
	store, err := sqlite.Open(where, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	world, err := os.OpenFile(os.Getenv("WHORL_TEST_WORLD"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, store: store, url: os.Getenv("WHORL_TEST_SIMULATOR")}
	s.opts.Limits.Lease = 2 * time.Second
	s.tool = func(ctx context.Context, _ in) (string, error) {
		time.Sleep(100 * time.Millisecond)
		_, err := fmt.Fprintf(world, "%s\n", tools.CallOf(ctx).Key)
		time.Sleep(100 * time.Millisecond)
		return "ok", err
	}
	ctx, stop := signal.NotifyContext(t.Context(), syscall.SIGTERM)
	defer stop()
	c, err := client.Dial(client.Options{HostPort: os.Getenv("WHORL_TEST_TEMPORAL"), Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	s.serve(c)
	<-ctx.Done()
}

// Workers, and the server, are killed in the middle. Every session ends, and every call
// is made once, or the model is told that this isn't known.
func TestOnTheServerKilled(t *testing.T) {
	server := startServer(t)
	dir := t.TempDir()
	store, err := sqlite.Open(filepath.Join(dir, "s.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	world := filepath.Join(dir, "world")
	if err := os.WriteFile(world, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	sim := simulator.StartTest(t, simulator.Options{Model: calls(4)})
	start := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], "-test.run=^TestProcess$")
		cmd.Env = append(os.Environ(), "WHORL_TEST_STORE="+filepath.Join(dir, "s.db"), "WHORL_TEST_SIMULATOR="+sim.URL(),
			"WHORL_TEST_WORLD="+world, "WHORL_TEST_TEMPORAL="+server.Address)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	processes := [2]*exec.Cmd{start(), start()}
	defer func() {
		for _, p := range processes {
			_ = p.Process.Kill()
			_ = p.Wait()
		}
	}()
	const sessions = 8
	s := &stage{t: t, store: store}
	c := dial(t, server)
	talk := &temporal.Client{Temporal: c, Store: store, TaskQueue: "test"}
	var runs []client.WorkflowRun
	for i := range sessions {
		run, err := talk.Say(t.Context(), fmt.Sprint(i), transport.UserText("go"), nil)
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, run)
	}
	kills := 0
	for ; kills < 4; kills++ {
		time.Sleep(700 * time.Millisecond)
		if kills == 2 {
			if err := server.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			continue
		}
		i := kills % len(processes)
		_ = processes[i].Process.Kill()
		_ = processes[i].Wait()
		processes[i] = start()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for i, run := range runs {
		if err := run.Get(ctx, nil); err != nil {
			t.Fatalf("session %d: %v", i, err)
		}
	}
	made := make(map[string]int)
	f, err := os.Open(world)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if made[lines.Text()]++; made[lines.Text()] > 1 {
			t.Errorf("call %s was made again", lines.Text())
		}
	}
	unknown := 0
	for i := range sessions {
		log := s.log(fmt.Sprint(i))
		if next := agent.Next(log); !next.Done() || next.Err != nil {
			t.Errorf("session %d: %+v", i, next)
		}
		ok := 0
		for _, text := range texts(log) {
			if text == "result ok" {
				ok++
			} else if strings.Contains(text, "unknown") {
				unknown++
				ok++
			}
		}
		if ok != 4 {
			t.Errorf("session %d: %v", i, texts(log))
		}
	}
	if len(made)+unknown < 4*sessions {
		t.Errorf("%d calls were made, %d are unknown", len(made), unknown)
	}
	t.Logf("%d kills: %d calls made, %d unknown and told", kills, len(made), unknown)
}

// A worker that is stopped lets its action end, or another one does it again.
func TestOnTheServerStopped(t *testing.T) {
	server := startServer(t)
	c := dial(t, server)
	s := newStage(t, simulator.Options{Model: calls(1)})
	var stopped atomic.Bool
	s.tool = func(ctx context.Context, _ in) (string, error) {
		if stopped.Load() {
			return "again", nil
		}
		<-ctx.Done()
		return "", ctx.Err()
	}
	w, err := temporal.NewWorker(c, "test", s.options(), sdkworker.Options{WorkerStopTimeout: 500 * time.Millisecond})
	if err == nil {
		err = w.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	run, err := (&temporal.Client{Temporal: c, Store: s.store, TaskQueue: "test"}).Say(t.Context(), "s", transport.UserText("go"), nil)
	if err != nil {
		t.Fatal(err)
	}
	until(t, "running", func() bool { return s.ran.Load() == 1 })
	stopped.Store(true)
	w.Stop()
	s.serve(c)
	if err := run.Get(t.Context(), nil); err != nil || sdk.IsCanceledError(err) {
		t.Error(err)
	}
	if next := agent.Next(s.log("s")); !next.Done() || next.Err != nil {
		t.Errorf("%+v", next)
	}
	if _, err := memory.Open(t.Context(), s.store, "s"); err != nil {
		t.Error(err)
	}
}
