package anthropic

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

// exchangeOf serves one answer and checks what was asked.
func exchangeOf(t *testing.T, method, uri, answer string, look func(body string, h http.Header)) *Client {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != method || r.URL.RequestURI() != uri {
			t.Errorf("%s %s, want %s %s", r.Method, r.URL.RequestURI(), method, uri)
		}
		if look != nil {
			look(string(body), r.Header)
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, answer)
	})
}

func TestCountTokens(t *testing.T) {
	c := exchangeOf(t, "POST", "/v1/messages/count_tokens", `{"input_tokens":12}`, func(body string, h http.Header) {
		if body != `{"model":"m","thinking":{"type":"adaptive"},"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}` {
			t.Errorf("sent %s", body)
		}
		if h.Get("Anthropic-Beta") != "b1" {
			t.Errorf("betas %q", h.Get("Anthropic-Beta"))
		}
	})
	req := newRequest()
	req.Thinking, req.StopSequences, req.UserID = &transport.Thinking{Type: "adaptive"}, []string{"x"}, "u"
	if n, err := c.CountTokens(t.Context(), req); n != 12 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
}

const opus = `{"type":"model","id":"claude-opus-5-5","display_name":"Claude Opus 5.5","created_at":"2026-09-22T00:00:00Z","line":"opus","lifecycle":"active","retires_at":null,"max_input_tokens":500000,"max_tokens":64000,
 "capabilities":{"effort":{"supported":true,"low":{"supported":true},"medium":{"supported":true},"high":{"supported":false},"xhigh":null},"thinking":{"supported":true,"types":{"adaptive":{"supported":true},"disabled":{"supported":true}}}}}`

func TestModel(t *testing.T) {
	c := exchangeOf(t, "GET", "/v1/models/claude-opus-5-5", opus, nil)
	info, err := c.Model(t.Context(), "claude-opus-5-5")
	if err != nil || info.Line != "opus" || !info.RetiresAt.IsZero() {
		t.Fatalf("got %+v, %v", info, err)
	}
	if s := info.Supports("thinking", "types", "enabled"); s != models.Unknown {
		t.Errorf("enabled is %v", s)
	}
	m := info.Model()
	if m.Limits.MaxOutputTokens != 64000 || m.Limits.ContextTokens != 500000 || m.Thinking.Disabled != models.Supported || m.Thinking.Enabled != models.Unsupported || !slices.Equal(m.Effort.Levels, []transport.Effort{"low", "medium"}) || m.Prices == nil {
		t.Errorf("got %+v", m)
	}
	if _, err := c.Model(t.Context(), ".."); err == nil {
		t.Error("an id that leaves the path was taken")
	}
}

func TestModelsPages(t *testing.T) {
	var asked []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		if len(asked) == 1 {
			io.WriteString(w, `{"data":[{"id":"a"},{"id":"b"}],"has_more":true,"last_id":"b"}`)
			return
		}
		io.WriteString(w, `{"data":[{"id":"c"}],"has_more":false,"last_id":"c"}`)
	})
	var ids []string
	for m, err := range c.Models(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.ID)
	}
	if strings.Join(ids, "") != "abc" || !slices.Equal(asked, []string{"limit=1000", "after_id=b&limit=1000"}) {
		t.Errorf("got %q, asked %q", ids, asked)
	}
}

func TestCreateBatch(t *testing.T) {
	const batch = `{"id":"msgbatch_1","type":"message_batch","processing_status":"in_progress","request_counts":{"processing":2},"ended_at":null,"created_at":"2026-10-01T00:00:00Z"}`
	c := exchangeOf(t, "POST", "/v1/messages/batches", batch, func(body string, h http.Header) {
		want := `{"requests":[{"custom_id":"a","params":{"model":"m","max_tokens":100,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}},` +
			`{"custom_id":"b","params":{"model":"m","max_tokens":100,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}}]}`
		if body != want || h.Get("Anthropic-Beta") != "b1,b2" {
			t.Errorf("sent %s with %q", body, h.Get("Anthropic-Beta"))
		}
	})
	second := newRequest()
	second.Betas = []string{"b2"}
	b, err := c.CreateBatch(t.Context(), []BatchItem{{"a", newRequest()}, {"b", second}})
	if err != nil || b.ID != "msgbatch_1" || b.RequestCounts.Processing != 2 {
		t.Errorf("got %+v, %v", b, err)
	}
	warm, fast, forced := newRequest(), newRequest(), newRequest()
	warm.MaxTokens, fast.Speed = 0, "fast"
	forced.Model, forced.ToolChoice = "claude-opus-5-5", &transport.ToolChoice{Type: "any"}
	for _, tt := range []struct {
		items []BatchItem
		want  string
	}{
		{[]BatchItem{{"a b", newRequest()}}, "custom id"},
		{[]BatchItem{{"a", newRequest()}, {"a", newRequest()}}, "is used twice"},
		{[]BatchItem{{"a", warm}}, "max_tokens 0"},
		{[]BatchItem{{"a", fast}}, "speed"},
		{[]BatchItem{{"a", forced}}, "tool_choice"},
		{[]BatchItem{{"a", &transport.Request{}}}, "max_tokens 0"},
		{[]BatchItem{{"a", nil}}, "no Request"},
		{nil, "0 items; a batch has 1 to 100000"},
		{make([]BatchItem, 100_001), "100001 items"},
	} {
		if _, err := c.CreateBatch(t.Context(), tt.items); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
	for _, r := range []*transport.Request{warm, fast, forced} {
		if _, err := c.CreateBatch(t.Context(), []BatchItem{{"a", r}}); !errors.Is(err, transport.ErrInvalidRequest) {
			t.Errorf("%v does not match ErrInvalidRequest", err)
		}
	}
}

func TestWaitBatch(t *testing.T) {
	n := 0
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		status := "in_progress"
		if n++; n == 3 {
			status = "ended"
		}
		fmt.Fprintf(w, `{"id":"msgbatch_1","processing_status":%q}`, status)
	})
	if b, err := c.WaitBatch(t.Context(), "msgbatch_1", time.Millisecond); err != nil || b.ProcessingStatus != "ended" || n != 3 {
		t.Errorf("got %+v, %v after %d", b, err, n)
	}
}

func TestBatchResults(t *testing.T) {
	big := strings.Repeat("x", 1<<20)
	lines := `{"custom_id":"a","result":{"type":"succeeded","message":{"id":"msg_1","content":[{"type":"text","text":"` + big + `"}],"stop_reason":"end_turn"}}}` + "\n" +
		`{"custom_id":"b","result":{"type":"errored","error":{"type":"error","error":{"type":"invalid_request_error","message":"m"}}}}` + "\n\n" +
		`{"custom_id":"c","result":{"type":"expired"}}`
	c := exchangeOf(t, "GET", "/v1/messages/batches/msgbatch_1/results", lines, nil)
	var got []string
	for r, err := range c.BatchResults(t.Context(), "msgbatch_1") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r.CustomID+" "+r.Type)
		if r.Response != nil && r.Response.Text() != big || r.Err != nil && !errors.Is(r.Err, transport.ErrInvalidRequest) {
			t.Errorf("got %+v", r)
		}
	}
	if !slices.Equal(got, []string{"a succeeded", "b errored", "c expired"}) {
		t.Errorf("got %q", got)
	}
	// What can't be read, or isn't known yet, doesn't hide the rest.
	c = exchangeOf(t, "GET", "/v1/messages/batches/b/results", `{"custom_id":"a","result":{"type":"lost"}}`+"\nno JSON\n"+
		`{"custom_id":"b","result":{"type":"succeeded","message":7}}`+"\n"+`{"custom_id":"c","result":{"type":"expired"}}`, nil)
	got = nil
	for r, err := range c.BatchResults(t.Context(), "b") {
		got = append(got, fmt.Sprintf("%s %s %v", r.CustomID, r.Type, err != nil))
	}
	if !slices.Equal(got, []string{"a lost false", "  true", "b succeeded true", "c expired false"}) {
		t.Errorf("got %q", got)
	}
}

// An upload has a content type of its own, the requests behind it have theirs.
func TestUploadsLeaveTheClientsHeaders(t *testing.T) {
	var types []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
		types = append(types, r.URL.Path+" "+kind)
		io.WriteString(w, `{"id":"file_1","type":"file","filename":"a","created_at":"2026-10-01T00:00:00Z","input_tokens":1}`)
	})
	count := func() {
		if _, err := c.CountTokens(t.Context(), &transport.Request{Model: "m", Messages: []transport.Message{transport.UserText("hi")}}); err != nil {
			t.Error(err)
		}
	}
	count()
	if _, err := c.UploadFile(t.Context(), Upload{Filename: "a", Content: strings.NewReader("hello")}); err != nil {
		t.Error(err)
	}
	count()
	want := []string{"/v1/messages/count_tokens application/json", "/v1/files multipart/form-data", "/v1/messages/count_tokens application/json"}
	if !slices.Equal(types, want) {
		t.Errorf("got %q, want %q", types, want)
	}
}

func TestFiles(t *testing.T) {
	const file = `{"id":"file_1","type":"file","filename":"a\"b.txt","mime_type":"text/plain","size_bytes":5,"created_at":"2026-10-01T00:00:00Z","expires_at":null,"downloadable":false}`
	attempts := 0
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.Path {
		case "POST /v1/files":
			if attempts++; attempts == 1 {
				io.Copy(io.Discard, r.Body)
				w.Header().Set("Retry-After-Ms", "1")
				w.WriteHeader(500)
				return
			}
			f, h, err := r.FormFile("file")
			if err != nil {
				t.Error(err)
				return
			}
			content, _ := io.ReadAll(f)
			if string(content) != "hello" || h.Filename != `a"b.txt` || h.Header.Get("Content-Type") != "text/plain" || r.FormValue("expires_in_seconds") != "60" {
				t.Errorf("got %q, %+v, expires %q", content, h, r.FormValue("expires_in_seconds"))
			}
			io.WriteString(w, file)
		case "GET /v1/files/file_1":
			io.WriteString(w, file)
		case "DELETE /v1/files/file_1":
			io.WriteString(w, `{"id":"file_1","type":"file_deleted"}`)
		case "GET /v1/files/file_1/content":
			io.WriteString(w, "content")
		case "GET /v1/files":
			switch r.URL.Query().Get("page") {
			case "":
				io.WriteString(w, `{"data":[`+file+`],"next_page":"p2"}`)
			case "p2":
				io.WriteString(w, `{"data":[],"next_page":"p3"}`)
			default:
				io.WriteString(w, `{"data":[`+file+`],"next_page":null}`)
			}
		default:
			t.Errorf("%s %s", r.Method, r.URL)
		}
	})
	ctx := t.Context()
	f, err := c.UploadFile(ctx, Upload{Filename: `a"b.txt`, MimeType: "text/plain", Content: strings.NewReader("hello"), ExpiresIn: time.Minute})
	if err != nil || f.ID != "file_1" || f.SizeBytes != 5 || !f.ExpiresAt.IsZero() || attempts != 2 {
		t.Errorf("got %+v, %v after %d attempts", f, err, attempts)
	}
	attempts = 0
	if _, err := c.UploadFile(ctx, Upload{Filename: "a", Content: io.LimitReader(strings.NewReader("hello"), 9)}); !errors.Is(err, transport.ErrAPI) || attempts != 1 {
		t.Errorf("a reader that can't go back: %v after %d attempts", err, attempts)
	}
	if _, err := c.UploadFile(ctx, Upload{}); err == nil {
		t.Error("an upload of nothing")
	}
	if f, err := c.File(ctx, "file_1"); err != nil || f.Filename != `a"b.txt` {
		t.Errorf("got %+v, %v", f, err)
	}
	n := 0
	for f, err := range c.Files(ctx) {
		if err != nil || f.ID == "" {
			t.Errorf("got %+v, %v", f, err)
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d files, an empty page ended the list", n)
	}
	body, err := c.DownloadFile(ctx, "file_1")
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(body)
	if string(content) != "content" || err != nil || body.Close() != nil {
		t.Errorf("got %q, %v", content, err)
	}
	if err := c.DeleteFile(ctx, "file_1"); err != nil {
		t.Error(err)
	}
	if err := c.DeleteFile(ctx, ""); err == nil {
		t.Error("deleted a file without an id")
	}
}

func TestRequestIsCheckedBeforeItIsSent(t *testing.T) {
	sent := 0
	handler := func(w http.ResponseWriter, r *http.Request) {
		sent++
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, streamOf("x"))
	}
	req := newRequest()
	req.Model, req.ToolChoice = "claude-opus-5-5", &transport.ToolChoice{Type: "any"}
	_, err := transport.Create(t.Context(), serve(t, handler), req)
	var u *transport.RequestError
	if !errors.As(err, &u) || sent != 0 {
		t.Errorf("got %v, sent %d times", err, sent)
	}
	c := serve(t, handler)
	c.models = []models.Model{{ID: "claude-opus-5-5"}}
	req.Tools = []transport.ToolDefinition{}
	req.ToolChoice = nil
	req.Temperature = new(float64)
	if _, err := transport.Create(t.Context(), c, req); err != nil || sent != 1 {
		t.Errorf("got %v, sent %d times", err, sent)
	}
}

func TestGzip(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" {
			t.Errorf("asked for %q", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		io.WriteString(z, streamOf("hello"))
		z.Close()
	})
	resp, err := transport.Create(t.Context(), c, newRequest())
	if err != nil || resp.Text() != "hello" {
		t.Errorf("got %v", err)
	}
}

func TestRedirectIsAnError(t *testing.T) {
	elsewhere := serve(t, func(w http.ResponseWriter, r *http.Request) { t.Error("the key went elsewhere") })
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.BaseURL()+r.URL.Path, http.StatusTemporaryRedirect)
	})
	_, err := transport.Create(t.Context(), c, newRequest())
	var e *transport.Error
	if !errors.As(err, &e) || e.Status != 307 {
		t.Errorf("got %v", err)
	}
}
