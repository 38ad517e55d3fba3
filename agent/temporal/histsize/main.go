// Histsize measures the history of a session's workflow: events and bytes, as
// Temporal's dev server counts them.
//
//	go run ./histsize -calls 100 -result 5120 -prompt-tokens 209000
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"iter"
	"os"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/temporal"
	"github.com/whorl-go/whorl/agent/temporal/devserver"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// The options are what is measured.
type options struct {
	calls, result, promptTokens int
}

// A size is what came of it. Several runs are those that continue-as-new has made;
// their sizes are added up.
type size struct {
	Calls        int     `json:"calls"`
	Events       int64   `json:"events"`
	HistoryBytes int64   `json:"history_bytes"`
	Runs         int     `json:"runs"`
	LogBytes     int     `json:"log_bytes"` // of the conversation, in the store
	Seconds      float64 `json:"seconds"`
}

func main() {
	var o options
	flag.IntVar(&o.calls, "calls", 100, "calls of the model")
	flag.IntVar(&o.result, "result", 5120, "bytes of each tool result")
	flag.IntVar(&o.promptTokens, "prompt-tokens", 209_000, "tokens of the conversation before them, at four bytes each")
	flag.Parse()
	s, err := measure(context.Background(), o)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "histsize:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, o options) (s size, err error) {
	if o.calls < 1 || o.result < 0 || o.promptTokens < 0 {
		return s, errors.New("-calls is at least 1, and -result and -prompt-tokens are not negative")
	}
	dir, err := os.MkdirTemp("", "histsize")
	if err != nil {
		return s, err
	}
	defer os.RemoveAll(dir)
	server, err := devserver.Start(ctx, dir)
	if err != nil {
		return s, err
	}
	defer server.Kill()
	c, err := server.Dial()
	if err != nil {
		return s, err
	}
	defer c.Close()

	store := new(memory.RAM)
	result := strings.Repeat("5 KB are not much. ", o.result/19+1)[:o.result]
	a, err := agent.New(agent.Options{
		Client: model{o.calls}, Model: "measured", Limits: agent.Limits{Steps: -1, ResultBytes: -1},
		Tools: []tools.Tool{tools.Func("look", "Looks it up.", func(context.Context, struct{}) (string, error) { return result, nil })},
	})
	if err != nil {
		return s, err
	}
	w, err := temporal.NewWorker(c, "histsize", temporal.Options{Store: store, Run: func(context.Context, memory.Info) (*agent.Agent, agent.Input, error) {
		return a, agent.Input{}, nil
	}}, worker.Options{})
	if err == nil {
		err = w.Start()
	}
	if err != nil {
		return s, err
	}
	defer w.Stop()

	began := time.Now()
	sessions := &temporal.Client{Temporal: c, Store: store, TaskQueue: "histsize"}
	run, err := sessions.Say(ctx, "measured", transport.UserText(strings.Repeat("word", max(o.promptTokens, 1))), nil)
	if err != nil {
		return s, err
	}
	if err := run.Get(ctx, nil); err != nil {
		return s, err
	}
	s.Seconds = time.Since(began).Seconds()
	if err := s.add(ctx, c, run.GetID()); err != nil {
		return s, err
	}
	log, err := memory.Open(ctx, store, "measured")
	if err != nil {
		return s, err
	}
	for _, r := range log.Records(0) {
		if r.Kind == memory.KindResponse {
			s.Calls++
		}
		raw, err := r.AppendJSON(nil)
		if err != nil {
			return s, err
		}
		s.LogBytes += len(raw)
	}
	return s, nil
}

// add adds up the runs of the workflow.
func (s *size) add(ctx context.Context, c client.Client, id string) error {
	for tries := 0; ; tries++ {
		list, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: fmt.Sprintf("WorkflowId=%q", id)})
		if err != nil {
			return err
		}
		events, bytes, ended := int64(0), int64(0), len(list.Executions) > 0
		for _, e := range list.Executions {
			d, err := c.DescribeWorkflowExecution(ctx, id, e.Execution.RunId)
			if err != nil {
				return err
			}
			events += d.WorkflowExecutionInfo.HistoryLength
			bytes += d.WorkflowExecutionInfo.HistorySizeBytes
			ended = ended && d.WorkflowExecutionInfo.Status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING
		}
		if s.Runs = len(list.Executions); ended && tries >= 3 { // the list may be a moment behind
			s.Events, s.HistoryBytes = events, bytes
			return nil
		}
		time.Sleep(300 * time.Millisecond)
	}
}

// A model calls the tool until it has answered so many requests.
type model struct{ calls int }

func (m model) Stream(_ context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		made := 0
		for _, message := range req.Messages {
			if message.Role == transport.RoleAssistant {
				made++
			}
		}
		content, stop := `{"type":"text","text":"done"}`, "end_turn"
		if made < m.calls-1 {
			content, stop = fmt.Sprintf(`{"type":"tool_use","id":"toolu_%d","name":"look","input":{}}`, made), "tool_use"
		}
		resp, err := transport.ParseResponse(fmt.Appendf(nil, `{"id":"msg_%d","type":"message","role":"assistant","model":"measured","content":[%s],"stop_reason":%q,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}`, made, content, stop))
		if err != nil {
			yield(transport.Event{}, err)
			return
		}
		_ = yield(transport.Event{Type: transport.EventMessageStart, Response: resp}, nil) &&
			yield(transport.Event{Type: transport.EventMessageStop, Response: resp}, nil)
	}
}
