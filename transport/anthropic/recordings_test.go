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
	"github.com/whorl-go/whorl/transport/secret"
)

// A recording is one exchange with the service, as a recorder kept it.
type recording struct {
	Source  string `json:"source"`
	Commit  string `json:"commit"`
	Kind    string `json:"kind"`
	Request *struct {
		Method string `json:"method"`
		Path   string `json:"path"`
		Body   string `json:"body"`
	} `json:"request"`
	Response struct {
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	} `json:"response"`
}

var serverCall = regexp.MustCompile(`"id":"(srvtoolu_[^"]+)"`)

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
				// Another put a made-up id into results alone, so that they belong to no call.
				if call := serverCall.FindStringSubmatch(r.Response.Body); call != nil {
					r.Response.Body = strings.ReplaceAll(r.Response.Body, `"tool_use_id":"toolu_REDACTED_1"`, `"tool_use_id":"`+call[1]+`"`)
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
	c, err := New(Options{APIKey: secret.New("k"), MaxRetries: -1, HTTPClient: &http.Client{Transport: r}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRecordings runs every recorded exchange through the client.
func TestRecordings(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine reads what was recorded")
	}
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
	if json.Valid([]byte(r.Response.Body)) && (string(e.Type) != want || e.Message != rawjson.GetString(rawjson.Get([]byte(r.Response.Body), "error"), "message")) {
		return kind, fmt.Errorf("got %q, %q", e.Type, e.Message)
	}
	kind += " " + string(e.Type)
	for typ, target := range map[string]error{
		string(transport.ErrInvalidRequest): transport.ErrInvalidRequest, string(transport.ErrAuthentication): transport.ErrAuthentication,
		string(transport.ErrNotFound): transport.ErrNotFound, string(transport.ErrRateLimit): transport.ErrRateLimit,
		string(transport.ErrAPI): transport.ErrAPI, string(transport.ErrOverloaded): transport.ErrOverloaded,
	} {
		if errors.Is(err, target) != (string(e.Type) == typ) {
			return kind, fmt.Errorf("errors.Is(err, %v) is %v", target, errors.Is(err, target))
		}
	}
	return kind, nil
}
