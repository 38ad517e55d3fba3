package inspect_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent/inspect"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// Whatever is asked of the page, by whom it may, it answers and does not panic;
// without its token nothing of the sessions is told, and nothing is changed.
func FuzzHandlers(f *testing.F) {
	for _, seed := range [][4]string{
		{"GET", "api/sessions", "", ""},
		{"GET", "api/sessions/s/brief", "", ""},
		{"GET", "api/sessions/s/stream", "from=1&follow=0", ""},
		{"GET", "api/sessions/s/records/0/blocks/0", "from=3", ""},
		{"GET", "api/sessions/s/requests/1", "", ""},
		{"GET", "api/sessions/s/log", "", ""},
		{"POST", "api/sessions/s/decisions", "", `{"record":1,"call":"toolu_1","hash":"x","approve":true,"input":"{}"}`},
		{"POST", "api/sessions/s/answers", "", `{"session":"s","call":"2-toolu_1","key":"1","hash":"x","value":"1"}`},
		{"GET", "api/sessions/s/waits", "", ""},
		{"POST", "api/sessions/s/fork", "", `{"records":-1,"id":"b","message":"x"}`},
		{"POST", "api/sessions/s/resume", "", `{}`},
		{"GET", "assets/../../guard.go", "", ""},
		{"GET", "", "token=%00", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], true)
		f.Add(seed[0], seed[1], seed[2], seed[3], false)
	}
	f.Fuzz(func(t *testing.T, method, path, query, body string, admitted bool) {
		store := new(memory.RAM)
		log, err := memory.Create(store, "s", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("a planted word: quokka")}); err != nil {
			t.Fatal(err)
		}
		page := inspect.Handler(store, inspect.Options{Resume: func(string) {}, Poll: time.Millisecond})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, method, "http://localhost/", strings.NewReader(body))
		if err != nil {
			return // no method
		}
		r.URL.Path, r.URL.RawQuery, r.RemoteAddr = "/"+path, query, "127.0.0.1:1"
		if admitted {
			r.Header.Set("Authorization", "Bearer "+tokenOf(t, page))
		}
		w := httptest.NewRecorder()
		page.ServeHTTP(w, r)
		if w.Code >= 500 && w.Code != http.StatusNotImplemented {
			t.Errorf("%s %q?%q answered with %d: %s", method, path, query, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), "package inspect") {
			t.Errorf("%q serves a source file", path)
		}
		if admitted {
			return
		}
		if strings.Contains(w.Body.String(), "quokka") || w.Code < 400 && w.Code != http.StatusSeeOther {
			t.Errorf("without a token %s %q?%q answered with %d: %s", method, path, query, w.Code, w.Body)
		}
		sessions := 0
		for range store.List(t.Context(), memory.Query{}) {
			sessions++
		}
		if info, err := store.Info(t.Context(), "s"); err != nil || info.Records != 1 || sessions != 1 {
			t.Errorf("without a token %s %q changed the store: %+v, %d sessions, %v", method, path, info, sessions, err)
		}
	})
}
