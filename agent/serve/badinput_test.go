package serve_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/internal/stage"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// A place of another session under the same id, one that is behind the end, and one that
// can't be read are refused before the stream begins.
func TestBadPlaces(t *testing.T) {
	s := start(t, nil)
	s.begin("s")
	l := s.listen("POST", "/messages/s", `{"text":"hi"}`)
	l.until("end", "")
	s.delete("s")
	s.begin("s")
	s.listen("POST", "/messages/s", `{"text":"hi"}`).until("end", "")
	for at, want := range map[string]struct {
		status int
		typ    string
	}{
		l.last:            {410, "replaced"},
		"9999.0..":        {410, "replaced"},
		"nonsense":        {400, "bad_position"},
		"-1.0..x":         {400, "bad_position"},
		"1.99999999999..": {200, ""}, // an offset in a response that isn't written any more
	} {
		resp := s.request("GET", "/events/s", "", "Last-Event-ID", at)
		if resp.StatusCode != want.status {
			t.Errorf("%q: %d", at, resp.StatusCode)
		}
		if want.status == 200 { // what a proxy needs to know, so that it doesn't keep events back
			if resp.Header.Get("X-Accel-Buffering") != "no" || !strings.Contains(resp.Header.Get("Cache-Control"), "no-transform") {
				t.Errorf("%v", resp.Header)
			}
		}
		resp.Body.Close()
	}
}

// A cursor that is none, and a path without an id, are the client's mistakes.
func TestBadCursorsAndPaths(t *testing.T) {
	s := start(t, nil)
	s.begin("s")
	for request, want := range map[string]struct {
		status int
		typ    string
	}{
		"GET /sessions?after=nonsense": {400, "bad_position"},
		"GET /sessions/":               {404, "no_such_request"},
		"DELETE /sessions/":            {404, "no_such_request"},
		"GET /events/":                 {404, "no_such_request"},
		"GET /bill/":                   {404, "no_such_request"},
		"POST /messages/":              {404, "no_such_request"},
		"POST /stop/":                  {404, "no_such_request"},
		"POST /decisions/":             {404, "no_such_request"},
		"POST /answers/":               {404, "no_such_request"},
		"POST /forks/":                 {404, "no_such_request"},
	} {
		method, path, _ := strings.Cut(request, " ")
		body := ""
		if strings.HasPrefix(path, "/messages") {
			body = `{"text":"hi"}`
		}
		if status, answer := s.do(method, path, body); status != want.status || !strings.Contains(answer, `"`+want.typ+`"`) {
			t.Errorf("%s: %d %s", request, status, answer)
		}
	}
}

// A session whose id has a slash, such as one that a schedule has begun for its user, is
// theirs by all protocols. Nobody begins one.
func TestAccessToAScheduledSession(t *testing.T) {
	s := start(t, nil)
	log, err := memory.Create(s.store, "report/2026-11-28T09:00:00Z", &memory.Start{Meta: map[string]string{"user": "ann"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("count")}); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("X-User", "ann")
	if a, err := s.h.Access(r, log.ID()); err != nil || a.New {
		t.Errorf("%+v, %v", a, err)
	}
	for _, id := range []string{"", "report/never", strings.Repeat("x", 201)} {
		var p *serve.Problem
		if _, err := s.h.Access(r, id); !errors.As(err, &p) || p.Type != "bad_id" {
			t.Errorf("%q: %v", id, err)
		}
	}
	if status, answer := s.do("POST", "/messages/"+log.ID(), `{"text":"hi"}`); status != 202 {
		t.Errorf("%d %s", status, answer)
	}
}

// An upload that the model doesn't take, a version of the body that isn't known, and a
// message to a server that ends have clear answers, and nothing is written.
func TestWhatIsRefusedLeavesNothing(t *testing.T) {
	s := start(t, nil)
	for body, typ := range map[string]string{
		`{"content":[{"type":"image","source":{"type":"base64","media_type":"image/tiff","data":"AAAA"}}]}`:                                           "bad_message",
		`{"content":[{"type":"document","source":{"type":"base64","media_type":"application/zip","data":"AAAA"}}]}`:                                   "bad_message",
		`{"content":[{"type":"video","source":{"type":"url","url":"https://x.example/a.mp4"}}]}`:                                                      "bad_message",
		`{"content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGVsbG8="}}]}`:                                        "bad_message",
		`{"content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"aGVsbG8="}}]}`:                               "bad_message",
		`{"content":[{"type":"image","source":{"type":"file","file_id":"file_of_bob"}}]}`:                                                             "bad_message",
		`{"content":[{"type":"image","source":{"type":"url","url":"https://a.example"},"source":{"type":"file","file_id":"file_of_bob"}}]}`:           "bad_message",
		`{"content":[{"type":"document","source":{"type":"content","content":[{"type":"image","source":{"type":"file","file_id":"file_of_bob"}}]}}]}`: "bad_message",
		`{"content":[{"type":"image","source":{"type":"url","url":"file:///etc/passwd"}}]}`:                                                           "bad_message",
		`{"content":[{"type":"image","source":{"type":"url","url":"ftp://a.example/a.png"}}]}`:                                                        "bad_message",
		`{"v":2,"text":"hi"}`: "bad_body",
		`{"message":"hi"}`:    "bad_body",
	} {
		if status, answer := s.do("POST", "/messages/new", body); status < 400 || status > 499 || !strings.Contains(answer, `"`+typ+`"`) {
			t.Errorf("%s: %d %s", body, status, answer)
		}
	}
	if status, _ := s.do("GET", "/sessions/new", ""); status != 404 {
		t.Errorf("a session was begun: %d", status)
	}
	s.begin("busy")
	s.do("POST", "/messages/busy", `{"text":"call slow"}`)
	stage.Until(t, "the tool runs", func() bool { return s.calls.Load() > 0 })
	if status, answer := s.do("POST", "/messages/busy", `{"text":"hi","idle":true}`); status != 409 || !strings.Contains(answer, `"busy"`) {
		t.Errorf("%d %s", status, answer)
	}
	close(s.hold)
}
