package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/examples/internal/service"
)

// A table is booked: the place is asked for, and the booking approved.
func TestATableIsBooked(t *testing.T) {
	for _, name := range service.Variables {
		t.Setenv(name, "")
	}
	conn, err := service.Connect(offline{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	st, err := open(t.Context(), filepath.Join(t.TempDir(), "chat.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	h, err := handler(conn, st, 5)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h.site)
	defer server.Close()
	defer h.agent.Close(t.Context())
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	post := func(path, body string) {
		resp, err := client.Post(server.URL+"/agent"+path, "application/json", strings.NewReader(body))
		if err != nil || resp.StatusCode > 299 {
			t.Fatalf("%s: %v %+v", path, err, resp)
		}
		resp.Body.Close()
	}
	page, err := client.Get(server.URL + "/")
	if err != nil || page.StatusCode != 200 || !strings.Contains(page.Header.Get("Content-Security-Policy"), "default-src 'self'") {
		t.Fatalf("%v %+v", err, page)
	}
	post("/messages/s", `{"text":"Book a table for two"}`)
	events, err := client.Get(server.URL + "/agent/events/s")
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	answer, asked, approved := "", false, false
	for scan := bufio.NewScanner(events.Body); answer == "" && scan.Scan(); {
		data, ok := strings.CutPrefix(scan.Text(), "data: ")
		if !ok {
			continue
		}
		var e serve.Event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Fatal(err)
		}
		if len(e.Questions) > 0 && !asked {
			q, _ := json.Marshal(e.Questions[0])
			post("/answers/s", `{"question":`+string(q)+`,"value":"Chez Escargot"}`)
			asked = true
		}
		if len(e.Calls) > 0 && !approved {
			c, _ := json.Marshal(e.Calls[0])
			post("/decisions/s", `{"call":`+string(c)+`,"decision":"allow"}`)
			approved = true
		}
		if e.Kind == "response" && e.StopReason == "end_turn" {
			answer = e.Content[0].Text
		}
	}
	if !asked || !approved || !strings.Contains(answer, "booked") {
		t.Errorf("asked %v, approved %v: %q", asked, approved, answer)
	}
	for path, body := range map[string]string{"/agui": `{"threadId":"s","runId":"r","messages":[]}`, "/chat/": `{"id":"t","messages":[{"id":"m","role":"user","parts":[{"type":"text","text":"hi"}]}]}`} {
		resp, err := client.Post(server.URL+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		stream, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || !strings.Contains(string(stream), map[string]string{"/agui": "RUN_FINISHED", "/chat/": "You said"}[path]) {
			t.Errorf("%s: %v %d %s", path, err, resp.StatusCode, stream)
		}
	}
	other := &http.Client{}
	resp, err := other.Get(server.URL + "/agent/sessions/s")
	if err != nil || resp.StatusCode != 404 {
		t.Errorf("somebody else: %v %v", err, resp.StatusCode)
	}
}
