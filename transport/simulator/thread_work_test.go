package simulator_test

import (
	"fmt"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// TestThreadStepsAreFlat holds that a step late in a thread costs the simulator what an
// early one does: blocks that it looks at, objects and bytes.
func TestThreadStepsAreFlat(t *testing.T) {
	steps, window := 1000, 30
	if testing.Short() {
		steps = 400
	}
	const tools = `"tools":[{"name":"lookup","input_schema":{"type":"object","properties":{"query":{"type":"string"}}}}],`
	long := `"system":"` + strings.Repeat("Be brief. ", 500) + `",`
	loop := simulator.Loop{Turns: 2 * steps}
	think := simulator.Loop{Turns: 2 * steps, Think: true}
	for name, c := range map[string]struct {
		model  string // that is asked
		loop   simulator.Model
		every  string // fields of all requests
		betas  string
		words  bool                  // the user speaks in each step
		behind func(step int) string // a message behind the result
	}{
		"a loop":                    {loop: loop, every: `"cache_control":{"type":"ephemeral"},`},
		"parallel calls":            {loop: simulator.Loop{Turns: 2 * steps, Parallel: 5}, every: `"cache_control":{"type":"ephemeral"},`},
		"bound thinking":            {model: "claude-fable-5-2", loop: think},
		"manual thinking":           {model: "claude-haiku-4-5", loop: think, every: `"thinking":{"type":"enabled","budget_tokens":1024},`},
		"manual thinking, seldom":   {model: "claude-haiku-4-5", loop: loop, every: `"thinking":{"type":"enabled","budget_tokens":1024},`},
		"thinking of the last turn": {model: "claude-sonnet-4-5", loop: simulator.Dialogue(slices.Repeat([]simulator.Reply{simulator.Do(simulator.Thinking("I think."), simulator.Text("yes"))}, 2*steps)...), every: `"thinking":{"type":"enabled","budget_tokens":1024},`, words: true},
		"a dialogue":                {loop: simulator.Dialogue(slices.Repeat([]simulator.Reply{simulator.Say("yes")}, 2*steps)...), words: true},
		"an echo":                   {loop: simulator.Echo{}, words: true},
		"reminders":                 {loop: loop, betas: ",mid-conversation-system-clear-at-2026-08-21", behind: func(int) string { return `{"role":"system","content":"for now","clear_at":"next_user_message"}` }},
		"tools that come and go": {loop: loop, betas: ",inline-tools-2026-09-15", behind: func(step int) string {
			return fmt.Sprintf(`{"role":"system","content":[{"type":"tool_addition","tool":{"type":"tool_definition","definition":{"name":"t%d","input_schema":{"type":"object"}}}}]}`, step)
		}},
		"diagnostics": {loop: loop, betas: ",cache-diagnosis-2026-04-07"},
	} {
		t.Run(name, func(t *testing.T) {
			looked := 0
			sim := simulator.New(simulator.Options{Model: c.loop, Observe: func(ex simulator.Exchange) { looked = ex.Looked }})
			model := c.model
			if model == "" {
				model = "claude-opus-5"
			}
			var early, late [3][]float64
			previous := ""
			fresh := []string{user("look it up")}
			for step := range steps {
				extra := create + long + tools
				if previous != "" {
					extra = goesOn(previous)
				}
				if strings.Contains(c.betas, "diagnosis") {
					extra += `"diagnostics":{"previous_message_id":null},`
					if previous != "" {
						extra = strings.Replace(extra, "null", fmt.Sprintf("%q", previous), 1)
					}
				}
				req := httptest.NewRequest("POST", "/v1/messages", strings.NewReader(request(model, extra+c.every, fresh...)))
				req.Header.Set("x-api-key", "test")
				req.Header.Set("anthropic-version", "2023-06-01")
				req.Header.Set("anthropic-beta", betaThreads+c.betas)
				rec := httptest.NewRecorder()
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				sim.ServeHTTP(rec, req)
				runtime.ReadMemStats(&after)
				resp, err := transport.ParseResponse(rec.Body.Bytes())
				if rec.Code != 200 || err != nil {
					t.Fatalf("step %d: %d %s", step, rec.Code, rec.Body)
				}
				if strings.Contains(rec.Body.String(), "cache_miss_reason") {
					t.Fatalf("%s", rec.Body)
				}
				for w, from := range map[*[3][]float64]int{&early: 10, &late: steps - window} {
					if from <= step && step < from+window {
						w[0] = append(w[0], float64(looked))
						w[1] = append(w[1], float64(after.Mallocs-before.Mallocs))
						w[2] = append(w[2], float64(after.TotalAlloc-before.TotalAlloc))
					}
				}
				previous = resp.ID
				var blocks []string
				for _, call := range resp.ToolCalls() {
					blocks = append(blocks, fmt.Sprintf(`{"type":"tool_result","tool_use_id":%q,"content":"ok"}`, call.ID))
				}
				if c.words || blocks == nil {
					blocks = append(blocks, `{"type":"text","text":"go on"}`)
				}
				fresh = []string{says("user", strings.Join(blocks, ","))}
				if c.behind != nil {
					fresh = append(fresh, c.behind(step))
				}
			}
			for i, what := range []string{"blocks", "objects", "bytes"} {
				if raceEnabled && i > 0 {
					continue
				}
				a, b := middle(early[i]), middle(late[i])
				t.Logf("%s: %.0f a step at 10 steps, %.0f at %d", what, a, b, steps)
				if a == 0 || b > 1.1*a {
					t.Errorf("%s: %.0f a step at 10 steps, %.0f at %d: %.2f times", what, a, b, steps, b/a)
				}
			}
		})
	}
}

// middle is the median: lists that grow are copied once in a while.
func middle(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}
