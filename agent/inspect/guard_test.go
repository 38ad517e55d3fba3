package inspect_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent/inspect"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

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
		{"this machine", inspect.Options{}, "GET", "api/sessions", "127.0.0.1:9", []string{"Host", "localhost:8100"}, 200},
		{"this machine by IPv6", inspect.Options{}, "GET", "api/sessions", "[::1]:9", []string{"Host", "[::1]:8100"}, 200},
		{"a rebound name", inspect.Options{}, "GET", "api/sessions", "127.0.0.1:9", []string{"Host", "attacker.example"}, 403},
		{"a name that looks like this machine", inspect.Options{}, "GET", "api/sessions", "127.0.0.1:9", []string{"Host", "localhost.attacker.example"}, 403},
		{"an address that is not this machine's", inspect.Options{}, "GET", "api/sessions", "127.0.0.1:9", []string{"Host", "10.0.0.7"}, 403},
		{"a name that was given", inspect.Options{Hosts: []string{"dev.example"}}, "GET", "api/sessions", "127.0.0.1:9", []string{"Host", "dev.example"}, 200},
		{"another machine", inspect.Options{}, "GET", "api/sessions", "10.0.0.7:9", []string{"Host", "localhost"}, 403},
		{"another machine with a name that was given", inspect.Options{Hosts: []string{"dev.example"}}, "GET", "api/sessions", "10.0.0.7:9", []string{"Host", "dev.example"}, 403},
		{"data from another site", inspect.Options{}, "GET", "api/sessions", "127.0.0.1:9", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		{"a link from another site", inspect.Options{}, "GET", "", "127.0.0.1:9", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 200},
		{"an act from another site", inspect.Options{}, "POST", "api/sessions/s/fork", "127.0.0.1:9", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"an act from another origin, old browser", inspect.Options{}, "POST", "api/sessions/s/fork", "127.0.0.1:9", []string{"Origin", "http://attacker.example"}, 403},
		{"an act from another port of this machine", inspect.Options{}, "POST", "api/sessions/s/fork", "127.0.0.1:9", []string{"Origin", "http://localhost:3000"}, 403},
		{"an act of the page", inspect.Options{}, "POST", "api/sessions/s/fork", "127.0.0.1:9", []string{"Origin", "http://localhost:8100"}, 200},
		{"an act on a read-only page", inspect.Options{ReadOnly: true}, "POST", "api/sessions/s/fork", "127.0.0.1:9", []string{"Origin", "http://localhost:8100"}, 403},
		{"no token", inspect.Options{Token: "t0p"}, "GET", "api/sessions", "127.0.0.1:9", nil, 401},
		{"a wrong token", inspect.Options{Token: "t0p"}, "GET", "api/sessions", "10.0.0.7:9", []string{"Authorization", "Bearer t0"}, 401},
		{"a token in a header", inspect.Options{Token: "t0p"}, "GET", "api/sessions", "10.0.0.7:9", []string{"Authorization", "Bearer t0p", "Host", "runs.example"}, 200},
		{"a token in a cookie", inspect.Options{Token: "t0p"}, "GET", "api/sessions", "10.0.0.7:9", []string{"Cookie", "whorl_inspect=t0p"}, 200},
		{"a token in the URL is moved to a cookie", inspect.Options{Token: "t0p"}, "GET", "?token=t0p", "10.0.0.7:9", nil, 303},
		{"a token in the URL of an act is not taken", inspect.Options{Token: "t0p"}, "POST", "api/sessions/s/fork?token=t0p", "10.0.0.7:9", nil, 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := new(memory.RAM)
			if err := store.Append(t.Context(), "s", memory.Position{}, memory.Record{Kind: memory.KindInput, Message: transport.UserText("hi")}); err != nil {
				t.Fatal(err)
			}
			mux := http.NewServeMux()
			mux.Handle(base, inspect.Handler(store, tt.opts))
			r := httptest.NewRequest(tt.method, base+tt.path, strings.NewReader(`{"at":1}`))
			r.RemoteAddr, r.Host = tt.remote, "localhost:8100"
			for i := 0; i+1 < len(tt.header); i += 2 {
				if tt.header[i] == "Host" {
					r.Host = tt.header[i+1]
					continue
				}
				r.Header.Set(tt.header[i], tt.header[i+1])
			}
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Fatalf("status %d, want %d: %s", w.Code, tt.want, w.Body)
			}
			if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
				t.Errorf("policy %q", csp)
			}
			if tt.want != 200 && strings.Contains(w.Body.String(), "t0p") {
				t.Errorf("the token is in the answer: %s", w.Body)
			}
			if tt.want == 303 {
				c := w.Result().Cookies()
				if len(c) != 1 || !c[0].HttpOnly || c[0].SameSite != http.SameSiteStrictMode || w.Header().Get("Location") != base {
					t.Errorf("cookies %v, location %q", c, w.Header().Get("Location"))
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
	for _, name := range []string{"main.js", "rows.js", "dom.js", "strip.js", "timeline.js", "request.js", "rawjson.js", "style.css", "icon.svg"} {
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
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if w.Code != 200 {
			t.Errorf("%s: status %d %s", pattern, w.Code, w.Body)
		}
	}
	r := httptest.NewRequest("GET", "/api/sessions", nil)
	r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
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
