package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/examples/internal/line"
	"github.com/whorl-go/whorl/examples/internal/service"
	"github.com/whorl-go/whorl/examples/internal/terminal"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/calc"
	"github.com/whorl-go/whorl/tools/mcp"
)

// TestMain lets the test's binary stand in for the program's own server, and for one
// with tasks.
func TestMain(m *testing.M) {
	if address := os.Getenv("TASKS_ADDRESS"); address != "" {
		fmt.Fprintln(os.Stderr, serveTasks(address, os.Getenv("TASKS_FOLDER")))
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "-serve" {
		main()
		return
	}
	os.Exit(m.Run())
}

// run asks offline, and returns all that is printed.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return runTyping(t, "", args...)
}

// runTyping is run with a user who types.
func runTyping(t *testing.T, typed string, args ...string) (string, error) {
	t.Helper()
	for _, name := range service.Variables {
		t.Setenv(name, "")
	}
	opts, err := parseFlags(args, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = ask(t.Context(), opts, line.NewInput(strings.NewReader(typed), &out, nil), &terminal.Printer{Answer: &out, Progress: &out})
	return out.String(), err
}

func wants(t *testing.T, out string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(out, p) {
			t.Errorf("no %q in:\n%s", p, out)
		}
	}
}

func TestOwnServer(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("The demo is on Friday at three. Ann brings the projector.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := run(t, "-dir", dir, "When is the demo?")
	if err != nil {
		t.Fatal(err)
	}
	wants(t, out, "  server_search_words\n", "✓ server_read_file(", "The demo is on Friday at three", "notes.txt:1")

	out, err = run(t, "-dir", dir, "What is 9007199254740993 * 10?")
	if err != nil {
		t.Fatal(err)
	}
	wants(t, out, "✓ server_calculate(", "90071992547409930")
}

func TestServerOverHTTP(t *testing.T) {
	server, err := mcp.Serve("sums", "1", tools.Tool(calc.New(calc.Options{})))
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, nil))
	defer web.Close()
	out, err := runTyping(t, "yes\n", "-http", web.URL, "What is 7 * (3 + 4)?")
	if err != nil {
		t.Fatal(err)
	}
	wants(t, out, "run it, yes or no? yes", "✓ server_calculate(", "49")

	out, err = runTyping(t, "no\n", "-http", web.URL, "What is 7 * (3 + 4)?")
	if err != nil {
		t.Fatal(err)
	}
	wants(t, out, "✗ server_calculate(", "the user said no")

	if _, err = run(t, "-http", web.URL, "What is 7 * (3 + 4)?"); !errors.Is(err, io.EOF) {
		t.Errorf("nobody there to ask: %v", err)
	}
}

func TestServerThatIsNotThere(t *testing.T) {
	if _, err := run(t, "-server", "no-such-program --at-all", "What?"); err == nil || !strings.Contains(err.Error(), "can't be reached") {
		t.Errorf("error: %v", err)
	}
	if _, err := parseFlags([]string{"-dir", "."}, t.Output()); err == nil {
		t.Error("no question, and no error")
	}
}

// The server is one that the official client can use, and keeps to its folder.
func TestServedToAnotherClient(t *testing.T) {
	near, far := sdk.NewInMemoryTransports()
	done := make(chan error, 1)
	go func() { done <- serve(t.Context(), t.TempDir(), far) }()
	session, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), near, nil)
	if err != nil {
		t.Fatal(err)
	}
	result, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "read_file", Arguments: map[string]any{"path": "../../etc/passwd"}})
	if err != nil {
		t.Fatal(err)
	}
	if text := result.Content[0].(*sdk.TextContent).Text; !result.IsError || strings.Contains(text, "root:") {
		t.Errorf("outside of the folder: %s", text)
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}
	<-done
}
