package serve_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent/internal/nginxtest"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/agui"
	"github.com/whorl-go/whorl/agent/serve/internal/stage"
	"github.com/whorl-go/whorl/agent/serve/uistream"
)

// A fronted is a server behind a proxy.
type fronted struct {
	*stage.Stage
	client *http.Client
	open   atomic.Int32 // requests that the server is answering
}

// front starts a server with nginx in front; location is what the location holds beside
// proxy_pass.
func front(t *testing.T, location string, change func(*serve.Options)) *fronted {
	t.Helper()
	f := &fronted{Stage: stage.Start(t, stage.Options{Change: change})}
	f.Mux.Handle("/agui", agui.New(f.Handler, agui.Options{}))
	f.Mux.Handle("/chat/", http.StripPrefix("/chat", uistream.New(f.Handler)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.open.Add(1)
		defer f.open.Add(-1)
		f.Mux.ServeMux.ServeHTTP(w, r) // without the bound of a minute: streams are silent for longer
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	socket := nginxtest.Start(t, fmt.Sprintf("location / { proxy_pass %s; %s }", server.URL, location))
	f.client = nginxtest.Client(t, "unix", socket)
	return f
}

func (f *fronted) do(t *testing.T, method, path, body string, header ...string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, "http://site.example"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-User", "ann")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := f.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// said is a message to the session s in each of the three protocols.
func said(text string) map[string][2]string {
	return map[string][2]string{
		"serve":    {"/agent/messages/s", `{"text":"` + text + `"}`},
		"agui":     {"/agui", `{"threadId":"s","runId":"r","messages":[{"id":"m","role":"user","content":"` + text + `"}]}`},
		"uistream": {"/chat/", `{"id":"s","messages":[{"id":"m","role":"user","parts":[{"type":"text","text":"` + text + `"}]}]}`},
	}
}

// A delta is a piece of text in an event of any of the three protocols.
var delta = regexp.MustCompile(`"(?:delta|text|content)":"([^"]*)"`)

// joined is the text of a stream, whose pieces may end anywhere.
func joined(stream string) string {
	var b strings.Builder
	for _, m := range delta.FindAllStringSubmatch(stream, -1) {
		b.WriteString(m[1])
	}
	return b.String()
}

// The locations in which events must arrive as they happen.
var locations = map[string]string{
	"as it comes": "",
	"kept alive":  `proxy_http_version 1.1; proxy_set_header Connection "";`,
	"compressing": "gzip on; gzip_types text/event-stream; gzip_proxied any; gzip_min_length 1; gzip_http_version 1.0;",
	"buffering":   "proxy_buffering on; proxy_buffers 16 64k; proxy_buffer_size 64k;",
}

// Events arrive as they happen behind nginx: here the call of a tool, while the tool runs.
func TestNginxPassesEventsOn(t *testing.T) {
	for name, location := range locations {
		for protocol, say := range said("slow") {
			t.Run(name+"/"+protocol, func(t *testing.T) {
				f := front(t, location, nil)
				resp := f.do(t, "POST", say[0], say[1], "Accept", "text/event-stream")
				if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Uncompressed != (name == "compressing") {
					t.Fatalf("%d %v, compressed: %v", resp.StatusCode, resp.Header, resp.Uncompressed)
				}
				called, rest := false, ""
				scan := bufio.NewScanner(resp.Body)
				for scan.Scan() {
					if rest += scan.Text() + "\n"; !called && strings.Contains(scan.Text(), `"slow"`) {
						called = true // the tool waits for what follows
						f.Release()
					}
				}
				if !called || !strings.Contains(joined(rest), "Done with slow.") || scan.Err() != nil {
					t.Errorf("%v: %s", scan.Err(), rest)
				}
			})
		}
	}
}

// sseOf reads a stream of package serve to its first event for which f is true.
func sseOf(t *testing.T, resp *http.Response, f func(serve.Event) bool) (all []serve.Event, last string) {
	t.Helper()
	if resp.StatusCode != 200 {
		body, _ := io.ReadAll(resp.Body)
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	scan := bufio.NewScanner(resp.Body)
	for scan.Scan() {
		if id, ok := strings.CutPrefix(scan.Text(), "id: "); ok {
			last = id
		}
		if data, ok := strings.CutPrefix(scan.Text(), "data: "); ok {
			var e serve.Event
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				t.Fatal(err)
			}
			if all = append(all, e); f(e) {
				return all, last
			}
		}
	}
	t.Fatalf("the stream has ended: %v, %+v", scan.Err(), all)
	return nil, ""
}

// A client that comes back through nginx goes on behind the event that it had last.
func TestNginxResumes(t *testing.T) {
	f := front(t, "", nil)
	f.Release()
	say := said("slow")["serve"]
	idle := func(e serve.Event) bool { return e.Kind == "state" && e.State == "idle" }
	sseOf(t, f.do(t, "POST", say[0], say[1], "Accept", "text/event-stream"), func(e serve.Event) bool { return e.Kind == "end" })
	whole, _ := sseOf(t, f.do(t, "GET", "/agent/events/s", ""), idle)
	for cut := 1; cut < len(whole); cut++ {
		n := 0
		resp := f.do(t, "GET", "/agent/events/s", "")
		got, last := sseOf(t, resp, func(serve.Event) bool { n++; return n == cut })
		resp.Body.Close()
		more, _ := sseOf(t, f.do(t, "GET", "/agent/events/s", "", "Last-Event-ID", last), idle)
		if got = append(got, more...); text(got) != text(whole) || len(got) != len(whole) {
			t.Errorf("cut after %d of %d events: %q, not %q", cut, len(whole), text(got), text(whole))
		}
	}
	if resp := f.do(t, "GET", "/agent/events/s", "", "Last-Event-ID", "1.0..other"); resp.StatusCode != 410 || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}

// A session in which nothing happens keeps its connection for longer than nginx waits for
// a word of the server: with WHORL_NGINX by the defaults of both, 60 and 15 seconds.
func TestNginxWaitsInSilence(t *testing.T) {
	location, change, beats := "proxy_read_timeout 1s;", func(o *serve.Options) { o.Heartbeat = 100 * time.Millisecond }, 30
	if nginxtest.Wanted() {
		location, change, beats = "", nil, 5
	}
	for protocol, say := range said("slow") {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			f := front(t, location, change)
			resp := f.do(t, "POST", say[0], say[1], "Accept", "text/event-stream")
			scan, heard, rest := bufio.NewScanner(resp.Body), 0, ""
			for scan.Scan() {
				if rest += scan.Text() + "\n"; strings.HasPrefix(scan.Text(), ": still here") {
					if heard++; heard == beats {
						f.Release()
					}
				}
			}
			if heard < beats || scan.Err() != nil || !strings.Contains(joined(rest), "Done with slow.") {
				t.Errorf("%d heartbeats, %v: %s", heard, scan.Err(), rest)
			}
		})
	}
}

// A client that goes away leaves nothing behind at the server, and doesn't stop the run.
func TestNginxClientGoesAway(t *testing.T) {
	for protocol, say := range said("slow") {
		t.Run(protocol, func(t *testing.T) {
			f := front(t, "", nil)
			resp := f.do(t, "POST", say[0], say[1], "Accept", "text/event-stream")
			for scan := bufio.NewScanner(resp.Body); scan.Scan() && !strings.Contains(scan.Text(), `"slow"`); {
			}
			resp.Body.Close()
			for f.open.Load() > 0 { // or the test runs out of time
				time.Sleep(time.Millisecond)
			}
			f.Release()
			all, _ := sseOf(t, f.do(t, "GET", "/agent/events/s", ""), func(e serve.Event) bool { return e.Kind == "state" && e.State == "idle" })
			if !strings.Contains(text(all), "Done with slow.") || f.Ran("slow") != 1 {
				t.Errorf("%d calls: %q", f.Ran("slow"), text(all))
			}
		})
	}
}

// Behind a proxy that buffers although it is told not to, a run's stream comes whole at
// its end, and what is refused is a problem as ever. Bodies of more than a megabyte need
// a setting.
func TestNginxThatBuffers(t *testing.T) {
	f := front(t, "proxy_ignore_headers X-Accel-Buffering;", nil)
	for protocol, say := range said("hello") {
		body, err := io.ReadAll(f.do(t, "POST", say[0], say[1], "Accept", "text/event-stream").Body)
		if err != nil || !strings.Contains(joined(string(body)), "hello") {
			t.Errorf("%s: %v %s", protocol, err, body)
		}
	}
	if resp := f.do(t, "POST", "/agent/messages/s", `{"text":3}`); resp.StatusCode != 400 || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	big := `{"text":"` + strings.Repeat("word ", 400_000) + `"}`
	if resp := f.do(t, "POST", "/agent/messages/s", big); resp.StatusCode != 413 {
		t.Errorf("%d", resp.StatusCode)
	}
	f = front(t, "client_max_body_size 24m;", nil)
	if resp := f.do(t, "POST", "/agent/messages/s", big); resp.StatusCode != 202 || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}
