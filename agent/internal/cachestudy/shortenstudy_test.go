package cachestudy

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/editing"
	"github.com/whorl-go/whorl/agent/internal/cacheplan"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/simulator"
	"github.com/whorl-go/whorl/transport/view"
)

// A longTalk is a conversation that grows long: turns of so many steps, with
// results of so many bytes, and pauses between the turns.
type longTalk struct {
	turns, steps, bytes int
	between             time.Duration
}

// A shortening is what a longTalk came to.
type shortening struct {
	cost      float64 // USD, with summaries of summaryTokens
	summaries int
	cleared   bool
}

// play has the simulator play it with an agent. The simulator's summaries are
// shorter than a model's, so what is missing is added to the bill.
func (l longTalk) play(t *testing.T, change func(*agent.Options)) (out shortening) {
	synctest.Test(t, func(t *testing.T) {
		left := 0
		model := simulator.ModelFunc(func(context.Context, *simulator.Turn) (*simulator.Reply, error) {
			if left--; left < 0 {
				return &simulator.Reply{Content: []simulator.Part{simulator.Text("done")}}, nil
			}
			return &simulator.Reply{Content: []simulator.Part{simulator.Call("lookup", map[string]any{"query": fmt.Sprint("step ", left)})}}, nil
		})
		opts, w := simulated(t, model, simulator.LookbackBlocks, l.bytes, 10*time.Second)
		opts.Model = "claude-opus-5-5"
		change(&opts)
		a := newAgent(t, opts)
		log := memory.NewLog()
		for i := range l.turns {
			left = l.steps
			if _, err := a.Run(t.Context(), agent.Input{Log: log, Prompt: fmt.Sprint("go on ", i)}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(l.between)
		}
		priced, _ := models.Lookup(opts.Model)
		bill, err := agent.BillOf(t.Context(), log)
		if err != nil {
			t.Fatal(err)
		}
		if out.cost = bill.Cost.USD; bill.Cost.Incomplete || bill.Requests != len(w.exchanges) {
			t.Errorf("%+v of %d requests", bill, len(w.exchanges))
		}
		for _, x := range w.exchanges {
			for _, it := range x.resp.Usage.Iterations {
				if it.Type == "compaction" {
					out.summaries++
					out.cost += float64(cacheplan.SummaryTokens-it.OutputTokens) * priced.Prices[0].Output / 1e6
				}
			}
			edits, _ := view.ContextManagementOf(x.resp)
			out.cleared = out.cleared || len(edits.AppliedEdits) > 0
		}
	})
	return out
}

// What summaries and clearing come to over whole conversations with the
// simulator, answers included: never, by the service's threshold of 150,000
// tokens alone, and by the agent's judgement.
//
//	go test ./agent -run ShortenStudy -v
func TestShortenStudy(t *testing.T) {
	opus, _ := models.Lookup("claude-opus-5-5")
	ways := []struct {
		name   string
		change func(*agent.Options)
	}{
		{"never", func(*agent.Options) {}},
		{"threshold", func(o *agent.Options) {
			o.Template.ContextManagement = json.RawMessage(`{"edits":[{"type":"compact_20260112","trigger":{"type":"input_tokens","value":150000}}]}`)
		}},
		{"judged", func(o *agent.Options) { o.Context.Compaction = &agent.Compaction{} }},
		{"judged, told of 2 more steps", func(o *agent.Options) { o.Context.Compaction = &agent.Compaction{Steps: 2} }},
		{"clearing at 100,000 tokens", func(o *agent.Options) {
			o.Template.ContextManagement = json.RawMessage(`{"edits":[{"type":"clear_tool_uses_20250919"}]}`)
		}},
		{"clearing, judged", func(o *agent.Options) {
			o.Template.ContextManagement = editing.ToolUses{Steps: 60, Result: 4000}.For(opus)
		}},
	}
	const never, threshold, judged, told, clearing, edited = 0, 1, 2, 3, 4, 5
	tests := []struct {
		name    string
		talk    longTalk
		cheaper [][2]int // the first of each pair costs at most 1.01 times the second
		changes []int    // these summarize or clear
		leaves  []int    // these don't
	}{
		{"120 steps to 480,000 tokens", longTalk{1, 120, 16_000, 0},
			[][2]int{{judged, never}, {judged, threshold}, {edited, never}, {edited, clearing}}, []int{threshold, judged, clearing}, nil},
		{"60 steps to 240,000 tokens", longTalk{1, 60, 16_000, 0}, [][2]int{{judged, never}, {judged, threshold}, {edited, clearing}, {edited, never}}, []int{judged}, []int{edited}},
		{"ends 2 steps behind 150,000 tokens", longTalk{1, 38, 16_000, 0}, [][2]int{{told, never}, {told, threshold}, {edited, never}}, []int{threshold, clearing}, []int{told, edited}},
		{"6 turns of 12 steps, 2 h apart", longTalk{6, 12, 16_000, 2 * time.Hour}, [][2]int{{judged, never}, {judged, threshold}}, []int{judged}, nil},
		{"stays short", longTalk{2, 10, 4_000, time.Minute}, [][2]int{{judged, never}, {never, judged}}, nil, []int{threshold, judged, told, clearing, edited}},
	}
	if testing.Short() {
		tests = tests[2:3]
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []shortening
			for _, way := range ways {
				s := tt.talk.play(t, way.change)
				got = append(got, s)
				t.Logf("%-30s $%.4f, %d summaries, cleared %v", way.name, s.cost, s.summaries, s.cleared)
			}
			for _, pair := range tt.cheaper {
				if a, b := got[pair[0]], got[pair[1]]; a.cost > 1.01*b.cost {
					t.Errorf("%s: $%.4f, %s: $%.4f", ways[pair[0]].name, a.cost, ways[pair[1]].name, b.cost)
				}
			}
			for _, i := range tt.changes {
				if !got[i].cleared && got[i].summaries == 0 {
					t.Errorf("%s does nothing", ways[i].name)
				}
			}
			for _, i := range tt.leaves {
				if got[i].cleared || got[i].summaries > 0 {
					t.Errorf("%s does something", ways[i].name)
				}
			}
		})
	}
}
