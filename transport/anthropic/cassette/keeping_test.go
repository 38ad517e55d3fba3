package cassette

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

type answering func(*http.Request) (*http.Response, error)

func (f answering) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A watcher is a TB that notes what happens to it.
type watcher struct {
	failed   bool
	said     []string
	cleanups []func()
}

func (*watcher) Helper()                     {}
func (t *watcher) Failed() bool              { return t.failed }
func (t *watcher) Errorf(f string, a ...any) { t.said = append(t.said, "error: "+fmt.Sprintf(f, a...)) }
func (t *watcher) Fatalf(f string, a ...any) { t.said = append(t.said, "fatal: "+fmt.Sprintf(f, a...)) }
func (t *watcher) Cleanup(f func())          { t.cleanups = append(t.cleanups, f) }

func (t *watcher) end() {
	for _, f := range slices.Backward(t.cleanups) {
		f()
	}
}

func answer(status int, header http.Header, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}
}

// A test that passed writes what it recorded, one that failed leaves the file as it
// was, and one that replays fails if something was left.
func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "x.json")
	t.Setenv("WHORL_CASSETTE", "record")
	for _, failed := range []bool{true, false} {
		tb := &watcher{}
		c := Open(tb, path)
		c.opts.Transport = answering(func(*http.Request) (*http.Response, error) { return answer(200, http.Header{}, "x"), nil })
		for range 2 {
			resp, err := c.HTTPClient().Get("http://h/v1/models")
			if err != nil {
				t.Fatal(err)
			}
			io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		tb.failed = failed
		tb.end()
		if _, err := os.Stat(path); (err == nil) == failed || len(tb.said) > 0 {
			t.Errorf("failed %v: the file: %v, %q", failed, err, tb.said)
		}
	}
	t.Setenv("WHORL_CASSETTE", "")
	for left, want := range []string{"", "1 of 2 recorded exchanges were not used", "2 of 2 recorded exchanges were not used"} {
		for _, failed := range []bool{false, true} {
			tb := &watcher{failed: failed}
			c := Open(tb, path)
			for range 2 - left {
				resp, err := c.HTTPClient().Get("http://elsewhere/v1/models")
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
			}
			tb.end()
			if got := strings.Join(tb.said, ""); c.Left() != left || (got != "") != (want != "" && !failed) || !failed && !strings.Contains(got, want) {
				t.Errorf("%d left, failed %v: %q", c.Left(), failed, got)
			}
		}
	}
	tb := &watcher{}
	Open(tb, path+".none")
	if len(tb.said) == 0 || !strings.HasPrefix(tb.said[0], "fatal: ") {
		t.Errorf("%q", tb.said)
	}
}

// What a recording keeps of each exchange: in the order of the requests, decompressed,
// scrubbed everywhere, and nothing of an answer that never came.
func TestRecording(t *testing.T) {
	var bodies []string
	why := errors.New("why")
	c, err := New(filepath.Join(t.TempDir(), "x.json"), Options{
		Record: true,
		Scrub:  func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("Ann"), []byte("somebody")) },
		Transport: answering(func(r *http.Request) (*http.Response, error) {
			raw, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			bodies = append(bodies, string(raw))
			switch {
			case strings.Contains(string(raw), "down"):
				return nil, why
			case strings.Contains(string(raw), "gzip"):
				var b bytes.Buffer
				z := gzip.NewWriter(&b)
				io.WriteString(z, `{"packed":"Ann"}`)
				z.Close()
				return answer(200, http.Header{"Content-Encoding": {"gzip"}, "Content-Length": {"99"}, "Content-Type": {"application/json"}}, b.String()), nil
			case strings.Contains(string(raw), "broken"):
				return answer(200, http.Header{"Content-Encoding": {"gzip"}}, "no gzip"), nil
			}
			return answer(200, http.Header{"Request-Id": {"of Ann"}, "Content-Type": {"text/event-stream"}, "Anthropic-Ratelimit-Requests-Limit": {"4000"}}, "data: 1\n\ndata: Ann\n\nrest"), nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	post := func(body string) *http.Response {
		t.Helper()
		req := httptest.NewRequest(http.MethodPost, "http://h/v1/messages", strings.NewReader(body))
		req.RequestURI = ""
		resp, err := c.RoundTrip(req)
		if err != nil {
			if !errors.Is(err, why) && !strings.Contains(body, "broken") {
				t.Error(err)
			}
			return nil
		}
		if strings.Contains(body, "down") || strings.Contains(body, "broken") {
			t.Errorf("%s was answered", body)
		}
		return resp
	}
	first, second := post(`{"n":1,"user":"Ann"}`), post(`{"n":2,"how":"gzip"}`)
	post(`{"n":"down"}`)
	post(`{"n":"broken"}`)
	if got, err := io.ReadAll(second.Body); string(got) != `{"packed":"Ann"}` || err != nil || second.Header.Get("Content-Encoding") != "" || second.Header.Get("Content-Length") != "" || second.ContentLength != -1 {
		t.Errorf("%q, %v with %v", got, err, second.Header)
	}
	second.Body.Close()
	if got, err := io.ReadAll(first.Body); string(got) != "data: 1\n\ndata: Ann\n\nrest" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	first.Body.Close()
	first.Body.Close() // keeps nothing once more
	if len(c.exchanges) != 2 || len(bodies) != 4 || bodies[0] != `{"n":1,"user":"Ann"}` {
		t.Fatalf("%d exchanges kept, sent %q", len(c.exchanges), bodies)
	}
	e := c.exchanges[0]
	if string(e.Request.Body) != `{"n":1,"user":"somebody"}` || !slices.Equal(e.Response.Events, []string{"data: 1\n\n", "data: somebody\n\n", "rest"}) || e.Response.Header["Request-Id"] != "of somebody" || len(e.Response.Header) != 2 {
		t.Errorf("%+v", e)
	}
	if e = c.exchanges[1]; string(e.Request.Body) != `{"n":2,"how":"gzip"}` || e.Response.Body != `{"packed":"somebody"}` || e.Response.Events != nil {
		t.Errorf("%+v", e)
	}
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	again, err := load(c.path)
	if err != nil || len(again) != 2 {
		t.Fatalf("%d exchanges, %v", len(again), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(c.path), "*")); len(left) != 1 {
		t.Errorf("beside the file lies %q", left)
	}
	if _, err := New(c.path, Options{Record: true, Transport: nil}); err != nil {
		t.Error(err)
	}
}

// An answer comes back as it was, whatever it holds; a success keeps its Retry-After.
func TestAnswersComeBack(t *testing.T) {
	req := httptest.NewRequest(http.MethodGet, "/v1/models", nil)
	for name, tt := range map[string]struct {
		status      int
		kind, body  string
		after, wait string // Retry-After and Retry-After-Ms
	}{
		"events":          {200, "text/event-stream; charset=utf-8", "data: 1\n\n\ndata: 2\n\nend", "7", ""},
		"JSON":            {399, "application/json", "{}\n\n{}", "7", ""},
		"no text":         {200, "text/event-stream", "\xff\n\n\x00", "7", ""},
		"a refusal":       {400, "application/json", `{"x":1}`, "", "1"},
		"nothing at all":  {200, "", "", "7", ""},
		"an event's half": {200, "text/event-stream", "data: 1\n", "7", ""},
	} {
		e := newExchange(req, "/v1/models", nil, &http.Response{StatusCode: tt.status, Header: http.Header{"Content-Type": {tt.kind}, "Retry-After": {"7"}}}, []byte(tt.body))
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var kept exchange
		if err := json.Unmarshal(raw, &kept); err != nil {
			t.Fatal(err)
		}
		back := kept.answer(req)
		got, err := io.ReadAll(back.Body)
		if string(got) != tt.body || err != nil || back.StatusCode != tt.status || back.ContentLength != int64(len(tt.body)) || back.Header.Get("Retry-After") != tt.after || back.Header.Get("Retry-After-Ms") != tt.wait || back.Header.Get("Content-Type") != tt.kind || back.Request != req {
			t.Errorf("%s: %d %v %q, %v", name, back.StatusCode, back.Header, got, err)
		}
		if e.Request.Body != nil || e.Request.Text != "" {
			t.Errorf("%s: kept of no body: %+v", name, e.Request)
		}
	}
}

// Of two values the first difference is told, with where it is.
func TestCompare(t *testing.T) {
	long := strings.Repeat("é", 300)
	for _, tt := range []struct{ sent, recorded, path, s, r string }{
		{`{"a":1}`, `{"a":1}`, "", "", ""},
		{`[1,2]`, `[1]`, "1", "2", ""},
		{`[1]`, `[1,2]`, "1", "", "2"},
		{`[1,{"b":[true]}]`, `[1,{"b":[false]}]`, "1.b.0", "true", "false"},
		{`{"a":null}`, `{}`, "a", "null", ""},
		{`{}`, `{"a":null}`, "a", "", "null"},
		{`1`, `"1"`, "the body", "1", `"1"`},
		{`{"a":[]}`, `{"a":{}}`, "a", "[]", "{}"},
		{`{"messages":1,"zoo":1,"tools":1,"system":1}`, `{"messages":2,"zoo":2,"tools":2,"system":2}`, "zoo", "1", "2"},
		{`{"messages":1,"tools":1,"system":1}`, `{"messages":2,"tools":2,"system":2}`, "tools", "1", "2"},
		{`{"messages":1,"system":1}`, `{"messages":2,"system":2}`, "system", "1", "2"},
		{`{"b":1,"a":1}`, `{"b":2,"a":2}`, "a", "1", "2"},
		{`{"cache_control":1}`, `{"cache_control":2}`, "", "", ""},
		{`"` + long + `<x>"`, `1`, "the body", `"` + strings.Repeat("é", 99) + " … " + strings.Repeat("é", 98) + `<x>" (605 bytes)`, "1"},
	} {
		sent, err := decode([]byte(tt.sent))
		if err != nil {
			t.Fatal(err)
		}
		recorded, err := decode([]byte(tt.recorded))
		if err != nil {
			t.Fatal(err)
		}
		var want, got Difference
		if want = (Difference{Path: tt.path, Sent: tt.s, Recorded: tt.r}); tt.path == "" {
			want = Difference{}
		}
		if d := compare("", sent, recorded); d != nil {
			got = *d
		}
		if got != want {
			t.Errorf("%s and %s: %+v, want %+v", tt.sent, tt.recorded, got, want)
		}
	}
	for keys, want := range map[string]string{"content-type": "CONTENT-TYPE", "retry-after-ms": "Retry-After-Ms", "x-should-retry": "X-Should-Retry"} {
		if !keptHeader(want) {
			t.Errorf("%s is not kept", keys)
		}
	}
	if keptHeader("Anthropic-Organization-Id") || keptHeader("Set-Cookie") || keptHeader("") {
		t.Error("a header of the account is kept")
	}
}

// Equal requests get their answers in the order of the recording, each once.
func TestReplayOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.json")
	var all []exchange
	for _, body := range []string{"a", "b", "c"} {
		all = append(all, exchange{Request: request{Method: "GET", Path: "/v1/models"}, Response: response{Status: 200, Body: body}})
	}
	all[1].Request.Path = "/v1/files"
	if err := save(path, all); err != nil {
		t.Fatal(err)
	}
	c, err := New(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var m *MismatchError // tells the first that is left
	if _, err := c.RoundTrip(httptest.NewRequest("GET", "/v1/other", nil)); !errors.As(err, &m) || m.Difference.Exchange != 1 || c.Left() != 3 {
		t.Errorf("%v, %d left", err, c.Left())
	}
	for i, want := range []string{"a", "c", "", "b"} {
		at := "/v1/models"
		if want == "b" {
			at = "/v1/files"
		}
		resp, err := c.RoundTrip(httptest.NewRequest("GET", at, nil))
		if err != nil {
			var m *MismatchError
			if want != "" || !strings.Contains(err.Error(), "was sent for the 3. time, and recorded once less") || !errors.As(err, &m) || m.Difference == nil || m.Difference.Exchange != 2 || m.Difference.Path != "the path" || m.Recorded != 3 || !m.Permanent() {
				t.Errorf("request %d: %v", i, err)
			}
			continue
		}
		if got, _ := io.ReadAll(resp.Body); string(got) != want {
			t.Errorf("request %d: %q, want %q", i, got, want)
		}
	}
}
