package simulator_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/simulator"
)

// randomReplies are the replies of a model that is the same for the same turn.
func randomReplies(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
	rng := rand.New(rand.NewPCG(turn.Seed, uint64(len(turn.Messages)*8+turn.Step)))
	reply := new(simulator.Reply)
	for turn.Thinking && rng.IntN(2) == 0 && len(reply.Content) < 2 {
		reply.Content = append(reply.Content, []simulator.Part{simulator.Thinking("I think."), simulator.Redacted("Hidden.")}[rng.IntN(2)])
	}
	texts := []string{"Well.", "", "\n", "You said " + turn.LastUserText()}
	if rng.IntN(2) == 0 {
		reply.Content = append(reply.Content, simulator.Text(texts[rng.IntN(len(texts))]))
	}
	search := simulator.ServerCall("web_search", map[string]string{"query": "maps"})
	switch rng.IntN(12) {
	case 0:
		reply.StopReason = transport.StopRefusal
	case 1:
		reply.Content = append(reply.Content, search)
	case 2:
		reply.Content, reply.StopReason = append(reply.Content, search), transport.StopPauseTurn
	case 3:
		reply.Content = append(reply.Content, search, simulator.Call("lookup", map[string]string{"query": "a"}))
	case 4, 5:
		reply.Content = append(reply.Content, simulator.Text("Done."))
	case 6:
		reply.Content = append(reply.Content, simulator.Call("lookup", map[string]string{"query": "a"}).WithID("toolu_"+strconv.Itoa(rng.IntN(3))).WithToolset([]string{"", "computer"}[rng.IntN(2)]))
	default:
		for i := range 1 + rng.IntN(3) {
			reply.Content = append(reply.Content, simulator.Call("lookup", map[string]string{"query": strconv.Itoa(i)}))
		}
	}
	return reply, nil
}

// where is what differs between refusals of one kind.
var where = regexp.MustCompile(`(srv)?toolu_\w+|\d+`)

// A twoWays is a conversation that is sent to one simulator in a thread and to another
// one whole. Nothing but the requests may differ.
type twoWays struct {
	t           *testing.T
	rng         *rand.Rand
	sims        [2]http.Handler
	model       string
	fixed       map[string]string // fields of all requests
	first       map[string]string // of the first in a thread
	betas       string
	version     string
	history     []string
	id          string // that the thread goes on from, or ""
	marks       int
	previous    string // response
	continued   int
	refused     map[string]int
	transformed int
}

// draw is a random number below n, or n without a source of them.
func (c *twoWays) draw(n int) int {
	if c.rng == nil {
		return n
	}
	return c.rng.IntN(n)
}

func (c *twoWays) post(i int, fields map[string]string, messages []string) (int, string) {
	var b strings.Builder
	b.WriteString("{")
	for name, v := range fields {
		b.WriteString(strconv.Quote(name) + ":" + v + ",")
	}
	b.WriteString(`"messages":[` + strings.Join(messages, ",") + "]}")
	req := httptest.NewRequest("POST", "/v1/messages", strings.NewReader(b.String()))
	req.Header.Set("x-api-key", "test")
	req.Header.Set("anthropic-version", c.version)
	req.Header.Set("anthropic-beta", c.betas)
	rec := httptest.NewRecorder()
	c.sims[i].ServeHTTP(rec, req)
	return rec.Code, rec.Body.String()
}

// send sends what is new, both ways, and returns the response if there is one.
func (c *twoWays) send(fresh []string) *transport.Response {
	c.t.Helper()
	free := map[string]string{"max_tokens": "4000"}
	switch c.draw(12) {
	case 0:
		free["max_tokens"] = "40"
	case 1:
		free["speed"] = `"standard"`
	case 2:
		c.version = []string{"2023-06-01", "2026-10-21"}[c.draw(2)]
	}
	if strings.Contains(c.betas, "cache-diagnosis") && c.draw(2) != 0 {
		free["diagnostics"] = `{"previous_message_id":null}`
		if c.previous != "" {
			free["diagnostics"] = fmt.Sprintf(`{"previous_message_id":%q}`, c.previous)
		}
	}
	maps.Copy(free, c.fixed)
	whole := maps.Clone(free)
	maps.Copy(whole, c.first)
	all := append(c.history[:len(c.history):len(c.history)], fresh...)
	code, got := 0, ""
	if c.id != "" {
		in := maps.Clone(free)
		in["thread"] = fmt.Sprintf(`{"type":"continue","previous_message_id":%q}`, c.id)
		code, got = c.post(0, in, fresh)
		if strings.Contains(got, "thread_not_found") || strings.Contains(got, "thread_fingerprint") { // the first picture
			c.fixed["model"], free["model"], whole["model"] = strconv.Quote(c.model), strconv.Quote(c.model), strconv.Quote(c.model)
			c.id = ""
			c.post(1, nil, nil) // so that both have had as many requests
		} else {
			c.continued++
		}
	}
	if c.id == "" {
		in := maps.Clone(whole)
		in["thread"] = `{"type":"create"}`
		code, got = c.post(0, in, all)
	}
	wantCode, want := c.post(1, whole, all)
	if code != wantCode || got != want {
		c.t.Fatalf("in a thread: %d %s\nwhole: %d %s\nmessages %s", code, got, wantCode, want, strings.Join(all, "\n"))
	}
	if code != 200 {
		message := rawjson.GetString(rawjson.Get([]byte(got), "error"), "message")
		c.refused[where.ReplaceAllString(message, "…")]++
		return nil
	}
	resp, err := transport.ParseResponse([]byte(got))
	if err != nil {
		c.t.Fatal(err)
	}
	if len(got) > 0 && strings.Contains(got, "thinking_dropped") {
		c.transformed++
	}
	c.history, c.id, c.previous = all, resp.ID, resp.ID
	replayed := 0
	if m, ok := resp.Replay(); ok {
		c.history = append(c.history, string(m.AppendJSON(nil)))
		replayed = len(m.Content)
	}
	held := slices.DeleteFunc(slices.Clone(resp.Content), func(b transport.Block) bool { return string(b.Raw()) == `{"type":"text","text":""}` })
	if resp.StopReason == transport.StopRefusal || resp.HasCutCalls() || replayed != len(held) {
		c.id = "" // the thread doesn't hold it, or holds more than is sent back
	}
	return resp
}

// fresh makes what is sent behind a response: what belongs there, and now and then
// what doesn't.
func (c *twoWays) fresh(resp *transport.Response, wrong bool) (list []string) {
	rng := c.rng
	mark := ""
	if c.marks < 3 && rng.IntN(6) == 0 {
		c.marks++
		mark = `,"cache_control":{"type":"ephemeral"}`
		if rng.IntN(2) == 0 {
			mark = `,"cache_control":{"type":"ephemeral","ttl":"1h"}`
		}
	}
	var blocks []string
	for _, call := range resp.ToolCalls() {
		toolset := ""
		if call.Toolset != "" {
			toolset = fmt.Sprintf(`,"toolset_name":%q`, call.Toolset)
		}
		content := `"ok"`
		switch rng.IntN(12) {
		case 0:
			content = "[" + picture(8, 8) + "]"
		case 1:
			content = `[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"text"}}]`
		case 2:
			content = `[{"type":"tool_reference","tool_name":"extra"}]`
		}
		blocks = append(blocks, fmt.Sprintf(`{"type":"tool_result","tool_use_id":%q,"content":%s%s}`, call.ID, content, toolset))
	}
	if wrong {
		switch rng.IntN(6) {
		case 0:
			blocks = append(blocks, `{"type":"tool_result","tool_use_id":"toolu_none","content":"x"}`)
		case 1:
			if len(blocks) > 0 {
				blocks = blocks[1:]
			}
		case 2:
			blocks = append(blocks, `{"type":"text","text":""}`)
		case 3:
			if len(blocks) > 0 {
				blocks = append(blocks, blocks[0])
			}
		case 4:
			list = append(list, says("system", `{"type":"text","text":"out of place"}`))
		case 5:
			blocks = append(blocks, `{"type":"image","source":{"type":"file","file_id":"file_none"}}`)
		}
	}
	if resp.StopReason == transport.StopPauseTurn && len(blocks) == 0 && rng.IntN(4) > 0 {
		return list
	}
	switch {
	case len(blocks) == 0 || rng.IntN(6) == 0:
		blocks = append(blocks, fmt.Sprintf(`{"type":"text","text":"more %d"%s}`, rng.IntN(3), mark))
	}
	switch rng.IntN(25) {
	case 0:
		blocks = append(blocks, picture(8, 8))
	case 1:
		blocks = append(blocks, pdf(2))
	case 2:
		blocks = append(blocks, `{"type":"search_result","source":"s","title":"t","content":[{"type":"text","text":"x"}],"citations":{"enabled":true}}`)
	}
	list = append(list, says("user", strings.Join(blocks, ",")))
	if rng.IntN(8) == 0 {
		list = append(list, says("user", `{"type":"text","text":"and"}`))
	}
	for range max(0, rng.IntN(5)-2) {
		list = append(list, []string{
			`{"role":"system","content":"for now","clear_at":"next_user_message"}`,
			`{"role":"system","content":[{"type":"text","text":"for ever"}]}`,
			`{"role":"system","content":[],"output_config":{"effort":"low"}}`,
			`{"role":"system","content":[{"type":"tool_addition","tool":{"type":"tool_definition","definition":{"name":"extra","input_schema":{"type":"object"}}}}]}`,
			`{"role":"system","content":[{"type":"tool_removal","tool":{"type":"tool_reference","name":"extra"}}]}`,
			`{"role":"system","content":"for now","clear_at":"next_user_message"}`,
		}[rng.IntN(6)])
	}
	return list
}

// TestThreadsAreAnsweredLikeTheWhole sends random conversations in a thread to one
// simulator, and whole to another one with the same seed: each response is the same, byte
// for byte, with its usage, its refusals and what it says of dropped thinking. What a
// thread keeps of its messages must not change what its checks find.
func TestThreadsAreAnsweredLikeTheWhole(t *testing.T) {
	n := 400
	if testing.Short() {
		n = 100
	}
	if v := os.Getenv("WHORL_THREADS"); v != "" {
		n, _ = strconv.Atoi(v)
	}
	models := []string{"claude-opus-5", "claude-opus-5-5", "claude-fable-5-2", "claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-5"}
	continued, transformed, refused := 0, 0, map[string]int{}
	for seed := range n {
		rng := rand.New(rand.NewPCG(25, uint64(seed)))
		now := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
		opts := simulator.Options{Model: simulator.ModelFunc(randomReplies), Seed: uint64(seed), Pages: pages, Now: func() time.Time { return now },
			OldAccount: rng.IntN(4) == 0, Lookback: simulator.LookbackRule(rng.IntN(2)), Threads: simulator.ThreadOptions{CountEarlierMarks: rng.IntN(2) == 0}}
		if seed%5 == 0 {
			opts.Model = simulator.Chatty{}
		}
		c := &twoWays{
			t: t, rng: rng, sims: [2]http.Handler{simulator.New(opts), simulator.New(opts)}, version: "2023-06-01", refused: refused,
			betas: betaThreads + ",mid-conversation-system-clear-at-2026-08-21,mid-conversation-output-config-2026-07-01,inline-tools-2026-09-15,mid-conversation-tool-changes-2026-07-01,advanced-tool-use-2025-11-20",
		}
		begin := func() {
			c.model = models[rng.IntN(len(models))]
			c.fixed = map[string]string{"model": strconv.Quote(c.model)}
			c.first = map[string]string{
				"tools":  fmt.Sprintf(`[{"name":"lookup","input_schema":{"type":"object","properties":{"query":{"type":"string"}}}},%s,{"name":"deferred","defer_loading":true,"input_schema":{"type":"object"}}]`, searched),
				"system": fmt.Sprintf(`[{"type":"text","text":"Be brief. %s"}]`, strings.Repeat("Really. ", 600*rng.IntN(3))),
			}
			switch {
			case strings.HasSuffix(c.model, "-4-5") && rng.IntN(3) > 0:
				c.fixed["thinking"] = `{"type":"enabled","budget_tokens":1024}`
			case !strings.HasSuffix(c.model, "-4-5") && rng.IntN(2) > 0:
				c.fixed["thinking"] = `{"type":"adaptive"}`
			}
			if rng.IntN(3) > 0 && !strings.HasSuffix(c.model, "-4-5") {
				c.fixed["thinking"] = `{"type":"adaptive","block_binding":{"prefix_mismatch_behavior":"drop_block"}}`
			}
			if rng.IntN(2) == 0 {
				c.fixed["cache_control"] = `{"type":"ephemeral"}`
			}
			c.id = ""
		}
		if rng.IntN(3) > 0 {
			c.betas += ",thinking-binding-controls-2026-08-01"
		}
		if rng.IntN(2) == 0 {
			c.betas += ",cache-diagnosis-2026-04-07"
		}
		begin()
		if !strings.Contains(c.betas, "binding-controls") && strings.Contains(c.fixed["thinking"], "block_binding") {
			delete(c.fixed, "thinking")
		}
		resp := c.send([]string{user("look it up")})
		for step := 0; resp != nil && step < 24; step++ {
			now = now.Add(time.Duration(rng.IntN(100)) * time.Second)
			if rng.IntN(15) == 0 && !strings.Contains(c.fixed["thinking"], "enabled") && strings.Contains(c.betas, "binding-controls") {
				begin() // the same conversation in another thread, with another model or prompt
			}
			if rng.IntN(8) == 0 {
				c.send(c.fresh(resp, true)) // most are refused, and change nothing
				if c.id != resp.ID {
					break
				}
			}
			if next := c.send(c.fresh(resp, false)); next != nil {
				resp = next
			}
		}
		continued += c.continued
		transformed += c.transformed
	}
	t.Logf("%d requests went on with a thread; %d responses told of dropped thinking; refusals:", continued, transformed)
	for message, n := range refused {
		t.Logf("%d × %s", n, message)
	}
	if continued < 4*n || transformed < n/20 || len(refused) < 6 {
		t.Errorf("%d conversations went on %d times, with %d responses that tell of dropped thinking and %d kinds of refusals: too few to tell anything", n, continued, transformed, len(refused))
	}
}

// TestThreadsRemember holds what random conversations seldom come to: what an early
// message says decides about a late one.
func TestThreadsRemember(t *testing.T) {
	text := func(s string) string { return user(s) }
	system := func(effort string) string {
		return fmt.Sprintf(`{"role":"system","content":[],"output_config":{"effort":%q}}`, effort)
	}
	searchedFor := `{"role":"assistant","content":[{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"maps"}},` +
		`{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":{"type":"web_search_tool_result_error","error_code":"unavailable"}},{"type":"text","text":"nothing"}]}`
	calledBy := func(id string) string {
		return `{"role":"assistant","content":[{"type":"tool_use","id":"toolu_9","name":"lookup","input":{},"caller":{"type":"code_execution_20250825","tool_id":"` + id + `"}}]}`
	}
	answered := says("user", `{"type":"tool_result","tool_use_id":"toolu_9","content":"x"}`)
	cited := says("user", `{"type":"text","text":"as it says","citations":[{"type":"char_location","cited_text":"a","document_index":0,"document_title":null,"start_char_index":0,"end_char_index":1}]}`)
	wide, far := [][]string{}, func(first string, last ...string) (steps [][]string) {
		steps = [][]string{{first}}
		for range 6 {
			steps = append(steps, []string{text("go on")})
		}
		return append(steps, last)
	}
	for range 20 {
		wide = append(wide, []string{says("user", picture(2100, 1))})
	}
	for name, c := range map[string]struct {
		model, thinking, betas string
		first                  []string
		steps                  [][]string
		refused                string // "" if nothing is
		version                string // of the last step
	}{
		"the effort":              {model: "claude-sonnet-5-5", thinking: `{"type":"between_tools"}`, first: []string{text("hi")}, steps: append([][]string{{text("a"), system("high")}}, far("b", text("a"), system("high"))[1:]...)},
		"another effort":          {model: "claude-sonnet-5-5", thinking: `{"type":"between_tools"}`, first: []string{text("hi")}, steps: far(text("a"), text("a"), system("low")), refused: "effort cannot change"},
		"many images":             {first: []string{says("user", picture(8, 8))}, steps: wide, refused: "many-image requests"},
		"the other version":       {first: []string{cited}, steps: far(text("a"), text("b")), refused: "`citations` are not permitted", version: "2026-10-21"},
		"the call of a caller":    {first: []string{text("hi"), searchedFor, text("and")}, steps: far(text("a"), text("b"), calledBy("srvtoolu_1"), answered), refused: "container_id is required"},
		"no such caller":          {first: []string{text("hi"), searchedFor, text("and")}, steps: far(text("a"), text("b"), calledBy("srvtoolu_2"), answered), refused: "source tool 'srvtoolu_2' not found"},
		"a late result":           {first: []string{text("hi"), says("assistant", `{"type":"tool_use","id":"toolu_9","name":"lookup","input":{},"toolset_name":"computer"}`), says("user", `{"type":"tool_result","tool_use_id":"toolu_9","content":[{"type":"text","text":"x"}],"toolset_name":"computer"}`)}, steps: far(text("a"), text("b"), says("assistant", `{"type":"tool_use","id":"toolu_9","name":"lookup","input":{}}`), answered), refused: "messages.1.content.0: the `tool_result` of a member"},
		"a kind of tool":          {first: []string{text("hi"), `{"role":"system","content":[{"type":"tool_addition","tool":{"type":"tool_definition","definition":{"name":"web_search","input_schema":{"type":"object"}}}}]}`}, steps: far(text("a"), text("b"), `{"role":"system","content":[{"type":"tool_addition","tool":{"type":"tool_definition","definition":{"name":"web_search","type":"web_search_20250305"}}}]}`), refused: "of another kind"},
		"a summary in the middle": {betas: "compact-2026-01-12", first: []string{text("hi")}, steps: append(far(text("a"), text("b"), says("assistant", `{"type":"compaction","content":"all of it"}`), text("c")), far(text("d"), text("e"))...)},
	} {
		t.Run(name, func(t *testing.T) {
			opts := simulator.Options{Foreign: true}
			c1 := &twoWays{
				t: t, sims: [2]http.Handler{simulator.New(opts), simulator.New(opts)}, version: "2023-06-01", refused: map[string]int{}, model: cmp.Or(c.model, "claude-opus-5-5"),
				betas: strings.Trim(betaThreads+",mid-conversation-output-config-2026-07-01,inline-tools-2026-09-15,cache-diagnosis-2026-04-07,"+c.betas, ","),
				fixed: map[string]string{"model": strconv.Quote(cmp.Or(c.model, "claude-opus-5-5")), "cache_control": `{"type":"ephemeral"}`},
				first: map[string]string{"tools": `[{"name":"lookup","input_schema":{"type":"object"}}]`, "system": `"` + strings.Repeat("Be brief. ", 500) + `"`},
			}
			if c.thinking != "" {
				c1.fixed["thinking"] = c.thinking
			}
			c1.send(c.first)
			for i, fresh := range c.steps {
				if i == len(c.steps)-1 && c.version != "" {
					c1.version = c.version
				}
				resp := c1.send(fresh)
				if last := i == len(c.steps)-1; resp == nil && (!last || c.refused == "") || resp != nil && last && c.refused != "" {
					t.Fatalf("step %d: %v", i, c1.refused)
				}
			}
			found := false
			for message := range c1.refused {
				found = found || strings.Contains(message, where.ReplaceAllString(c.refused, "…"))
			}
			if c.refused != "" && !found {
				t.Errorf("%v", c1.refused)
			}
		})
	}
}
