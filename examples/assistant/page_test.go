package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/examples/internal/line"
	"github.com/whorl-go/whorl/examples/internal/terminal"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/sqlite"
)

// A screen is what the assistant has printed so far.
type screen struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(p)
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

// await waits until a pattern is on the screen, and returns what it matches.
func (s *screen) await(t *testing.T, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for range 1000 {
		if m := re.FindStringSubmatch(s.text()); m != nil {
			return m
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no /%s/ in:\n%s", pattern, s.text())
	return nil
}

// A call that waits in the terminal can be decided on the page, and a session
// that isn't open in the terminal is gone on with by the page.
func TestDecidingOnThePage(t *testing.T) {
	home, dir, args := folders(t)
	chat(t, args, "write old.md: first") // its call waits
	offlineOnly(t)
	opts, err := parseFlags(append(args, "-inspect", "127.0.0.1:0"), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	typed, keyboard := io.Pipe()
	var s screen
	ended := make(chan error, 1)
	go func() {
		ended <- assist(t.Context(), opts, line.NewInput(typed, &s, nil), &terminal.Printer{Answer: &s, Progress: &s})
	}()
	found := s.await(t, `(http://127\.0\.0\.1:\d+/)\?token=(\w+)`)
	url, token := found[1], found[2]
	session := s.await(t, `session (\w+)`)[1]
	fmt.Fprintln(keyboard, "write new.md: second")
	s.await(t, "write_file wants to run")

	store, err := sqlite.Open(filepath.Join(home, "sessions.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for info, err := range store.List(t.Context(), memory.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		log, err := memory.Open(t.Context(), store, info.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range agent.Pending(log) {
			form := fmt.Sprintf(`{"record":%d,"call":%q,"hash":%q,"approve":true}`, p.Record, p.CallID, p.Hash)
			for _, by := range []string{"", token} { // a command of the agent itself has no token
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"api/sessions/"+info.ID+"/decisions", strings.NewReader(form))
				if err != nil {
					t.Fatal(err)
				}
				want := http.StatusUnauthorized
				if by != "" {
					want = http.StatusOK
					req.Header.Set("Authorization", "Bearer "+by)
				}
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != want {
					t.Fatalf("decision on %s: %s, want %d", info.ID, resp.Status, want)
				}
			}
		}
	}
	s.await(t, "decided elsewhere; press Enter")
	fmt.Fprintln(keyboard)
	s.await(t, `wrote 1 lines to new\.md`)
	for range 1000 {
		if content(filepath.Join(dir, "old.md")) != "" {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	keyboard.Close()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if got := content(filepath.Join(dir, "old.md")) + content(filepath.Join(dir, "new.md")); got != "first\nsecond\n" {
		t.Errorf("the files hold %q\n%s", got, s.text())
	}
	if !strings.Contains(s.text(), "session "+session) || strings.Contains(s.text(), "wrote 1 lines to old.md") {
		t.Errorf("the terminal shows:\n%s", s.text())
	}
}

// On an address that others can reach the page wants a token.
func TestPageAddress(t *testing.T) {
	tests := []struct {
		addr, want string
		public     bool
	}{
		{":8100", "127.0.0.1:8100", false},
		{"localhost:8100", "127.0.0.1:8100", false},
		{"127.0.0.1:0", "127.0.0.1:0", false},
		{"[::1]:8100", "[::1]:8100", false},
		{"0.0.0.0:8100", "0.0.0.0:8100", true},
		{"[::]:8100", "[::]:8100", true},
		{"example.com:8100", "example.com:8100", true},
	}
	for _, tt := range tests {
		if got, public, err := pageAddress(tt.addr); got != tt.want || public != tt.public || err != nil {
			t.Errorf("%s: %s, public %t, %v", tt.addr, got, public, err)
		}
	}
	if _, _, err := pageAddress("8100"); err == nil {
		t.Error("8100 is taken for an address")
	}
}
