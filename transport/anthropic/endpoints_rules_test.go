package anthropic

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/secret"
)

// What the zero values of the options mean, and negative ones.
func TestDefaults(t *testing.T) {
	type settings struct {
		retries, restarts       int
		delay, header, idle     time.Duration
		budget                  float64
		paced                   bool
		userAgent, version, key string
	}
	of := func(o Options) settings {
		t.Helper()
		c, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		s := settings{retries: c.maxRetries, restarts: c.maxRestarts, delay: c.maxRetryDelay, header: c.headerTimeout, idle: c.idleTimeout, paced: c.pacer != nil}
		if c.budget != nil {
			s.budget = c.budget.size
		}
		h := c.header()
		s.userAgent, _, _ = strings.Cut(h.Get("User-Agent"), "/")
		s.version, s.key = h.Get("Anthropic-Version"), h.Get("X-Api-Key")+"|"+h.Get("Authorization")
		if h.Get("Content-Type") != "application/json" || h.Get("Accept") != "application/json" {
			t.Errorf("%v", h)
		}
		return s
	}
	key := secret.New("k")
	for name, tt := range map[string]struct {
		o    Options
		want settings
	}{
		"zero":     {Options{APIKey: key}, settings{4, 0, time.Minute, 10 * time.Minute, 2 * time.Minute, 100, true, "whorl", "2023-06-01", "k|"}},
		"negative": {Options{AuthToken: key, MaxRetries: -1, RetryBudget: -1, HeaderTimeout: -1, IdleTimeout: -1, NoPacing: true}, settings{0, 0, time.Minute, 0, 0, 0, false, "whorl", "2023-06-01", "|Bearer k"}},
		"set": {Options{APIKey: key, BearerKey: true, MaxRetries: 1, MaxRestarts: 2, RetryBudget: 3, MaxRetryDelay: 4, HeaderTimeout: 5, IdleTimeout: 6, UserAgent: "mine/1", Version: APIVersion2026},
			settings{1, 2, 4, 5, 6, 3, true, "mine", "2026-10-21", "|Bearer k"}},
	} {
		if got := of(tt.o); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
	rt := newTransport()
	if rt.Proxy == nil || !rt.DisableCompression || !rt.ForceAttemptHTTP2 || rt.MaxIdleConnsPerHost != perTransport || rt.IdleConnTimeout <= 0 || rt.TLSHandshakeTimeout <= 0 || rt.OnProxyConnectResponse == nil || rt.HTTP2.SendPingTimeout <= 0 || rt.HTTP2.PingTimeout <= 0 {
		t.Errorf("%+v", rt)
	}
	c := clientOf(t, failing{}, Options{})
	if b := c.Batcher(BatcherOptions{}); b.opts != (BatcherOptions{Delay: 10 * time.Second, Size: 10_000, Poll: time.Minute}) {
		t.Errorf("%+v", b.opts)
	}
	if b := c.Batcher(BatcherOptions{Delay: -1, Size: -1, Poll: -1}); b.opts != (BatcherOptions{Delay: 10 * time.Second, Size: 10_000, Poll: time.Minute}) {
		t.Errorf("%+v", b.opts)
	}
	if b := c.Batcher(BatcherOptions{Delay: 1, Size: 200_000, Poll: 2}); b.opts != (BatcherOptions{Delay: 1, Size: 100_000, Poll: 2}) {
		t.Errorf("%+v", b.opts)
	}
}

// What the program gives to New stays its own: the headers, and its http.Client.
func TestOptionsAreCopied(t *testing.T) {
	own := http.Header{"x-own": {"1"}, "User-Agent": {"mine"}, "Anthropic-Beta": {"b1, b2", "b3"}}
	program := &http.Client{Transport: failing{}}
	c, err := New(Options{APIKey: secret.New("k"), Header: own, HTTPClient: program, Betas: []string{"b0"}})
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1008 a program may write it so
	own["x-own"][0] = "2"
	if got := c.header(); got.Get("X-Own") != "1" || got.Get("User-Agent") != "mine" || got.Get("Anthropic-Beta") != "" || own.Get("X-Api-Key") != "" || len(own) != 3 {
		t.Errorf("%v, the program's own %v", got, own)
	}
	if program.CheckRedirect != nil || c.http == program {
		t.Error("the program's client was changed")
	}
	if got := c.betaHeader(&transport.Request{Betas: []string{"b2", "", "b4"}}); got != "b0,b1,b2,b3,b4" {
		t.Errorf("betas %q", got)
	}
	mine := errors.New("mine")
	program = &http.Client{Transport: failing{}, CheckRedirect: func(*http.Request, []*http.Request) error { return mine }}
	if c, err = New(Options{APIKey: secret.New("k"), HTTPClient: program}); err != nil || !errors.Is(c.http.CheckRedirect(nil, nil), mine) {
		t.Errorf("the program's own rule on redirects is gone: %v", err)
	}
	// Somebody else's RoundTripper gets headers and a URL of its own.
	for range 2 {
		req, err := c.request(t.Context(), &call{method: http.MethodPost, path: messagesPath})
		if err != nil || req.Header.Get("X-Evil") != "" || req.URL.Path != messagesPath {
			t.Fatalf("%v %v", req, err)
		}
		req.Header.Set("X-Evil", "1")
		req.URL.Path = "/evil"
	}
}

// A body that can't be read again isn't offered for that, and one that can is.
func TestBodiesAgain(t *testing.T) {
	c := clientOf(t, failing{}, Options{})
	body := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil }
	for once := range map[bool]bool{true: true, false: false} {
		req, err := c.request(t.Context(), &call{method: http.MethodPost, path: "/x", body: body, length: 1, once: once})
		if err != nil || (req.GetBody == nil) != once || req.ContentLength != 1 {
			t.Errorf("once %v: %v %v", once, req, err)
		}
	}
	why := errors.New("why")
	if _, err := c.request(t.Context(), &call{method: http.MethodPost, path: "/x", body: func() (io.ReadCloser, error) { return nil, why }}); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
}

// How each endpoint is asked.
func TestHowEndpointsAreAsked(t *testing.T) {
	const batch = `{"id":"b","processing_status":"ended"}`
	for uri, tt := range map[string]struct {
		method, answer string
		ask            func(*Client) error
	}{
		"/v1/messages/batches/b":         {"GET", batch, func(c *Client) error { _, err := c.Batch(t.Context(), "b"); return err }},
		"/v1/messages/batches/b/cancel":  {"POST", batch, func(c *Client) error { _, err := c.CancelBatch(t.Context(), "b"); return err }},
		"/v1/messages/batches/c":         {"DELETE", `{"id":"c"}`, func(c *Client) error { return c.DeleteBatch(t.Context(), "c") }},
		"/v1/messages/batches?limit=100": {"GET", `{"data":[]}`, func(c *Client) error { return firstError(c.Batches(t.Context())) }},
		"/v1/files?limit=1000":           {"GET", `{"data":[]}`, func(c *Client) error { return firstError(c.Files(t.Context())) }},
		"/v1/models/a%2Fb":               {"GET", `{"id":"a/b"}`, func(c *Client) error { _, err := c.Model(t.Context(), "a/b"); return err }},
		"/v1/files/f%3Fx":                {"DELETE", `{"id":"f"}`, func(c *Client) error { return c.DeleteFile(t.Context(), "f?x") }},
		"/v1/files/f/content": {"GET", "x", func(c *Client) error {
			b, err := c.DownloadFile(t.Context(), "f")
			if err == nil {
				err = b.Close()
			}
			return err
		}},
		"/v1/messages/batches/b%2F..%2Fc/results": {"GET", "", func(c *Client) error { return firstError(c.BatchResults(t.Context(), "b/../c")) }},
	} {
		asked := 0
		c := exchangeOf(t, tt.method, uri, tt.answer, func(string, http.Header) { asked++ })
		if err := tt.ask(c); err != nil || asked != 1 {
			t.Errorf("%s: asked %d times: %v", uri, asked, err)
		}
	}
}

// What a batch can't have, and the ids that its items may have.
func TestBatchItems(t *testing.T) {
	for name, tt := range map[string]struct {
		id     string
		change func(*transport.Request)
		want   bool
	}{
		"all well":          {"a", func(*transport.Request) {}, true},
		"the longest id":    {strings.Repeat("x", 64), func(*transport.Request) {}, true},
		"one too long":      {strings.Repeat("x", 65), func(*transport.Request) {}, false},
		"none":              {"", func(*transport.Request) {}, false},
		"with a line break": {"a\n", func(*transport.Request) {}, false},
		"fallbacks":         {"a", func(r *transport.Request) { r.Fallbacks = json.RawMessage(`"default"`) }, false},
		"a credit": {"a", func(r *transport.Request) {
			r.Extra = map[string]json.RawMessage{"fallback_credit_token": json.RawMessage(`"t"`)}
		}, false},
		"a thread": {"a", func(r *transport.Request) { r.Thread = new(transport.Thread) }, false},
		"a customer's bill": {"a", func(r *transport.Request) {
			r.Extra = map[string]json.RawMessage{"billing_policy": json.RawMessage(`{"type":"billing_policy","bill_to":"user_profile"}`)}
		}, false},
		"one's own bill": {"a", func(r *transport.Request) {
			r.Extra = map[string]json.RawMessage{"billing_policy": json.RawMessage(`{"type":"billing_policy","bill_to":"self"}`)}
		}, true},
		"something else more": {"a", func(r *transport.Request) { r.Extra = map[string]json.RawMessage{"x": json.RawMessage(`1`)} }, true},
	} {
		r := newRequest()
		tt.change(r)
		if err := checkItem(BatchItem{tt.id, r}); (err == nil) != tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A result that failed repeats no key; and a list ends that has no place to go on from, or
// comes back to one.
func TestResultsAndListsOfGateways(t *testing.T) {
	c := clientOf(t, failing{}, Options{})
	r, err := c.batchResult([]byte(`{"custom_id":"a","result":{"type":"errored","error":{"type":"error","error":{"type":"api_error","message":"sent sk-secret"}}}}`))
	if err != nil || r.Err == nil || strings.Contains(r.Err.Error(), "sk-secret") || !strings.Contains(r.Err.Error(), "sent ") {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err = c.batchResult([]byte(`{"custom_id":"a","result":{}} sk-secret`)); err == nil || strings.Contains(err.Error(), "sk-secret") {
		t.Errorf("%+v, %v", r, err)
	}
	asked := 0
	c = serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked < 4 {
			io.WriteString(w, `{"data":[{"id":"f"}],"has_more":true,"last_id":""}`)
		}
	})
	for _, err := range c.Files(t.Context()) {
		if err != nil {
			t.Error(err)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	for _, page := range []string{`{"data":[{"id":"f"}],"has_more":true,"last_id":"f"}`, `{"data":[{"id":"f"}],"next_page":"p"}`} {
		asked = 0
		c = serve(t, func(w http.ResponseWriter, _ *http.Request) {
			asked++
			io.WriteString(w, page)
		})
		got := 0
		for _, err = range c.Files(t.Context()) {
			if got++; got > 10 {
				t.Fatalf("%s comes for ever", page)
			}
		}
		var odd *UnexpectedAnswerError
		if !errors.As(err, &odd) || asked != 2 {
			t.Errorf("%s: asked %d times: %v", page, asked, err)
		}
	}
}

// The beginning of a body in an error is short.
func TestBrief(t *testing.T) {
	c := clientOf(t, failing{}, Options{})
	if got := c.brief([]byte(strings.Repeat("x", 1000))); got != `"`+strings.Repeat("x", 100)+`"` {
		t.Errorf("%s", got)
	}
	// A key is taken out before the end is cut off, which may lie in it.
	c.hide = hider{own: secret.NewRedactor(secret.New("sk-0123456789"))}
	for at := 85; at <= 100; at++ {
		if got := c.brief([]byte(strings.Repeat("x", at) + "sk-0123456789" + strings.Repeat("x", 100))); strings.Contains(got, "sk-") {
			t.Errorf("%d: %s", at, got)
		}
	}
	for body, want := range map[string]bool{
		`{"type":"error","error":{"message":"m"}}`: true, `{"error":"m"}`: true, ` {"error":{}} `: true,
		`{"error":null}`: false, `{"type":"message"}`: false, `{"error":"m"`: false, ``: false, `[]`: false,
	} {
		if got := c.errorIn([]byte(body)) != nil; got != want {
			t.Errorf("%s: an error: %v", body, got)
		}
	}
}

// The wait for a batch asks once a minute unless told otherwise, while it is canceled,
// too, and ends with its context.
func TestWaitBatchIntervals(t *testing.T) {
	for _, every := range []time.Duration{0, -time.Second} {
		synctest.Test(t, func(t *testing.T) { waitOneMinute(t, every) })
	}
}

func waitOneMinute(t *testing.T, every time.Duration) {
	statuses := []string{"in_progress", "canceling", "ended"}
	r := &replies{t: t}
	for _, s := range statuses {
		r.list = append(r.list, reply{status: 200, header: jsonHeader, body: `{"id":"b","processing_status":"` + s + `"}`})
	}
	began := time.Now()
	get := roundTrip(func(req *http.Request) (*http.Response, error) {
		req.Body = io.NopCloser(strings.NewReader(""))
		return r.RoundTrip(req)
	})
	b, err := clientOf(t, get, Options{}).WaitBatch(t.Context(), "b", every)
	if err != nil || b.ProcessingStatus != "ended" || time.Since(began) != 2*time.Minute {
		t.Errorf("%+v, %v after %v", b, err, time.Since(began))
	}
}

// A batch doesn't grow over what the service takes, and its items have names of
// their own.
func TestBatcherSeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBatchService(t)
		b := s.batcher(BatcherOptions{})
		outcomes := make(chan batchOutcome, 4)
		first, id1 := b.join(BatchItem{Request: asking("a")}, maxBatchBytes-1000, outcomes)
		same, id2 := b.join(BatchItem{Request: asking("b")}, 600, outcomes)
		next, id3 := b.join(BatchItem{Request: asking("c")}, 1, outcomes)
		if first != same || same == next || id1 != "item-1" || id2 != "item-2" || id3 != "item-1" {
			t.Errorf("%q %q %q; one batch: %v, %v", id1, id2, id3, first == same, same == next)
		}
		for range 3 {
			if out := <-outcomes; out.err != nil {
				t.Errorf("%v", out.err)
			}
		}
		if len(s.batches) != 2 || len(s.canceled) != 0 {
			t.Errorf("batches %q, canceled %q", s.batches, s.canceled)
		}
	})
}

// What an upload looks like: nothing in a name ends its header, the content begins
// where the reader stands, at each attempt, and what isn't told has a default.
func TestUploadForm(t *testing.T) {
	var bodies []string
	var kinds []string
	c := clientOf(t, roundTrip(func(req *http.Request) (*http.Response, error) {
		raw, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		bodies, kinds = append(bodies, string(raw)), append(kinds, req.Header.Get("Content-Type"))
		status := 200
		if len(bodies) == 1 || len(bodies) == 4 {
			status = 500
		}
		return &http.Response{StatusCode: status, Header: http.Header{"Retry-After-Ms": {"1"}}, Body: io.NopCloser(strings.NewReader(`{"id":"f"}`))}, nil
	}), Options{})
	content := strings.NewReader("hello")
	content.Seek(3, io.SeekStart)
	name := "a\"b\\c\r\nX-Evil: 1\r\n\r\n.txt"
	if _, err := c.UploadFile(t.Context(), Upload{Filename: name, Content: content, ExpiresIn: 90 * time.Second}); err != nil {
		t.Fatal(err)
	}
	if len(bodies) != 2 || bodies[0] != bodies[1] {
		t.Fatalf("sent %q", bodies)
	}
	_, params, err := mime.ParseMediaType(kinds[1])
	if err != nil {
		t.Fatal(err)
	}
	form := multipart.NewReader(strings.NewReader(bodies[1]), params["boundary"])
	got := map[string]string{}
	for {
		part, err := form.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(part)
		got[part.FormName()] = string(text)
		if part.FormName() == "file" && (part.Header.Get("Content-Type") != "application/octet-stream" || part.Header.Get("X-Evil") != "" || !strings.Contains(part.Header.Get("Content-Disposition"), `filename="a\"b\\c%0D%0AX-Evil`)) {
			t.Errorf("%v", part.Header)
		}
	}
	if len(got) != 2 || got["file"] != "lo" || got["expires_in_seconds"] != "90" {
		t.Errorf("%q", got)
	}
	if _, err := c.UploadFile(t.Context(), Upload{Filename: "a", Content: strings.NewReader("x")}); err != nil || strings.Contains(bodies[2], "expires") {
		t.Errorf("%v: %s", err, bodies[2])
	}
	for _, want := range []string{"piped", "again"} {
		r, w, err := os.Pipe() // an os.File can seek by its type
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		_, _ = w.WriteString(want)
		w.Close()
		// Its content can't be sent a second time: the first failure is returned.
		var refused *transport.Error
		if _, err := c.UploadFile(t.Context(), Upload{Filename: "a", Content: r}); errors.As(err, &refused) != (want == "piped") || !strings.Contains(bodies[len(bodies)-1], want) {
			t.Errorf("%v: %q", err, bodies[3:])
		}
	}
	for _, u := range []Upload{{Filename: "a"}, {Content: strings.NewReader("x")}, {Filename: "a", Content: strings.NewReader("x"), MimeType: "text/plain\r\nX-Evil: 1"}} {
		if _, err := c.UploadFile(t.Context(), u); err == nil || len(bodies) != 5 {
			t.Errorf("%+v: %v", u, err)
		}
	}
}

// Each capability that the service reports corrects its own part of the table.
func TestCapabilities(t *testing.T) {
	read := map[string]func(models.Model) models.Support{
		`{"thinking":{"types":{"adaptive":{"supported":S}}}}`:      func(m models.Model) models.Support { return m.Thinking.Adaptive },
		`{"thinking":{"types":{"enabled":{"supported":S}}}}`:       func(m models.Model) models.Support { return m.Thinking.Enabled },
		`{"thinking":{"types":{"disabled":{"supported":S}}}}`:      func(m models.Model) models.Support { return m.Thinking.Disabled },
		`{"thinking":{"types":{"between_tools":{"supported":S}}}}`: func(m models.Model) models.Support { return m.Thinking.BetweenTools },
		`{"effort":{"supported":S}}`:                               func(m models.Model) models.Support { return m.Effort.Support },
		`{"compaction":{"supported":S}}`:                           func(m models.Model) models.Support { return m.Supports.Compaction },
	}
	for told := range read {
		for said, want := range map[string]models.Support{"true": models.Supported, "false": models.Unsupported, "null": models.Unknown} {
			m := ModelInfo{ID: "nobody-knows-1", Capabilities: json.RawMessage(strings.Replace(told, "S", said, 1))}.Model()
			for of, get := range read {
				if got := get(m); of == told && got != want || of != told && got != models.Unknown {
					t.Errorf("%s of %s: %s is %v", said, told, of, got)
				}
			}
		}
	}
	m := ModelInfo{ID: "claude-opus-5-5"}.Model()
	if known, _ := models.Lookup("claude-opus-5-5"); m.Limits != known.Limits || len(m.Effort.Levels) != len(known.Effort.Levels) || len(known.Effort.Levels) == 0 {
		t.Errorf("what nobody told has changed: %+v", m)
	}
}

// What a failure's body tells is bounded, compressed or not.
func TestErrorBodyIsBounded(t *testing.T) {
	long := strings.Repeat("x", 3*maxErrorBody)
	var gz, zl bytes.Buffer
	zw := gzip.NewWriter(&gz)
	io.WriteString(zw, long)
	zw.Close()
	lw := zlib.NewWriter(&zl)
	io.WriteString(lw, long)
	lw.Close()
	for name, tt := range map[string]struct{ label, body string }{"plain": {"", "{" + long}, "gzip": {"gzip", gz.String()}, "unlabelled": {"", gz.String()}, "deflate": {"deflate", zl.String()}, "zlib called gzip": {" GZIP", zl.String()}} {
		got := errorBody(http.Header{"Content-Encoding": {tt.label}}, strings.NewReader(tt.body))
		if len(got) != maxErrorBody || !strings.HasSuffix(string(got), "xx") {
			t.Errorf("%s: %d bytes", name, len(got))
		}
	}
	if got := errorBody(http.Header{"Content-Encoding": {"br"}}, strings.NewReader("\x0b\x02\x80 no")); string(got) != "\x0b\x02\x80 no" {
		t.Errorf("%q", got)
	}
}

// By which bytes a body is told.
func TestFirstBytes(t *testing.T) {
	for body, want := range map[string]struct{ gzip, zlib, plain bool }{
		"": {false, false, true}, "\x1f": {true, false, false}, "\x1f\x8b": {true, false, false}, "\x1f\x8c": {false, false, false},
		"\x78\x9c": {false, true, false}, "\x78\x9d": {false, false, false}, "\x78": {false, false, false}, "\x79\x9c": {false, false, false},
		"{": {false, false, true}, "{}": {false, false, true}, "[\n": {false, false, true}, "ev": {false, false, true}, "da": {false, false, true}, ": ": {false, false, true},
		"<h": {false, false, true}, "\xef\xbb": {false, false, true}, "\xef": {false, false, true}, "\xef\xbc": {false, false, false}, "e\x00": {false, false, false}, "x1": {false, false, false}, "{\x7f": {false, false, false},
	} {
		head := []byte(body)
		if isGzip(head) != want.gzip || isZlib(head) != want.zlib || isPlain(head) != want.plain {
			t.Errorf("%q: gzip %v, zlib %v, plain %v", body, isGzip(head), isZlib(head), isPlain(head))
		}
	}
	for body, want := range map[string]form{
		"": formStream, "{": formJSON, "[": formJSON, "<": formPage, "event:": formStream, ":": formStream, " \t\r\n{": formJSON, "\xef\xbb\xbf[": formJSON,
		strings.Repeat(" ", 15) + "{": formJSON, strings.Repeat(" ", 16) + "{": formStream, " ": formStream,
	} {
		r := &headReader{src: strings.NewReader(body)}
		if got := formOf(r); got != want {
			t.Errorf("%q: %d", body, got)
		}
		if all, err := io.ReadAll(r); string(all) != body || err != nil {
			t.Errorf("%q: %q is left, %v", body, all, err)
		}
	}
	why := errors.New("why")
	r := &headReader{src: io.MultiReader(strings.NewReader("a"), broken{why})}
	if head := r.peek(5); string(head) != "a" {
		t.Errorf("%q", head)
	}
	if all, err := io.ReadAll(r); string(all) != "a" || !errors.Is(err, why) {
		t.Errorf("%q, %v", all, err)
	}
}

// A model that the service doesn't know is told with the one that was meant, where
// the service says that it doesn't know it and there is another.
func TestMeantModel(t *testing.T) {
	c := clientOf(t, failing{}, Options{Models: []models.Model{{ID: "my-own-model"}}})
	for message, want := range map[string]string{"model: claude-opus-5.5": "claude-opus-5-5", "model: my-own-mode": "my-own-model", "model: claude-opus-5-5": "", "no model: claude-opus-5.5": ""} {
		for typ, told := range map[transport.ErrorType]bool{transport.ErrNotFound: want != "", transport.ErrInvalidRequest: false} {
			err := c.refused(&transport.Error{Status: 404, Type: typ, Message: message})
			if got := strings.HasSuffix(err.Error(), "did you mean the model "+want+"?"); got != told || !errors.Is(err, typ) {
				t.Errorf("%s, %s: %v", typ, message, err)
			}
		}
	}
}

// Which refusals of a proxy are final, and what is to be done about them.
func TestProxyAnswers(t *testing.T) {
	at := &url.URL{Scheme: "http", User: url.UserPassword("u", "hush"), Host: "proxy:3128"}
	for status, want := range map[int]struct {
		permanent bool
		remedy    string
	}{399: {false, ""}, 400: {true, ""}, 403: {true, "NO_PROXY"}, 405: {true, "NO_PROXY"}, 407: {true, "user and password"}, 499: {true, ""}, 500: {false, ""}} {
		err := proxyAnswered(t.Context(), at, nil, &http.Response{StatusCode: status})
		var e *proxyError
		if !errors.As(err, &e) || e.Permanent() != want.permanent || !strings.Contains(e.Error(), want.remedy) || strings.Contains(e.Error(), ";") != (want.remedy != "") || strings.Contains(e.Error(), "hush") || !strings.Contains(e.Error(), fmt.Sprint("proxy:3128 refused the connection: ", status)) {
			t.Errorf("%d: %v", status, err)
		}
	}
	if err := proxyAnswered(t.Context(), at, nil, &http.Response{StatusCode: 200}); err != nil {
		t.Errorf("%v", err)
	}
}
