package inspect_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent/inspect"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// tokenOf is the token of a page, as its owner gets it.
func tokenOf(t testing.TB, page *inspect.Page) string {
	t.Helper()
	u, err := url.Parse(page.URL("http://localhost:8100/debug/agents/"))
	if err != nil || u.Path != "/debug/agents/" || u.Host != "localhost:8100" || len(u.Query()["token"]) != 1 {
		t.Fatalf("the page's URL is %v: %v", u, err)
	}
	return u.Query().Get("token")
}

// cookieOf is the cookie that a browser gets that opens the page's URL.
func cookieOf(t testing.TB, page *inspect.Page) *http.Cookie {
	t.Helper()
	r := httptest.NewRequest("GET", "/?token="+tokenOf(t, page), nil)
	r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
	w := httptest.NewRecorder()
	page.ServeHTTP(w, r)
	cookies := w.Result().Cookies()
	if w.Code != http.StatusSeeOther || len(cookies) != 1 {
		t.Fatalf("status %d, cookies %v", w.Code, cookies)
	}
	return cookies[0]
}

// A page without a token of the program's makes one of its own each time.
func TestTokensAreRandom(t *testing.T) {
	seen := map[string]bool{}
	for range 20 {
		token := tokenOf(t, inspect.Handler(new(memory.RAM), inspect.Options{}))
		if len(token) < 20 || seen[token] {
			t.Fatalf("token %q, of %d before", token, len(seen))
		}
		seen[token] = true
	}
	one, two := inspect.Handler(new(memory.RAM), inspect.Options{}), inspect.Handler(new(memory.RAM), inspect.Options{})
	if a, b := cookieOf(t, one), cookieOf(t, two); a.Name == b.Name || a.Value == b.Value {
		t.Errorf("two pages share a cookie: %v, %v", a, b)
	}
	if got := tokenOf(t, inspect.Handler(new(memory.RAM), inspect.Options{Token: "a b&c=d"})); got != "a b&c=d" {
		t.Errorf("the token in the URL is %q", got)
	}
}

// Behind a proxy that ends TLS, too, the cookie is for https alone.
func TestCookieBehindTLS(t *testing.T) {
	page := inspect.Handler(new(memory.RAM), inspect.Options{})
	for proto, secure := range map[string]bool{"https": true, "http": false, "": false} {
		r := httptest.NewRequest("GET", "/?token="+tokenOf(t, page), nil)
		r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
		r.Header.Set("X-Forwarded-Proto", proto)
		w := httptest.NewRecorder()
		page.ServeHTTP(w, r)
		if c := w.Result().Cookies(); len(c) != 1 || c[0].Secure != secure {
			t.Errorf("%q: %v", proto, c)
		}
	}
}

// Who may see the page, and who may act on it.
func TestGuard(t *testing.T) {
	const base = "/debug/agents/"
	for _, tt := range []struct {
		name   string
		opts   inspect.Options
		method string
		path   string
		remote string
		header []string
		want   int
	}{
		{"this machine", inspect.Options{}, "GET", "api/sessions", "127.0.0.1:9", []string{"Host", "localhost:8100", "Authorization", "token"}, 200},
		{"this machine by IPv6", inspect.Options{}, "GET", "api/sessions", "[::1]:9", []string{"Host", "[::1]:8100", "Authorization", "token"}, 200},
		{"a rebound name", inspect.Options{}, "GET", "api/sessions", "127.0.0.1:9", []string{"Host", "attacker.example", "Authorization", "token"}, 403},
		{"a name that looks like this machine", inspect.Options{}, "GET", "api/sessions", "127.0.0.1:9", []string{"Host", "localhost.attacker.example", "Authorization", "token"}, 403},
		{"an address that is not this machine's", inspect.Options{}, "GET", "api/sessions", "127.0.0.1:9", []string{"Host", "10.0.0.7", "Authorization", "token"}, 403},
		{"a name that was given", inspect.Options{Hosts: []string{"dev.example"}}, "GET", "api/sessions", "127.0.0.1:9", []string{"Host", "dev.example", "Authorization", "token"}, 200},
		{"another machine", inspect.Options{}, "GET", "api/sessions", "10.0.0.7:9", []string{"Host", "localhost", "Authorization", "token"}, 403},
		{"another machine with a name that was given", inspect.Options{Hosts: []string{"dev.example"}}, "GET", "api/sessions", "10.0.0.7:9", []string{"Host", "dev.example", "Authorization", "token"}, 403},
		{"data from another site", inspect.Options{}, "GET", "api/sessions", "127.0.0.1:9", []string{"Authorization", "token", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		{"data from another port of this machine", inspect.Options{}, "GET", "api/sessions", "127.0.0.1:9", []string{"Authorization", "token", "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors"}, 403},
		{"a link from another site", inspect.Options{}, "GET", "", "127.0.0.1:9", []string{"Authorization", "token", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 200},
		{"an act from another site", inspect.Options{}, "POST", "api/sessions/s/fork", "127.0.0.1:9", []string{"Authorization", "token", "Sec-Fetch-Site", "cross-site"}, 403},
		{"an act from another origin, old browser", inspect.Options{}, "POST", "api/sessions/s/fork", "127.0.0.1:9", []string{"Authorization", "token", "Origin", "http://attacker.example"}, 403},
		{"an act from another port of this machine", inspect.Options{}, "POST", "api/sessions/s/fork", "127.0.0.1:9", []string{"Authorization", "token", "Origin", "http://localhost:3000"}, 403},
		{"an act of the page", inspect.Options{}, "POST", "api/sessions/s/fork", "127.0.0.1:9", []string{"Authorization", "token", "Origin", "http://localhost:8100"}, 200},
		{"an act on a read-only page", inspect.Options{ReadOnly: true}, "POST", "api/sessions/s/fork", "127.0.0.1:9", []string{"Authorization", "token", "Origin", "http://localhost:8100"}, 403},
		{"no token on this machine", inspect.Options{}, "GET", "api/sessions", "127.0.0.1:9", nil, 401},
		{"no token, the page itself", inspect.Options{}, "GET", "", "127.0.0.1:9", nil, 401},
		{"no token, an act on this machine", inspect.Options{}, "POST", "api/sessions/s/fork", "127.0.0.1:9", nil, 401},
		{"no token where one is set", inspect.Options{Token: "t0p"}, "GET", "api/sessions", "127.0.0.1:9", nil, 401},
		{"a wrong token", inspect.Options{Token: "t0p"}, "GET", "api/sessions", "10.0.0.7:9", []string{"Authorization", "Bearer t0"}, 401},
		{"a token that is no Bearer's", inspect.Options{Token: "t0p"}, "GET", "api/sessions", "10.0.0.7:9", []string{"Authorization", "t0p"}, 401},
		{"a token in a header", inspect.Options{Token: "t0p"}, "GET", "api/sessions", "10.0.0.7:9", []string{"Authorization", "Bearer t0p", "Host", "runs.example"}, 200},
		{"an empty token in a header", inspect.Options{}, "GET", "api/sessions", "127.0.0.1:9", []string{"Authorization", "Bearer "}, 401},
		{"an empty token in the URL", inspect.Options{}, "GET", "?token=", "127.0.0.1:9", nil, 401},
		{"a cookie", inspect.Options{Token: "t0p"}, "GET", "api/sessions", "10.0.0.7:9", []string{"Cookie", "cookie"}, 200},
		{"the token in the cookie", inspect.Options{Token: "t0p"}, "GET", "api/sessions", "10.0.0.7:9", []string{"Cookie", "cookie=t0p"}, 401},
		{"an empty cookie", inspect.Options{}, "GET", "api/sessions", "127.0.0.1:9", []string{"Cookie", "cookie="}, 401},
		{"an empty cookie where a token is set", inspect.Options{Token: "t0p"}, "GET", "api/sessions", "127.0.0.1:9", []string{"Cookie", "cookie="}, 401},
		{"a token in the URL is moved to a cookie", inspect.Options{Token: "t0p"}, "GET", "?token=t0p", "10.0.0.7:9", nil, 303},
		{"a token in the URL of the API is not taken", inspect.Options{Token: "t0p"}, "GET", "api/sessions?token=t0p", "10.0.0.7:9", nil, 401},
		{"a token in the URL of an act is not taken", inspect.Options{Token: "t0p"}, "POST", "api/sessions/s/fork?token=t0p", "10.0.0.7:9", nil, 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := new(memory.RAM)
			if err := store.Append(t.Context(), "s", memory.Position{}, memory.Record{Kind: memory.KindInput, Message: transport.UserText("hi")}); err != nil {
				t.Fatal(err)
			}
			mux := http.NewServeMux()
			page := inspect.Handler(store, tt.opts)
			mux.Handle(base, page)
			cookie := cookieOf(t, page)
			r := httptest.NewRequest(tt.method, base+tt.path, strings.NewReader(`{"at":1}`))
			r.RemoteAddr, r.Host = tt.remote, "localhost:8100"
			for i := 0; i+1 < len(tt.header); i += 2 {
				switch name, value := tt.header[i], tt.header[i+1]; {
				case name == "Host":
					r.Host = value
				case value == "token":
					r.Header.Set(name, "Bearer "+tokenOf(t, page))
				case value == "cookie":
					r.AddCookie(cookie)
				case name == "Cookie":
					r.Header.Set(name, strings.Replace(value, "cookie", cookie.Name, 1))
				default:
					r.Header.Set(name, value)
				}
			}
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Fatalf("status %d, want %d: %s", w.Code, tt.want, w.Body)
			}
			csp := w.Header().Get("Content-Security-Policy")
			for _, part := range []string{
				"default-src 'none'", "script-src 'self'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
				"require-trusted-types-for 'script'", "trusted-types 'none'",
			} {
				if !slices.Contains(strings.Split(csp, "; "), part) {
					t.Errorf("the policy has no %q: %q", part, csp)
				}
			}
			if strings.Contains(csp, "unsafe") {
				t.Errorf("policy %q", csp)
			}
			if tt.want != 200 && strings.Contains(w.Body.String(), "t0p") {
				t.Errorf("the token is in the answer: %s", w.Body)
			}
			if tt.want == 303 {
				c := w.Result().Cookies()
				if len(c) != 1 || !c[0].HttpOnly || c[0].SameSite != http.SameSiteStrictMode || w.Header().Get("Location") != "./" {
					t.Errorf("cookies %v, location %q", c, w.Header().Get("Location"))
				}
				if strings.Contains(c[0].String(), "t0p") || len(c[0].Value) < 32 {
					t.Errorf("the cookie %v is the token, or short", c[0])
				}
			}
		})
	}
}

// The page is files of its own: no script stands in the HTML, nothing is
// fetched from elsewhere, and no script makes HTML of text.
func TestAssets(t *testing.T) {
	server := serve(t, new(memory.RAM), inspect.Options{})
	status, page, head := do(t, "GET", server.URL+"/debug/agents/", "")
	if status != 200 || !strings.HasPrefix(head.Get("Content-Type"), "text/html") {
		t.Fatalf("status %d, type %s", status, head.Get("Content-Type"))
	}
	if status, _, head := do(t, "GET", server.URL+"/debug/agents", ""); status/100 != 3 || head.Get("Location") != "/debug/agents/" {
		t.Errorf("without the slash: status %d, location %q", status, head.Get("Location"))
	}
	for _, bad := range []string{"<script>", "onclick=", "style=", "http://", "https://"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	for _, name := range []string{"main.js", "markdown.js", "waits.js", "rows.js", "dom.js", "strip.js", "timeline.js", "request.js", "rawjson.js", "style.css", "icon.svg"} {
		status, text, _ := do(t, "GET", server.URL+"/debug/agents/assets/"+name, "")
		if status != 200 {
			t.Errorf("%s: status %d", name, status)
		}
		for _, bad := range []string{"innerHTML =", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "https://"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s holds %q", name, bad)
			}
		}
	}
}

// It works under any path, or none.
func TestMounts(t *testing.T) {
	h := inspect.Handler(new(memory.RAM), inspect.Options{})
	for pattern, path := range map[string]string{"/": "/api/sessions", "GET /runs/": "/runs/api/sessions", "localhost/x/y/": "/x/y/api/sessions"} {
		mux := http.NewServeMux()
		mux.Handle(pattern, h)
		r := httptest.NewRequest("GET", path, nil)
		r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
		r.Header.Set("Authorization", "Bearer "+tokenOf(t, h))
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if w.Code != 200 {
			t.Errorf("%s: status %d %s", pattern, w.Code, w.Body)
		}
	}
	r := httptest.NewRequest("GET", "/api/sessions", nil)
	r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
	r.Header.Set("Authorization", "Bearer "+tokenOf(t, h))
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != 200 {
		t.Errorf("without a mux: status %d", w.Code)
	}
}

// What the store holds of keys does not reach the page: the recorded request
// has none.
func TestNoSecrets(t *testing.T) {
	store := new(memory.RAM)
	a := newAgent(t, simulator.Script(simulator.Say("ok")), false, "")
	run(t, a, store, "s", transport.UserText("hi"))
	server := serve(t, store, inspect.Options{})
	for _, path := range []string{"api/sessions/s/requests/2", "api/sessions/s/log"} {
		status, body, _ := do(t, "GET", server.URL+"/debug/agents/"+path, "")
		if status != 200 || strings.Contains(strings.ToLower(body), "api-key") || strings.Contains(body, `"any"`) {
			t.Errorf("%s: status %d: %s", path, status, body)
		}
	}
}
