package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

func started(t *testing.T, most int, script string) sdk.Connection {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip(err)
	}
	p := &process{cmd: exec.Command("sh", "-c", script), patience: time.Millisecond, most: most, exchanges: newExchanges(slog.New(slog.DiscardHandler))}
	c, err := p.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// within fails if run takes longer than it may.
func within(t *testing.T, most time.Duration, run func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); run() }()
	select {
	case <-done:
	case <-time.After(most):
		t.Fatalf("it takes longer than %v", most)
	}
}

// A call to a program that doesn't read ends with its context. It counts as sent if a
// part of it was written, and nothing follows it then.
func TestProgramThatReadsNothing(t *testing.T) {
	c := started(t, 1<<20, "head -c 9 >/dev/null; echo; exec sleep 60").(*processConn)
	id, err := jsonrpc.MakeID(float64(1))
	if err != nil {
		t.Fatal(err)
	}
	params, _ := json.Marshal(map[string]string{"name": strings.Repeat("x", 1<<20)}) // more than a pipe holds
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _, _, _ = c.line() // comes when the program has read something
		cancel()
	}()
	ctx, s := withSending(ctx)
	within(t, 20*time.Second, func() {
		var lost *lostError
		if err := c.Write(ctx, &jsonrpc.Request{ID: id, Method: "tools/call", Params: params}); !errors.As(err, &lost) {
			t.Errorf("half a message: %v", err)
		}
	})
	if !s.sent.Load() {
		t.Error("what was written in part counts as not sent")
	}
	ctx, s = withSending(t.Context())
	within(t, 20*time.Second, func() {
		if err := c.Write(ctx, &jsonrpc.Request{ID: id, Method: "ping"}); err == nil || s.sent.Load() {
			t.Errorf("behind half a message: %v, sent: %v", err, s.sent.Load())
		}
	})
}

// What a program has started doesn't hold its connection.
func TestProgramLeavesAnother(t *testing.T) {
	c := started(t, 1<<20, "sleep 30 &")
	within(t, 20*time.Second, func() {
		var lost *lostError
		if m, err := c.Read(t.Context()); !errors.As(err, &lost) {
			t.Errorf("the program has ended: %v, %v", m, err)
		}
	})
}

// A line without an end isn't kept.
func TestLineWithoutEnd(t *testing.T) {
	const most = 200_000
	c := started(t, most, `head -c 3000000 /dev/zero | tr '\0' ' '; echo; echo '{"jsonrpc":"2.0","method":"notifications/x"}'; sleep 60`).(*processConn)
	within(t, 20*time.Second, func() {
		if line, _, long, err := c.line(); !long || len(line) > 0 || err != nil {
			t.Errorf("%d bytes of a line were kept, long: %v, %v", len(line), long, err)
		}
		if m, err := c.Read(t.Context()); err != nil || m.(*jsonrpc.Request).Method != "notifications/x" {
			t.Errorf("the next line: %v, %v", m, err)
		}
	})
}

// A call that is given up while it is written doesn't end the message behind it.
func TestWritesAfterOneThatWasGivenUp(t *testing.T) {
	c := started(t, 1<<20, "exec cat >/dev/null")
	message := &jsonrpc.Request{Method: "notifications/x"}
	for i := range 10_000 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		if err := c.Write(ctx, message); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("message %d: %v", i, err)
		}
		if err := c.Write(t.Context(), message); err != nil {
			t.Fatalf("the one behind message %d: %v", i, err)
		}
	}
}
