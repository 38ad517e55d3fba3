package memory_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/transfer"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/omit"
)

func parseResponse(t testing.TB, raw string) *transport.Response {
	t.Helper()
	r, err := transport.ParseResponse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func parseBlock(t testing.TB, raw string) transport.Block {
	t.Helper()
	b, err := transport.ParseBlock([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// everyKind is one record of each kind, with all that it can hold.
func everyKind(t testing.TB) []memory.Record {
	at := time.Date(2026, 11, 23, 18, 50, 12, 123456789, time.UTC)
	odd := `{"type":"thinking","thinking":"","signature":"EqQB<&>\u00e9=="}`
	resp := parseResponse(t, `{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5-5","content":[`+odd+
		`,{"type":"tool_use","id":"toolu_1","name":"search","input":{"z":9007199254740993,"a":null},"caller":{"type":"direct"}}],"stop_reason":"tool_use","usage":{"input_tokens":3,"output_tokens":5},"new_member":[1.0]}`)
	resp.Cut = []string{"toolu_1"}
	big := parseResponse(t, `{"id":"msg_2","type":"message","role":"assistant","model":"claude-opus-5-5","content":[],"stop_reason":"end_turn"}`)
	big.Meta = transport.Meta{Attempts: 1, Sent: 9007199254740993}
	resp.Meta = transport.Meta{RequestID: "req_1", Attempts: 2, FirstDelta: 3 * time.Millisecond, Duration: time.Second,
		RateLimit: &transport.RateLimit{Tokens: transport.Allowance{Limit: 100, Remaining: 99, Reset: at}}}
	system := transport.Message{Role: transport.RoleSystem, Content: []transport.Block{parseBlock(t, "{\"type\":\"text\",\n\t\"text\":\"raw \u2028 line\"}")},
		ClearAt: "next_user_message", OutputConfig: []byte(`{"effort":"low"}`)}
	return []memory.Record{
		{Kind: memory.KindRun, Time: at, Limits: &memory.Limits{Steps: 100, Pauses: 10, Cuts: -1}},
		{Kind: memory.KindInput, Time: at, Message: transport.UserText("a \"quote\" <and> é\n"), Queued: 1763923812123456789},
		{Kind: memory.KindInput, Time: at, Message: system},
		{Kind: memory.KindResponse, Time: at, Response: resp},
		{Kind: memory.KindStarted, Time: at, Calls: []string{"toolu_1", "toolu_2"}},
		{Kind: memory.KindResult, Time: at, Block: transport.ToolCall{ID: "toolu_1"}.AnswerError(transport.Text("no")), Final: true},
		{Kind: memory.KindApprovalRequest, Time: at, ApprovalRequests: []memory.ApprovalRequest{{CallID: "toolu_1", Hash: "00ff", Reason: "costs money"}}},
		{Kind: memory.KindDecision, Time: at, Decision: &memory.Decision{CallID: "toolu_1", Hash: "00ff", Approve: true, Reason: "once", Input: []byte("{\"a\":\n1}")}},
		{Kind: memory.KindSummary, Time: at, Message: transport.Message{Role: transport.RoleAssistant, Content: []transport.Block{parseBlock(t, `{"type":"compaction","content":"so far","signature":"c2ln"}`)}}, Replaces: 40},
		{Kind: memory.KindNote, Time: at, Note: "interrupted", Data: []byte(`"a string"`)},
		{Kind: memory.KindNote, Time: at, Data: []byte("{\"not utf-8\":\"\xff\"}")},
		{Kind: memory.KindSealed, Time: at, Data: []byte(`{"box":"AA=="}`)},
		{Kind: memory.KindNote},
		{Kind: memory.KindApprovalRequest, ApprovalRequests: []memory.ApprovalRequest{{CallID: "toolu_1", Hash: "00ff", Rule: "spending"}}},
		{Kind: memory.KindOmission, Time: at, Omission: &omit.Omission{
			Blocks:     []omit.Place{{Message: 0, Block: 1}, {Message: 2, Block: 0, Inner: 3}},
			Containers: []string{"container_1"}, MCPServers: []string{"search"}, Text: "<gone>",
		}},
		{Kind: memory.KindResponse, Time: at, Response: big},
	}
}

// wireOf is what of a record can reach the service, in bytes.
func wireOf(r memory.Record) string {
	var b bytes.Buffer
	b.Write(r.Message.AppendJSON(nil))
	b.Write(r.Block.Raw())
	if r.Response != nil {
		b.Write(r.Response.Raw())
	}
	if r.Decision != nil {
		b.Write(r.Decision.Input)
	}
	return b.String()
}

// The golden file was written by version 1. It must be readable for ever, so it
// is never regenerated: a new member gets a line, a new version a file of its own.
func TestGoldenV1(t *testing.T) {
	golden, err := os.ReadFile("testdata/v1.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(golden), "\n"), "\n")
	want := everyKind(t)
	if len(lines) != len(want) {
		t.Fatalf("%d lines for %d records", len(lines), len(want))
	}
	for i, line := range lines {
		got, err := memory.ParseRecord([]byte(line))
		if err != nil {
			t.Errorf("line %d: %v", i, err)
			continue
		}
		if wireOf(got) != wireOf(want[i]) {
			t.Errorf("line %d: wire bytes\n%s, want\n%s", i, wireOf(got), wireOf(want[i]))
		}
		for name, r := range map[string]memory.Record{"read": got, "made": want[i]} {
			if out, err := r.AppendJSON(nil); err != nil || string(out) != line {
				t.Errorf("line %d, the record %s: written as\n%s (%v), want\n%s", i, name, out, err, line)
			}
		}
	}
}

func TestParseRecordRefuses(t *testing.T) {
	for _, tt := range []struct{ raw, want string }{
		{``, "not a JSON object"},
		{`{"v":1,"kind":"note"`, "not a JSON object"},
		{`[]`, "not a JSON object"},
		{`{}`, "missing"},
		{`{"v":1}`, "missing"},
		{`{"kind":"note","v":1}`, `begins with "v" and "kind"`},
		{`{"v":2,"kind":"note"}`, `unknown version 2`},
		{`{"v":1,"kind":"thought","x":1}`, `unknown kind "thought"`},
		{`{"v":1,"kind":"note","x":1}`, `unknown member "x"`},
		{`{"v":1,"kind":"run","limits":{"hops":1}}`, `unknown field "hops"`},
		{`{"v":1,"kind":"input"}`, "missing"},
		{`{"v":1,"kind":"input","message":{"role":"user","content":"x"}}`, "content is not a list"},
		{`{"v":1,"kind":"input","message":{"role":"user","content":["x"]}}`, "should hold JSON"},
		{`{"v":1,"kind":"input","message":{"role":"user","content":[],"x":1}}`, `unknown member "x"`},
		{`{"v":1,"kind":"response","response":[]}`, "not a JSON object"},
		{`{"v":1,"kind":"response","response":"base64:!"}`, "illegal base64"},
		{`{"v":1,"kind":"result","block":{"no":"type"}}`, `no "type"`},
		{`{"v":1,"kind":"started","calls":"a"}`, "not a list"},
		{`{"v":1,"kind":"note","time":"yesterday"}`, "no RFC 3339 time"},
		{`{"v":1,"kind":"result","block":{"type":"t"},"final":1}`, "neither true nor false"},
		{`{"v":1,"kind":"input","message":{"role":"user","content":[]},"queued":1.5}`, "not an integer"},
		{`{"v":1,"kind":"response","response":{},"meta":{"rate_limit":{"tokens":{"x":1}}}}`, `unknown member "x"`},
		{`{"v":1,"kind":"note","note":7}`, "not a string"},
		{`{"v":1,"kind":"omission"}`, "missing"},
		{`{"v":1,"kind":"omission","omission":{"all":true}}`, `unknown field "all"`},
		{`{"v":1,"kind":"omission","omission":{"blocks":["messages.1"]}}`, "not a place in the messages"},
		{`{"v":1,"kind":"omission","omission":{"blocks":["messages.1.content.-1"]}}`, "not a place in the messages"},
		{`{"v":1,"kind":"decision","decision":{"call_id":"a","sure":true}}`, `unknown member "sure"`},
	} {
		if _, err := memory.ParseRecord([]byte(tt.raw)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.raw, err, tt.want)
		}
	}
}

// A message keeps the members that no field is there for, whatever they are called.
func TestMessageExtra(t *testing.T) {
	var m transport.Message
	if err := json.Unmarshal([]byte(`{"role":"user","content":"hi","id":"m_1","od\"d":[1.50,null],"lines":"a\nb","empty":{ }}`), &m); err != nil {
		t.Fatal(err)
	}
	raw, err := (&memory.Record{Kind: memory.KindInput, Message: m}).AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	read, err := memory.ParseRecord(raw)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"role":"user","content":[{"type":"text","text":"hi"}],"empty":{ },"id":"m_1","lines":"a\nb","od\"d":[1.50,null]}`
	if got := string(read.Message.AppendJSON(nil)); got != want {
		t.Errorf("read again\n%s, want\n%s", got, want)
	}
	m.Extra["empty"] = json.RawMessage("{")
	if _, err := (&memory.Record{Kind: memory.KindInput, Message: m}).AppendJSON(nil); err == nil || !strings.Contains(err.Error(), `"empty" is not JSON`) {
		t.Errorf("error is %v, want one that names the member", err)
	}
}

func TestAppendJSONRefuses(t *testing.T) {
	for _, tt := range []struct {
		r    memory.Record
		want string
	}{
		{memory.Record{Kind: "thought"}, `the kind "thought" is unknown`},
		{memory.Record{Kind: memory.KindResponse}, "no response"},
		{memory.Record{Kind: memory.KindResult}, "missing"},
		{memory.Record{Kind: memory.KindDecision}, "no decision"},
		{memory.Record{Kind: memory.KindNote, Data: []byte("{")}, "data is not JSON"},
		{memory.Record{Kind: memory.KindStarted, Calls: []string{"\xff"}}, "not UTF-8"},
		{memory.Record{Kind: memory.KindNote, Time: time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC)}, "year 12345"},
	} {
		out, err := tt.r.AppendJSON([]byte("x"))
		if err == nil || !strings.Contains(err.Error(), tt.want) || string(out) != "x" {
			t.Errorf("%+v: %q, %v, want %q", tt.r, out, err, tt.want)
		}
	}
}

// What was written is read back with the same wire bytes, and written the same
// again, whatever the bytes of the block are.
func FuzzRecordRoundTrip(f *testing.F) {
	for _, s := range []string{`{"type":"text","text":"x"}`, "{\"type\":\"a\",\r\n\"b\":\"\xff\"}", `{"type":"t","n":1E400,"type":"u"}`} {
		f.Add([]byte(s), "toolu_1", int64(1))
	}
	f.Fuzz(func(t *testing.T, raw []byte, word string, n int64) {
		b, err := transport.ParseBlock(bytes.Clone(raw))
		if err != nil {
			return
		}
		at := time.Unix(n%(1<<37), n&0xfffffff)
		records := []memory.Record{
			{Kind: memory.KindResult, Time: at, Block: b},
			{Kind: memory.KindInput, Message: transport.Message{Role: transport.Role(word), Content: []transport.Block{b, b}, ClearAt: word, OutputConfig: raw}, Queued: n},
			{Kind: memory.KindDecision, Decision: &memory.Decision{CallID: word, Input: raw}},
			{Kind: memory.KindNote, Note: word, Data: raw},
		}
		if resp, err := transport.ParseResponse(raw); err == nil {
			resp.Cut = []string{word}
			resp.Meta.RequestID = word
			records = append(records, memory.Record{Kind: memory.KindResponse, Response: resp})
		}
		for _, r := range records {
			out, err := r.AppendJSON(nil)
			if err != nil {
				continue // refused: nothing was written
			}
			if bytes.ContainsAny(out, "\n\r") || !jsonUTF8(out) {
				t.Fatalf("not a line of JSON in UTF-8: %q", out)
			}
			back, err := memory.ParseRecord(out)
			if err != nil {
				t.Fatalf("%s: %v", out, err)
			}
			if w, want := wireOf(back), wireOf(trimmed(r)); w != want {
				t.Fatalf("wire bytes %q, want %q", w, want)
			}
			if !back.Time.Equal(r.Time) {
				t.Fatalf("time %v, want %v", back.Time, r.Time)
			}
			if again, err := back.AppendJSON(nil); err != nil || !bytes.Equal(again, out) {
				t.Fatalf("written again as %s (%v), want %s", again, err, out)
			}
		}
	})
}

// Any bytes give a record or an error; a record that was read can be written
// and read again.
func FuzzParseRecord(f *testing.F) {
	golden, err := os.ReadFile("testdata/v1.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	for line := range bytes.Lines(golden) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := memory.ParseRecord(bytes.Clone(raw))
		if err != nil {
			return
		}
		out, err := r.AppendJSON(nil)
		if err != nil {
			t.Fatalf("%q was read but can't be written: %v", raw, err)
		}
		back, err := memory.ParseRecord(out)
		if err != nil || wireOf(back) != wireOf(r) {
			t.Fatalf("%q: read back as %q, %v", out, wireOf(back), err)
		}
	})
}

func FuzzReadExport(f *testing.F) {
	f.Add([]byte(`{"v":1,"format":"whorl session","id":"s","records":1,"created":"2026-01-01T00:00:00Z","changed":"2026-01-01T00:00:00Z"}` + "\n" + `{"v":1,"kind":"note"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		info, records, err := transfer.Read(bytes.NewReader(raw))
		if err != nil {
			return
		}
		n := 0
		for _, err := range records {
			if err != nil {
				return
			}
			n++
		}
		if n != info.Records {
			t.Fatalf("%d records, the header says %d", n, info.Records)
		}
		transfer.Import(context.Background(), new(memory.RAM), bytes.NewReader(raw), "s", nil)
		transfer.Import(context.Background(), new(memory.RAM), bytes.NewReader(raw), "s", &transfer.Options{Trusted: true})
	})
}

func TestExportImport(t *testing.T) {
	ctx := context.Background()
	store := new(memory.RAM)
	log, err := memory.Create(store, "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Append(ctx, input("hello"), response(t, "tool_use", callA), result("a", strings.Repeat("long ", 40_000)), response(t, "end_turn", text)); err != nil {
		t.Fatal(err)
	}
	store.SetMeta(ctx, "s", "user", "ann")
	var out bytes.Buffer
	if err := transfer.Export(ctx, store, "s", &out); err != nil {
		t.Fatal(err)
	}
	whole := out.String()

	info, err := transfer.Import(ctx, store, strings.NewReader(whole), "copy", &transfer.Options{Trusted: true})
	if err != nil || info.ID != "copy" || info.Records != 4 || info.Meta["user"] != "ann" {
		t.Fatalf("imported %+v, %v", info, err)
	}
	back, err := memory.Open(ctx, store, "copy")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := requestBytes(back), requestBytes(log); got != want {
		t.Errorf("the copy sends\n%.300s, want\n%.300s", got, want)
	}
	if _, err := transfer.Import(ctx, store, strings.NewReader(whole), "copy", &transfer.Options{Trusted: true}); !errors.Is(err, memory.ErrConflict) {
		t.Errorf("imported over a session: %v", err)
	}

	lines := strings.SplitAfter(whole, "\n")
	for name, tt := range map[string]struct {
		text     string
		readable int
		want     string
	}{
		"cut between lines": {strings.Join(lines[:3], ""), 2, "record 2 can't be read (those before it can): the file is truncated"},
		"cut inside a line": {whole[:len(whole)-20], 3, "record 3 can't be read"},
		"damaged":           {lines[0] + lines[1] + "\x00" + strings.Join(lines[2:], ""), 1, "record 1 can't be read"},
		"a line too many":   {whole + lines[1], 4, "announces only 4 records"},
	} {
		_, records, err := transfer.Read(strings.NewReader(tt.text))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		var last error
		for _, err := range records {
			if last = err; err == nil {
				n++
			}
		}
		if n != tt.readable || !errors.Is(last, memory.ErrCorrupt) || !strings.Contains(last.Error(), tt.want) {
			t.Errorf("%s: %d records, then %v; want %d, then %q", name, n, last, tt.readable, tt.want)
		}
		if _, err := transfer.Import(ctx, store, strings.NewReader(tt.text), "bad", nil); !errors.Is(err, memory.ErrCorrupt) {
			t.Errorf("%s: import: %v", name, err)
		}
		if _, err := store.Info(ctx, "bad"); !errors.Is(err, memory.ErrNoSession) {
			t.Errorf("%s: a part was imported", name)
		}
	}
	for _, text := range []string{"", "{}\n", `{"v":9,"format":"whorl session"}`} {
		if _, _, err := transfer.Read(strings.NewReader(text)); err == nil {
			t.Errorf("%q was taken for an export", text)
		}
	}
}

func requestBytes(l *memory.Log) string {
	var out []byte
	for _, m := range l.Messages() {
		out = m.AppendJSON(out)
	}
	return string(out)
}

func jsonUTF8(b []byte) bool { return json.Valid(b) && utf8.Valid(b) }

// trimmed is r without the white space around JSON that its caller gave, which
// no form keeps.
func trimmed(r memory.Record) memory.Record {
	r.Message.OutputConfig = bytes.Trim(r.Message.OutputConfig, " \t\r\n")
	if r.Decision != nil {
		r.Decision = &memory.Decision{Input: bytes.Trim(r.Decision.Input, " \t\r\n")}
	}
	return r
}
