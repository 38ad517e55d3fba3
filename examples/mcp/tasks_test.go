package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/mcp"
)

const steps = 12

// countSteps is a tool that takes its time, and notes each step before it makes it.
func countSteps(made string) tools.Tool {
	return tools.RawWith("count", "Counts slowly.", nil, func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
		host, _ := tools.HostOf(ctx)
		before, err := host.Notes(ctx, "step")
		if err != nil {
			return tools.Result{}, err
		}
		for n := len(before); n < steps; n++ {
			if err := host.Note(ctx, "step", fmt.Appendf(nil, "%d", n)); err != nil {
				return tools.Result{}, err
			}
			f, err := os.OpenFile(made, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
			if err != nil {
				return tools.Result{}, err
			}
			fmt.Fprintln(f, n)
			if err := f.Close(); err != nil {
				return tools.Result{}, err
			}
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
				return tools.Result{}, context.Cause(ctx)
			}
		}
		return tools.Text(fmt.Sprintf("counted on from %d", len(before))), nil
	}, tools.Options{Traits: tools.Traits{Repeatable: true}})
}

// serveTasks is the program of a server: it keeps its tasks in a folder.
func serveTasks(address, folder string) error {
	store, err := sqlite.Open(filepath.Join(folder, "tasks.db"), nil)
	if err != nil {
		return err
	}
	defer store.Close()
	tasks, err := mcp.NewTasks(mcp.TaskOptions{Store: store, PollInterval: 100 * time.Millisecond, Lease: 300 * time.Millisecond,
		Rule: func(string) mcp.TaskRule { return mcp.TaskRule{After: 50 * time.Millisecond} }})
	if err != nil {
		return err
	}
	server, err := mcp.NewServer(mcp.ServerOptions{Name: "count", Version: "1", Tools: []tools.Tool{countSteps(filepath.Join(folder, "made"))}, Tasks: tasks})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	return http.Serve(listener, mcp.Handler(server))
}

// startTasks starts such a server, and returns its address.
func startTasks(t *testing.T, address, folder string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TASKS_ADDRESS="+address, "TASKS_FOLDER="+folder)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(line)
}

// A server is killed twice in the middle of a task. The client's call goes on, the tool
// goes on where it was, and no step is made twice.
func TestServerKilledInATask(t *testing.T) {
	folder := t.TempDir()
	made := func() []string {
		raw, _ := os.ReadFile(filepath.Join(folder, "made"))
		return strings.Fields(string(raw))
	}
	cmd, address := startTasks(t, "127.0.0.1:0", folder)
	client, err := mcp.HTTP(t.Context(), "http://"+address, nil, mcp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	list, err := client.Tools(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan string, 1)
	go func() {
		r, err := list[0].(tools.Callable).Call(t.Context(), json.RawMessage(`{}`))
		if err != nil {
			ended <- err.Error()
			return
		}
		ended <- string(r.Content[0].Raw())
	}()
	for _, at := range []int{4, 8} {
		for end := time.Now().Add(30 * time.Second); len(made()) < at; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d steps are made, and no more", len(made()))
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		cmd, _ = startTasks(t, address, folder)
	}
	select {
	case got := <-ended:
		if !strings.Contains(got, "counted on from") || strings.Contains(got, "from 0") {
			t.Errorf("the call: %s", got)
		}
	case <-time.After(60 * time.Second):
		t.Fatalf("the call has not ended; steps %v", made())
	}
	all := made()
	for i := 1; i < len(all); i++ {
		if all[i] == all[i-1] {
			t.Errorf("a step is made twice: %v", all)
		}
	}
	if len(all) < steps-2 { // a kill may come between a note and its step
		t.Errorf("steps %v", all)
	}
}
