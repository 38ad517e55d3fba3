package temporal_test

import (
	"context"
	"flag"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/nexus-rpc/sdk-go/nexus"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/temporal"
	"github.com/whorl-go/whorl/memory"
)

// update records the histories in testdata again, with WHORL_TEMPORAL=1. A history that
// is there stands for workflows that run somewhere: add others, or say in the changelog
// that running workflows break.
var update = flag.Bool("update", false, "record the histories in testdata again")

// replayer is a worker.Registry of workflows alone.
type replayer struct{ worker.WorkflowReplayer }

func (replayer) RegisterActivity(any)                                         {}
func (replayer) RegisterActivityWithOptions(any, activity.RegisterOptions)    {}
func (replayer) RegisterDynamicActivity(any, activity.DynamicRegisterOptions) {}
func (replayer) RegisterDynamicWorkflow(any, workflow.DynamicRegisterOptions) {}
func (replayer) RegisterNexusService(*nexus.Service)                          {}

// Workflows that an earlier version has begun go on with this one. While a history is
// replayed nothing is read, logged or traced.
func TestReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/histories/*.json")
	if err != nil || len(files) < 11 {
		t.Fatalf("%d histories, %v", len(files), err)
	}

	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			r := worker.NewWorkflowReplayer()
			told := new(told)
			untouched := fragile{RAM: new(memory.RAM), fails: func(what string) error {
				t.Errorf("the store is asked for %s", what)
				return memory.ErrUnavailable
			}}
			o := temporal.Options{Store: untouched, Run: nobody, Logger: slog.New(slog.NewTextHandler(told, nil)), Watch: func(ctx context.Context, _ memory.Info) context.Context {
				t.Error("an action is watched")
				return ctx
			}}
			if err := temporal.Register(replayer{r}, o); err != nil {
				t.Fatal(err)
			}
			if err := r.ReplayWorkflowHistoryFromJSONFile(quiet{}, file); err != nil {
				t.Error(err)
			}
			if log := told.String(); log != "" {
				t.Errorf("logged: %s", log)
			}
		})
	}
}

// A workflow that does something else is noticed.
func TestReplayNotices(t *testing.T) {
	r := worker.NewWorkflowReplayer()
	r.RegisterWorkflowWithOptions(func(ctx workflow.Context, _ temporal.Payload) (temporal.Outcome, error) {
		return temporal.Outcome{}, workflow.Sleep(ctx, time.Second)
	}, workflow.RegisterOptions{Name: temporal.Workflow})
	if err := r.ReplayWorkflowHistoryFromJSONFile(quiet{}, "testdata/histories/turn.json"); err == nil {
		t.Error("another workflow has replayed the history")
	}
}

// nobody is asked while a history is replayed.
func nobody(context.Context, memory.Info) (*agent.Agent, agent.Input, error) {
	panic("an activity runs")
}
