package memory_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// Each member comes back as it was, and in the place where it was.
func TestRecordsAreWrittenWhole(t *testing.T) {
	at := time.Date(2026, 11, 28, 1, 2, 3, 4, time.UTC)
	resp := parseResponse(t, `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":"end_turn"}`)
	resp.Meta = transport.Meta{RequestID: "req_1", Endpoint: "bedrock", Attempts: 2, FirstDelta: 3, Duration: 4, Sent: 5, RateLimit: &transport.RateLimit{
		Requests:     transport.Allowance{Limit: 10, Remaining: 1, Reset: at},
		Tokens:       transport.Allowance{Limit: 20, Remaining: 2},
		InputTokens:  transport.Allowance{Limit: 30, Remaining: 3, Reset: at.Add(time.Hour)},
		OutputTokens: transport.Allowance{Limit: 40, Remaining: 4},
	}}
	const begin = `{"v":1,"kind":"`
	for _, tt := range []struct {
		r    memory.Record
		want string
	}{
		{memory.Record{Kind: memory.KindRun, Limits: &memory.Limits{Steps: 1, Pauses: 2, Cuts: 3, Malformed: 4}, Data: []byte(`{"a":1}`)},
			`run","limits":{"steps":1,"pauses":2,"cuts":3,"malformed":4},"data":{"a":1}}`},
		{memory.Record{Kind: memory.KindRun, Limits: &memory.Limits{Steps: 1}}, `run","limits":{"steps":1,"pauses":0,"cuts":0}}`},
		{memory.Record{Kind: memory.KindResponse, Response: resp, Data: []byte(`{"b":2}`)}, `response","response":` + string(resp.Raw()) +
			`,"meta":{"request_id":"req_1","endpoint":"bedrock","attempts":2,"first_delta_ns":3,"duration_ns":4,"sent_bytes":5,"rate_limit":{` +
			`"requests":{"limit":10,"remaining":1,"reset":"2026-11-28T01:02:03.000000004Z"},"tokens":{"limit":20,"remaining":2},` +
			`"input_tokens":{"limit":30,"remaining":3,"reset":"2026-11-28T02:02:03.000000004Z"},"output_tokens":{"limit":40,"remaining":4}}},"data":{"b":2}}`},
		{memory.Record{Kind: memory.KindNote, Time: at.In(time.FixedZone("", 3600)), Aside: []string{"sha256:0", "sha256:1"}, Note: "n"},
			`note","time":"2026-11-28T01:02:03.000000004Z","aside":["sha256:0","sha256:1"],"note":"n"}`},
		{memory.Record{Kind: memory.KindNote, Data: []byte("{\"a\":\r1}")}, `note","data":"{\"a\":\r1}"}`},
		{memory.Record{Kind: memory.KindNote, Data: []byte(` {"a":1} `)}, `note","data":{"a":1}}`},
		{memory.Record{Kind: memory.KindApprovalRequest, ApprovalRequests: []memory.ApprovalRequest{{CallID: "a", Hash: "0"}, {CallID: "b", Hash: "1", Reason: "r", Rule: "u"}}},
			`ask","asks":[{"call_id":"a","hash":"0"},{"call_id":"b","hash":"1","reason":"r","rule":"u"}]}`},
		{memory.Record{Kind: memory.KindDecision, Decision: &memory.Decision{CallID: "a", Hash: "0", Reason: "no", Input: []byte(`{}`)}},
			`decision","decision":{"call_id":"a","hash":"0","approve":false,"reason":"no","input":{}}}`},
		{memory.Record{Kind: memory.KindResult, Block: parseBlock(t, `{"type":"tool_result","tool_use_id":"a"}`)}, `result","block":{"type":"tool_result","tool_use_id":"a"}}`},
	} {
		out, err := tt.r.AppendJSON([]byte("> "))
		if want := "> " + begin + tt.want; err != nil || string(out) != want {
			t.Errorf("written as\n%s (%v), want\n%s", out, err, want)
			continue
		}
		back, err := memory.ParseRecord(out[1:]) // white space around it is none of it
		if err != nil {
			t.Errorf("%s: %v", out, err)
			continue
		}
		if again, err := back.AppendJSON([]byte("> ")); err != nil || string(again) != string(out) {
			t.Errorf("read and written again as\n%s (%v), want\n%s", again, err, out)
		}
	}
}

// A record may have been written by another program: what is valid JSON of the same
// meaning is read, what a record of this kind can't hold is not.
func TestRecordsOfOtherPrograms(t *testing.T) {
	at := time.Date(2026, 11, 28, 1, 2, 3, 0, time.UTC)
	for _, raw := range []string{
		`{"v":1,"kind":"not\u0065","time":"2026-11-28T02:02:03+01:00","note":"n"}`,
		"\n{\"v\":1, \"kind\":\"note\",\"time\":\"2026-11-28T01:02:03\\u005a\",\"note\":\"n\"} ",
	} {
		r, err := memory.ParseRecord([]byte(raw))
		if err != nil || r.Kind != memory.KindNote || r.Time != at || r.Note != "n" {
			t.Errorf("%s: %+v, %v", raw, r, err)
		}
	}
	for _, tt := range []struct {
		raw, want string
		newer     bool
	}{
		{`{"v":0,"kind":"note"}`, "unknown version 0", true},
		{`{"v":"1","kind":"note"}`, `unknown version "1"`, true},
		{`{"v":2,"kind":"note"}`, "unknown version 2", true},
		{`{"v":1,"kind":"thought"}`, "unknown kind", true},
		{`{"v":1,"kind":"started","calls":[],"data":{}}`, `unknown member "data"`, true},
		{`{"v":1,"kind":"started","calls":[],"note":"n"}`, `unknown member "note"`, true},
		{`{"v":1,"kind":"note","queued":1}`, `unknown member "queued"`, true},
		{`{"v":1,"kind":"run","limits":null}`, "null is no value", false},
		{`{"v":1,"kind":"result"}`, "is missing", false},
		{`{"v":1,"kind":"started"}`, "is missing", false},
		{`{"v":1,"kind":"decision"}`, "is missing", false},
		{`{"v":1,"kind":"ask"}`, "is missing", false},
		{`{"v":1,"kind":"summary","replaces":1}`, "is missing", false},
		{`{"v":1,"kind":"note","time":"+10000-01-01T00:00:00Z"}`, "no RFC 3339 time", false},
		{`{"v":1,"kind":"note","time":"0000-01-01T00:00:00+01:00"}`, "no RFC 3339 time", false},
		{"{\"v\":1,\"kind\":\"note\",\"note\":\"\xff\"}", "not a string of UTF-8", false},
		{`{"v":1,"kind":"note","data":"no JSON"}`, "should hold JSON", false},
		{`{"v":1,"kind":"response","response":{"content":[]},"meta":[]}`, "not an object", false},
		{`{"v":1,"kind":"note","x":1,"y":2}`, `unknown member "x"`, true}, // the first of them
	} {
		_, err := memory.ParseRecord([]byte(tt.raw))
		if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, errors.ErrUnsupported) != tt.newer {
			t.Errorf("%s: %v, newer: %t; want %q, %t", tt.raw, err, errors.Is(err, errors.ErrUnsupported), tt.want, tt.newer)
		}
	}
	// An error shows where it is, and not megabytes.
	if _, err := memory.ParseRecord([]byte(strings.Repeat("x", 100_000))); err == nil || len(err.Error()) > 200 || !strings.Contains(err.Error(), "100000 bytes") {
		t.Errorf("of a long line: %.300v", err)
	}
}

// What the service would refuse in each later request doesn't come into a log or an inbox.
func TestCheckInput(t *testing.T) {
	user := func(blocks ...transport.Block) transport.Message {
		return transport.Message{Role: transport.RoleUser, Content: blocks}
	}
	raw := func(s string) transport.Block { return parseBlock(t, s) }
	good := transport.Text("x")
	for _, tt := range []struct {
		name string
		m    transport.Message
		want string // "" if it is taken
	}{
		{"text", user(good), ""},
		{"the system's text", transport.SystemText("x"), ""},
		{"settings alone", transport.Message{Role: transport.RoleSystem, OutputConfig: []byte(`{"effort":"low"}`)}, ""},
		{"an unknown block", user(raw(`{"type":"from_next_year"}`)), ""},
		{"the assistant's", transport.Message{Role: transport.RoleAssistant, Content: []transport.Block{good}}, `not "assistant"`},
		{"no role", transport.Message{Content: []transport.Block{good}}, `not ""`},
		{"nothing", user(), "needs content"},
		{"the zero block", user(good, transport.Block{}), "content.1: the zero Block"},
		{"white space", user(good, transport.Text(" \n")), "content.1: the text is empty"},
		{"a result", user(good, transport.ToolResult("a")), "content.1: a tool_result is no input"},
		{"a call", user(raw(callA)), "content.0: a block of type tool_use is the model's"},
		{"thinking", user(raw(thought)), "content.0: a block of type thinking is the model's"},
		{"no picture", user(raw(`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}`)), "content.0"},
		{"no PDF", user(good, raw(`{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"}}`)), "content.1"},
	} {
		err := memory.CheckInput(tt.m)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if tt.m.Role == transport.RoleAssistant {
			continue
		}
		if err := memory.NewLog().Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: tt.m}); (err == nil) != (tt.want == "") {
			t.Errorf("%s, appended: %v, want %q", tt.name, err, tt.want)
		}
		store := new(memory.RAM)
		if err := store.Append(t.Context(), "s", memory.Position{}); err != nil {
			t.Fatal(err)
		}
		if err := memory.Enqueue(t.Context(), store, "s", tt.m); (err == nil) != (tt.want == "") {
			t.Errorf("%s, enqueued: %v, want %q", tt.name, err, tt.want)
		}
	}
	// New arguments of a call are an object.
	for _, in := range []string{`[]`, `"x"`, `{`, ` `} {
		log := memory.NewLog()
		begin := []memory.Record{input("q"), response(t, "tool_use", callA), {Kind: memory.KindApprovalRequest, ApprovalRequests: []memory.ApprovalRequest{{CallID: "a"}}}}
		if err := log.Append(t.Context(), begin...); err != nil {
			t.Fatal(err)
		}
		err := log.Append(t.Context(), memory.Record{Kind: memory.KindDecision, Decision: &memory.Decision{CallID: "a", Approve: true, Input: []byte(in)}})
		if err == nil || !strings.Contains(err.Error(), "not a JSON object") {
			t.Errorf("arguments %q: %v", in, err)
		}
	}
}

// Errors are what a caller asks for.
func TestErrorsMatch(t *testing.T) {
	for _, tt := range []struct {
		err, is, isnt error
		want          string
	}{
		{&memory.RecordError{Record: 3, Err: memory.ErrLocked}, memory.ErrCorrupt, memory.ErrLeased, "record 3"},
		{&memory.RecordError{Record: 3, Err: memory.ErrLocked}, memory.ErrLocked, memory.ErrConflict, "locked"},
		{&memory.LeaseError{ID: "s", Owner: "pod-1", Until: time.Unix(0, 0).UTC()}, memory.ErrLeased, memory.ErrLocked, `session "s": another process works on the session: pod-1, until 1970-01-01T00:00:00Z`},
		{&memory.AbilityError{Ability: "memory.Forker", Store: "*x.Store"}, errors.ErrUnsupported, memory.ErrNoSession, "the store *x.Store is no memory.Forker"},
	} {
		if !errors.Is(tt.err, tt.is) || errors.Is(tt.err, tt.isnt) || !strings.Contains(tt.err.Error(), tt.want) {
			t.Errorf("%v: is %v %t, is %v %t, want %q", tt.err, tt.is, errors.Is(tt.err, tt.is), tt.isnt, errors.Is(tt.err, tt.isnt), tt.want)
		}
	}
}
