package platform

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
)

const token = "token-of-the-platform"

func testClient(t *testing.T, base string) *Client {
	t.Helper()
	c, err := New(Config{
		Rules: Rules{Name: "Test", Paths: []string{Messages, Files}}, BaseURL: base, Options: anthropic.Options{MaxRetries: -1},
		Authorize: func(r *http.Request) error { r.Header.Set("Authorization", "Bearer "+token); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestOrigin sends credentials nowhere but to the origin that they are for.
func TestOrigin(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was sent") }))
	defer srv.Close()
	c := testClient(t, "https://platform.example/base")
	for _, target := range []string{srv.URL + "/base/v1/messages", "http://platform.example/base/v1/messages", "https://platform.example.evil/base/v1/messages", "https://platform.example:8443/base/v1/messages"} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", target, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.front.RoundTrip(req)
		var bad *SettingError
		if !errors.As(err, &bad) || bad.Setting != "origin" || req.Header.Get("Authorization") != "" {
			t.Errorf("%s: %v", target, err)
		}
	}
}

// TestHidden holds errors that repeat the token: of messages, of other endpoints, in
// the id of a request, inside a stream.
func TestHidden(t *testing.T) {
	stream := false
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Request-Id", "req-"+token)
		if stream {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"no "+token+"\"}}\n\n")
			return
		}
		w.WriteHeader(403)
		io.WriteString(w, `{"type":"error","error":{"type":"permission_error","message":"`+r.Header.Get("Authorization")+` may not"}}`)
	}))
	defer srv.Close()
	c := testClient(t, srv.URL)
	ask := func() error {
		_, err := transport.Create(t.Context(), c, &transport.Request{Model: "claude-opus-5-5", MaxTokens: 10, Messages: []transport.Message{transport.UserText("hi")}})
		return err
	}
	_, err := c.API().File(t.Context(), "file_1")
	for name, err := range map[string]error{"files": err, "messages": ask(), "a stream": func() error { stream = true; return ask() }()} {
		var refused *transport.Error
		if !errors.As(err, &refused) || strings.Contains(err.Error()+string(refused.Raw)+refused.RequestID, token) || !strings.Contains(err.Error(), "[redacted]") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHiddenOwnPlace holds errors that repeat a key which Authorize gives in a header of its
// own, or as a parameter.
func TestHiddenOwnPlace(t *testing.T) {
	const key = "subscription-key-of-a-gateway"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(403)
		io.WriteString(w, `{"type":"error","error":{"type":"permission_error","message":"`+r.Header.Get("Ocp-Apim-Subscription-Key")+r.URL.Query().Get("key")+` may not"}}`)
	}))
	defer srv.Close()
	for name, authorize := range map[string]func(*http.Request){
		"a header":    func(r *http.Request) { r.Header.Set("Ocp-Apim-Subscription-Key", key) },
		"a parameter": func(r *http.Request) { r.URL.RawQuery = "key=" + key },
	} {
		c, err := New(Config{
			Rules: Rules{Name: "Test", Paths: []string{Messages, Files}}, BaseURL: srv.URL, Options: anthropic.Options{MaxRetries: -1},
			Authorize: func(r *http.Request) error { authorize(r); return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = transport.Create(t.Context(), c, &transport.Request{Model: "claude-opus-5-5", MaxTokens: 10, Messages: []transport.Message{transport.UserText("hi")}})
		var refused *transport.Error
		if !errors.As(err, &refused) || strings.Contains(err.Error()+string(refused.Raw), key) || !strings.Contains(err.Error(), "[redacted] may not") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHiddenInSuccess holds errors about answers of status 200 that are no answers and
// repeat the token: another object, a block that is none, a count that counts nothing.
func TestHiddenInSuccess(t *testing.T) {
	kind, said := "application/json", ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		io.WriteString(w, strings.ReplaceAll(said, "KEY", r.Header.Get("Authorization")))
	}))
	defer srv.Close()
	c := testClient(t, srv.URL)
	c.front.rules.Paths = append(c.front.rules.Paths, CountTokens, Batches, Files)
	req := &transport.Request{Model: "claude-opus-5-5", MaxTokens: 10, Messages: []transport.Message{transport.UserText("hi")}}
	ask := func(as, text string) error {
		kind, said = as, text
		_, err := transport.Create(t.Context(), c, req)
		return err
	}
	begun := "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[]}}\n\n"
	noType := begun + "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"a\":\"KEY\"}}\n\n"
	for name, err := range map[string]error{
		"an object":            ask("application/json", `{"echo":"KEY"}`),
		"a list":               ask("application/json", `["KEY"]`),
		"a block without type": ask("text/event-stream", noType),
		"a count": func() error {
			kind, said = "application/json", `{"echo":"KEY"}`
			_, err := c.CountTokens(t.Context(), req)
			return err
		}(),
		"a file": func() error {
			kind, said = "application/json", `{"echo":"KEY"}`
			_, err := c.API().File(t.Context(), "file_1")
			return err
		}(),
		"a file's time": func() error {
			kind, said = "application/json", `{"id":"file_1","created_at":"KEY"}`
			_, err := c.API().File(t.Context(), "file_1")
			return err
		}(),
		"the result of a batch": func() error {
			kind, said = "application/json", `{"custom_id":"a","result":{"type":"succeeded","message":["KEY"]}}`
			for _, err := range c.API().BatchResults(t.Context(), "batch_1") {
				return err
			}
			return nil
		}(),
		"a result without a type": func() error {
			kind, said = "application/json", `{"custom_id":"a","result":{"message":["KEY"]}}`
			for _, err := range c.API().BatchResults(t.Context(), "batch_1") {
				return err
			}
			return nil
		}(),
	} {
		if err == nil || strings.Contains(err.Error(), token) || !strings.Contains(err.Error(), "[redacted]") {
			t.Errorf("%s: %v", name, err)
		}
	}
	var broken *transport.StreamError
	if err := ask("text/event-stream", noType); !errors.As(err, &broken) || broken.Partial == nil {
		t.Errorf("a stream that broke is %T: %v", err, err)
	}
}

// Credentials that others have taken the place of, while an answer was on its way, are
// hidden too; not all that there ever were are kept, and none can be printed.
func TestHiddenOlder(t *testing.T) {
	f := &front{}
	said := ""
	for i := range 3 * mostSent {
		key := fmt.Sprintf("credentials-number-%d.", i)
		f.remember(&http.Request{URL: &url.URL{}, Header: http.Header{"Authorization": {"Bearer " + key}}})
		f.remember(&http.Request{URL: &url.URL{}, Header: http.Header{"Authorization": {"AWS4-HMAC-SHA256 " + key}, "X-Amz-Security-Token": {"session"}}}) // always the same
		said += " " + key
	}
	clean := f.Redactor().String(said)
	if strings.Count(clean, "[redacted]") != mostSent-1 || strings.Contains(clean, fmt.Sprintf("-%d.", 3*mostSent-1)) {
		t.Errorf("it became %s", clean)
	}
	if text := fmt.Sprintf("%+v %#v", *f.hide.Load(), *f.hide.Load()); strings.Contains(text, "credentials-number") {
		t.Errorf("it shows %s", text)
	}
}

// TestHiddenElsewhere holds the credentials back that a connection's error or a refusal
// repeats, those of AWS too.
func TestHiddenElsewhere(t *testing.T) {
	const session = "AQoDYXdzEJr-of-a-session"
	for name, answer := range map[string]func(*http.Request) (*http.Response, error){
		"a connection": func(r *http.Request) (*http.Response, error) {
			return nil, errors.New("the tunnel refused " + r.Header.Get("Authorization") + r.Header.Get("X-Amz-Security-Token"))
		},
		"a refusal": func(r *http.Request) (*http.Response, error) {
			body := `{"type":"error","error":{"type":"permission_error","message":"seen: ` + r.Header.Get("Authorization") + " " + r.Header.Get("X-Amz-Security-Token") + `"}}`
			return &http.Response{StatusCode: 403, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		},
	} {
		c, err := New(Config{
			Rules: Rules{Name: "Test", Paths: []string{Files}}, BaseURL: "https://platform.example", Options: anthropic.Options{MaxRetries: -1, HTTPClient: &http.Client{Transport: roundTrip(answer)}},
			Authorize: func(r *http.Request) error {
				r.Header.Set("Authorization", "Bearer "+token)
				r.Header.Set("X-Amz-Security-Token", session)
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.API().File(t.Context(), "file_1")
		if err == nil || strings.Contains(err.Error(), token) || strings.Contains(err.Error(), session) || strings.Count(err.Error(), "[redacted]") < 2 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestSentAgainOnce sends a request once more where its answer asks for that, and no
// more: the second answer is what the caller gets.
func TestSentAgainOnce(t *testing.T) {
	sent := 0
	c, err := New(Config{
		Rules: Rules{Name: "Test", Paths: []string{Files}}, BaseURL: "https://platform.example",
		Options: anthropic.Options{MaxRetries: -1, HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if sent++; sent > 5 {
				return nil, errors.New("sent too often")
			}
			return &http.Response{StatusCode: 401, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("no")), Request: r}, nil
		})}},
		Authorize: func(r *http.Request) error { r.Header.Set("Authorization", "Bearer "+token); return nil },
		Answer:    func(*http.Request, *http.Response) (bool, error) { return true, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.API().File(t.Context(), "file_1"); !errors.Is(err, transport.ErrAuthentication) || sent != 2 {
		t.Errorf("sent %d times: %v", sent, err)
	}
}

// A body that can't be read again is sent once: what is left of it would be another one.
func TestNotSentAgain(t *testing.T) {
	sent := 0
	c, err := New(Config{
		Rules: Rules{Name: "Test", Paths: []string{Files}}, BaseURL: "https://platform.example",
		Options: anthropic.Options{HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			sent++
			io.Copy(io.Discard, r.Body)
			return &http.Response{StatusCode: 401, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("no")), Request: r}, nil
		})}},
		Answer: func(*http.Request, *http.Response) (bool, error) { return true, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), "POST", "https://platform.example/v1/files", io.NopCloser(strings.NewReader("a file")))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.front.RoundTrip(req)
	if err != nil || sent != 1 {
		t.Fatalf("sent %d times: %v", sent, err)
	}
	if text, err := io.ReadAll(resp.Body); resp.StatusCode != 401 || string(text) != "no" {
		t.Errorf("%d %q, %v", resp.StatusCode, text, err)
	}
}

// TestReopen refuses bodies that package transport didn't write, and keeps each byte
// behind the opening of those that it did.
func TestReopen(t *testing.T) {
	body := func(text string) *http.Request {
		r, err := http.NewRequest("POST", "https://platform.example/v1/messages", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	edit := func(o Opening) ([]byte, error) {
		if o.Stream {
			return []byte(`"a":"stream of ` + o.Model + `"`), nil
		}
		return []byte(`"a":"` + o.Model + `"`), nil
	}
	for in, want := range map[string]string{
		`{"model":"m","max_tokens":10,"stream":true,"messages":[{"x":1.10}]}`: `{"a":"stream of m","max_tokens":10,"messages":[{"x":1.10}]}`,
		`{"model":"\u006d","max_tokens":0,"messages":[]}`:                     `{"a":"m","max_tokens":0,"messages":[]}`,
		`{"model":"m","max_tokens":10,"stream":false,"messages":[]}`:          `{"a":"m","max_tokens":10,"stream":false,"messages":[]}`,
		`{"model":"m","max_tokens":10}`:                                       `{"a":"m","max_tokens":10}`,
		`{"model":5,"max_tokens":10}`:                                         "",
		`{ "model":"m","max_tokens":10}`:                                      "",
		`{"model":"m"}`:                                                       "",
		`{"model":"m","max_tokens":`:                                          "",
		`{"model":"m","max_tokens":1`:                                         "",
		`{"model":"m`:                                                         "",
		``:                                                                    "",
	} {
		r := body(in)
		err := Reopen(r, edit)
		if want == "" {
			if !errors.Is(err, errNotOurs) {
				t.Errorf("%s: %v", in, err)
			}
			continue
		}
		for range 2 { // it may be read again
			got, _ := io.ReadAll(r.Body)
			if string(got) != want || r.ContentLength != int64(len(want)) {
				t.Errorf("%s: %s, %d bytes", in, got, r.ContentLength)
			}
			if r.Body, err = r.GetBody(); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := body(`{"b":1}`)
	if err := Prepend(r, []byte(`"a":1`)); err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(r.Body); string(got) != `{"a":1,"b":1}` || r.ContentLength != int64(len(got)) {
		t.Errorf("%s, %d", got, r.ContentLength)
	}
}

// A body is open until it is closed.
type openBody struct {
	io.Reader
	open bool
}

func (b *openBody) Close() error { b.open = false; return nil }

// Whatever becomes of a request, its body and those of all answers are closed.
func TestBodiesAreClosed(t *testing.T) {
	no := errors.New("no")
	for name, change := range map[string]func(c *Config){
		"an answer":            func(*Config) {},
		"no credentials":       func(c *Config) { c.Authorize = func(*http.Request) error { return no } },
		"no form":              func(c *Config) { c.Adapt = func(*http.Request) error { return no } },
		"no endpoint":          func(c *Config) { c.Rules.Paths = nil },
		"an answer of no form": func(c *Config) { c.Answer = func(*http.Request, *http.Response) (bool, error) { return false, no } },
		"sent again":           func(c *Config) { c.Answer = func(*http.Request, *http.Response) (bool, error) { return true, nil } },
		"no credentials for that": func(c *Config) {
			asked := 0
			c.Answer = func(*http.Request, *http.Response) (bool, error) { return true, nil }
			c.Authorize = func(*http.Request) error {
				if asked++; asked > 1 {
					return no
				}
				return nil
			}
		},
	} {
		var all []*openBody
		body := func(text string) *openBody {
			b := &openBody{strings.NewReader(text), true}
			all = append(all, b)
			return b
		}
		config := Config{Rules: Rules{Name: "Test", Paths: []string{Messages}}, BaseURL: "https://platform.example"}
		config.Options.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			sent, err := io.ReadAll(r.Body)
			r.Body.Close()
			if err != nil || string(sent) != "{}" {
				t.Errorf("%s: sent %q, %v", name, sent, err)
			}
			return &http.Response{StatusCode: 401, Header: http.Header{}, Body: body("refused"), Request: r}, nil
		})}
		change(&config)
		c, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), "POST", "https://platform.example/v1/messages", body("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.GetBody = func() (io.ReadCloser, error) { return body("{}"), nil }
		if resp, err := c.front.RoundTrip(req); err == nil {
			resp.Body.Close()
		}
		for i, b := range all {
			if b.open {
				t.Errorf("%s: body %d of %d is open", name, i, len(all))
			}
		}
	}
}

// The program's own client stays as it is: what else it sends goes where it did, without
// credentials, and two platforms may share it. Its time limit counts.
func TestProgramsClientStays(t *testing.T) {
	own := &http.Client{Timeout: time.Hour, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("Authorization") != "" {
			t.Errorf("%s has credentials", r.URL)
		}
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	})}
	for _, base := range []string{"https://one.example", "https://two.example"} {
		_, err := New(Config{
			Rules: Rules{Name: "Test", Paths: []string{Files}}, BaseURL: base, Options: anthropic.Options{HTTPClient: own},
			Authorize: func(r *http.Request) error { r.Header.Set("Authorization", "Bearer "+token); return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	resp, err := own.Get("https://one.example/v1/files/a")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if own.CheckRedirect != nil || own.Timeout != time.Hour {
		t.Errorf("%+v", own)
	}
	short := &http.Client{Timeout: time.Millisecond, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c, err := New(Config{Rules: Rules{Name: "Test", Paths: []string{Files}}, BaseURL: "https://one.example", Options: anthropic.Options{HTTPClient: short, MaxRetries: -1}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.API().File(ctx, "file_1"); err == nil || ctx.Err() != nil {
		t.Errorf("its time limit doesn't count: %v", err)
	}
}

// Without a client of the program's, requests go through the proxy that the environment names.
func TestProxy(t *testing.T) {
	if next, ok := testClient(t, "https://platform.example").front.next.(*http.Transport); !ok || next.Proxy == nil {
		t.Errorf("%+v goes through no proxy", next)
	}
}

// TestHiddenCompressed holds refusals that repeat the token in a body that is compressed, in
// each of their members.
func TestHiddenCompressed(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(403)
		z := gzip.NewWriter(w)
		io.WriteString(z, `{"type":"error","error":{"type":"no_`+token+`","code":"code-`+token+`","message":"`+r.Header.Get("Authorization")+` may not"}}`)
		z.Close()
	}))
	defer srv.Close()
	c := testClient(t, srv.URL)
	_, err := transport.Create(t.Context(), c, &transport.Request{Model: "claude-opus-5-5", MaxTokens: 10, Messages: []transport.Message{transport.UserText("hi")}})
	_, file := c.API().File(t.Context(), "file_1")
	for name, err := range map[string]error{"messages": err, "files": file} {
		var refused *transport.Error
		if !errors.As(err, &refused) || strings.Contains(fmt.Sprintf("%v %s %+v", err, refused.Raw, *refused), token) || !strings.Contains(err.Error(), "[redacted] may not") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Betas of all lines of the header count, each once, and none is left in it.
func TestBetas(t *testing.T) {
	h := http.Header{"Anthropic-Beta": {"a, b", "b,c,", "d"}}
	if got := Betas(h); fmt.Sprint(got) != "[a b c d]" || len(h) != 0 {
		t.Errorf("%q, %v", got, h)
	}
}

// statusError is an answer of a service that issues credentials, as AWS's library reports it.
type statusError int

func (e statusError) Error() string       { return fmt.Sprint("status ", int(e)) }
func (e statusError) HTTPStatusCode() int { return int(e) }

// What is wrong with credentials stays so; a service that issues them, or the network to it,
// may work later.
func TestPermanent(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, true}, {errors.New("no"), true}, {statusError(403), true}, {statusError(503), false},
		{fmt.Errorf("get: %w", &url.Error{Op: "Get", URL: "https://a.example", Err: errors.New("refused")}), false},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, false}, {context.DeadlineExceeded, false},
	} {
		if got := (&CredentialsError{Platform: "Test", Err: c.err}).Permanent(); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}
