package mcp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/mcp"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/secret"
)

const key = "sk-0123456789abcdef"

func freshClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}

// rawHTTP is a server by hand. answer writes the answer to a call; other requests
// are answered as a server of the revision 2025-06-18 does.
func rawHTTP(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, id, args []byte)) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			if r.Method == http.MethodGet && r.URL.Path == "/silent" {
				<-r.Context().Done()
				return
			}
			w.WriteHeader(http.StatusInternalServerError) // as some do where they have no stream
			return
		}
		body, _ := io.ReadAll(r.Body)
		id := rawjson.Get(body, "id")
		w.Header().Set("Content-Type", "application/json")
		switch rawjson.GetString(body, "method") {
		case "initialize":
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"raw","version":"1"}}}`, id)
		case "tools/list":
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, id, one)
		case "tools/call":
			answer(w, r, id, rawjson.Get(rawjson.Get(body, "params"), "arguments"))
		default:
			if len(id) == 0 {
				w.WriteHeader(http.StatusAccepted)
				return
			}
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no such method"}}`, id)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func overHTTP(t *testing.T, url string, o mcp.Options) *mcp.Client {
	c, err := mcp.HTTP(t.Context(), url, freshClient(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestKeyInTheURLStaysOut(t *testing.T) {
	var log logged
	var got atomic.Value
	s := rawHTTP(t, func(w http.ResponseWriter, r *http.Request, id, args []byte) {
		got.Store(r.URL.RequestURI())
		switch rawjson.GetString(args, "do") {
		case "hang up":
			conn, _, _ := http.NewResponseController(w).Hijack()
			conn.Close()
		case "refuse":
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, "%s is not allowed", r.URL)
		case "error":
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":1,"message":"bad %s"}}`, id, r.URL)
		default:
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"you called %s"},{"type":"resource","resource":{"uri":"%s","text":"%s"}}]}}`, id, r.URL, r.URL, r.URL)
		}
	})
	c := overHTTP(t, s.URL+"/mcp?api_key="+key+"&x=1", mcp.Options{Logger: log.logger()})
	do := list(t, c)["do"]
	var all []string
	for _, what := range []string{"", "hang up", "refuse", "error"} {
		all = append(all, call(t, do, `{"do":"`+what+`"}`))
	}
	if want := "/mcp?api_key=" + key + "&x=1"; got.Load() != want {
		t.Errorf("the server was asked for %v, want %s", got.Load(), want)
	}
	s.Close()
	_, err := c.Tools(t.Context())
	all = append(all, call(t, do, `{}`), fmt.Sprint(err), log.String())
	for _, bad := range []string{"http://" + key + ":" + key + "@127.0.0.1:1/", "ftp://x/?k=" + key, "http://[/" + key, "http://127.0.0.1:1/s/" + key + "/mcp"} {
		_, err := mcp.HTTP(t.Context(), bad, nil, mcp.Options{})
		if err == nil {
			t.Errorf("connected to %s", bad)
		}
		all = append(all, fmt.Sprint(err), fmt.Sprintf("%+v", err))
	}
	// What doesn't look like a key is kept out of what net/http says, too.
	_, err = mcp.HTTP(t.Context(), "http://127.0.0.1:1/s/k3y?k=k3y", nil, mcp.Options{})
	all = append(all, strings.ReplaceAll(fmt.Sprint(err), "k3y", key))
	for _, text := range all {
		if strings.Contains(text, key) {
			t.Errorf("the key is in: %s", text)
		}
	}
	if !strings.Contains(all[1], "may have had its effect") || !strings.Contains(all[2], "HTTP 403") || !strings.Contains(all[4], "can't be reached") {
		t.Errorf("errors: %q", all)
	}
}

// A call that has reached the server is not made again, whatever becomes of the answer:
// it may have had its effect. One that the server can't have begun is.
func TestACallReachesTheServerOnce(t *testing.T) {
	var asked atomic.Int64
	s := rawHTTP(t, func(w http.ResponseWriter, r *http.Request, id, args []byte) {
		asked.Add(1)
		what := rawjson.GetString(args, "do")
		if what == "begin an answer" {
			fmt.Fprint(w, `{"jsonrpc":`)
			http.NewResponseController(w).Flush()
		}
		switch what {
		case "begin an answer", "hang up":
			conn, _, _ := http.NewResponseController(w).Hijack()
			conn.Close()
		case "no session":
			w.WriteHeader(http.StatusNotFound)
		default:
			w.WriteHeader(map[string]int{"500": 500, "503": 503, "408": 408, "403": 403}[what])
		}
	})
	for what, want := range map[string]int64{"hang up": 1, "begin an answer": 1, "500": 1, "503": 1, "408": 1, "403": 1, "no session": 2} {
		asked.Store(0)
		do := list(t, overHTTP(t, s.URL, mcp.Options{}))["do"]
		if got := call(t, do, `{"do":"`+what+`"}`); asked.Load() != want {
			t.Errorf("%s: the server was asked %d times, want %d: %s", what, asked.Load(), want, got)
		}
	}
}

// A token is sent to the server, and is in nothing that comes back of it.
func TestTokenStaysOut(t *testing.T) {
	var log logged
	var got atomic.Value
	s := rawHTTP(t, func(w http.ResponseWriter, r *http.Request, id, args []byte) {
		got.Store(r.Header.Get("Authorization"))
		switch said := r.Header.Get("Authorization"); rawjson.GetString(args, "do") {
		case "refuse":
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, "%s is not allowed", said)
		case "error":
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":1,"message":"bad %s"}}`, id, said)
		default:
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"you said %s"}]}}`, id, said)
		}
	})
	c := overHTTP(t, s.URL, mcp.Options{Token: secret.New(key), Logger: log.logger()})
	do := list(t, c)["do"]
	all := []string{fmt.Sprintf("%+v", c)}
	for _, what := range []string{"", "refuse", "error"} {
		all = append(all, call(t, do, `{"do":"`+what+`"}`))
	}
	if got.Load() != "Bearer "+key {
		t.Errorf("the server was sent %q", got.Load())
	}
	all = append(all, log.String())
	for _, text := range all {
		if strings.Contains(text, key) {
			t.Errorf("the token is in: %s", text)
		}
	}
	if !strings.Contains(all[1], secret.Redacted) {
		t.Errorf("the result is %q", all[1])
	}
}

// A token that a server repeats in its resources and prompts is in none of them.
func TestTokenStaysOutOfResources(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		id, said := rawjson.Get(body, "id"), r.Header.Get("Authorization")
		if len(id) == 0 {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		result := "{}"
		switch rawjson.GetString(body, "method") {
		case "initialize":
			result = `{"protocolVersion":"2025-06-18","capabilities":{"resources":{},"prompts":{}},"serverInfo":{"name":"raw","version":"1"}}`
		case "resources/list":
			result = `{"resources":[{"uri":"u:TOKEN","name":"TOKEN","description":"TOKEN","mimeType":"TOKEN"}]}`
		case "resources/templates/list":
			result = `{"resourceTemplates":[{"uriTemplate":"u:TOKEN/{x}","name":"TOKEN","description":"TOKEN"}]}`
		case "resources/read":
			result = `{"contents":[{"uri":"u:TOKEN","text":"TOKEN"},{"uri":"u:TOKEN","mimeType":"TOKEN","blob":"AAEC"}]}`
		case "prompts/get":
			result = `{"messages":[{"role":"user","content":{"type":"text","text":"TOKEN"}}]}`
		}
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, id, strings.ReplaceAll(result, "TOKEN", said))
	}))
	defer s.Close()
	c := overHTTP(t, s.URL, mcp.Options{Token: secret.New(key)})
	blocks, err := c.ReadResource(t.Context(), "u:1")
	all := []string{fmt.Sprint(err)}
	messages, err := c.Prompt(t.Context(), "p", nil)
	all = append(all, fmt.Sprint(err))
	for _, m := range messages {
		blocks = append(blocks, m.Content...)
	}
	for _, b := range blocks {
		all = append(all, string(b.Raw()))
	}
	for _, tool := range c.ResourceTools() {
		all = append(all, call(t, tool.(tools.Callable), `{"uri":"u:1"}`))
	}
	if len(all) < 7 {
		t.Errorf("%q", all)
	}
	for _, text := range all {
		if strings.Contains(text, key) || !strings.Contains(text, secret.Redacted) && text != "<nil>" {
			t.Errorf("the token is in: %s", text)
		}
	}
}

func TestRedirects(t *testing.T) {
	var stolen atomic.Int64
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { stolen.Add(1) }))
	defer thief.Close()
	good := rawHTTP(t, func(w http.ResponseWriter, r *http.Request, id, _ []byte) {
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"%s %s"}]}}`, id, r.URL.Path, r.Header.Get("Authorization"))
	})
	for _, status := range []int{301, 302, 307, 308} {
		to := thief.URL + "/mcp?token=" + key
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/steal":
				http.Redirect(w, r, to, status)
			case r.URL.Path == "/mcp":
				http.Redirect(w, r, "/mcp/", status)
			default:
				good.Config.Handler.ServeHTTP(w, r)
			}
		}))
		_, err := mcp.HTTP(t.Context(), front.URL+"/steal", freshClient(), mcp.Options{})
		if re := (&mcp.RedirectError{}); !errors.As(err, &re) || re.To != thief.URL || strings.Contains(err.Error(), key) {
			t.Errorf("%d: %v", status, err)
		}
		c, err := mcp.HTTP(t.Context(), strings.Replace(front.URL, "://", "://ann:secret99@", 1)+"/mcp", freshClient(), mcp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := call(t, list(t, c)["do"], `{}`); got != "/mcp/ Basic YW5uOn[redacted]" { // what was sent came back, and is kept out
			t.Errorf("%d within the origin: %s", status, got)
		}
		c.Close()
		front.Close()
	}
	if stolen.Load() > 0 {
		t.Errorf("%d requests went to another origin", stolen.Load())
	}
}

// A redirect without an end is given up; and one that says that the call is done, and what
// came of it is elsewhere (303), is no reason to make it there.
func TestRedirectedCalls(t *testing.T) {
	var calls atomic.Int64
	s := rawHTTP(t, func(w http.ResponseWriter, r *http.Request, _, args []byte) {
		calls.Add(1)
		status := http.StatusTemporaryRedirect
		if rawjson.GetString(args, "do") == "303" {
			status = http.StatusSeeOther
		}
		if calls.Load() < 100 { // or it would never end
			http.Redirect(w, r, fmt.Sprint("/", calls.Load()), status)
		}
	})
	do := list(t, overHTTP(t, s.URL, mcp.Options{}))["do"]
	for what, want := range map[string]struct {
		calls int64
		text  string
	}{"circle": {10, "redirects too many times"}, "303": {1, "HTTP 303"}} {
		calls.Store(0)
		if got := call(t, do, `{"do":"`+what+`"}`); calls.Load() != want.calls || !strings.Contains(got, want.text) {
			t.Errorf("%s: made %d times: %s", what, calls.Load(), got)
		}
	}
}

// From https to http is to another origin, though the host is the same.
func TestRedirectOutOfTLS(t *testing.T) {
	front := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/mcp", http.StatusTemporaryRedirect)
	}))
	defer front.Close()
	_, err := mcp.HTTP(t.Context(), front.URL, front.Client(), mcp.Options{})
	if re := (&mcp.RedirectError{}); !errors.As(err, &re) || re.From != front.URL || re.To != strings.Replace(front.URL, "https", "http", 1) {
		t.Errorf("got %v", err)
	}
}

// A server that was started again doesn't know the session. It has done nothing.
func TestServerStartedAnew(t *testing.T) {
	fresh := func() http.Handler {
		server := serve(t)
		t.Cleanup(func() {
			for session := range server.Sessions() { // those that were forgotten
				session.Close()
			}
		})
		return sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, nil)
	}
	var handler atomic.Value
	handler.Store(fresh())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.Load().(http.Handler).ServeHTTP(w, r) }))
	t.Cleanup(s.Close)
	c := overHTTP(t, s.URL, mcp.Options{})
	add := list(t, c)["add"]
	for range 2 {
		handler.Store(fresh())
		if got := call(t, add, `{"a":1,"b":2}`); got != "3" {
			t.Errorf("a call: %s", got)
		}
		handler.Store(fresh())
		if _, err := c.Tools(t.Context()); err != nil {
			t.Errorf("the list: %v", err)
		}
	}
	s.CloseClientConnections()
	if got := call(t, add, `{"a":1,"b":2}`); got != "3" {
		t.Errorf("after the connections were closed: %s", got)
	}
}

// A server that doesn't answer the request for its stream is used all the same.
func TestSilentStream(t *testing.T) {
	s := rawHTTP(t, func(w http.ResponseWriter, _ *http.Request, id, _ []byte) {
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"here"}]}}`, id)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := mcp.HTTP(ctx, s.URL+"/silent", freshClient(), mcp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := call(t, list(t, c)["do"], `{}`); got != "here" {
		t.Errorf("got %s", got)
	}
}

func TestStreamsWithNoise(t *testing.T) {
	s := rawHTTP(t, func(w http.ResponseWriter, _ *http.Request, id, args []byte) {
		switch rawjson.GetString(args, "do") {
		case "long":
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":%q}]}}`, id, strings.Repeat("x", 100_000))
		case "long event":
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":[{\"type\":\"text\",\"text\":%q}]}}\n\n", id, strings.Repeat("x", 100_000))
		default:
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, ": hello\r\n\r\nid: 1\ndata:\n\ndata: starting…\n\nevent: message\ndata: {\"level\":\"info\"}\n\nid: 2\ndata: {\"jsonrpc\":\"2.0\",\ndata: \"id\":%s,\"result\":{\"content\":[{\"type\":\"odd\"},{\"type\":\"text\",\"text\":\"yes\"}],\"isError\":\"true\"}}\r\n\r\n", id)
		}
	})
	c := overHTTP(t, s.URL, mcp.Options{MaxMessageBytes: 50_000})
	do := list(t, c)["do"]
	for range 2 {
		if got := call(t, do, `{}`); got != `![content of type "odd"] {"type":"odd"}yes` {
			t.Errorf("a stream with noise: %s", got)
		}
		for _, what := range []string{"long", "long event"} {
			if got := call(t, do, `{"do":"`+what+`"}`); !strings.Contains(got, "more than 50000 bytes") {
				t.Errorf("%s: %.300s", what, got)
			}
		}
	}
}

// A server of an earlier revision asks through the stream for its own messages.
// It is refused; without that stream it would wait until the call's limit.
func TestElicitationOfEarlierRevisions(t *testing.T) {
	server := sdk.NewServer(&sdk.Implementation{Name: "asks", Version: "1"}, nil)
	sdk.AddTool(server, &sdk.Tool{Name: "ask"}, func(ctx context.Context, r *sdk.CallToolRequest, _ struct{}) (*sdk.CallToolResult, any, error) {
		_, err := r.Session.Elicit(ctx, &sdk.ElicitParams{Message: "who?", RequestedSchema: map[string]any{"type": "object"}})
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: fmt.Sprint("refused: ", err != nil)}}}, nil, nil
	})
	handler := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, nil)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if rawjson.GetString(body, "method") == "server/discover" { // an earlier revision's
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	c := overHTTP(t, s.URL, mcp.Options{})
	if got := call(t, list(t, c)["ask"], `{}`); got != "refused: true" {
		t.Errorf("got %s", got)
	}
}

// A call that breaks on the way, or that the server fails at, is sent once: it may have
// had its effect.
func TestBrokenCallIsSentOnce(t *testing.T) {
	var calls atomic.Int64
	s := rawHTTP(t, func(w http.ResponseWriter, _ *http.Request, id, args []byte) {
		calls.Add(1)
		switch rawjson.GetString(args, "do") {
		case "hang up":
			conn, _, _ := http.NewResponseController(w).Hijack()
			conn.Close()
		case "fail":
			w.WriteHeader(http.StatusInternalServerError)
		case "break off":
			w.Header().Set("Content-Length", "1000")
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{`, id)
		}
	})
	do := list(t, overHTTP(t, s.URL, mcp.Options{}))["do"]
	for _, what := range []string{"hang up", "fail", "break off"} {
		calls.Store(0)
		if got := call(t, do, `{"do":"`+what+`"}`); calls.Load() != 1 || !strings.Contains(got, "may have had its effect") {
			t.Errorf("%s: sent %d times: %s", what, calls.Load(), got)
		}
	}
}

// A transport of the program's that tells nothing of what it does may have sent a call
// before it fails.
func TestBrokenCallOverAnotherTransport(t *testing.T) {
	s := rawHTTP(t, func(http.ResponseWriter, *http.Request, []byte, []byte) {})
	calls := &atomic.Int64{}
	c, err := mcp.HTTP(t.Context(), s.URL, &http.Client{Transport: untraced{freshClient().Transport, calls}}, mcp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := call(t, list(t, c)["do"], `{"do":"it"}`); calls.Load() != 1 || !strings.Contains(got, "may have had its effect") {
		t.Errorf("sent %d times: %s", calls.Load(), got)
	}
}

// An untraced transport loses the answers of calls.
type untraced struct {
	http.RoundTripper
	calls *atomic.Int64
}

func (u untraced) RoundTrip(r *http.Request) (*http.Response, error) {
	body := &bytes.Buffer{}
	if r.Body != nil {
		_, _ = io.Copy(body, r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body.Bytes()))
	}
	if rawjson.GetString(body.Bytes(), "method") == "tools/call" {
		u.calls.Add(1)
		return nil, errors.New("the answer is lost")
	}
	return u.RoundTripper.RoundTrip(r)
}

// A dumping transport repeats the headers of calls in its error, or answers them without
// an end.
type dumping struct {
	http.RoundTripper
	endless *endless // nil for an error
}

func (d dumping) RoundTrip(r *http.Request) (*http.Response, error) {
	body := &bytes.Buffer{}
	if r.Body != nil {
		_, _ = io.Copy(body, r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body.Bytes()))
	}
	if rawjson.GetString(body.Bytes(), "method") != "tools/call" {
		return d.RoundTripper.RoundTrip(r)
	}
	if d.endless != nil {
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(d.endless), Request: r}, nil
	}
	return nil, fmt.Errorf("no route for %v", r.Header)
}

type endless struct{ read atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.read.Add(int64(len(p))) > 16<<20 {
		return 0, io.EOF
	}
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// What a request was sent with is in no error of its connection, a session's cookie
// either; and of an answer no more is read than a message may have.
func TestTransportOfTheProgram(t *testing.T) {
	s := rawHTTP(t, nil)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(address, []*http.Cookie{{Name: "session", Value: key}})
	with := func(e *endless) (string, string) {
		var log logged
		c, err := mcp.HTTP(t.Context(), s.URL, &http.Client{Jar: jar, Transport: dumping{freshClient().Transport, e}}, mcp.Options{MaxMessageBytes: 1 << 20, Logger: log.logger()})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return call(t, list(t, c)["do"], `{}`), log.String()
	}
	if got, log := with(nil); strings.Contains(got+log, key) || !strings.Contains(got, "no route") || !strings.Contains(got, secret.Redacted) {
		t.Errorf("%s, logged: %s", got, log)
	}
	long := new(endless)
	if got, _ := with(long); long.read.Load() > 3<<20 || !strings.Contains(got, "more than 1048576 bytes") {
		t.Errorf("%d bytes were read: %s", long.read.Load(), got)
	}
}

// Pages of other origins can't call the tools of a server; programs and its own pages can.
func TestPagesOfOtherOrigins(t *testing.T) {
	server, err := mcp.Serve("s", "1")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(mcp.Handler(server))
	defer s.Close()
	for origin, want := range map[string]int{"https://evil.example": http.StatusForbidden, "null": http.StatusForbidden, s.URL: http.StatusOK, "": http.StatusOK} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}
		if origin != "" {
			req.Header.Set("Origin", origin)
		}
		resp, err := freshClient().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("from %q: %s", origin, resp.Status)
		}
	}
}
