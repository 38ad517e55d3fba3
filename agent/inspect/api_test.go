package inspect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	sentdata "github.com/whorl-go/whorl/agent/internal/sent"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/agent/inspect"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/taint"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

const api = "/debug/agents/api/sessions"

func TestStreamResumesWhereItWas(t *testing.T) {
	store := new(memory.RAM)
	a := newAgent(t, simulator.Loop{Turns: 3}, false, "")
	run(t, a, store, "s", transport.UserText("go"))
	server := serve(t, store, inspect.Options{Poll: 5 * time.Millisecond})
	info, err := store.Info(context.Background(), "s")
	if err != nil {
		t.Fatal(err)
	}
	all := events(t, server.URL+api+"/s/stream", "", info.Records)
	whole := entries(t, all)
	if len(whole) != info.Records {
		t.Fatalf("%d entries for %d records", len(whole), info.Records)
	}
	if last := all[len(all)-1]; last.id != fmt.Sprintf("%d-%s", info.Records, info.Incarnation) || !strings.Contains(last.data, `"doing":"done"`) {
		t.Errorf("the last event is %+v", last)
	}
	rest := entries(t, events(t, server.URL+api+"/s/stream", "5", info.Records))
	if len(rest) != info.Records-5 || rest[0]["n"] != 5.0 {
		t.Errorf("from 5: %d entries, the first is %v", len(rest), rest[0]["n"])
	}
	// What is explained of a step doesn't depend on where the stream began.
	if a, b := fmt.Sprint(whole[len(whole)-1]), fmt.Sprint(rest[len(rest)-1]); a != b {
		t.Errorf("a resumed stream tells\n%s\nthe whole one\n%s", b, a)
	}

	// A stream that is open gets what is appended later.
	grown := make(chan []event)
	go func() { grown <- events(t, server.URL+api+"/s/stream", fmt.Sprint(info.Records), info.Records+3) }()
	time.Sleep(30 * time.Millisecond)
	run(t, a, store, "s", transport.UserText("again"))
	if news := entries(t, <-grown); len(news) < 3 || news[0]["n"] != float64(info.Records) {
		t.Errorf("later %d entries", len(news))
	}
	if status, _, _ := do(t, "GET", server.URL+api+"/nobody/stream", ""); status != 404 {
		t.Errorf("no session: status %d", status)
	}
	if status, _, _ := do(t, "GET", server.URL+api+"/s/stream", "", "Last-Event-ID", "x"); status != 400 {
		t.Errorf("a bad id: status %d", status)
	}
}

func TestRequestIsServedAsItWasSent(t *testing.T) {
	store := new(memory.RAM)
	a := newAgent(t, simulator.Loop{Turns: 2, Think: true}, false, "Be brief.")
	run(t, a, store, "a/b c", transport.UserText("go"))
	server := serve(t, store, inspect.Options{})
	log, err := memory.Open(context.Background(), store, "a/b c")
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range log.Records(0) {
		status, body, _ := do(t, "GET", server.URL+api+"/a%2Fb%20c/requests/"+fmt.Sprint(i), "")
		if r.Kind != memory.KindResponse {
			if status != 404 {
				t.Errorf("record %d: status %d", i, status)
			}
			continue
		}
		sent, err := sentdata.Request(log, i)
		if err != nil {
			t.Fatal(err)
		}
		want, err := sent.Request.StreamBody()
		if err != nil {
			t.Fatal(err)
		}
		if status != 200 || body != string(want.Bytes()) {
			t.Errorf("record %d: status %d, %s", i, status, body)
		}
	}
	if status, body, head := do(t, "GET", server.URL+api+"/a%2Fb%20c/log", ""); status != 200 || !strings.Contains(head.Get("Content-Disposition"), "attachment") || strings.Count(body, "\n") < log.Len() {
		t.Errorf("download: status %d, %d lines", status, strings.Count(body, "\n"))
	}
}

func TestBlocksAreServedWhole(t *testing.T) {
	store := new(memory.RAM)
	long := strings.Repeat("é", 9000)
	if err := store.Append(t.Context(), "s", memory.Position{}, memory.Record{Kind: memory.KindInput, Message: transport.UserText(long)}); err != nil {
		t.Fatal(err)
	}
	server := serve(t, store, inspect.Options{Poll: 5 * time.Millisecond})
	e := entries(t, events(t, server.URL+api+"/s/stream", "", 1))[0]
	b := e["blocks"].([]any)[0].(map[string]any)
	if text := b["text"].(string); b["cut"] != true || len(text) > 6000 || !strings.HasPrefix(long, text) {
		t.Errorf("at first %d bytes, cut %v", len(text), b["cut"])
	}
	_, body, _ := do(t, "GET", server.URL+api+"/s/records/0/blocks/0", "")
	var whole struct{ Text string }
	if err := json.Unmarshal([]byte(body), &whole); err != nil || whole.Text != long {
		t.Errorf("whole: %d bytes, %v", len(whole.Text), err)
	}
	for _, path := range []string{"records/0/blocks/1", "records/9/blocks/0", "records/x/blocks/0", "records/-1/blocks/0"} {
		if status, _, _ := do(t, "GET", server.URL+api+"/s/"+path, ""); status != 404 {
			t.Errorf("%s: status %d", path, status)
		}
	}
}

func TestDecisions(t *testing.T) {
	store := new(memory.RAM)
	a := newAgent(t, simulator.Script(simulator.Do(simulator.Call("lookup", query{"a", 1}).WithID("toolu_1"), simulator.Call("lookup", query{"b", 1}).WithID("toolu_2")), simulator.Say("ok")), true, "")
	run(t, a, store, "s", transport.UserText("go"))
	var resumed []string
	server := serve(t, store, inspect.Options{Poll: 5 * time.Millisecond, Resume: func(id string) { resumed = append(resumed, id) }})
	post := func(body string) (int, string) {
		status, text, _ := do(t, "POST", server.URL+api+"/s/decisions", body)
		return status, text
	}
	one, two := seen(t, server.URL, "s", "toolu_1"), seen(t, server.URL, "s", "toolu_2")
	for _, tt := range []struct {
		name, body string
		want       int
	}{
		{"not JSON", `approve`, 400},
		{"a call of nobody", `{"call":"toolu_9","approve":true}`, 409},
		{"no hash", `{"call":"toolu_1","record":2,"approve":true}`, 409},
		{"the hash of another", fmt.Sprintf(`{"call":"toolu_1","record":2,"hash":%q,"approve":true}`, two["hash"]), 409},
		{"another record", `{` + strings.Replace(one.form(), `"record":2`, `"record":1`, 1) + `,"approve":true}`, 409},
		{"arguments that are no object", `{` + one.form() + `,"approve":true,"input":"[1]"}`, 400},
		{"the first", `{` + one.form() + `,"approve":true,"input":" {\"query\":\"c\",\"limit\":9007199254740993} "}`, 200},
		{"the first once more", `{` + one.form() + `,"approve":true}`, 409},
		{"the second", `{` + two.form() + `,"approve":false,"reason":"no"}`, 200},
	} {
		if status, text := post(tt.body); status != tt.want {
			t.Errorf("%s: status %d, want %d: %s", tt.name, status, tt.want, text)
		}
	}
	if fmt.Sprint(resumed) != "[s]" {
		t.Errorf("resumed %v, want once, after the last decision", resumed)
	}
	run(t, a, store, "s")
	log, err := memory.Open(context.Background(), store, "s")
	if err != nil {
		t.Fatal(err)
	}
	var results []string
	for _, r := range log.Records(0) {
		if r.Kind == memory.KindDecision && r.Decision.Input != nil && string(r.Decision.Input) != `{"query":"c","limit":9007199254740993}` {
			t.Errorf("arguments %s", r.Decision.Input)
		}
		if r.Kind == memory.KindResult {
			results = append(results, string(r.Block.Raw()[:60]))
		}
	}
	if len(results) != 2 || !agent.Next(log).Done() || agent.Next(log).Err != nil {
		t.Errorf("results %v", results)
	}
	if status, _, _ := do(t, "POST", server.URL+api+"/s/resume", "{}"); status != 200 || len(resumed) != 2 {
		t.Errorf("resume: status %d, %v", status, resumed)
	}
	if status, _, _ := do(t, "POST", serve(t, store, inspect.Options{}).URL+api+"/s/resume", "{}"); status != http.StatusForbidden {
		t.Errorf("resume without a function: status %d", status)
	}
}

func TestForks(t *testing.T) {
	store := new(memory.RAM)
	run(t, newAgent(t, simulator.Loop{Turns: 1}, false, ""), store, "s", transport.UserText("go"))
	server := serve(t, store, inspect.Options{})
	for i, want := range []string{`{"id":"s-fork-2"}`, `{"id":"s-fork-2-2"}`} {
		if status, body, _ := do(t, "POST", server.URL+api+"/s/fork", `{"at":2}`); status != 200 || strings.TrimSpace(body) != want {
			t.Errorf("fork %d: status %d %s, want %s", i, status, body, want)
		}
	}
	info, err := store.Info(context.Background(), "s-fork-2")
	if err != nil || info.Records != 2 || info.Origin != "s" {
		t.Errorf("the fork has %d records, origin %q: %v", info.Records, info.Origin, err)
	}
	for body, want := range map[string]int{`{"at":2,"id":"s"}`: 409, `{"at":99}`: 500, `{`: 400} {
		if status, text, _ := do(t, "POST", server.URL+api+"/s/fork", body); status != want {
			t.Errorf("%s: status %d, want %d: %s", body, status, want, text)
		}
	}
}

// Why the cache missed, from what the log tells.
func TestMisses(t *testing.T) {
	config := func(system string) []byte {
		return fmt.Appendf(nil, `{"model":"m","max_tokens":10,"tools":[{"name":"f"}],"system":[{"type":"text","text":%q}],"messages":[]}`, system)
	}
	type call struct {
		config        []byte
		model, why    string
		after         time.Duration
		read, written int64
		search        int64
		ttl           string
	}
	for _, tt := range []struct {
		name  string
		calls [2]call
		want  string
	}{
		{"a hit", [2]call{{written: 1000}, {read: 1000, written: 50}}, ""},
		{"nearly all", [2]call{{written: 1000}, {read: 990}}, ""},
		{"nothing was there", [2]call{{}, {written: 1000}}, ""},
		{"the service says", [2]call{{written: 1000}, {why: "tools_changed"}}, "tools_changed 1000"},
		{"another system prompt", [2]call{{config: config("You count."), written: 1000}, {config: config("You sum."), read: 100}}, `system_changed 900 at system.0`},
		{"that the service can't compare", [2]call{{config: config("a"), written: 1000}, {config: config("b"), why: "unavailable"}}, `system_changed 1000 at system.0`},
		{"another model", [2]call{{written: 1000}, {model: "claude-sonnet-5"}}, "model_changed 1000"},
		{"too late", [2]call{{written: 1000}, {after: 6 * time.Minute}}, "expired 1000"},
		{"not too late for an hour", [2]call{{written: 1000, ttl: "=1h"}, {after: 6 * time.Minute}}, "unknown 1000"},
		{"nobody knows", [2]call{{written: 1000}, {}}, "unknown 1000"},
		{"server tools blur the counts", [2]call{{written: 1000, search: 1}, {}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := new(memory.RAM)
			at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
			var records []memory.Record
			for i, c := range tt.calls {
				at = at.Add(c.after + time.Second)
				model := c.model
				if model == "" {
					model = "claude-opus-5"
				}
				diagnostics := "null"
				if c.why != "" {
					diagnostics = fmt.Sprintf(`{"cache_miss_reason":{"type":%q}}`, c.why)
				}
				resp, err := transport.ParseResponse(fmt.Appendf(nil, `{"id":"msg_%d","model":%q,"content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn","diagnostics":%s,`+
					`"usage":{"input_tokens":1,"cache_creation_input_tokens":%d,"cache_read_input_tokens":%d,"output_tokens":1,"server_tool_use":{"web_search_requests":%d}}}`,
					i, model, diagnostics, c.written, c.read, c.search))
				if err != nil {
					t.Fatal(err)
				}
				records = append(records,
					memory.Record{Kind: memory.KindRun, Time: at, Data: c.config},
					memory.Record{Kind: memory.KindInput, Time: at, Message: transport.UserText("hi")},
					memory.Record{Kind: memory.KindResponse, Time: at, Response: resp, Data: []byte(`{"breakpoints":["messages.0.content.0` + c.ttl + `"]}`)})
			}
			if err := store.Append(t.Context(), "s", memory.Position{}, records...); err != nil {
				t.Fatal(err)
			}
			server := serve(t, store, inspect.Options{Poll: 5 * time.Millisecond})
			list := entries(t, events(t, server.URL+api+"/s/stream", "", len(records)))
			step := list[len(list)-1]["step"].(map[string]any)
			got := ""
			if m, ok := step["miss"].(map[string]any); ok {
				got = fmt.Sprintf("%v %v", m["reason"], m["tokens"])
				if m["place"] != nil {
					got += fmt.Sprintf(" at %v", m["place"])
				}
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			marks := step["marks"].([]any)[0].(map[string]any)
			if marks["record"] != 1.0 || marks["block"] != 0.0 {
				t.Errorf("the mark stands at %v", marks)
			}
		})
	}
}

// The parts of the price add up to the whole.
func TestPrices(t *testing.T) {
	store := new(memory.RAM)
	run(t, newAgent(t, simulator.Loop{Turns: 3}, false, strings.Repeat("Be thorough. ", 500)), store, "s", transport.UserText("go"))
	server := serve(t, store, inspect.Options{Poll: 5 * time.Millisecond})
	info, _ := store.Info(context.Background(), "s")
	steps := 0
	for _, e := range entries(t, events(t, server.URL+api+"/s/stream", "", info.Records)) {
		step, ok := e["step"].(map[string]any)
		if !ok {
			continue
		}
		steps++
		usd := step["usd"].(map[string]any)
		sum := usd["read"].(float64) + usd["written"].(float64) + usd["new"].(float64) + usd["output"].(float64)
		if total := usd["total"].(float64); usd["known"] != true || total <= 0 || sum < total*0.999999 || sum > total*1.000001 {
			t.Errorf("parts %v, whole %v", sum, total)
		}
	}
	if steps != 4 {
		t.Errorf("%d steps", steps)
	}
}

// A summary gives messages other places, and requests beside the conversation
// cost money too.
func TestSummariesAndAsides(t *testing.T) {
	store := new(memory.RAM)
	answer := func(id string, read, written int) *transport.Response {
		resp, err := transport.ParseResponse(fmt.Appendf(nil, `{"id":%q,"model":"claude-opus-5","content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn",`+
			`"usage":{"input_tokens":1,"cache_creation_input_tokens":%d,"cache_read_input_tokens":%d,"output_tokens":1}}`, id, written, read))
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	input := func(text string) memory.Record {
		return memory.Record{Kind: memory.KindInput, Message: transport.UserText(text)}
	}
	marked := func(place string) []byte { return []byte(`{"breakpoints":["` + place + `"]}`) }
	records := []memory.Record{
		input("one"), {Kind: memory.KindResponse, Response: answer("msg_1", 0, 900), Data: marked("messages.0.content.0")},
		input("two"), {Kind: memory.KindResponse, Response: answer("msg_2", 900, 90), Data: marked("messages.2.content.0")},
		{Kind: memory.KindNote, Note: "aside", Data: answer("msg_3", 900, 10).Raw()},
		{Kind: memory.KindSummary, Message: transport.UserText("what was said"), Replaces: 4},
		input("three"), {Kind: memory.KindResponse, Response: answer("msg_4", 0, 70), Data: marked("messages.1.content.0")},
	}
	if err := store.Append(t.Context(), "s", memory.Position{}, records...); err != nil {
		t.Fatal(err)
	}
	server := serve(t, store, inspect.Options{Poll: 5 * time.Millisecond})
	list := entries(t, events(t, server.URL+api+"/s/stream", "", len(records)))
	for n, want := range map[int]float64{1: 0, 3: 2, 7: 6} {
		step := list[n]["step"].(map[string]any)
		if got := step["marks"].([]any)[0].(map[string]any)["record"]; got != want {
			t.Errorf("the mark of record %d stands at record %v, want %v", n, got, want)
		}
		if step["miss"] != nil {
			t.Errorf("record %d: a miss where the prompt is a new one: %v", n, step["miss"])
		}
	}
	if aside, ok := list[4]["aside"].(map[string]any); !ok || aside["usd"].(map[string]any)["total"].(float64) <= 0 {
		t.Errorf("the request beside the conversation: %v", list[4])
	}
	if list[5]["replaces"] != 4.0 {
		t.Errorf("the summary: %v", list[5])
	}
}

// A page that comes back to a session that was deleted, and made again, is told so, and
// gets no records of it: they don't follow on those that it has.
func TestPlacesAreOfOneSession(t *testing.T) {
	store := new(memory.RAM)
	server := serve(t, store, inspect.Options{})
	begin := func(says ...string) (place string) {
		log, err := memory.Create(store, "s", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range says {
			if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText(text)}); err != nil {
				t.Fatal(err)
			}
		}
		all := events(t, server.URL+api+"/s/stream", "", len(says))
		return all[len(all)-1].id
	}
	place := begin("a")
	if err := store.Delete(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	now := begin("b", "c")
	for _, last := range []string{"", place} { // by the header and by the query
		status, body, head := do(t, "GET", server.URL+api+"/s/stream?after="+place, "", "Last-Event-ID", last)
		if status != 200 || body != "event: replaced\ndata: {}\n\n" || head.Get("Content-Type") != "text/event-stream" {
			t.Errorf("status %d, %q", status, body)
		}
	}
	first := strings.Replace(now, "2-", "1-", 1)
	for _, url := range []string{server.URL + api + "/s/stream?after=" + first, server.URL + api + "/s/stream?after=" + place} {
		if list := entries(t, events(t, url, first, 2)); len(list) != 1 || list[0]["n"] != 1.0 {
			t.Errorf("behind the first record: %v", list)
		}
	}
}

// What streams is sent as it comes, without a place of its own, to pages that
// were open as to those that come later; then its record is.
func TestStreamIsLive(t *testing.T) {
	store := new(memory.RAM)
	words := strings.Repeat("It rained again, é. ", 30)
	slow := simulator.Do(simulator.Text(words), simulator.Call("lookup", query{"rain", 10}))
	slow.Delay, slow.DeltaBytes = 10*time.Millisecond, 12
	a := newAgent(t, simulator.Script(simulator.Do(simulator.Call("lookup", query{"rain", 1})), slow, simulator.Say("ok")), false, "")
	live := new(feed.Feed)
	server := serve(t, store, inspect.Options{Feed: live, Poll: 5 * time.Millisecond})
	log, err := memory.Create(store, "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("go")}); err != nil {
		t.Fatal(err)
	}
	const all = 9 // records: input, run, three responses, two times started and result
	seen, late := make(chan []event, 1), make(chan []event, 1)
	go func() { seen <- events(t, server.URL+api+"/s/stream", "", all) }()
	for ev, err := range a.NewRun(agent.Input{Log: log}).Events(live.Attach(t.Context())) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Type == agent.EventStream && ev.Step == 2 && late != nil && ev.Stream.Index == 0 && len(ev.Stream.Delta.Text()) > 0 {
			go func(c chan []event) { c <- events(t, server.URL+api+"/s/stream", "5", all) }(late)
			defer func(c chan []event) { checkLive(t, "a page that came later", <-c, words) }(late)
			late = nil
		}
	}
	if late != nil {
		t.Fatal("nothing streamed")
	}
	checkLive(t, "a page that was open", <-seen, words)
	if info, err := store.Info(t.Context(), "s"); err != nil || info.Records != all {
		t.Errorf("%d records are stored (%v), want %d: nothing of what streamed", info.Records, err, all)
	}
}

// checkLive checks what a page got of the second response, which is record 5.
func checkLive(t *testing.T, who string, list []event, words string) {
	t.Helper()
	var text, input string
	records, parts, came := 0, 0, false
	for _, e := range list {
		switch e.name {
		case "records":
			var batch []struct{ N int }
			if err := json.Unmarshal([]byte(e.data), &batch); err != nil {
				t.Fatal(err)
			}
			records = batch[len(batch)-1].N + 1
			came = came || records > 5
		case "live":
			var v struct {
				N              int
				Writing, Fresh bool
				Blocks         []struct {
					I         int
					Type, Add string
				}
			}
			if err := json.Unmarshal([]byte(e.data), &v); err != nil {
				t.Fatal(err)
			}
			if e.id != "" {
				t.Errorf("%s: what streams has the id %s", who, e.id)
			}
			if v.Writing && v.N > records && records > 0 {
				t.Errorf("%s: record %d streams, but only %d were sent", who, v.N, records)
			}
			if v.N != 5 || !v.Writing {
				continue
			}
			if came {
				t.Errorf("%s: record 5 still streams when it is there", who)
			}
			if v.Fresh {
				text, input = "", ""
			}
			parts++
			for _, b := range v.Blocks {
				if b.I == 0 {
					text += b.Add
				} else {
					input += b.Add
				}
			}
		}
	}
	if !strings.HasPrefix(words, text) || len(text) < len(words)/2 || parts < 3 || !came {
		t.Errorf("%s: %d parts with %q of %q, %q; the record came: %v", who, parts, text, words, input, came)
	}
}

// A sight is what the page shows of a call.
type sight map[string]any

// seen is what a page that is opened now shows of a call.
func seen(t testing.TB, server, session, id string) sight {
	t.Helper()
	found := sight{}
	for _, e := range entries(t, events(t, server+api+"/"+session+"/stream", "", 1)) {
		blocks, _ := e["blocks"].([]any)
		for _, b := range blocks {
			if b := b.(map[string]any); b["type"] == "tool_use" && b["id"] == id {
				found = sight{"record": e["n"], "call": id, "hash": b["hash"]}
			}
		}
	}
	if len(found) == 0 {
		t.Fatalf("no call %s is shown", id)
	}
	return found
}

// form is the part of a decision that says which call it is about.
func (s sight) form() string {
	return fmt.Sprintf(`"record":%v,"call":%q,"hash":%q`, s["record"], s["call"], s["hash"])
}

// Ids repeat on some endpoints. A decision on the call that a stale page shows
// is not one on the call that has its id now.
func TestStaleDecision(t *testing.T) {
	store := new(memory.RAM)
	again := func(q string) simulator.Reply {
		return simulator.Do(simulator.Call("lookup", query{q, 1}).WithID("call_1"))
	}
	a := newAgent(t, simulator.Script(again("ls"), again("rm -rf ~"), simulator.Say("ok")), true, "")
	run(t, a, store, "s", transport.UserText("go"))
	server := serve(t, store, inspect.Options{Poll: 5 * time.Millisecond})
	stale := seen(t, server.URL, "s", "call_1")
	if status, text, _ := do(t, "POST", server.URL+api+"/s/decisions", `{`+stale.form()+`,"approve":true}`); status != 200 {
		t.Fatalf("status %d: %s", status, text)
	}
	if info, err := store.Info(t.Context(), "s"); err != nil || info.Wake.IsZero() {
		t.Errorf("no worker finds the session that can go on: %+v, %v", info, err)
	}
	run(t, a, store, "s")
	log, err := memory.Open(t.Context(), store, "s")
	if err != nil {
		t.Fatal(err)
	}
	if p := agent.Pending(log); len(p) != 1 || !strings.Contains(p[0].Input, "rm -rf") {
		t.Fatalf("waiting: %v", p)
	}
	n := log.Len()
	if status, text, _ := do(t, "POST", server.URL+api+"/s/decisions", `{`+stale.form()+`,"approve":true}`); status != 409 {
		t.Errorf("status %d: %s", status, text)
	}
	if log, err = memory.Open(t.Context(), store, "s"); err != nil || log.Len() != n || len(agent.Pending(log)) != 1 {
		t.Errorf("%d records, %d waiting, %v", log.Len(), len(agent.Pending(log)), err)
	}
}

// A countingStore counts the records that are read.
type countingStore struct {
	memory.Store
	mu   sync.Mutex
	read int
}

func (s *countingStore) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	return func(yield func(memory.Record, error) bool) {
		for r, err := range s.Store.Load(ctx, id, from) {
			s.mu.Lock()
			s.read++
			s.mu.Unlock()
			if !yield(r, err) {
				return
			}
		}
	}
}

// However many pages show a session, its log is read and kept once, and there is a
// bound on how many do.
func TestStreamsShareOneLog(t *testing.T) {
	store := &countingStore{Store: new(memory.RAM)}
	run(t, newAgent(t, simulator.Loop{Turns: 3}, false, ""), store, "s", transport.UserText("go"))
	info, err := store.Info(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	server := serve(t, store, inspect.Options{Poll: 5 * time.Millisecond})
	open := func() (*http.Response, func()) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+api+"/s/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		tr := &http.Transport{}
		resp, err := (&http.Client{Transport: tr}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return resp, func() { resp.Body.Close(); tr.CloseIdleConnections() }
	}
	store.read = 0
	const most = 100
	var ends []func()
	for range most {
		resp, end := open()
		ends = append(ends, end)
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("stream %d: status %d", len(ends), resp.StatusCode)
		}
		buf := make([]byte, 7)
		if _, err := io.ReadFull(resp.Body, buf); err != nil || string(buf) != "event: " {
			t.Fatalf("stream %d begins with %q: %v", len(ends), buf, err)
		}
	}
	store.mu.Lock()
	if store.read != info.Records {
		t.Errorf("%d records were read for %d streams of a session of %d", store.read, most, info.Records)
	}
	store.mu.Unlock()
	resp, end := open()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("one more: status %d", resp.StatusCode)
	}
	end()
	for _, end := range ends {
		end()
	}
	for range 1000 { // until the server has noticed
		resp, end := open()
		end()
		if resp.StatusCode == http.StatusOK {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("streams that ended still count")
}

// A store that panics breaks the streams of the session, not the program.
func TestStoreThatPanics(t *testing.T) {
	store := panickingStore{new(memory.RAM)}
	if err := store.Append(t.Context(), "s", memory.Position{}, memory.Record{Kind: memory.KindInput, Message: transport.UserText("hi")}); err != nil {
		t.Fatal(err)
	}
	server := serve(t, store, inspect.Options{Poll: 5 * time.Millisecond})
	list := events(t, server.URL+api+"/s/stream", "", 0)
	if last := list[len(list)-1]; !strings.Contains(last.data, `"unreadable"`) || strings.Contains(last.data, "secret") {
		t.Errorf("the last event is %v", last)
	}
}

type panickingStore struct{ *memory.RAM }

func (panickingStore) Load(context.Context, string, memory.Position) iter.Seq2[memory.Record, error] {
	panic("secret")
}

// The page tells what a conversation has read.
func TestStateTellsWhatWasRead(t *testing.T) {
	store := new(memory.RAM)
	log, err := memory.Create(store, "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second brings nothing new
		err = log.Append(t.Context(), taint.Note(taint.Labels{Untrusted: true}, "read_page", "toolu_1"), taint.Note(taint.Labels{Private: true}, "read_file", "toolu_2"))
		if err != nil {
			t.Fatal(err)
		}
	}
	all := events(t, serve(t, store, inspect.Options{}).URL+api+"/s/stream", "", 4)
	const want = `"read":[{"labels":"untrusted","tool":"read_page","record":0},{"labels":"private","tool":"read_file","record":1}]`
	if last := all[len(all)-1]; !strings.Contains(last.data, want) {
		t.Errorf("the state is %s", last.data)
	}
}
