package inspect_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/whorl-go/whorl/agent/inspect"
	"github.com/whorl-go/whorl/memory"
)

// The page leads to the reports of evals: those in the folder and no other file, the
// newest first, and without a script that could run.
func TestReports(t *testing.T) {
	day := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	folder := fstest.MapFS{
		"old.html": {Data: []byte("<p>old</p>"), ModTime: day}, "new.html": {Data: []byte("<style>p{}</style><p>new</p>"), ModTime: day.Add(time.Hour)},
		"a<b>.html": {Data: []byte("x"), ModTime: day.Add(-time.Hour)}, "secret.json": {Data: []byte("{}")}, "sub/deep.html": {Data: []byte("x")},
	}
	get := func(opts inspect.Options, path string) *httptest.ResponseRecorder {
		opts.Token = "the-token"
		mux := http.NewServeMux()
		mux.Handle("/debug/agents/", inspect.Handler(new(memory.RAM), opts))
		req := httptest.NewRequest("GET", "/debug/agents/"+path, nil)
		req.Header.Set("Authorization", "Bearer the-token")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, req)
		return w
	}
	with := inspect.Options{Reports: folder}
	list := get(with, "reports/").Body.String()
	if n, o := strings.Index(list, `href="new.html"`), strings.Index(list, `href="old.html"`); n < 0 || o < n || strings.Contains(list, "secret") || strings.Contains(list, "deep") || strings.Contains(list, "<b>") || !strings.Contains(list, "2026-11-01 10:00") {
		t.Error(list)
	}
	w := get(with, "reports/new.html")
	if csp := w.Header().Get("Content-Security-Policy"); w.Code != 200 || !strings.Contains(w.Body.String(), "<p>new</p>") || !strings.HasPrefix(csp, "sandbox; default-src 'none'") || strings.Contains(csp, "script-src") {
		t.Errorf("%d %s: %s", w.Code, csp, w.Body)
	}
	for _, path := range []string{"reports/secret.json", "reports/none.html", "reports/sub%2Fdeep.html", "reports/..%2Fnew.html", "reports/index.html"} {
		if w := get(with, path); w.Code == 200 {
			t.Errorf("%s: %s", path, w.Body)
		}
	}
	if w := get(inspect.Options{}, "reports/"); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "Options.Reports") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := get(inspect.Options{}, "reports/new.html"); w.Code != http.StatusNotFound {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if page := get(with, "").Body.String(); !strings.Contains(page, `href="reports/"`) {
		t.Error("the page doesn't lead to the reports")
	}
	if page := get(inspect.Options{}, "").Body.String(); strings.Contains(page, `href="reports/"`) || !strings.Contains(page, "</html>") {
		t.Error("the page leads to reports that aren't there")
	}
	req := httptest.NewRequest("GET", "/reports/new.html", nil)
	w = httptest.NewRecorder()
	inspect.Handler(new(memory.RAM), with).ServeHTTP(w, req)
	if w.Code == 200 {
		t.Error("a report is shown without the token")
	}
}
