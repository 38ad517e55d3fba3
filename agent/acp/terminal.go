package acp

import (
	"context"
	"fmt"
	"strings"
	"time"

	sdk "github.com/coder/acp-go-sdk"

	"github.com/whorl-go/whorl/tools"
)

// TerminalOptions specify how commands run in the editor's terminal. The zero value
// asks the user about each command.
type TerminalOptions struct {
	// WithoutApproval runs commands without asking the user. They have the user's rights:
	// there is no sandbox around the editor's terminal.
	WithoutApproval bool
	// Shell is the program that gets a command behind its arguments; nil means bash -c.
	Shell []string
	// Timeout is the most time of a command, which is then killed; 0 means 2 minutes.
	Timeout time.Duration
	// MaxOutputBytes is how much of the end of the output is kept; 0 means 30,000.
	MaxOutputBytes int
}

// Terminal is the tool run_command, which runs a command in a terminal of the editor's,
// where the user sees it. There is none for an editor without terminals: package
// tools/shell runs commands without an editor.
func (s *Session) Terminal(o TerminalOptions) []tools.Tool {
	if !s.Client.Terminal {
		return nil
	}
	if len(o.Shell) == 0 {
		o.Shell = []string{"bash", "-c"}
	}
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Minute
	}
	if o.MaxOutputBytes == 0 {
		o.MaxOutputBytes = 30_000
	}
	t := &terminal{s: s, o: o}
	return []tools.Tool{tools.FuncWith("run_command", "Run a command in a terminal of the user's editor, in the project's folder, and wait for its end. Each command has a shell of its own.", t.run,
		tools.Options{Traits: tools.Traits{NeedsApproval: !o.WithoutApproval, Group: "terminal", Private: true, Outside: true, Timeout: o.Timeout + 30*time.Second}})}
}

type terminal struct {
	s *Session
	o TerminalOptions
}

type commandIn struct {
	Command string `json:"command" jsonschema_description:"The command, as a shell takes it" jsonschema:"minLength=1"`
}

func (t *terminal) run(ctx context.Context, in commandIn) (string, error) {
	conn, id := t.s.s.server.conn, sdk.SessionId(t.s.ID)
	made, err := sdk.SendRequest[sdk.CreateTerminalResponse](conn, ctx, sdk.ClientMethodTerminalCreate, sdk.CreateTerminalRequest{
		SessionId: id, Command: t.o.Shell[0], Args: append(append([]string{}, t.o.Shell[1:]...), in.Command), Cwd: &t.s.Dir, OutputByteLimit: &t.o.MaxOutputBytes,
	})
	if err != nil {
		return "", told(ctx, "open a terminal", err)
	}
	// A command must not outlive its call, whatever becomes of that.
	after, done := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second+t.o.Timeout)
	defer done()
	defer func() {
		_, _ = sdk.SendRequest[sdk.ReleaseTerminalResponse](conn, after, sdk.ClientMethodTerminalRelease, sdk.ReleaseTerminalRequest{SessionId: id, TerminalId: made.TerminalId})
	}()
	call := tools.CallOf(ctx).ID
	t.s.s.shown(call)
	status := sdk.ToolCallStatusInProgress
	t.s.s.tell(sdk.SessionUpdate{ToolCallUpdate: &sdk.SessionToolCallUpdate{ToolCallId: sdk.ToolCallId(call), Status: &status, Content: []sdk.ToolCallContent{sdk.ToolTerminalRef(made.TerminalId)}}})

	wait, cancel := context.WithTimeout(ctx, t.o.Timeout)
	defer cancel()
	exit, err := sdk.SendRequest[sdk.WaitForTerminalExitResponse](conn, wait, sdk.ClientMethodTerminalWaitForExit, sdk.WaitForTerminalExitRequest{SessionId: id, TerminalId: made.TerminalId})
	late := err != nil && wait.Err() != nil
	if err != nil {
		_, _ = sdk.SendRequest[sdk.KillTerminalResponse](conn, after, sdk.ClientMethodTerminalKill, sdk.KillTerminalRequest{SessionId: id, TerminalId: made.TerminalId})
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil && !late {
		return "", told(ctx, "wait for the command", err)
	}
	out, err := sdk.SendRequest[sdk.TerminalOutputResponse](conn, after, sdk.ClientMethodTerminalOutput, sdk.TerminalOutputRequest{SessionId: id, TerminalId: made.TerminalId})
	if err != nil {
		return "", told(ctx, "give the command's output", err)
	}
	var b strings.Builder
	if out.Truncated {
		b.WriteString("(the beginning was left out)\n")
	}
	b.WriteString(strings.TrimRight(out.Output, "\n"))
	switch {
	case late:
		fmt.Fprintf(&b, "\n(killed at the time limit of %v)", t.o.Timeout)
	case exit.Signal != nil && *exit.Signal != "":
		fmt.Fprintf(&b, "\n(killed by signal %s)", *exit.Signal)
	case exit.ExitCode != nil && *exit.ExitCode != 0:
		fmt.Fprintf(&b, "\n(exit status %d)", *exit.ExitCode)
	case b.Len() == 0:
		b.WriteString("(no output)")
	}
	return b.String(), nil
}
