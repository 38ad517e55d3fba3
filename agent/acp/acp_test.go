package acp_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/coder/acp-go-sdk"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/acp"
	"github.com/whorl-go/whorl/agent/acp/internal/stage"
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport/simulator"
)

var quiet = slog.New(slog.DiscardHandler)

func TestPrompt(t *testing.T) {
	e, _ := begin(t)
	res := e.prompt("think", sdk.StopReasonEndTurn)
	if got := e.text(); got != "I have thought." {
		t.Errorf("text: %q", got)
	}
	if all := e.all(); !strings.Contains(all, "agent_thought_chunk") || !strings.Contains(all, `"currency":"USD"`) {
		t.Errorf("no thoughts, or no cost: %s", all)
	}
	if res.Usage == nil || res.Usage.OutputTokens == 0 || res.Usage.TotalTokens < res.Usage.OutputTokens {
		t.Errorf("usage: %+v", res.Usage)
	}
	e.prompt("hello", sdk.StopReasonEndTurn)
	if got := e.text(); got != "I have thought.You said: hello" {
		t.Errorf("text: %q", got)
	}
}

func TestStopReasons(t *testing.T) {
	e, s := begin(t)
	e.prompt("cut", sdk.StopReasonMaxTokens)
	e.prompt("refuse", sdk.StopReasonRefusal)
	_, err := e.say(sdk.TextBlock("fail"))
	if kind := kindOf(t, err); kind != "failed" || !strings.Contains(err.Error(), "the model has had enough") {
		t.Errorf("%s: %v", kind, err)
	}
	// A limit ends a turn, and "/continue" goes on once it is higher.
	s.Limit(agent.Limits{Steps: 1})
	e.prompt("plan", sdk.StopReasonMaxTurnRequests)
	if !strings.Contains(e.all(), `"availableCommands":[{`) {
		t.Errorf("no command to go on: %s", e.all())
	}
	s.Limit(agent.Limits{Steps: 5})
	e.prompt("/"+acp.Continue, sdk.StopReasonEndTurn)
	if got := e.text(); !strings.Contains(got, "Done with todo") {
		t.Errorf("text: %q", got)
	}
}

func TestNothingToContinue(t *testing.T) {
	e, _ := begin(t)
	_, err := e.say(sdk.TextBlock("/" + acp.Continue))
	if kind := kindOf(t, err); kind != "bad_message" {
		t.Errorf("%s: %v", kind, err)
	}
}

func TestPermission(t *testing.T) {
	for _, tt := range []struct {
		choose string
		ran    int
		want   []sdk.ToolCallStatus
	}{
		{"allow", 1, []sdk.ToolCallStatus{"pending", "in_progress", "completed"}},
		{"deny", 0, []sdk.ToolCallStatus{"pending", "failed"}},
	} {
		t.Run(tt.choose, func(t *testing.T) {
			e, s := begin(t)
			e.choose = always(tt.choose)
			e.prompt("book", sdk.StopReasonEndTurn)
			if len(e.asked) != 1 || *e.asked[0].ToolCall.Title != "book" || len(e.asked[0].Options) != 4 {
				t.Errorf("asked: %+v", e.asked)
			}
			if s.Ran("book") != tt.ran || !slices.Equal(e.status("book"), tt.want) {
				t.Errorf("ran %d times, status %v", s.Ran("book"), e.status("book"))
			}
			if tt.ran == 0 && !strings.Contains(e.text(), "The user has refused the call.") {
				t.Errorf("the model doesn't know: %s", e.text())
			}
		})
	}
}

// What panics in Options.Run, or gives no agent, fails one prompt.
func TestRunThatPanics(t *testing.T) {
	s := newStage(t)
	o := options(t, s, new(memory.RAM))
	run, how := o.Run, 0
	o.Run = func(ctx context.Context, v *acp.Session) (*agent.Agent, agent.Input, error) {
		switch how++; how {
		case 1:
			panic("oh")
		case 2:
			return nil, agent.Input{}, nil
		}
		return run(ctx, v)
	}
	e := start(t, o, everything)
	e.begin()
	for range 2 {
		if _, err := e.say(sdk.TextBlock("hello")); kindOf(t, err) != "failed" {
			t.Errorf("%v", err)
		}
	}
	e.prompt("hello", sdk.StopReasonEndTurn)
}

// A call that a tool makes is asked for as one of the model's is.
func TestPermissionOfAToolsCall(t *testing.T) {
	for choose, ran := range map[string]int{"allow": 1, "allow_always": 1, "deny": 0} {
		t.Run(choose, func(t *testing.T) {
			e, s := begin(t)
			e.choose = always(choose)
			e.prompt("agency", sdk.StopReasonEndTurn)
			if len(e.asked) != 1 || !strings.HasPrefix(*e.asked[0].ToolCall.Title, "book") || len(e.asked[0].Options) != 4 {
				t.Fatalf("asked: %+v, told %s", e.asked, e.text())
			}
			if s.Ran("book") != ran {
				t.Errorf("ran %d times", s.Ran("book"))
			}
			if way := e.status("agency"); len(way) == 0 || way[len(way)-1] != sdk.ToolCallStatusCompleted {
				t.Errorf("status %v", way)
			}
		})
	}
}

func TestPermissionForGood(t *testing.T) {
	for choose, ran := range map[string]int{"allow": 2, "allow_always": 2, "deny_always": 0} {
		t.Run(choose, func(t *testing.T) {
			e, s := begin(t)
			e.choose = always(choose)
			e.prompt("twice", sdk.StopReasonEndTurn)
			want := 1
			if choose == "allow" {
				want = 2
			}
			if s.Ran("book") != ran || len(e.asked) != want {
				t.Errorf("ran %d times, asked %d times", s.Ran("book"), len(e.asked))
			}
		})
	}
}

func TestPermissionDismissed(t *testing.T) {
	e, s := begin(t)
	e.choose = always("")
	e.prompt("book", sdk.StopReasonCancelled)
	// An option that was not offered decides nothing.
	e.choose = always("certainly")
	if _, err := e.say(sdk.TextBlock("book")); kindOf(t, err) != "bad_message" {
		t.Errorf("an unknown option: %v", err)
	}
	e.choose = always("allow")
	e.prompt("/"+acp.Continue, sdk.StopReasonEndTurn)
	if s.Ran("book") != 1 {
		t.Errorf("ran %d times", s.Ran("book"))
	}
}

func TestPermissionOfSubAgent(t *testing.T) {
	e, s := begin(t)
	e.choose = always("allow")
	e.prompt("helper", sdk.StopReasonEndTurn)
	if s.Ran("book") != 1 || len(e.asked) != 1 || *e.asked[0].ToolCall.Title != "helper: book" {
		t.Errorf("ran %d times, asked %+v", s.Ran("book"), e.asked)
	}
	if way := e.status("book"); len(way) == 0 || way[len(way)-1] != sdk.ToolCallStatusCompleted {
		t.Errorf("status %v", way)
	}
}

// What is allowed for good is a tool of one agent's: one of a sub-agent's that has the
// same name is asked about, too.
func TestPermissionForGoodIsOfOneAgent(t *testing.T) {
	e, s := begin(t)
	e.choose = always("allow_always")
	for i, tt := range []struct {
		prompt string
		asked  int
	}{{"book", 1}, {"helper", 2}, {"helper", 2}, {"book", 2}} {
		e.prompt(tt.prompt, sdk.StopReasonEndTurn)
		if s.Ran("book") != i+1 || len(e.asked) != tt.asked {
			t.Errorf("%d: %s: the tool ran %d times, and %d times somebody was asked, want %d", i, tt.prompt, s.Ran("book"), len(e.asked), tt.asked)
		}
	}
}

func TestCancelInTool(t *testing.T) {
	e, s := begin(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.prompt("slow", sdk.StopReasonCancelled)
	}()
	e.until(func() bool { return s.Ran("slow") == 1 && strings.Contains(e.all(), "waiting for the end") })
	if err := e.agent.Cancel(t.Context(), sdk.CancelNotification{SessionId: e.id}); err != nil {
		t.Fatal(err)
	}
	<-done
	if s.Ended("slow") != 1 {
		t.Error("the cancel has not reached the tool")
	}
	if way := e.status("slow"); way[len(way)-1] != sdk.ToolCallStatusFailed {
		t.Errorf("the editor still shows the call: %v", way)
	}
	e.prompt("hello", sdk.StopReasonEndTurn)
}

func TestCancelWhileAsking(t *testing.T) {
	e, s := begin(t)
	e.choose = nil // the user thinks
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.prompt("book", sdk.StopReasonCancelled)
	}()
	e.until(func() bool { e.mu.Lock(); defer e.mu.Unlock(); return len(e.asked) == 1 })
	if err := e.agent.Cancel(t.Context(), sdk.CancelNotification{SessionId: e.id}); err != nil {
		t.Fatal(err)
	}
	<-done
	if s.Ran("book") != 0 {
		t.Error("it has run")
	}
}

func TestTwoPromptsAtOnce(t *testing.T) {
	e, s := begin(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.prompt("slow", sdk.StopReasonCancelled)
	}()
	e.until(func() bool { return s.Ran("slow") == 1 })
	_, err := e.say(sdk.TextBlock("hello"))
	if kind := kindOf(t, err); kind != "busy" {
		t.Errorf("%s: %v", kind, err)
	}
	if _, err := e.agent.LoadSession(t.Context(), sdk.LoadSessionRequest{SessionId: e.id, Cwd: e.dir, McpServers: []sdk.McpServer{}}); kindOf(t, err) != "busy" {
		t.Errorf("load: %v", err)
	}
	if s.Ended("slow") != 0 {
		t.Error("the second prompt has ended the first")
	}
	// Another session is answered meanwhile.
	first := e.id
	e.begin()
	e.prompt("hello", sdk.StopReasonEndTurn)
	if err := e.agent.Cancel(t.Context(), sdk.CancelNotification{SessionId: first}); err != nil {
		t.Fatal(err)
	}
	<-done
}

func TestUnsavedBuffer(t *testing.T) {
	e, _ := begin(t)
	e.choose = always("allow")
	if err := os.WriteFile(e.file("a.txt"), []byte("on the disk"), 0o600); err != nil {
		t.Fatal(err)
	}
	e.buffers[e.file("a.txt")] = "a draft, not saved"
	e.prompt("read a.txt", sdk.StopReasonEndTurn)
	if got := e.text(); !strings.Contains(got, "a draft, not saved") || strings.Contains(got, "on the disk") {
		t.Errorf("text: %q", got)
	}
	e.prompt("edit a.txt", sdk.StopReasonEndTurn)
	if got := e.buffers[e.file("a.txt")]; got != "a done, not saved" {
		t.Errorf("buffer: %q", got)
	}
	diff := e.asked[0].ToolCall.Content[0].Diff
	if diff == nil || diff.Path != e.file("a.txt") || diff.NewText != "done" || *diff.OldText != "draft" {
		t.Errorf("diff: %+v", e.asked[0].ToolCall.Content)
	}
}

func TestFilesOutside(t *testing.T) {
	e, _ := begin(t)
	e.choose = always("allow")
	outside := filepath.Join(t.TempDir(), "secret.txt")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, e.file("link.txt")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{outside, "../x", "link.txt", ".env", "a/.git/config", "a/../../x", "/etc/passwd", e.dir} {
		e.buffers[path], e.buffers[filepath.Join(e.dir, path)] = "secret", "secret"
		before := len(e.text())
		e.prompt("read "+path, sdk.StopReasonEndTurn)
		if got := e.text()[before:]; strings.Contains(got, "secret\"") || !strings.Contains(got, `"is_error":true`) {
			t.Errorf("%s: %q", path, got)
		}
	}
}

func TestTerminal(t *testing.T) {
	e, _ := begin(t)
	e.choose = always("allow")
	close(e.exit)
	e.prompt("command go test ./...", sdk.StopReasonEndTurn)
	if got := e.text(); !strings.Contains(got, `example`) || !strings.Contains(got, "(exit status 3)") {
		t.Errorf("text: %q", got)
	}
	if c := e.commands; len(c) != 1 || c[0].Command != "bash" || !slices.Equal(c[0].Args, []string{"-c", "go test ./..."}) || *c[0].Cwd != e.dir {
		t.Errorf("commands: %+v", c)
	}
	if !strings.Contains(e.all(), `"terminalId":"term-1"`) || len(e.released) != 1 || len(e.asked) != 1 {
		t.Errorf("released %v, asked %d, told %s", e.released, len(e.asked), e.all())
	}
}

func TestCancelInTerminal(t *testing.T) {
	e, _ := begin(t)
	e.choose = always("allow")
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.prompt("command sleep 60", sdk.StopReasonCancelled)
	}()
	e.until(func() bool { return strings.Contains(e.all(), "term-1") })
	if err := e.agent.Cancel(t.Context(), sdk.CancelNotification{SessionId: e.id}); err != nil {
		t.Fatal(err)
	}
	<-done
	e.until(func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return slices.Equal(e.killed, []string{"term-1"}) && slices.Equal(e.released, []string{"term-1"})
	})
}

func TestEditorWithoutFiles(t *testing.T) {
	s := newStage(t)
	e := start(t, options(t, s, new(memory.RAM)), sdk.ClientCapabilities{})
	e.begin()
	e.prompt("tools", sdk.StopReasonEndTurn)
	if got := e.text(); strings.Contains(got, "read_file") || strings.Contains(got, "run_command") {
		t.Errorf("text: %q", got)
	}
}

func TestPicture(t *testing.T) {
	e, _ := begin(t)
	res, err := e.say(sdk.TextBlock("picture"), sdk.ImageBlock(stage.Pixel, "image/png"))
	if err != nil || res.StopReason != sdk.StopReasonEndTurn {
		t.Fatal(res, err)
	}
	if got := e.text(); !strings.Contains(got, "I see a picture here") {
		t.Errorf("text: %q", got)
	}
	e.prompt("draw", sdk.StopReasonEndTurn)
	if !strings.Contains(e.all(), `"data":"`+stage.Pixel) {
		t.Error("the tool's picture is not shown")
	}
}

func TestPlan(t *testing.T) {
	e, _ := begin(t)
	e.prompt("plan", sdk.StopReasonEndTurn)
	want := `"entries":[{"content":"Read","priority":"medium","status":"completed"},{"content":"Write","priority":"medium","status":"in_progress"}]`
	if all := e.all(); !strings.Contains(all, want) {
		t.Errorf("no plan: %s", all)
	}
}

func TestQuestions(t *testing.T) {
	e, _ := begin(t)
	e.choose = always("1")
	e.prompt("which", sdk.StopReasonEndTurn)
	if got := e.text(); len(e.asked) != 1 || !strings.Contains(got, "blue") {
		t.Errorf("asked %+v, text: %q", e.asked, got)
	}
	e.prompt("name", sdk.StopReasonEndTurn)
	if got := e.text(); !strings.HasSuffix(got, "What is your name?\n") {
		t.Errorf("text: %q", got)
	}
	e.prompt("Ann", sdk.StopReasonEndTurn) // the next prompt is the answer
	if got := e.text(); !strings.Contains(got, "Done with name") || !strings.Contains(got, `Ann`) {
		t.Errorf("text: %q", got)
	}
}

func TestModes(t *testing.T) {
	e, _ := begin(t)
	e.prompt("tools", sdk.StopReasonEndTurn)
	if got := e.text(); !strings.Contains(got, "edit_file") {
		t.Errorf("text: %q", got)
	}
	if _, err := e.agent.SetSessionMode(t.Context(), sdk.SetSessionModeRequest{SessionId: e.id, ModeId: "read"}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.agent.SetSessionMode(t.Context(), sdk.SetSessionModeRequest{SessionId: e.id, ModeId: "none"}); kindOf(t, err) != "bad_mode" {
		t.Errorf("an unknown mode: %v", err)
	}
	before := len(e.text())
	e.prompt("tools", sdk.StopReasonEndTurn)
	if got := e.text()[before:]; strings.Contains(got, "edit_file") || !strings.Contains(got, "read_file") {
		t.Errorf("text: %q", got)
	}
	e.prompt("mode", sdk.StopReasonEndTurn)
	if got := e.text(); !strings.Contains(got, "the mode is read") {
		t.Errorf("tools and rules don't know the mode: %q", got)
	}
	res, err := e.agent.LoadSession(t.Context(), sdk.LoadSessionRequest{SessionId: e.id, Cwd: e.dir, McpServers: []sdk.McpServer{}})
	if err != nil || res.Modes.CurrentModeId != "read" || len(res.Modes.AvailableModes) != 2 {
		t.Errorf("%+v %v", res, err)
	}
}

func TestLoadAfterKill(t *testing.T) {
	s, store := newStage(t), new(memory.RAM)
	e := start(t, options(t, s, store), everything)
	e.begin()
	e.choose = always("allow")
	e.prompt("plan", sdk.StopReasonEndTurn)
	if _, err := e.say(sdk.TextBlock("picture"), sdk.ImageBlock(stage.Pixel, "image/png")); err != nil {
		t.Fatal(err)
	}
	e.choose = always("")
	e.prompt("book", sdk.StopReasonCancelled)
	e.end() // the editor and the agent are gone; the call waits for a decision

	again := start(t, options(t, s, store), everything)
	again.id, again.dir = e.id, e.dir
	list, err := again.agent.ListSessions(t.Context(), sdk.ListSessionsRequest{Cwd: &e.dir})
	if err != nil || len(list.Sessions) != 1 || list.Sessions[0].SessionId != e.id || *list.Sessions[0].Title != "plan" {
		t.Errorf("list: %+v %v", list, err)
	}
	if _, err := again.say(sdk.TextBlock("hello")); kindOf(t, err) != "no_session" {
		t.Errorf("a prompt before the load: %v", err)
	}
	if _, err := again.agent.LoadSession(t.Context(), sdk.LoadSessionRequest{SessionId: e.id, Cwd: e.dir, McpServers: []sdk.McpServer{}}); err != nil {
		t.Fatal(err)
	}
	all := again.all()
	for _, want := range []string{
		`"text":"plan"`, `"sessionUpdate":"user_message_chunk"`, `"data":"` + stage.Pixel, "Done with todo", "I see a picture here",
		`"content":"Write"`, `"title":"book"`, `"name":"continue"`, `"amount":`,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("the past has no %s: %s", want, all)
		}
	}
	again.choose = always("allow")
	again.prompt("/"+acp.Continue, sdk.StopReasonEndTurn)
	if s.Ran("book") != 1 || !strings.Contains(again.text(), "Done with book") {
		t.Errorf("ran %d times: %s", s.Ran("book"), again.text())
	}
}

func TestKillInTool(t *testing.T) {
	s, store := newStage(t), new(memory.RAM)
	e := start(t, options(t, s, store), everything)
	e.begin()
	go e.say(sdk.TextBlock("slow"))
	e.until(func() bool { return s.Ran("slow") == 1 })
	e.end() // Serve waits for the run
	if s.Ended("slow") != 1 {
		t.Error("the tool goes on without an editor")
	}
	again := start(t, options(t, s, store), everything)
	again.id, again.dir = e.id, e.dir
	if _, err := again.agent.ResumeSession(t.Context(), sdk.ResumeSessionRequest{SessionId: e.id, Cwd: e.dir}); err != nil {
		t.Fatal(err)
	}
	if all := again.all(); all != "null" {
		t.Errorf("a resumed session has told its past: %s", all)
	}
	again.prompt("hello", sdk.StopReasonEndTurn)
}

func TestUnknownSessions(t *testing.T) {
	s, store := newStage(t), new(memory.RAM)
	o := options(t, s, store)
	o.Meta = map[string]string{"user": "ann"}
	e := start(t, o, everything)
	e.begin()
	e.choose = always("allow")
	e.prompt("helper", sdk.StopReasonEndTurn)
	other := start(t, func() acp.Options { o := o; o.Meta = map[string]string{"user": "bob"}; return o }(), everything)
	ids := []sdk.SessionId{"none", "../x", e.id}
	for info, err := range store.List(t.Context(), memory.Query{Parent: string(e.id)}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, sdk.SessionId(info.ID))
	}
	if len(ids) != 4 {
		t.Fatalf("sessions: %v", ids)
	}
	for i, id := range ids {
		who := other
		if i == 3 { // a sub-agent's is nobody's
			who = e
		}
		if _, err := who.agent.LoadSession(t.Context(), sdk.LoadSessionRequest{SessionId: id, Cwd: e.dir, McpServers: []sdk.McpServer{}}); kindOf(t, err) != "no_session" {
			t.Errorf("load %s: %v", id, err)
		}
		if _, err := who.agent.Prompt(t.Context(), sdk.PromptRequest{SessionId: id, Prompt: []sdk.ContentBlock{sdk.TextBlock("hello")}}); kindOf(t, err) != "no_session" {
			t.Errorf("prompt %s: %v", id, err)
		}
	}
	list, err := other.agent.ListSessions(t.Context(), sdk.ListSessionsRequest{})
	if err != nil || len(list.Sessions) != 0 {
		t.Errorf("somebody else's sessions: %+v %v", list, err)
	}
}

func TestBadInput(t *testing.T) {
	e, _ := begin(t)
	for name, blocks := range map[string][]sdk.ContentBlock{
		"nothing":    {},
		"blank":      {sdk.TextBlock(" \n")},
		"no base64":  {sdk.ImageBlock("%%%", "image/png")},
		"no picture": {sdk.ImageBlock(base64.StdEncoding.EncodeToString([]byte("no picture")), "image/png")},
		"audio":      {sdk.AudioBlock("AAAA", "audio/wav")},
	} {
		if _, err := e.say(blocks...); kindOf(t, err) != "bad_message" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := e.agent.NewSession(t.Context(), sdk.NewSessionRequest{Cwd: "relative", McpServers: []sdk.McpServer{}}); kindOf(t, err) != "bad_message" {
		t.Errorf("a relative folder: %v", err)
	}
	cursor := "nonsense"
	if _, err := e.agent.ListSessions(t.Context(), sdk.ListSessionsRequest{Cursor: &cursor}); kindOf(t, err) != "bad_message" {
		t.Errorf("a cursor that is none: %v", err)
	}
	e.prompt("hello", sdk.StopReasonEndTurn)
}

func TestBadLines(t *testing.T) {
	s := newStage(t)
	fromEditor, toAgent := io.Pipe()
	fromAgent, toEditor := io.Pipe()
	go func() {
		for _, line := range []string{
			`no json`, `{}`, `[]`, `7`, `{"jsonrpc":"2.0","id":9,"method":7}`, ``, `{"a":"` + strings.Repeat("x", 11<<20) + `"}`, `{"jsonrpc":"2.0","id":1,"method":"none"}`, `{"jsonrpc":"2.0","id":2,"method":"session/prompt"}`,
			`{"jsonrpc":"2.0","id":3,"method":"session/prompt","params":{"sessionId":7}}`,
			`{"jsonrpc":"2.0","id":4,"method":"session/prompt","params":{"sessionId":"x","prompt":[{"type":"of tomorrow"}]}}`,
			`{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"none"}}`,
			`{"jsonrpc":"2.0","id":5,"method":"initialize","params":{"protocolVersion":1}}`,
		} {
			fmt.Fprintln(toAgent, line)
		}
	}()
	served := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		served <- acp.Serve(ctx, fromEditor, toEditor, options(t, s, new(memory.RAM)))
		toEditor.Close()
	}()
	var got strings.Builder
	buf := make([]byte, 1<<16)
	for n := 0; n < 11; {
		k, err := fromAgent.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got.Write(buf[:k])
		n = strings.Count(got.String(), "\n")
	}
	for _, want := range []string{`"id":1,"error":{"code":-32601`, `"id":2,"error":{"code":-32602`, `"id":3,"error":{"code":-32602`, `"id":4,"error":{"code":-32002`, `"id":5,"result":{`} {
		if !strings.Contains(got.String(), want) {
			t.Errorf("no %s in %s", want, got.String())
		}
	}
	for want, n := range map[string]int{`{"error":{"code":-32700`: 1, `{"error":{"code":-32600`: 5} {
		if got := strings.Count(got.String(), want); got != n {
			t.Errorf("%d lines with %s, want %d", got, want, n)
		}
	}
	cancel()
	if err := <-served; err != context.Canceled {
		t.Errorf("Serve: %v", err)
	}
}

func TestOptions(t *testing.T) {
	s := newStage(t)
	for name, o := range map[string]acp.Options{
		"no store":  {Run: s.Run},
		"no run":    {Store: new(memory.RAM)},
		"two modes": {Store: new(memory.RAM), Run: s.Run, Modes: []acp.Mode{{ID: "a"}, {ID: "a"}}},
	} {
		if err := acp.Serve(t.Context(), strings.NewReader(""), io.Discard, o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A process that was killed leaves a lease; a prompt waits until it has run out.
func TestLeaseOfKilledProcess(t *testing.T) {
	s, store := newStage(t), new(memory.RAM)
	e := start(t, options(t, s, store), everything)
	e.begin()
	leaser, ok := memory.As[memory.Leaser](store)
	if !ok {
		t.Fatal("the store has no leases")
	}
	if err := leaser.Lease(t.Context(), string(e.id), "a killed process", time.Second); err != nil {
		t.Fatal(err)
	}
	e.prompt("hello", sdk.StopReasonEndTurn)
	if got := e.text(); got != "You said: hello" {
		t.Errorf("text: %q", got)
	}
}

// A cancel right behind its prompt is not lost, whichever is taken up first.
func TestCancelRightBehindPrompt(t *testing.T) {
	e, s := begin(t)
	for range 20 {
		fmt.Fprintf(e.raw, `{"jsonrpc":"2.0","id":"p","method":"session/prompt","params":{"sessionId":%q,"prompt":[{"type":"text","text":"slow"}]}}`+"\n"+
			`{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":%q}}`+"\n", e.id, e.id)
		// A prompt that is still being answered makes the next one "busy".
		e.until(func() bool {
			_, err := e.agent.ResumeSession(t.Context(), sdk.ResumeSessionRequest{SessionId: e.id, Cwd: e.dir})
			return err == nil
		})
	}
	if s.Ran("slow") != s.Ended("slow") {
		t.Errorf("%d calls have begun, %d were cancelled", s.Ran("slow"), s.Ended("slow"))
	}
}

func TestAnswerThatBrokeOff(t *testing.T) {
	s := newStage(t, simulator.Fault{CutAfter: 1100})
	e := start(t, options(t, s, new(memory.RAM)), everything)
	e.begin()
	long := strings.TrimSpace(strings.Repeat("a long text ", 60))
	e.prompt(long, sdk.StopReasonEndTurn)
	got := e.text()
	before, after, ok := strings.Cut(got, "\n\n(The answer broke off, and begins again.)\n\n")
	whole := "You said: " + long
	if !ok || before == "" || !strings.HasPrefix(whole, before) || after != whole {
		t.Errorf("text: %q", got)
	}
}

// An editor that ends while it is asked leaves a call that waits.
func TestEditorEndsWhileAsked(t *testing.T) {
	s, store := newStage(t), new(memory.RAM)
	e := start(t, options(t, s, store), everything)
	e.begin()
	e.choose = nil
	go e.say(sdk.TextBlock("book"))
	e.until(func() bool { e.mu.Lock(); defer e.mu.Unlock(); return len(e.asked) == 1 })
	e.end()
	items, err := waiting.List(t.Context(), store, string(e.id))
	if err != nil || len(items) != 1 || items[0].Tool != "book" {
		t.Fatalf("%+v %v", items, err)
	}
	// It is decided elsewhere; the session goes on in the next editor.
	if err := items[0].Approve(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	again := start(t, options(t, s, store), everything)
	again.id, again.dir = e.id, e.dir
	if _, err := again.agent.ResumeSession(t.Context(), sdk.ResumeSessionRequest{SessionId: e.id, Cwd: e.dir}); err != nil {
		t.Fatal(err)
	}
	again.prompt("/"+acp.Continue, sdk.StopReasonEndTurn)
	if s.Ran("book") != 1 || len(again.asked) != 0 {
		t.Errorf("ran %d times, asked %+v", s.Ran("book"), again.asked)
	}
}

// A new prompt ends what waits: it doesn't run later.
func TestPromptInPlaceOfDecision(t *testing.T) {
	e, s := begin(t)
	e.choose = always("")
	e.prompt("book", sdk.StopReasonCancelled)
	e.choose = always("allow")
	e.prompt("hello", sdk.StopReasonEndTurn)
	if s.Ran("book") != 0 || len(e.asked) != 1 {
		t.Errorf("ran %d times, asked %d times", s.Ran("book"), len(e.asked))
	}
}

// A picture beside a text is no answer to a question: both are said.
func TestPictureInPlaceOfAnswer(t *testing.T) {
	e, _ := begin(t)
	e.prompt("name", sdk.StopReasonEndTurn)
	if _, err := e.say(sdk.TextBlock("picture"), sdk.ImageBlock(stage.Pixel, "image/png")); err != nil {
		t.Fatal(err)
	}
	if got := e.text(); !strings.Contains(got, "I see a picture here") {
		t.Errorf("text: %q", got)
	}
}

func TestClose(t *testing.T) {
	e, s := begin(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.prompt("slow", sdk.StopReasonCancelled)
	}()
	e.until(func() bool { return s.Ran("slow") == 1 })
	if _, err := e.agent.CloseSession(t.Context(), sdk.CloseSessionRequest{SessionId: e.id}); err != nil {
		t.Fatal(err)
	}
	<-done
	if _, err := e.say(sdk.TextBlock("hello")); kindOf(t, err) != "no_session" {
		t.Errorf("a prompt behind the close: %v", err)
	}
}
