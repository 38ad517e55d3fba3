package agent_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

// oneAnswer is a client whose every answer is the same.
type oneAnswer struct{ resp *transport.Response }

func (a oneAnswer) Stream(context.Context, *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		for ev := range a.resp.Events() {
			if !yield(ev, nil) {
				return
			}
		}
	}
}

func answerOf(t *testing.T, model string) transport.Client {
	t.Helper()
	resp, err := transport.ParseResponse([]byte(fmt.Sprintf(`{"id":"msg_1","type":"message","role":"assistant","model":%q,"content":[{"type":"text","text":"x"}],"stop_reason":"end_turn","usage":{"input_tokens":1000000,"output_tokens":0}}`, model)))
	if err != nil {
		t.Fatal(err)
	}
	return oneAnswer{resp}
}

// The logger is told once a day of a model that ends, and each result tells.
func TestModelsThatEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ends := time.Now().Add(61 * 24 * time.Hour)
		own := []models.Model{{ID: "old", Ends: ends, Successor: "new"}}
		var out bytes.Buffer
		a, err := agent.New(agent.Options{Client: answerOf(t, "old"), Model: "old", Models: own, Telemetry: agent.Telemetry{Logger: slog.New(slog.NewTextHandler(&out, nil))}})
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			wait     time.Duration
			told     bool
			warnings string
		}{
			{0, false, ""},
			{2 * 24 * time.Hour, true, "the model ends soon"},
			{time.Minute, true, ""},
			{24 * time.Hour, true, "the model ends soon"},
			{60 * 24 * time.Hour, true, "the model has ended"},
		} {
			time.Sleep(step.wait)
			out.Reset()
			res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
			if err != nil {
				t.Fatal(err)
			}
			if res.ModelEnds.Equal(ends) != step.told || !step.told && !res.ModelEnds.IsZero() {
				t.Errorf("%v before the end: the result has %v", time.Until(ends), res.ModelEnds)
			}
			var warned []string
			for line := range strings.Lines(out.String()) {
				if strings.Contains(line, "level=WARN") {
					warned = append(warned, line)
				}
			}
			all := strings.Join(warned, "")
			if step.warnings == "" && all != "" || step.warnings != "" && (len(warned) != 1 || !strings.Contains(all, step.warnings) || !strings.Contains(all, "successor=new") || !strings.Contains(all, "ends="+ends.Format(time.DateOnly))) {
				t.Errorf("%v before the end the logger was told %q, want %q", time.Until(ends), all, step.warnings)
			}
		}
	})
}

// slowLog is a logger's handler that takes long for each line, as one that writes
// over a network may.
type slowLog struct{ slog.Handler }

func (slowLog) Handle(context.Context, slog.Record) error {
	time.Sleep(10 * time.Second)
	return nil
}

// A response is priced once, by the time of its record: not at one price in the
// run and at another in the bill of its log, where the price changes between them.
func TestAPriceThatChangesMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		change := time.Now().Add(5 * time.Second)
		own := []models.Model{{ID: "m", Prices: []models.Price{{Input: 1, Until: change}, {Input: 2, From: change}}}}
		logger := slog.New(slowLog{slog.NewTextHandler(&bytes.Buffer{}, &slog.HandlerOptions{Level: slog.LevelDebug})})
		a, err := agent.New(agent.Options{Client: answerOf(t, "m"), Model: "m", Models: own, Telemetry: agent.Telemetry{Logger: logger}})
		if err != nil {
			t.Fatal(err)
		}
		log := memory.NewLog()
		res, err := a.Run(t.Context(), agent.Input{Log: log, Prompt: "go"})
		if err != nil {
			t.Fatal(err)
		}
		if !time.Now().After(change) {
			t.Fatal("the price has not changed meanwhile: the test says nothing")
		}
		if bill, _ := agent.BillOf(t.Context(), log, own...); res.Cost != bill.Cost || math.Abs(bill.Cost.USD-1) > 1e-12 && math.Abs(bill.Cost.USD-2) > 1e-12 {
			t.Errorf("the result has %v, the bill of its log %v", res.Cost, bill.Cost)
		}
	})
}
