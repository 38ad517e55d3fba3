package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent/serve/agui"
	"github.com/whorl-go/whorl/agent/serve/internal/stage"
	"github.com/whorl-go/whorl/agent/serve/uistream"
	"github.com/whorl-go/whorl/tools"
)

// TestProtocolClients drives servers with the clients of AG-UI and of the AI SDK,
// unchanged: they judge what they are sent by themselves. It installs them with npm, so
// it runs only if WHORL_NPM is set; if that is a folder, they stay installed there.
func TestProtocolClients(t *testing.T) {
	dir := os.Getenv("WHORL_NPM")
	switch {
	case dir == "":
		t.Skip("WHORL_NPM is not set: the JavaScript clients are not installed and not run")
	case filepath.IsAbs(dir):
		dir = filepath.Join(dir, "serve")
	default:
		dir = t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for _, name := range []string{"package.json", "package-lock.json", "agui.mjs", "uistream.mjs"} {
		data, err := os.ReadFile(filepath.Join("testdata", "clients", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil {
		install := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
		install.Dir = dir
		if out, err := install.CombinedOutput(); err != nil {
			t.Skipf("npm can't install the clients, they are not run: %v\n%s", err, out)
		}
	}
	for script, least := range map[string]int{"agui.mjs": 30, "uistream.mjs": 29} {
		t.Run(script, func(t *testing.T) {
			s := stage.Start(t, stage.Options{Tools: func(ctx context.Context, own ...tools.Tool) []tools.Tool {
				if agui.InputOf(ctx) == nil {
					own = append(own, tools.External("pick_color", "Picks.", json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}}}`), tools.ExternalOptions{Kind: uistream.Kind}))
				}
				return agui.Tools(ctx, own...)
			}})
			s.Mux.Handle("/agui", agui.New(s.Handler, agui.Options{}))
			chat := http.StripPrefix("/chat", uistream.New(s.Handler))
			s.Mux.Handle("/chat", chat)
			s.Mux.Handle("/chat/", chat)
			cmd := exec.CommandContext(ctx, "node", script)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "BASE_URL="+s.URL, "PIXEL="+stage.Pixel())
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s\n%s", err, out, stderr.Bytes())
			}
			var names []string
			if err := json.Unmarshal(out, &names); err != nil || len(names) < least {
				t.Fatalf("%v, %d scenarios: %s", err, len(names), out)
			}
			t.Logf("%d scenarios: %q", len(names), names)
		})
	}
}
