package inspect_test

import (
	"context"
	"fmt"
	"iter"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/inspect"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

// answers is a client that gives one answer.
type answers struct{ resp *transport.Response }

func (a answers) Stream(context.Context, *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		for ev := range a.resp.Events() {
			if !yield(ev, nil) {
				return
			}
		}
	}
}

// A million tokens were read from the cache of Sonnet 5.5 by a log of 1 October
// and by one of 8 October, between which the price was halved: the bill, the page,
// its list and the result of a run that goes on today have the same sums. The one token
// of each answer is below what is compared.
func TestStepsArePricedByTheirTime(t *testing.T) {
	answer := func(model, content, stop string) *transport.Response {
		t.Helper()
		r, err := transport.ParseResponse([]byte(fmt.Sprintf(`{"id":"msg_1","type":"message","role":"assistant","model":%q,"content":[%s],"stop_reason":%q,"usage":{"input_tokens":0,"cache_read_input_tokens":1000000,"output_tokens":1}}`, model, content, stop)))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	const call = `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`
	day := func(n int) time.Time { return time.Date(2026, time.October, n, 12, 0, 0, 0, time.UTC) }
	own := []models.Model{{ID: "gateway/sonnet", Prices: []models.Price{{CacheRead: 7, Until: day(3)}, {CacheRead: 3, From: day(3)}}}}
	for _, tt := range []struct {
		name, model, answers string
		at                   time.Time
		step, now            float64
	}{
		{"1 October", "claude-sonnet-5-5", "claude-sonnet-5-5", day(1), 0.20, 0.10},
		{"8 October", "claude-sonnet-5-5", "claude-sonnet-5-5", day(8), 0.10, 0.10},
		{"a gateway's own prices, before", "gateway/sonnet", "gateway/sonnet", day(1), 7, 3},
		{"a gateway's own prices, after", "gateway/sonnet", "gateway/sonnet", day(8), 3, 3},
		{"a name that only the answer has", "gateway/sonnet", "sonnet@gateway", day(1), 7, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := agent.New(agent.Options{
				Client: answers{answer(tt.answers, `{"type":"text","text":"done"}`, "end_turn")}, Model: tt.model, Models: own,
				Tools: []tools.Tool{tools.Func("f", "Does it.", func(context.Context, struct{}) (string, error) { return "ok", nil })},
			})
			if err != nil {
				t.Fatal(err)
			}
			store := new(memory.RAM)
			log, err := memory.Create(store, "s", nil)
			if err != nil {
				t.Fatal(err)
			}
			err = log.Append(t.Context(),
				memory.Record{Kind: memory.KindRun, Time: tt.at, Limits: &memory.Limits{Steps: 9}, Data: []byte(fmt.Sprintf(`{"model":%q,"max_tokens":1}`, tt.model))},
				memory.Record{Kind: memory.KindInput, Time: tt.at, Message: transport.UserText("go")},
				memory.Record{Kind: memory.KindResponse, Time: tt.at, Response: answer(tt.answers, call, "tool_use")})
			if err != nil {
				t.Fatal(err)
			}
			if b, _ := agent.BillOf(t.Context(), log, own...); math.Abs(b.Cost.USD-tt.step) > 1e-4 || b.Cost.Incomplete {
				t.Errorf("the log as it was cost %v, want $%v", b.Cost, tt.step)
			}
			res, err := a.Run(t.Context(), agent.Input{Log: log})
			if err != nil {
				t.Fatal(err)
			}
			bill, err := agent.BillOf(t.Context(), log, own...)
			if err != nil {
				t.Fatal(err)
			}
			if want := tt.step + tt.now; math.Abs(res.Cost.USD-want) > 1e-4 || res.Cost != bill.Cost {
				t.Errorf("the result has %v and the bill %v, want $%v", res.Cost, bill.Cost, want)
			}
			server := serve(t, store, inspect.Options{Models: own})
			var page float64
			for _, e := range entries(t, events(t, server.URL+api+"/s/stream", "", log.Len())) {
				if step, ok := e["step"].(map[string]any); ok {
					usd := step["usd"].(map[string]any)
					page += usd["total"].(float64)
					if usd["known"] != true {
						t.Errorf("the page doesn't know %v", usd)
					}
				}
			}
			if math.Abs(page-bill.Cost.USD) > 1e-12 {
				t.Errorf("the page has $%v, the bill %v", page, bill.Cost)
			}
			_, brief, _ := do(t, "GET", server.URL+api+"/s/brief", "")
			if want := fmt.Sprintf(`"usd":%v`, bill.Cost.USD); !strings.Contains(brief, want) {
				t.Errorf("the list has %s, want %s", brief, want)
			}
		})
	}
}
