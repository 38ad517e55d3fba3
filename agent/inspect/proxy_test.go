package inspect_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent/inspect"
	"github.com/whorl-go/whorl/agent/internal/nginxtest"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A proxied page is one that a reverse proxy on this machine passes requests to.
type proxied struct {
	page  *inspect.Page
	store *memory.RAM
	url   *url.URL // of the page itself
}

// behind makes a page with a session whose call waits.
func behind(t *testing.T, opts inspect.Options) proxied {
	t.Helper()
	store := new(memory.RAM)
	a := newAgent(t, simulator.Script(simulator.Do(simulator.Call("lookup", query{"a", 1}).WithID("toolu_1")), simulator.Say("ok")), true, "")
	run(t, a, store, "secret", transport.UserText("the secret question"))
	opts.Resume = func(string) { t.Error("a session was resumed") }
	page := inspect.Handler(store, opts)
	mux := http.NewServeMux()
	mux.Handle("/debug/agents/", page)
	server := httptest.NewServer(mux)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return proxied{page, store, u}
}

// try sends what an attacker would, who reaches the proxy at base, and then opens
// the page with its token. opens says whether it answers to the name by which it is
// asked then.
func (p proxied) try(t *testing.T, client *http.Client, base string, opens bool) {
	t.Helper()
	get := func(method, path, body string, header ...string) (int, string) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(raw)
	}
	hash := seenBy(t, p.page, "secret", "toolu_1")
	const s = "api/sessions/secret/"
	for _, act := range [][3]string{
		{"GET", ""}, {"GET", "assets/main.js"}, {"GET", "api/sessions"}, {"GET", s + "brief"}, {"GET", s + "stream"},
		{"GET", s + "records/1/blocks/0"}, {"GET", s + "requests/2"}, {"GET", s + "log"}, {"GET", s + "waits"}, {"POST", s + "answers", `{"session":"secret","value":"1"}`}, {"HEAD", s + "log"},
		{"POST", s + "decisions", `{` + hash.form() + `,"approve":true}`}, {"POST", s + "fork", `{"at":1}`}, {"POST", s + "resume", `{}`},
		{"GET", "?token="}, {"GET", "?token=guess"},
	} {
		for _, header := range [][]string{
			nil, {"X-Forwarded-For", "127.0.0.1"}, {"Forwarded", "for=127.0.0.1;host=localhost"}, {"X-Real-IP", "127.0.0.1"}, {"Via", "1.1 proxy"},
			{"X-Forwarded-Host", "localhost", "X-Forwarded-Proto", "http"}, {"Sec-Fetch-Site", "same-origin", "Origin", base}, {"Cookie", "whorl_inspect="}, {"Authorization", "Bearer "},
		} {
			if status, body := get(act[0], act[1], act[2], header...); status != 401 && status != 403 || strings.Contains(body, "secret") || strings.Contains(body, "<script") {
				t.Errorf("%s %s with %v: status %d: %.200s", act[0], act[1], header, status, body)
			}
		}
	}
	for info, err := range p.store.List(t.Context(), memory.Query{}) {
		if err != nil || info.ID != "secret" {
			t.Errorf("there is a session %q: %v", info.ID, err)
		}
	}
	if log, err := memory.Open(t.Context(), p.store, "secret"); err != nil || countOf(log, memory.KindDecision) != 0 {
		t.Errorf("a decision was taken: %v", err)
	}
	want := http.StatusOK
	if !opens {
		want = http.StatusForbidden
	}
	if status, body := get("GET", strings.TrimPrefix(p.page.URL(base), base), ""); status != want {
		t.Errorf("with the token: status %d: %.200s", status, body)
	}
	for _, path := range []string{"api/sessions", s + "log", "assets/main.js"} {
		if status, body := get("GET", path, ""); status != want {
			t.Errorf("%s with the cookie: status %d: %.200s", path, status, body)
		}
	}
	if status, body := get("POST", s+"fork", `{"at":1}`, "Sec-Fetch-Site", "same-origin"); status != want {
		t.Errorf("a fork with the cookie: status %d: %.200s", status, body)
	}
}

func countOf(log *memory.Log, kind memory.Kind) (n int) {
	for _, r := range log.Records(0) {
		if r.Kind == kind {
			n++
		}
	}
	return n
}

// seenBy is what a page shows of a call to whoever has its token.
func seenBy(t *testing.T, page *inspect.Page, session, id string) sight {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+tokenOf(t, page))
		r.URL.Path = strings.TrimPrefix(r.URL.Path, "/debug/agents")
		page.ServeHTTP(w, r)
	}))
	defer server.Close()
	defer server.CloseClientConnections()
	return seen(t, server.URL, session, id)
}

// visitor is a browser as far as cookies and redirects go. It finds every host at dial.
func visitor(t *testing.T, network, addr string) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := nginxtest.Client(t, network, addr)
	client.Jar = jar
	return client
}

// Nothing is open behind httputil's reverse proxy, in its usual forms.
func TestBehindReverseProxy(t *testing.T) {
	for _, tt := range []struct {
		name  string
		opts  inspect.Options
		proxy func(to *url.URL) *httputil.ReverseProxy
		path  string // of the page at the proxy
		opens bool
	}{
		{"Rewrite with SetURL", inspect.Options{}, func(to *url.URL) *httputil.ReverseProxy {
			return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
		}, "/debug/agents/", true},
		{"Rewrite that says so", inspect.Options{}, func(to *url.URL) *httputil.ReverseProxy {
			return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to); r.SetXForwarded() }}
		}, "/debug/agents/", true},
		{"Rewrite that passes all on", inspect.Options{}, func(to *url.URL) *httputil.ReverseProxy {
			return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
				r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
				r.SetURL(to)
			}}
		}, "/debug/agents/", true},
		{"the host kept", inspect.Options{}, func(to *url.URL) *httputil.ReverseProxy {
			return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host }}
		}, "/debug/agents/", false},
		{"the host kept, and given", inspect.Options{Hosts: []string{"runs.example"}}, func(to *url.URL) *httputil.ReverseProxy {
			return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host }}
		}, "/debug/agents/", true},
		{"the host kept, with a token", inspect.Options{Token: "t0ken that was chosen"}, func(to *url.URL) *httputil.ReverseProxy {
			return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host }}
		}, "/debug/agents/", true},
		{"NewSingleHostReverseProxy", inspect.Options{}, func(to *url.URL) *httputil.ReverseProxy {
			p := httputil.NewSingleHostReverseProxy(to)
			//lint:ignore SA1019 programs have it still
			direct := p.Director
			//lint:ignore SA1019 programs have it still
			p.Director = func(r *http.Request) { direct(r); r.Host = to.Host }
			return p
		}, "/debug/agents/", true},
		{"under another path", inspect.Options{}, func(to *url.URL) *httputil.ReverseProxy {
			return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(&url.URL{Scheme: to.Scheme, Host: to.Host, Path: "/debug/agents"})
			}}
		}, "/", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := behind(t, tt.opts)
			tr := &http.Transport{}
			t.Cleanup(tr.CloseIdleConnections)
			rp := tt.proxy(p.url)
			rp.Transport = tr
			server := httptest.NewServer(rp)
			t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
			p.try(t, visitor(t, "tcp", server.Listener.Addr().String()), "http://runs.example"+tt.path, tt.opens)
		})
	}
}

// Nothing is open behind nginx, in its usual forms.
func TestBehindNginx(t *testing.T) {
	for _, tt := range []struct {
		name, location string
		path           string // of the page at the proxy
		opens          bool
	}{
		{"proxy_pass alone", "location / { proxy_pass http://%s; }", "/debug/agents/", true},
		{"HTTP/1.1, kept alive", `location / { proxy_pass http://%s; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }`, "/debug/agents/", true},
		{"the host kept", "location / { proxy_pass http://%s; proxy_set_header Host $host; }", "/debug/agents/", false},
		{"all that is usual", "location / { proxy_pass http://%s; proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host; }", "/debug/agents/", true},
		{"called localhost", "location / { proxy_pass http://%s; proxy_set_header Host localhost; }", "/debug/agents/", true},
		{"under another path", "location /runs/ { proxy_pass http://%s/debug/agents/; }", "/runs/", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := behind(t, inspect.Options{})
			p.try(t, visitor(t, "unix", nginxtest.Start(t, fmt.Sprintf(tt.location, p.url.Host))), "http://runs.example"+tt.path, tt.opens)
		})
	}
}
