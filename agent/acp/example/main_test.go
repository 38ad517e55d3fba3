package main

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"

	sdk "github.com/coder/acp-go-sdk"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// An editor that keeps what the agent says, and can do nothing else.
type editor struct {
	sdk.Client
	said bytes.Buffer
}

func (e *editor) SessionUpdate(_ context.Context, n sdk.SessionNotification) error {
	if c := n.Update.AgentMessageChunk; c != nil {
		e.said.WriteString(c.Content.Text.Text)
	}
	return nil
}

func TestGate(t *testing.T) {
	for _, tt := range []struct {
		mode, tool string
		reads      bool
		want       agent.Permission
	}{
		{"read", "write_file", false, agent.Deny},
		{"read", "run_command", false, agent.Deny},
		{"read", "read_file", true, agent.Allow},
		{"read", "todo", false, agent.Allow},
		{"write", "write_file", false, agent.Allow}, // the tool itself asks for approval
	} {
		d := gate(tt.mode)(t.Context(), agent.ToolRequest{Call: transport.ToolCall{Name: tt.tool}, Traits: tools.Traits{ReadOnly: tt.reads}})
		if d.Permission != tt.want {
			t.Errorf("%s in mode %s: %s, want %s", tt.tool, tt.mode, d.Permission, tt.want)
		}
	}
}

func TestOffline(t *testing.T) {
	fromEditor, toAgent := io.Pipe()
	fromAgent, toEditor := io.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- serve(t.Context(), fromEditor, toEditor, filepath.Join(t.TempDir(), "state", "acp.db"), "claude-opus-5-5", true)
	}()
	e := new(editor)
	c := sdk.NewClientSideConnection(e, toAgent, fromAgent)
	if _, err := c.Initialize(t.Context(), sdk.InitializeRequest{ProtocolVersion: 1}); err != nil {
		t.Fatal(err)
	}
	s, err := c.NewSession(t.Context(), sdk.NewSessionRequest{Cwd: t.TempDir(), McpServers: []sdk.McpServer{}})
	if err != nil {
		t.Fatal(err)
	}
	if s.Modes == nil || len(s.Modes.AvailableModes) != 2 {
		t.Errorf("modes: %+v", s.Modes)
	}
	for _, mode := range []sdk.SessionModeId{"write", "read"} {
		if _, err := c.SetSessionMode(t.Context(), sdk.SetSessionModeRequest{SessionId: s.SessionId, ModeId: mode}); err != nil {
			t.Fatal(err)
		}
		res, err := c.Prompt(t.Context(), sdk.PromptRequest{SessionId: s.SessionId, Prompt: []sdk.ContentBlock{sdk.TextBlock("hello in " + string(mode))}})
		if err != nil || res.StopReason != sdk.StopReasonEndTurn || !strings.Contains(e.said.String(), "hello in "+string(mode)) {
			t.Errorf("%+v %v: %q", res, err, e.said.String())
		}
	}
	toAgent.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
