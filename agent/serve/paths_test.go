package serve

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Whatever the path is, and wherever the handler is mounted, an error is a problem
// document, and nothing is redirected: the handler doesn't know of the prefix.
func TestNoPathIsRedirected(t *testing.T) {
	h, store, _ := asks(t, nil)
	put(t, store, "a", nil)
	mux := http.NewServeMux()
	mux.Handle("/v1/{rest...}", http.StripPrefix("/v1", h))
	for name, mount := range map[string]struct {
		handler http.Handler
		prefix  string
	}{"alone": {h, ""}, "StripPrefix": {http.StripPrefix("/api", h), "/api"}, "a pattern": {mux, "/v1"}} {
		for _, path := range []string{
			"", "/", "//", "/sessions//", "//sessions", "/sessions/./a", "/sessions/../budget", "/sessions//a", "/sessions/a/../a",
			"/sessions/", "/messages", "/events", "/stop", "/decisions", "/answers", "/forks", "/bill", "/bill/", "/budget/", "/none", "/events//",
		} {
			if mount.prefix+path == "" || name == "a pattern" && (path == "" || path != "/" && strings.Contains(strings.ReplaceAll(path, "/.", "//"), "//")) {
				continue // net/http has no such request, or the mux before the handler redirects it
			}
			for _, method := range []string{"GET", "HEAD", "POST", "DELETE", "PUT", "CONNECT"} {
				r := httptest.NewRequest("GET", "/", nil)
				r.Method, r.URL.Path, r.RequestURI = method, mount.prefix+path, mount.prefix+path
				r.Header.Set("X-User", "ann")
				w := httptest.NewRecorder()
				mount.handler.ServeHTTP(w, r)
				if w.Code != 404 || w.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(w.Body.String(), `"no_such_request"`) {
					t.Errorf("%s: %s %s: %d %v %s", name, method, path, w.Code, w.Header(), w.Body)
				}
			}
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.URL.Path, r.RequestURI = "*", "*"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 404 || !strings.Contains(w.Body.String(), `"no_such_request"`) {
		t.Errorf("*: %d %s", w.Code, w.Body)
	}
	// An id with escaped slashes is an id.
	if status, body := ask(h, "root", "GET", "/sessions/a%2F%2F..", ""); status != 404 || !strings.Contains(body, `"no_session"`) {
		t.Errorf("%d %s", status, body)
	}
}
