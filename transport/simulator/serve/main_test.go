package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic/cassette"
	"github.com/whorl-go/whorl/transport/simulator"
)

func TestModelFor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "replies.json")
	if err := os.WriteFile(file, []byte(`[{"content":[{"type":"text","text":"hi"}]}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"chatty", "echo", "loop:3x2", file} {
		if m, err := modelFor(name); err != nil || m == nil {
			t.Errorf("%s: %v %v", name, m, err)
		}
	}
	for _, name := range []string{"loop:x", "no-such-file.json", "main_test.go"} {
		if _, err := modelFor(name); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestLine(t *testing.T) {
	ex := simulator.Exchange{Start: time.Unix(0, 0), Method: "POST", Path: "/v1/messages", Status: 200, Model: "claude-opus-5", Stream: true, Messages: 3,
		Usage: transport.Usage{InputTokens: 1, CacheReadInputTokens: 2, CacheCreationInputTokens: 3, OutputTokens: 4}, StopReason: "end_turn", Cost: 0.5}
	got := line(ex)
	for _, part := range []string{"POST /v1/messages 200 claude-opus-5 stream, 3 messages -> end_turn", "1 new, 2 read, 3 written, 4 out", "$0.500000", "cache: hit, extended"} {
		if !strings.Contains(got, part) {
			t.Errorf("no %q in %q", part, got)
		}
	}
	ex.Refusal = simulator.Overloaded()
	if got := line(ex); !strings.Contains(got, "overloaded_error: Overloaded") {
		t.Error(got)
	}
}

func TestRecordWritesCassettes(t *testing.T) {
	dir := t.TempDir()
	rec, err := newRecorder(dir, simulator.New(simulator.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(rec)
	defer server.Close()
	ask := func(client *http.Client, url string) string {
		req, _ := http.NewRequest("POST", url+"/v1/messages", strings.NewReader(`{"model":"claude-opus-5","max_tokens":100,"messages":[{"role":"user","content":"hello"}]}`))
		req.Header.Set("x-api-key", "sk-ant-a-key-of-some-length")
		req.Header.Set("anthropic-version", "2023-06-01")
		req.Header.Set("content-type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		raw, _ := io.ReadAll(resp.Body)
		return string(raw)
	}
	if got := ask(server.Client(), server.URL); !strings.Contains(got, "You said: hello") {
		t.Fatal(got)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.json"))
	if len(files) != 1 {
		t.Fatalf("files: %v", files)
	}
	c, err := cassette.New(files[0], cassette.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(c.HTTPClient(), server.URL); !strings.Contains(got, "You said: hello") || c.Left() != 0 {
		t.Errorf("replayed: %s, %d left", got, c.Left())
	}
}

func TestBadFlags(t *testing.T) {
	for want, args := range map[string][]string{
		"not a flag":                   {"chatty"},
		"must be between 0 and 1":      {"-faults", "5"},
		"-model gpt":                   {"-model", "gpt"},
		"-platform mars":               {"-platform", "mars"},
		"must be like loop:50x1":       {"-model", "loop:x"},
		"-pages no/such: not a folder": {"-pages", "no/such"},
	} {
		if err := run(args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", args, err)
		}
	}
}

func TestFrontPage(t *testing.T) {
	h := withFrontPage(simulator.New(simulator.Options{}))
	for path, want := range map[string]int{"/": 200, "/v1/models": 401, "/other": 401} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
