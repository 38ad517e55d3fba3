package acp_test

import (
	"context"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/coder/acp-go-sdk"

	"github.com/whorl-go/whorl/agent/acp"
	"github.com/whorl-go/whorl/agent/acp/internal/stage"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport/simulator"
)

// An editor is a client on the SDK's side for clients.
type editor struct {
	t     *testing.T
	agent *sdk.ClientSideConnection
	dir   string
	id    sdk.SessionId
	raw   io.Writer // to the agent, for lines that the SDK's client doesn't send
	end   func()    // closes the connection, as a kill of the editor does

	choose func(sdk.RequestPermissionRequest) string // "" dismisses

	mu       sync.Mutex
	updates  []sdk.SessionUpdate
	asked    []sdk.RequestPermissionRequest
	buffers  map[string]string
	commands []sdk.CreateTerminalRequest
	killed   []string
	released []string
	exit     chan struct{} // a command of the terminal ends when it is closed
	came     chan struct{}
}

func (e *editor) RequestPermission(ctx context.Context, p sdk.RequestPermissionRequest) (sdk.RequestPermissionResponse, error) {
	e.mu.Lock()
	e.asked = append(e.asked, p)
	choose := e.choose
	e.mu.Unlock()
	if choose == nil {
		<-ctx.Done()
		return sdk.RequestPermissionResponse{Outcome: sdk.NewRequestPermissionOutcomeCancelled()}, nil
	}
	if c := choose(p); c != "" {
		return sdk.RequestPermissionResponse{Outcome: sdk.NewRequestPermissionOutcomeSelected(sdk.PermissionOptionId(c))}, nil
	}
	return sdk.RequestPermissionResponse{Outcome: sdk.NewRequestPermissionOutcomeCancelled()}, nil
}

func (e *editor) SessionUpdate(_ context.Context, n sdk.SessionNotification) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.updates = append(e.updates, n.Update)
	select {
	case e.came <- struct{}{}:
	default:
	}
	return nil
}

func (e *editor) ReadTextFile(_ context.Context, p sdk.ReadTextFileRequest) (sdk.ReadTextFileResponse, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	text, ok := e.buffers[p.Path]
	if !ok {
		return sdk.ReadTextFileResponse{}, &sdk.RequestError{Code: -32002, Message: "Resource not found"}
	}
	return sdk.ReadTextFileResponse{Content: text}, nil
}

func (e *editor) WriteTextFile(_ context.Context, p sdk.WriteTextFileRequest) (sdk.WriteTextFileResponse, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.buffers[p.Path] = p.Content
	return sdk.WriteTextFileResponse{}, nil
}

func (e *editor) CreateTerminal(_ context.Context, p sdk.CreateTerminalRequest) (sdk.CreateTerminalResponse, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.commands = append(e.commands, p)
	return sdk.CreateTerminalResponse{TerminalId: "term-1"}, nil
}

func (e *editor) KillTerminal(_ context.Context, p sdk.KillTerminalRequest) (sdk.KillTerminalResponse, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.killed = append(e.killed, p.TerminalId)
	return sdk.KillTerminalResponse{}, nil
}

func (e *editor) TerminalOutput(context.Context, sdk.TerminalOutputRequest) (sdk.TerminalOutputResponse, error) {
	return sdk.TerminalOutputResponse{Output: "ok  \texample\n"}, nil
}

func (e *editor) ReleaseTerminal(_ context.Context, p sdk.ReleaseTerminalRequest) (sdk.ReleaseTerminalResponse, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.released = append(e.released, p.TerminalId)
	return sdk.ReleaseTerminalResponse{}, nil
}

func (e *editor) WaitForTerminalExit(ctx context.Context, _ sdk.WaitForTerminalExitRequest) (sdk.WaitForTerminalExitResponse, error) {
	select {
	case <-e.exit:
	case <-ctx.Done():
		return sdk.WaitForTerminalExitResponse{}, ctx.Err()
	}
	code := 3
	return sdk.WaitForTerminalExitResponse{ExitCode: &code}, nil
}

// newStage is a stage that ends with the test.
func newStage(t *testing.T, faults ...simulator.Fault) *stage.Stage {
	t.Helper()
	s, err := stage.New(faults...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// options are those of the stage's agent.
func options(t *testing.T, s *stage.Stage, store memory.Store) acp.Options {
	t.Helper()
	return acp.Options{
		Store: store, Run: s.Run, Name: "test", Version: "1",
		Modes: []acp.Mode{{ID: "write", Name: "Write"}, {ID: "read", Name: "Read", Description: "Changes nothing."}},
	}
}

// start connects an editor with an agent and initializes the connection.
func start(t *testing.T, o acp.Options, can sdk.ClientCapabilities) *editor {
	t.Helper()
	e := &editor{t: t, dir: t.TempDir(), buffers: map[string]string{}, exit: make(chan struct{}), came: make(chan struct{}, 1)}
	fromEditor, toAgent := io.Pipe()
	fromAgent, toEditor := io.Pipe()
	served := make(chan error, 1)
	go func() { served <- acp.Serve(context.Background(), fromEditor, toEditor, o) }()
	e.raw = toAgent
	e.agent = sdk.NewClientSideConnection(e, toAgent, fromAgent)
	e.agent.SetLogger(quiet)
	var once sync.Once
	e.end = func() {
		once.Do(func() {
			toAgent.Close()
			if err := <-served; err != nil {
				t.Errorf("Serve: %v", err)
			}
			toEditor.Close()
		})
	}
	t.Cleanup(e.end)
	res, err := e.agent.Initialize(t.Context(), sdk.InitializeRequest{ProtocolVersion: 1, ClientCapabilities: can})
	if err != nil {
		t.Fatal(err)
	}
	if !res.AgentCapabilities.LoadSession || !res.AgentCapabilities.PromptCapabilities.Image || res.AgentInfo.Name != "test" {
		t.Errorf("initialize: %+v", res)
	}
	return e
}

var everything = sdk.ClientCapabilities{Fs: sdk.FileSystemCapabilities{ReadTextFile: true, WriteTextFile: true}, Terminal: true}

// begin is a session of a new editor on a new store.
func begin(t *testing.T) (*editor, *stage.Stage) {
	t.Helper()
	s := newStage(t)
	e := start(t, options(t, s, new(memory.RAM)), everything)
	e.begin()
	return e, s
}

func (e *editor) begin() sdk.NewSessionResponse {
	e.t.Helper()
	res, err := e.agent.NewSession(e.t.Context(), sdk.NewSessionRequest{Cwd: e.dir, McpServers: []sdk.McpServer{}})
	if err != nil {
		e.t.Fatal(err)
	}
	e.id = res.SessionId
	return res
}

func (e *editor) say(blocks ...sdk.ContentBlock) (sdk.PromptResponse, error) {
	ctx, cancel := context.WithTimeout(e.t.Context(), time.Minute) // a turn that hangs fails
	defer cancel()
	return e.agent.Prompt(ctx, sdk.PromptRequest{SessionId: e.id, Prompt: blocks})
}

// prompt says something and wants an end of that kind.
func (e *editor) prompt(text string, want sdk.StopReason) sdk.PromptResponse {
	e.t.Helper()
	res, err := e.say(sdk.TextBlock(text))
	if err != nil {
		e.t.Fatalf("%s: %v", text, err)
	}
	if res.StopReason != want {
		e.t.Errorf("%s: stop reason %s, want %s", text, res.StopReason, want)
	}
	return res
}

// text is what the agent has said.
func (e *editor) text() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var b strings.Builder
	for _, u := range e.updates {
		if u.AgentMessageChunk != nil && u.AgentMessageChunk.Content.Text != nil {
			b.WriteString(u.AgentMessageChunk.Content.Text.Text)
		}
	}
	return b.String()
}

// all is everything that the editor was told, as JSON.
func (e *editor) all() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	raw, err := json.Marshal(e.updates)
	if err != nil {
		e.t.Fatal(err)
	}
	return string(raw)
}

// status is the newest status of the newest call of a tool, and how it came there.
func (e *editor) status(title string) (way []sdk.ToolCallStatus) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var id sdk.ToolCallId
	for _, u := range e.updates {
		if u.ToolCall != nil && u.ToolCall.Title == title {
			id, way = u.ToolCall.ToolCallId, []sdk.ToolCallStatus{u.ToolCall.Status}
		}
		if c := u.ToolCallUpdate; c != nil && id != "" && c.ToolCallId == id && c.Status != nil {
			if way[len(way)-1] != *c.Status {
				way = append(way, *c.Status)
			}
		}
	}
	return way
}

// until waits until something has been told.
func (e *editor) until(ok func() bool) {
	e.t.Helper()
	limit := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-e.came:
		case <-time.After(20 * time.Millisecond):
		case <-limit:
			e.t.Fatalf("it doesn't come: %s", e.all())
		}
	}
}

func (e *editor) file(name string) string { return filepath.Join(e.dir, name) }

func always(option string) func(sdk.RequestPermissionRequest) string {
	return func(sdk.RequestPermissionRequest) string { return option }
}

func kindOf(t *testing.T, err error) string {
	t.Helper()
	p, ok := acp.ProblemOf(err)
	if !ok {
		t.Fatalf("no problem: %v", err)
	}
	return p.Type
}
