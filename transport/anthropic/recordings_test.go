package anthropic

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A recording is one exchange with the service, as a recorder kept it.
type recording struct {
	Source  string `json:"source"`
	Commit  string `json:"commit"`
	Kind    string `json:"kind"`
	Request *struct {
		Method string `json:"method"`
		Path   string `json:"path"`
	} `json:"request"`
	Response struct {
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	} `json:"response"`
}

// loadRecordings reads the folder of recordings: WHORL_RECORDINGS, or
// ../shared/recordings seen from the project's root.
func loadRecordings(t *testing.T) []recording {
	t.Helper()
	dir := os.Getenv("WHORL_RECORDINGS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "recordings")
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if len(names) == 0 {
		t.Skipf("no recordings in %s; set WHORL_RECORDINGS", dir)
	}
	var all []recording
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(f)
		for {
			line, err := lines.ReadBytes('\n')
			if len(bytes.TrimSpace(line)) > 0 {
				var r recording
				if err := json.Unmarshal(line, &r); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				// One recorder wraps the JSON that it couldn't decode otherwise.
				if b := []byte(r.Response.Body); rawjson.GetString(b, "type") == "json" {
					r.Response.Body = string(rawjson.Get(b, "content"))
				}
				if r.Request != nil {
					r.Request.Path, _, _ = strings.Cut(r.Request.Path, "?")
				}
				all = append(all, r)
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		f.Close()
	}
	return all
}

func (r *recording) isStream() bool {
	b := strings.TrimLeft(r.Response.Body, " \r\n")
	return strings.HasPrefix(b, "event:") || strings.HasPrefix(b, "data:") || strings.HasPrefix(b, ":")
}

// endpoint names what the exchange was about, for instance "files" or "messages".
func (r *recording) endpoint() string {
	if r.Request == nil {
		return "messages"
	}
	_, path, _ := strings.Cut(r.Request.Path, "/v1/")
	part := strings.Split(path, "/")
	switch {
	case strings.Contains(path, ":rawPredict"), strings.Contains(path, ":streamRawPredict"):
		return "messages"
	case part[0] == "messages" && len(part) > 1:
		return part[1]
	}
	return part[0]
}

// RoundTrip answers any request with the recorded response.
func (r *recording) RoundTrip(req *http.Request) (*http.Response, error) {
	h := make(http.Header)
	for k, v := range r.Response.Headers {
		h.Set(k, v)
	}
	if r.isStream() {
		h.Set("Content-Type", "text/event-stream")
	} else if !strings.Contains(h.Get("Content-Type"), "octet-stream") {
		h.Set("Content-Type", "application/json")
	}
	return &http.Response{StatusCode: r.Response.Status, Header: h, Request: req, Body: io.NopCloser(strings.NewReader(r.Response.Body))}, nil
}

func (r *recording) client(t *testing.T) *Client {
	t.Helper()
	c, err := New(Options{APIKey: "k", MaxRetries: -1, HTTPClient: &http.Client{Transport: r}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRecordings runs every recorded exchange through the client.
func TestRecordings(t *testing.T) {
	all := loadRecordings(t)
	counts := make(map[string]int)
	failed := 0
	conversations := make(map[string]int)
	for _, r := range all {
		conversations[strings.Split(r.Source, "#")[0]+r.Commit]++
	}
	rng := rand.New(rand.NewPCG(5, 6))
	for i := range all {
		r := &all[i]
		kind, err := r.check(t, rng, counts, conversations[strings.Split(r.Source, "#")[0]+r.Commit] > 1)
		counts[kind]++
		if err != nil {
			failed++
			t.Errorf("%s (%s): %s: %v", r.Source, r.Commit, kind, err)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%6d  %s", counts[kind], kind)
	}
	t.Logf("%6d  exchanges in all, %d of them failed", len(all), failed)
}

// check runs one exchange through the client and says which kind it was.
func (r *recording) check(t *testing.T, rng *rand.Rand, counts map[string]int, several bool) (kind string, err error) {
	c, ctx := r.client(t), context.Background()
	kind = r.endpoint()
	if r.Response.Status >= 400 {
		return r.checkError(ctx, c)
	}
	switch method := cmpMethod(r); kind {
	case "count_tokens":
		n, err := c.CountTokens(ctx, newRequest())
		return kind, orElse(err, n > 0, "no tokens counted")
	case "models":
		if strings.Contains(r.Response.Body, `"data"`) {
			return "models: list", checkList(c.Models(ctx), r, func(m ModelInfo) string { return m.ID })
		}
		m, err := c.Model(ctx, "m")
		return "models: one", orElse(err, m.ID != "" && m.DisplayName != "", "no id")
	case "files":
		switch {
		case strings.HasSuffix(r.Request.Path, "/content"):
			body, err := c.DownloadFile(ctx, "f")
			if err != nil {
				return "files: content", err
			}
			defer body.Close()
			got, err := io.ReadAll(body)
			return "files: content", orElse(err, string(got) == r.Response.Body, "another content")
		case method == http.MethodDelete:
			return "files: delete", c.DeleteFile(ctx, "f")
		case method == http.MethodPost:
			f, err := c.UploadFile(ctx, Upload{Filename: "x", Content: strings.NewReader("x")})
			return "files: upload", orElse(err, f.ID != "" && f.SizeBytes > 0, "no id")
		case strings.Contains(r.Response.Body, `"data"`):
			return "files: list", checkList(c.Files(ctx), r, func(f File) string { return f.ID })
		}
		f, err := c.File(ctx, "f")
		return "files: one", orElse(err, f.ID != "" && !f.CreatedAt.IsZero(), "no id")
	case "batches":
		if strings.HasSuffix(r.Request.Path, "/results") {
			n := 0
			for res, err := range c.BatchResults(ctx, "b") {
				if err != nil {
					return "batches: results", err
				}
				if res.Type == "succeeded" && len(res.Response.Content) == 0 || res.Type == "errored" && res.Err.Type == "" {
					return "batches: results", fmt.Errorf("result %q is empty", res.CustomID)
				}
				n++
			}
			return "batches: results", orElse(nil, n == strings.Count(r.Response.Body, `"custom_id"`), "some results are missing")
		}
		if strings.Contains(r.Response.Body, `"data"`) {
			return "batches: list", checkList(c.Batches(ctx), r, func(b Batch) string { return b.ID })
		}
		b, err := c.Batch(ctx, "b")
		return "batches: one", orElse(err, b.ID != "" && b.ProcessingStatus != "", "no id")
	case "messages":
		return r.checkMessage(ctx, c, rng, counts, several)
	}
	return kind, errors.New("an endpoint that the test doesn't know")
}

func cmpMethod(r *recording) string {
	if r.Request == nil {
		return ""
	}
	return r.Request.Method
}

func orElse(err error, ok bool, what string) error {
	if err == nil && !ok {
		return errors.New(what)
	}
	return err
}

// checkList reads the one page that was recorded.
func checkList[T any](seq func(func(T, error) bool), r *recording, id func(T) string) error {
	want := 0
	for range rawjson.Elements(rawjson.Get([]byte(r.Response.Body), "data")) {
		want++
	}
	n := 0
	for v, err := range seq {
		if err != nil {
			return err
		}
		if id(v) == "" {
			return errors.New("an entry without an id")
		}
		if n++; n == want {
			break
		}
	}
	return orElse(nil, n == want, "some entries are missing")
}

// checkError demands that a refusal has the type that its body or its status tells.
func (r *recording) checkError(ctx context.Context, c *Client) (string, error) {
	kind := fmt.Sprintf("error %d", r.Response.Status)
	_, err := transport.Create(ctx, c, newRequest())
	var e *transport.Error
	if !errors.As(err, &e) {
		return kind, fmt.Errorf("not an *Error: %v", err)
	}
	want := rawjson.GetString(rawjson.Get([]byte(r.Response.Body), "error"), "type")
	if json.Valid([]byte(r.Response.Body)) && (e.Type != want || e.Message != rawjson.GetString(rawjson.Get([]byte(r.Response.Body), "error"), "message")) {
		return kind, fmt.Errorf("got %q, %q", e.Type, e.Message)
	}
	kind += " " + e.Type
	for typ, target := range map[string]error{
		transport.TypeInvalidRequest: transport.ErrInvalidRequest, transport.TypeAuthentication: transport.ErrAuthentication,
		transport.TypeNotFound: transport.ErrNotFound, transport.TypeRateLimit: transport.ErrRateLimit,
		transport.TypeAPI: transport.ErrAPI, transport.TypeOverloaded: transport.ErrOverloaded,
	} {
		if errors.Is(err, target) != (e.Type == typ) {
			return kind, fmt.Errorf("errors.Is(err, %v) is %v", target, errors.Is(err, target))
		}
	}
	return kind, nil
}

// checkMessage reads a response, streamed or whole.
func (r *recording) checkMessage(ctx context.Context, c *Client, rng *rand.Rand, counts map[string]int, several bool) (string, error) {
	body := []byte(r.Response.Body)
	if !r.isStream() {
		if rawjson.GetString(body, "type") == "error" {
			_, err := transport.Create(ctx, c, newRequest())
			var e *transport.Error
			return "error in a body of status 200", orElse(nil, errors.As(err, &e) && e.Type != "", fmt.Sprint(err))
		}
		kind := "messages: whole, " + r.Kind
		resp, err := transport.Create(ctx, c, newRequest())
		if err != nil {
			return kind, err
		}
		if !bytes.Equal(resp.Raw(), rawjson.Trim(body)) {
			return kind, errors.New("Raw is not the body")
		}
		var want [][]byte
		for e := range rawjson.Elements(rawjson.Get(body, "content")) {
			want = append(want, e)
		}
		if err := sameBlocks(resp.Content, want); err != nil {
			return kind, err
		}
		again, err := assemble(strings.NewReader(asStream(body, rng)))
		if err != nil {
			return kind, fmt.Errorf("streamed: %w", err)
		}
		if err := sameButSpace(again.Content, want); err != nil {
			return kind, fmt.Errorf("streamed: %w", err)
		}
		if err := sameValue(again.Raw(), body); err != nil {
			return kind, fmt.Errorf("streamed: %w", err)
		}
		return kind, checkReplay(resp, counts, several)
	}

	kind := "messages: streamed, " + r.Kind
	resp, err := transport.Create(ctx, c, newRequest())
	want, wantErr := referenceAssembly(r.Response.Body)
	if wantErr != nil {
		kind += ", " + wantErr.Error()
		var e *transport.Error
		var broken *transport.StreamError
		if err == nil || !errors.As(err, &broken) || wantErr == errInStream && !errors.As(err, &e) {
			return kind, fmt.Errorf("got %v", err)
		}
		return kind, nil
	}
	if err != nil {
		return kind, err
	}
	if err := sameBlocks(resp.Content, want.blocks); err != nil {
		return kind, err
	}
	whole, err := transport.ParseResponse(resp.Raw())
	if err != nil {
		return kind, err
	}
	if err := sameBlocks(whole.Content, want.blocks); err != nil {
		return kind, fmt.Errorf("Raw: %w", err)
	}
	for key, v := range want.envelope {
		if err := sameValue(rawjson.Get(resp.Raw(), key), v); err != nil {
			return kind, fmt.Errorf("%s: %w", key, err)
		}
	}
	for range 3 {
		again, err := assemble(&pieces{rng: rng, rest: r.Response.Body})
		if err != nil || !bytes.Equal(again.Raw(), resp.Raw()) {
			return kind, fmt.Errorf("split at random: %v", err)
		}
	}
	if n := len(r.Response.Body); n < 2000 && counts["streams split at each byte"] < 30 {
		counts["streams split at each byte"]++
		for i := range n {
			again, err := assemble(io.MultiReader(strings.NewReader(r.Response.Body[:i]), strings.NewReader(r.Response.Body[i:])))
			if err != nil || !bytes.Equal(again.Raw(), resp.Raw()) {
				return kind, fmt.Errorf("split at byte %d: %v", i, err)
			}
		}
	}
	return kind, checkReplay(resp, counts, several)
}

func assemble(in io.Reader) (*transport.Response, error) {
	for ev, err := range transport.ReadStream(in) {
		if err != nil {
			return nil, err
		}
		if ev.Type == transport.EventMessageStop {
			return ev.Response, nil
		}
	}
	return nil, errors.New("no response")
}

// fileID is what only responses have in citations; Replay takes it out.
var fileID = regexp.MustCompile(`,"file_id":(null|"[^"]*")`)

// checkReplay sends the response back in a next request, with marks and
// without, and demands the bytes that came.
func checkReplay(resp *transport.Response, counts map[string]int, several bool) error {
	for _, b := range resp.Content {
		if _, unknown := b.View().(transport.UnknownBlock); unknown {
			return fmt.Errorf("no view of %s", b.Raw())
		}
		counts["blocks viewed: "+b.Type()]++
	}
	turn, ok := resp.Replay()
	if !ok {
		counts["turns that are left out whole"]++
		return nil
	}
	if several {
		counts["turns of conversations sent back"]++
	}
	counts["blocks sent back"] += len(turn.Content)
	counts["blocks left out"] += len(resp.Content) - len(turn.Content)
	for _, b := range turn.Content {
		if !slices.ContainsFunc(resp.Content, func(o transport.Block) bool {
			return bytes.Equal(b.Raw(), o.Raw()) || o.Type() == transport.TypeText && string(b.Raw()) == fileID.ReplaceAllString(string(o.Raw()), "")
		}) {
			return errors.New("a block that didn't come")
		}
	}
	req := &transport.Request{Model: "m", MaxTokens: 1, Messages: []transport.Message{transport.UserText("q"), turn, transport.UserText("q2")}}
	for i := len(turn.Content) - 1; i >= 0; i-- {
		if turn.Content[i].Markable() && !turn.Content[i].Marked() {
			req.Breakpoints = []transport.Breakpoint{{Part: transport.PartMessages, Index: 1, Block: i}}
			break
		}
	}
	for range 2 {
		body, err := req.Body(true)
		if err != nil {
			return err
		}
		var sent []byte
		i := 0
		for m := range rawjson.Elements(rawjson.Get(body.Bytes(), "messages")) {
			if i++; i == 2 {
				sent = rawjson.Get(m, "content")
			}
		}
		i = 0
		for e := range rawjson.Elements(sent) {
			got := string(e)
			if len(req.Breakpoints) > 0 && req.Breakpoints[0].Block == i {
				got = strings.Replace(got, `,"cache_control":{"type":"ephemeral"}}`, "}", 1)
			}
			if got != string(turn.Content[i].Raw()) {
				return fmt.Errorf("block %d is sent back as %s", i, e)
			}
			i++
		}
		if i != len(turn.Content) {
			return fmt.Errorf("%d blocks sent back of %d", i, len(turn.Content))
		}
		req.Breakpoints = nil
	}
	return nil
}

func sameBlocks(got []transport.Block, want [][]byte) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d blocks, want %d", len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i].Raw(), want[i]) {
			return fmt.Errorf("block %d is %s\nwant %s", i, got[i].Raw(), want[i])
		}
	}
	return nil
}

// sameButSpace is sameBlocks for bytes whose white space between values a stream can't carry.
func sameButSpace(got []transport.Block, want [][]byte) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d blocks, want %d", len(got), len(want))
	}
	for i := range got {
		var g, w bytes.Buffer
		if err := errors.Join(json.Compact(&g, got[i].Raw()), json.Compact(&w, want[i])); err != nil {
			return err
		}
		if !bytes.Equal(g.Bytes(), w.Bytes()) {
			return fmt.Errorf("block %d is %s\nwant %s", i, &g, &w)
		}
	}
	return nil
}

// sameValue compares JSON by value, numbers by their text.
func sameValue(got, want []byte) error {
	decode := func(raw []byte) (v any, err error) {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		err = d.Decode(&v)
		return v, err
	}
	g, err := decode(got)
	if err != nil {
		return fmt.Errorf("%w: %s", err, got)
	}
	w, err := decode(want)
	if err != nil {
		return err
	}
	a, _ := json.Marshal(g)
	b, _ := json.Marshal(w)
	if !bytes.Equal(a, b) {
		return fmt.Errorf("got %s\nwant %s", a, b)
	}
	return nil
}

// pieces returns a random number of bytes at a time.
type pieces struct {
	rng  *rand.Rand
	rest string
}

func (r *pieces) Read(p []byte) (int, error) {
	if r.rest == "" {
		return 0, io.EOF
	}
	n := copy(p, r.rest[:1+r.rng.IntN(min(len(r.rest), 200))])
	r.rest = r.rest[n:]
	return n, nil
}
