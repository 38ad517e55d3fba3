//go:build amd64

package agent_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"testing"
	"unsafe"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
)

// A loop gets by with a stack of 8 KB: the next size is 16, of which 10,000 conversations
// that wait have 80 MB more, and the collector lets the heap grow by as much again. What
// makes this fail is a large value (an Event, a State, a Bill, a Record) that lies in the
// frame of a function below a model call or an append. Sizes of frames:
// go tool objdump -s 'agent.\(\*Run\)' BINARY | grep -E 'TEXT|SUBQ.*, SP'.
func TestLoopGetsByWithASmallStack(t *testing.T) {
	if raceEnabled || testing.CoverMode() != "" {
		t.Skip("frames are larger")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection halves a stack
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		step := bytes.Count(body, []byte(`"tool_use_id"`))
		w.Header().Set("Content-Type", "text/event-stream")
		w.Write(stream(step+1, max(0, min(1, 4-step))))
	}))
	defer srv.Close()
	client, err := anthropic.New(anthropic.Options{BaseURL: srv.URL, APIKey: secret.New("k"), Features: anthropic.AllFeatures()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", MaxTokens: 1000, Tools: []tools.Tool{lookup(1 << 10)}})
	if err != nil {
		t.Fatal(err)
	}
	run := func() (moved bool, err error) {
		grow(0)
		var here byte
		before := uintptr(unsafe.Pointer(&here))
		res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
		if err == nil && res.Steps != 5 {
			t.Errorf("%d steps", res.Steps)
		}
		return uintptr(unsafe.Pointer(&here)) != before, err
	}
	const rounds = 20
	grown := 0
	for i := range rounds + 1 {
		type outcome struct {
			moved bool
			err   error
		}
		done := make(chan outcome)
		go func() {
			moved, err := run()
			done <- outcome{moved, err}
		}()
		o := <-done
		if o.err != nil {
			t.Fatal(o.err)
		}
		if o.moved && i > 0 { // the first one fills tables
			grown++
		}
	}
	t.Logf("%d of %d stacks grew", grown, rounds)
	if grown > rounds/2 { // the allocator goes deep now and then
		t.Errorf("%d of %d stacks grew beyond 8 KB", grown, rounds)
	}
}

// grow has the stack of a new goroutine grow to 8 KB.
//
//go:noinline
func grow(i int) byte {
	var room [6 << 10]byte
	return room[i]
}
