package agent_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/omit"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A front stands before a simulator and refuses what it doesn't refuse by itself.
type front struct {
	refuse func(body []byte) (status int, message string)
	sim    http.Handler

	mu      sync.Mutex
	bodies  [][]byte // of requests that were taken
	refused int
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	if f.refuse != nil {
		if status, message := f.refuse(body); status != 0 {
			f.count(nil)
			raw, _ := json.Marshal(message)
			typ := map[int]string{400: "invalid_request_error", 404: "not_found_error", 413: "request_too_large", 500: "api_error"}[status]
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"type":"error","error":{"type":%q,"message":%s}}`, typ, raw)
			return
		}
	}
	f.sim.ServeHTTP(&statusWriter{ResponseWriter: w, front: f, body: body}, r)
}

func (f *front) count(body []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if body == nil {
		f.refused++
		return
	}
	f.bodies = append(f.bodies, body)
}

// A statusWriter counts before the client can see the answer.
type statusWriter struct {
	http.ResponseWriter
	front *front
	body  []byte
	told  bool
}

func (w *statusWriter) WriteHeader(status int) {
	if w.told = true; status >= 400 {
		w.body = nil
	}
	w.front.count(w.body)
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if !w.told {
		w.WriteHeader(200)
	}
	return w.ResponseWriter.Write(p)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
func (w *statusWriter) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

func rawBlock(t *testing.T, raw string) transport.Block {
	t.Helper()
	b, err := transport.ParseBlock([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// pngOf is a picture of so many pixels, one high.
func pngOf(width int) []byte {
	var b bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := enc.Encode(&b, image.NewGray(image.Rect(0, 0, width, 1))); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// pdfOf is a PDF of n empty pages.
func pdfOf(n int) []byte {
	var b strings.Builder
	b.WriteString("%PDF-1.4\n")
	var at []int
	object := func(s string) {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(at), s)
	}
	object("<</Type/Catalog/Pages 2 0 R>>")
	var kids strings.Builder
	for i := range n {
		fmt.Fprintf(&kids, "%d 0 R ", i+3)
	}
	object(fmt.Sprintf("<</Type/Pages/Count %d/Kids[%s]>>", n, kids.String()))
	for range n {
		object("<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>")
	}
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, o := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, xref)
	return []byte(b.String())
}

func pictureBlock(t *testing.T, data []byte) transport.Block {
	return rawBlock(t, `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"`+base64.StdEncoding.EncodeToString(data)+`"}}`)
}

func pdfBlock(t *testing.T, data []byte) transport.Block {
	return rawBlock(t, `{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"`+base64.StdEncoding.EncodeToString(data)+`"}}`)
}

// given is an input of blocks.
func given(blocks ...transport.Block) memory.Record {
	return memory.Record{Kind: memory.KindInput, Message: transport.Message{Role: transport.RoleUser, Content: blocks}}
}

func said(t *testing.T, stop string, content ...string) memory.Record {
	return memory.Record{Kind: memory.KindResponse, Response: reply(t, stop, content...)}
}

// inResult are a call and its result with blocks.
func inResult(t *testing.T, id string, blocks ...transport.Block) []memory.Record {
	return []memory.Record{said(t, "tool_use", use(id, "look", `{}`)), {Kind: memory.KindResult, Block: transport.ToolResult(id, blocks...)}}
}

const hello = `{"type":"text","text":"hello"}`

// A log goes on without what the service doesn't take any more: the error says what
// that is, a record leaves it out, and every later request is the same again, after a
// restart and in a fork too.
func TestALogLetsGo(t *testing.T) {
	mcp := transport.Request{MCPServers: []byte(`[{"type":"url","name":"gone","url":"https://gone.example/mcp"},{"type":"url","name":"there","url":"https://there.example/mcp"}]`)}
	has := func(what string, status int, message string) func([]byte) (int, string) {
		return func(body []byte) (int, string) {
			if bytes.Contains(body, []byte(what)) {
				return status, message
			}
			return 0, ""
		}
	}
	inContainer := func() []memory.Record {
		r := said(t, "end_turn", hello)
		resp, err := transport.ParseResponse(bytes.Replace(r.Response.Raw(), []byte(`"usage"`), []byte(`"container":{"id":"container_gone","expires_at":"2026-01-01T00:00:00Z"},"usage"`), 1))
		if err != nil {
			t.Fatal(err)
		}
		r.Response = resp
		return []memory.Record{given(transport.Text("go")), r}
	}
	many := func(n, side int, more ...memory.Record) []memory.Record {
		records := []memory.Record{given(transport.Text("go"))}
		picture := pictureBlock(t, pngOf(side))
		for i := range n {
			records = append(records, inResult(t, fmt.Sprint("toolu_", i), transport.Text(fmt.Sprint("picture ", i)), picture)...)
		}
		return append(append(records, said(t, "end_turn", hello)), more...)
	}
	tests := []struct {
		name    string
		model   string
		refuse  func([]byte) (int, string)
		options agent.Options
		history []memory.Record
		left    int // blocks
		gone    []string
		stays   []string
		guessed bool
		known   bool // before it is sent
	}{
		{name: "container", history: inContainer(), gone: []string{"container_gone"},
			options: agent.Options{Tools: []tools.Tool{tools.CodeExecution{}}}},
		{name: "container, told as a 500", history: inContainer(), gone: []string{`"container"`}, guessed: true,
			refuse: has(`"container_gone"`, 500, "Internal server error")},
		{name: "file in an input", history: []memory.Record{given(transport.Text("read"), rawBlock(t, `{"type":"document","source":{"type":"file","file_id":"file_gone"}}`), rawBlock(t, `{"type":"container_upload","file_id":"file_gone"}`)), said(t, "end_turn", hello)},
			left: 2, gone: []string{"file_gone"}, stays: []string{"read"}},
		{name: "file alone in an input", history: []memory.Record{given(rawBlock(t, `{"type":"image","source":{"type":"file","file_id":"file_gone"}}`)), said(t, "end_turn", hello)},
			left: 1, gone: []string{"file_gone"}, stays: []string{omit.DefaultText}},
		{name: "file in a result", history: append(append([]memory.Record{given(transport.Text("go"))}, inResult(t, "toolu_1", transport.Text("kept"), rawBlock(t, `{"type":"image","source":{"type":"file","file_id":"file_gone"}}`))...), said(t, "end_turn", hello)),
			left: 1, gone: []string{"file_gone"}, stays: []string{"kept"}},
		{name: "thinking without a signature", history: []memory.Record{given(transport.Text("go")), said(t, "end_turn", `{"type":"thinking","thinking":"hm","signature":""}`, hello)},
			left: 1, gone: []string{`"hm"`}, stays: []string{"hello"}},
		{name: "thinking of another vendor", history: []memory.Record{given(transport.Text("go")), said(t, "end_turn", `{"type":"thinking","thinking":"hm","signature":"a2b5e6a0-7d7c"}`, hello), given(transport.Text("and")), said(t, "end_turn", `{"type":"thinking","thinking":"hum","signature":"b2b5"}`, hello)},
			left: 2, gone: []string{`"hm"`, `"hum"`}, stays: []string{"hello"}},
		{name: "nothing but thinking", history: []memory.Record{given(transport.Text("go")), said(t, "end_turn", `{"type":"thinking","thinking":"hm","signature":"a2b5e6a0-7d7c"}`)},
			left: 1, gone: []string{`"hm"`}},
		{name: "broken picture", history: []memory.Record{given(transport.Text("look"), pictureBlock(t, pngOf(8)), pictureBlock(t, pngOf(8)[:30])), said(t, "end_turn", hello)},
			left: 1, stays: []string{"look"}},
		{name: "large picture in a result", history: many(1, 8001), left: 1, known: true, stays: []string{"picture 0"}},
		{name: "picture called something else", history: []memory.Record{given(transport.Text("look"), rawBlock(t, `{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"`+base64.StdEncoding.EncodeToString(pngOf(8))+`"}}`)), said(t, "end_turn", hello)},
			left: 1, stays: []string{"look"}},
		{name: "broken PDF", history: []memory.Record{given(transport.Text("look"), pdfBlock(t, pdfOf(3)[:100])), said(t, "end_turn", hello)},
			left: 1, stays: []string{"look"}},
		{name: "PDF of 700 pages", history: append(append([]memory.Record{given(transport.Text("go"))}, inResult(t, "toolu_1", pdfBlock(t, pdfOf(700)))...), said(t, "end_turn", hello)), left: 1, known: true},
		{name: "PDFs of 700 pages in all", history: []memory.Record{given(transport.Text("old"), pdfBlock(t, pdfOf(300))), said(t, "end_turn", hello), given(transport.Text("new"), pdfBlock(t, pdfOf(400))), said(t, "end_turn", hello)},
			left: 1, known: true, stays: []string{base64.StdEncoding.EncodeToString(pdfOf(400))}, gone: []string{base64.StdEncoding.EncodeToString(pdfOf(300))}},
		{name: "104 pictures", model: "claude-haiku-4-5", history: many(104, 8), left: 4, known: true, stays: []string{"picture 0", "picture 103"}},
		{name: "21 large pictures", history: many(21, 2001), left: 1, known: true, stays: []string{"picture 0"}},
		{name: "one large picture among 30", history: many(30, 8, given(pictureBlock(t, pngOf(2001))), said(t, "end_turn", hello)), left: 1, known: true},
		{name: "a proxy's lower limit", refuse: func(body []byte) (int, string) {
			if len(body) > 1<<20 {
				return 413, "Request Entity Too Large"
			}
			return 0, ""
		}, history: []memory.Record{given(transport.Text("a"), pictureBlock(t, append(pngOf(8), make([]byte, 1<<20)...))), said(t, "end_turn", hello)}, left: 1, guessed: true},
		{name: "a URL that is gone", refuse: has("https://gone.example/a.png", 400, "Unable to download the file. Please verify the URL and try again."),
			history: []memory.Record{given(transport.Text("look"), rawBlock(t, `{"type":"image","source":{"type":"url","url":"https://gone.example/a.png"}}`)), said(t, "end_turn", hello)}, left: 1},
		{name: "MCP server", refuse: has("https://gone.example/mcp", 400, "Connection error while communicating with MCP server 'gone'."),
			options: agent.Options{Template: mcp, Tools: []tools.Tool{tools.MCPToolset{Server: "gone"}, tools.MCPToolset{Server: "there"}}},
			history: []memory.Record{given(transport.Text("go")), said(t, "end_turn", hello)}, gone: []string{`gone.example`, `"gone"`}, stays: []string{"there.example"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &front{refuse: tt.refuse, sim: simulator.New(simulator.Options{})}
			server := httptest.NewServer(f)
			defer server.Close()
			base := &http.Transport{}
			defer base.CloseIdleConnections()
			client, err := anthropic.New(anthropic.Options{BaseURL: server.URL, APIKey: secret.New("any"), Features: anthropic.AllFeatures(), MaxRetries: -1, HTTPClient: &http.Client{Transport: base}})
			if err != nil {
				t.Fatal(err)
			}
			opts := tt.options
			opts.Client, opts.Model = client, "claude-opus-5-5"
			if tt.model != "" {
				opts.Model = tt.model
			}
			a, err := agent.New(opts)
			if err != nil {
				t.Fatal(err)
			}
			ctx := context.Background()
			store := new(memory.RAM)
			// Not by Log.Append, which would refuse what is known to be refused.
			if err := store.Append(ctx, "s", memory.Position{}, tt.history...); err != nil {
				t.Fatal(err)
			}
			log, err := memory.Open(ctx, store, "s")
			if err != nil {
				t.Fatal(err)
			}
			twin := log.Fork()

			_, err = a.Run(ctx, agent.Input{Log: log, Prompt: "now"})
			var gone *omit.Error
			if !errors.As(err, &gone) {
				t.Fatalf("no way on: %v", err)
			}
			if !errors.Is(err, transport.ErrInvalidRequest) && !errors.As(err, new(*transport.Error)) || !strings.Contains(err.Error(), gone.What) {
				t.Errorf("the refusal is lost: %v", err)
			}
			if tt.known != (f.refused == 0) {
				t.Errorf("%d requests were refused", f.refused)
			}
			if gone.Guessed != tt.guessed || len(gone.Omission.Blocks) != tt.left {
				t.Fatalf("guessed %v, omission %v: %v", gone.Guessed, gone.Omission.Blocks, err)
			}
			if err := log.Append(ctx, memory.Record{Kind: memory.KindOmission, Omission: &gone.Omission}); err != nil {
				t.Fatal(err)
			}
			check := func(log *memory.Log, err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
				n := len(f.bodies)
				body := string(f.bodies[n-1])
				for _, s := range tt.gone {
					if strings.Contains(body, s) {
						t.Errorf("%s is still in the request", s)
					}
				}
				for _, s := range tt.stays {
					if !strings.Contains(body, s) {
						t.Errorf("%s is lost", s)
					}
				}
				if n > 1 {
					before, now := withoutMarks(f.bodies[n-2]), withoutMarks(f.bodies[n-1])
					if !strings.HasPrefix(list(t, now, "messages"), list(t, before, "messages")) || list(t, now, "tools") != list(t, before, "tools") {
						t.Error("the request doesn't begin with the one before")
					}
				}
			}
			_, err = a.Run(ctx, agent.Input{Log: log})
			check(log, err)
			_, err = a.Run(ctx, agent.Input{Log: log, Prompt: "more"})
			check(log, err)
			_, err = a.Run(ctx, agent.Input{Store: store, Session: "s", Prompt: "after a restart"})
			check(log, err)
			if err := log.Refresh(ctx); err != nil {
				t.Fatal(err)
			}
			_, err = a.Run(ctx, agent.Input{Log: log.Fork(), Prompt: "in a fork"})
			check(log, err)
			sum := log.Fork()
			if err := sum.Append(ctx, memory.Record{Kind: memory.KindSummary, Message: transport.UserText("so far"), Replaces: len(sum.Messages())}); err != nil {
				t.Fatal(err)
			}
			if _, err = a.Run(ctx, agent.Input{Log: sum, Prompt: "behind a summary"}); err != nil {
				t.Errorf("behind a summary: %v", err)
			}
			for i, r := range log.Records(0) { // nothing is lost from the log
				if i < len(tt.history) {
					want, _ := tt.history[i].AppendJSON(nil)
					r.Time = tt.history[i].Time
					if got, _ := r.AppendJSON(nil); !bytes.Equal(got, want) {
						t.Errorf("record %d changed", i)
					}
				}
			}

			var asked []string
			opts.Context.Omit = func(context.Context, *omit.Error) bool { return false }
			if a, err = agent.New(opts); err != nil {
				t.Fatal(err)
			}
			before := twin.Fork()
			var kept *omit.Error
			if _, err := a.Run(ctx, agent.Input{Log: before, Prompt: "now"}); !errors.As(err, &kept) || kinds(before)[memory.KindOmission] != kinds(twin)[memory.KindOmission] {
				t.Errorf("asked, and told no: %v", err)
			}
			opts.Context.Omit = func(context.Context, *omit.Error) bool { panic("boom") }
			if a, err = agent.New(opts); err != nil {
				t.Fatal(err)
			}
			kept = nil
			if _, err := a.Run(ctx, agent.Input{Log: twin.Fork(), Prompt: "now"}); !errors.As(err, &kept) || !errors.As(err, new(*agent.PanicError)) {
				t.Errorf("asked, and it crashed: %v", err)
			}
			opts.Context.Omit = func(_ context.Context, e *omit.Error) bool { asked = append(asked, e.What); return true }
			opts.Context.Reminder = func(context.Context, agent.Status) string { return "Mind the gap." }
			if a, err = agent.New(opts); err != nil {
				t.Fatal(err)
			}
			f.bodies, f.refused = nil, 0
			res, err := a.Run(ctx, agent.Input{Log: twin, Prompt: "now"})
			check(twin, err)
			if n := bytes.Count(f.bodies[len(f.bodies)-1], []byte("Mind the gap.")); n != 1 {
				t.Errorf("the request that was made again has %d reminders", n)
			}
			if len(asked) != 1 || tt.known != (f.refused == 0) || f.refused > 1 || res.Steps != 1 {
				t.Errorf("asked %q, %d refused, %d steps", asked, f.refused, res.Steps)
			}
		})
	}
}

// On a model that binds thinking to all before it, what was thought behind the place
// goes too, so that one omission is enough in the middle of a turn.
func TestLettingGoInsideATurnThatThinks(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Loop{Turns: 4, Tool: "look", Think: true}})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	f, err := client.UploadFile(ctx, anthropic.Upload{Filename: "a.png", MimeType: "image/png", Content: bytes.NewReader(pngOf(8))})
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	a, err := agent.New(agent.Options{
		Client: client, Model: "claude-opus-5-5",
		Context: agent.ContextOptions{Omit: func(context.Context, *omit.Error) bool { return true }},
		Tools: []tools.Tool{tools.Func("look", "Looks.", func(context.Context, query) (tools.Image, error) {
			if calls++; calls >= 3 {
				if err := client.DeleteFile(ctx, f.ID); calls == 3 && err != nil {
					t.Error(err)
				}
				return tools.Image{Data: pngOf(4)}, nil
			}
			return tools.Image{FileID: f.ID}, nil
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	res, err := a.Run(ctx, agent.Input{Prompt: "go"})
	if err != nil {
		t.Fatal(err)
	}
	var left []omit.Omission
	for _, r := range res.Log.Records(0) {
		if r.Kind == memory.KindOmission {
			left = append(left, *r.Omission)
		}
	}
	if len(left) != 1 || len(left[0].Blocks) != 4 { // two pictures, and the thinking behind each
		t.Errorf("left out: %v after %d calls, %d steps", left, calls, res.Steps)
	}
}
