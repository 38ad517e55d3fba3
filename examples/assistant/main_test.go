package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/examples/internal/line"
	"github.com/whorl-go/whorl/examples/internal/service"
	"github.com/whorl-go/whorl/examples/internal/terminal"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/sqlite"
)

// TestMain lets the test's binary stand in for the program.
func TestMain(m *testing.M) {
	if os.Getenv("ASSISTANT_CHILD") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// offlineOnly takes the keys out of the environment.
func offlineOnly(t *testing.T) {
	for _, name := range service.Variables {
		t.Setenv(name, "")
	}
}

// chat runs the assistant on lines of input and returns all that it prints.
func chat(t *testing.T, args []string, lines ...string) string {
	t.Helper()
	offlineOnly(t)
	opts, err := parseFlags(args, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	show := &terminal.Printer{Answer: &out, Progress: &out}
	in := line.NewInput(strings.NewReader(strings.Join(lines, "\n")), &out, nil)
	if err := assist(context.Background(), opts, in, show); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func folders(t *testing.T) (home, dir string, args []string) {
	home, dir = t.TempDir(), t.TempDir()
	return home, dir, []string{"-home", home, "-dir", dir}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// content is a file's, or "" if there is none.
func content(path string) string {
	data, _ := os.ReadFile(path)
	return string(data)
}

func wants(t *testing.T, out string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(out, p) {
			t.Errorf("no %q in:\n%s", p, out)
		}
	}
}

func TestApprovals(t *testing.T) {
	tests := []struct {
		name   string
		args   []string
		lines  []string
		file   string // what plan.md holds then
		prints string
	}{
		{"yes", nil, []string{"write plan.md: buy milk", "yes"}, "buy milk\n", "wrote 1 lines to plan.md"},
		{"no", nil, []string{"write plan.md: buy milk", "n not today"}, "", "This call was not permitted: not today"},
		{"edit", nil, []string{"write plan.md: buy milk", "e", `{"path":"plan.md","text":"buy oats\n"}`, "yes"}, "buy oats\n", "wrote 1 lines"},
		{"edit, see it, and say no", nil, []string{"write plan.md: buy milk", "e", `{"path":"plan.md","text":"buy oats\n"}`, "no"}, "", "    text: buy oats\n"},
		{"edit twice", nil, []string{"write plan.md: buy milk", "e", `{"path":"plan.md","text":"buy oats\n"}`, "e", `{"path":"plan.md","text":"buy rye\n"}`, "y"}, "buy rye\n", "wrote 1 lines"},
		{"edit alone runs nothing", nil, []string{"write plan.md: buy milk", "e", `{"path":"plan.md","text":"buy oats\n"}`}, "", "the call waits"},
		{"no with a reason", nil, []string{"write plan.md: buy milk", "No, it is too late"}, "", "This call was not permitted: it is too late"},
		{"edit badly, then no", nil, []string{"write plan.md: buy milk", "e", `[1]`, "no"}, "", "not a JSON object"},
		{"what?", nil, []string{"write plan.md: buy milk", "perhaps", "y"}, "buy milk\n", "answer yes; no, and why"},
		{"always", nil, []string{"write plan.md: one", "always", "write plan.md: two"}, "two\n", "always for write_file"},
		{"trust", []string{"-policy", "trust"}, []string{"write plan.md: buy milk"}, "buy milk\n", "wrote 1 lines"},
		{"look", []string{"-policy", "look"}, []string{"write plan.md: buy milk"}, "", "you may only look here"},
		{"allow", []string{"-allow", `tool == "write_file" && args.path endsWith ".md"`}, []string{"write plan.md: buy milk"}, "buy milk\n", "wrote 1 lines"},
		{"deny wins", []string{"-policy", "trust", "-deny", `tool == "write_file"`}, []string{"write plan.md: buy milk"}, "", "the user's rules forbid this call"},
		{"by command", nil, []string{"/policy look", "write plan.md: buy milk", "/policy ask", "write plan.md: buy oats", "y"}, "buy oats\n", "you may only look here"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, dir, args := folders(t)
			out := chat(t, append(args, tt.args...), tt.lines...)
			wants(t, out, tt.prints)
			if got := content(filepath.Join(dir, "plan.md")); got != tt.file {
				t.Errorf("plan.md holds %q, want %q\n%s", got, tt.file, out)
			}
		})
	}
}

// The input ends while a call waits, and another process goes on.
func TestApprovalInAnotherProcess(t *testing.T) {
	home, dir, args := folders(t)
	first := chat(t, args, "write plan.md: buy milk")
	wants(t, first, "write_file wants to run", "text: buy milk", "the call waits")
	if got := content(filepath.Join(dir, "plan.md")); got != "" {
		t.Fatalf("plan.md was written without approval: %q", got)
	}
	store, err := sqlite.Open(filepath.Join(home, "sessions.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	id := regexp.MustCompile(`session (\w+)`).FindStringSubmatch(first)[1]
	log, err := memory.Open(t.Context(), store, id)
	if err != nil {
		t.Fatal(err)
	}
	if p := agent.Pending(log); len(p) != 1 || p[0].Name != "write_file" {
		t.Fatalf("waiting: %v", p)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}

	child := exec.Command(os.Args[0], append(args, "-resume", id[:3])...)
	child.Env = append(os.Environ(), "ASSISTANT_CHILD=1")
	child.Stdin = strings.NewReader("y\nread plan.md\n/cost\n")
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	wants(t, string(out), "session "+id, "> write plan.md: buy milk", "wrote 1 lines to plan.md", "1\tbuy milk", "4 requests")
	if got := content(filepath.Join(dir, "plan.md")); got != "buy milk\n" {
		t.Errorf("plan.md holds %q\n%s", got, out)
	}
}

func TestSessions(t *testing.T) {
	_, _, args := folders(t)
	first := chat(t, args, "calculate 0.1 + 0.2", "/fork", "calculate 2 ** 70", "/fork 1", "/history", "/sessions", "/new", "/history", "/cost")
	wants(t, first, "0.1 + 0.2 = 0.3", "1180591620717411303424", "forked from", "0 requests")
	_, history, _ := strings.Cut(first, "> /history")
	history, _, _ = strings.Cut(history, "> /sessions")
	if strings.Contains(history, "2 ** 70") || !strings.Contains(history, "0.1 + 0.2 = 0.3") {
		t.Errorf("the fork without its last turn has the history:\n%s", history)
	}
	if second := chat(t, append(args, "-continue"), "/history"); !strings.Contains(second, "> calculate 0.1 + 0.2") {
		t.Errorf("the newest session was not gone on with:\n%s", second)
	}
	opts, err := parseFlags(append(args, "-resume", "no-such"), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	err = assist(t.Context(), opts, line.NewInput(strings.NewReader(""), t.Output(), nil), &terminal.Printer{Answer: t.Output(), Progress: t.Output()})
	if err == nil || !strings.Contains(err.Error(), `no session begins with "no-such"`) {
		t.Errorf("error: %v", err)
	}
}

// A prompt that comes in place of a decision gives the call up.
func TestGivingUpACall(t *testing.T) {
	_, dir, args := folders(t)
	chat(t, args, "write plan.md: buy milk")
	opts, err := parseFlags(append(args, "-continue", "calculate 1 + 1"), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	offlineOnly(t)
	if err := assist(t.Context(), opts, line.NewInput(strings.NewReader(""), &out, nil), &terminal.Printer{Answer: &out, Progress: &out}); err != nil {
		t.Fatal(err)
	}
	wants(t, out.String(), "1 + 1 = 2")
	if got := content(filepath.Join(dir, "plan.md")); got != "" {
		t.Errorf("plan.md was written: %q", got)
	}
}

func TestNotesOutliveSessions(t *testing.T) {
	_, _, args := folders(t)
	chat(t, args, "remember that the demo is on Friday")
	wants(t, chat(t, args, "what do you remember?", "forget demo", "recall"), "- the demo is on Friday", "Forgotten: 1 notes.", "I have no notes.")
}

func TestQuestionsAreReadFromTheFolder(t *testing.T) {
	_, dir, args := folders(t)
	write(t, filepath.Join(dir, "notes.txt"), "The demo is on Friday at three. Ann brings the projector.\n")
	wants(t, chat(t, append(args, "When is the demo?")), "The demo is on Friday at three", "notes.txt:1")
}

func TestFlagsAndCommandsThatAreWrong(t *testing.T) {
	for _, args := range [][]string{{"-policy", "hope"}, {"-continue", "-resume", "x"}, {"-nonsense"}} {
		if _, err := parseFlags(args, t.Output()); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
	_, _, args := folders(t)
	wants(t, chat(t, args, "/nonsense", "/fork 3", "/fork x", "/resume zz", "/policy hope"),
		"there is no command /nonsense", "the session has 0 turns", "invalid syntax", `no session begins with "zz"`, "there are ask, trust, look")
	opts, err := parseFlags(append(args, "-allow", "tool =="), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	err = assist(t.Context(), opts, line.NewInput(strings.NewReader(""), t.Output(), nil), &terminal.Printer{Answer: t.Output(), Progress: t.Output()})
	if err == nil || errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "-allow tool ==") {
		t.Errorf("error: %v", err)
	}
}
