package comingfrom

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/whorl-go/whorl/transport/simulator"
)

// times is how often each library does the task: some differ from time to time.
const times = 5

// An outcome is what came of the task with one library, by what it sent.
type outcome struct {
	library  string
	answered string // questions
	thinking string // blocks in the last request, of those that had come in its conversation
	marks    string // requests with a cache_control
	tools    bool   // whether all requests had the same bytes for the tools, which are what a prompt begins with
	isError  bool   // whether the tool's error came marked as one
	refused  string // the first refusal's words
}

// TestWire does the task with each library and compares what came of it with
// testdata/wire.txt, which docs/coming-from.md shows.
func TestWire(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	libraries := []string{"whorl"}
	peers := os.Getenv("WHORL_PEERS")
	all := peers == "1"
	if all {
		libraries = append(libraries, "anthropicsdk", "anthropicsdk whole", "fantasy", "genkit", "langchaingo", "aisdk", "pydanticai")
	} else if peers != "" {
		libraries = append(libraries, strings.Split(peers, ",")...)
	}
	want, err := os.ReadFile("testdata/wire.txt")
	if err != nil {
		t.Fatal(err)
	}
	got := header
	for _, library := range libraries {
		folder, whole, _ := strings.Cut(library, " ")
		p, err := install(t, folder)
		if missing, is := errors.AsType[*missingError](err); is {
			t.Logf("%s is not run: %v", library, missing)
			got += told(string(want), library)
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", library, err)
		}
		if whole != "" {
			p.env = append(p.env, "DISABLE_THREAD=1")
		}
		line := try(t, library, p).String()
		got += line
		if !strings.Contains(string(want), line) {
			t.Errorf("testdata/wire.txt says otherwise of %s, which did:\n%s", library, line)
		}
	}
	if all && os.Getenv("WHORL_UPDATE") != "" {
		if err := os.WriteFile("testdata/wire.txt", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("\n%s", got)
}

const header = "                   questions  thinking   requests    same bytes  tool error\n" +
	"                   answered   sent back  with marks  for tools   is_error\n"

func (o outcome) String() string {
	yes := map[bool]string{true: "yes", false: "no"}
	line := fmt.Sprintf("%-18s %-10s %-10s %-11s %-11s %s", o.library, o.answered, o.thinking, o.marks, yes[o.tools], yes[o.isError])
	if o.refused != "" {
		line += "\n    refused: " + o.refused
	}
	return line + "\n"
}

// told returns what a table says of a library.
func told(table, library string) string {
	said := ""
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, fmt.Sprintf("%-18s ", library)) || said != "" && strings.HasPrefix(line, "    refused: ") {
			said += line
		} else if said != "" {
			break
		}
	}
	return said
}

// try does the task some times; each question is asked by a process of its own.
func try(t *testing.T, library string, p program) outcome {
	t.Helper()
	dir := t.TempDir()
	guide := filepath.Join(dir, "guide")
	if err := os.WriteFile(guide, []byte(strings.Repeat("Answer in one sentence, and look the weather up first. ", 200)), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &wire{toolBytes: map[string]bool{}}
	w.next = simulator.New(simulator.Options{Model: simulator.ModelFunc(reply), Observe: w.observe})
	srv := httptest.NewServer(w)
	answered := 0
	for i := range times {
		w.begin()
		for _, question := range []string{"Do I need an umbrella in Lisbon?", "And tomorrow?"} {
			args := append(slices.Clone(p.args[1:]), guide, filepath.Join(dir, fmt.Sprint("conversation", i)), question)
			run := exec.Command(p.args[0], args...)
			run.Env = append(os.Environ(), "ANTHROPIC_BASE_URL="+srv.URL+p.path, "ANTHROPIC_API_KEY=none")
			run.Env = append(run.Env, p.env...)
			out, err := run.CombinedOutput()
			if err == nil && strings.Contains(string(out), "umbrella") {
				answered++
			} else if i == 0 {
				t.Logf("%s: %v\n%s", library, err, out)
			}
		}
	}
	srv.Close() // when all has been observed
	o := outcome{
		library:  library,
		answered: fmt.Sprint(answered, " of ", 2*times),
		thinking: "off",
		marks:    fmt.Sprint(w.marked, " of ", w.requests),
		tools:    len(w.toolBytes) == 1,
		isError:  w.isError,
		refused:  w.refused,
	}
	if w.came > 0 {
		o.thinking = fmt.Sprint(w.sentBack, " of ", w.due)
	}
	return o
}

// reply is the model: it thinks, gets the city's name wrong, reads the error, gets
// it right, and answers; the second question it answers at once.
func reply(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
	said := turn.LastUserText()
	last := string(turn.Messages[len(turn.Messages)-1].Content[0].Raw())
	var r simulator.Reply
	switch {
	case strings.Contains(last, "English name"):
		r = simulator.Do(simulator.Thinking("It wants the English name."), simulator.Call("weather", map[string]any{"city": "Lisbon"}))
	case strings.Contains(last, "light rain"):
		r = simulator.Do(simulator.Thinking("It rains."), simulator.Text("Take an umbrella."))
	case strings.Contains(said, "tomorrow"):
		r = simulator.Do(simulator.Thinking("Only today is known."), simulator.Text("I only know today's weather: take the umbrella."))
	default:
		r = simulator.Do(simulator.Thinking("I look it up."), simulator.Call("weather", map[string]any{"city": "Lissabon"}))
	}
	if !turn.Thinking {
		r.Content = r.Content[1:]
	}
	return &r, nil
}

// wire looks at what is sent on its way to next.
type wire struct {
	next http.Handler

	mu               sync.Mutex
	requests, marked int
	toolBytes        map[string]bool // of the tools, without marks
	isError          bool
	refused          string
	came             int // thinking blocks in this conversation
	due, sentBack    int // of them before the last request, and in it
}

var mark = regexp.MustCompile(`,?"cache_control":\{[^}]*\}`)

func (w *wire) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.came = 0
}

func (w *wire) observe(ex simulator.Exchange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range ex.Content {
		if b.Type() == "thinking" {
			w.came++
		}
	}
	if ex.Refusal != nil && w.refused == "" {
		w.refused = fmt.Sprint(ex.Refusal)
	}
}

func (w *wire) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	var sent struct {
		Tools    json.RawMessage
		Messages []struct {
			Content []struct {
				Type    string
				IsError bool `json:"is_error"`
			}
		}
	}
	if err := json.Unmarshal(body, &sent); err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	w.mu.Lock()
	w.requests++
	if bytes.Contains(body, []byte(`"cache_control"`)) {
		w.marked++
	}
	if len(sent.Tools) > 0 { // a message thread holds them
		w.toolBytes[string(mark.ReplaceAll(sent.Tools, nil))] = true
	}
	w.due, w.sentBack = w.came, 0
	for _, m := range sent.Messages {
		for _, b := range m.Content {
			w.isError = w.isError || b.IsError
			if b.Type == "thinking" {
				w.sentBack++
			}
		}
	}
	w.mu.Unlock()
	req.Body = io.NopCloser(bytes.NewReader(body))
	w.next.ServeHTTP(rw, req)
}
