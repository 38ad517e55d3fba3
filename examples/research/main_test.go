package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/whorl-go/whorl/examples/internal/terminal"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/simulator"
)

func TestMain(m *testing.M) {
	// The tests run offline whatever the environment says.
	for _, name := range []string{"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "COMETAPI_KEY"} {
		os.Unsetenv(name)
	}
	cache, err := os.MkdirTemp("", "research")
	if err != nil {
		panic(err)
	}
	os.Setenv("XDG_CACHE_HOME", cache)
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(cache)
		os.Exit(code)
	}))
}

// ask runs the program and returns its answer and its progress.
func ask(t *testing.T, args ...string) (answer, progress string, err error) {
	t.Helper()
	opts, err := parseFlags(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out, log bytes.Buffer
	err = research(context.Background(), opts, &out, &terminal.Printer{Answer: &out, Progress: &log})
	return out.String(), log.String(), err
}

func TestAnswersFromAFolder(t *testing.T) {
	answer, progress, err := ask(t, "-dir", "testdata/snails", "When does a shell stop growing?")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(answer, "A shell stops growing when it has maxWhorls whorls, or when the snail is starved. (whorl.go:14-15)") {
		t.Errorf("answer:\n%s", answer)
	}
	if n := checkPlaces(t, "testdata/snails", answer); n < 2 {
		t.Errorf("%d statements with a place in:\n%s", n, answer)
	}
	for _, part := range []string{"running offline", "step 1\n", "search_corpus(", "read_lines(", "% read from cache", "would have cost $"} {
		if !strings.Contains(progress, part) {
			t.Errorf("progress lacks %q:\n%s", part, progress)
		}
	}

	other, _, err := ask(t, "-dir", "testdata/snails", "Why do snails avoid coffee?")
	if err != nil || !strings.Contains(other, "because caffeine poisons them. (README.md:8-9)") {
		t.Errorf("%v, answer:\n%s", err, other)
	}
	checkPlaces(t, "testdata/snails", other)
}

func TestFlags(t *testing.T) {
	o, err := parseFlags([]string{"Is it?", "-dir", "docs", "-json"}, io.Discard)
	if err != nil || o.question != "Is it?" || o.dir != "docs" || !o.json {
		t.Errorf("%+v, %v", o, err)
	}
	var help bytes.Buffer
	if _, err := parseFlags([]string{"-h"}, &help); !errors.Is(err, flag.ErrHelp) || !strings.Contains(help.String(), "-dir folder\n") {
		t.Errorf("%v\n%s", err, help.String())
	}
	_, _, err = ask(t, "-dir", "testdata/snails", "-model", "opus-5.5", "When does a shell stop growing?")
	if err == nil || !strings.Contains(err.Error(), "did you mean the model claude-opus-5-5?") {
		t.Errorf("a model's id that nobody knows: %v", err)
	}
}

func TestSaysWhatItCantFind(t *testing.T) {
	for _, question := range []string{"What is the capital of France?", "How does the flux capacitor work?"} {
		answer, _, err := ask(t, "-dir", "testdata/snails", question)
		if err != nil || !strings.HasPrefix(answer, "Not found") {
			t.Errorf("%s: %v, %s", question, err, answer)
		}
	}
}

// The questions are answered from the standard library's own source.
func TestAnswersFromTheStandardLibrary(t *testing.T) {
	if testing.Short() {
		t.Skip("reads a large folder")
	}
	root, err := goRoot()
	if err != nil {
		t.Skip(err)
	}
	dir := filepath.Join(root, "src", "net", "http")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the source of the standard library is not here")
	}
	for question, words := range map[string]string{
		"How does it decide whether to retry a request?": "Transport only retries a request upon encountering a network error",
		"What is the default maximum size of headers?":   "DefaultMaxHeaderBytes is the maximum permitted size of the headers in an HTTP request.",
	} {
		answer, _, err := ask(t, "-dir", dir, question)
		if err != nil || !strings.Contains(answer, words) {
			t.Errorf("%s: %v\n%s", question, err, answer)
		}
		if n := checkPlaces(t, dir, answer); n == 0 {
			t.Errorf("%s: no statement with a place", question)
		}
	}
	if answer, _, err := ask(t, "-dir", dir, "What is the capital of France?"); err != nil || !strings.HasPrefix(answer, "Not found") {
		t.Errorf("%v, %s", err, answer)
	}
}

var (
	statement = regexp.MustCompile(`(?m)^- (.*) \(([^\s()]+):(\d+)(?:-(\d+))?\)$`)
	listing   = regexp.MustCompile("(?m)^  ([^\\s()]+):(\\d+)-(\\d+)\n```\n((?s:.*?))```$")
	marks     = regexp.MustCompile(`(?m)^\s*(?://+|/\*+|\*/|\*|#)?\s?`)
)

// checkPlaces checks that each statement of an answer stands at its place, word
// for word, apart from line ends and comment marks. It returns how many there are.
func checkPlaces(t *testing.T, dir, answer string) int {
	t.Helper()
	n := 0
	read := func(name, from, to string) []string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			return nil
		}
		lines := strings.Split(string(data), "\n")
		first, _ := strconv.Atoi(from)
		last, err := strconv.Atoi(to)
		if err != nil {
			last = first
		}
		if first < 1 || last > len(lines) || first > last {
			t.Errorf("there are no lines %s-%s in %s", from, to, name)
			return nil
		}
		return lines[first-1 : last]
	}
	plain := func(s string) string { return strings.Join(strings.Fields(marks.ReplaceAllString(s, "")), " ") }
	for _, m := range statement.FindAllStringSubmatch(answer, -1) {
		n++
		if at := plain(strings.Join(read(m[2], m[3], m[4]), "\n")); !strings.Contains(at, plain(m[1])) {
			t.Errorf("%s:%s holds\n\t%s\nnot\n\t%s", m[2], m[3], at, m[1])
		}
	}
	for _, m := range listing.FindAllStringSubmatch(answer, -1) {
		n++
		if at := strings.Join(read(m[1], m[2], m[3]), "\n") + "\n"; at != m[4] {
			t.Errorf("%s:%s holds\n%s\nnot\n%s", m[1], m[2], at, m[4])
		}
	}
	return n
}

func TestCalculate(t *testing.T) {
	for expression, want := range map[string]string{
		"17*23": "391", "7/2": "3.5", "(1+2)*-3": "-9", "10 % 4": "2", "2*": "", "1/0": "", "-f(2)": "", "1e999999999": "", `"a"+"b"`: "", "1.5 % 1": "",
		"123456789012345678901234567890 + 1": "123456789012345678901234567891",
	} {
		got, err := calculate(t.Context(), calculateInput{expression})
		if (err != nil) != (want == "") || err == nil && got != expression+" = "+want {
			t.Errorf("%s: %q, %v; want %q", expression, got, err, want)
		}
	}
	answer, _, err := ask(t, "-dir", "testdata/snails", "How much is (17 + 5) * 3?")
	if err != nil || !strings.Contains(answer, "(17 + 5) * 3 = 66") {
		t.Errorf("%v, %s", err, answer)
	}
}

func TestWebCitesPages(t *testing.T) {
	answer, progress, err := ask(t, "-web", "-pages", "testdata/snails", "Why do snails avoid coffee grounds?")
	if err != nil || !strings.Contains(answer, "because caffeine poisons them. [Snails]") {
		t.Errorf("%v, answer:\n%s", err, answer)
	}
	for _, part := range []string{"web_search(", "web_fetch("} {
		if !strings.Contains(progress, part) {
			t.Errorf("progress lacks %q:\n%s", part, progress)
		}
	}
}

func TestJSONLines(t *testing.T) {
	out, progress, err := ask(t, "-json", "-dir", "testdata/snails", "What is a whorl?")
	if err != nil || progress != "" {
		t.Fatalf("%v; progress %q", err, progress)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	types := map[string]int{}
	for _, l := range lines {
		if !json.Valid([]byte(l)) {
			t.Fatalf("not JSON: %s", l)
		}
		types[rawjson.GetString([]byte(l), "type")]++
	}
	if types["step"] < 3 || types["tool_end"] < 2 || types["tool_end"] != types["tool_start"] || types["result"] != 1 {
		t.Errorf("lines by type: %v", types)
	}
	last := []byte(lines[len(lines)-1])
	if !strings.Contains(rawjson.GetString(last, "text"), "A Whorl is one turn of a shell.") || string(rawjson.Get(last, "simulated")) != "true" {
		t.Errorf("result: %s", last)
	}
}

// A run that is interrupted at any moment ends at once, with what there is and
// with messages that the service takes.
func TestInterrupt(t *testing.T) {
	opts, err := parseFlags([]string{"-json", "-dir", "testdata/snails", "When does a shell stop growing?"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for events := 1; ; events += 7 {
		ctx, cancel := context.WithCancel(context.Background())
		var out bytes.Buffer
		w := &countingWriter{w: &out, after: events, then: cancel}
		started := time.Now()
		err := research(ctx, opts, w, &terminal.Printer{Answer: io.Discard, Progress: io.Discard})
		cancel()
		if w.n < events {
			break // the run was over before
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("after %d events: %v", events, err)
		}
		if took := time.Since(started); took > 20*time.Second {
			t.Errorf("after %d events: it took %v", events, took)
		}
		lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
		checkMessages(t, fmt.Sprintf("after %d events", events), rawjson.Get(lines[len(lines)-1], "messages"))
	}
}

// checkMessages fails for messages that the service would refuse, but for calls of the
// last one that have no result yet.
func checkMessages(t *testing.T, when string, raw []byte) {
	t.Helper()
	var messages []transport.Message
	for e := range rawjson.Elements(raw) {
		var m transport.Message
		if err := m.UnmarshalJSON(e); err != nil {
			t.Fatal(err)
		}
		messages = append(messages, m)
	}
	open := map[string]bool{}
	for i, m := range messages {
		for _, b := range m.Content {
			switch b.Type() {
			case transport.TypeToolUse:
				open[rawjson.GetString(b.Raw(), "id")] = true
			case transport.TypeToolResult:
				id := rawjson.GetString(b.Raw(), "tool_use_id")
				if !open[id] {
					t.Errorf("%s: message %d answers %s, which is not open", when, i, id)
				}
				delete(open, id)
			}
		}
		if m.Role == transport.RoleUser && len(open) > 0 {
			t.Errorf("%s: message %d leaves %d calls open", when, i, len(open))
		}
	}
	// Calls that only read and were cut off stay open for the next run, which makes them
	// again.
	if len(messages) == 0 || len(open) > 0 && messages[len(messages)-1].Role != transport.RoleAssistant {
		t.Errorf("%s: %d messages, %d calls open at the end", when, len(messages), len(open))
	}
}

type countingWriter struct {
	w     io.Writer
	n     int
	after int
	then  func()
}

func (c *countingWriter) Write(p []byte) (int, error) {
	if c.n++; c.n == c.after {
		c.then()
	}
	return c.w.Write(p)
}

func TestErrorsSayWhatToDo(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{APIKey: "right"})
	for _, c := range []struct {
		name string
		key  string // for the simulator; offline if empty
		args []string
		want []string
	}{
		{"no such folder", "", []string{"-dir", "testdata/nowhere", "q?"}, []string{"testdata/nowhere", "does not exist"}},
		{"a file for a folder", "", []string{"-dir", "main.go", "q?"}, []string{"main.go", "not a folder"}},
		{"no such pages", "", []string{"-web", "-pages", "testdata/nowhere", "q?"}, []string{"testdata/nowhere", "-pages"}},
		{"unknown model", "", []string{"-model", "claude-nonesuch", "-dir", "testdata/snails", "q?"}, []string{"claude-nonesuch", "-model"}},
		{"steps", "", []string{"-max-steps", "1", "-dir", "testdata/snails", "What is a whorl?"}, []string{"limit", "-max-steps"}},
		{"wrong key", "wrong", []string{"-dir", "testdata/snails", "q?"}, []string{"401", "ANTHROPIC_API_KEY"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.key != "" {
				t.Setenv("ANTHROPIC_API_KEY", c.key)
				t.Setenv("ANTHROPIC_BASE_URL", sim.URL())
			}
			_, _, err := ask(t, c.args...)
			if err == nil {
				t.Fatal("no error")
			}
			said := explain(err, "claude-nonesuch")
			for _, want := range c.want {
				if !strings.Contains(said, want) {
					t.Errorf("%q lacks %q", said, want)
				}
			}
			if c.key != "" && strings.Contains(said, c.key) {
				t.Errorf("%q holds the key", said)
			}
		})
	}
	if _, err := parseFlags(nil, io.Discard); err == nil || !strings.Contains(err.Error(), "question") {
		t.Errorf("no question: %v", err)
	}
}
