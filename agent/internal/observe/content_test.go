package observe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/whorl-go/whorl/transport"
)

// Each kind of block becomes the part that the conventions have for it, and what a
// caller may want to hide passes through Redact under its kind.
func TestPartsOfBlocks(t *testing.T) {
	c := &Content{Redact: func(p Piece) string { return fmt.Sprintf("<%s %s|%s>", p.Kind, p.Tool, p.Text) }}
	long := strings.Repeat("n", maxName+50)
	for _, tt := range []struct{ name, block, want string }{
		{"text", `{"type":"text","text":"a"}`, `{"type":"text","content":"<text |a>"}`},
		{"thinking", `{"type":"thinking","thinking":"a"}`, `{"type":"reasoning","content":"<reasoning |a>"}`},
		{"a call", `{"type":"tool_use","id":"i","name":"f","input":{"x":1}}`, `{"type":"tool_call","id":"i","name":"f","arguments":"<tool_call f|{\"x\":1}>"}`},
		{"a call of no tool", `{"type":"tool_use","id":"i","name":"my key","input":{}}`, `{"type":"tool_call","id":"i","name":"<tool_name |my key>","arguments":"<tool_call my key|{}>"}`},
		{"a result of one text", `{"type":"tool_result","tool_use_id":"i","content":[{"type":"text","text":"a"}]}`, `{"type":"tool_call_response","id":"i","response":"<tool_call_response |a>"}`},
		{"a result of several", `{"type":"tool_result","tool_use_id":"i","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`, `{"type":"tool_call_response","id":"i","response":[{"type":"text","content":"<tool_call_response |a>"},{"type":"text","content":"<tool_call_response |b>"}]}`},
		{"a result with a picture", `{"type":"tool_result","tool_use_id":"i","content":[{"type":"image","source":{"type":"url","url":"u"}}]}`, `{"type":"tool_call_response","id":"i","response":[{"type":"uri","uri":"<uri |u>","modality":"image"}]}`},
		{"a result that is shown elsewhere", `{"type":"tool_result","tool_use_id":"shown","content":"a"}`, `{"type":"tool_call_response","id":"shown","response":"[in the execute_tool span of this call]"}`},
		{"an image's bytes", `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"c2VjcmV0"}}`, `{"type":"blob","mime_type":"image/png","content":"","bytes":8,"modality":"image"}`},
		{"a document's URL", `{"type":"document","source":{"type":"url","url":"https://h/?key=k"}}`, `{"type":"uri","uri":"<uri |https://h/?key=k>","modality":"document"}`},
		{"a document's file", `{"type":"document","source":{"type":"file","file_id":"` + long + `"}}`, `{"type":"file","file_id":"` + long[:maxName] + `","modality":"document"}`},
		{"a media type that is long", `{"type":"image","source":{"type":"base64","media_type":"` + long + `","data":""}}`, `{"type":"blob","mime_type":"` + long[:maxName] + `","content":"","bytes":0,"modality":"image"}`},
		{"a server's call", `{"type":"server_tool_use","id":"s","name":"web_search","input":{"q":"a"}}`, `{"type":"server_tool_call","id":"s","name":"web_search","server_tool_call":{"type":"web_search","arguments":"<tool_call web_search|{\"q\":\"a\"}>"}}`},
		{"an MCP server's call", `{"type":"mcp_tool_use","id":"m","name":"f g","input":{}}`, `{"type":"server_tool_call","id":"m","name":"<tool_name |f g>","server_tool_call":{"type":"<tool_name |f g>","arguments":"<tool_call f g|{}>"}}`},
		{"a server's result", `{"type":"web_search_tool_result","tool_use_id":"s","content":[1]}`, `{"type":"server_tool_call_response","id":"s","server_tool_call_response":{"type":"web_search_tool_result","content":"<web_search_tool_result |[1]>"}}`},
		{"an unknown block", `{"type":"new","x":1}`, `{"type":"new","content":"<new |{\"type\":\"new\",\"x\":1}>"}`},
	} {
		b, err := transport.ParseBlock([]byte(tt.block))
		if err != nil {
			t.Fatal(tt.name, err)
		}
		if got := string(c.part(nil, b, "text", map[string]bool{"shown": true})); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// A piece is cut behind its redaction, at a rune's end, and says so.
func TestPiecesAreCut(t *testing.T) {
	upper := func(p Piece) string { return strings.ToUpper(p.Text) }
	for _, tt := range []struct {
		name    string
		content Content
		text    string
		want    string
	}{
		{"as long as may be", Content{MaxBytes: 4}, "abcd", "abcd"},
		{"longer", Content{MaxBytes: 4}, "abcde", "abcd[cut: the first 4 of 5 bytes]"},
		{"in a rune", Content{MaxBytes: 4}, "abcé", "abc[cut: the first 3 of 5 bytes]"},
		{"the default", Content{}, strings.Repeat("a", 32<<10+1), strings.Repeat("a", 32<<10) + "[cut: the first 32768 of 32769 bytes]"},
		{"within the default", Content{}, strings.Repeat("a", 32<<10), strings.Repeat("a", 32<<10)},
		{"no bound", Content{MaxBytes: -1}, strings.Repeat("a", 1<<17), strings.Repeat("a", 1<<17)},
		{"redacted first", Content{MaxBytes: 2, Redact: upper}, "abc", "AB[cut: the first 2 of 3 bytes]"},
	} {
		if got := tt.content.piece(Piece{Text: tt.text}); got != tt.want {
			t.Errorf("%s: got %d bytes, …%s, want %d", tt.name, len(got), got[max(0, len(got)-60):], len(tt.want))
		}
	}
	// JSON that was cut is JSON no more, and is shown as a string.
	if got := string((&Content{MaxBytes: 4}).json(nil, Piece{Text: `{"a":1}`})); got != `"{\"a\"[cut: the first 4 of 7 bytes]"` {
		t.Error(got)
	}
}

// The latest conventions want an object as a tool's result, whatever it gave.
func TestResultsAsObjects(t *testing.T) {
	for result, want := range map[string]string{
		`{"a":1}`: `{"a":1}`, ` {"a":1}`: ` {"a":1}`, `[1]`: `{"content":[1]}`, `"a"`: `{"content":"a"}`, `a "b"`: `{"content":"a \"b\""}`, ``: `{"content":""}`, `{`: `{"content":"{"}`,
	} {
		if got := asObject(result); got != want {
			t.Errorf("%q became %s, want %s", result, got, want)
		}
	}
}

// A model's word for a tool is a name only if it can be one; else it is content.
func TestIsName(t *testing.T) {
	for name, want := range map[string]bool{
		"f": true, "get_weather-2": true, "A": true, "Z9": true, strings.Repeat("a", 128): true,
		"": false, strings.Repeat("a", 129): false, "a b": false, "a.b": false, "é": false, "@a": false, "[": false, "a\n": false, "{": false, "\x10": false, "`": false,
	} {
		if isName(name) != want {
			t.Errorf("isName(%q) = %v", name, !want)
		}
	}
	obs := New(Options{Request: new(transport.Request)})
	if k := obs.tool("my key"); k.spanName != "execute_tool _OTHER" {
		t.Errorf("a span is called %q", k.spanName)
	}
}

// The service is told by host and port; a port that the URL doesn't say is its scheme's.
func TestServerOf(t *testing.T) {
	for base, want := range map[string]string{
		"": "", "://": "", "/path": "",
		"http://h": "h 80", "https://h/v1": "h 443", "https://h:8443": "h 8443", "http://[::1]:9": "::1 9", "ftp://h": "h 443",
	} {
		got := ""
		if list := serverOf(base); len(list) > 0 {
			got = fmt.Sprint(list[0].Value.AsString(), " ", list[1].Value.AsInt64())
		}
		if got != want {
			t.Errorf("%q is %q, want %q", base, got, want)
		}
	}
}

// wraps is an error of a caller's own type that wraps another.
type wraps struct{ error }

func (w wraps) Unwrap() error { return w.error }

// An exception has the type of the first error that does more than to wrap.
func TestGoType(t *testing.T) {
	bare := errors.New("a")
	for want, err := range map[string]error{
		"*errors.errorString": fmt.Errorf("b: %w", fmt.Errorf("c: %w", bare)),
		"observe.wraps":       fmt.Errorf("b: %w", wraps{bare}),
		"*fmt.wrapErrors":     fmt.Errorf("%w, %w", bare, bare),
		"*observe.wraps":      &wraps{bare},
	} {
		if got := goType(err); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// Retries are the attempts but for the first, and never fewer than none.
func TestRetries(t *testing.T) {
	attempts := func(n int) *transport.Response { return &transport.Response{Meta: transport.Meta{Attempts: n}} }
	for _, tt := range []struct {
		resp *transport.Response
		err  error
		want int
	}{
		{attempts(0), nil, 0}, {attempts(1), nil, 0}, {attempts(3), nil, 2}, {nil, nil, 0}, {nil, errors.New("a"), 0},
		{nil, &transport.Error{}, 0}, {nil, fmt.Errorf("a: %w", &transport.Error{Attempts: 4}), 3},
	} {
		if got := retries(tt.resp, tt.err); got != tt.want {
			t.Errorf("%v, %v: %d, want %d", tt.resp, tt.err, got, tt.want)
		}
	}
}

// The lines of a run tell numbers, names and ids, and no content, at these levels.
func TestLines(t *testing.T) {
	var out bytes.Buffer
	withoutTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	handler := slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: withoutTime})
	secret := errors.New("secret")
	lines := func(content *Content, session string, f func(context.Context, *Run)) string {
		out.Reset()
		o := New(Options{Request: &transport.Request{Model: "m"}, Logger: slog.New(handler), Guard: plain, Content: content})
		ctx, r := o.StartRun(t.Context(), session, nil)
		f(ctx, &r)
		return out.String()
	}
	resp := &transport.Response{StopReason: "end_turn", Content: []transport.Block{transport.Text("secret")}, Meta: transport.Meta{Attempts: 2, RequestID: "req_1", Duration: time.Second}, Usage: transport.Usage{InputTokens: 1, CacheCreationInputTokens: 20, CacheReadInputTokens: 300, OutputTokens: 40}}
	for _, tt := range []struct {
		name, session string
		content       *Content
		f             func(context.Context, *Run)
		want          string
	}{
		{"a model call", "", nil, func(ctx context.Context, r *Run) { r.EndChat(ctx, new(Chat), resp, Cost{}, 3, Failure{}) },
			`level=DEBUG msg="model call" step=3 stop_reason=end_turn cache_read=300 cache_written=20 new=1 output=40 took=1s retries=1 request_id=req_1`},
		{"one that failed", "", nil, func(ctx context.Context, r *Run) {
			r.EndChat(ctx, new(Chat), nil, Cost{}, 3, Failure{Type: "_OTHER", Err: &transport.Error{Message: "secret", Attempts: 2}})
		}, `level=DEBUG msg="model call failed" step=3 error_type=_OTHER retries=1`},
		{"a tool call", "", nil, func(ctx context.Context, r *Run) {
			r.EndTool(ctx, Span{}, ToolCall{ToolCall: transport.ToolCall{ID: "a", Name: "f"}}, []transport.Block{transport.Text("secret")}, time.Second, Failure{})
		}, `level=DEBUG msg="tool call" tool=f call_id=a took=1s`},
		{"one that failed", "", nil, func(ctx context.Context, r *Run) {
			r.EndTool(ctx, Span{}, ToolCall{ToolCall: transport.ToolCall{ID: "a", Name: "f"}}, nil, time.Second, Failure{Type: "tool_error", Err: secret})
		}, `level=DEBUG msg="tool call" tool=f call_id=a took=1s error_type=tool_error`},
		{"a run", "s", nil, func(ctx context.Context, r *Run) {
			r.End(ctx, Outcome{Steps: 2, StopReason: "end_turn", Usage: resp.Usage, Took: time.Second, Cost: Cost{USD: 0.1 + 0.2}, Text: "secret"})
		}, `level=INFO msg="run ended" steps=2 stop_reason=end_turn input=321 output=40 took=1s session=s usd=0.3`},
		{"a run that waits", "", nil, func(ctx context.Context, r *Run) {
			r.End(ctx, Outcome{Cost: Cost{Incomplete: true}, Failure: Failure{Type: "waiting", Err: secret, Expected: true}})
		}, `level=INFO msg="run ended" steps=0 stop_reason="" input=0 output=0 took=0s error_type=waiting`},
		{"a run that failed", "", nil, func(ctx context.Context, r *Run) { r.End(ctx, Outcome{Failure: Failure{Type: "_OTHER", Err: secret}}) },
			`level=WARN msg="run ended" steps=0 stop_reason="" input=0 output=0 took=0s usd=0 error_type=_OTHER`},
		{"a warning", "", nil, func(ctx context.Context, r *Run) { r.Warn(ctx, "late", "n", 1) }, `level=WARN msg=late n=1`},
		{"a panic", "", nil, func(ctx context.Context, r *Run) { r.Panicked(ctx, "the gate", secret, []byte("stack"), "n", 1) },
			`level=ERROR msg=panicked what="the gate" panic=*errors.errorString stack=stack n=1`},
		{"the runtime's own", "", nil, func(ctx context.Context, r *Run) {
			defer func() { r.Panicked(ctx, "the gate", recover(), nil) }()
			_ = []int{}[len(out.String())]
		}, `level=ERROR msg=panicked what="the gate" panic="runtime error: index out of range [0] with length 0" stack=""`},
		{"a panic, with content", "", &Content{MaxBytes: 3}, func(ctx context.Context, r *Run) { r.Panicked(ctx, "the gate", secret, nil) },
			`level=ERROR msg=panicked what="the gate" panic="sec[cut: the first 3 of 6 bytes]" stack=""`},
	} {
		if got := strings.TrimSpace(lines(tt.content, tt.session, tt.f)); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// A frail handler gives nothing where it should give a handler.
type frail struct{ slog.Handler }

func (frail) WithAttrs([]slog.Attr) slog.Handler { panic("no") }
func (frail) WithGroup(string) slog.Handler      { return nil }

// A handler that can't be had with attributes is used without.
func TestHandlersThatCannotBeHad(t *testing.T) {
	caught := func(_ string, f func() error) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("%v", p)
			}
		}()
		return f()
	}
	var out bytes.Buffer
	h := guardedHandler{frail{slog.NewTextHandler(&out, nil)}, caught}
	slog.New(h.WithAttrs([]slog.Attr{slog.Int("n", 1)})).Info("first")
	slog.New(h.WithGroup("g")).Info("second")
	if got := out.String(); !strings.Contains(got, "first") || !strings.Contains(got, "second") {
		t.Error(got)
	}
}

// A bad processor panics where spans begin and end.
type badProcessor struct{ sdktrace.SpanProcessor }

func (badProcessor) OnStart(context.Context, sdktrace.ReadWriteSpan) { panic("at the start") }

// A span that can't begin is none, its context is the caller's, and the handler is told.
func TestSpansThatCannotBegin(t *testing.T) {
	var told []error
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { told = append(told, err) }))
	t.Cleanup(func() { otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {})) })
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(badProcessor{}))
	ctx, span := start(t.Context(), provider.Tracer("x"), "chat m")
	if ctx != t.Context() || span == nil || span.IsRecording() {
		t.Errorf("the span %v in %v", span, ctx)
	}
	end(span)
	if len(told) != 1 || !strings.Contains(told[0].Error(), `span "chat m": at the start`) {
		t.Error(told)
	}
}
