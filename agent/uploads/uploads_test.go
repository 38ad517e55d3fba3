package uploads_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent/uploads"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

func picture(n int) transport.Block {
	r := rand.New(rand.NewPCG(uint64(n), 0))
	img := image.NewGray(image.Rect(0, 0, 300, 300))
	for i := range img.Pix {
		img.Pix[i] = byte(r.Uint32())
	}
	var file bytes.Buffer
	if err := png.Encode(&file, img); err != nil {
		panic(err)
	}
	b, err := transport.Image{Data: file.Bytes()}.Block()
	if err != nil {
		panic(err)
	}
	return b
}

// A service is the simulator, with the uploads counted and the requests kept.
type service struct {
	*anthropic.Client
	mu      sync.Mutex
	uploads int
	sizes   []int64
	sent    []*transport.Request
	ids     []string
}

func (s *service) UploadFile(ctx context.Context, u anthropic.Upload) (anthropic.File, error) {
	data, err := io.ReadAll(u.Content)
	if err != nil {
		return anthropic.File{}, err
	}
	u.Content = bytes.NewReader(data)
	f, err := s.Client.UploadFile(ctx, u)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uploads++
	s.sizes, s.ids = append(s.sizes, int64(len(data))), append(s.ids, f.ID)
	return f, err
}

// errEndless ends a test that would send the same request for ever.
var errEndless = errors.New("the request is sent again and again")

func (s *service) keep(next transport.StreamFunc) transport.StreamFunc {
	return func(ctx context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
		s.mu.Lock()
		s.sent = append(s.sent, req)
		n := len(s.sent)
		s.mu.Unlock()
		if n > 100 {
			return func(yield func(transport.Event, error) bool) { yield(transport.Event{}, errEndless) }
		}
		return next(ctx, req)
	}
}

func start(t *testing.T, o simulator.Options) *service {
	t.Helper()
	sim := simulator.StartTest(t, o)
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("test")})
	if err != nil {
		t.Fatal(err)
	}
	return &service{Client: client}
}

func ask(blocks ...transport.Block) *transport.Request {
	return &transport.Request{Model: "claude-opus-5-5", MaxTokens: 100, Messages: []transport.Message{{Role: transport.RoleUser, Content: blocks}}}
}

func send(t *testing.T, s *service, f *uploads.Files, req *transport.Request) error {
	t.Helper()
	before, err := req.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	_, err = transport.Create(t.Context(), transport.Wrap(s.Client, f.Middleware, s.keep), req)
	after, e := req.MarshalJSON()
	if e != nil || !bytes.Equal(before, after) {
		t.Errorf("the request was changed (%v)", e)
	}
	return err
}

func (s *service) last() string {
	raw, err := s.sent[len(s.sent)-1].MarshalJSON()
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// Pictures are uploaded once, wherever they stand, and what is sent is the same from
// request to request.
func TestUploadedOnce(t *testing.T) {
	s := start(t, simulator.Options{})
	dir, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	f := uploads.New(s, &uploads.Options{Index: uploads.Folder(dir)})
	call, err := transport.ParseBlock([]byte(`{"type":"tool_use","id":"toolu_1","name":"see","input":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	req := ask(transport.Text("What is it?"), picture(1))
	req.Messages = append(req.Messages, transport.Message{Role: transport.RoleAssistant, Content: []transport.Block{call}},
		transport.Message{Role: transport.RoleUser, Content: []transport.Block{transport.ToolResult("toolu_1", transport.Text("two:"), picture(1), picture(2))}})
	tool, err := transport.ParseToolDefinition([]byte(`{"name":"see","input_schema":{"type":"object"}}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Tools = []transport.ToolDefinition{tool}
	var texts []string
	for range 3 {
		if err := send(t, s, f, req); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, s.last())
	}
	// Another process with the same index.
	if err := send(t, s, uploads.New(s, &uploads.Options{Index: uploads.Folder(dir)}), req); err != nil {
		t.Fatal(err)
	}
	if s.uploads != 2 {
		t.Errorf("%d uploads of two pictures", s.uploads)
	}
	for _, text := range append(texts[1:], s.last()) {
		if text != texts[0] {
			t.Errorf("sent %s, then %s", texts[0], text)
		}
	}
	if strings.Contains(texts[0], "base64") || strings.Count(texts[0], `"source":{"type":"file","file_id":`) != 3 || !strings.Contains(texts[0], "two:") {
		t.Errorf("sent %.500s", texts[0])
	}
	for i, b := range []transport.Block{picture(1), picture(2)} {
		if want := rawjson.GetString(rawjson.Get(b.Raw(), "source"), "data"); int64(len(want)*3/4)-s.sizes[i] > 2 {
			t.Errorf("upload %d has %d bytes", i, s.sizes[i])
		}
	}
	// What is small stays.
	if err := send(t, s, uploads.New(s, &uploads.Options{MinBytes: 1 << 20}), req); err != nil || strings.Contains(s.last(), "file_id") {
		t.Errorf("%v: %.300s", err, s.last())
	}
}

// A file that expires is uploaded again before that; one that is gone all the same,
// once the service says so. The request is then sent again.
func TestRenewed(t *testing.T) {
	var mu sync.Mutex
	ahead := time.Duration(0)
	s := start(t, simulator.Options{Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(ahead)
	}})
	f := uploads.New(s, &uploads.Options{ExpiresIn: 24 * time.Hour})
	req := ask(picture(1), picture(2))
	if err := send(t, s, f, req); err != nil || s.uploads != 2 {
		t.Fatalf("%v, %d uploads", err, s.uploads)
	}
	if err := s.DeleteFile(t.Context(), s.ids[1]); err != nil {
		t.Fatal(err)
	}
	if err := send(t, s, f, req); err != nil || s.uploads != 3 || !strings.Contains(s.last(), s.ids[0]) || strings.Contains(s.last(), s.ids[1]) {
		t.Errorf("deleted: %v, %d uploads, %s", err, s.uploads, s.last())
	}
	mu.Lock()
	ahead = 48 * time.Hour
	mu.Unlock()
	if err := send(t, s, f, ask(picture(1))); err != nil || s.uploads != 4 {
		t.Errorf("expired: %v, %d uploads", err, s.uploads)
	}
	// Those of which it is known are not even tried.
	mu.Lock()
	ahead = -24*time.Hour + time.Minute // so that it has a minute to live by our clock
	mu.Unlock()
	one := ask(picture(3))
	for n := range 2 {
		sent := len(s.sent)
		if err := send(t, s, f, one); err != nil || s.uploads != 5+n || len(s.sent) != sent+1 {
			t.Errorf("nearly expired: %v, %d uploads, %d requests", err, s.uploads, len(s.sent)-sent)
		}
	}
}

// refusing can't upload.
type refusing struct{ err error }

func (r refusing) UploadFile(context.Context, anthropic.Upload) (anthropic.File, error) {
	return anthropic.File{}, r.err
}

func TestErrors(t *testing.T) {
	s := start(t, simulator.Options{})
	cause := errors.New("no room")
	err := send(t, s, uploads.New(refusing{cause}, nil), ask(transport.Text("x"), picture(1)))
	var upload *uploads.UploadError
	if !errors.As(err, &upload) || !errors.Is(err, cause) || upload.Place != "messages.0.content.1" || !strings.HasPrefix(upload.Key, "sha256:") {
		t.Errorf("%v", err)
	}
	if len(s.sent) != 0 {
		t.Error("the request was sent")
	}
	// A file that is refused again and again ends it.
	f := uploads.New(wrong{}, nil)
	var refusal *transport.Error
	if err := send(t, s, f, ask(picture(1))); !errors.As(err, &refusal) || refusal.Status != 404 || len(s.sent) != 2 {
		t.Errorf("%v after %d requests", err, len(s.sent))
	}
	// Many at the same time upload one picture once.
	f = uploads.New(s, nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := transport.Create(context.Background(), transport.Wrap(s.Client, f.Middleware), ask(picture(4))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s.uploads != 1 {
		t.Errorf("%d uploads", s.uploads)
	}
}

// Only a refusal that is about the files that were uploaded has them uploaded again.
func TestOtherRefusals(t *testing.T) {
	for _, tt := range []struct {
		refusal transport.Error
		again   bool
	}{
		{transport.Error{Status: 404, Message: "behind the beginning of an answer: file_one"}, false},
		{transport.Error{Status: 404, Message: "model: claude-none"}, false},
		{transport.Error{Status: 404, Message: "the inference profile us.none is not there"}, false},
		{transport.Error{Status: 404, Message: "Not found"}, false},
		{transport.Error{Status: 404, Message: "container_none is not there; its files are lost to"}, true}, // it may be ours
		{transport.Error{Status: 404, Message: "File not found: file_011CNha8iCJcU1wXNR6q4V8w"}, false},     // the caller's own
		{transport.Error{Status: 404, Message: "File not found: file_one"}, true},
		{transport.Error{Status: 404, Message: "a file_id is wrong"}, true},
		{transport.Error{Status: 400, Message: "File not found: file_one"}, false},
		{transport.Error{Status: 400, Code: "file_expired", Message: "it has expired"}, true},
		{transport.Error{Status: 400, Code: "file_expired", Message: "file_011CNha8iCJcU1wXNR6q4V8w has expired"}, false},
		{transport.Error{Status: 429, Message: "too many files"}, false},
	} {
		uploaded, sent := 0, 0
		f := uploads.New(uploader(func() string { uploaded++; return "file_one" }), nil)
		stream := f.Middleware(func(context.Context, *transport.Request) iter.Seq2[transport.Event, error] {
			sent++
			return func(yield func(transport.Event, error) bool) {
				if sent > 100 {
					yield(transport.Event{}, errEndless)
					return
				}
				if !strings.HasPrefix(tt.refusal.Message, "behind") || yield(transport.Event{}, nil) {
					yield(transport.Event{}, &tt.refusal)
				}
			}
		})
		var got *transport.Error
		for _, err := range stream(t.Context(), ask(picture(1))) {
			if err != nil && (!errors.As(err, &got) || got != &tt.refusal) {
				t.Errorf("%s: %v", tt.refusal.Message, err)
			}
		}
		if want := map[bool]int{false: 1, true: 2}[tt.again]; uploaded != want || sent != want {
			t.Errorf("%d %s %q: %d uploads, %d requests; want %d", tt.refusal.Status, tt.refusal.Code, tt.refusal.Message, uploaded, sent, want)
		}
	}
}

// An uploader says which id a file has.
type uploader func() string

func (u uploader) UploadFile(context.Context, anthropic.Upload) (anthropic.File, error) {
	return anthropic.File{ID: u()}, nil
}

// wrong uploads nothing, and says that it has.
type wrong struct{}

func (wrong) UploadFile(context.Context, anthropic.Upload) (anthropic.File, error) {
	return anthropic.File{ID: "file_none"}, nil
}

// A message whose picture is uploaded keeps what else it has.
func TestMessagesKeepTheirMembers(t *testing.T) {
	f := uploads.New(uploader(func() string { return "file_one" }), nil)
	req := ask(picture(1))
	req.Messages[0].ClearAt = "next_user_message"
	req.Messages[0].OutputConfig = []byte(`{"effort":"low"}`)
	req.Messages[0].Extra = map[string]json.RawMessage{"from_next_year": []byte(`1`)}
	req.Messages = append(req.Messages, transport.Message{Role: transport.RoleAssistant, Content: []transport.Block{picture(2)}})
	stream := f.Middleware(func(_ context.Context, sent *transport.Request) iter.Seq2[transport.Event, error] {
		m := sent.Messages[0]
		if got := string(m.Content[0].Raw()); !strings.Contains(got, `"file_one"`) {
			t.Errorf("the picture was not uploaded: %.200s", got)
		}
		if string(m.Extra["from_next_year"]) != "1" || !strings.Contains(string(sent.Messages[1].Content[0].Raw()), `"base64"`) {
			t.Errorf("sent with %s, and for the assistant %.200s", m.Extra, sent.Messages[1].Content[0].Raw())
		}
		if m.ClearAt != "next_user_message" || string(m.OutputConfig) != `{"effort":"low"}` {
			t.Errorf("sent with clear_at %q and output_config %s", m.ClearAt, m.OutputConfig)
		}
		return func(func(transport.Event, error) bool) {}
	})
	for _, err := range stream(t.Context(), req) {
		t.Error(err)
	}
}

// broken is an index that fails.
type broken struct{ get, put error }

func (b broken) Get(context.Context, string) (uploads.Ref, bool, error) {
	return uploads.Ref{}, false, b.get
}

func (b broken) Put(context.Context, string, uploads.Ref) error { return b.put }

// Who can't know what was uploaded, or can't keep it, sends nothing.
func TestIndexThatFails(t *testing.T) {
	cause := errors.New("the disk is full")
	for name, index := range map[string]broken{"get": {get: cause}, "put": {put: cause}} {
		n := 0
		f := uploads.New(uploader(func() string { n++; return "file_one" }), &uploads.Options{Index: index})
		next := func(context.Context, *transport.Request) iter.Seq2[transport.Event, error] {
			t.Errorf("%s: the request is sent", name)
			return func(func(transport.Event, error) bool) {}
		}
		var failed *uploads.UploadError
		for _, err := range f.Middleware(next)(t.Context(), ask(transport.Text("x"), picture(1))) {
			if !errors.As(err, &failed) || !errors.Is(err, cause) || failed.Place != "messages.0.content.1" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if failed == nil || name == "get" && n != 0 {
			t.Errorf("%s: %v, uploaded %d times", name, failed, n)
		}
	}
}

// slowly uploads when it is told to.
type slowly struct{ begun, release chan struct{} }

func (s slowly) UploadFile(context.Context, anthropic.Upload) (anthropic.File, error) {
	close(s.begun)
	<-s.release
	return anthropic.File{ID: "file_one"}, nil
}

// Who waits for another one's upload of the same can stop waiting.
func TestWaitingForAnUpload(t *testing.T) {
	to := slowly{make(chan struct{}), make(chan struct{})}
	f := uploads.New(to, &uploads.Options{MinBytes: -1}) // as the default
	sent := make(chan string, 1)
	next := func(_ context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
		raw, err := req.MarshalJSON()
		if err != nil {
			t.Error(err)
		}
		sent <- string(raw)
		return func(func(transport.Event, error) bool) {}
	}
	req := ask(picture(1), small(t))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range f.Middleware(next)(t.Context(), req) {
		}
	}()
	<-to.begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range f.Middleware(next)(ctx, ask(picture(1))) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
	close(to.release)
	<-done
	if got := <-sent; strings.Count(got, "file_one") != 1 || !strings.Contains(got, `"type":"base64"`) {
		t.Errorf("%.300s", got)
	}
}

// small is a picture that is not worth an upload.
func small(t *testing.T) transport.Block {
	t.Helper()
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 2, 2))); err != nil {
		t.Fatal(err)
	}
	b, err := transport.Image{Data: file.Bytes()}.Block()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
