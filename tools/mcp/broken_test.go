package mcp_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/mcp"
	"github.com/whorl-go/whorl/transport"
)

const one = `{"tools":[{"name":"do","inputSchema":{"type":"object"}}]}`

// A handler keeps what is logged.
type logged struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

func (l *logged) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// raw connects to a rawServer. The last command started is in *last.
func raw(t testing.TB, list string, o mcp.Options) (c *mcp.Client, last **exec.Cmd) {
	last = new(*exec.Cmd)
	c, err := mcp.Command(t.Context(), func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = []string{"WHORL_MCP_RAW=" + strings.ReplaceAll(list, "\n", " ")}
		*last = cmd
		return cmd
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, last
}

func definition(t testing.TB, tool tools.Tool) string {
	def, err := tool.Definition()
	if err != nil {
		t.Fatal(err)
	}
	return string(def.Raw())
}

// One tool that is wrong costs itself, or the field that is wrong.
func TestOneBadToolCostsNoOther(t *testing.T) {
	var log logged
	c, _ := raw(t, `{"tools":[
		{"name":"none"}, {"name":"null","inputSchema":null}, {"name":"list","inputSchema":[1]}, {"name":"true","inputSchema":true},
		{"name":7,"inputSchema":{"type":"object"}}, {"inputSchema":{"type":"object"}}, null, "text",
		{"name":"fields","description":["no"],"annotations":"none","title":3,"icons":{},"_meta":5,"inputSchema":{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"integer","maximum":9007199254740993}}}},
		{"name":"draft4","inputSchema":{"$schema":"http://json-schema.org/draft-04/schema#","type":"object","properties":{"n":{"type":"number","minimum":0,"exclusiveMinimum":true}}}},
		{"name":"tuple","inputSchema":{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"p":{"type":"array","items":[{"type":"string"},{"type":"number"}]}}}},
		{"name":"wrong","inputSchema":{"type":"object","properties":{"a":{"type":"any","description":null},"kept":{"type":"string"}},"required":true}},
		{"name":"a.b","inputSchema":{"type":"object"}}, {"name":"a_b","inputSchema":{"type":"object"}}, {"name":"a b","inputSchema":{"type":"object"}},
		{"name":"a_b","description":"twice","inputSchema":{"type":"object"}},
		{"name":"wordy","description":"`+strings.Repeat("w", 50_000)+`","inputSchema":{"type":"object"}},
		{"name":"bomb","inputSchema":`+bomb(24)+`}
	]}`, mcp.Options{Logger: log.logger()})
	set := list(t, c)
	names := ""
	for _, name := range []string{"none", "null", "list", "true", "fields", "draft4", "tuple", "wrong", "a_b", "a_b_2", "a_b_3", "wordy", "bomb"} {
		if set[name] == nil {
			names += " " + name
		}
	}
	if names != "" || len(set) != 13 {
		t.Fatalf("%d tools, missing:%s\n%s", len(set), names, log.String())
	}
	for name, want := range map[string]string{
		"none": `"input_schema":{"type":"object"`, "null": `"input_schema":{"type":"object"`, "list": `"input_schema":{"type":"object"`,
		"fields": `"properties":{"z":{"type":"string"},"a":{"type":"integer","maximum":9007199254740993}}`,
		"draft4": `"exclusiveMinimum":0`, "tuple": `"prefixItems"`, "wrong": `"kept":{"type":"string"}`,
		"wordy": `[cut: the description has 50000 bytes]`,
	} {
		if got := definition(t, set[name]); !strings.Contains(got, want) {
			t.Errorf("%s has no %s: %.400s", name, want, got)
		}
	}
	if got := definition(t, set["a_b"]); strings.Contains(got, "twice") {
		t.Errorf("the second of two tools with one name took the first one's place: %s", got)
	}
	for _, want := range []string{"has no name", "is no object", "exclusiveMinimum", "lists a tool twice", "description of a tool was cut", `tool=a.b name=a_b_`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log doesn't tell %q:\n%s", want, log.String())
		}
	}
}

// bomb is a schema whose size doubles with each level when it is followed.
func bomb(levels int) string {
	var b strings.Builder
	b.WriteString(`{"type":"object","$defs":{"d0":{"type":"string"}`)
	for i := 1; i <= levels; i++ {
		n := string(rune('a' + i - 1))
		prev := "d0"
		if i > 1 {
			prev = string(rune('a' + i - 2))
		}
		b.WriteString(`,"` + n + `":{"allOf":[{"$ref":"#/$defs/` + prev + `"},{"$ref":"#/$defs/` + prev + `"}]}`)
	}
	b.WriteString(`},"properties":{"x":{"$ref":"#/$defs/` + string(rune('a'+levels-1)) + `"}}}`)
	return b.String()
}

func TestListsWithoutEnd(t *testing.T) {
	for list, want := range map[string]string{"endless": "list is too long", "circle": "cursor twice"} {
		c, _ := raw(t, list, mcp.Options{})
		set, err := c.Tools(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %d tools, %v", list, len(set), err)
		}
	}
}

// A server's own error is no loss of the connection, whatever words it has.
func TestServersErrorsKeepTheSession(t *testing.T) {
	c, _ := raw(t, one, mcp.Options{})
	do := list(t, c)["do"]
	first := call(t, do, `{}`)
	for _, message := range []string{"dial tcp 10.0.0.5:5432: connect: connection refused", "unexpected EOF", "broken pipe", "connection closed", "client is closing", "session not found"} {
		raw, _ := json.Marshal(map[string]string{"do": "error", "message": message})
		if got := call(t, do, string(raw)); !strings.Contains(got, message) || strings.Contains(got, "may have had its effect") {
			t.Errorf("%s: %s", message, got)
		}
	}
	if got := call(t, do, `{"do":"badError"}`); !strings.Contains(got, "it failed") {
		t.Errorf("an error that is a string: %s", got)
	}
	for what, want := range map[string]string{"quoted id": "quoted", "no id": "!calling \"tools/call\": parse error"} {
		if got := call(t, do, `{"do":"`+what+`"}`); got != want {
			t.Errorf("%s: %s", what, got)
		}
	}
	last := call(t, do, `{}`)
	if a, b, _ := strings.Cut(first, " of "); a != "call 1" || last != "call 11 of "+b {
		t.Errorf("the server was started again: %q, then %q", first, last)
	}
}

// What died while nobody used it is connected again, and the call is made.
func TestDiedWhileIdle(t *testing.T) {
	c, last := raw(t, one, mcp.Options{})
	do := list(t, c)["do"]
	call(t, do, `{}`)
	for range 3 {
		kill(t, *last)
		if _, err := c.Tools(t.Context()); err != nil {
			t.Errorf("Tools after the server died: %v", err)
		}
		kill(t, *last)
		if got := call(t, do, `{}`); !strings.HasPrefix(got, "call 1 of process ") {
			t.Errorf("a call after the server died: %s", got)
		}
	}
}

// kill ends a server and waits until its end is known, which the process package
// tells by reaping it.
func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for cmd.Process.Signal(syscall.Signal(0)) == nil {
	}
}

func TestDiesDuringTheCall(t *testing.T) {
	c, last := raw(t, one, mcp.Options{})
	do, server := list(t, c)["do"], *last
	if got := call(t, do, `{"do":"die"}`); !strings.Contains(got, "may have had its effect") || !strings.Contains(got, "exit status 3") {
		t.Errorf("a call that killed the server: %s", got)
	}
	if *last != server {
		t.Error("the call was made again, by another server")
	}
	if got := call(t, do, `{}`); !strings.HasPrefix(got, "call 1 of") {
		t.Errorf("the next call: %s", got)
	}
}

func TestNoiseAndLongLines(t *testing.T) {
	var log logged
	c, _ := raw(t, one, mcp.Options{Logger: log.logger(), MaxMessageBytes: 50_000})
	do := list(t, c)["do"]
	for range 2 {
		if got := call(t, do, `{"do":"noise"}`); !strings.HasPrefix(got, "call ") {
			t.Errorf("a call with noise: %s", got)
		}
		if got := call(t, do, `{"do":"long"}`); !strings.Contains(got, "more than 50000 bytes") {
			t.Errorf("a long line: %.200s", got)
		}
	}
	if got := call(t, do, `{}`); !strings.HasPrefix(got, "call 5 of") {
		t.Errorf("after it: %s", got)
	}
	for _, want := range []string{"My server 1.0 is starting", "listening", "Loading model", "progress:"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %q", want)
		}
	}
}

// A server's requests are refused at once.
func TestRequestsOfTheServer(t *testing.T) {
	c, _ := raw(t, one, mcp.Options{})
	do := list(t, c)["do"]
	for what, want := range map[string]string{"ask": `"error":`, "sample": `"error":`, "roots": `"id":"q"`} {
		if got := call(t, do, `{"do":"`+what+`"}`); !strings.Contains(got, want) {
			t.Errorf("%s is answered with %s", what, got)
		}
	}
}

func TestNothingOfAResultIsLost(t *testing.T) {
	c, _ := raw(t, one, mcp.Options{})
	do := list(t, c)["do"]
	for _, tt := range []struct{ name, result, want string }{
		{"unknown type", `{"content":[{"type":"text","text":"a"},{"type":"video","url":"v"},{"type":"text","text":"b"}]}`, `a[content of type "video"] {"type":"video","url":"v"}b`},
		{"isError in quotes", `{"content":[{"type":"text","text":"a"}],"isError":"true"}`, `!a`},
		{"content is text", `{"content":"plain"}`, `plain`},
		{"content is one", `{"content":{"type":"text","text":"a"}}`, `a`},
		{"items are texts", `{"content":["a",null,{"type":"text","text":"b"}]}`, `a[content of type ""] nullb`},
		{"a result that is text", `"done"`, `done`},
		{"structured alone", `{"content":[],"structuredContent":{"n":9007199254740993,"z":1,"a":1.10}}`, `{"n":9007199254740993,"z":1,"a":1.10}`},
		{"structured, other text", `{"content":[{"type":"text","text":"Done."}],"structuredContent":{"id":"x-17"}}`, `Done.{"id":"x-17"}`},
		{"structured, same text", `{"content":[{"type":"text","text":"{\"id\": \"x-17\"}"}],"structuredContent":{"id":"x-17"}}`, `{"id": "x-17"}`},
		{"structured, result alone", `{"content":[{"type":"text","text":"x-17"}],"structuredContent":{"result":"x-17"}}`, `x-17`},
		{"structured is a list", `{"content":[],"structuredContent":[1]}`, `[1]`},
		{"text as a blob", `{"content":[{"type":"resource","resource":{"uri":"u:1","mimeType":"text/plain","blob":"Z3LDvMOfZQ=="}}]}`,
			`{"type":"document","source":{"type":"text","media_type":"text/plain","data":"grüße"},"title":"u:1"}`},
		{"bad base64", `{"content":[{"type":"image","mimeType":"image/png","data":"???"},{"type":"text","text":"b"}]}`, `[content of type "image"] {"type":"image","mimeType":"image/png","data":"???"}b`},
	} {
		input, _ := json.Marshal(map[string]string{"result": tt.result})
		if got := call(t, do, string(input)); got != tt.want {
			t.Errorf("%s\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// The limits of a result count text blocks, so a big text must be one.
func TestBigResourcesAreText(t *testing.T) {
	c, _ := raw(t, one, mcp.Options{})
	do := list(t, c)["do"]
	item := func(size int) string {
		return `{"type":"resource","resource":{"uri":"u:1","text":"` + strings.Repeat("x", size) + `"}}`
	}
	for name, content := range map[string]string{"one": item(3_200_000), "many": strings.TrimSuffix(strings.Repeat(item(20_000)+",", 40), ",")} {
		input, _ := json.Marshal(map[string]string{"result": `{"content":[` + content + `]}`})
		r, err := do.Call(t.Context(), input)
		if err != nil {
			t.Fatal(err)
		}
		documents, all := 0, 0
		for _, b := range r.Content {
			if all += len(b.Raw()); b.Type() != transport.TypeText {
				documents += len(b.Raw())
			}
		}
		if documents > 40_000 || all < 800_000 {
			t.Errorf("%s: %d bytes of documents, %d in all", name, documents, all)
		}
	}
}

// The server judges formats; and a number in quotes is a number where one may
// stand, also in a choice.
func TestArgumentsThatServersTake(t *testing.T) {
	c, _ := raw(t, `{"tools":[{"name":"do","inputSchema":{"type":"object","properties":{"at":{"type":"string","format":"date-time"},"url":{"type":"string","format":"uri"},"n":{"anyOf":[{"type":"integer"},{"type":"null"}]}}}}]}`, mcp.Options{})
	do := list(t, c)["do"]
	p, err := tools.Prepare(do, json.RawMessage(`{"at":"2026-01-31T10:00:00","url":"example.com","n":"7"}`))
	if want := `{"at":"2026-01-31T10:00:00","url":"example.com","n":7}`; err != nil || string(p.Input()) != want {
		t.Errorf("%s, %v", p.Input(), err)
	}
}

func TestClosed(t *testing.T) {
	c, _ := raw(t, one, mcp.Options{})
	do := list(t, c)["do"]
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := do.Call(context.Background(), json.RawMessage(`{}`)); !errors.Is(err, mcp.ErrClosed) {
		t.Errorf("a call of a closed client: %v", err)
	}
	if _, err := c.Tools(t.Context()); !errors.Is(err, mcp.ErrClosed) {
		t.Errorf("Tools of a closed client: %v", err)
	}
}

// A function that makes no new command is a mistake that is told, at once and when the
// program has to be started again.
func TestCommandsThatAreNone(t *testing.T) {
	once := exec.Command("true")
	_ = once.Run()
	for name, c := range map[string]struct {
		command func() *exec.Cmd
		want    string
	}{
		"no function":  {nil, "mcp: command is nil; give a function"},
		"no command":   {func() *exec.Cmd { return nil }, "returned nil; return a new exec.Cmd each time"},
		"an ended one": {func() *exec.Cmd { return once }, "returned one that was started before; return a new exec.Cmd each time"},
	} {
		client, err := mcp.Command(t.Context(), c.command, mcp.Options{})
		if err == nil {
			client.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := mcp.Connect(t.Context(), nil, mcp.Options{}); err == nil || !strings.Contains(err.Error(), "mcp: transport is nil") {
		t.Error(err)
	}
}
