package simulator_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport/simulator"
)

func TestCacheAccounting(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	sim := simulator.StartTest(t, simulator.Options{Now: func() time.Time { return now }})
	mark := `"cache_control":{"type":"ephemeral"}`
	system := func(ttl string) string {
		return `"system":[{"type":"text","text":"` + strings.Repeat("abcd", 1000) + `","cache_control":{"type":"ephemeral"` + ttl + `}}],`
	}
	long := strings.Repeat("wxyz", 500)
	marked := `{"role":"user","content":[{"type":"text","text":"` + long + `",` + mark + `}]}`
	plain := user(long)
	check := func(name, body string, input, read, w5, w1h int64) {
		t.Helper()
		u := ask(t, sim.URL(), body).Usage
		if u.InputTokens != input || u.CacheReadInputTokens != read || u.CacheCreation.Ephemeral5mInputTokens != w5 ||
			u.CacheCreation.Ephemeral1hInputTokens != w1h || u.CacheCreationInputTokens != w5+w1h {
			t.Errorf("%s: %+v", name, u)
		}
	}
	const m = "claude-opus-5-5"
	check("first write", request(m, system(""), user("hi")), 1, 0, 1000, 0)
	check("read", request(m, system(""), user("hi")), 1, 1000, 0, 0)
	check("extended", request(m, system(""), marked), 0, 1000, 500, 0)
	check("mark moved", request(m, system(""), plain, marked), 0, 1500, 500, 0)
	now = now.Add(4 * time.Minute)
	check("refreshed", request(m, system(""), user("hi")), 1, 1000, 0, 0)
	now = now.Add(4 * time.Minute)
	check("kept by the read, the rest expired", request(m, system(""), plain, marked), 0, 1000, 1000, 0)
	now = now.Add(10 * time.Minute)
	check("expired", request(m, system(`,"ttl":"1h"`), plain, marked), 0, 0, 1000, 1000)
	now = now.Add(50 * time.Minute)
	check("1h lives", request(m, system(`,"ttl":"1h"`), plain, marked), 0, 1000, 1000, 0)
	check("other model", request("claude-opus-5", system(""), user("hi")), 1, 0, 1000, 0)
	check("too short", request("claude-opus-4-7", system(""), user("hi")), 1001, 0, 0, 0)
	check("automatic, too short", request(m, `"cache_control":{"type":"ephemeral"},`, plain), 500, 0, 0, 0)
	check("automatic", request(m, `"cache_control":{"type":"ephemeral"},`, plain, plain), 0, 0, 1000, 0)
}

func TestLookback(t *testing.T) {
	block := func(i int, mark bool) string {
		cc := ""
		if mark {
			cc = `,"cache_control":{"type":"ephemeral"}`
		}
		return fmt.Sprintf(`{"type":"text","text":"%s %03d"%s}`, strings.Repeat("abcd", 600), i, cc)
	}
	body := func(n int) string {
		var blocks []string
		for i := range n {
			blocks = append(blocks, block(i, i == n-1))
		}
		return request("claude-opus-5-5", "", `{"role":"user","content":[`+strings.Join(blocks, ",")+`]}`)
	}
	for _, c := range []struct {
		gap  int
		hits bool
	}{{19, true}, {20, false}} {
		sim := simulator.StartTest(t, simulator.Options{})
		ask(t, sim.URL(), body(5))
		if u := ask(t, sim.URL(), body(5+c.gap)).Usage; u.CacheReadInputTokens > 0 != c.hits {
			t.Errorf("%d blocks later: %+v", c.gap, u)
		}
	}
}

func TestLookbackReadings(t *testing.T) {
	calls := many(25, func(i int) string { return fmt.Sprintf(`{"type":"tool_use","id":"t%d","name":"f","input":{}}`, i) })
	results := func(mark string) string {
		return many(24, func(i int) string { return fmt.Sprintf(`{"type":"tool_result","tool_use_id":"t%d"},`, i) }) +
			`{"type":"tool_result","tool_use_id":"t24"` + mark + `}`
	}
	const mark = `,"cache_control":{"type":"ephemeral"}`
	long := strings.Repeat("abcd", 1000)
	for rule, hits := range map[simulator.LookbackRule]bool{simulator.LookbackBlocks: false, simulator.LookbackRuns: true} {
		sim := simulator.StartTest(t, simulator.Options{Lookback: rule})
		ask(t, sim.URL(), request("claude-opus-5", "", says("user", `{"type":"text","text":"`+long+`"`+mark+`}`)))
		u := ask(t, sim.URL(), request("claude-opus-5", "", user(long), says("assistant", calls), says("user", strings.ReplaceAll(results(mark), ",,", ",")))).Usage
		if u.CacheReadInputTokens > 0 != hits {
			t.Errorf("rule %d: %+v", rule, u)
		}
	}
}
